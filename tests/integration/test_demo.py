"""The demonstration end to end: six organisations, one battery, one proof - and what its ledger may not hold.

And its second act: a pack in service, its second life in another company, its end, and two numbers that lie.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Area, Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.tour import TourPages
from cellvow.cli.demonstration import open_demo_if_whole
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.evidence import find_measurement
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LEDGER_FILE
from cellvow.passport.disputes import derive_disputes
from cellvow.passport.view import Audience
from cellvow.verify import parse_bundle, parse_trust, verify_bundle
from cellvow.verify.archive import MODULES, build_archive
from cellvow.workspace.clock import now_ms
from cellvow.workspace.demo import BATTERY, FIRST_ACT, Demo, DemoInput, clear_demo, run_demo
from cellvow.workspace.demo_second_life import APPLICATIONS, COPIED, MODULE, PACK, RELEASE, STORAGE
from cellvow.workspace.export_package import Wish, make_package
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.second_life import read_life
from cellvow.workspace.service import read_service
from tests.unit.api.asgi_client import AsgiClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.node.store import LedgerStore, StoredBlock
    from cellvow.passport.disputes import DisputeView
    from cellvow.passport.view import Passport
    from cellvow.workspace.second_life import LifeShown

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "open-sesame-0123456789"
KEY = {"accept": "application/json", "authorization": f"Bearer {TOKEN}"}
NO_NETWORK = (
    "import runpy, sys\n"
    "def refuse(event, arguments):\n"
    "    if event.startswith('socket.'):\n"
    "        raise SystemExit('the verifier reached for the network')\n"
    "sys.addaudithook(refuse)\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_path(sys.argv[0], run_name='__main__')\n"
)


def silent(_line: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def told() -> list[str]:
    """What the demonstration says as it goes."""
    return []


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, told: list[str]) -> Iterator[Demo]:
    """The demonstration on a simulated measurement."""
    made = run_demo(tmp_path_factory.mktemp("demo") / "demo", DemoInput(cache=Path("nowhere")), told.append)
    assert any("SIMULATED" in line for line in told)
    yield made
    made.close()


def passport(demo: Demo, audience: Audience, organisation: str = "buyer", battery: str = BATTERY) -> Passport:
    """A view of a battery."""
    shown = PassportReader(demo.home, demo.workspaces[organisation]).passport(battery, audience)
    assert shown is not None
    return shown


def life_of(demo: Demo, battery: str) -> LifeShown:
    """A unit's life beyond itself."""
    store = demo.home.open_reader()
    try:
        return read_life(store, battery)
    finally:
        store.close()


def disputes_of(demo: Demo, battery: str) -> tuple[DisputeView, ...]:
    """The disputes over a unit."""
    store = demo.home.open_reader()
    try:
        return derive_disputes(store.get, battery, now_ms())
    finally:
        store.close()


def outcomes_of(store: LedgerStore, block: StoredBlock) -> list[bytes]:
    """What became of the messages of a block."""
    return [outcome for one in store.statements(block.first_leaf, block.statements) for outcome in one.outcomes]


def client_of(demo: Demo) -> AsgiClient:
    """A client of the pages that the buyer serves."""
    access, reader = Access(TOKEN, lambda: 0), PassportReader(demo.home, demo.workspaces["buyer"])
    areas: list[Area] = [TourPages(reader, access, "one_demo")]
    return AsgiClient(create_application(Site(access, PassportPages(reader, access), areas)))


def test_the_owner_sees_declared_and_measured_side_by_side(demo: Demo) -> None:
    """I04, I05: capacity and resistance with their intervals beside the declared health, each with who signed it."""
    shown = passport(demo, Audience.OWNER)
    values = {
        (one.evidence_class, measured.quantity): measured
        for one in shown.attestations
        for measured in one.measured
        if measured.value is not None
    }

    assert values["declared", "state_of_health"].value == 960
    capacity, resistance = values["simulated", "capacity"], values["simulated", "resistance_10s"]
    for measured in (capacity, resistance):
        assert measured.low is not None
        assert measured.high is not None
        assert measured.low <= (measured.value or 0) <= measured.high
    assert shown.curve is not None
    assert {one.source.organisation for one in shown.attestations} == {"laboratory", "packmaker"}


