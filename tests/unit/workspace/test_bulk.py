"""Sheets at work: every row is judged before anything is signed, and what a killed run had sent is never sent twice."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.contracts.register import CUSTODY
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.engine import Backpressure
from cellvow.node.home import NodeHome
from cellvow.workspace import bulk_jobs, commands
from cellvow.workspace.bulk import FAULTS, Judge
from cellvow.workspace.bulk_jobs import BulkJobs
from cellvow.workspace.clock import now_ms
from cellvow.workspace.holdings import followed_holdings
from cellvow.workspace.holdings_pages import Wish
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import BATTERY, GTIN, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.home import LedgerSession

pytestmark = pytest.mark.slow

OTHER = f"01/{GTIN}/21/OTHER-1"
DAY, PLACE = "2026-05-17", "Plant 1"


class Bench:
    """A member's workspace with its sheets; each statement opens the ledger anew."""

    def __init__(self, folder: Path, name: str) -> None:
        self.workspace = Workspace(folder / name)
        self.jobs = BulkJobs(self.workspace, self.turn, now_ms)

    @contextmanager
    def turn(self) -> Iterator[LedgerSession]:
        """The ledger for one statement."""
        with self.workspace.home().open_session(now_ms) as session:
            yield session

    @property
    def leaves(self) -> int:
        """How large the ledger is."""
        store = self.workspace.home().open_reader()
        try:
            return store.head().log.size
        finally:
            store.close()

    @property
    def serials(self) -> list[str]:
        """The serials of all units of the member."""
        with followed_holdings(self.workspace.home(), self.workspace.folder) as (_, holdings):
            page = holdings.units(self.workspace.organisation, Wish(), "", 0, 5_000)
        return [one.serial for one in page.units]

    def verdicts(self, kind: str, *lines: str) -> list[str]:
        """What is found of each row; the first line is the heading."""
        seen = self.jobs.review(kind, "rows.csv", "\n".join(lines).encode())
        return [one.verdict for one in self.jobs.lines(seen.record.sheet, "all", 0, 500)]

    def results(self, sheet: str) -> list[tuple[int, str]]:
        """Line and what became of it."""
        return [(one.line, one.result or one.verdict) for one in self.jobs.lines(sheet, "all", 0, 5_000)]

    def close(self) -> None:
        """Release the files."""
        self.jobs.close()
        self.workspace.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with a maker, a laboratory and a buyer, nobody at their desks."""
    DeskWorld.found(tmp_path / "world").close()
    return tmp_path / "world"


@pytest.fixture
def maker(folder: Path) -> Iterator[Bench]:
    """The maker."""
    bench = Bench(folder, "maker")
    yield bench
    bench.close()


@pytest.fixture
def buyer(folder: Path) -> Iterator[Bench]:
    """The buyer."""
    bench = Bench(folder, "buyer")
    yield bench
    bench.close()


def births(*serials: str, day: str = DAY) -> bytes:
    """A sheet that registers batteries."""
    rows = [f"{GTIN};{serial};{day};{PLACE}" for serial in serials]
    return "\n".join(["model;serial;manufactured_on;facility", *rows]).encode()


HEADING = "battery,serial,model,manufactured_on,facility"
BIRTHS = [
    (f"01/{GTIN}/21/N-1,,,{DAY},{PLACE}", "ready"),
    (f",N-1,{GTIN},{DAY},{PLACE}", "duplicate"),
    (f"{BATTERY},,,{DAY},{PLACE}", "already"),
    (f",PACK-0002,{GTIN},{DAY},{PLACE},more", "cells"),
    (f"01/{GTIN}/21/n-1,,,{DAY},{PLACE}", "battery"),
    (f",,,{DAY},{PLACE}", "battery"),
    (f",N_2,{GTIN},{DAY},{PLACE}", "serial"),
    (f",N-2,123,{DAY},{PLACE}", "model"),
    (f",N-2,09506000134377,{DAY},{PLACE}", "model"),
    (f"01/{GTIN}/21/N-3,,09506000134352,{DAY},{PLACE}", "model_differs"),
    (f",N-3,{GTIN},2026-02-30,{PLACE}", "day"),
    (f",N-4,{GTIN},17.05.2026,{PLACE}", "day"),
    (f",N-5,{GTIN},2999-01-01,{PLACE}", "day_future"),
    (f",N-6,{GTIN},{DAY},Köln", "facility"),
    (f",N-7,{GTIN},{DAY},", "facility"),
    (f",N-8,09506000134352,{DAY},{PLACE}", "unknown_model"),
]


def test_every_row_of_a_sheet_of_births_is_judged_and_nothing_is_signed(maker: Bench) -> None:
    """Each fault has its word; the ledger is as large as before. Control: signing makes it larger."""
    before = maker.leaves

    assert [word for _, word in BIRTHS] == maker.verdicts("register", HEADING, *(row for row, _ in BIRTHS))
    assert before == maker.leaves
    assert not any(maker.workspace.sequences.unresolved(maker.workspace.key().kid))

    seen = maker.jobs.review("register", "one.csv", births("N-1"))
    maker.jobs.execute(seen.record.sheet)
    assert before < maker.leaves


def test_a_birth_that_is_there_with_another_day_is_told(maker: Bench, buyer: Bench) -> None:
    """And who may not register learns that, as does who would register another's battery."""
    other = f"{BATTERY},,,2026-05-18,{PLACE}"

    assert ["differs"] == maker.verdicts("register", HEADING, other)
    assert ["role"] == buyer.verdicts("register", HEADING, other)


