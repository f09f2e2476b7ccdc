"""`cellvow life`: from the fleet's old unit to a new one in another company, to its end, and what was diverted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest

from cellvow.cli import lives as lives_commands
from cellvow.cli.failures import WrongUsage
from cellvow.cli.parsing import parse_share
from cellvow.core.contracts import life, lineage
from cellvow.core.contracts import second_life as second_life_contract
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.home import NodeHome
from cellvow.workspace import clock, commands, second_life
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.second_life import SecondLife, Share, plan_second_life
from cellvow.workspace.workspace import Workspace
from tests import lives, messages
from tests.unit.cli.deciding_world import Deciding

if TYPE_CHECKING:
    from pathlib import Path

PACK, HOME = "01/09506000134376/21/PACK-0001", "01/09506000134352/21/HOME-0001"
GARAGE = "01/09506000134352/21/HOME-0002"
MODEL = ("--name", "P", "--chemistry", "LFP", "--rated-ah", "33", "--voltage-mv", "3000", "3700", "4200")
MEMBERS = {"maker": "manufacturer", "reuse": "second_life_operator", "green": "recycler"}
BIRTH = ("--manufactured-on", "2026-05-17", "--facility", "Porto")


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A maker with a pack of 787 kg, a second-life operator with a model of his own, and a recycler."""
    world = Deciding(tmp_path)
    for module in (clock, commands, second_life):
        monkeypatch.setattr(module, "now_ms", lambda: world.now_ms)
    workspaces = [Workspace.create(tmp_path / one, one, one.title(), [role]) for one, role in sorted(MEMBERS.items())]
    genesis = Genesis("lives.example", 1_000, NEWEST, tuple(one.member() for one in workspaces))
    home = NodeHome.create(tmp_path / "node", genesis, "test.example/lives", bytes(range(32)))
    with home.open_session(lambda: world.now_ms) as session:
        for workspace in workspaces:
            workspace.join(tmp_path / "node")
            commands.enrol(session, workspace)
            workspace.close()
    for who, gtin, mass in (("maker", PACK[3:17], "787000"), ("reuse", HOME[3:17], "400000")):
        world.do("battery", "model", gtin, "--category", "ev", *MODEL, "--mass-g", mass, who=who)
    world.do("battery", "new", PACK, "--manufactured-on", "2020-05-17", "--facility", "Plant 1", who="maker")
    return world


def move(chain: Deciding, battery: str, giver: str, taker: str) -> None:
    """Hand a unit over with all three registers."""
    chain.do("handover", "offer", battery, "--to", taker, who=giver)
    chain.do("handover", "accept", battery, who=taker)


@pytest.mark.slow
def test_a_unit_lives_twice_and_ends_and_the_sums_say_so(chain: Deciding) -> None:
    """Out of use, handed over, split in two, one declared waste and recycled, the other burnt; each command once."""
    chain.do("life", "decommission", PACK, "--cause", "vehicle_scrapped", who="maker")
    move(chain, PACK, "maker", "reuse")
    split = ("life", "second", "repurpose", "--original", PACK, "--successor", f"{HOME}=400000", "--successor", GARAGE)
    planned = chain.read(*split, *BIRTH, "--dry-run", who="reuse")
    before = chain.do("life", "show", PACK, who="reuse")
    begun = chain.do(*split, *BIRTH, who="reuse")
    chain.do("life", "grade", HOME, "G-1", "--grade", "B", "--use", "home_storage", "--report", "seen", who="reuse")
    shown = chain.read("life", "show", HOME, "--ledger", str(chain.folder / "node"))
    passports = [chain.do("passport", one, who="reuse") for one in (PACK, HOME, GARAGE)]
    chain.do("life", "waste", HOME, "--cause", "worn_out", who="reuse")
    move(chain, HOME, "reuse", "green")
    chain.do("life", "recycle", HOME, "--facility", "Hall 4", "--recovered", "Li 3 kg", who="green")
    chain.do("life", "destroyed", GARAGE, "--cause", "fire", "--report", "file 17", who="reuse")
    old = chain.do("life", "show", PACK, who="maker")
    sums = chain.do("life", "diverted", "--ledger", str(chain.folder / "node"))["diverted"]
    words = chain.read("life", "diverted", "--ledger", str(chain.folder / "node"))

    assert [one["passport"]["status"] for one in passports] == ["repurposed"] * 3
    assert all(begun["statement"] in json.dumps(one) for one in passports)
    assert "Nothing is signed." in planned
    assert "0 g go into none of them" in planned
    assert before["end"] is None
    assert begun["events"][-1]["successors"] == [HOME, GARAGE]
    assert f"made of {PACK}, repurposed by reuse" in shown
    assert "graded B by reuse (in_force): home_storage" in shown
    assert [one["battery"] for one in old["lineage"]["successors"]] == [HOME, GARAGE]
    assert (old["end"]["how"], old["end"]["cause"], old["voidings"]) == ("succeeded", "repurpose", {"0": "repurposed"})
    assert (sums["second_life_g"], sums["second_life_units"], sums["from_waste_g"]) == (787_000, 2, 0)
    assert (sums["recycled_g"], sums["destroyed_g"]) == (400_000, 387_000)
    assert "recycled 400.000 kg in 1 units" in words


