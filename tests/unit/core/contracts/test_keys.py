"""Keys: who registers them, what they may sign, and how they end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.organisation import ROOT_ONLY, possession_bytes
from cellvow.core.ledger.key import (
    ROOT_MESSAGES,
    VETO,
    key_record_key,
    parse_key_record,
    parse_sequence_record,
    sequence_record_key,
)
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import SEQUENCE_WINDOW
from cellvow.core.primitives.signature import sign
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from tests import disputing, messages
from tests.world import BUYER, LABORATORY, MAKER, World, make_genesis, make_signer, require_invalid

SOUND: dict[str, Message] = {
    "RegisterModel": messages.model(),
    "RegisterBattery": messages.battery(),
    "OfferHandover": messages.offer(BUYER),
    "AcceptHandover": messages.accept(),
    "DeclineHandover": messages.decline(),
    "WithdrawHandover": messages.withdraw(),
    "Anchor": messages.anchor(),
    "IssueAttestation": messages.declaration(),
    "RevokeAttestation": messages.revocation(),
    "RecordVerdict": messages.verdict(),
    "CorrectStatement": messages.correction(World().blocks[0].statements[0], messages.model()),
    "RegisterKey": World()[MAKER].register_key(make_signer(MAKER, "second")),
    "RevokeKey": messages.revoke_key(make_signer(MAKER, "operational")),
    "RotateRootKey": World()[MAKER].rotate_root_key(make_signer(MAKER, "second root")),
    "RaiseFloor": messages.raise_floor(make_signer(MAKER, "operational"), 9),
    "Propose": messages.proposal(MAKER, messages.roles_of(BUYER)),
    "CastVote": messages.vote(BUYER),
    "WithdrawProposal": messages.withdrawal(MAKER),
    "AppointGuardians": messages.appointment(MAKER, (BUYER, LABORATORY)),
    "OpenRecovery": messages.recovery(BUYER),
    "ApproveRecovery": messages.approval(BUYER),
    "VetoRecovery": messages.veto(MAKER),
    "CompleteRecovery": messages.completion(BUYER),
    "OpenDispute": disputing.opening(),
    "StatePosition": disputing.position(),
    "NominateArbiter": disputing.nomination(LABORATORY),
    "WithdrawDispute": disputing.withdrawal(),
    "ProposeSettlement": disputing.settlement(),
    "AcceptSettlement": disputing.consent(1),
    "DecideDispute": disputing.decision(),
    "GiveNotice": disputing.notice(),
    "ObjectToTakeover": disputing.objection(),
    "CompleteTakeover": disputing.completion(),
    "WithdrawNotice": disputing.second_thoughts(),
    "Decommission": messages.decommissioning(),
    "DeclareWaste": messages.waste(),
    "RecordRecycling": messages.recycling(),
    "RecordDestruction": messages.destruction(),
    "ReportSighting": messages.sighting(),
    "BeginSecondLife": messages.second_life(),
    "GradeUnit": messages.grading(),
    "DescribeModel": messages.description(),
    "InstallPart": messages.part_in(),
    "RemovePart": messages.part_out(),
    "ReplacePart": messages.replacement(messages.BATTERY, messages.OTHER_BATTERY),
    "InstallBattery": messages.installation(),
    "UninstallBattery": messages.removal(),
    "OrderWork": messages.work_order(BUYER),
    "WithdrawOrder": messages.order_withdrawal(),
    "RecordWork": messages.work(),
    "PublishDocument": messages.document(),
    "UpdateSoftware": messages.software(),
    "ResetSoftware": messages.reset(),
    "ReportIncident": messages.incident(),
    "AssessSafety": messages.assessment(),
    "SetSigningRule": messages.signing_rule(MAKER, "OfferHandover"),
    "Countersign": messages.second_signature(World().blocks[0].statements[0]),
    "WithdrawHeld": messages.withdraw_held(World().blocks[0].statements[0]),
}


def newest_world() -> World:
    """The world under the newest ruleset, which knows every message."""
    return World(make_genesis(ruleset=NEWEST))


def test_every_message_type_has_a_sound_example() -> None:
    """A new message joins this table, and with it every test below."""
    assert sorted(SOUND) == sorted(kind.__name__ for kind in RULESETS[NEWEST].handlers)


@pytest.mark.parametrize("name", sorted(SOUND))
def test_a_root_key_signs_nothing_but_what_manages_keys(name: str) -> None:
    """Whatever else it signs is out of its scope, and kept as such."""
    world = newest_world()
    outcome = world.submit(world[MAKER].root.sign(SOUND[name]))

    assert (outcome.reason is Reason.OUT_OF_SCOPE) is (name not in ROOT_MESSAGES)


@pytest.mark.parametrize("name", sorted(SOUND))
def test_a_key_signs_nothing_outside_its_scope(name: str) -> None:
    """A key registered for anchors alone; only the veto of an owner who is there needs no scope."""
    world = newest_world()
    narrow = make_signer(MAKER, "narrow")
    world.accept(world[MAKER].root.sign(world[MAKER].register_key(narrow, scope=("Anchor",))))
    outcome = world.submit(narrow.sign(SOUND[name]))

    assert (outcome.reason is Reason.OUT_OF_SCOPE) is (name not in ("Anchor", VETO))


@pytest.mark.parametrize("name", ROOT_ONLY)
def test_no_key_but_a_root_key_manages_keys(name: str) -> None:
    """A scope that would let an operational key admit or end others is refused: no chain of keys begins there."""
    world = World()
    member, eager = world[MAKER], make_signer(MAKER, "eager")
    outcome = world.submit(member.root.sign(member.register_key(eager, scope=("Anchor", name))))

    assert (outcome.reason, outcome.facts) == (Reason.MALFORMED_MESSAGE, (("field", "scope"),))
    assert key_record_key(eager.kid) not in world.state.records


def test_a_scope_may_name_messages_that_come_later() -> None:
    """A key can be admitted before the ruleset that brings its message."""
    world = World()
    member = world[MAKER]

    assert world.submit(
        member.root.sign(member.register_key(make_signer(MAKER, "early"), scope=("SettleSwap",)))
    ).is_accepted


def test_a_registration_records_key_scope_and_provenance() -> None:
    """What the message said, the height, and the statement that said it."""
    world = World()
    member, key = world[MAKER], make_signer(MAKER, "second")
    statement = member.root.sign(member.register_key(key, scope=("Anchor",), valid_from_ms=7, valid_until_ms=9))
    world.accept(statement)
    record = parse_key_record(world.state.records[key_record_key(key.kid)])

    assert (record.kid, record.public_key) == (key.kid.hex(), key.public_key.hex())
    assert (record.organisation, record.kind, record.algorithm) == (MAKER, "operational", "ed25519")
    assert (record.scope, record.valid_from_ms, record.valid_until_ms) == (("Anchor",), 7, 9)
    assert record.registered_height == world.head.height
    assert record.statement == statement.envelope.digest.hex()


@pytest.mark.parametrize(
    "signed",
    [
        pytest.param(("other.cellvow.example", MAKER), id="for another ledger"),
        pytest.param(("test.cellvow.example", BUYER), id="for another organisation"),
    ],
)
def test_possession_shown_elsewhere_does_not_count(signed: tuple[str, str]) -> None:
    """The new key signs for this ledger and this organisation, or somebody copied its signature."""
    world = World()
    member, key = world[MAKER], make_signer(MAKER, "second")
    elsewhere = sign(key.seed, possession_bytes(*signed, key.public_key.hex()))
    outcome = world.submit(member.root.sign(replace(member.register_key(key), possession=elsewhere.hex())))

    assert outcome.reason is Reason.NO_POSSESSION


def test_nobody_registers_a_key_for_another() -> None:
    """The buyer's root key cannot put a key under the maker's name."""
    world = World()
    message = world[MAKER].register_key(make_signer(MAKER, "second"))

    assert world.submit(world[BUYER].root.sign(message)).reason is Reason.NOT_YOUR_KEY


def test_a_key_of_another_member_cannot_be_claimed() -> None:
    """A registered key belongs to whoever registered it first, with proof of possession."""
    world = World()
    borrowed = make_signer(BUYER, "operational")
    borrowed.organisation = MAKER

    assert world.submit(world[MAKER].root.sign(world[MAKER].register_key(borrowed))).reason is Reason.KEY_EXISTS


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param("01" + "00" * 31, id="identity"),
        pytest.param("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", id="order 8"),
        pytest.param("40a4cf5c611d737a2f1c6fcca84d9cabfed80987f186a5a6c57e629bff1af27f", id="torsion part"),
        pytest.param("02" + "00" * 31, id="no point"),
        pytest.param("ee" + "ff" * 30 + "7f", id="not canonical"),
    ],
)
def test_a_key_that_is_no_sound_point_is_not_registered(public_key: str) -> None:
    """Only points of the prime-order group, in their one encoding."""
    world = World()
    message = replace(world[MAKER].register_key(make_signer(MAKER, "second")), public_key=public_key)

    assert world.submit(world[MAKER].root.sign(message)).reason is Reason.INVALID_PUBLIC_KEY


@pytest.mark.parametrize("named", [MAKER, BUYER], ids=["as one's own", "as his"])
def test_nobody_revokes_a_key_of_another(named: str) -> None:
    """Neither saying it is one's own nor saying it is his."""
    world = World()
    message = replace(messages.revoke_key(world[BUYER].key), organisation=named)

    assert world.submit(world[MAKER].root.sign(message)).reason is Reason.NOT_YOUR_KEY