def test_a_stranger_sees_no_value_no_life_and_no_holder(demo: Demo) -> None:
    """T05: by default the public view holds model data, who answers, and that an attestation exists - nothing else."""
    shown = passport(demo, Audience.PUBLIC)

    assert shown.life == ()
    assert shown.curve is None
    assert [one.register for one in shown.registers] == ["responsibility"]
    assert all(measured.value is None for one in shown.attestations for measured in one.measured)


def test_every_fact_names_who_signed_it(demo: Demo) -> None:
    """T14: each fact, register, attestation and step of life names a statement that stands in the ledger."""
    shown = passport(demo, Audience.OWNER)
    sources = [fact.source for fact in (*shown.model, *shown.identity)]
    sources += [one.source for one in shown.registers]
    sources += [one.source for one in shown.attestations]
    sources += [one.source for one in shown.life]
    store = demo.home.open_reader()
    signers = {
        source.statement: stored.statement.envelope.organisation
        for source in sources
        if (stored := store.statement_of_digest(bytes.fromhex(source.statement))) is not None
    }
    store.close()

    assert len(sources) > 15
    assert all(signers[source.statement] == source.organisation for source in sources)


def test_a_correction_shows_what_was_said_before(demo: Demo) -> None:
    """X01: the corrected value stands with the earlier one, and the step of life is marked as corrected."""
    shown = passport(demo, Audience.OWNER)
    built = next(fact for fact in shown.identity if fact.name == "manufactured_on")

    assert (built.value, built.corrected_from) == ("2013-05-17", "2003-05-17")
    assert [step.event for step in shown.life if step.corrected] == ["BatteryRegistered"]


def test_another_member_knows_no_value_of_the_owners(demo: Demo) -> None:
    """An organisation that nobody showed the values sees commitments only, with all its own keys."""
    shown = passport(demo, Audience.OWNER, "authority")

    assert all(measured.value is None for one in shown.attestations for measured in one.measured)


def test_the_ledger_holds_no_granted_value_and_no_person(demo: Demo) -> None:
    """A scan of every byte of the ledger finds no value, salt, place of a file, or field document of the vaults."""
    shown = passport(demo, Audience.OWNER)
    data = b"".join(path.read_bytes() for path in demo.ledger.glob(f"{LEDGER_FILE}*"))
    secret = [
        str(number).encode()
        for one in shown.attestations
        for measured in one.measured
        for number in (measured.value, measured.low, measured.high)
        if number is not None and number > 9_999
    ]
    for disclosed in parse_bundle(demo.bundle.read_bytes()).disclosures:
        secret += [disclosed.salt, disclosed.salt.hex().encode(), disclosed.field]
    words = [b'"value"', b'"salt"', b'"low"', b'"curve"', b"points", b"permille", b".csv", b"person"]
    words += [b"vehicle number", b"Cabinet", b"solar park", b"motorway", b"recycling hall", b"market stall"]

    assert len(secret) > 10
    assert [value for value in (*secret, *words) if value in data] == []
    assert re.findall(rb"[a-z0-9.]+@[a-z0-9]+\.[a-z]{2,}", data) == []


def test_the_scan_would_find_a_value_that_leaked(demo: Demo, tmp_path: Path) -> None:
    """Control: what the vault sealed is found by the same scan where it is in clear."""
    (tmp_path / LEDGER_FILE).write_bytes((demo.ledger / LEDGER_FILE).read_bytes() + b'{"quantity":"x","value":1}')

    assert b'"value"' in (tmp_path / LEDGER_FILE).read_bytes()


def test_the_first_battery_ends_as_it_did(demo: Demo) -> None:
    """The second act is about other units: this one is the buyer's, in its first life, with its tests in force."""
    shown = passport(demo, Audience.OWNER)

    assert ("original", None) == (shown.status, shown.ended)
    assert {"buyer"} == {one.organisation for one in shown.registers}
    assert {"issued"} == {one.state for one in shown.attestations}
    assert () == disputes_of(demo, BATTERY)


