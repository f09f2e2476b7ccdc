"""Passports to show: every case a page is designed for, as views made by hand."""

from __future__ import annotations

from dataclasses import replace

from cellvow.passport.coverage import Signed, derive_coverage
from cellvow.passport.view import (
    Anchoring,
    Attested,
    Audience,
    Backfill,
    Curve,
    DisputeSeen,
    Ended,
    Fact,
    IncidentSeen,
    LifeStep,
    Measured,
    NoticeSeen,
    Parties,
    PartLeft,
    Parts,
    PartSeen,
    Passport,
    Register,
    Relative,
    Relatives,
    Safety,
    Scope,
    Source,
    UseFact,
)
from cellvow.web import PageLinks

GTIN = "09506000134376"
SERIAL = "PACK-0001"
BATTERY = f"01/{GTIN}/21/{SERIAL}"
DIGITAL_LINK = f"https://passports.example/{BATTERY}"

NOON_MS = 1_795_521_600_000
"""24 November 2026, 12:00 UTC."""
DAY_MS = 86_400_000
HOSTILE = "<script>alert(1)</script>\u202e\"'><img src=x onerror=alert(2)>{t}{{ t }}\x07"
LONG = "Gesellschaft-fuer-wiederverwendete-Antriebsbatterien-und-Speicher-mit-beschraenkter-Haftung"


def source(organisation: str, name: str, number: int, days_ago: int = 0) -> Source:
    """Statement `number` of somebody, recorded so many days before the checkpoint."""
    return Source(organisation, name, f"{number:016x}{'0' * 48}", 0, number, NOON_MS - days_ago * DAY_MS)


BIRTH = source("nordpack", "Nordpack (invented)", 2, 400)
CORRECTION = source("nordpack", "Nordpack (invented)", 3, 399)
DECLARED = source("nordpack", "Nordpack (invented)", 4, 399)
TESTED = source("cellab", "Cellab (invented)", 6, 20)
OFFERED = source("autowerk", "Autowerk (invented)", 7, 10)
RETESTED = source("cellab", "Cellab (invented)", 9, 5)
SOLD = source("nordpack", "Nordpack (invented)", 10, 200)
BOUGHT = source("autowerk", "Autowerk (invented)", 11, 199)
ACCEPTED = source("secondlife", "Secondlife (invented)", 8, 9)
MODEL = source("nordpack", "Nordpack (invented)", 1, 500)

