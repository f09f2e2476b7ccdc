"""At the desk a signature is made once, for what the ledger will take; offers are answered as they were shown."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest
from msgspec import convert

from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.web.desk_words import DESK_WORDS
from cellvow.workspace.clock import now_ms
from cellvow.workspace.desk_exchange import BatteryForm, LinkWish
from cellvow.workspace.desk_handovers import Holding
from cellvow.workspace.desk_jobs import Wish as ImportWish
from cellvow.workspace.desk_signing import FAULTS, Wish, parse_last_moment, suggest_reference
from tests.unit.desk_world import BATTERY, GTIN, STANDARD, DeskWorld, measurement, wait_for_end
from tests.unit.workspace.test_desk_acts import OWNER, act, look

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.workspace.desk import Desk
    from cellvow.workspace.laboratory import Imported

pytestmark = pytest.mark.slow

WISH = Wish(battery=BATTERY, reference="TEST-1", standard=f"{STANDARD}:1", is_certificate=True, percent="80")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """Three members and a battery."""
    founded = DeskWorld.found(tmp_path_factory.mktemp("desk"))
    yield founded
    founded.close()


@pytest.fixture(scope="module")
def lab(world: DeskWorld) -> Desk:
    """The laboratory's desk."""
    return world.desk("lab")


def bring_in(desk: Desk, name: str = "cell.csv") -> Imported:
    """Import the measurement over the desk."""
    upload = desk.jobs.open_upload(name)
    upload.write(measurement())
    seen = wait_for_end(desk, desk.jobs.start(upload, ImportWish(BATTERY, *desk.rating(BATTERY))))
    found = desk.find_import(seen.record.number or "")
    assert found is not None
    return found.imported


@pytest.fixture(scope="module")
def imported(lab: Desk) -> Imported:
    """A measurement, taken in."""
    return bring_in(lab)


def count_statements(desk: Desk) -> int:
    """How many leaves the ledger has."""
    store = desk.workspace.home().open_reader()
    try:
        return store.head().log.size
    finally:
        store.close()


def test_the_same_wish_twice_is_one_signature(lab: Desk, imported: Imported) -> None:
    """The second finds the statement of the first; the ledger does not grow, the import knows it once."""
    wish = replace(WISH, reference="TWICE-1")
    first = lab.signer.sign(imported, wish, now_ms())
    size = count_statements(lab)

    assert first == lab.signer.sign(imported, wish, now_ms())
    assert size == count_statements(lab)
    seen = lab.find_import(imported.number)
    assert seen is not None
    assert [first] == [one.statement for one in seen.record.signings if one.reference == "TWICE-1"]


def test_a_certificate_has_what_the_accreditation_covers_and_no_more(lab: Desk, imported: Imported) -> None:
    """The rest is named as left out, and not signed; an attestation has all of it."""
    plan = lab.signer.plan(imported, replace(WISH, reference="PART-1"), now_ms())

    assert () == plan.faults
    assert "discharge_curve" in plan.left_out
    assert {"capacity", "state_of_health"} <= {str(one["quantity"]) for one in plan.signed.results}
    loose = lab.signer.plan(imported, Wish(BATTERY, "PART-2"), now_ms())
    assert () == loose.left_out
    paper = lab.paper(lab.signer.sign(imported, replace(WISH, reference="PART-1"), now_ms()))
    assert paper is not None
    assert {one.quantity for one in paper.attested.measured} == {str(one["quantity"]) for one in plan.signed.results}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"battery": "01/x"}, "battery"),
        ({"battery": f"01/{GTIN}/21/NOBODY"}, "battery_unknown"),
        ({"percent": "99"}, "capacity_unsupported"),
        ({"percent": "201"}, "percent"),
        ({"percent": "-1"}, "percent"),
        ({"percent": "٣"}, "percent"),
        ({"reference": ""}, "reference"),
        ({"reference": "a b"}, "reference"),
        ({"reference": "-X"}, "reference"),
        ({"standard": ""}, "certificate_standard"),
        ({"standard": "iso:1"}, "standard"),
        ({"standard": "iso"}, "standard"),
        ({"valid_until": "2001-01-01"}, "expired"),
        ({"valid_until": "tomorrow"}, "valid_until"),
        ({"valid_until": "9999-12-31"}, "valid_until"),
    ],
)
def test_what_speaks_against_a_signature_is_told_before_it(
    lab: Desk, imported: Imported, changed: dict[str, str], fault: str
) -> None:
    """Each fault is named, nothing is signed, and the ledger does not grow."""
    wish = convert({**asdict(WISH), "reference": "FAULT-1", **changed}, Wish)
    size = count_statements(lab)

    assert (fault,) == lab.signer.plan(imported, wish, now_ms()).faults
    with pytest.raises(Malformed, match=fault):
        lab.signer.sign(imported, wish, now_ms())
    assert size == count_statements(lab)


def test_a_number_that_was_used_for_another_import_is_a_fault(lab: Desk, imported: Imported) -> None:
    """It is no repetition: another measurement would hide behind the first one's signature."""
    lab.signer.sign(imported, replace(WISH, reference="USED-1"), now_ms())
    other = replace(imported, root="0" * 64)

    assert ("reference_used",) == lab.signer.plan(other, replace(WISH, reference="USED-1"), now_ms()).faults


def test_simulated_evidence_makes_no_certificate(lab: Desk, imported: Imported) -> None:
    """Its class is what counts, not its numbers; as an attestation it may be signed."""
    simulated = replace(imported, evidence_class="simulated")

    assert ("certificate_class",) == lab.signer.plan(simulated, replace(WISH, reference="SIM-1"), now_ms()).faults
    assert () == lab.signer.plan(simulated, Wish(BATTERY, "SIM-1"), now_ms()).faults