def test_rows_are_recorded_in_batches_each_with_its_statement(maker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven rows in batches of three; every row names its statement and its place in it."""
    monkeypatch.setattr(bulk_jobs, "BATCH_MESSAGES_MAX", 3)
    seen = maker.jobs.review("register", "seven.csv", births(*(f"S-{number}" for number in range(7))))
    told: list[tuple[int, int]] = []
    after = maker.jobs.execute(seen.record.sheet, lambda done, rows: told.append((done, rows)))
    lines = maker.jobs.lines(seen.record.sheet, "recorded", 0, 50)
    store = maker.workspace.home().open_reader()
    stated = [store.statement_of_digest(bytes.fromhex(one.statement)) for one in lines]
    store.close()

    assert ("done", {"recorded": 7}) == (after.record.state, after.counts)
    assert [(0, 7), (3, 7), (6, 7), (7, 7)] == told
    assert [0, 1, 2, 0, 1, 2, 0] == [one.message for one in lines]
    assert all(
        known is not None and one.subject.encode() in known.statement.messages[one.message or 0]
        for one, known in zip(lines, stated, strict=True)
    )


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("place", ["signed", "kept", "sent", "settled"])
@pytest.mark.parametrize("at", [1, 2])
def test_killed_anywhere_and_gone_on_with_nothing_is_doubled(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, at: int
) -> None:
    """Before or after a statement is kept, sent or its answer is read: at the end every row stands once."""
    monkeypatch.setattr(bulk_jobs, "BATCH_MESSAGES_MAX", 3)
    data = births(*(f"K-{number}" for number in range(7)))
    bench = Bench(folder, "maker")
    sheet = bench.jobs.review("register", "killed.csv", data).record.sheet
    with monkeypatch.context() as patch:
        kill(patch, bench, place, at)
        with pytest.raises(Killed):
            bench.jobs.execute(sheet)
    bench.close()

    again = Bench(folder, "maker")
    stopped = again.jobs.unfinished("register", data)
    after = again.jobs.execute(sheet)
    results, serials = again.results(sheet), again.serials
    signed = [one.statement for one in again.jobs.lines(sheet, "recorded", 0, 50)]
    again.close()

    assert stopped is not None
    assert sheet == stopped.record.sheet
    assert ("done", {"recorded": 7}) == (after.record.state, after.counts)
    assert [(line, "recorded") for line in range(2, 9)] == results
    assert [*(f"K-{number}" for number in range(7)), "PACK-0001"] == serials
    assert 3 == len(dict.fromkeys(signed))


def kill(patch: pytest.MonkeyPatch, bench: Bench, place: str, at: int) -> None:
    """End the process at the `at`-th time it comes by a place."""
    calls = 0

    def dying(function: Any, *, before: bool) -> Any:  # noqa: ANN401 - any method
        def wrapped(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401
            nonlocal calls
            calls += 1
            if before and calls == at:
                raise Killed
            answer = function(*arguments, **named)
            if calls == at:
                raise Killed
            return answer

        return wrapped

    records = bench.jobs._records
    if place == "signed":
        patch.setattr(records, "keep_piece", dying(records.keep_piece, before=True))
    elif place == "kept":
        patch.setattr(records, "keep_piece", dying(records.keep_piece, before=False))
    elif place == "sent":
        patch.setattr(records, "settle", dying(records.settle, before=True))
    else:
        patch.setattr(records, "settle", dying(records.settle, before=False))


def test_the_same_sheet_again_finds_all_there_and_signs_nothing(maker: Bench) -> None:
    """Nothing is left to be done."""
    data = births("A-1", "A-2")
    maker.jobs.execute(maker.jobs.review("register", "a.csv", data).record.sheet)
    before = maker.leaves
    again = maker.jobs.review("register", "a.csv", data)
    after = maker.jobs.execute(again.record.sheet)

    assert ({"already": 2}, before) == (after.counts, maker.leaves)


def test_what_changed_between_dry_run_and_signature_is_left_and_said(maker: Bench) -> None:
    """A row that was ready and no longer holds is not sent."""
    first = maker.jobs.review("register", "a.csv", births("B-1", "B-2"))
    maker.jobs.execute(maker.jobs.review("register", "b.csv", births("B-2", day="2026-05-16")).record.sheet)
    after = maker.jobs.execute(first.record.sheet)
    (left,) = maker.jobs.lines(first.record.sheet, "left", 0, 9)

    assert ({"left": 1, "recorded": 1}, "differs") == (after.counts, left.verdict)


def test_offers_are_made_accepted_and_declined_from_sheets(maker: Bench, buyer: Bench) -> None:
    """Each side judges its rows as the ledger stands; the registers move."""
    serials = ("O-1", "O-2", "O-3")
    units = [f"01/{GTIN}/21/{one}" for one in serials]
    maker.jobs.execute(maker.jobs.review("register", "a.csv", births(*serials)).record.sheet)
    heading = "battery;addressee;registers"
    rows = [f"{units[0]};buyer;custody", f"{units[1]};buyer;", f"{units[2]};buyer;custody, ownership"]
    sheet = maker.jobs.review("offer", "offers.csv", "\n".join([heading, *rows]).encode())
    offered = maker.jobs.execute(sheet.record.sheet)
    again = maker.verdicts("offer", heading, rows[0], rows[1].replace("buyer;", "lab;"))
    answers = {"accept": units[:2], "decline": units[2:]}
    counts = {}
    for kind, named in answers.items():
        seen = buyer.jobs.review(kind, "answers.csv", "\n".join(["battery", *named]).encode())
        counts[kind] = buyer.jobs.execute(seen.record.sheet).counts
    with followed_holdings(buyer.workspace.home(), buyer.workspace.folder) as (_, holdings):
        held = [(one.serial, one.registers) for one in holdings.units("buyer", Wish(), "", 0).units]

    assert ({"recorded": 3}, ["already", "offer_open"]) == (offered.counts, again)
    assert {"accept": {"recorded": 2}, "decline": {"recorded": 1}} == counts
    assert [("O-1", (CUSTODY,)), ("O-2", ("custody", "ownership", "responsibility"))] == held
    assert ["already", "no_offer"] == buyer.verdicts("accept", "battery", units[0], units[2])


OFFERS = [
    (f"{BATTERY},buyer,", "ready"),
    (f"{BATTERY},buyer,", "duplicate"),
    (f"{OTHER},buyer,", "unknown_battery"),
    (f"01/{GTIN}/21/PACK-0002,BUYER,", "addressee"),
    (f"01/{GTIN}/21/PACK-0003,buyer,title", "registers"),
]


def test_every_row_of_a_sheet_of_offers_is_judged(maker: Bench, buyer: Bench) -> None:
    """Each fault has its word."""
    heading = "battery,addressee,registers"

    assert [word for _, word in OFFERS] == maker.verdicts("offer", heading, *(row for row, _ in OFFERS))
    assert ["oneself"] == maker.verdicts("offer", heading, f"{BATTERY},maker,")
    assert ["addressee"] == maker.verdicts("offer", heading, f"{BATTERY},nobody,")
    assert ["not_held"] == buyer.verdicts("offer", heading, f"{BATTERY},lab,")
    assert ["no_offer"] == buyer.verdicts("accept", "battery", BATTERY)
    with maker.turn() as session:
        commands.offer_handover(session, maker.workspace, BATTERY, "lab", ["custody"])
    assert ["not_addressee"] == buyer.verdicts("accept", "battery", BATTERY)
    assert ["not_offerer"] == buyer.verdicts("withdraw", "battery", BATTERY)
    assert ["ready"] == maker.verdicts("withdraw", "battery", BATTERY)


def test_a_rejection_is_kept_with_its_row(maker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its code and rule; control that the ledger judges for itself: here the dry run is blind."""
    seen = maker.jobs.review("register", "a.csv", births("R-1", "R-2"))
    maker.jobs.execute(maker.jobs.review("register", "b.csv", births("R-2", day="2026-05-16")).record.sheet)
    monkeypatch.setattr(Judge, "check", lambda _self, _order: "ready")
    after = maker.jobs.execute(seen.record.sheet)
    (rejected,) = maker.jobs.lines(seen.record.sheet, "rejected", 0, 9)
    written = b"".join(maker.jobs.results(seen.record.sheet)).decode()

    assert {"recorded": 1, "rejected": 1} == after.counts
    assert rejected.code is not None
    assert rejected.told
    assert f",{rejected.code}," in written


def test_one_sheet_is_signed_for_at_a_time(maker: Bench, folder: Path) -> None:
    """Another process is told to wait, and nothing is signed."""
    seen = maker.jobs.review("register", "a.csv", births("L-1"))
    other = Bench(folder, "maker")
    with maker.jobs._at_work():
        with pytest.raises(Backpressure):
            other.jobs.execute(seen.record.sheet)
        with pytest.raises(Backpressure):
            other.jobs.start(seen.record.sheet)
    other.close()
    maker.jobs.start(seen.record.sheet)
    maker.jobs.wait(60)

    assert [(2, "recorded")] == maker.results(seen.record.sheet)


def test_a_ledger_that_stops_leaves_a_sheet_that_can_go_on(maker: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause is kept; the same button goes on."""
    seen = maker.jobs.review("register", "a.csv", births("X-1"))
    with monkeypatch.context() as patch:

        def broken(_: NodeHome, __: Any) -> None:  # noqa: ANN401
            raise OperationalError("the disk is gone")

        patch.setattr(NodeHome, "open_session", broken)
        with pytest.raises(OperationalError):
            maker.jobs.execute(seen.record.sheet)
    stopped = maker.jobs.find(seen.record.sheet)
    after = maker.jobs.execute(seen.record.sheet)

    assert stopped is not None
    assert ("stopped", "the disk is gone") == (stopped.record.state, stopped.record.cause)
    assert {"recorded": 1} == after.counts


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("register", b"battery,facility\nx,y\n", "manufactured_on"),
        ("offer", b"addressee\nx\n", "battery"),
        ("accept", b"unit\nx\n", "battery"),
        ("register", b"battery,manufactured_on,facility\n", "no rows"),
        ("destroy", b"battery\nx\n", "one of"),
    ],
)
def test_a_sheet_of_another_kind_is_refused(maker: Bench, kind: str, data: bytes, said: str) -> None:
    """It names the column that is missing."""
    with pytest.raises(Malformed, match=said):
        maker.jobs.review(kind, "x.csv", data)


def test_every_fault_is_a_sentence_about_its_column() -> None:
    """What the command line says of a row reads on from the name of its column."""
    assert all(remedy and remedy[0].islower() for _, remedy in FAULTS.values())