def test_a_root_key_is_not_revoked_by_a_message() -> None:
    """It is changed by vote; a thief of it could otherwise lock the owner out."""
    world = World()

    assert world.submit(world[MAKER].root.sign(messages.revoke_key(world[MAKER].root))).reason is Reason.NOT_YOUR_KEY


def test_an_unknown_key_is_not_revoked() -> None:
    """Nothing is there to end."""
    world = World()

    assert (
        world.submit(world[MAKER].root.sign(messages.revoke_key(make_signer(MAKER, "invented")))).reason
        is Reason.NOT_YOUR_KEY
    )


def test_what_a_key_signed_before_its_end_stays() -> None:
    """Revocation deletes nothing: the record it made is still there, unchanged."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    before = world.state.records[f"model/{messages.GTIN}"]
    world.accept(world[MAKER].root.sign(messages.revoke_key(world[MAKER].key)))

    assert world.state.records[f"model/{messages.GTIN}"] == before
    ended = parse_key_record(world.state.records[key_record_key(world[MAKER].key.kid)])
    assert ended.revoked_height == world.head.height


@pytest.mark.parametrize(
    ("above", "reason"),
    [
        (0, Reason.FLOOR_NOT_ABOVE),
        (-1, Reason.FLOOR_NOT_ABOVE),
        (1, None),
        (SEQUENCE_WINDOW, None),
        (SEQUENCE_WINDOW + 1, Reason.FLOOR_NOT_ABOVE),
    ],
)
def test_a_floor_lies_above_the_highest_used_by_at_most_a_window(above: int, reason: Reason | None) -> None:
    """Counted from the sequence of the statement that raises it."""
    world = World()
    key = world[MAKER].key
    outcome = world.submit(key.sign(messages.raise_floor(key, 10 + above), sequence=10))

    assert outcome.reason is reason


def test_below_a_raised_floor_every_sequence_counts_as_used() -> None:
    """The way out after a lost counter: what may or may not have been signed is closed off."""
    world = World()
    key = world[MAKER].key
    world.accept(key.sign(messages.raise_floor(key, 500), sequence=3))
    record = parse_sequence_record(world.state.records[sequence_record_key(key.kid)])

    assert record.top == 500
    for sequence in (1, 2, 3, 4, 499, 500):
        statement = key.sign(messages.model(), sequence=sequence)
        assert "has used this sequence already" in str(require_invalid(world, world.next_block(statement)))
    assert world.submit(key.sign(messages.model(), sequence=501)).is_accepted


def test_a_floor_raised_for_one_key_leaves_the_others() -> None:
    """It concerns the key that signs the message, not its organisation."""
    world = World()
    member = world[MAKER]
    world.accept(member.root.sign(messages.raise_floor(member.root, 700)))

    assert world.submit(member.key.sign(messages.model(), sequence=1)).is_accepted


def test_nobody_raises_a_floor_in_the_name_of_another() -> None:
    """The message names its own signer."""
    world = World()
    message = messages.raise_floor(world[BUYER].key, 50)

    assert world.submit(world[MAKER].key.sign(message)).reason is Reason.NOT_YOUR_KEY


def test_a_rejected_batch_does_not_lower_a_raised_floor() -> None:
    """An aborted batch takes its floor back but keeps its own sequence marked."""
    world = World()
    key = world[MAKER].key
    batch = key.sign_batch([messages.raise_floor(key, 500), messages.battery()], sequence=3)
    (outcomes,) = world.include(batch)
    record = parse_sequence_record(world.state.records[sequence_record_key(key.kid)])

    assert [one.reason for one in outcomes] == [Reason.BATCH_ABORTED, Reason.UNKNOWN_MODEL]
    assert (record.top, record.marks) == (3, 1)


def test_messages_have_one_spelling() -> None:
    """Control: the examples are canonical, so the decoder judges their content and not their form."""
    for name, message in SOUND.items():
        assert RULESETS[NEWEST].parse_message(encode_message(message)) == message, name


def test_a_laboratory_key_may_be_registered_twice_in_two_blocks_only_once() -> None:
    """The second registration of one key is rejected, in the same block as well."""
    world = World()
    member, key = world[LABORATORY], make_signer(LABORATORY, "second")
    statements = [member.root.sign(member.register_key(key)) for _ in range(2)]
    outcomes = [outcome.reason for (outcome,) in world.include(*statements)]

    assert outcomes == [None, Reason.KEY_EXISTS]