MODEL_FACTS = (
    Fact("model", "Leaf-shaped pouch cell", None, MODEL),
    Fact("chemistry", "LMO/LNO-graphite", None, MODEL),
    Fact("category", "ev", None, MODEL),
    Fact("rated_capacity_mah", 33_100, "mAh", MODEL),
    Fact("nominal_voltage_mv", 3_750, "mV", MODEL),
    Fact("voltage_min_mv", 2_500, "mV", MODEL),
    Fact("voltage_max_mv", 4_200, "mV", MODEL),
    Fact("mass_g", 787, "g", MODEL),
)
IDENTITY = (
    Fact("maker", "Nordpack (invented)", None, CORRECTION),
    Fact("manufactured_on", "2013-05-17", None, CORRECTION, "2031-05-17"),
)
CONDITIONS = (
    ("averaged_over", "4"),
    ("c_rate_basis", "rated capacity"),
    ("c_rate_permille", "1001"),
    ("current_ua", "33150000"),
    ("first_row", "120"),
    ("last_row", "9310"),
    ("soc_high_permille", "1000"),
    ("soc_low_permille", "0"),
    ("temperature_basis", "declared, not recorded"),
    ("temperature_mc", "25000"),
    ("v_max_mv", "4200"),
    ("v_min_mv", "2500"),
)
HIDDEN = tuple(Measured(name, "", None, None, None, None) for name in ("capacity", "energy", "discharge_curve"))
CERTIFICATE = Attested(
    reference="TEST-1",
    is_certificate=True,
    evidence_class="measured",
    standard="cellvow:dc-discharge",
    edition="1",
    method="cellvow.evidence 0.1.0",
    tested_until_ms=TESTED.time_ms,
    valid_until_ms=NOON_MS + 700 * DAY_MS,
    state="issued",
    measured=HIDDEN,
    predicates=(("capacity", "at_least", 26_480),),
    source=TESTED,
)
DISCLOSED = (
    Measured("capacity", "mAh", 30_300, 30_150, 30_450, 950, CONDITIONS),
    Measured("energy", "mWh", 112_400, 111_800, 113_000, 950, CONDITIONS),
    Measured("resistance_10s", "uohm", 2_600, 2_550, 2_650, 950, (("averaged_over", "3"), ("first_row", "None"))),
    Measured(
        "state_of_health",
        "permille",
        915,
        911,
        920,
        950,
        (*CONDITIONS, ("caveat", "one full discharge only: how well it repeats is not known")),
    ),
    Measured("discharge_curve", "", None, None, None, None),
)
DECLARATION = Attested(
    reference="DECLARED-1",
    is_certificate=False,
    evidence_class="declared",
    standard=None,
    edition=None,
    method="declaration 1",
    tested_until_ms=DECLARED.time_ms,
    valid_until_ms=None,
    state="issued",
    measured=(Measured("state_of_health", "permille", 960, None, None, None),),
    predicates=(),
    source=DECLARED,
)
CURVE = Curve(
    tuple((step * 514, round(4_180 - step * 9 - step**5 / 900_000)) for step in range(60)),
    TESTED,
)
LIFE = (
    LifeStep("BatteryRegistered", (("manufactured_on", "2031-05-17"),), BIRTH, corrected=True),
    LifeStep("StatementCorrected", (("cause", "typing_error"), ("manufactured_on", "2013-05-17")), CORRECTION),
    LifeStep("AttestationIssued", (("reference", "DECLARED-1"),), DECLARED),
    LifeStep(
        "HandoverOffered",
        (("addressee", "Autowerk (invented)"), ("registers", "custody, ownership, responsibility")),
        SOLD,
    ),
    LifeStep("HandoverAccepted", (), BOUGHT),
    LifeStep("CertificateIssued", (("reference", "TEST-1"),), TESTED),
    LifeStep(
        "HandoverOffered",
        (("addressee", "Secondlife (invented)"), ("registers", "custody, ownership, responsibility")),
        OFFERED,
    ),
    LifeStep("HandoverAccepted", (), ACCEPTED),
    LifeStep("CertificateIssued", (("reference", "TEST-2"),), RETESTED),
)
ANCHORING = Anchoring("cellvow-example", "log.example/passports", 12, ("witness.example/north",), 9, NOON_MS)


def registers(*names: str) -> tuple[Register, ...]:
    """The buyer in the named registers since the hand-over."""
    holder = ("secondlife", "Secondlife (invented)", ACCEPTED.time_ms, ACCEPTED, "HandoverAccepted")
    return tuple(Register(name, *holder) for name in names)