def test_its_export_package_lacks_nothing_but_a_real_measurement(demo: Demo) -> None:
    """A reference to a transport test, a state of charge and a verdict are there; simulated, it has no certificate."""
    reader = PassportReader(demo.home, demo.workspaces["buyer"])
    package = make_package(reader, BATTERY, Wish(disclose=("state_of_charge",)))

    assert ["certificate"] == [one["paper"] for one in package.missing]
    assert {"state_of_charge.cvb", "un38_3.cvb", "verdict.cvb"} <= set(package.verified)


def test_the_pack_in_service_shows_what_was_done_and_no_vehicle(demo: Demo) -> None:
    """Ordered, looked at, called safe, given new software and taken out again; which car, its carmaker alone reads."""
    service = read_service(demo.home, demo.workspaces["carmaker"], PACK)
    others = read_service(demo.home, demo.workspaces["packmaker"], PACK)
    public = read_service(demo.home, None, PACK)
    assert service.safety is not None
    assert service.order is not None
    assert service.service is not None
    assert service.installation is not None

    assert ("safe", (), "recycling") == (service.safety.state, service.safety.incidents, service.safety.assessed_by)
    assert [("bms", RELEASE)] == [(one.component, one.release) for one in service.software]
    assert ("done", "recycling") == (service.order.state, service.order.workshop)
    assert ("WORK-1", "2023-09-01") == (service.service.reference, service.service.next_service_on)
    assert ("removed", "vehicle") == (service.installation.state, service.installation.into)
    assert ("an invented vehicle number, 0000", None) == (service.place, others.place)
    assert (None, None) == (public.installation, public.place)


def test_the_second_life_names_its_originals_and_they_name_it(demo: Demo) -> None:
    """In a company that the maker never dealt with, under a model of its own: the link is read from both ends."""
    born, pack, module = (life_of(demo, one) for one in (STORAGE, PACK, MODULE))
    registers = passport(demo, Audience.OWNER, "packmaker", PACK).registers

    assert {PACK, MODULE} == {one.battery for one in born.lineage.originals}
    assert (
        [STORAGE]
        == [one.battery for one in pack.lineage.successors]
        == [one.battery for one in module.lineage.successors]
    )
    assert ("repurposed", "repurposed") == (pack.status, module.status)
    assert ["succeeded", "succeeded"] == [one.end.how for one in (pack, module) if one.end is not None]
    assert {"buyer"} == {one.organisation for one in born.lineage.originals}
    assert {"buyer"} == {one.organisation for one in registers}
    assert born.grade is not None
    assert ("B", APPLICATIONS) == (born.grade.record.grade, born.grade.record.applications)


def test_the_end_ends_the_passport_and_not_the_record(demo: Demo) -> None:
    """Waste, in a recycler's hands in all three registers, then recycled: 410 for everybody, with who said so."""
    life = life_of(demo, STORAGE)
    shown = passport(demo, Audience.OWNER, "buyer", STORAGE)
    client = client_of(demo)
    page, living = client.get(f"/{STORAGE}"), client.get(f"/{BATTERY}")
    assert life.end is not None
    assert life.waste is not None
    assert life.decommissioned is not None

    assert ("waste", "recycled", "recycling") == (life.status, life.end.how, life.end.organisation)
    assert {"recycling"} == {one.organisation for one in shown.registers}
    assert ("worn_out", "out_of_service") == (life.waste.cause, life.decommissioned.cause)
    assert (410, 200) == (page.status_code, living.status_code)
    assert "Demo Recycling" in page.text
    assert 200 == client.get(f"/{PACK}").status_code


def test_the_laboratory_was_refused_the_responsibility_for_waste(demo: Demo, told: list[str]) -> None:
    """The refusal stands on the ledger as one, and changed no register."""
    assert any(f"refused (rule {Reason.NOT_FOR_WASTE.value})" in line for line in told)
    store = demo.home.open_reader()
    try:
        outcomes = [parse_outcome(outcome) for block in store.blocks() for outcome in outcomes_of(store, block)]
    finally:
        store.close()

    assert [Reason.NOT_FOR_WASTE] == [one.reason for one in outcomes if one.reason is not None]


