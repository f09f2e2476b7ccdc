"""Sound bytes with hostile intent: replays and wrong keys are not includable, and leave no trace."""

from __future__ import annotations

import pytest

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.rejection import RULES, Reason
from cellvow.core.ledger.statement import Statement, encode_batch, encode_envelope, parse_statement
from cellvow.core.primitives.errors import InvalidBlock
from cellvow.core.primitives.limits import SEQUENCE_WINDOW
from cellvow.core.protocol.transition import apply_block
from tests import messages
from tests.world import BLOCK_MS, BUYER, LABORATORY, MAKER, World, make_genesis, make_signer, require_invalid

SMALL_ORDER_POINTS = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)


def require_not_includable(world: World, *statements: Statement, reason: Reason, time_ms: int | None = None) -> None:
    """A node refuses the last statement, a block holding it is invalid, both name the code, nothing changes."""
    error = require_invalid(world, world.next_block(*statements, time_ms=time_ms))
    refusal = world.refusal(statements[-1].data, time_ms=time_ms)

    assert f"{RULES[reason]} (code {int(reason)}" in str(error)
    if len(statements) == 1:
        assert refusal is not None
        assert refusal.reason is reason


def test_a_statement_for_another_ledger_is_refused() -> None:
    """Signed for one chain, replayed on another that has the same members and keys."""
    other = World(make_genesis("other.cellvow.example"), with_keys=False)
    replayed = World()[MAKER].root.sign(messages.raise_floor(other[MAKER].root, 50), sequence=1)

    require_not_includable(other, replayed, reason=Reason.WRONG_CHAIN)


@pytest.mark.parametrize("ahead", [SEQUENCE_WINDOW + 1, SEQUENCE_WINDOW + 2, 2**52])
def test_a_sequence_too_far_ahead_is_refused(ahead: int) -> None:
    """One past the window of 1,024 and beyond."""
    world = World()

    require_not_includable(
        world, world[MAKER].key.sign(messages.model(), sequence=ahead), reason=Reason.SEQUENCE_OUT_OF_WINDOW
    )


def test_a_sequence_at_the_end_of_the_window_is_taken() -> None:
    """1,024 ahead of the highest used is fresh."""
    world = World()

    assert world.submit(world[MAKER].key.sign(messages.model(), sequence=SEQUENCE_WINDOW)).is_accepted


def test_a_sequence_at_the_trailing_end_of_the_window_is_taken_and_one_further_is_refused() -> None:
    """With 3,072 the highest used, 1,023 below is fresh, 1,024 below is out of the window."""
    world, top = World(), 3 * SEQUENCE_WINDOW
    key = world[MAKER].key
    for sequence in (SEQUENCE_WINDOW, 2 * SEQUENCE_WINDOW, top):
        world.include(key.sign(messages.model(), sequence=sequence))
    late = key.sign(messages.model(messages.OTHER_GTIN), sequence=top - SEQUENCE_WINDOW)

    require_not_includable(world, late, reason=Reason.SEQUENCE_OUT_OF_WINDOW)
    assert world.submit(key.sign(messages.model(messages.OTHER_GTIN), sequence=top - SEQUENCE_WINDOW + 1)).is_accepted


def test_a_statement_twice_in_one_block_is_refused() -> None:
    """The second copy makes the block invalid, as a whole."""
    world = World()
    statement = world[MAKER].key.sign(messages.model())

    require_not_includable(world, statement, statement, reason=Reason.SEQUENCE_USED)


def test_a_statement_in_two_blocks_is_refused() -> None:
    """Replayed in a later block, whether it was accepted or rejected the first time."""
    world = World()
    accepted, rejected = world[MAKER].key.sign(messages.model()), world[BUYER].key.sign(messages.battery())
    outcomes = [world.submit(accepted), world.submit(rejected)]

    assert [outcome.is_accepted for outcome in outcomes] == [True, False]
    for statement in (accepted, rejected):
        require_not_includable(world, statement, reason=Reason.SEQUENCE_USED)


def test_two_statements_under_one_sequence_are_one_too_many() -> None:
    """A key that signs two different statements with one number gets one of them."""
    world = World()
    first = world[MAKER].key.sign(messages.model(), sequence=5)
    second = world[MAKER].key.sign(messages.model(messages.OTHER_GTIN), sequence=5)

    require_not_includable(world, first, second, reason=Reason.SEQUENCE_USED)


def test_sequences_may_be_used_out_of_order_each_once() -> None:
    """Within the window the order is free, as parallel workers need it."""
    world = World()
    key = world[MAKER].key
    order = (9, 3, 2, 1_025, 10, 11)
    world.include(*(key.sign(messages.model(), sequence=sequence) for sequence in order))

    for sequence in order:
        require_not_includable(world, key.sign(messages.battery(), sequence=sequence), reason=Reason.SEQUENCE_USED)


def test_each_key_has_its_own_sequences() -> None:
    """The same number under the keys of two organisations is two numbers."""
    world = World()
    statements = [world[name].key.sign(messages.anchor(), sequence=77) for name in (MAKER, BUYER)]

    assert all(outcome.is_accepted for (outcome,) in world.include(*statements))


def test_an_unregistered_key_is_refused() -> None:
    """A key nobody registered signs in the maker's name."""
    world = World()

    require_not_includable(world, make_signer(MAKER, "invented").sign(messages.model()), reason=Reason.UNKNOWN_KEY)


def test_a_key_of_another_organisation_is_refused() -> None:
    """The buyer's registered key signs a statement that names the maker."""
    world = World()
    signer = make_signer(BUYER, "operational")
    signer.organisation = MAKER

    require_not_includable(world, signer.sign(messages.model()), reason=Reason.FOREIGN_KEY)