@pytest.mark.slow
def test_places_and_reports_stay_in_the_vault(chain: Deciding) -> None:
    """The ledger's file holds no word of them; a dead identifier that is seen again is kept as a claim."""
    chain.do("life", "destroyed", PACK, "--cause", "fire", "--report", "SECRETREPORT", who="maker")
    seen = chain.run("life", "sighting", PACK, "--place", "SECRETPLACE", who="green")
    unknown = chain.do("life", "sighting", GARAGE, "--place", "SECRETPLACE", who="green")
    ended = chain.read("life", "show", PACK, who="maker")
    listed = PassportReader(NodeHome(chain.folder / "node")).batteries()
    stored = b"".join(file.read_bytes() for file in (chain.folder / "node").rglob("*") if file.is_file())

    assert unknown["events"] == [{"type": "UnknownUnitSighted", "battery": GARAGE, "sightings": 1}]
    assert seen.exit_code != 0
    assert "claim" in " ".join(seen.output.split()).lower()
    assert "ceased: destroyed (fire) by maker" in ended
    assert b"SECRET" not in stored
    assert listed == [PACK]


def wanted(*successors: Share, originals: tuple[Share, ...] = (Share(messages.BATTERY),)) -> SecondLife:
    """A plan on the ledger of the tests of contracts."""
    return SecondLife("repurpose", originals, successors, "2026-01-01", "Hall 2")


@pytest.mark.parametrize(
    ("successors", "masses"),
    [
        ((Share("a"),), [787]),
        ((Share("a"), Share("b")), [394, 393]),
        ((Share("a", 100), Share("b")), [100, 687]),
        ((Share("a", 100), Share("b"), Share("c")), [100, 344, 343]),
    ],
)
def test_what_is_not_given_is_shared_out_and_nothing_is_lost(successors: tuple[Share, ...], masses: list[int]) -> None:
    """All that is left of the originals, in equal shares, what does not divide to the first."""
    plan = plan_second_life(lives.lives_world().state.get, wanted(*successors))

    assert [one.mass_g for one in plan.successors] == masses
    assert [(one.version, one.mass_g) for one in plan.originals] == [(1, 787)]


def test_the_command_line_offers_what_the_contracts_take() -> None:
    """Causes, operations, grades and uses are written twice, so that help needs no ledger; they are the same."""
    pairs = (
        (lives_commands.RestCause, life.RestCause),
        (lives_commands.WasteCause, life.WasteCause),
        (lives_commands.LossCause, life.LossCause),
        (lives_commands.Operation, lineage.Operation),
        (lives_commands.Grade, second_life_contract.Grade),
    )

    assert [get_args(offered) == get_args(taken) for offered, taken in pairs] == [True] * len(pairs)
    assert tuple(lives_commands.Application) == get_args(second_life_contract.Application)


@pytest.mark.parametrize(
    ("text", "share"),
    [(PACK, (PACK, None, None)), (f"{PACK}=5", (PACK, 5, None)), (f"{PACK}=5,0", (PACK, 5, 0))],
)
def test_a_share_is_read(text: str, share: tuple[str, int | None, int | None]) -> None:
    """A unit, its grams, its cells."""
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["", f"{PACK}=", f"{PACK}=0", f"{PACK}=5,", f"{PACK}=x", f"{PACK}=1=2"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(WrongUsage, match="write BATTERY=G"):
        parse_share(text)


@pytest.mark.slow
def test_a_number_that_is_claimed_is_told_with_whose_word_it_is(chain: Deciding) -> None:
    """Unknown either way: a claim registers nothing. A number that nobody claims names nobody."""
    claimed, other = f"{PACK[:-1]}7", f"{PACK[:-1]}8"
    assert 3 == chain.run("battery", "new", claimed, *BIRTH, who="reuse").exit_code
    answers = [chain.run("passport", one, "--json", who="maker") for one in (claimed, other)]
    told = [json.loads(one.stdout) for one in answers]

    assert [3, 3] == [one.exit_code for one in answers]
    assert "reuse/CLAIM-1" in told[0]["reason"]
    assert "CLAIM" not in told[1]["reason"]
