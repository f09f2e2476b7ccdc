"""Every reason of the closed list, provoked: code, sentence, and what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as replace_genesis

import pytest
from _pytest.mark import ParameterSet
from msgspec.structs import replace

from cellvow.core.contracts.contract import Context, Message, Provenance
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import RULES, NotIncludable, Reason, Rejected
from cellvow.core.ledger.statement import Statement
from cellvow.core.ledger.validator import order_validators
from cellvow.core.primitives.limits import RECORD_BYTES_MAX, SEQUENCE_WINDOW
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.core.protocol.transition import apply_block
from tests import messages
from tests.unit.core.protocol.decision_cases import CONSORTIUM_DECISIONS, CROWDED_DECISIONS, DECISIONS, FULL
from tests.unit.core.protocol.dispute_cases import DISPUTES
from tests.unit.core.protocol.life_cases import LIFE
from tests.unit.core.protocol.part_cases import PART_CASES
from tests.unit.core.protocol.signing_cases import SIGNING
from tests.unit.core.protocol.use_cases import USE
from tests.world import (
    AUTHORITY,
    BUYER,
    CARMAKER,
    LABORATORY,
    MAKER,
    MemoryState,
    World,
    make_genesis,
    make_signer,
    without_sequences,
)

Case = Callable[[World], bytes | Statement]
"""A world with a battery, a certificate and an open offer -> the statement to refuse."""

FORM_OF_POINT = "0100000000000000000000000000000000000000000000000000000000000000"
BAD_GTIN = "04012345123450"


def by(organisation: str, message: Message) -> Case:
    """The message, signed by the organisation's operational key."""
    return lambda world: world[organisation].key.sign(message)


def by_root(organisation: str, make: Callable[[World], Message]) -> Case:
    """The message, signed by the organisation's root key."""
    return lambda world: world[organisation].root.sign(make(world))


def _settled(genesis: Genesis | None = None) -> World:
    world = World(genesis or make_genesis(ruleset=NEWEST))
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    world.accept(maker.sign(messages.battery(messages.OTHER_BATTERY)))
    world.accept(laboratory.sign(messages.anchor()), laboratory.sign(messages.certificate()))
    world.accept(maker.sign(messages.offer(BUYER)))
    return world


def _expired(world: World) -> Statement:
    return world[MAKER].key.sign(messages.model(messages.OTHER_GTIN), not_after_ms=world.next_ms - 1)


def _out_of_window(world: World) -> Statement:
    return world[MAKER].key.sign(messages.model(), sequence=world[MAKER].key.sequence + SEQUENCE_WINDOW + 1)


def _foreign(world: World) -> Statement:
    signer = make_signer(BUYER, "operational")
    signer.organisation = MAKER
    return signer.sign(messages.model(), sequence=world[BUYER].key.sequence + 1)


def _bad_signature(world: World) -> bytes:
    data = bytearray(world[MAKER].key.sign(messages.battery()).data)
    data[-40] ^= 1
    return bytes(data)


def _wrong_chain(world: World) -> Statement:
    return world[MAKER].key.sign(messages.model(), chain_id=make_genesis("other.cellvow.example").chain_id)


def _revoked(world: World) -> Statement:
    world.accept(world[MAKER].root.sign(messages.revoke_key(world[MAKER].key)))
    return world[MAKER].key.sign(messages.model())


def _revoked_twice(world: World) -> Statement:
    key = make_signer(MAKER, "second")
    world.accept(world[MAKER].root.sign(world[MAKER].register_key(key)))
    world.accept(world[MAKER].root.sign(messages.revoke_key(key)))
    return world[MAKER].root.sign(messages.revoke_key(key))


def _no_possession(world: World) -> Message:
    honest = world[MAKER].register_key(make_signer(MAKER, "second"))
    return replace(honest, public_key=make_signer(MAKER, "third").public_key.hex())


def _current_statement(world: World, number: int) -> Statement:
    """Statement `number` of the maker's two in block 2: the model's and the battery's."""
    return world.blocks[1].statements[number]


