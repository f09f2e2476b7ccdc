"""A read model: which organisation stands in which registers of which units, with the offers and disputes open there.

It follows the blocks: of every unit that a new message concerns, the records are read again as they stand now. May be
dropped and rebuilt from the ledger, also from one that began with a snapshot. Pages go by keyset and never by offset.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import RecordType, decode_record
from cellvow.core.contracts.custody import OPEN as OPEN_OFFER
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute_file import (
    LAPSE_MS,
    OPEN,
    DisputeRecord,
    UnitDisputes,
    dispute_key,
    unit_disputes_key,
)
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.log import parse_block_leaf
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.protocol.ruleset import get_ruleset
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.workspace.holdings_pages import MADE, RECEIVED, Pages

FORMAT = 2
HOLDINGS_FILE = "holdings.db"
UNITS_A_STEP, STATEMENTS_A_STEP = 5_000, 2_000
"""What one transaction takes in: whoever is killed in between goes on from there."""
_UNIT_PREFIX = "battery/"
_TABLES = """
CREATE TABLE holding(organisation TEXT NOT NULL, battery TEXT NOT NULL, custody INTEGER, ownership INTEGER,
    responsibility INTEGER, status TEXT NOT NULL, offer TEXT, disputed_until INTEGER,
    PRIMARY KEY(organisation, battery)) WITHOUT ROWID;
