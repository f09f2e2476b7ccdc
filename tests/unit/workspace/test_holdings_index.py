"""The desk's index is filled when the site starts: the first request does not do it, meanwhile a page says how far."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace import holdings as module
from cellvow.workspace.clock import now_ms
from cellvow.workspace.holdings import HOLDINGS_FILE, Holdings, followed_holdings
from cellvow.workspace.holdings_index import HoldingsIndex, IndexUnready
from cellvow.workspace.holdings_pages import Wish
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import BATTERY, GTIN, DeskSite, DeskWorld
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.store import LedgerStore
    from cellvow.workspace.holdings import Progress

pytestmark = pytest.mark.slow

SECONDS_MAX = 60
UNITS = 5


class Watched:
    """Follows as the site does, and keeps in which thread each step was taken; waits at `gate` after the first."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.stepped = threading.Event()
        self.steps: list[str] = []

    @contextmanager
    def __call__(self, home: NodeHome, folder: Path, progress: Progress) -> Iterator[tuple[LedgerStore, Holdings]]:
        """As `followed_holdings`."""

        def step(done: int, total: int) -> None:
            self.steps.append(threading.current_thread().name)
            progress(done, total)
            self.stepped.set()
            assert self.gate.wait(SECONDS_MAX)
            progress(done, total)

        with followed_holdings(home, folder, step) as opened:
            yield opened


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeskWorld]:
    """A maker of five batteries, which are taken in two at a time."""
    monkeypatch.setattr(module, "UNITS_A_STEP", 2)
    founded = DeskWorld.found(tmp_path)
    home = NodeHome(tmp_path / "node")
    with home.open_session(now_ms) as session, closing(Workspace(tmp_path / "maker")) as space:
        for number in range(UNITS - 1):
            commands.register_battery(session, space, f"01/{GTIN}/21/I-{number}", "2026-05-17", "Plant 1")
        session.publish()
    yield founded
    founded.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Its gate is open at the end, so that nothing waits for ever."""
    follow = Watched()
    yield follow
    follow.gate.set()


def index_of(world: DeskWorld, watched: Watched) -> HoldingsIndex:
    """The maker's index, watched."""
    home = NodeHome(world.folder / "node")
    return HoldingsIndex(lambda: home, world.folder / "maker", watched, wait_s=0)


def units_in(world: DeskWorld) -> int:
    """How many units the maker's index holds, whoever filled it."""
    home = NodeHome(world.folder / "node")
    with closing(Holdings.open(world.folder / "maker" / HOLDINGS_FILE, home.trust.genesis)) as holdings:
        return len(holdings.units("maker", Wish(), "", 0).units)


def test_the_first_request_takes_nothing_into_the_index(world: DeskWorld, watched: Watched) -> None:
    """It is whole before anybody asks, and every step was taken by the site's own thread."""
    index = index_of(world, watched)
    site = DeskSite(world.desk("maker", index=index)).enter()
    index.require_filled(SECONDS_MAX)
    filled = units_in(world)
    steps = len(watched.steps)
    answers = [site.get(path).status_code for path in ("/desk", "/desk/units", "/desk/handovers")]

    assert UNITS == filled
    assert {"index"} == set(watched.steps)
    assert ([200] * 3, steps) == (answers, len(watched.steps))
    assert steps > UNITS // 2


def test_control_an_index_that_was_not_begun_is_filled_by_whoever_asks_first(
    world: DeskWorld, watched: Watched
) -> None:
    """So the test above can fail; it is how the command line works, which asks once."""
    with index_of(world, watched).opened():
        pass

    assert {threading.current_thread().name} == set(watched.steps)


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
def test_until_it_is_whole_a_page_says_how_far_it_is(world: DeskWorld, watched: Watched, language: str) -> None:
    """For people and for programs; what needs no index works meanwhile, and the page does once it is there."""
    watched.gate.clear()
    index = index_of(world, watched)
    site = DeskSite(world.desk("maker", index=index)).enter()
    assert watched.stepped.wait(SECONDS_MAX)
    page = site.get("/desk/units?q=I-1", accept_language=language)
    program = site.get("/desk", accept="application/json")
    csv = site.get("/desk/units.csv")
    others = [site.get(path).status_code for path in (f"/{BATTERY}", "/desk/import", "/desk/batteries/new")]
    watched.gate.set()
    index.require_filled(SECONDS_MAX)

    assert (503, "1") == (page.status_code, page.headers["retry-after"])
    assert set(shape_faults(Page(page.text))) <= {"<script>"}
    assert '<progress id="job-progress" max="1000" value="400">' in page.text
    assert "/desk/units?q=I-1" in Page(page.text).addresses
    assert len(page.content) <= 25_000
    assert (503, 400, False) == (program.status_code, program.json()["permille"], program.json()["has_ended"])
    assert "urn:cellvow:problem:preparing" == program.json()["type"]
    assert 503 == csv.status_code
    assert [200, 200, 200] == others
    assert [200, 200] == [site.get(path).status_code for path in ("/desk/units?q=I-1", "/desk")]


def test_without_a_session_nobody_is_told_how_far_it_is(world: DeskWorld, watched: Watched) -> None:
    """A stranger at the desk's door learns nothing of what is behind it."""
    watched.gate.clear()
    site = DeskSite(world.desk("maker", index=index_of(world, watched)))
    answers = [site.get(path).status_code for path in ("/desk", "/desk/units", "/desk/units.csv", "/desk/handovers")]
    watched.gate.set()

    assert [401] * 4 == answers


def test_a_site_that_is_closed_leaves_off_and_the_next_goes_on(world: DeskWorld, watched: Watched) -> None:
    """What was taken in stays; the next start takes in the rest, and no unit twice."""
    watched.gate.clear()
    first = index_of(world, watched)
    first.begin()
    assert watched.stepped.wait(SECONDS_MAX)
    first._is_closing = True
    watched.gate.set()
    first.close()
    left = units_in(world)
    second = index_of(world, Watched())
    second.begin()
    second.require_filled(SECONDS_MAX)

    assert (2, UNITS) == (left, units_in(world))
    second.close()


def test_an_index_that_cannot_be_made_is_told_to_whoever_asks(world: DeskWorld, watched: Watched) -> None:
    """Not as one that is still being made: the page says what is wrong."""
    (world.folder / "maker" / HOLDINGS_FILE).mkdir()
    index = index_of(world, watched)
    index.begin()
    index.require_filled(SECONDS_MAX)

    with pytest.raises(OperationalError, match="cannot be read") as told, index.opened():
        pass
    assert not isinstance(told.value, IndexUnready)
    (world.folder / "maker" / HOLDINGS_FILE).rmdir()
