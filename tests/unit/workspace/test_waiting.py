"""What waits for an organisation: one list of several kinds, cut off with a word, to which others add theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Committed, decode_record, encode_record
from cellvow.core.contracts.dispute import OpenDispute
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.takeover import NOTICE_MS, GiveNotice
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.workspace import commands
from cellvow.workspace.bulk import Judge, Order
from cellvow.workspace.clock import now_ms
from cellvow.workspace.countersigning import set_rule
from cellvow.workspace.holdings import HOLDINGS_FILE
from cellvow.workspace.waiting import SHOWN_A_KIND, NoticeWaiting, Waiting, gather
from tests import messages
from tests.unit.desk_world import BATTERY, DeskSite, DeskWorld
from tests.unit.workspace.stored_world import StoredWorld, unit
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_kinds_stand_in_their_order_and_say_where_there_is_more() -> None:
    """Whatever source they come from, and in whatever order it gives them."""
    offers = [Waiting("offer", f"{number}") for number in range(SHOWN_A_KIND + 1)]
    listed = gather([lambda _: [Waiting("dispute", "d")], lambda now_ms: offers if now_ms == 7 else []], 7)

    assert [*(f"{number}" for number in range(SHOWN_A_KIND)), "d"] == [one.battery for one in listed.waiting]
    assert ("offer",) == listed.more


def test_a_claim_against_an_entry_waits_for_both_sides(tmp_path: Path) -> None:
    """The respondent is to answer, the opener sees his own; the desk names the reference, the unit is marked."""
    world = DeskWorld.found(tmp_path / "world", NEWEST)
    buyer, maker = world.desk("buyer"), world.desk("maker")
    with buyer.write() as session, pytest.raises(KeptAsClaim):
        commands.offer_handover(session, buyer.workspace, BATTERY, "lab", ["custody"], claim=True)
    answering, opening = maker.view().waiting.waiting, buyer.view().waiting.waiting
    pages = [DeskSite(desk).enter().get("/desk").text for desk in (maker, buyer)]
    units = DeskSite(maker).enter().get("/desk/units?disputed=yes").text
    idle = world.desk("lab").view().waiting.waiting
    world.close()

    assert [("respond", BATTERY)] == [(one.kind, one.battery) for one in answering]
    assert [("dispute", BATTERY)] == [(one.kind, one.battery) for one in opening]
    assert () == idle
    assert all(f'<a href="/desk/disputes/{opening[0].number}">' in page for page in pages)
    assert "PACK-0001" in units
    assert "disputed" in units


def test_what_a_colleague_signed_first_waits_for_the_second(tmp_path: Path) -> None:
    """The desk names the message and the unit, and leads to where it is signed; once it is signed nothing waits."""
    world = DeskWorld.found(tmp_path / "world", NEWEST)
    maker = world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["OfferHandover"])
    with maker.write() as session, pytest.raises(KeptForSecond):
        commands.offer_handover(session, maker.workspace, BATTERY, "buyer", ["custody"])
    (held,) = maker.view().waiting.waiting
    page = DeskSite(maker).enter().get("/desk").text
    idle = world.desk("buyer").view().waiting.waiting
    world.close()

    assert ("second", BATTERY, "OfferHandover") == (held.kind, held.battery, held.names["message"])
    assert f'<a href="/desk/seconds/{held.number}">' in page
    assert held.number.startswith(held.names["statement"])
    assert () == idle


def test_an_announced_take_over_waits_for_whom_it_concerns(tmp_path: Path) -> None:
    """Who is registered is told to object; the giver is told when he can complete it; strangers are told nothing."""
    world = DeskWorld.found(tmp_path / "world", NEWEST)
    buyer, maker = world.desk("buyer"), world.desk("maker")
    with maker.write() as session:
        commands.offer_handover(session, maker.workspace, BATTERY, "buyer", REGISTERS)
    with buyer.write() as session:
        commands.answer_handover(session, buyer.workspace, BATTERY, "accept")
    with maker.write() as session:
        notice = GiveNotice(battery=BATTERY, version=2, cause="unreachable")
        commands.submit_message(session, maker.workspace, notice)
    noticed = buyer.view().waiting.waiting
    early = NoticeWaiting(maker.workspace)(now_ms())
    due = NoticeWaiting(maker.workspace)(now_ms() + NOTICE_MS + 60_000)
    idle = NoticeWaiting(world.desk("lab").workspace)(now_ms())
    world.close()

    assert [("notice", BATTERY)] == [(one.kind, one.battery) for one in noticed]
    assert [] == early
    assert [("complete", BATTERY)] == [(one.kind, one.battery) for one in due]
    assert [] == idle


def test_a_sheet_that_stopped_waits_until_it_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The desk leads to its page; once it is done nothing waits."""
    world = DeskWorld.found(tmp_path / "world")
    maker = world.desk("maker")
    sheet = maker.sheets.review("offer", "a.csv", f"battery,addressee\n{BATTERY},buyer".encode()).record.sheet
    unseen = maker.view().waiting.waiting
    with monkeypatch.context() as patch:

        def broken(*_: object) -> None:
            raise OperationalError("the disk is gone")

        patch.setattr(maker.sheets, "_send", broken)
        with pytest.raises(OperationalError):
            maker.sheets.execute(sheet)
    page = DeskSite(maker).enter().get("/desk").text
    maker.sheets.execute(sheet)
    after = maker.view().waiting.waiting
    world.close()

    assert () == unseen == after
    assert f'<a href="/desk/sheets/{sheet}">' in page
    assert "a.csv" in page


