"""The demonstration: six organisations take one battery from a real measurement to a passport with an offline proof.

A second act (`demo_second_life`) follows other units through service and a second life to the end.

Organisations are invented, and plainly so; the measurement is real where it could be fetched.
"""

import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellvow.core.contracts.attestation import AttestationRecord, Method, Predicate, Standard, attestation_key
from cellvow.core.contracts.battery import RegisterBattery, RegisterModel
from cellvow.core.contracts.contract import decode_record
from cellvow.core.ledger.genesis import Accreditation, Genesis
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import OperationalError, fail
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.evidence import (
    RATED_MAH,
    Evaluation,
    Measurement,
    evaluate_measurement,
    find_measurement,
    import_measurement,
    open_reference_measurement,
    simulate_measurement,
)
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession, NodeHome, WitnessAddress
from cellvow.node.witness import Witness
from cellvow.passport.acceptance import judge, load_assumptions
from cellvow.passport.derivation import CURVE
from cellvow.passport.view import OWNER as OWNER_VIEW
from cellvow.verify.archive import write_archive as write_verifier
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.demo_second_life import Act, play_second_act
from cellvow.workspace.documents import digest_document
from cellvow.workspace.export_index import STATE_OF_CHARGE_QUANTITY, UN38_3_STANDARD
from cellvow.workspace.laboratory import (
    Certification,
    Imported,
    attest_import,
    predicates_of,
    take_in,
)
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.sharing import Wanted, export_bundle, receive_bundle
from cellvow.workspace.verdicts import load_policy, record_verdict, today
from cellvow.workspace.workspace import Workspace

Report = Callable[[str], None]
"""Takes one line for the person who watches."""

CHAIN_ID = "cellvow-demo"
ORIGIN = "demo.cellvow.invalid/log"
GTIN = "09506000134376"
BATTERY = f"01/{GTIN}/21/DEMO-0001"
STANDARD = Standard(name="cellvow:dc-discharge", edition="1")
"""Our own published method (docs/reference/evidence.md): the demo claims no other standard."""
QUANTITIES = (
    "capacity",
    "coulombic_efficiency",
    "energy",
    "resistance_10s",
    "state_of_health",
    "state_of_health_energy",
    "state_of_health_first",
    CURVE,
)
NOMINAL_MV = 3_750
DECLARED_HEALTH_PERMILLE = 960
CHARGE_PERMILLE, CHARGE_MOST_PERMILLE = 280, 300
DECLARED, SUMMARY, CHARGE = "DECLARED-1", "UN383-1", "CHARGE-1"
"""What the maker attests without a measurement: a health, a transport test's summary, a state of charge."""
FIRST_ACT = 7
"""Steps until the second act begins."""
IMPORTER, IMPORT_POLICY, VERDICT_REFERENCE = "carmaker", "import_market_surveillance", "BORDER-1"
HANDED_OVER = ("custody", "ownership", "responsibility")
VERDICT_WORDS = {
    "accept": "Accept: the last test still holds.",
    "re_test": "Re-test: no test on record meets the rule.",
    "cannot_tell": "Cannot tell from what is shown.",
}
YEAR_MS = 365 * 24 * 3_600_000
WITNESSES = ("north", "south", "west")
CAPACITY_FILE, PULSE_FILE = "cell-discharge-bitrode-1c.csv", "cell-low-current-hppc-25c.csv"
MEASUREMENT_CACHE = Path(".cache/measurement")
_SHARE_OF_RATING = 0.8

ORGANISATIONS = (
    ("authority", "Demo Market Authority", ("authority",)),
    ("buyer", "Demo Second Life Buyer", ("buyer", "second_life_operator")),
    ("carmaker", "Demo Motors", ("vehicle_maker", "importer")),
    ("laboratory", "Demo Test Laboratory", ("laboratory",)),
    ("packmaker", "Demo Pack Works", ("manufacturer",)),
    ("recycling", "Demo Recycling", ("workshop", "recycler")),
)

_PARTS = (
    "certificate.cvb",
    "cellvow-verify.pyz",
    "ledger",
    "pages",
    "witnesses",
    *(name for name, _, _ in ORGANISATIONS),
)
"""All that a demonstration leaves in its folder, also when it is interrupted."""


@dataclass(frozen=True, slots=True)
class DemoInput:
    """What is measured: the user's own file with its rating, or the reference measurement."""

    data: Path | None = None
    rated_ah: float | None = None
    cache: Path = MEASUREMENT_CACHE