def test_two_numbers_that_lie_are_contested_and_move_nothing(demo: Demo) -> None:
    """A copy of a living battery and a sighting of a dead one: a dispute each, the registers as they were."""
    (cloned,), (dead,) = disputes_of(demo, COPIED), disputes_of(demo, STORAGE)
    shown = passport(demo, Audience.PUBLIC, "buyer", COPIED)

    assert ("cloned_serial", "carmaker", "packmaker") == (cloned.summary.topic, cloned.opener, cloned.respondent)
    assert ("dead_identifier", "authority", "recycling") == (dead.summary.topic, dead.opener, dead.respondent)
    assert cloned.summary.is_open
    assert dead.summary.is_open
    assert ("original", ["packmaker"]) == (shown.status, [one.organisation for one in shown.registers])
    assert life_of(demo, COPIED).end is None


def test_the_tour_answers_service_second_life_and_end(demo: Demo) -> None:
    """On the units of the second act; a stranger is shown the world's part of it."""
    client = client_of(demo)
    owner, public = (client.get("/tour", headers=headers).json() for headers in (KEY, {"accept": "application/json"}))
    told, seen = ({one["name"]: (one["state"], one["battery"]) for one in tour["stops"]} for tour in (owner, public))

    assert BATTERY == owner["battery"] == public["battery"]
    assert ("elsewhere", PACK) == told["serviced"]
    assert ("withheld", None) == seen["serviced"]
    assert ("elsewhere", PACK) == told["stored"] == seen["stored"]
    assert ("elsewhere", STORAGE) == told["recycled"] == seen["recycled"]
    said, heard = (
        " ".join(next(one["answer"] for one in tour["stops"] if one["name"] == "stored")) for tour in (owner, public)
    )
    assert "It has become STORE-0001: " in said
    assert "It has become STORE-0001: " in heard
    assert "STORE-0001: Grade B" in said, "a grade is its members' to know"
    assert "Grade" not in heard


def test_the_steps_are_numbered_and_the_second_act_fits_a_terminal(demo: Demo, told: list[str]) -> None:
    """One number after the other; of the second act no line is longer than eighty characters."""
    steps = [line for line in told if line[:1].isdigit()]
    first = next(number for number, line in enumerate(told) if line.startswith(f"{FIRST_ACT + 1} "))
    last = next(number for number, line in enumerate(told) if "signs its checkpoint" in line)

    assert demo.trust.is_file()
    assert [str(number) for number in range(1, len(steps) + 1)] == [line.split()[0] for line in steps]
    assert last - first > 20
    assert [] == [line for line in told[first:last] if len(line) > 80]


@pytest.mark.slow
def test_the_certificate_verifies_in_a_fresh_process_without_network(demo: Demo) -> None:
    """T12: the `.pyz` needs the standard library alone, and touches no socket."""
    command = [sys.executable, "-I", "-S", "-c", NO_NETWORK, str(demo.verifier), str(demo.bundle)]
    answer = subprocess.run(
        [*command, "--trust", str(demo.trust), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={},
        check=False,
    )

    assert answer.returncode == 0, answer.stdout + answer.stderr
    proven = json.loads(answer.stdout)
    assert proven["organisation"] == "laboratory"
    assert len(proven["steps"]) == 13
    assert proven["disclosures"]


def test_a_verifier_that_calls_home_would_be_caught(tmp_path: Path) -> None:
    """Control: the same hook stops a program that opens a socket."""
    program = tmp_path / "calls_home.py"
    program.write_text("import socket\nsocket.create_connection(('127.0.0.1', 9))\n", encoding="utf-8")
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", NO_NETWORK, str(program)],
        capture_output=True,
        text=True,
        check=False,
        env={},
    )

    assert "reached for the network" in answer.stderr


def test_the_verifier_file_is_the_same_from_every_build(demo: Demo) -> None:
    """Two builds give the same bytes, and it carries no module that needs a third party."""
    assert build_archive() == build_archive() == demo.verifier.read_bytes()
    sources = "\n".join((ROOT / "src" / "cellvow" / name).read_text(encoding="utf-8") for name in MODULES)

    assert re.findall(r"^(?:import|from) (?:nacl|msgspec|apsw|numpy|cryptography)\b", sources, re.MULTILINE) == []


