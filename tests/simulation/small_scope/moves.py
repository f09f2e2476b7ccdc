"""Every message that one of three organisations could sign about two batteries, in every state.

Fences are tried as they stand and, for the hand-over, outdated; texts, documents and places are one commitment each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, permutations
from typing import TYPE_CHECKING

from cellvow.core.contracts.attestation import IssueAttestation, Method, Predicate, Result, RevokeAttestation, Standard
from cellvow.core.contracts.battery import BatteryRecord, RegisterBattery, battery_key
from cellvow.core.contracts.contract import Committed, Message
from cellvow.core.contracts.custody import (
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    OfferRecord,
    WithdrawHandover,
    offer_key,
)
from cellvow.core.contracts.dispute import (
    AcceptSettlement,
    DecideDispute,
    NominateArbiter,
    OpenDispute,
    ProposeSettlement,
    StatePosition,
    WithdrawDispute,
)
from cellvow.core.contracts.dispute_file import DisputeRecord, Verdict
from cellvow.core.contracts.dispute_file import Move as Moved
from cellvow.core.contracts.life import (
    DeclareWaste,
    Decommission,
    RecordDestruction,
    RecordRecycling,
    ReportSighting,
)
from cellvow.core.contracts.part import InstallPart, RemovePart
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.contracts.second_life import BeginSecondLife, Draw, GradeUnit, Successor
from cellvow.core.contracts.takeover import (
    CompleteTakeover,
    GiveNotice,
    ObjectToTakeover,
    TakeoverRecord,
    WithdrawNotice,
    takeover_key,
)
from cellvow.core.contracts.use import InstallBattery, RecordWork, UninstallBattery
from cellvow.core.contracts.whole import derive_wholes
from tests.simulation.small_scope.scope import (
    LABORATORY_STANDARD,
    ORGANISATIONS,
    PACK,
    SUCCESSOR,
    UNITS,
    WAIT_MS,
)
from tests.simulation.small_scope.stepping import Move, State, decode

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import RecordType

DOCUMENT = Committed(commitment="d0" * 32)
ASKED: tuple[tuple[str, ...], ...] = (("custody",), ("responsibility",), REGISTERS)
"""What is offered: one register, the one that answers in law, or all."""
TOPICS = ("custody", "responsibility", "rule_gap")
POSITIONS_TRIED = 2
"""A party's further positions change nothing that a rule reads."""


def list_moves(state: State) -> Iterator[Move]:
    """Every move from a state; time passes once."""
    for organisation in ORGANISATIONS:
        for message in _messages(state, organisation):
            yield Move(organisation, message)
    if not state.has_waited:
        yield Move("", None, WAIT_MS)


def _messages(state: State, organisation: str) -> Iterator[Message]:
    units = [one for one in (*UNITS, SUCCESSOR) if battery_key(one) in state.records]
    for unit in units:
        yield from chain(
            _handovers(state, organisation, unit),
            _disputes(state, organisation, unit),
            _takeovers(state, unit),
            _uses(unit),
            _ends(state, unit),
            _tests(unit),
        )
    yield from _parts(state, units)
    yield from _clones()


def _get(state: State, record_type: type[RecordType], key: str) -> RecordType | None:
    value = state.records.get(key)
    return None if value is None else decode(record_type, value)


def _version(state: State, register: str, unit: str) -> int:
    record = _get(state, RegisterRecord, register_key(register, unit))
    return 0 if record is None else record.version


def _others(organisation: str) -> list[str]:
    return [one for one in ORGANISATIONS if one != organisation]


def _handovers(state: State, organisation: str, unit: str) -> Iterator[Message]:
    for registers in ASKED:
        names = tuple(sorted(registers))
        versions = tuple(_version(state, one, unit) for one in names)
        for addressee in _others(organisation):
            yield OfferHandover(battery=unit, addressee=addressee, registers=names, versions=versions)  # type: ignore[arg-type]  # names of registers
        stale = tuple(one + 1 for one in versions)
        yield OfferHandover(battery=unit, addressee=_others(organisation)[0], registers=names, versions=stale)  # type: ignore[arg-type]  # names of registers
    offer = _get(state, OfferRecord, offer_key(unit))
    version = 1 if offer is None else offer.version
    for kind in (AcceptHandover, DeclineHandover, WithdrawHandover):
        yield kind(battery=unit, version=version)
    yield AcceptHandover(battery=unit, version=version + 1)


def _disputes(state: State, organisation: str, unit: str) -> Iterator[Message]:
    for topic in TOPICS:
        for respondent in _others(organisation):
            yield OpenDispute(battery=unit, reference="D", topic=topic, respondent=respondent, text=DOCUMENT)  # type: ignore[arg-type]  # a topic
    for key in state.records:
        if not key.startswith("dispute/"):
            continue
        record = _get(state, DisputeRecord, key)
        if record is None or record.battery != unit or record.state != "open":
            continue
        yield from _on_dispute(record)