@dataclass
class Demo:
    """The demonstration's folder, opened: a node, its witnesses and six workspaces."""

    folder: Path
    report: Report
    home: NodeHome = field(init=False)
    workspaces: dict[str, Workspace] = field(init=False, default_factory=dict)
    certificates: list[Receipted] = field(init=False, default_factory=list)

    @property
    def ledger(self) -> Path:
        """The node's folder."""
        return self.folder / "ledger"

    @property
    def bundle(self) -> Path:
        """The certificate's bundle, as the buyer received it."""
        return self.folder / "certificate.cvb"

    @property
    def trust(self) -> Path:
        """The trust file a verifier takes."""
        return self.ledger / "trust.json"

    @property
    def verifier(self) -> Path:
        """The offline verifier as one file."""
        return self.folder / "cellvow-verify.pyz"

    def close(self) -> None:
        """Close the workspaces."""
        for workspace in self.workspaces.values():
            workspace.close()


@dataclass(frozen=True, slots=True)
class _Measured:
    imported: Imported
    rated_mah: int


def run_demo(folder: Path, demo_input: DemoInput, report: Report, *, replace: bool = False) -> Demo:
    """Run the whole story into an empty folder; what it made is left there to be looked at.

    The measurement is read first: a file that cannot be read leaves the folder as it was. With `replace` an earlier
    demonstration in the folder is deleted.
    """
    measurements = _read_measurements(demo_input)
    if replace:
        clear_demo(folder)
    if folder.exists() and any(folder.iterdir()):
        raise OperationalError(f"{folder} is not empty: `cellvow demo --fresh` replaces an earlier demonstration")
    demo = Demo(folder, report)
    _found(demo)
    with demo.home.open_session(now_ms) as session:
        _enrol(demo, session)
        _be_born(demo, session, demo_input)
        _certify(demo, session, demo_input, measurements)
        _offer_abroad(demo, session)
        _judge(demo, session)
        _hand_over(demo, session)
        number = play_second_act(Act(session, demo.workspaces, report), FIRST_ACT + 1)
        _witness(demo, session, number)
        _share(demo, session, number + 1)
    write_verifier(demo.verifier)
    return demo


def open_demo(folder: Path, report: Report) -> Demo:
    """The demonstration that was run into a folder."""
    demo = Demo(folder, report)
    demo.home = NodeHome(demo.ledger)
    demo.workspaces = {name: Workspace(folder / name) for name, _, _ in ORGANISATIONS}
    return demo


def clear_demo(folder: Path) -> None:
    """Delete an earlier demonstration; refuses any other folder."""
    if not folder.exists():
        return
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in _PARTS)
    if foreign:
        raise OperationalError(
            f"{folder} holds {foreign[0]}, which is no part of a demonstration: nothing is deleted. Name another folder"
        )
    shutil.rmtree(folder)


def _found(demo: Demo) -> None:
    demo.report("1  Six organisations make their keys; each keeps its own.")
    until = now_ms() + 3 * YEAR_MS
    scope = Accreditation(STANDARD.name, STANDARD.edition, QUANTITIES, until)
    for name, title, roles in ORGANISATIONS:
        scopes = (scope,) if name == "laboratory" else ()
        demo.workspaces[name] = Workspace.create(demo.folder / name, name, title, roles, scopes)
        demo.report(f"     {title} ({name}): {', '.join(roles)}")
    members = tuple(workspace.member() for workspace in demo.workspaces.values())
    genesis = Genesis(CHAIN_ID, now_ms(), NEWEST, members)
    demo.home = NodeHome.create(demo.ledger, genesis, ORIGIN, secrets.token_bytes(32))
    demo.report(f"     Their ledger {CHAIN_ID} starts with genesis {genesis.digest.hex()[:16]}...")
    for name in WITNESSES:
        folder = demo.folder / "witnesses" / name
        witness = Witness.create(folder, f"witness.invalid/{name}", secrets.token_bytes(32))
        witness.add_log(ORIGIN, demo.home.describe()["log"])
        demo.home.add_witness(WitnessAddress(witness.vkey, str(folder.resolve())))
        witness.close()
    demo.report("     Organisations, roles and the laboratory's accreditation are invented for this demonstration.")
    demo.report("     Three witnesses watch its log. Started by one demonstration: mechanism, not independence.")


def _enrol(demo: Demo, session: LedgerSession) -> None:
    demo.report("2  Each registers a working key, signed by its root key.")
    for workspace in demo.workspaces.values():
        workspace.join(demo.ledger)
        commands.enrol(session, workspace)