STRANGER = Passport(
    battery=BATTERY,
    audience=Audience.PUBLIC,
    status="original",
    model=MODEL_FACTS,
    identity=IDENTITY,
    registers=registers("responsibility"),
    attestations=(CERTIFICATE,),
    life=(),
    curve=None,
    anchoring=ANCHORING,
    is_simulated=False,
    certificate_in_force=True,
)
OWNER = replace(
    STRANGER,
    audience=Audience.OWNER,
    identity=(*IDENTITY, Fact("facility", "Demo plant 1", None, CORRECTION)),
    registers=registers("custody", "ownership", "responsibility"),
    attestations=(
        DECLARATION,
        replace(CERTIFICATE, measured=DISCLOSED),
        replace(CERTIFICATE, reference="TEST-2", measured=DISCLOSED[2:3], predicates=(), source=RETESTED),
    ),
    life=LIFE,
    curve=CURVE,
)
NEWBORN = replace(
    OWNER,
    identity=(Fact("maker", "Nordpack (invented)", None, BIRTH), Fact("manufactured_on", "2026-11-23", None, BIRTH)),
    registers=tuple(
        Register(name, "nordpack", "Nordpack (invented)", BIRTH.time_ms, BIRTH, "BatteryRegistered")
        for name in ("custody", "ownership", "responsibility")
    ),
    attestations=(),
    life=(LifeStep("BatteryRegistered", (("manufactured_on", "2026-11-23"),), BIRTH),),
    curve=None,
    anchoring=replace(ANCHORING, witnesses=(), size=0),
    certificate_in_force=False,
)
BARE = replace(NEWBORN, model=(), identity=(), registers=(), life=(), audience=Audience.OWNER)
ENDED = replace(
    STRANGER,
    attestations=(
        replace(CERTIFICATE, state="revoked"),
        replace(CERTIFICATE, state="invalidated", reference="TEST-0", valid_until_ms=None, standard=None, edition=None),
    ),
    anchoring=replace(ANCHORING, witnesses=()),
    certificate_in_force=False,
)
SIMULATED = replace(
    OWNER,
    attestations=(replace(CERTIFICATE, evidence_class="simulated", is_certificate=False, measured=DISCLOSED[:1]),),
    is_simulated=True,
    certificate_in_force=False,
)
LONG_NAMES = replace(
    OWNER,
    model=tuple(
        replace(fact, value=LONG) if fact.unit is None and fact.name != "category" else fact for fact in MODEL_FACTS
    ),
    registers=tuple(replace(one, name=LONG) for one in OWNER.registers),
    attestations=tuple(replace(one, source=replace(one.source, name=LONG)) for one in OWNER.attestations),
    life=tuple(replace(one, source=replace(one.source, name=LONG)) for one in LIFE),
)
MANY_STEPS = replace(
    OWNER,
    life=tuple(
        LifeStep(
            "AttestationRevoked", (("reference", f"TEST-{number}"),), source("cellab", "Cellab (invented)", number)
        )
        for number in range(10, 210)
    ),
)
PURCHASER = replace(OWNER, audience=Audience.PURCHASER, scope=(Scope.HEALTH, Scope.HISTORY), identity=IDENTITY)
HEALTH_ONLY = replace(PURCHASER, scope=(Scope.HEALTH,), life=(), registers=STRANGER.registers)
RECONSTRUCTED = replace(
    STRANGER,
    backfill=Backfill("estimated", "serial plate and workshop file 7", BIRTH, corrected=True),
)
TWO_DEFINITIONS = replace(
    OWNER,
    attestations=(
        DECLARATION,
        replace(
            CERTIFICATE,
            measured=(*DISCLOSED, Measured("state_of_health_energy", "permille", 903, 897, 909, 950, CONDITIONS)),
        ),
    ),
)
MANY_TESTS = replace(
    OWNER,
    attestations=(
        DECLARATION,
        *(
            replace(
                CERTIFICATE,
                reference=f"TEST-{number}",
                measured=TWO_DEFINITIONS.attestations[1].measured,
                state="superseded" if number < 12 else "issued",
                source=source("cellab", "Cellab (invented)", 300 + number, 400 - 30 * number),
            )
            for number in range(1, 13)
        ),
    ),
    life=tuple(
        LifeStep(
            "HandoverOffered",
            (("addressee", "Autowerk (invented)"), ("registers", "custody, ownership, responsibility")),
            source("nordpack", "Nordpack (invented)", number, 400),
        )
        for number in range(400, 460)
    ),
)
"""Twelve certificates with six values each and sixty steps: more than a page holds."""
REPORTED = source("autowerk", "Autowerk (invented)", 20, 4)
ASSESSED = source("cellab", "Cellab (invented)", 21, 3)
CLAIMED = source("nebenwerk", "Nebenwerk (invented)", 22, 2)
BEGUN = source("secondlife", "Secondlife (invented)", 23, 1)
SERVICED = source("werkstatt", "Werkstatt (invented)", 24, 6)
SAFETY = Safety(
    state="danger",
    since_ms=ASSESSED.time_ms,
    is_assessed=True,
    name=ASSESSED.name,
    source=ASSESSED,
    incidents=(
        IncidentSeen("swelling", "danger", REPORTED),
        *(IncidentSeen("impact", "note", replace(REPORTED, index=index)) for index in (1, 2)),
    ),
    incidents_open=4,
)
CLONE = DisputeSeen("cloned_serial", "open", True, True, CLAIMED.time_ms, None)
OVER_OWNERSHIP = DisputeSeen("ownership", "open", False, False, CLAIMED.time_ms, None, ("ownership",))
WITHDRAWN = DisputeSeen("custody", "withdrawn", False, False, BOUGHT.time_ms, None)
DECIDED = DisputeSeen("safety", "decided", False, False, BOUGHT.time_ms, "upheld")
PARTIES = Parties("Nebenwerk (invented)", "CLAIM-1", "Nordpack (invented)", 2, CLAIMED)
NOTICE = NoticeSeen(
    CLAIMED.time_ms,
    CLAIMED.time_ms + 30 * DAY_MS,
    "insolvent",
    "Nebenwerk (invented)",
    "Secondlife (invented)",
    CLAIMED,
)


def unit(kind: str, number: int = 1) -> str:
    """A unit of another model."""
    return f"01/04012345678901/21/{kind}-{number:04}"