def _on_dispute(record: DisputeRecord) -> Iterator[Message]:
    battery, opener, reference = record.battery, record.organisation, record.reference
    sides = [one for one in (record.organisation, record.respondent) if one is not None]
    moves: tuple[tuple[Moved, ...], ...] = (
        (),
        *((Moved(register="responsibility", organisation=side),) for side in sides),
    )
    if len(record.positions) < POSITIONS_TRIED:
        yield StatePosition(battery=battery, opener=opener, reference=reference, text=DOCUMENT)
    for arbiter in ORGANISATIONS:
        yield NominateArbiter(battery=battery, opener=opener, reference=reference, arbiter=arbiter)
    yield WithdrawDispute(battery=battery, opener=opener, reference=reference)
    yield AcceptSettlement(battery=battery, opener=opener, reference=reference, version=record.version)
    for moved in moves:
        yield ProposeSettlement(battery=battery, opener=opener, reference=reference, moves=moved)
        yield _decision(record, "upheld", moved)
    yield _decision(record, "dismissed", (), voids_tests=True)


def _decision(
    record: DisputeRecord, outcome: Verdict, moves: tuple[Moved, ...], *, voids_tests: bool = False
) -> DecideDispute:
    return DecideDispute(
        battery=record.battery,
        opener=record.organisation,
        reference=record.reference,
        positions=len(record.positions),
        outcome=outcome,
        grounds=DOCUMENT,
        moves=moves,
        voids_tests=voids_tests,
    )


def _takeovers(state: State, unit: str) -> Iterator[Message]:
    yield GiveNotice(battery=unit, version=_version(state, "responsibility", unit), cause="unreachable")
    notice = _get(state, TakeoverRecord, takeover_key(unit))
    version = 1 if notice is None else notice.version
    for kind in (ObjectToTakeover, CompleteTakeover, WithdrawNotice):
        yield kind(battery=unit, version=version)


def _uses(unit: str) -> Iterator[Message]:
    yield InstallBattery(battery=unit, into="vehicle", place=DOCUMENT, installed_on="2026-01-01")
    yield UninstallBattery(battery=unit, cause="service", removed_on="2026-01-01")
    yield RecordWork(battery=unit, reference="W", kind="repair", done_on="2026-01-01", report=DOCUMENT)


def _ends(state: State, unit: str) -> Iterator[Message]:
    record = _get(state, BatteryRecord, battery_key(unit))
    version = 0 if record is None else record.version
    yield Decommission(battery=unit, version=version, cause="stored")
    yield DeclareWaste(battery=unit, version=version, cause="worn_out")
    yield RecordRecycling(battery=unit, version=version, facility=DOCUMENT, recovered=DOCUMENT)
    yield RecordDestruction(battery=unit, version=version, cause="fire", report=DOCUMENT)
    yield ReportSighting(battery=unit, place=DOCUMENT)
    if unit != SUCCESSOR:
        draw = Draw(battery=unit, version=version, mass_g=100)
        born = Successor(battery=SUCCESSOR, manufactured_on="2026-01-01", facility="Hall 2", mass_g=100)
        yield BeginSecondLife(operation="repurpose", originals=(draw,), successors=(born,))
    yield GradeUnit(battery=unit, reference="G", grade="B", report=DOCUMENT)


def _tests(unit: str) -> Iterator[Message]:
    yield certificate(unit, "capacity")
    yield certificate(unit, "energy")
    yield RevokeAttestation(battery=unit, reference=_reference(unit, "capacity"), cause="error")


def certificate(unit: str, quantity: str) -> IssueAttestation:
    """A certificate of a quantity; the laboratory is accredited for the capacity alone."""
    return IssueAttestation(
        battery=unit,
        reference=_reference(unit, quantity),
        evidence_class="measured",
        is_certificate=True,
        standard=Standard(name=LABORATORY_STANDARD, edition="1"),
        method=Method(name="discharge", version="1"),
        tested_from_ms=1,
        tested_until_ms=2,
        input_root="a0" * 32,
        results=(Result(quantity=quantity, commitment="c0" * 32),),
        predicates=(Predicate(quantity=quantity, comparison="at_least", threshold=1),),
    )


def _reference(unit: str, quantity: str) -> str:
    return f"{quantity[0].upper()}-{unit[-1]}"


def _parts(state: State, units: list[str]) -> Iterator[Message]:
    for whole, part in permutations(units, 2):
        above = derive_wholes(state.records.get, whole)
        yield InstallPart(battery=whole, part=part, above=above)
        yield RemovePart(battery=whole, part=part, above=above, cause="other")
    yield InstallPart(battery=PACK, part=PACK)


def _clones() -> Iterator[Message]:
    for unit in (*UNITS, SUCCESSOR):
        yield RegisterBattery(battery=unit, manufactured_on="2026-01-01", facility="Hall 1")