def test_a_signature_of_another_key_is_refused() -> None:
    """The maker's key identifier over a signature by somebody else."""
    world = World()
    honest = world[MAKER].key.sign(messages.model())
    forger = make_signer(MAKER, "forger").sign(messages.model(), sequence=honest.envelope.sequence)
    envelope = honest.envelope
    forged = encode_envelope(envelope.protected, envelope.payload, forger.envelope.signature)

    require_not_includable(world, parse_statement(forged), reason=Reason.BAD_SIGNATURE)


def test_a_signature_moved_to_another_batch_is_refused() -> None:
    """The signature covers the root of the messages: another batch is another root."""
    world = World()
    first = world[MAKER].key.sign_batch([messages.model()], sequence=1)
    second = world[MAKER].key.sign_batch([messages.battery()], sequence=1)
    assert second.seed is not None
    cose = encode_envelope(first.envelope.protected, second.envelope.payload, first.envelope.signature)

    require_not_includable(
        world, parse_statement(encode_batch(cose, second.seed, second.messages)), reason=Reason.BAD_SIGNATURE
    )


@pytest.mark.parametrize("point", SMALL_ORDER_POINTS)
def test_a_signature_with_a_small_order_nonce_is_refused(point: str) -> None:
    """R of small order with S = 0 satisfies lax equations for some messages; never ours."""
    world = World()
    envelope = world[MAKER].key.sign(messages.model()).envelope
    forged = encode_envelope(envelope.protected, envelope.payload, bytes.fromhex(point) + bytes(32))

    require_not_includable(world, parse_statement(forged), reason=Reason.BAD_SIGNATURE)


def test_a_key_not_yet_valid_is_refused_until_its_first_moment() -> None:
    """One millisecond before `valid_from_ms` no, at it yes."""
    world = World()
    key = make_signer(MAKER, "later")
    start = world.head.time_ms + 10 * BLOCK_MS
    world.accept(world[MAKER].root.sign(world[MAKER].register_key(key, valid_from_ms=start)))
    statement = key.sign(messages.model())

    require_not_includable(world, statement, reason=Reason.KEY_NOT_IN_FORCE, time_ms=start - 1)
    assert world.submit(statement, time_ms=start).is_accepted


def test_an_expired_key_is_refused_after_its_last_moment() -> None:
    """At `valid_until_ms` yes, one millisecond later no."""
    world = World()
    key = make_signer(MAKER, "short")
    end = world.head.time_ms + 10 * BLOCK_MS
    world.accept(world[MAKER].root.sign(world[MAKER].register_key(key, valid_until_ms=end)))
    world.accept(key.sign(messages.model()), time_ms=end)

    require_not_includable(world, key.sign(messages.battery()), reason=Reason.KEY_NOT_IN_FORCE, time_ms=end + 1)


def test_a_key_registered_in_this_block_signs_from_the_next() -> None:
    """The keys of a block are those of its start: a key and its first statement cannot share a block."""
    world = World()
    key = make_signer(MAKER, "new")
    registration = world[MAKER].root.sign(world[MAKER].register_key(key))
    statement = key.sign(messages.model())

    require_not_includable(world, registration, statement, reason=Reason.UNKNOWN_KEY)
    world.accept(registration)
    assert world.submit(statement).is_accepted


def test_a_revoked_key_signs_nothing_after_its_block() -> None:
    """In the block of its revocation the key still signs, in the next it does not."""
    world = World()
    member = world[MAKER]
    revocation = member.root.sign(messages.revoke_key(member.key))
    outcomes = world.include(revocation, member.key.sign(messages.model()))

    assert all(outcome.is_accepted for (outcome,) in outcomes)
    require_not_includable(world, member.key.sign(messages.battery()), reason=Reason.KEY_NOT_IN_FORCE)


def test_a_refused_statement_uses_no_sequence() -> None:
    """What may not be included leaves the signer's numbers as they were: he can send it right."""
    world = World()
    wrong = make_signer(MAKER, "operational")
    wrong.organisation = BUYER
    require_not_includable(world, wrong.sign(messages.model(), sequence=1), reason=Reason.FOREIGN_KEY)

    assert world.submit(world[MAKER].key.sign(messages.model(), sequence=1)).is_accepted


def test_a_rejected_statement_uses_its_sequence_and_nothing_else() -> None:
    """Included and rejected: the record of its key's sequences is the only one that differs."""
    world = World()
    _, _, before = world.snapshot()
    outcome = world.submit(world[BUYER].key.sign(messages.battery()))
    _, _, after = world.snapshot()

    assert not outcome.is_accepted
    assert [key for key in after if after[key] != before.get(key)] == [f"sequence/{world[BUYER].key.kid.hex()}"]


def test_one_bad_statement_spoils_its_whole_block() -> None:
    """Good neighbours of a forged statement are not applied either; alone they are."""
    world = World()
    good = world[LABORATORY].key.sign(messages.anchor())
    require_not_includable(
        world, good, make_signer(MAKER, "invented").sign(messages.model()), reason=Reason.UNKNOWN_KEY
    )

    assert world.submit(good).is_accepted


def test_without_the_signature_check_a_forgery_is_applied() -> None:
    """Control: a transition given a check that says yes to everything accepts the forged statement."""
    world = World()
    forger = make_signer(MAKER, "forger").sign(messages.model())
    envelope = world[MAKER].key.sign(messages.model()).envelope
    forged = parse_statement(encode_envelope(envelope.protected, envelope.payload, forger.envelope.signature))
    block: Block = world.next_block(forged)

    with pytest.raises(InvalidBlock):
        apply_block(world.head, world.state, block)
    assert b"accepted" in apply_block(world.head, world.state, block, lambda *_: True).outcomes[0][0]
