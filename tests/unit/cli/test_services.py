"""`cellvow service`: a unit in use by the command line, and what each reader is shown of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from cellvow.cli import services
from cellvow.core.contracts import safety, software, use
from cellvow.core.ledger.genesis import ROLES
from tests.unit.cli.service_world import BATTERY, DAY_MS, hand_over, make_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

pytestmark = pytest.mark.slow
VIN = "WVWZZZ1KZAW000001"
TODAY = "2027-01-15"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """The maker holds the battery; it is 15 January 2027."""
    return make_service(tmp_path, monkeypatch)


def install(world: Deciding, *words: str) -> None:
    """The maker builds the battery into a vehicle."""
    world.do("service", "install", BATTERY, "--into", "vehicle", "--place", VIN, *words, who="maker")


def events(answer: dict[str, object]) -> list[object]:
    """The types of what was recorded."""
    recorded = answer["events"]
    assert isinstance(recorded, list)
    return [one["type"] for one in recorded]


def test_the_words_of_the_commands_are_the_contracts() -> None:
    """An option offers what the ledger takes, no more and no less."""
    for offered, taken in (
        (services.Purpose, use.Purpose),
        (services.RemovalCause, use.RemovalCause),
        (services.WorkKind, use.WorkKind),
        (services.Component, software.Component),
        (services.Severity, safety.Severity),
        (services.SafetyState, safety.SafetyState),
        (services.IncidentKind, safety.IncidentKind),
    ):
        assert get_args(offered) == get_args(taken)
    assert tuple(map(str, services.Reader)) == ROLES


def test_the_vehicles_number_stays_in_the_holders_vault(world: Deciding) -> None:
    """The holder is shown it, another member what it went into, and the node's files hold it nowhere."""
    install(world)
    held = world.read("service", "show", BATTERY, who="maker")
    seen = world.do("service", "show", BATTERY, who="workshop")
    stored = b"".join(file.read_bytes() for file in (world.folder / "node").rglob("*") if file.is_file())

    assert f"in a vehicle {VIN} (you know which) since {TODAY}, says maker" in held
    assert (seen["installation"]["into"], seen["place"]) == ("vehicle", None)
    assert seen["installation"]["place"]["commitment"].encode() in stored
    assert VIN.encode() not in stored


def test_a_stranger_sees_safety_and_software_and_no_place(world: Deciding) -> None:
    """Whoever has no workspace is shown what is the world's."""
    install(world)
    world.do("service", "software", BATTERY, "--release", "1.4.2", "--digest", "ab" * 32, who="maker")
    told = world.do("service", "show", BATTERY, "--ledger", str(world.folder / "node"))

    assert (told["installation"], told["order"], told["service"]) == (None, None, None)
    assert told["software"][0]["release"] == "1.4.2"


def test_a_removal_says_when_and_by_whom(world: Deciding) -> None:
    """Today, unless told otherwise."""
    install(world, "--on", "2027-01-02")
    removed = world.do("service", "remove", BATTERY, "--cause", "service", who="maker")

    assert events(removed) == ["BatteryUninstalled"]
    assert f"taken out of a vehicle {VIN} (you know which) on {TODAY}" in world.read(
        "service", "show", BATTERY, who="maker"
    )


def test_an_order_lets_a_workshop_repair_what_it_does_not_hold(world: Deciding) -> None:
    """Without it the command names the rule; with it the repair is recorded, and the next service set."""
    words = ("service", "work", BATTERY, "--reference", "W-1", "--kind", "repair", "--text", "New contactor")
    refused = world.run(*words, who="workshop")
    world.do(
        "service", "order", BATTERY, "--to", "workshop", "--kind", "repair", "--text", "Contactor sticks", who="maker"
    )
    ordered = world.read("service", "show", BATTERY, who="workshop")
    done = world.do(*words, "--next", "2027-07-01", who="workshop")
    shown = world.read("service", "show", BATTERY, who="maker")

    assert refused.exit_code == 3
    assert "code 1210" in refused.stderr
    assert "repair of workshop, by maker" in ordered
    assert events(done) == ["WorkRecorded"]
    assert f"repair on {TODAY} by workshop (W-1); next 2027-07-01, set by workshop" in shown


