"""The index of a ledger: short codes lead to the batteries that have them, and an old index is made anew."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.short_code import derive_short_code
from cellvow.workspace.passports import TIMELINE_FILE, PassportReader
from cellvow.workspace.timeline import FORMAT, Timeline
from tests.unit.workspace.deal import BATTERY, GTIN, strike_deal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.workspace.deal import Deal

CODE = derive_short_code(BatteryId(BATTERY))


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Deal:
    """One deal that nobody changes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return strike_deal(tmp_path_factory.mktemp("deal"), monkeypatch)


def test_a_short_code_names_its_battery(deal: Deal) -> None:
    """Found in the index of the node; another code finds nothing."""
    reader = PassportReader(deal.home)

    assert [BATTERY] == reader.batteries_of_code(CODE)
    assert [] == reader.batteries_of_code("0" * 12)


def test_a_model_has_no_short_code(deal: Deal) -> None:
    """Only batteries stand in the index of codes: a model's subject is its number alone."""
    reader = PassportReader(deal.home)
    batteries = reader.batteries()
    connection = apsw.Connection(str(deal.home.folder / TIMELINE_FILE))
    held = [battery for (battery,) in connection.execute("SELECT battery FROM short ORDER BY battery")]
    connection.close()

    assert batteries == held
    assert GTIN not in held


def test_two_batteries_with_one_code_are_both_found(deal: Deal) -> None:
    """Neither pushes the other out; at most as many come as were asked for."""
    PassportReader(deal.home).batteries()
    timeline = Timeline.open(deal.home.folder / TIMELINE_FILE, deal.home.trust.genesis)
    other = BATTERY.replace("PACK-0001", "PACK-9999")
    with timeline._connection as connection:
        connection.execute("INSERT INTO short VALUES(?, ?)", (CODE, other))
    found = timeline.batteries_of_code(CODE, 50), timeline.batteries_of_code(CODE, 1)
    with timeline._connection as connection:
        connection.execute("DELETE FROM short WHERE battery=?", (other,))
    timeline.close()

    assert ([BATTERY, other], [BATTERY]) == found


def test_an_index_of_an_older_format_is_made_anew(deal: Deal) -> None:
    """It had no codes: it is dropped and rebuilt from the blocks, and answers as a new one."""
    path = deal.home.folder / TIMELINE_FILE
    PassportReader(deal.home).batteries()
    connection = apsw.Connection(str(path))
    connection.execute(f"DROP TABLE short; DROP TABLE claim; PRAGMA user_version={FORMAT - 1}")
    connection.close()

    assert [BATTERY] == PassportReader(deal.home).batteries_of_code(CODE)


def test_many_who_open_a_new_index_at_once_share_it(deal: Deal, tmp_path: Path) -> None:
    """The first requests after a start come in several threads: one makes the tables, none fails."""
    genesis = deal.home.trust.genesis

    def open_and_follow(_: int) -> int:
        store, timeline = deal.home.open_reader(), Timeline.open(tmp_path / TIMELINE_FILE, genesis)
        timeline.follow(store)
        height = timeline.height
        timeline.close()
        store.close()
        return height

    with ThreadPoolExecutor(8) as pool:
        heights = set(pool.map(open_and_follow, range(8)))

    store = deal.home.open_reader()
    assert {store.head().height} == heights
    store.close()