def _correction_by(organisation: str) -> Case:
    def case(world: World) -> Statement:
        changed = replace(messages.model(), mass_g=790)
        return world[organisation].key.sign(messages.correction(_current_statement(world, 0), changed))

    return case


def _correct_never_made(world: World) -> Statement:
    changed = replace(messages.model(), mass_g=790)
    return world[MAKER].key.sign(messages.correction(_current_statement(world, 1), changed))


def _correct_nothing(world: World) -> Statement:
    return world[MAKER].key.sign(messages.correction(_current_statement(world, 0), messages.model()))


def _aborted(world: World) -> Statement:
    return world[MAKER].key.sign_batch([messages.model(messages.OTHER_GTIN), messages.model()])


def _revoked_certificate(world: World) -> Statement:
    world.accept(world[LABORATORY].key.sign(messages.revocation()))
    return world[LABORATORY].key.sign(messages.revocation())


def _recorded_twice(world: World) -> Statement:
    world.accept(world[BUYER].key.sign(messages.verdict()))
    return world[BUYER].key.sign(messages.verdict())


CERTIFICATE = messages.certificate("CERT-2")
CASES: dict[Reason, Case] = {
    Reason.MALFORMED: lambda world: world[MAKER].key.sign(messages.model()).data + b"\x00",
    Reason.WRONG_CHAIN: _wrong_chain,
    Reason.UNKNOWN_KEY: lambda _: make_signer(MAKER, "invented").sign(messages.model()),
    Reason.FOREIGN_KEY: _foreign,
    Reason.KEY_NOT_IN_FORCE: _revoked,
    Reason.BAD_SIGNATURE: _bad_signature,
    Reason.SEQUENCE_USED: lambda world: world[MAKER].key.sign(messages.battery(), sequence=1),
    Reason.SEQUENCE_OUT_OF_WINDOW: _out_of_window,
    Reason.EXPIRED: _expired,
    Reason.MALFORMED_MESSAGE: lambda world: world[MAKER].key.sign({"type": "Teleport"}),
    Reason.OUT_OF_SCOPE: by_root(MAKER, lambda _: messages.model(messages.OTHER_GTIN)),
    Reason.WRONG_SUBJECT: lambda world: world[MAKER].key.sign(
        messages.battery(f"01/{messages.GTIN}/21/NEW"), subject=messages.BATTERY
    ),
    Reason.BATCH_ABORTED: _aborted,
    Reason.STALE_VERSION: by(BUYER, messages.accept(7)),
    Reason.ROLE_MISSING: by(LABORATORY, messages.model(messages.OTHER_GTIN)),
    Reason.INVALID_PUBLIC_KEY: by_root(
        MAKER,
        lambda world: replace(world[MAKER].register_key(make_signer(MAKER, "second")), public_key=FORM_OF_POINT),
    ),
    Reason.KEY_EXISTS: by_root(MAKER, lambda world: world[MAKER].register_key(world[MAKER].key)),
    Reason.NO_POSSESSION: by_root(MAKER, _no_possession),
    Reason.NOT_YOUR_KEY: by_root(MAKER, lambda world: messages.revoke_key(world[BUYER].key)),
    Reason.KEY_ALREADY_REVOKED: _revoked_twice,
    Reason.EMPTY_VALIDITY: by_root(
        MAKER,
        lambda world: world[MAKER].register_key(make_signer(MAKER, "second"), valid_from_ms=5, valid_until_ms=5),
    ),
    Reason.FLOOR_NOT_ABOVE: by_root(MAKER, lambda world: messages.raise_floor(world[MAKER].root, 2)),
    Reason.MODEL_EXISTS: by(MAKER, messages.model()),
    Reason.UNKNOWN_MODEL: by(MAKER, messages.battery(f"01/{messages.OTHER_GTIN}/21/PACK-0001")),
    Reason.BATTERY_EXISTS: by(MAKER, messages.battery()),
    Reason.UNKNOWN_BATTERY: by(MAKER, messages.declaration(identifier=f"01/{messages.GTIN}/21/NONE")),
    Reason.BAD_IDENTIFIER: by(MAKER, messages.model(BAD_GTIN)),
    Reason.IMPLAUSIBLE_MODEL: by(MAKER, replace(messages.model(messages.OTHER_GTIN), voltage_min_mv=5_000)),
    Reason.NOT_IN_THE_REGISTER: by(
        BUYER, messages.offer(CARMAKER, versions=(2, 2, 2), identifier=messages.OTHER_BATTERY)
    ),
    Reason.UNKNOWN_ORGANISATION: by(MAKER, messages.offer("nobody", identifier=messages.OTHER_BATTERY)),
    Reason.OFFER_TO_ONESELF: by(MAKER, messages.offer(MAKER, identifier=messages.OTHER_BATTERY)),
    Reason.OFFER_OPEN: by(MAKER, messages.offer(CARMAKER)),
    Reason.NO_OPEN_OFFER: by(BUYER, messages.accept(identifier=messages.OTHER_BATTERY)),
    Reason.NOT_THE_ADDRESSEE: by(CARMAKER, messages.accept()),
    Reason.NOT_THE_OFFERER: by(BUYER, messages.withdraw()),
    Reason.ATTESTATION_EXISTS: by(LABORATORY, messages.certificate()),
    Reason.UNKNOWN_ATTESTATION: by(LABORATORY, messages.revocation("CERT-9")),
    Reason.OUTSIDE_ACCREDITATION: by(
        LABORATORY, replace(CERTIFICATE, standard=replace(messages.STANDARD, edition="2010"))
    ),
    Reason.INPUT_NOT_ANCHORED: by(LABORATORY, replace(CERTIFICATE, input_root="77" * 32)),
    Reason.NOT_IN_FORCE: _revoked_certificate,
    Reason.INCOMPLETE_CERTIFICATE: by(LABORATORY, replace(CERTIFICATE, standard=None)),
    Reason.WRONG_PERIOD: by(LABORATORY, replace(CERTIFICATE, tested_until_ms=CERTIFICATE.tested_from_ms - 1)),
    Reason.OTHER_BATTERY: by(LABORATORY, messages.revocation(identifier=messages.OTHER_BATTERY)),
    Reason.ANCHOR_EXISTS: by(LABORATORY, messages.anchor()),
    Reason.NOT_YOUR_STATEMENT: _correction_by(CARMAKER),
    Reason.NOT_THE_CURRENT_STATEMENT: _correct_never_made,
    Reason.NOTHING_CHANGES: _correct_nothing,
    Reason.VERDICT_EXISTS: _recorded_twice,
    Reason.NOTHING_TO_ACCEPT: by(BUYER, replace(messages.verdict(), attestation=None)),
    Reason.TEST_OF_ANOTHER_BATTERY: by(BUYER, messages.verdict(identifier=messages.OTHER_BATTERY)),
    Reason.WRONG_DAY: by(BUYER, replace(messages.verdict(), as_of="2026-01-02")),
}
BEFORE_CLAIMS: dict[Reason, Case] = {
    Reason.NOT_YOUR_MODEL: by(CARMAKER, messages.battery(f"01/{messages.GTIN}/21/CLONE")),
}
"""What ruleset 3 keeps as a claim, and the rulesets before it reject."""
ALL_CASES: dict[Reason, Case] = {
    **CASES,
    **BEFORE_CLAIMS,
    **DECISIONS,
    **CONSORTIUM_DECISIONS,
    **CROWDED_DECISIONS,
    **DISPUTES,
    **LIFE,
    **PART_CASES,
    **USE,
    **SIGNING,
}
UNREACHABLE_BY_MESSAGE = {Reason.RECORD_TOO_LARGE, Reason.ELECTORATE_TOO_LARGE}
"""A second fence: no message of today can make a record this large. Provoked below without one.

And a ledger of one writer with hundreds of members: provoked in test_governance."""


