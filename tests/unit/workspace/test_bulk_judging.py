"""A large sheet is judged as a job: it can be left and come back to, and no row is signed for before all are judged."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.engine import Backpressure
from cellvow.workspace import bulk_judging
from cellvow.workspace.bulk_jobs import BulkJobs
from cellvow.workspace.bulk_judging import JUDGED_MAX, ROWS_AT_ONCE
from cellvow.workspace.bulk_records import JUDGING, LOST, REVIEWED, BulkRecords, SheetRecord
from cellvow.workspace.clock import now_ms
from cellvow.workspace.waiting import SheetWaiting
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import GTIN, DeskSite, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SECONDS_MAX = 60


class Held:
    """A clock that stands still, and lets no job pass while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self._moment = now_ms()

    def __call__(self) -> int:
        """The moment; within a job only once the gate is open."""
        if threading.current_thread().name.startswith("judging"):
            assert self.gate.wait(SECONDS_MAX)
        return self._moment


def births(count: int, serial: str = "J") -> bytes:
    """A sheet of so many batteries, of which the last is named twice."""
    rows = [f"{GTIN};{serial}-{number};2026-05-17;Plant 1" for number in range(count - 1)]
    return "\n".join(["model;serial;manufactured_on;facility", *rows, rows[-1]]).encode()


@pytest.fixture
def held() -> Iterator[Held]:
    """Its gate is open at the end, so that nothing waits for ever."""
    clock = Held()
    yield clock
    clock.gate.set()


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Workspace]:
    """The maker's workspace."""
    DeskWorld.found(tmp_path).close()
    with closing(Workspace(tmp_path / "maker")) as space:
        yield space


@pytest.fixture
def jobs(maker: Workspace, held: Held, monkeypatch: pytest.MonkeyPatch) -> Iterator[BulkJobs]:
    """Sheets of more than four rows are large here, and judged three rows at a time."""
    monkeypatch.setattr(bulk_judging, "ROWS_AT_ONCE", 4)
    monkeypatch.setattr(bulk_judging, "_PIECE", 3)
    made = jobs_of(maker, held)
    yield made
    held.gate.set()
    made.close()


def jobs_of(workspace: Workspace, clock: Held) -> BulkJobs:
    """Sheets of a workspace; none of these tests signs."""

    def turn() -> None:
        raise AssertionError("nothing is signed here")

    return BulkJobs(workspace, turn, clock)  # type: ignore[arg-type]  # it is never opened


def verdicts(jobs: BulkJobs, sheet: str) -> list[tuple[int, str]]:
    """Each row, and what was found."""
    return [(one.line, one.verdict) for one in jobs.lines(sheet, "all", 0, 5_000)]


def test_a_large_sheet_is_judged_as_a_job_and_can_be_come_back_to(jobs: BulkJobs, held: Held) -> None:
    """Sending it does not wait for its rows; it stands among what waits until they are judged."""
    sheet = jobs.take("register", "large.csv", births(8))
    before = jobs.find(sheet)
    waiting = [one.number for one in SheetWaiting(jobs)(0)]
    held.gate.set()
    jobs.wait(SECONDS_MAX)
    after = jobs.find(sheet)

    assert before is not None
    assert after is not None
    assert (JUDGING, 0, 8, 0) == (before.record.state, before.rows, before.rows_in_all, before.permille)
    assert [sheet] == waiting
    assert (REVIEWED, {"ready": 7, "duplicate": 1}) == (after.record.state, after.counts)
    assert [] == SheetWaiting(jobs)(0)


def test_a_job_finds_what_a_sheet_judged_at_once_shows(jobs: BulkJobs, held: Held) -> None:
    """Row by row; the same sheet through the command line's way."""
    held.gate.set()
    sheet = jobs.take("register", "large.csv", births(11))
    jobs.wait(SECONDS_MAX)
    told: list[tuple[int, int]] = []
    seen = jobs.review("register", "large.csv", births(11), lambda *progress: told.append(progress))

    assert verdicts(jobs, seen.record.sheet) == verdicts(jobs, sheet)
    assert [(0, 11), (3, 11), (6, 11), (9, 11)] == told


def test_a_sheet_of_the_bound_is_judged_while_its_sender_waits(jobs: BulkJobs) -> None:
    """And one row more is a job. The real bound is well under what a sheet may hold."""
    small = jobs.find(jobs.take("register", "small.csv", births(4)))
    large = jobs.find(jobs.take("register", "large.csv", births(5)))

    assert small is not None
    assert large is not None
    assert (REVIEWED, JUDGING) == (small.record.state, large.record.state)
    assert 1_000 <= ROWS_AT_ONCE <= 5_000