def test_an_order_is_cancelled(world: Deciding) -> None:
    """Where there is none, that is said before anything is signed."""
    none = world.run("service", "cancel", BATTERY, who="maker")
    world.do("service", "order", BATTERY, "--to", "workshop", "--kind", "repair", "--text", "Look", who="maker")

    assert none.exit_code == 3
    assert events(world.do("service", "cancel", BATTERY, who="maker")) == ["WorkOrderWithdrawn"]
    assert "ordered" not in world.read("service", "show", BATTERY, who="maker")


def test_a_service_that_was_due_is_told(world: Deciding) -> None:
    """In words and for scripts, from the day after."""
    words = ("service", "work", BATTERY, "--reference", "W-1", "--kind", "maintenance", "--text", "Coolant")
    world.do(*words, "--next", "2027-01-20", who="maker")
    before = world.do("service", "show", BATTERY, who="maker")
    world.now_ms += 6 * DAY_MS
    after = world.read("service", "show", BATTERY, who="maker")

    assert before["is_service_overdue"] is False
    assert "was due 2027-01-20" in after
    assert world.do("service", "show", BATTERY, who="maker")["is_service_overdue"] is True


def publish(world: Deciding, version: int, *roles: str) -> None:
    """The maker publishes a version of a manual for the model."""
    file = world.folder / f"manual-{version}.pdf"
    file.write_bytes(b"%PDF manual " + bytes(str(version), "ascii"))
    named = [word for role in roles for word in ("--role", role)]
    words = ("--reference", "MANUAL-1", "--version", str(version), "--title", "Replacing a module", "--file", str(file))
    world.do("service", "document", BATTERY[3:17], *words, *named, who="maker")


def test_documents_are_shown_by_role_with_all_their_versions(world: Deciding) -> None:
    """The workshop sees the manual of the unit's model, the laboratory does not, and its publisher always."""
    publish(world, 1, "workshop")
    publish(world, 2, "recycler", "workshop")
    shown = {who: world.do("service", "show", BATTERY, who=who)["documents"] for who in ("workshop", "lab", "maker")}

    assert (len(shown["workshop"]), shown["lab"], len(shown["maker"])) == (1, [], 1)
    (manual,) = shown["workshop"]
    assert (manual["version"], manual["roles"], manual["about"]) == (2, ["workshop", "recycler"], BATTERY[3:17])
    assert [one["version"] for one in manual["versions"]] == [1, 2]
    assert "maker/MANUAL-1" in world.read("service", "show", BATTERY, who="workshop")


def test_a_document_is_given_to_its_roles_only_and_checked_by_who_gets_it(world: Deciding) -> None:
    """The workshop gets and checks it, and learns of a newer version; the laboratory gets nothing."""
    publish(world, 1, "workshop")
    given, opened = world.folder / "manual.cvd", world.folder / "opened.pdf"
    world.do("service", "give", "MANUAL-1", "--to", "workshop", "--out", str(given), who="maker")
    refused = world.run("service", "give", "MANUAL-1", "--to", "lab", "--out", str(world.folder / "no"), who="maker")
    unknown = world.run("service", "give", "MANUAL-9", "--to", "lab", "--out", str(world.folder / "no"), who="maker")
    checked = world.do("service", "check", str(given), "--out", str(opened), who="workshop")
    publish(world, 2, "workshop")
    outdated = world.read("service", "check", str(given), "--ledger", str(world.folder / "node"))

    assert (refused.exit_code, unknown.exit_code, (world.folder / "no").exists()) == (5, 5, False)
    assert "lab is no workshop" in " ".join(refused.stderr.split())
    assert (checked["version"], checked["newest"]) == (1, 1)
    assert opened.read_bytes() == b"%PDF manual 1"
    assert "It is what was published. Version 2 is out: ask maker for it." in outdated


def test_a_document_that_was_changed_on_its_way_does_not_hold(world: Deciding) -> None:
    """Any flipped bit of what it says or holds is refused; control: untouched it holds."""
    publish(world, 1, "workshop")
    given = world.folder / "manual.cvd"
    world.do("service", "give", "MANUAL-1", "--to", "workshop", "--out", str(given), who="maker")
    sound = given.read_bytes()
    codes = []
    for place in range(0, len(sound), 7):
        given.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        codes.append(world.run("service", "check", str(given), who="workshop").exit_code)
    given.write_bytes(sound)

    assert len(codes) > 20
    assert set(codes) <= {1, 4}
    assert world.run("service", "check", str(given), who="workshop").exit_code == 0