def _be_born(demo: Demo, session: LedgerSession, demo_input: DemoInput) -> None:
    demo.report("3  The pack maker registers model and battery, corrects a typing error, and declares a health.")
    maker = demo.workspaces["packmaker"]
    rated_mah = RATED_MAH if demo_input.rated_ah is None else round(demo_input.rated_ah * 1000)
    commands.register_model(session, maker, _model(rated_mah))
    commands.register_battery(session, maker, BATTERY, "2003-05-17", "Demo plant 1")
    replacement = RegisterBattery(battery=BATTERY, manufactured_on="2013-05-17", facility="Demo plant 1")
    commands.correct_birth(session, maker, replacement, "typing_error")
    demo.report("     Built on 2003-05-17? Corrected to 2013-05-17: both stay on the record.")
    health = _declaration("state_of_health", DECLARED_HEALTH_PERMILLE)
    commands.attest(session, maker, _attested_by_word(DECLARED, health))
    demo.report(f"     Declared health: {DECLARED_HEALTH_PERMILLE / 10:.1f} % (a declaration: nobody measured it)")
    summary = maker.folder / "transport-test-summary.txt"
    summary.write_text("An invented summary of transport tests (UN 38.3).\n", encoding="utf-8")
    document = commands.Declaration("test_summary", digest_document("test_summary", summary))
    attested = replace(_attested_by_word(SUMMARY, document), standard=Standard(name=UN38_3_STANDARD, edition="Rev.8"))
    commands.attest(session, maker, attested)
    demo.report(f"     Transport test summary {SUMMARY} ({UN38_3_STANDARD}): by its digest, and as invented.")


def _declaration(quantity: str, permille: int) -> commands.Declaration:
    return commands.Declaration(quantity, {"quantity": quantity, "unit": "permille", "value": permille})


def _attested_by_word(reference: str, declared: commands.Declaration) -> commands.Attestation:
    moment = now_ms()
    return commands.Attestation(
        battery=BATTERY,
        reference=reference,
        evidence_class="declared",
        method=Method(name="declaration", version="1"),
        tested_from_ms=moment,
        tested_until_ms=moment,
        declarations=(declared,),
    )


def _model(rated_mah: int) -> RegisterModel:
    return RegisterModel(
        gtin=GTIN,
        category="ev",
        model="Demo pouch cell",
        chemistry="LMO/LNO-graphite",
        rated_capacity_mah=rated_mah,
        nominal_voltage_mv=NOMINAL_MV,
        voltage_min_mv=3_000,
        voltage_max_mv=4_200,
        mass_g=800,
    )


def _certify(demo: Demo, session: LedgerSession, demo_input: DemoInput, measurements: Sequence[Measurement]) -> None:
    demo.report("4  The laboratory imports the measurement, keeps the rows, and signs certificates.")
    laboratory = demo.workspaces["laboratory"]
    for number, measured in enumerate(_take_in(demo, demo_input, measurements), start=1):
        imported = measured.imported
        threshold = round(measured.rated_mah * _SHARE_OF_RATING)
        certification = Certification(
            battery=BATTERY,
            reference=f"TEST-{number}",
            standard=STANDARD,
            is_certificate=imported.evidence_class == "measured",
            valid_until_ms=now_ms() + 2 * YEAR_MS,
            predicates=predicates_of(imported, "capacity", threshold),
        )
        if not imported.results:
            demo.report(f"     {imported.source}: nothing could be determined, so nothing is attested")
            continue
        demo.certificates.append(attest_import(session, laboratory, imported, certification))


def _take_in(demo: Demo, demo_input: DemoInput, measurements: Sequence[Measurement]) -> list[_Measured]:
    measured, laboratory = [], demo.workspaces["laboratory"]
    if any(measurement.source.evidence_class == "simulated" for measurement in measurements):
        demo.report("     The real measurement is not here (the package index could not be reached):")
        demo.report("     what follows is SIMULATED, and says so on every page.")
    rated_mah = RATED_MAH if demo_input.rated_ah is None else round(demo_input.rated_ah * 1000)
    for measurement in measurements:
        rated = rated_mah if demo_input.data is None or demo_input.rated_ah is not None else None
        nominal_mv = NOMINAL_MV if demo_input.data is None else None  # of the demo's own model
        evaluation = evaluate_measurement(measurement, rated_mah=rated, nominal_mv=nominal_mv)
        _tell(demo, measurement, evaluation)
        measured.append(_Measured(take_in(laboratory, measurement, evaluation), rated_mah))
    return measured


def _read_measurements(demo_input: DemoInput) -> list[Measurement]:
    if demo_input.data is not None:
        return [import_measurement(demo_input.data)]
    distribution = find_measurement(demo_input.cache)
    if distribution is None:
        return [simulate_measurement()]
    return [open_reference_measurement(distribution, name) for name in (CAPACITY_FILE, PULSE_FILE)]


def _tell(demo: Demo, measurement: Measurement, evaluation: Evaluation) -> None:
    source = measurement.source
    demo.report(f"     {source.name}: {len(measurement)} rows, {source.evidence_class}; {evaluation.kind.kind}")
    for result in evaluation.results:
        interval = result.interval
        span = f"[{interval.low}, {interval.high}] {result.unit}"
        demo.report(f"       {result.quantity:<23} {interval.value:>8} {span}, {result.evidence_class}")
        if result.quantity == "state_of_health":
            demo.report("       That is capacity against a rating at another rate: not a certified state of health.")
    for missing in evaluation.undetermined:
        demo.report(f"       {missing.quantity:<23} not determinable: {missing.reason}")