def test_threat_a_sheet_is_signed_for_before_it_is_judged(jobs: BulkJobs) -> None:
    """Neither while it is judged nor after its judging was broken off."""
    sheet = jobs.take("register", "large.csv", births(8))
    with pytest.raises(OperationalError, match="not judged to its end"):
        jobs.start(sheet)
    with pytest.raises(OperationalError, match="not judged to its end"):
        jobs.execute(sheet)


def test_a_judging_that_was_killed_is_told_as_lost(jobs: BulkJobs, maker: Workspace) -> None:
    """Half of its rows are there, and nobody judges the rest: it is to be sent again. Nothing of it can be signed."""
    record = SheetRecord("ab" * 8, "register", "killed.csv", "cd" * 32, "UTF-8", "", now_ms(), JUDGING)
    with closing(BulkRecords.open(maker.folder)) as records:
        records.begin(record)
    found = jobs.find(record.sheet)

    assert found is not None
    assert LOST == found.record.state
    assert [LOST] == [one.state for one in jobs.sheets(5)]
    with pytest.raises(OperationalError):
        jobs.start(record.sheet)


def test_what_another_process_judges_is_not_told_as_lost(jobs: BulkJobs, held: Held, maker: Workspace) -> None:
    """A second server on the same workspace sees the job of the first."""
    sheet = jobs.take("register", "large.csv", births(8))
    with closing(jobs_of(maker, held)) as other:
        during = other.find(sheet)
        held.gate.set()
        jobs.wait(SECONDS_MAX)
        after = other.find(sheet)

    assert during is not None
    assert after is not None
    assert (JUDGING, REVIEWED) == (during.record.state, after.record.state)


def test_a_site_that_is_closed_leaves_no_sheet_half_judged_unsaid(maker: Workspace, held: Held) -> None:
    """Closed in the middle, it says that the sheet is lost; the next start shows the same."""
    first = jobs_of(maker, held)
    sheet = first.take("register", "large.csv", births(ROWS_AT_ONCE + 1))
    closer = threading.Thread(target=first.close)
    closer.start()
    assert first._judging._is_closing.wait(SECONDS_MAX)
    held.gate.set()
    closer.join(SECONDS_MAX)

    with closing(jobs_of(maker, held)) as second:
        found = second.find(sheet)
    assert found is not None
    assert LOST == found.record.state
    assert 0 < found.rows <= ROWS_AT_ONCE


def test_large_sheets_are_bounded_in_number(jobs: BulkJobs, held: Held) -> None:
    """At the bound and one past it; what is no sheet at all is refused at once, and takes no place."""
    for number in range(JUDGED_MAX):
        jobs.take("register", f"{number}.csv", births(8, f"B{number}"))
    with pytest.raises(Malformed):
        jobs.take("register", "none.csv", b"battery\n")
    with pytest.raises(Backpressure):
        jobs.take("register", "one-more.csv", births(8, "C"))
    held.gate.set()
    jobs.wait(SECONDS_MAX)

    assert jobs.take("register", "again.csv", births(8, "D"))


def test_the_page_of_a_sheet_that_is_judged_shows_how_far_it_is(
    tmp_path: Path, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that nothing is signed, offers no button to sign, and lists what was found so far; then all of it."""
    monkeypatch.setattr(bulk_judging, "ROWS_AT_ONCE", 4)
    world = DeskWorld.found(tmp_path)
    desk = world.desk("maker", held)
    site = DeskSite(desk).enter()
    sent = site.send("/desk/sheets", births(8), "large.csv", {"kind": "register"})
    address = sent.headers["location"]
    during, program = site.get(address), site.get(address, accept="application/json").json()
    refused = site.post(address, {})
    held.gate.set()
    desk.sheets.wait(SECONDS_MAX)
    after = site.get(address)
    world.close()

    assert 303 == sent.status_code == refused.status_code
    assert 'data-ended="no"' in during.text
    assert '<progress id="job-progress" max="1000" value="0">' in during.text
    assert "You can leave this page and come back to it" in during.text
    assert "Sign for" not in during.text
    assert (False, 0, JUDGING) == (program["has_ended"], program["permille"], program["state"])
    assert "Sign for 7 rows" in after.text
    assert 'data-ended="yes"' in after.text