CREATE INDEX holding_unit ON holding(battery);
CREATE INDEX holding_status ON holding(organisation, status, battery);
CREATE INDEX holding_custody ON holding(organisation, battery) WHERE custody IS NOT NULL;
CREATE INDEX holding_ownership ON holding(organisation, battery) WHERE ownership IS NOT NULL;
CREATE INDEX holding_responsibility ON holding(organisation, battery) WHERE responsibility IS NOT NULL;
CREATE INDEX holding_offer ON holding(organisation, offer, battery) WHERE offer IS NOT NULL;
CREATE INDEX holding_disputed ON holding(organisation, battery) WHERE disputed_until IS NOT NULL;
CREATE TABLE unit(battery TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE VIRTUAL TABLE serials USING fts5(serial, battery UNINDEXED, tokenize='trigram');
CREATE TABLE open_offer(battery TEXT PRIMARY KEY, offerer TEXT NOT NULL, addressee TEXT NOT NULL,
    registers TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX open_offer_made ON open_offer(offerer, battery);
CREATE INDEX open_offer_received ON open_offer(addressee, battery);
CREATE TABLE open_dispute(opener TEXT NOT NULL, reference TEXT NOT NULL, battery TEXT NOT NULL, topic TEXT NOT NULL,
    opened_ms INTEGER NOT NULL, PRIMARY KEY(opener, reference)) WITHOUT ROWID;
CREATE INDEX open_dispute_unit ON open_dispute(battery);
CREATE TABLE involved(organisation TEXT NOT NULL, opener TEXT NOT NULL, reference TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY(organisation, opener, reference)) WITHOUT ROWID;
CREATE INDEX open_dispute_order ON open_dispute(opened_ms, opener, reference);
CREATE TABLE party(organisation TEXT NOT NULL, is_open INTEGER NOT NULL, opened_ms INTEGER NOT NULL,
    opener TEXT NOT NULL, reference TEXT NOT NULL, battery TEXT NOT NULL, topic TEXT NOT NULL, part TEXT NOT NULL,
    PRIMARY KEY(organisation, opener, reference)) WITHOUT ROWID;
CREATE INDEX party_name ON party(opener, reference);
CREATE INDEX party_order ON party(organisation, is_open, opened_ms, opener, reference);
CREATE TABLE followed(genesis BLOB NOT NULL, height INTEGER NOT NULL, filled TEXT);
"""
Progress = Callable[[int, int], None]
"""(units or blocks taken in, in all)."""
_PARTS = ("arbiter", "respondent", "opener")


class Holdings(Pages):
    """The index, in a file of its own beside the workspace."""

    @classmethod
    def open(cls, path: Path, genesis: bytes) -> "Holdings":
        """Open the index of the ledger with this genesis digest; one of another ledger or format is dropped first."""
        holdings = cls(_connect(path))
        try:
            if not holdings._fits(genesis):
                holdings._begin_anew(genesis)
        except apsw.Error:
            holdings.close()
            raise
        return holdings

    @property
    def height(self) -> int:
        """The last block taken in."""
        return self._followed()[0]

    def follow(self, store: LedgerStore, progress: Progress = lambda _done, _total: None) -> None:
        """Take in what is new since the last call; where the ledger has gone back to a backup, begin anew.

        `progress` is called after each step, with nothing locked: what it raises ends this, and is gone on from later.
        """
        height, _ = self._followed()
        if height > _newest_height(store):
            self._begin_anew(None)
        while not self._is_current(store):
            # The ledger is read after the file is locked: whoever comes later never writes what is older.
            with self._writing(), store.unchanging():
                height, filled = self._followed()
                if filled is not None:
                    self._fill(store, height, filled)
                else:
                    self._take_blocks(store, height)
            progress(*self._progress(store))

    def _is_current(self, store: LedgerStore) -> bool:
        height, filled = self._followed()
        return filled is None and height >= _newest_height(store)

    def _progress(self, store: LedgerStore) -> tuple[int, int]:
        """How many of all units were taken in, or of all blocks."""
        height, filled = self._followed()
        if filled is None:
            return height, _newest_height(store)
        row: tuple[int] = self._connection.execute("SELECT count(*) FROM unit").fetchone() or (0,)
        return row[0], store.count_records(_UNIT_PREFIX)

    def _fill(self, store: LedgerStore, height: int, filled: str) -> None:
        """The next units of a ledger as it stands; what changes while this goes on is followed afterwards."""
        if not filled:
            height = _newest_height(store)
        found = islice(store.records(_UNIT_PREFIX, after=_UNIT_PREFIX + filled), UNITS_A_STEP)
        batteries = [key[len(_UNIT_PREFIX) :] for key, _ in found]
        self._replace(store, batteries)
        going_on = batteries[-1] if len(batteries) == UNITS_A_STEP else None
        if going_on is None:
            self._replace(store, _claimed_before_birth(store))
            for _, value in store.records(dispute_key("", "")[:-1]):
                self._keep_parties(decode_record(DisputeRecord, value))
        self._connection.execute("UPDATE followed SET height=?, filled=?", (height, going_on))

    def _take_blocks(self, store: LedgerStore, height: int) -> None:
        concerned: dict[str, None] = {}
        disputed: dict[tuple[str, str], None] = {}
        statements = 0
        for block in store.blocks(after=height):
            for stored in store.statements(block.first_leaf, block.statements):
                concerned.update(dict.fromkeys(_concerned(stored, block)))
                disputed.update(dict.fromkeys(_disputed(stored)))
            height, statements = block.height, statements + block.statements
            if statements >= STATEMENTS_A_STEP:
                break
        self._replace(store, [one for one in concerned if _is_known(store, one)])
        for opener, reference in disputed:
            record = _read(store, DisputeRecord, dispute_key(opener, reference))
            if record is not None:
                self._keep_parties(record)
        self._connection.execute("UPDATE followed SET height=?", (height,))

    def _replace(self, store: LedgerStore, batteries: Iterable[str]) -> None:
        """Write what the ledger says of these units now in place of what was known."""
        for battery in batteries:
            self._forget(store, battery)
            disputes = _open_disputes(store, battery)
            offer = _read(store, OfferRecord, offer_key(battery))
            self._keep_disputes(disputes)
            if offer is not None and offer.state == OPEN_OFFER:
                row = (battery, offer.offerer, offer.addressee, " ".join(offer.registers), offer.version)
                self._connection.execute("INSERT INTO open_offer VALUES(?, ?, ?, ?, ?)", row)
            else:
                offer = None
            rows = _holding_rows(store, battery, offer, disputes)
            self._connection.executemany("INSERT INTO holding VALUES(?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _forget(self, store: LedgerStore, battery: str) -> None:
        execute = self._connection.execute
        is_registered = store.get(battery_key(battery)) is not None
        if is_registered and execute("SELECT 1 FROM unit WHERE battery=?", (battery,)).fetchone() is None:
            execute("INSERT INTO unit VALUES(?)", (battery,))
            execute("INSERT INTO serials VALUES(?, ?)", (battery[21:], battery))
        execute("DELETE FROM holding WHERE battery=?", (battery,))
        execute("DELETE FROM open_offer WHERE battery=?", (battery,))
        names = execute("SELECT opener, reference FROM open_dispute WHERE battery=?", (battery,)).fetchall()
        for opener, reference in names:
            execute("DELETE FROM involved WHERE opener=? AND reference=?", (opener, reference))
        execute("DELETE FROM open_dispute WHERE battery=?", (battery,))

    def _keep_disputes(self, disputes: Iterable[DisputeRecord]) -> None:
        for one in disputes:
            name = (one.organisation, one.reference)
            row = (*name, one.battery, one.topic, one.opened_ms)
            self._connection.execute("INSERT INTO open_dispute VALUES(?, ?, ?, ?, ?)", row)
            arbiter = one.named_by_opener if one.named_by_opener == one.named_by_respondent else None
            for part, organisation in zip(_PARTS, (arbiter, one.respondent, one.organisation), strict=True):
                if organisation is not None:
                    query = "INSERT OR REPLACE INTO involved VALUES(?, ?, ?, ?)"
                    self._connection.execute(query, (organisation, *name, part))

    def _keep_parties(self, record: DisputeRecord) -> None:
        """A dispute, open or ended, with everybody who has a part in it: also who decided it without being named."""
        arbiter = record.named_by_opener if record.named_by_opener == record.named_by_respondent else None
        if record.decision is not None:
            arbiter = record.decision.arbiter
        name = (record.organisation, record.reference)
        self._connection.execute("DELETE FROM party WHERE opener=? AND reference=?", name)
        for part, organisation in zip(_PARTS, (arbiter, record.respondent, record.organisation), strict=True):
            if organisation is not None:
                row = (organisation, int(record.state == OPEN), record.opened_ms, *name, record.battery, record.topic)
                self._connection.execute("INSERT OR REPLACE INTO party VALUES(?, ?, ?, ?, ?, ?, ?, ?)", (*row, part))

    def _followed(self) -> tuple[int, str | None]:
        row: tuple[int, str | None] = self._connection.execute("SELECT height, filled FROM followed").fetchone() or (
            0,
            "",
        )
        return row

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _begin_anew(self, genesis: bytes | None) -> None:
        """Drop what another format or ledger left, once, whoever else opens the file at this moment.

        Without a genesis it is the same ledger's, as of a later moment than the ledger's own.
        """
        with self._writing():
            if genesis is None:
                (genesis,) = self._connection.execute("SELECT genesis FROM followed").fetchone() or (b"",)
            elif self._fits(genesis):
                return
            # Tables of the search index go with it: they cannot be dropped on their own.
            query = "SELECT name FROM sqlite_schema WHERE type='table' AND name NOT LIKE 'serials_%' ORDER BY name"
            for (name,) in self._connection.execute(query).fetchall():
                self._connection.execute(f'DROP TABLE "{name}"')
            self._connection.execute(f"{_TABLES} PRAGMA user_version={FORMAT};")
            self._connection.execute("INSERT INTO followed VALUES(?, 0, '')", (genesis,))

    def _fits(self, genesis: bytes) -> bool:
        if self._connection.execute("PRAGMA user_version").fetchone() != (FORMAT,):
            return False
        row: tuple[bytes] | None = self._connection.execute("SELECT genesis FROM followed").fetchone()
        return row is not None and row[0] == genesis


@contextmanager
def followed_holdings(
    home: NodeHome, folder: Path, progress: Progress = lambda _done, _total: None
) -> Iterator[tuple[LedgerStore, Holdings]]:
    """A reading connection to the ledger, and the index in `folder` brought up to its head; a damaged one is made anew.

    `progress` is called as by `Holdings.follow`. Raises `OperationalError` where the index cannot be written, or is
    written by somebody else for too long.
    """
    path = folder / HOLDINGS_FILE
    with closing(home.open_reader()) as store:
        try:
            with closing(_open_followed(path, home.trust.genesis, store, progress)) as holdings:
                yield store, holdings
        except apsw.BusyError as error:
            raise OperationalError("the index of units is being made: try again in a minute") from error
        except apsw.Error as error:
            raise OperationalError(f"the index {path} cannot be read ({error}): delete it, it is rebuilt") from error


def _open_followed(path: Path, genesis: bytes, store: LedgerStore, progress: Progress) -> Holdings:
    try:
        return _try_followed(path, genesis, store, progress)
    except (apsw.NotADBError, apsw.CorruptError):
        # Whoever still reads the damaged file does so under its old name until he is through.
        for ending in ("", "-wal", "-shm"):
            path.with_name(f"{path.name}{ending}").unlink(missing_ok=True)
        return _try_followed(path, genesis, store, progress)


def _try_followed(path: Path, genesis: bytes, store: LedgerStore, progress: Progress) -> Holdings:
    holdings = Holdings.open(path, genesis)
    try:
        holdings.follow(store, progress)
    except BaseException:
        holdings.close()
        raise
    return holdings


def _newest_height(store: LedgerStore) -> int:
    newest = store.last_block()
    return 0 if newest is None else newest.height


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(60_000)
    try:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
        connection.execute("PRAGMA synchronous=NORMAL")  # it can be rebuilt
    except apsw.Error:
        connection.close(True)
        raise
    return connection


def _concerned(stored: StoredStatement, block: StoredBlock) -> Iterator[str]:
    """Every unit whose records a statement may have changed; a claim changes those of its dispute."""
    ruleset = get_ruleset(parse_block_leaf(block.body).ruleset)
    for encoded, encoded_outcome in zip(stored.statement.messages, stored.outcomes, strict=True):
        outcome = parse_outcome(encoded_outcome)
        if outcome.reason is not None:
            continue
        yield from ruleset.ordered_by(ruleset.parse_message(encoded)).concerns
        yield from (str(event["battery"]) for event in outcome.events if "battery" in event)


def _disputed(stored: StoredStatement) -> Iterator[tuple[str, str]]:
    """Every dispute that a statement opened or changed: who opened it, and under which reference."""
    for encoded in stored.outcomes:
        for event in parse_outcome(encoded).events:
            if "opener" in event and "reference" in event:
                yield str(event["opener"]), str(event["reference"])


def _is_known(store: LedgerStore, subject: str) -> bool:
    """Whether it is a unit: registered, or claimed by somebody before its maker has registered it."""
    return any(store.get(key) is not None for key in (battery_key(subject), unit_disputes_key(subject)))


def _claimed_before_birth(store: LedgerStore) -> list[str]:
    """Units that are disputed and not registered: few, since each counts against the quota of who claims it."""
    prefix = unit_disputes_key("")
    disputed = (key[len(prefix) :] for key, _ in store.records(prefix))
    return [one for one in disputed if store.get(battery_key(one)) is None]


def _read(store: LedgerStore, record_type: type[RecordType], key: str) -> RecordType | None:
    value = store.get(key)
    return None if value is None else decode_record(record_type, value)


def _open_disputes(store: LedgerStore, battery: str) -> list[DisputeRecord]:
    """Those that nobody ended; whether one has lapsed depends on when it is looked at."""
    listed = _read(store, UnitDisputes, unit_disputes_key(battery))
    if listed is None:
        return []
    records = [_read(store, DisputeRecord, dispute_key(one.organisation, one.reference)) for one in listed.disputes]
    return [one for one in records if one is not None and one.state == OPEN]


def _holding_rows(
    store: LedgerStore, battery: str, offer: OfferRecord | None, disputes: list[DisputeRecord]
) -> list[tuple[Any, ...]]:
    unit = _read(store, BatteryRecord, battery_key(battery))
    if unit is None:
        return []
    since: dict[str, dict[str, int]] = {}
    # A part goes with the unit it is in: its own registers rest, and still have who built it in.
    for register in REGISTERS if unit.part_of is None else ():
        record = _read(store, RegisterRecord, register_key(register, battery))
        if record is not None:
            since.setdefault(record.organisation, {})[register] = record.since_ms
    offers = {} if offer is None else {offer.offerer: MADE, offer.addressee: RECEIVED}
    status = unit.ceased or unit.status
    until = max((one.opened_ms + LAPSE_MS for one in disputes), default=None)
    return [
        (
            organisation,
            battery,
            *(since.get(organisation, {}).get(register) for register in REGISTERS),
            status,
            offers.get(organisation),
            until,
        )
        for organisation in dict.fromkeys((*since, *offers))
    ]
