"""Keys that follow one another: rotation, devices, a mark of compromise, and root keys."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.organisation import DEVICE_SCOPE, organisation_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import KeyRecord, is_suspect, key_record_key, may_sign, parse_key_record
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import ROOT_KEYS_MAX
from tests import messages
from tests.world import BUYER, MAKER, Signer, World, make_signer, require_invalid


def key_of(world: World, signer: Signer) -> KeyRecord:
    """The record of a key, which must be there."""
    return parse_key_record(world.state.records[key_record_key(signer.kid)])


def root_keys(world: World) -> tuple[str, ...]:
    """The root keys that the maker's record lists."""
    return parse_organisation(world.state.records[organisation_key(MAKER)]).root_keys


def test_a_rotated_key_ends_with_the_block_that_registers_its_successor() -> None:
    """The new record names the old key; in between there is no block without either."""
    world = World()
    member, second = world[MAKER], make_signer(MAKER, "second")
    message = replace(member.register_key(second), replaces=member.key.kid.hex())
    ((outcome,),) = world.accept(member.root.sign(message))
    ended = key_of(world, member.key)

    assert [event["type"] for event in outcome.events] == ["KeyRegistered", "KeyRevoked"]
    assert (ended.revoked_height, key_of(world, second).replaces) == (world.head.height, ended.kid)
    assert "revoked" in str(require_invalid(world, world.next_block(member.key.sign(messages.model()))))
    assert world.submit(second.sign(messages.model())).is_accepted


@pytest.mark.parametrize("replaced", ["root", "of another", "ended"])
def test_a_rotation_ends_only_a_working_key_of_its_own(replaced: str) -> None:
    """No root key, no key of another member, and none that has ended; then nothing is registered either."""
    world = World()
    member, second, old = world[MAKER], make_signer(MAKER, "second"), make_signer(MAKER, "old")
    world.accept(member.root.sign(member.register_key(old)))
    world.accept(member.root.sign(messages.revoke_key(old)))
    named = {"root": member.root, "of another": world[BUYER].key, "ended": old}[replaced]
    message = replace(member.register_key(second), replaces=named.kid.hex())
    outcome = world.submit(member.root.sign(message))

    assert outcome.reason is (Reason.KEY_ALREADY_REVOKED if replaced == "ended" else Reason.NOT_YOUR_KEY)
    assert key_record_key(second.kid) not in world.state.records


def test_a_device_key_names_its_device_and_measures() -> None:
    """It anchors; what disposes of anything is outside its scope."""
    world = World()
    member, device = world[MAKER], make_signer(MAKER, "device")
    message = replace(member.register_key(device, scope=DEVICE_SCOPE), kind="device", device="BMS-7")
    world.accept(member.root.sign(message))

    assert (key_of(world, device).kind, key_of(world, device).device) == ("device", "BMS-7")
    assert world.submit(device.sign(messages.anchor())).is_accepted
    assert world.submit(device.sign(messages.model())).reason is Reason.OUT_OF_SCOPE
    assert not may_sign(key_of(world, device), "VetoRecovery")


def test_an_operational_key_names_no_device() -> None:
    """The two kinds do not blur."""
    world = World()
    member = world[MAKER]
    message = replace(member.register_key(make_signer(MAKER, "second")), device="BMS-7")

    assert world.submit(member.root.sign(message)).reason is Reason.NO_DEVICE


def test_a_mark_of_compromise_makes_later_statements_suspect_and_deletes_nothing() -> None:
    """From the time marked, by the time of the block that carries them."""
    world = World()
    member = world[MAKER]
    world.accept(member.key.sign(messages.model()))
    model, since = world.state.records[f"model/{messages.GTIN}"], world.head.time_ms
    message = replace(messages.revoke_key(member.key), cause="compromised", compromised_since_ms=since)
    ((outcome,),) = world.accept(member.root.sign(message))
    record = key_of(world, member.key)

    assert [event["type"] for event in outcome.events] == ["KeyRevoked", "CompromiseMarked"]
    assert (record.compromised_since_ms, record.revoked_height) == (since, world.head.height)
    assert [is_suspect(record, since - 1), is_suspect(record, since)] == [False, True]
    assert world.state.records[f"model/{messages.GTIN}"] == model


@pytest.mark.parametrize(
    ("earlier_ms", "reason"),
    [(1, None), (0, Reason.MARK_NOT_EARLIER), (-1, Reason.MARK_NOT_EARLIER)],
)
def test_a_mark_moves_to_an_earlier_time_only(earlier_ms: int, reason: Reason | None) -> None:
    """What was suspect once stays so: a thief who got hold of the root key clears nothing."""
    world = World()
    member, since = world[MAKER], world.head.time_ms - 1_000
    first = replace(messages.revoke_key(member.key), cause="compromised", compromised_since_ms=since)
    world.accept(member.root.sign(first))
    ended = key_of(world, member.key).revoked_height
    moved = replace(first, compromised_since_ms=since - earlier_ms)
    outcome = world.submit(member.root.sign(moved))

    assert outcome.reason is reason
    assert key_of(world, member.key).revoked_height == ended
    assert key_of(world, member.key).compromised_since_ms == since - max(earlier_ms, 0)