def _param(reason: Reason) -> ParameterSet:
    marks = [pytest.mark.slow] if reason is Reason.TOO_MANY_CHANGES else []
    return pytest.param(reason, id=reason.name, marks=marks)


def _world_of(reason: Reason) -> World:
    """The settled world that the reason's case needs."""
    if reason in CONSORTIUM_DECISIONS:
        return _settled(make_genesis(ruleset=NEWEST, validators=(MAKER,)))
    if reason in CROWDED_DECISIONS:
        return _settled(replace_genesis(make_genesis(ruleset=NEWEST), validators=order_validators(FULL)))
    return _settled(make_genesis(ruleset=2)) if reason in BEFORE_CLAIMS else _settled()


def test_every_reason_has_a_case_and_a_sentence() -> None:
    """A new reason needs both before anything else may use it."""
    assert list(Reason) == sorted([*ALL_CASES, *UNREACHABLE_BY_MESSAGE])
    assert list(RULES) == list(Reason)
    assert len(RULES) == len(dict.fromkeys(RULES.values()))


@pytest.mark.parametrize("reason", [reason for reason in CASES if reason < 200], ids=lambda r: r.name)
def test_a_statement_that_is_not_includable_leaves_no_trace(reason: Reason) -> None:
    """Codes 101 to 199: the node names code and rule, and nothing has changed."""
    world = _settled()
    statement = CASES[reason](world)
    before = world.snapshot()
    refusal = world.refusal(statement if isinstance(statement, bytes) else statement.data)

    assert isinstance(refusal, NotIncludable)
    assert refusal.reason is reason
    assert str(refusal).startswith(f"{RULES[reason]} (code {int(reason)}")
    assert world.snapshot() == before


