"""The index of holdings says what the ledger's records say, however it came to it; its pages skip nothing."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.battery import BatteryRecord
from cellvow.core.contracts.contract import Committed, decode_record
from cellvow.core.contracts.custody import OfferRecord
from cellvow.core.contracts.dispute import NominateArbiter, OpenDispute, WithdrawDispute
from cellvow.core.contracts.dispute_file import LAPSE_MS, DisputeRecord, dispute_key
from cellvow.core.contracts.register import REGISTERS, RegisterRecord
from cellvow.node.store import LedgerStore
from cellvow.workspace import holdings as module
from cellvow.workspace import holdings_pages
from cellvow.workspace.holdings import FORMAT, HOLDINGS_FILE, Holdings
from cellvow.workspace.holdings_pages import Unit, Wish
from tests import assembly, messages
from tests.unit.core.protocol.signing_cases import add_key
from tests.unit.workspace.stored_world import StoredWorld, unit
from tests.world import AUTHORITY, BUYER, CARMAKER, MAKER

if TYPE_CHECKING:
    from collections.abc import Iterator

GENESIS = b"g" * 32
UNITS = 4
SIDES = (MAKER, CARMAKER, BUYER)
TABLES = ("holding", "open_offer", "open_dispute", "involved", "party", "unit", "serials")
QUERY = "SELECT * FROM "
NUMBERS = st.integers(0, UNITS - 1)
WHO = st.sampled_from(SIDES)
STEPS = st.one_of(
    st.tuples(st.just("register"), st.lists(NUMBERS, min_size=1, max_size=3)),
    st.tuples(st.just("offer"), WHO, NUMBERS, WHO, st.sets(st.sampled_from(REGISTERS), min_size=1)),
    st.tuples(st.sampled_from(["accept", "accept", "decline", "withdraw"]), WHO, NUMBERS),
    st.tuples(st.just("clone"), NUMBERS),
    st.tuples(st.just("dispute"), WHO, NUMBERS, WHO),
    st.tuples(st.just("nominate"), WHO, WHO),
    st.tuples(st.just("give up"), WHO, NUMBERS),
    st.tuples(st.just("follow")),
)


@contextmanager
def opened(path: Path) -> Iterator[Holdings]:
    """The index in a file."""
    index = Holdings.open(path, GENESIS)
    try:
        yield index
    finally:
        index.close()


def content(path: Path, store: LedgerStore) -> dict[str, list[Any]]:
    """All that an index holds once it has followed."""
    with opened(path) as index:
        index.follow(store)
        return {name: sorted(index._connection.execute(QUERY + name).fetchall(), key=repr) for name in TABLES}


def scanned(store: LedgerStore) -> dict[str, list[Any]]:
    """The same by looking through all records: what the desk did before there was an index."""

    def every(kind: type[Any], prefix: str) -> list[Any]:
        return [decode_record(kind, value) for _, value in store.records(prefix)]

    units = {one.battery: one for one in every(BatteryRecord, "battery/")}
    offers = {one.battery: one for one in every(OfferRecord, "offer/") if one.state == "open"}
    disputes = [one for one in every(DisputeRecord, "dispute/") if one.state == "open"]
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for register in REGISTERS:
        for one in every(RegisterRecord, f"{register}/"):
            rows.setdefault((one.organisation, one.battery), {})[register] = one.since_ms
    for one in offers.values():
        rows.setdefault((one.offerer, one.battery), {})["offer"] = "made"
        rows.setdefault((one.addressee, one.battery), {})["offer"] = "received"
    lapses = {one.battery: one.opened_ms + LAPSE_MS for one in sorted(disputes, key=lambda one: one.opened_ms)}
    holding = [
        (
            who,
            battery,
            *(row.get(one) for one in REGISTERS),
            status(units[battery]),
            row.get("offer"),
            lapses.get(battery),
        )
        for (who, battery), row in rows.items()
    ]
    opened_now = [(one.organisation, one.reference, one.battery, one.topic, one.opened_ms) for one in disputes]
    parts: dict[tuple[str, str, str], str] = {}
    for one in disputes:
        agreed = one.named_by_opener if one.named_by_opener == one.named_by_respondent else None
        for part, who in (("arbiter", agreed), ("respondent", one.respondent), ("opener", one.organisation)):
            if who is not None:
                parts[who, one.organisation, one.reference] = part
    open_offers = [
        (one.battery, one.offerer, one.addressee, " ".join(one.registers), one.version) for one in offers.values()
    ]
    found: dict[str, list[Any]] = {
        "holding": holding,
        "open_offer": open_offers,
        "open_dispute": opened_now,
        "involved": [(*names, part) for names, part in parts.items()],
        "party": parties(every(DisputeRecord, "dispute/")),
        "unit": [(battery,) for battery in units],
        "serials": [(battery[21:], battery) for battery in units],
    }
    return {name: sorted(rows_of, key=repr) for name, rows_of in found.items()}


def parties(records: list[DisputeRecord]) -> list[Any]:
    """Who has, or had, a part in which dispute."""
    found: dict[tuple[str, str, str], Any] = {}
    for one in records:
        agreed = one.named_by_opener if one.named_by_opener == one.named_by_respondent else None
        row = (int(one.state == "open"), one.opened_ms, one.organisation, one.reference, one.battery, one.topic)
        for part, who in (("arbiter", agreed), ("respondent", one.respondent), ("opener", one.organisation)):
            if who is not None:
                found[who, one.organisation, one.reference] = (who, *row, part)
    return list(found.values())


def status(record: BatteryRecord) -> str:
    """What the desk calls a unit."""
    return record.ceased or record.status


def take(world: StoredWorld, step: tuple[Any, ...], path: Path) -> None:
    """One step, whatever becomes of it."""
    kind, *rest = step
    if kind == "register":
        world.register(*rest[0])
    elif kind == "offer":
        who, number, addressee, registers = rest
        world.offer(who, number, addressee, registers)
    elif kind in ("accept", "decline", "withdraw"):
        who, number = rest
        key = f"offer/{unit(number)}"
        version = world.record(OfferRecord, key).version if key in world.state.records else 1
        world.say(who, getattr(messages, kind)(version, identifier=unit(number)))
    elif kind == "clone":
        world.say(CARMAKER, messages.battery(unit(rest[0])))
    elif kind == "follow":
        content(path, world.store)
    else:
        argue(world, kind, *rest)


def argue(world: StoredWorld, kind: str, who: str, *rest: Any) -> None:  # noqa: ANN401 - as the strategy draws them
    """A step of a dispute."""
    if kind == "dispute":
        number, respondent = rest
        said = Committed(commitment="ab" * 32)
        message = OpenDispute(
            battery=unit(number), reference=f"D-{number}", topic="custody", respondent=respondent, text=said
        )
        world.say(who, message)
        return
    for key in [one for one in world.state.records if one.startswith("dispute/")]:
        record = world.record(DisputeRecord, key)
        if kind == "nominate":
            names = {"battery": record.battery, "opener": record.organisation, "reference": record.reference}
            world.say(who, NominateArbiter(**names, arbiter=rest[0] if rest[0] != who else AUTHORITY))
        elif record.organisation == who:
            names = {"battery": record.battery, "opener": who, "reference": record.reference}
            world.say(who, WithdrawDispute(**names))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(steps=st.lists(STEPS, min_size=3, max_size=20))
def test_followed_or_rebuilt_it_says_what_a_full_scan_says(steps: list[tuple[Any, ...]]) -> None:
    """After any sequence of births, offers, answers, claims and disputes, wherever it was followed in between."""
    with TemporaryDirectory() as folder:
        world = StoredWorld(Path(folder) / "ledger")
        for step in [("register", [0, 1]), *steps]:
            take(world, step, Path(folder) / "followed.db")
        expected = scanned(world.store)

        assert expected == content(Path(folder) / "followed.db", world.store)
        assert expected == content(Path(folder) / "rebuilt.db", world.store)
        world.store.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoredWorld]:
    """Thirty batteries of the maker; some offered, some handed over, one claimed by another."""
    made = StoredWorld(tmp_path_factory.mktemp("world") / "ledger")
    made.register(*range(0, 60, 2))
    for number in range(0, 20, 2):
        made.offer(MAKER, number, BUYER, ["custody"])
        if number % 4 == 0:
            made.say(BUYER, messages.accept(identifier=unit(number)))
    made.say(CARMAKER, messages.battery(unit(40)))
    yield made
    made.store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an index of its own lies."""
    return tmp_path / HOLDINGS_FILE