def test_an_ended_key_can_still_be_marked() -> None:
    """Compromise is often noticed after the key was changed."""
    world = World()
    member = world[MAKER]
    world.accept(member.root.sign(messages.revoke_key(member.key)))
    message = replace(messages.revoke_key(member.key), cause="compromised", compromised_since_ms=5)
    ((outcome,),) = world.accept(member.root.sign(message))

    assert [event["type"] for event in outcome.events] == ["CompromiseMarked"]
    assert key_of(world, member.key).compromised_since_ms == 5


def test_only_a_compromised_key_is_marked() -> None:
    """A leaver's key is not suspect."""
    world = World()
    message = replace(messages.revoke_key(world[MAKER].key), compromised_since_ms=5)
    outcome = world.submit(world[MAKER].root.sign(message))

    assert (outcome.reason, outcome.facts) == (Reason.MALFORMED_MESSAGE, (("field", "compromised_since_ms"),))


def test_a_root_key_is_rotated_and_the_record_lists_the_one_in_force() -> None:
    """The old one signs its own end; from the next block on the new one manages keys."""
    world = World()
    member, second = world[MAKER], make_signer(MAKER, "second root")
    ((outcome,),) = world.accept(member.root.sign(member.rotate_root_key(second, member.root)))

    assert [event["type"] for event in outcome.events] == ["RootKeyRotated", "KeyRevoked"]
    assert root_keys(world) == (second.public_key.hex(),)
    assert (key_of(world, second).kind, key_of(world, second).replaces) == ("root", member.root.kid.hex())
    assert key_of(world, member.root).revoked_height == world.head.height
    assert "revoked" in str(require_invalid(world, world.next_block(member.root.sign(messages.revoke_key(member.key)))))
    assert world.submit(second.sign(messages.revoke_key(member.key))).is_accepted


def test_a_second_root_key_may_stand_beside_the_first() -> None:
    """One in use, one in the safe: either may retire the other."""
    world = World()
    member, safe = world[MAKER], make_signer(MAKER, "safe")
    world.accept(member.root.sign(member.rotate_root_key(safe)))
    both = root_keys(world)
    world.accept(safe.sign(member.rotate_root_key(make_signer(MAKER, "third"), member.root)))

    assert both == (member.root.public_key.hex(), safe.public_key.hex())
    assert root_keys(world) == (safe.public_key.hex(), make_signer(MAKER, "third").public_key.hex())


def test_root_keys_are_few() -> None:
    """As many as the bound, and not one more; retiring one makes room."""
    world = World()
    member = world[MAKER]
    spare = [make_signer(MAKER, f"root {number}") for number in range(ROOT_KEYS_MAX)]
    world.accept(*(member.root.sign(member.rotate_root_key(signer)) for signer in spare[:-1]))

    assert world.submit(member.root.sign(member.rotate_root_key(spare[-1]))).reason is Reason.TOO_MANY_ROOT_KEYS
    assert world.submit(member.root.sign(member.rotate_root_key(spare[-1], spare[0]))).is_accepted
    assert len(root_keys(world)) == ROOT_KEYS_MAX


@pytest.mark.parametrize("retired", ["operational", "of another", "unknown"])
def test_a_rotation_retires_only_a_root_key_of_its_own(retired: str) -> None:
    """Nothing else is taken for one."""
    world = World()
    member = world[MAKER]
    named = {"operational": member.key, "of another": world[BUYER].root, "unknown": make_signer(MAKER, "x")}[retired]
    message = member.rotate_root_key(make_signer(MAKER, "second root"), named)

    assert world.submit(member.root.sign(message)).reason is Reason.NOT_YOUR_KEY


def test_nobody_rotates_the_root_key_of_another() -> None:
    """The message names its own signer."""
    world = World()
    message = world[BUYER].rotate_root_key(make_signer(BUYER, "second root"))

    assert world.submit(world[MAKER].root.sign(message)).reason is Reason.NOT_YOUR_KEY


def test_a_retired_root_key_registers_nothing_later_in_the_same_block() -> None:
    """Both were signed while it was in force; a thief who still holds it comes too late."""
    world = World()
    member, late = world[MAKER], make_signer(MAKER, "late")
    outcomes = world.include(
        member.root.sign(member.rotate_root_key(make_signer(MAKER, "second root"), member.root)),
        member.root.sign(member.register_key(late)),
        member.root.sign(messages.revoke_key(member.key)),
        member.root.sign(member.rotate_root_key(make_signer(MAKER, "third root"))),
    )

    assert [one.reason for (one,) in outcomes] == [None, *[Reason.KEY_HAS_ENDED] * 3]
    assert key_record_key(late.kid) not in world.state.records


def test_a_key_signs_by_its_kind() -> None:
    """Control: a root key signs what manages keys whatever its record lists, another only what its record lists."""
    world = World()
    root, key = key_of(world, world[MAKER].root), key_of(world, world[MAKER].key)

    assert [may_sign(root, name) for name in ("RotateRootKey", "Anchor", "VetoRecovery")] == [True, False, True]
    assert [may_sign(key, name) for name in ("RotateRootKey", "Anchor", "VetoRecovery")] == [False, True, True]
