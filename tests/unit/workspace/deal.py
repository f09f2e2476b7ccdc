"""A deal in a folder: a maker, a laboratory and a buyer on one ledger, one battery attested twice and handed over.

The maker declares a health, the laboratory certifies a capacity with its curve, both show the buyer their values,
and the buyer takes the battery over. The clock is a counter.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.core.contracts.attestation import Method, Predicate, Standard
from cellvow.core.contracts.battery import Backfill, RegisterModel
from cellvow.core.ledger.genesis import Accreditation, Genesis
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace.sharing import Wanted, export_bundle, receive_bundle
from cellvow.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pytest

    from cellvow.core.primitives.encoding import Json
    from cellvow.node.home import LedgerSession

GTIN = "09506000134376"
BATTERY = f"01/{GTIN}/21/PACK-0001"
OTHER_BATTERY = f"01/{GTIN}/21/PACK-0002"
START_MS = 4_000_000_000_000
REGISTERS = ("custody", "ownership", "responsibility")
CAPACITY_MAH, HEALTH_PERMILLE = 30_335, 960
BACKFILL = Backfill(evidence_class="estimated", basis="type plate and invoice of 2019")
_STANDARD = Standard(name="IEC 62660-1", edition="2018")


@dataclass
class Deal:
    """The three workspaces and the node they share."""

    home: NodeHome
    maker: Workspace
    laboratory: Workspace
    buyer: Workspace
    ticks: Iterator[int]

    def session(self) -> LedgerSession:
        """The ledger, open for writing."""
        return self.home.open_session(lambda: next(self.ticks))

    def hand_over(self, giver: Workspace, taker: Workspace, registers: Sequence[str] = REGISTERS) -> None:
        """Pass registers of the battery on, signed by both sides, and publish."""
        with self.session() as session:
            commands.offer_handover(session, giver, BATTERY, taker.organisation, registers)
            commands.answer_handover(session, taker, BATTERY, "accept")
            session.publish()

    def close(self) -> None:
        """Close the workspaces."""
        for workspace in (self.maker, self.laboratory, self.buyer):
            workspace.close()


def strike_deal(folder: Path, monkeypatch: pytest.MonkeyPatch, ruleset: int = 1) -> Deal:
    """Make the deal; statements are signed at the moment the counter starts with."""
    monkeypatch.setattr(commands, "now_ms", lambda: START_MS)
    accreditation = Accreditation(_STANDARD.name, _STANDARD.edition, ("capacity",), START_MS + 10**10)
    maker = Workspace.create(folder / "maker", "maker", "Maker (invented)", ["manufacturer"])
    laboratory = Workspace.create(folder / "lab", "lab", "Laboratory (invented)", ["laboratory"], [accreditation])
    buyer = Workspace.create(folder / "buyer", "buyer", "Buyer (invented)", ["buyer"])
    genesis = Genesis("cellvow-deal", 1_000, ruleset, tuple(one.member() for one in (buyer, laboratory, maker)))
    home = NodeHome.create(folder / "node", genesis, "cellvow.test/deal", bytes(range(32)))
    deal = Deal(home, maker, laboratory, buyer, itertools.count(START_MS))
    with deal.session() as session:
        for workspace in (maker, laboratory, buyer):
            workspace.join(folder / "node")
            commands.enrol(session, workspace)
        commands.register_model(session, maker, _model())
        commands.register_battery(session, maker, BATTERY, "2026-05-17", "Plant 1")
        commands.register_battery(session, maker, OTHER_BATTERY, "2019-03-01", "unknown", BACKFILL)
        issued = ((maker, "DECL-1"), (laboratory, "CERT-1"))
        attested = [(one, attest_to(session, one, reference)) for one, reference in issued]
        session.publish()
        for workspace, digest in attested:
            bundle = export_bundle(session.store, workspace, Wanted(digest, 0, None, session.engine.state))
            receive_bundle(buyer, bundle, home.trust)
    deal.hand_over(maker, buyer)
    return deal


def _model() -> RegisterModel:
    return RegisterModel(
        gtin=GTIN,
        category="ev",
        model="NP-33",
        chemistry="NMC",
        rated_capacity_mah=33_100,
        nominal_voltage_mv=3_750,
        voltage_min_mv=2_500,
        voltage_max_mv=4_200,
        mass_g=787,
    )


def attest_to(session: LedgerSession, workspace: Workspace, reference: str) -> bytes:
    """A declaration, or the laboratory's attestation of a test; its digest."""
    is_test = reference.startswith("CERT")
    health: dict[str, Json] = {"quantity": "state_of_health", "unit": "permille", "value": HEALTH_PERMILLE}
    capacity: dict[str, Json] = {
        "quantity": "capacity",
        "unit": "mAh",
        "value": CAPACITY_MAH,
        "low": 30_150,
        "high": 30_450,
    }
    curve: dict[str, Json] = {"quantity": "discharge_curve", "points": [[0, 4_150], [15_000, 3_700], [30_335, 2_510]]}
    tested = (commands.Declaration("capacity", capacity), commands.Declaration("discharge_curve", curve))
    attestation = commands.Attestation(
        battery=BATTERY,
        reference=reference,
        evidence_class="measured" if is_test else "declared",
        method=Method(name="full discharge" if is_test else "declaration", version="1"),
        tested_from_ms=START_MS - 1_000,
        tested_until_ms=START_MS - 1_000,
        declarations=tested if is_test else (commands.Declaration("state_of_health", health),),
        standard=_STANDARD if is_test else None,
        predicates=(Predicate(quantity="capacity", comparison="at_least", threshold=30_000),) if is_test else (),
    )
    return bytes(commands.attest(session, workspace, attestation).digest)
