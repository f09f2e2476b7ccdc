"""`cellvow part`: described, built in, replaced and taken out at the command line; the tree, and who then answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cellvow.node.home import NodeHome
from cellvow.passport.parts import derive_part_history, derive_tree, flatten_tree
from cellvow.passport.view import PUBLIC, Audience, Passport, Reader, Scope
from cellvow.workspace import commands
from cellvow.workspace.granting import PurchaserLinks
from cellvow.workspace.parts import describe_model, install_part, read_tree
from cellvow.workspace.passports import TIMELINE_FILE, PassportReader
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path

CELL_GTIN, MODULE_GTIN, PACK_GTIN = "04012345123463", "04012345123470", "04012345123487"
PACK, OTHER_PACK = (f"01/{PACK_GTIN}/21/PACK-{number}" for number in (1, 2))
MODULES = tuple(f"01/{MODULE_GTIN}/21/MODULE-{number}" for number in range(1, 13))
CELLS = tuple(f"01/{CELL_GTIN}/21/CELL-{number}" for number in (1, 2))
HISTORY = Reader(Audience.PURCHASER, frozenset({Scope.HISTORY}))


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """Two packs, three modules and two cells of the maker, described; the first pack is assembled."""
    deciding = make_deciding(tmp_path, monkeypatch, roles=("manufacturer",))
    maker = Workspace(deciding.folder / "maker")
    with NodeHome(deciding.folder / "node").open_session(lambda: deciding.now_ms) as session:
        for gtin, level, cells, mass_g in (
            (CELL_GTIN, "cell", 1, 800),
            (MODULE_GTIN, "module", 4, 4_000),
            (PACK_GTIN, "pack", 96, 60_000),
        ):
            commands.register_model(session, maker, replace(messages.model(gtin), mass_g=mass_g))
            describe_model(session, maker, gtin, level, cells)
        births = [messages.battery(unit) for unit in (PACK, OTHER_PACK, *MODULES[:3], *CELLS)]
        commands.submit_batch(session, maker, births)
        install_part(session, maker, MODULES[0], CELLS[0], "A")
        install_part(session, maker, PACK, MODULES[1], "slot 10")
        install_part(session, maker, PACK, MODULES[0], "slot 2")
    maker.close()
    return deciding


@pytest.mark.slow
def test_a_model_is_described_and_a_part_built_in(ledger: Deciding) -> None:
    """What the commands say, to people and to scripts; a model is described once."""
    described = ledger.run("part", "describe", CELL_GTIN, "--level", "cell", "--cells", "1", who="maker")
    said = ledger.read("part", "install", CELLS[1], "--into", OTHER_PACK, "--position", "slot 7", who="maker")

    assert "code 1307" in described.output
    assert f"{CELLS[1]} is built into {OTHER_PACK}." in said
    assert tree(ledger, OTHER_PACK) == [(0, CELLS[1], "slot 7")]


def tree(ledger: Deciding, battery: str) -> list[tuple[int, str, str | None]]:
    """(depth, unit, position) of every part, in the order shown."""
    shown = read_tree(NodeHome(ledger.folder / "node"), battery)
    return [(depth, part.battery, part.position) for depth, part in flatten_tree(shown.parts)]


def refusal(ledger: Deciding, *words: str, who: str = "maker") -> str:
    """What a command that fails says, in one line."""
    result = ledger.run(*words, who=who)
    assert 0 != result.exit_code
    return " ".join(result.output.split())


def hand_over(ledger: Deciding, battery: str, giver: str, taker: str) -> None:
    """All three registers of a unit pass on."""
    ledger.do("handover", "offer", battery, "--to", taker, who=giver)
    ledger.do("handover", "accept", battery, who=taker)


def passport(ledger: Deciding, battery: str, who: Audience | Reader) -> Passport:
    """The unit's passport as a site without a workspace shows it."""
    shown = PassportReader(NodeHome(ledger.folder / "node")).passport(battery, who)
    assert shown is not None
    return shown


def test_a_tree_is_shown_with_positions_in_their_order(ledger: Deciding) -> None:
    """Each part before its own parts; slot 2 before slot 10; in 80 columns, and as a document."""
    expected = [(0, MODULES[0], "slot 2"), (1, CELLS[0], "A"), (0, MODULES[1], "slot 10")]
    shown = ledger.run("part", "tree", PACK, who="maker").stdout
    document = ledger.do("part", "tree", PACK, "--ledger", str(ledger.folder / "node"))

    assert tree(ledger, PACK) == expected
    assert max(map(len, shown.splitlines())) <= 80
    assert [shown.index(unit) for _, unit, _ in expected] == sorted(shown.index(unit) for _, unit, _ in expected)
    assert "2 direct parts: 8 cells, 8000 g" in shown
    assert (document["level"], document["cells"], document["cells_of_parts"]) == ("pack", 96, 8)
    assert [one["battery"] for one in document["parts"]] == [MODULES[0], MODULES[1]]
    assert document["parts"][0]["parts"][0]["position"] == "A"


def test_a_part_says_what_it_is_in(ledger: Deciding) -> None:
    """A cell's own tree is empty, and names the units around it."""
    said = ledger.read("part", "tree", CELLS[0], who="maker")

    assert f"is built into {MODULES[0]}, in {PACK}" in said
    assert "No parts are recorded" in said