def test_the_faults_and_the_suggested_number_are_as_the_pages_have_them(imported: Imported) -> None:
    """Every fault has its sentence; the suggestion is a number that may be used."""
    assert FAULTS == DESK_WORDS["desk_fault"]
    assert suggest_reference(imported).startswith("TEST-")
    assert parse_last_moment("1970-01-01") == 86_400_000 - 1


def test_an_offer_is_answered_as_it_was_shown(world: DeskWorld) -> None:
    """Whoever saw another version of it answers nothing; accepted, the registers name the other side."""
    maker, buyer = world.desk("maker"), world.desk("buyer")
    act(maker, "handover_offer", {"battery": BATTERY, "addressee": "buyer", "registers": "custody"})
    (shown,) = buyer.handovers.standing().received
    late = {"battery": BATTERY, "version": str(shown.version + 1)}
    number = buyer.acts.prepare(OWNER, "handover_accept", late)
    seen = look(buyer.acts, number)
    assert seen.rehearsal is not None
    assert seen.rehearsal.rejection is not None
    assert Reason.STALE_VERSION is seen.rehearsal.rejection.reason
    assert not buyer.acts.confirm(OWNER, number, seen.seen)

    assert shown == maker.handovers.standing().made[0]
    act(buyer, "handover_accept", {"battery": BATTERY, "version": str(shown.version)})
    assert (Holding(BATTERY, ("custody",)),) == buyer.handovers.standing().holdings
    assert () == buyer.handovers.standing().received
    with pytest.raises(Malformed):
        buyer.acts.prepare(OWNER, "handover_keep", {"battery": BATTERY, "version": str(shown.version)})
    with pytest.raises(Malformed):
        maker.acts.prepare(OWNER, "handover_offer", {"battery": BATTERY, "addressee": "buyer", "registers": ""})


def test_a_bundle_from_somebody_else_is_kept_once_it_verifies(world: DeskWorld, lab: Desk, imported: Imported) -> None:
    """The buyer sees the laboratory's values from then on; a changed byte keeps nothing."""
    statement = lab.signer.sign(imported, replace(WISH, reference="SHOWN-1"), now_ms())
    bundle = lab.bundle(BATTERY, statement)
    assert bundle is not None
    buyer = world.desk("buyer")
    damaged = bytearray(bundle)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises((Malformed, VerificationError)):
        buyer.exchange.receive(bytes(damaged))
    assert [] == list(buyer.workspace.received.iterdir())

    kept = buyer.exchange.receive(bundle)
    assert kept.values > 2
    assert kept == buyer.exchange.received(kept.name)
    assert buyer.exchange.received("0" * 64 + "-0") is None
    paper = buyer.paper(statement)
    assert paper is not None
    assert any(one.value is not None for one in paper.attested.measured)


def test_a_battery_and_its_model_are_registered_from_one_form(world: DeskWorld) -> None:
    """A model is registered where the ledger lacks it, and only there; what is typed wrongly names the field."""
    maker = world.desk("maker")
    birth = {"gtin": "04012345000016", "serial": "NEW-1", "manufactured_on": "2026-11-01", "facility": "Plant 2"}
    model = {"model": "Brick", "category": "lmt", "chemistry": "LFP", "rated_ah": "20,5", "voltage": "3.2"}
    limits = {"voltage_min": "2.5", "voltage_max": "3.65", "mass_kg": "0.4"}

    with pytest.raises(Malformed, match="model"):
        maker.exchange.register(BatteryForm({**birth, "category": "lmt"}))
    with pytest.raises(Malformed, match="rated_ah"):
        maker.exchange.register(BatteryForm({**birth, **model, **limits, "rated_ah": "much"}))
    battery = maker.exchange.register(BatteryForm({**birth, **model, **limits}))
    assert (20_500, 3_200) == maker.rating(battery)
    assert "NEW-2" in maker.exchange.register(BatteryForm({**birth, "serial": "NEW-2"}))


def test_a_link_is_given_by_the_owner_shown_and_ended(world: DeskWorld, lab: Desk) -> None:
    """Only the owner can; newest first; an ended one says so."""
    maker = world.desk("maker")
    fields = {"scope": "health", "days": "14", "note": "for a buyer"}
    with pytest.raises(OperationalError, match="owned by maker"):
        lab.exchange.issue_link(LinkWish(BATTERY, fields))
    with pytest.raises(Malformed, match="days"):
        maker.exchange.issue_link(LinkWish(BATTERY, {**fields, "days": "0"}))
    first = maker.exchange.issue_link(LinkWish(BATTERY, fields)).grant
    second = maker.exchange.issue_link(LinkWish(BATTERY, fields)).grant

    assert [second.grant_id, first.grant_id] == [one.grant_id for one in maker.exchange.links(BATTERY, 10)]
    assert [second.grant_id] == [one.grant_id for one in maker.exchange.links(None, 1)]
    maker.exchange.revoke_link(first.grant_id)
    assert "revoked" == maker.exchange.links(BATTERY, 10)[1].state(now_ms())
    assert [] == maker.exchange.uses(10)


def test_an_import_of_the_command_line_is_found_as_well(lab: Desk, imported: Imported) -> None:
    """The desk's file may know nothing of it, or be lost: the vault has it."""
    seen = lab.find_import(imported.number)
    assert seen is not None
    assert "Bitrode" in seen.record.format
    assert lab.find_import("0" * 32) is None
    assert lab.paper("0" * 64) is None
