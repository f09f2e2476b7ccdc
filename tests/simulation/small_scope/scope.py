"""Who and what there is: three organisations whose roles reach every message, and two batteries at their births."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from cellvow.core.contracts.anchor import AnchorRecord, anchor_key
from cellvow.core.contracts.battery import RegisterBattery, RegisterModel
from cellvow.core.contracts.contract import Message, encode_record
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.part import DescribeModel
from cellvow.core.ledger.genesis import PRODUCERS_ORGANISATION, Accreditation, Organisation, encode_organisation
from tests.simulation.small_scope.stepping import SOMEWHERE, Move, State, make_state, take_step

MAKER, OPERATOR, AUTHORITY = "maker", "operator", "office"
ORGANISATIONS = (MAKER, OPERATOR, AUTHORITY)
Roles: TypeAlias = Mapping[str, tuple[str, ...]]
ROLES: Roles = {
    MAKER: ("manufacturer", "workshop"),
    OPERATOR: ("second_life_operator", "recycler"),
    AUTHORITY: ("authority", "laboratory", "operator"),
}
"""Nobody holds two roles of which one watches the other, but for the third, who is the stranger to every hand-over."""
PACK_GTIN, MODULE_GTIN, SUCCESSOR_GTIN = "09506000134352", "09506000134369", "09506000134376"
PACK, MODULE, SUCCESSOR = (
    f"01/{gtin}/21/{name}"
    for gtin, name in (
        (PACK_GTIN, "P"),
        (MODULE_GTIN, "M"),
        (SUCCESSOR_GTIN, "S"),
    )
)
UNITS = (PACK, MODULE)
MAKERS = {PACK_GTIN: MAKER, MODULE_GTIN: MAKER, SUCCESSOR_GTIN: OPERATOR}
LABORATORY_STANDARD = "discharge test"
BEGIN_MS = 1_780_000_000_000
WITH_PRODUCERS: Roles = {**ROLES, AUTHORITY: (*ROLES[AUTHORITY], PRODUCERS_ORGANISATION)}
"""The same, and the third acts for producers together: nobody is unfit for waste then."""
WAIT_MS = 400 * 86_400_000
"""More than any notice or lapse there is."""


def make_scope(roles: Roles = ROLES) -> State:
    """The first state: a pack, and a module that could be a part of it, both the maker's in every register."""
    records = {organisation_key(one): encode_organisation(_organisation(one, roles[one])) for one in ORGANISATIONS}
    anchored = AnchorRecord(
        provenance=SOMEWHERE, organisation=AUTHORITY, root="a0" * 32, rows=1, kind="measurement", anchored_ms=1
    )
    records[anchor_key(AUTHORITY, "a0" * 32)] = encode_record(anchored)
    state = make_state(records, BEGIN_MS)
    for organisation, message in _births():
        step = take_step(state, Move(organisation, message))
        if step.result != "accepted":
            raise AssertionError(f"{message!r} came to {step.result}")
        state = step.state
    return state


def _organisation(organisation: str, roles: tuple[str, ...]) -> Organisation:
    accreditations: tuple[Accreditation, ...] = ()
    if organisation == AUTHORITY:
        accreditations = (Accreditation(LABORATORY_STANDARD, "1", ("capacity",), 2 * BEGIN_MS),)
    return Organisation(organisation, organisation.title(), roles, ("00" * 32,), accreditations)


def _births() -> list[tuple[str, Message]]:
    described: list[tuple[str, Message]] = []
    for organisation, gtin, level, mass_g in (
        (MAKER, PACK_GTIN, "pack", 400),
        (MAKER, MODULE_GTIN, "module", 200),
        (OPERATOR, SUCCESSOR_GTIN, "pack", 400),
    ):
        described.append((organisation, _model(gtin, mass_g)))
        described.append((organisation, DescribeModel(gtin=gtin, level=level, cells=4)))  # type: ignore[arg-type]  # a level
    births = [RegisterBattery(battery=unit, manufactured_on="2025-01-01", facility="Hall 1") for unit in UNITS]
    return [*described, *((MAKER, one) for one in births)]


def _model(gtin: str, mass_g: int) -> RegisterModel:
    return RegisterModel(
        gtin=gtin,
        category="industrial",
        model="Small",
        chemistry="LFP",
        rated_capacity_mah=1_000,
        nominal_voltage_mv=3_200,
        voltage_min_mv=2_500,
        voltage_max_mv=3_650,
        mass_g=mass_g,
    )