def test_a_replacement_keeps_place_and_history(ledger: Deciding) -> None:
    """The new module is where the old one was; who asks for the history finds all that was ever in the pack."""
    ledger.do("part", "replace", MODULES[0], MODULES[2], "--cause", "defective", who="maker")
    ledger.do("part", "remove", MODULES[1], "--cause", "harvested", who="maker")
    home = NodeHome(ledger.folder / "node")
    store, timeline = home.open_reader(), Timeline.open(ledger.folder / TIMELINE_FILE, home.trust.genesis)
    timeline.follow(store)
    changes = derive_part_history(timeline.recorded(store, PACK))
    timeline.close()
    store.close()

    assert tree(ledger, PACK) == [(0, MODULES[2], "slot 2")]
    assert tree(ledger, MODULES[0]) == [(0, CELLS[0], "A")]
    assert [(one.installed, one.removed, one.cause) for one in changes] == [
        (MODULES[1], None, None),
        (MODULES[0], None, None),
        (MODULES[2], MODULES[0], "defective"),
        (None, MODULES[1], "harvested"),
    ]
    assert {one.organisation for one in changes} == {"maker"}


@pytest.mark.slow
def test_a_change_deep_in_the_tree_is_a_step_of_every_life_around_it(ledger: Deciding) -> None:
    """A cell replaced in a module shows on the page of the pack too, for whom the history is granted."""
    ledger.do("part", "replace", CELLS[0], CELLS[1], "--cause", "defective", who="maker")

    for unit in (PACK, MODULES[0], *CELLS):
        last = passport(ledger, unit, HISTORY).life[-1]
        detail = dict(last.detail)
        assert (last.event, detail["part"], detail["removed"]) == ("PartReplaced", CELLS[1], CELLS[0])
    said = ledger.read("passport", PACK, who="maker")
    assert f"{CELLS[1]} put in the place of {CELLS[0]} in {MODULES[0]} (defective)" in said


@pytest.mark.slow
def test_who_answers_for_a_part_is_who_answers_for_its_whole(ledger: Deciding) -> None:
    """On its own page, with the statement that made him so; taken out, it is in its own registers again."""
    hand_over(ledger, PACK, "maker", "buyer")
    whole = passport(ledger, PACK, HISTORY).registers
    part = passport(ledger, CELLS[0], HISTORY).registers

    assert part == whole
    assert {one.organisation for one in part} == {"buyer"}
    assert [one.organisation for one in passport(ledger, CELLS[0], PUBLIC).registers] == ["buyer"]
    ledger.do("part", "remove", CELLS[0], "--cause", "other", who="buyer")
    hand_over(ledger, PACK, "buyer", "maker")
    assert {one.organisation for one in passport(ledger, CELLS[0], HISTORY).registers} == {"buyer"}


@pytest.mark.slow
def test_links_to_a_part_are_its_owner_s_who_is_that_of_the_whole(ledger: Deciding) -> None:
    """Threat: who sold a pack would go on showing its cells, since their own registers still name him."""
    issue = ("grant", "issue", CELLS[0], "--scope", "history")
    link = ledger.do(*issue, who="maker")["link"]
    maker = Workspace(ledger.folder / "maker")
    links = PurchaserLinks(NodeHome(ledger.folder / "node"), maker, lambda: ledger.now_ms)
    token = link.rsplit("/", 1)[-1]
    before = links.reader(token, CELLS[0], "passport")
    hand_over(ledger, PACK, "maker", "buyer")
    after = links.reader(token, CELLS[0], "passport")
    maker.close()

    assert (before, after) == (HISTORY, None)
    assert "is owned by buyer" in refusal(ledger, *issue)
    assert ledger.do(*issue, who="buyer")["link"]


@pytest.mark.slow
def test_who_holds_it_alone_changes_a_unit(ledger: Deciding) -> None:
    """The maker of a pack that was sold is told so, and nothing has changed."""
    hand_over(ledger, PACK, "maker", "buyer")

    assert "code 1201" in refusal(ledger, "part", "remove", MODULES[0], "--cause", "other")
    assert "code 1305" in refusal(ledger, "part", "remove", MODULES[2], "--cause", "other")
    assert "code 405" in refusal(ledger, "part", "tree", f"01/{PACK_GTIN}/21/NONE")
    assert len(tree(ledger, PACK)) == 3


@pytest.mark.slow
def test_a_part_that_another_has_is_claimed_on_purpose_only(ledger: Deciding) -> None:
    """Nothing is signed by mistake; with --claim a dispute is opened, and the tree stays."""
    hand_over(ledger, OTHER_PACK, "maker", "buyer")
    claim = ("part", "install", MODULES[0], "--into", OTHER_PACK)
    height = ledger_height(ledger)

    assert "code 509" in refusal(ledger, *claim, who="buyer")
    assert ledger_height(ledger) == height
    said = refusal(ledger, *claim, "--claim", who="buyer")
    assert "CLAIM-1" in said
    assert ledger_height(ledger) == height + 1
    assert (len(tree(ledger, PACK)), tree(ledger, OTHER_PACK)) == (3, [])


def ledger_height(ledger: Deciding) -> int:
    """The height of the last block."""
    store = NodeHome(ledger.folder / "node").open_reader()
    try:
        return store.head().height
    finally:
        store.close()


def test_a_tree_of_many_parts_is_cut_and_says_so(ledger: Deciding) -> None:
    """Control: with room for two of three parts."""
    store = NodeHome(ledger.folder / "node").open_reader()

    def find(prefix: str) -> list[str]:
        return [key for key, _ in store.records(prefix)]

    whole, cut = derive_tree(store.get, find, PACK), derive_tree(store.get, find, PACK, 2)
    store.close()
    assert whole is not None
    assert cut is not None
    assert (whole.is_cut, len(list(flatten_tree(whole.parts)))) == (False, 3)
    assert (cut.is_cut, len(list(flatten_tree(cut.parts)))) == (True, 2)