@pytest.mark.parametrize("reason", [*map(_param, (reason for reason in ALL_CASES if reason >= 200))])
def test_a_rejection_is_kept_and_changes_no_record(reason: Reason) -> None:
    """Codes from 200: the outcome holds the code, and only the used sequence is written."""
    world = _world_of(reason)
    statement = ALL_CASES[reason](world)
    assert isinstance(statement, Statement)
    # What was decided before takes effect in the next block, whatever else that holds.
    expected = _settle_elsewhere(world)
    ((outcome, *_),) = world.include(statement)

    assert outcome.reason is reason
    assert without_sequences(world.state.records) == expected


def _settle_elsewhere(world: World) -> dict[str, bytes]:
    """The records after a next block that holds no statement, in a copy of the world."""
    state = MemoryState()
    state.update(world.state.records)
    block = world.next_block(evidence=(b"double vote",))
    apply_block(world.head, state, block)
    return without_sequences(state.records)


def test_a_record_past_the_bound_is_rejected_and_one_at_it_is_written() -> None:
    """64,000 bytes are the most one record may have."""
    context = _bare_context()
    context.put_bytes("battery/1", bytes(RECORD_BYTES_MAX))

    with pytest.raises(Rejected, match=r"\(code 207; bytes 64001; most 64000\)") as caught:
        context.put_bytes("battery/2", bytes(RECORD_BYTES_MAX + 1))
    assert caught.value.reason is Reason.RECORD_TOO_LARGE
    assert list(context.writes) == ["battery/1"]


def test_a_rejection_becomes_an_outcome_with_its_facts_in_order() -> None:
    """Facts are sorted by name, so that the outcome has one spelling."""
    outcome = Outcome.of_rejection(Rejected(Reason.STALE_VERSION, seen=1, current=2))

    assert outcome.facts == (("current", 2), ("seen", 1))


def test_an_accepted_statement_would_fail_the_table() -> None:
    """Control: the check of these tests tells an acceptance from a rejection."""
    world = _settled()
    before = without_sequences(world.state.records)
    outcome = world.submit(world[BUYER].key.sign(messages.accept()))

    assert outcome.reason is None
    assert without_sequences(world.state.records) != before


def _bare_context() -> Context:
    return Context(
        read=lambda _: None,
        organisation=AUTHORITY,
        kid="00" * 16,
        height=1,
        time_ms=1,
        chain_id="test",
        provenance=Provenance(statement="00" * 32, index=0),
    )