def pages(index: Holdings, wish: Wish, limit: int = 7, organisation: str = MAKER, now_ms: int = 0) -> list[Unit]:
    """All pages, one after the other."""
    found: list[Unit] = []
    after: str | None = ""
    while after is not None:
        page = index.units(organisation, wish, after, now_ms, limit)
        found += page.units
        after = page.after
    return found


@pytest.mark.parametrize("killed_at", [1, 3, 8, 20])
def test_killed_while_it_follows_it_goes_on_and_misses_nothing(
    world: StoredWorld, path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    """Units are taken in few at a time; what was half done is undone."""
    monkeypatch.setattr(module, "UNITS_A_STEP", 3)
    monkeypatch.setattr(module, "STATEMENTS_A_STEP", 1)
    forget, calls = Holdings._forget, 0

    def dying(self: Holdings, store: LedgerStore, battery: str) -> None:
        nonlocal calls
        calls += 1
        if calls == killed_at:
            raise KeyboardInterrupt
        forget(self, store, battery)

    monkeypatch.setattr(Holdings, "_forget", dying)
    with pytest.raises(KeyboardInterrupt):
        content(path, world.store)

    assert scanned(world.store) == content(path, world.store)


@pytest.mark.slow
def test_paging_skips_and_repeats_nothing_while_units_arrive(path: Path, tmp_path: Path) -> None:
    """Between every two pages others are born before and behind: those that were there come once each."""
    world = StoredWorld(tmp_path / "ledger")
    there = list(range(0, 60, 2))
    world.register(*there)
    seen: list[str] = []
    after: str | None = ""
    arriving = iter(zip(range(1, 30, 2), range(59, 30, -2), strict=False))
    with opened(path) as index:
        while after is not None:
            index.follow(world.store)
            page = index.units(MAKER, Wish(), after, 0, 4)
            seen += [one.battery for one in page.units]
            after = page.after
            world.register(*next(arriving))

    assert sorted(dict.fromkeys(seen)) == seen
    assert {unit(number) for number in there} <= set(seen)
    world.store.close()


WISHES = [
    Wish(),
    Wish(register="custody"),
    Wish(register="responsibility", offer="made"),
    Wish(offer="made"),
    Wish(disputed=True),
    Wish(status="original", register="custody"),
    Wish(status="waste"),
    Wish(serial="00"),
    Wish(serial="P-00"),
    Wish(serial="-0012"),
    Wish(serial="001", register="custody"),
    Wish(serial="-004", disputed=True),
    Wish(model=messages.GTIN[:6]),
    Wish(model="9"),
    Wish(serial="00", model=messages.GTIN),
]


@pytest.mark.parametrize("few", [False, True], ids=["", "looked through in pieces"])
@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_a_filter_finds_what_looking_at_every_unit_finds(
    world: StoredWorld, path: Path, monkeypatch: pytest.MonkeyPatch, wish: Wish, *, few: bool
) -> None:
    """In order, once each, also where a page may look through few rows and serials are too many to be joined."""
    if few:
        monkeypatch.setattr(holdings_pages, "LOOKED_THROUGH_MAX", 3)
        monkeypatch.setattr(holdings_pages, "CANDIDATES_MAX", 2)
    with opened(path) as index:
        index.follow(world.store)
        every = index.units(MAKER, Wish(), "", world.head.time_ms, 100).units
        found = pages(index, wish, limit=2, now_ms=world.head.time_ms)

    def fits(one: Unit) -> bool:
        return (
            (not wish.register or wish.register in one.registers)
            and one.model.startswith(wish.model)
            and wish.serial in one.serial
            and wish.status in ("", one.status)
            and wish.offer in ("", one.offer)
            and (not wish.disputed or one.is_disputed)
        )

    if few:
        with opened(path) as index:
            every = tuple(pages(index, Wish(), limit=2, now_ms=world.head.time_ms))
    assert 30 == len(every)
    assert [one for one in every if fits(one)] == found


def test_a_dispute_that_has_lapsed_no_longer_marks_its_unit(world: StoredWorld, path: Path) -> None:
    """Nobody writes that it lapsed: the index is asked as of a moment."""
    now_ms = world.head.time_ms
    with opened(path) as index:
        index.follow(world.store)
        open_now = [one.battery for one in pages(index, Wish(disputed=True), now_ms=now_ms)]
        later = [one.battery for one in pages(index, Wish(disputed=True), now_ms=now_ms + LAPSE_MS + 1)]
        mine = [(one.part, one.reference) for one in index.disputes(MAKER, now_ms, 9)]
        theirs = [(one.part, one.reference) for one in index.disputes(CARMAKER, now_ms, 9)]
        lapsed = index.disputes(MAKER, now_ms + LAPSE_MS + 1, 9)

    assert ([unit(40)], []) == (open_now, later)
    assert ([("respondent", "CLAIM-1")], [("opener", "CLAIM-1")], []) == (mine, theirs, lapsed)


def disputes(index: Holdings, now_ms: int, limit: int) -> list[tuple[str, str]]:
    """All pages of the maker's disputes, (band, reference)."""
    found: list[tuple[str, str]] = []
    after = ""
    while page := index.parties(MAKER, now_ms, after, limit):
        found += [(one.band, one.reference) for one in page]
        after = page[-1].cursor
    return found


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_disputes_come_open_first_and_once_each_whatever_the_page(tmp_path: Path, path: Path, limit: int) -> None:
    """Open, then lapsed, then ended, each the newest first; also those that share a moment; others' are not there."""
    world = StoredWorld(tmp_path / "ledger")
    world.register(*range(6))
    for number in range(6):
        argue(world, "dispute", MAKER, number, BUYER)
    argue(world, "dispute", CARMAKER, 0, BUYER)
    for number in (1, 4):
        names = {"battery": unit(number), "opener": MAKER, "reference": f"D-{number}"}
        world.say(MAKER, WithdrawDispute(**names))
    newest_ms = world.record(DisputeRecord, dispute_key(MAKER, "D-3")).opened_ms
    with opened(path) as index:
        index.follow(world.store)
        now = disputes(index, newest_ms, limit)
        later = disputes(index, newest_ms + LAPSE_MS, limit)
        strangers = index.parties(AUTHORITY, newest_ms, "", 9)
        anybody = [(one.opener, one.part) for one in index.open_to_authorities(newest_ms, "", 9)]
    world.store.close()

    assert [*(("open", f"D-{n}") for n in (5, 3, 2, 0)), *(("ended", f"D-{n}") for n in (4, 1))] == now
    assert [("open", "D-5"), ("open", "D-3"), ("lapsed", "D-2"), ("lapsed", "D-0")] == later[:4]
    assert [] == strangers
    assert [(CARMAKER, ""), *[(MAKER, "")] * 4] == anybody


@pytest.mark.parametrize("after", ["x", "open:1", "open:1:maker/D-1'", "open:9999999999999999:a/B", "\0", "ended::/"])
def test_threat_a_cursor_is_made_up(world: StoredWorld, path: Path, after: str) -> None:
    """What is none begins at the front."""
    with opened(path) as index:
        index.follow(world.store)
        front = index.parties(MAKER, world.head.time_ms, "", 9)

        assert front == index.parties(MAKER, world.head.time_ms, after, 9)
        assert 1 == len(front)


@pytest.mark.parametrize("text", ["'", '"', "%", "_", "*", "P OR 1", "ß", "\0", "x" * 21, "NEAR(", "-" * 20])
def test_threat_a_search_text_is_a_question_in_another_language(world: StoredWorld, path: Path, text: str) -> None:
    """Neither SQL nor the search index takes it for its own: nothing is found, nothing fails."""
    with opened(path) as index:
        index.follow(world.store)

        assert [] == pages(index, Wish(serial=text))
        assert [] == pages(index, Wish(model=text))
        assert [] == pages(index, Wish(register=text))
        assert [] == pages(index, Wish(status=text))
        assert [] == pages(index, Wish(offer=text))


def test_an_index_of_another_format_or_ledger_is_made_anew(world: StoredWorld, path: Path) -> None:
    """It is dropped, and filled from the records."""
    expected = content(path, world.store)
    connection = apsw.Connection(str(path))
    connection.execute(f"DROP TABLE involved; PRAGMA user_version={FORMAT + 1}")
    connection.close()
    again = content(path, world.store)
    other = Holdings.open(path, b"h" * 32)
    empty = other.units(MAKER, Wish(), "", 0)
    other.close()

    assert expected == again
    assert () == empty.units


@pytest.mark.slow
def test_a_ledger_that_went_back_to_a_backup_is_read_anew(path: Path, tmp_path: Path) -> None:
    """What the index had seen of the lost blocks is gone; what comes instead is taken in."""
    world = StoredWorld(tmp_path / "ledger")
    world.register(1)
    world.store.close()
    shutil.copytree(tmp_path / "ledger", tmp_path / "backup")
    world.store = LedgerStore.open_writer(tmp_path / "ledger")
    world.register(2)
    seen = content(path, world.store)["unit"]
    world.store.close()
    backup = LedgerStore.open_reader(tmp_path / "backup")
    again = content(path, backup)
    expected = scanned(backup)
    backup.close()

    assert [(unit(1),), (unit(2),)] == seen
    assert expected == again


def test_who_sold_the_whole_does_not_find_its_parts_among_his_units(path: Path, tmp_path: Path) -> None:
    """A part goes with its whole; taken out, it is found with who has it then."""
    world = StoredWorld(tmp_path / "ledger")
    assembly.assembled(world)
    assembly.hand_over(world, assembly.pack(1), MAKER, BUYER)
    assert content(path, world.store)["holding"]
    with opened(path) as index:
        found = {who: [one.battery for one in pages(index, Wish(), organisation=who)] for who in (MAKER, BUYER)}
    assert assembly.module(1) not in found[MAKER]
    assert found[BUYER] == [assembly.pack(1)]

    world.accept(world[BUYER].key.sign(messages.part_out(assembly.module(1), assembly.pack(1))))
    content(path, world.store)
    with opened(path) as index:
        left = [one.battery for one in pages(index, Wish(), organisation=BUYER)]
    assert left == [assembly.module(1), assembly.pack(1)]
    world.store.close()


def test_what_a_second_signature_ordered_is_followed_wherever_it_shows(path: Path, tmp_path: Path) -> None:
    """A second life changes units that the signature itself does not name."""
    world = StoredWorld(tmp_path / "ledger")
    world.register(1)
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER, "BeginSecondLife")))
    second = add_key(world)
    held = world[MAKER].key.sign(messages.second_life(originals=(messages.draw(unit(1)),)))
    assert world.submit(held).is_held
    content(path, world.store)  # it has followed as far as the first signature
    assert world.submit(second.sign(messages.second_signature(held))).is_accepted

    assert content(path, world.store) == scanned(world.store)
    world.store.close()


def test_many_who_follow_at_once_do_not_undo_each_other(world: StoredWorld, path: Path) -> None:
    """The first requests after a start come in several threads: none fails, none writes what is older."""

    def follow(_: int) -> int:
        reader = type(world.store).open_reader(world.store.folder)
        with opened(path) as index:
            index.follow(reader)
            height = index.height
        reader.close()
        return height

    with ThreadPoolExecutor(6) as pool:
        heights = set(pool.map(follow, range(6)))

    assert {world.head.height} == heights
    assert scanned(world.store) == content(path, world.store)