def test_a_stranger_gets_proofs_of_public_facts_and_of_nothing_else(demo: Demo) -> None:
    """The birth and the attestation's frame are the world's; hand-overs and disclosed values are not."""
    reader = PassportReader(demo.home, demo.workspaces["buyer"])
    public, owner = passport(demo, Audience.PUBLIC), passport(demo, Audience.OWNER)
    trust = parse_trust(demo.trust.read_bytes())
    model = public.model[0].source
    given = reader.bundle(BATTERY, model.statement, model.index, Audience.PUBLIC)
    handover = owner.registers[0].source
    refused = reader.bundle(BATTERY, handover.statement, handover.index, Audience.PUBLIC)
    owned = reader.bundle(BATTERY, handover.statement, handover.index, Audience.OWNER)
    assert given is not None
    assert verify_bundle(given, trust, is_valid).message["type"] == "RegisterModel"
    assert refused is None
    assert owned is not None
    assert verify_bundle(owned, trust, is_valid).message["type"] == "AcceptHandover"


def test_the_whole_ledger_replays(demo: Demo) -> None:
    """L18: everything that happened is there from genesis on."""
    store = demo.home.open_reader()
    checked = check_ledger(store)
    store.close()

    assert checked.checkpoint_size == checked.leaves


def test_a_demonstration_is_not_made_over_something_else(tmp_path: Path) -> None:
    """Neither running nor clearing touches a folder with other people's files."""
    (tmp_path / "thesis.txt").write_text("precious", encoding="utf-8")

    with pytest.raises(OperationalError, match="not empty"):
        run_demo(tmp_path, DemoInput(cache=Path("nowhere")), silent)
    with pytest.raises(OperationalError, match="nothing is deleted"):
        clear_demo(tmp_path)
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "precious"


def test_a_demonstration_with_fewer_organisations_is_not_taken_for_a_whole_one(demo: Demo, tmp_path: Path) -> None:
    """What an earlier version left is made anew; control: with all of them it is shown again."""
    folder = tmp_path / "demo"
    shutil.copytree(demo.folder, folder)

    assert open_demo_if_whole(folder)
    shutil.rmtree(folder / "recycling")
    assert not open_demo_if_whole(folder)


def test_a_measurement_that_cannot_be_read_leaves_an_earlier_demonstration_as_it_was(tmp_path: Path) -> None:
    """The file is read before anything is deleted or made."""
    bad, folder = tmp_path / "bad.csv", tmp_path / "demo"
    bad.write_text("nothing,like,a,measurement\n1,2,3,4\n", encoding="utf-8")
    folder.mkdir()
    (folder / "certificate.cvb").write_bytes(b"earlier")

    with pytest.raises(Malformed):
        run_demo(folder, DemoInput(data=bad, rated_ah=1.0), silent, replace=True)

    assert [path.name for path in folder.iterdir()] == ["certificate.cvb"]


@pytest.mark.slow
def test_without_an_attack_nobody_raises_an_alarm(demo: Demo) -> None:
    """Control: the honest demonstration gives none of those parties anything to notice."""
    trust = parse_trust(demo.trust.read_bytes())
    verified = verify_bundle(demo.bundle.read_bytes(), trust, is_valid)

    assert len(verified.cosigned_by) == 3


@pytest.mark.measurement
@pytest.mark.slow
def test_the_real_measurement_gives_the_published_capacity(tmp_path: Path) -> None:
    """The demonstration on the real files: capacity within 0.01 Ah of the published mean, as a certificate in force."""
    cache = find_measurement(Path(os.environ.get("CELLVOW_MEASUREMENT") or ROOT / ".cache" / "measurement"))
    assert cache is not None
    made = run_demo(tmp_path / "demo", replace(DemoInput(), cache=cache), silent)
    shown = passport(made, Audience.OWNER)
    package = make_package(PassportReader(made.home, made.workspaces["buyer"]), BATTERY, Wish())
    capacities = [m.value for one in shown.attestations for m in one.measured if m.quantity == "capacity"]
    public = passport(made, Audience.PUBLIC)
    made.close()

    assert capacities == [pytest.approx(30_320, abs=30)]
    assert shown.certificate_in_force
    assert not shown.is_simulated
    assert [] == package.missing
    assert next(one.predicates for one in public.attestations) == (("capacity", "at_least", 26_480),)