def test_a_reset_by_who_prepares_the_unit_releases_its_maker(world: Deciding) -> None:
    """And the page says since when; the maker's own attempt is refused."""
    words = ("service", "reset", BATTERY, "--release", "2.0", "--digest", "cd" * 32)
    assert world.run(*words, who="maker").exit_code == 3
    hand_over(world, "maker", "second")
    file = world.folder / "bms.bin"
    file.write_bytes(b"software")
    reset = world.do("service", "reset", BATTERY, "--release", "2.0", "--file", str(file), who="second")
    shown = world.read("service", "show", BATTERY, who="maker")

    assert events(reset) == ["SoftwareReset"]
    assert f"reset to 2.0, by second since {TODAY}; its maker is released since {TODAY}" in shown


def test_a_danger_is_seen_by_everybody_until_it_is_assessed(world: Deciding) -> None:
    """Reported without custody, under a name; closed by a laboratory."""
    words = ("--reference", "I-3", "--kind", "overheating", "--severity", "danger", "--text", "Hot while charging")
    node = ("--ledger", str(world.folder / "node"))
    quiet = world.read("service", "show", BATTERY, *node)
    world.do("service", "incident", BATTERY, *words, who="workshop")
    alarmed = world.read("service", "show", BATTERY, *node)
    assert "Caution. Says Workshop, since 15 January 2027." in world.read("passport", BATTERY, *node)
    assess = ("service", "assess", BATTERY, "--state", "safe", "--text", "Sensor fault")
    world.do(*assess, who="lab")
    unnamed = world.read("service", "show", BATTERY, *node)
    world.do(*assess, "--closes", "workshop/I-3", who="lab")

    assert "nothing was ever reported or assessed" in quiet
    assert "Assessed as safe. Says Lab, since 15 January 2027." in world.read("passport", BATTERY, *node)
    assert "caution, says workshop since" in alarmed
    assert "workshop/I-3 overheating danger" in alarmed
    assert "caution, says lab since" in unnamed
    assert "lab had found it safe" in unnamed
    assert "safe, says lab since" in world.read("service", "show", BATTERY, *node)


def test_reports_are_kept_with_their_digest(world: Deciding) -> None:
    """A file goes into the vault; one that is not there is told."""
    words = ("service", "work", BATTERY, "--reference", "W-1", "--kind", "inspection")
    file = world.folder / "report.pdf"
    missing = world.run(*words, "--report", str(file), who="workshop")
    file.write_bytes(b"")
    empty = world.run(*words, "--report", str(file), who="workshop")
    file.write_bytes(b"%PDF")

    assert (missing.exit_code, empty.exit_code) == (5, 4)
    assert events(world.do(*words, "--report", str(file), who="workshop")) == ["WorkRecorded"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("work", BATTERY, "--reference", "W-1", "--kind", "repair"), 2, "--report FILE or as --text"),
        (("software", BATTERY, "--release", "1"), 2, "--file FILE or by its --digest"),
        (("software", BATTERY, "--release", "1", "--digest", "AB"), 2, "64 hexadecimal digits"),
        (("assess", BATTERY, "--state", "safe", "--text", "x", "--closes", "I-3"), 2, "ORGANISATION/REF"),
        (("assess", BATTERY, "--state", "fine", "--text", "x"), 2, "fine"),
        (("install", BATTERY, "--into", "vehicle", "--place", ""), 4, "1 to 200 characters"),
        (("install", BATTERY, "--into", "vehicle", "--place", VIN, "--on", "yesterday"), 4, "installed_on"),
        (("install", BATTERY, "--into", "vehicle", "--place", VIN, "--on", "2027-01-16"), 3, "code 1206"),
        (("work", BATTERY, "--reference", "W-1", "--kind", "repair", "--text", " "), 4, "empty text"),
        (("show", BATTERY.replace("0001", "0009")), 3, "no battery with this identifier"),
        (("show", "PACK-0001"), 4, "battery identifier"),
    ],
)
def test_wrong_words_are_explained(world: Deciding, words: tuple[str, ...], code: int, said: str) -> None:
    """Before anything is signed where that can be, with what to type instead."""
    result = world.run("service", *words, who="maker")

    assert result.exit_code == code
    assert said in " ".join(result.stderr.split())