RELATIVES = Relatives(
    originals=tuple(Relative(unit("OLD", number), "repurpose", BEGUN.time_ms, BEGUN) for number in range(1, 9)),
    originals_all=20,
)
BECAME = Relatives(successors=(Relative(unit("NEW"), "reuse", BEGUN.time_ms, BEGUN),), successors_all=1)
USE = (
    UseFact("installed", (("into", "vehicle"), ("day", "2026-11-14")), ACCEPTED),
    UseFact("next_service", (("day", "2027-05-14"), ("by", "Werkstatt (invented)")), SERVICED),
    UseFact("work", (("work", "repair"), ("day", "2026-11-18"), ("reference", "W-1")), SERVICED),
    UseFact("software_reset", (("component", "bms"), ("release", "open-bms 2.1")), BEGUN),
    UseFact("maker_released", (("by", "Secondlife (invented)"),), BEGUN),
    UseFact("grade", (("grade", "B"), ("applications", "backup_power, home_storage")), BEGUN),
    UseFact(
        "document",
        (("reference", "M-1"), ("version", "2"), ("title", "How to open it"), ("roles", "recycler, workshop")),
        BIRTH,
    ),
)
PARTS = Parts(
    above=(unit("RACK"),),
    parts=tuple(
        part
        for module in range(1, 3)
        for part in (
            PartSeen(unit("MODULE", module), f"slot {module}", "module", 0, SERVICED.time_ms),
            *(
                PartSeen(unit("CELL", 24 * module + cell), f"{cell}", "cell", 1, SERVICED.time_ms)
                for cell in range(1, 25)
            ),
        )
    ),
    direct=12,
    is_cut=True,
    left=(PartLeft(unit("MODULE", 9), unit("MODULE", 2), "slot 2", "defective", SERVICED),),
)
"""Fifty parts are what a view holds."""
CLONED = replace(STRANGER, safety=SAFETY, disputes=(CLONE, WITHDRAWN, DECIDED), notice=NoticeSeen(NOON_MS, NOON_MS))
_TOLD = (("message", "RegisterBattery"), ("reference", "CLAIM-1"), ("topic", "cloned_serial"))
FULL = replace(
    MANY_TESTS,
    life=(*MANY_TESTS.life[:-1], LifeStep("DisputeOpened", _TOLD, CLAIMED, claimed="RegisterBattery")),
    safety=SAFETY,
    disputes=tuple(replace(one, parties=PARTIES) for one in (CLONE, OVER_OWNERSHIP, OVER_OWNERSHIP, WITHDRAWN)),
    notice=NOTICE,
    relatives=RELATIVES,
    use=(*USE, *(USE[-1] for _ in range(9))),
    parts=PARTS,
    coverage=derive_coverage(
        [Signed(kind, BIRTH) for kind in ("RegisterBattery", "IssueAttestation", "InstallPart", "RecordWork")]
    ),
)
"""Everything that can be on a page at once."""
SUCCEEDED = replace(OWNER, ended=Ended("succeeded", BEGUN), relatives=BECAME)


def hostile_source(number: int) -> Source:
    """A source whose every text is an attack; the statement's digest too."""
    return Source(HOSTILE, HOSTILE, HOSTILE, number, number, NOON_MS)