@pytest.mark.parametrize("damage", [b"no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 9_000, b""])
def test_a_damaged_index_is_made_anew(tmp_path: Path, damage: bytes) -> None:
    """Nobody need know of it: all is there again at the next page."""
    world = DeskWorld.found(tmp_path / "world")
    maker = world.desk("maker")
    site = DeskSite(maker).enter()
    before = site.get("/desk/units")
    path = maker.workspace.folder / HOLDINGS_FILE
    for ending in ("-wal", "-shm"):
        path.with_name(f"{HOLDINGS_FILE}{ending}").unlink(missing_ok=True)
    path.write_bytes(damage or path.read_bytes()[:8_192] + b"\xff" * 20_000)
    answers = [site.get(address) for address in ("/desk/units", "/desk", "/desk/handovers")]
    world.close()

    assert [200, 200, 200] == [one.status_code for one in answers]
    assert before.text == answers[0].text


def test_rows_are_judged_by_what_the_ledger_keeps_of_others(tmp_path: Path) -> None:
    """A cloned serial, another's model, a register held still, a part, a unit that has ended: each is told before."""
    world = StoredWorld(tmp_path / "ledger")
    world.register(1, 2)
    world.offer(MAKER, 2, BUYER, ["custody", "ownership"])
    said = Committed(commitment="ab" * 32)
    for number in (1, 2):
        reference = f"D-{number}"
        dispute = OpenDispute(
            battery=unit(number), reference=reference, topic="custody", respondent=LABORATORY, text=said
        )
        assert world.say(MAKER, dispute).is_accepted
    now_ms, get = world.head.time_ms, world.state.get

    def check(kind: str, organisation: str, order: Order) -> str:
        return Judge(kind, organisation, get, now_ms).check(order)

    born = messages.battery(unit(1))
    clone = Order(unit(1), born.manufactured_on, born.facility)
    offer = Order(unit(1), addressee=BUYER, registers=("custody",))
    key = battery_key(unit(1))
    record = decode_record(BatteryRecord, world.state.records[key])

    assert "already" == check("register", MAKER, clone)
    assert "taken" == check("register", CARMAKER, clone)
    assert "not_your_model" == check("register", CARMAKER, Order(unit(9), born.manufactured_on, born.facility))
    assert "disputed" == check("offer", MAKER, offer)
    assert "ready" == check("offer", MAKER, Order(unit(1), addressee=BUYER, registers=("ownership",)))
    assert "disputed" == check("accept", BUYER, Order(unit(2)))
    assert "ready" == check("decline", BUYER, Order(unit(2)))
    for word, changes in (("part", {"part_of": unit(2)}), ("ended", {"ceased": "destroyed"})):
        world.state.records[key] = encode_record(_changed(record, changes))
        assert word == check("offer", MAKER, offer)
    world.store.close()


def _changed(record: BatteryRecord, changes: dict[str, str]) -> BatteryRecord:
    from msgspec.structs import replace

    return replace(record, **changes)