def _offer_abroad(demo: Demo, session: LedgerSession) -> None:
    demo.report("5  The pack maker sells it abroad: he offers it, and the values reach the importer.")
    maker = demo.workspaces["packmaker"]
    charge = _attested_by_word(CHARGE, _declaration(STATE_OF_CHARGE_QUANTITY, CHARGE_PERMILLE))
    at_most = Predicate(quantity=STATE_OF_CHARGE_QUANTITY, comparison="at_most", threshold=CHARGE_MOST_PERMILLE)
    commands.attest(session, maker, replace(charge, predicates=(at_most,)))
    demo.report(
        f"     For the transport: state of charge at most {CHARGE_MOST_PERMILLE / 10:.0f} %, declared ({CHARGE})."
    )
    commands.offer_handover(session, maker, BATTERY, IMPORTER, HANDED_OVER)
    session.publish()  # what is shown is proven under a checkpoint
    _show_values(demo, session, IMPORTER)
    demo.report("     Laboratory and maker show him theirs; his node checks them before it keeps them.")


def _judge(demo: Demo, session: LedgerSession) -> None:
    """The importer's rule, judged on what he was shown, and recorded: a test that holds is not made again."""
    importer = demo.workspaces[IMPORTER]
    demo.report(f"6  His rule ({IMPORT_POLICY}): does the last test still hold, or is there a new one?")
    passport = PassportReader(demo.home, importer).passport(BATTERY, OWNER_VIEW)
    if passport is None:
        fail("the demonstration's battery is registered, and has no passport")
    judgement = judge(passport, load_policy(IMPORT_POLICY), today=today())
    record_verdict(session, importer, judgement, VERDICT_REFERENCE)
    demo.report(f"     {VERDICT_WORDS[judgement.verdict]}")
    for clause in judgement.clauses:
        if clause.state != "met":
            demo.report(f"       {clause.state}: {clause.name.replace('_', ' ')}")
    low, high = (minutes // 60 for minutes in load_assumptions().test_minutes)
    are = {"accept": "are avoided", "re_test": "are due"}.get(judgement.verdict, "may be due")
    demo.report(
        f"     {low} to {high} hours of testing {are}: our assumption. Recorded as {VERDICT_REFERENCE}, with reasons."
    )


def _hand_over(demo: Demo, session: LedgerSession) -> None:
    demo.report("7  The battery is handed over twice; each time both sides sign.")
    commands.answer_handover(session, demo.workspaces[IMPORTER], BATTERY, "accept")
    commands.offer_handover(session, demo.workspaces[IMPORTER], BATTERY, "buyer", HANDED_OVER)
    commands.answer_handover(session, demo.workspaces["buyer"], BATTERY, "accept")
    for giver, taker in (("packmaker", IMPORTER), (IMPORTER, "buyer")):
        demo.report(f"     {giver} -> {taker}: who holds it, who owns it, who answers for it")


def _witness(demo: Demo, session: LedgerSession, number: int) -> None:
    publication = session.publish()
    size = session.engine.head.log.size
    demo.report(
        f"{number} The log signs its checkpoint of {size} leaves; {publication.cosignatures} of 3 witnesses cosign."
    )


def _share(demo: Demo, session: LedgerSession, number: int) -> None:
    demo.report(
        f"{number} Laboratory and maker show the buyer their values too, under the checkpoint that was witnessed."
    )
    shown = _show_values(demo, session, "buyer")
    if shown:
        demo.bundle.write_bytes(shown[0])


def _show_values(demo: Demo, session: LedgerSession, to: str) -> list[bytes]:
    """The bundles of certificates and declaration with all their values, as the organisation received them."""
    sources = [("laboratory", receipted.digest) for receipted in demo.certificates]
    sources += [("packmaker", digest) for digest in _declarations(session)]
    bundles = []
    for name, issued in sources:
        wanted = Wanted(issued, 0, None, session.engine.state)
        bundles.append(export_bundle(session.store, demo.workspaces[name], wanted))
        receive_bundle(demo.workspaces[to], bundles[-1], demo.home.trust)
    return bundles if demo.certificates else []


def _declarations(session: LedgerSession) -> list[Digest]:
    """The statements by which the maker attested what he did not measure."""
    values = (session.store.get(attestation_key("packmaker", reference)) for reference in (DECLARED, SUMMARY, CHARGE))
    known = (decode_record(AttestationRecord, value) for value in values if value is not None)
    return [Digest(bytes.fromhex(one.provenance.statement)) for one in known]