_HOSTILE_VALUES = tuple(
    Measured(
        name, HOSTILE, value, value, value, 950, ((HOSTILE, HOSTILE), ("caveat", HOSTILE), ("current_ua", HOSTILE))
    )
    for name in (HOSTILE, "capacity")
    for value in (30_300, None)
)
HOSTILE_PASSPORT = Passport(
    battery=f"01/{GTIN}/21/{HOSTILE}",
    audience=Audience.OWNER,
    status=HOSTILE,
    model=tuple(Fact(fact.name, HOSTILE, HOSTILE, hostile_source(1), HOSTILE[:-1]) for fact in MODEL_FACTS),
    identity=(
        Fact("maker", HOSTILE, None, hostile_source(2)),
        Fact("manufactured_on", HOSTILE, None, hostile_source(2), HOSTILE[:-1]),
        Fact(HOSTILE, 7, HOSTILE, hostile_source(2)),
    ),
    registers=tuple(
        Register(name, HOSTILE, HOSTILE, NOON_MS, hostile_source(3), HOSTILE) for name in ("responsibility", HOSTILE)
    ),
    attestations=tuple(
        Attested(
            reference=HOSTILE,
            is_certificate=is_certificate,
            evidence_class=HOSTILE,
            standard=HOSTILE,
            edition=HOSTILE,
            method=HOSTILE,
            tested_until_ms=NOON_MS,
            valid_until_ms=2**53 - 1,
            state=HOSTILE,
            measured=_HOSTILE_VALUES,
            predicates=((HOSTILE, HOSTILE, 1), ("capacity", "at_most", 1)),
            source=hostile_source(4),
        )
        for is_certificate in (True, False)
    ),
    life=(
        LifeStep(HOSTILE, ((HOSTILE, HOSTILE),), hostile_source(5)),
        LifeStep("BatteryRegistered", (("manufactured_on", HOSTILE),), hostile_source(5), corrected=True),
        LifeStep("StatementCorrected", (("cause", HOSTILE), ("reference", HOSTILE)), hostile_source(5)),
        LifeStep(
            "HandoverOffered", (("addressee", HOSTILE), ("registers", HOSTILE), ("name", HOSTILE)), hostile_source(5)
        ),
    ),
    curve=replace(CURVE, source=hostile_source(6)),
    backfill=Backfill(HOSTILE, HOSTILE, hostile_source(2)),
    safety=Safety(
        HOSTILE, NOON_MS, True, HOSTILE, hostile_source(7), (IncidentSeen(HOSTILE, HOSTILE, hostile_source(7)),), 2
    ),
    disputes=(
        DisputeSeen(
            HOSTILE, "open", True, True, NOON_MS, None, (HOSTILE,), Parties(HOSTILE, HOSTILE, HOSTILE, 1, None)
        ),
        DisputeSeen(HOSTILE, HOSTILE, True, False, NOON_MS, HOSTILE),
    ),
    notice=NoticeSeen(NOON_MS, NOON_MS, HOSTILE, HOSTILE, HOSTILE, hostile_source(8)),
    relatives=Relatives((Relative(HOSTILE * 2, HOSTILE, NOON_MS, hostile_source(9)),), (), 1),
    use=(
        UseFact(HOSTILE, ((HOSTILE, HOSTILE),), hostile_source(10)),
        UseFact("work", (("work", HOSTILE), ("day", HOSTILE), ("reference", HOSTILE)), None),
        UseFact("grade", (("grade", HOSTILE), ("applications", HOSTILE)), None),
    ),
    parts=Parts(
        (HOSTILE * 2,),
        (PartSeen(HOSTILE * 2, HOSTILE, HOSTILE, 0, NOON_MS),),
        1,
        is_cut=False,
        left=(PartLeft(HOSTILE * 2, HOSTILE * 2, HOSTILE, HOSTILE, hostile_source(11)),),
    ),
    anchoring=Anchoring(HOSTILE, HOSTILE, 12, (HOSTILE, HOSTILE), 9, NOON_MS),
    is_simulated=True,
    certificate_in_force=True,
)

SAMPLES = {
    "bare": BARE,
    "cloned": CLONED,
    "ended": ENDED,
    "full": FULL,
    "hostile": HOSTILE_PASSPORT,
    "long_names": LONG_NAMES,
    "health_only": HEALTH_ONLY,
    "many_steps": MANY_STEPS,
    "many_tests": MANY_TESTS,
    "newborn": NEWBORN,
    "owner": OWNER,
    "purchaser": PURCHASER,
    "reconstructed": RECONSTRUCTED,
    "simulated": SIMULATED,
    "stranger": STRANGER,
    "succeeded": SUCCEEDED,
    "two_definitions": TWO_DEFINITIONS,
}


def links_for(passport: Passport) -> PageLinks:
    """Links as a server gives them: a stranger may not take the proof of a correction or a hand-over."""
    closed = () if passport.audience is Audience.OWNER else (CORRECTION.statement, ACCEPTED.statement)

    def bundle_of(statement: str, index: int) -> str | None:
        return None if statement in closed else f"{SERIAL}/bundle/{statement[:16]}/{index}"

    return PageLinks(
        digital_link=DIGITAL_LINK,
        bundle_of=bundle_of,
        passport_of=lambda battery: f"/{battery}",
        all_tests=f"/{BATTERY}?see=tests",
        all_use=f"/{BATTERY}?see=use",
        all_parts=f"/{BATTERY}?see=parts",
        home="/",
        languages=(("en", "?lang=en"), ("de", "?lang=de"), ("pt_BR", "?lang=pt_BR")),
        witness_note="one_demo",
        short="https://passports.example/s/0000-0000-0000",
        verdict=f"/{BATTERY}/verdict",
        words="/verify/words?lang=en",
    )
