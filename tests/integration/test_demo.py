"""The demonstration end to end: five organisations, one battery, one proof - and what its ledger may not hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.evidence import find_measurement
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LEDGER_FILE
from cellvow.passport.view import Audience
from cellvow.verify import parse_bundle, parse_trust, verify_bundle
from cellvow.verify.archive import MODULES, build_archive
from cellvow.workspace.demo import BATTERY, Demo, DemoInput, clear_demo, run_demo
from cellvow.workspace.passports import PassportReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.passport.view import Passport

ROOT = Path(__file__).resolve().parents[2]
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
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration on a simulated measurement."""
    told: list[str] = []
    made = run_demo(tmp_path_factory.mktemp("demo") / "demo", DemoInput(cache=Path("nowhere")), told.append)
    assert any("SIMULATED" in line for line in told)
    yield made
    made.close()


def passport(demo: Demo, audience: Audience, organisation: str = "buyer") -> Passport:
    """A view of the battery."""
    shown = PassportReader(demo.home, demo.workspaces[organisation]).passport(BATTERY, audience)
    assert shown is not None
    return shown


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

    assert (built.value, built.corrected_from) == ("2013-05-17", "2031-05-17")
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

    assert len(secret) > 10
    assert [value for value in (*secret, *words) if value in data] == []
    assert re.findall(rb"[a-z0-9.]+@[a-z0-9]+\.[a-z]{2,}", data) == []


def test_the_scan_would_find_a_value_that_leaked(demo: Demo, tmp_path: Path) -> None:
    """Control: what the vault sealed is found by the same scan where it is in clear."""
    (tmp_path / LEDGER_FILE).write_bytes((demo.ledger / LEDGER_FILE).read_bytes() + b'{"quantity":"x","value":1}')

    assert b'"value"' in (tmp_path / LEDGER_FILE).read_bytes()


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
    capacities = [m.value for one in shown.attestations for m in one.measured if m.quantity == "capacity"]
    public = passport(made, Audience.PUBLIC)
    made.close()

    assert capacities == [pytest.approx(30_320, abs=30)]
    assert shown.certificate_in_force
    assert not shown.is_simulated
    assert next(one.predicates for one in public.attestations) == (("capacity", "at_least", 26_480),)
