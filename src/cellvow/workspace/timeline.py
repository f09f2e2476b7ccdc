"""A read model: which messages concern which battery or model - accepted, or kept as claims - and its short code.

May be dropped and rebuilt from blocks.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import apsw

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.countersigning import Countersign
from cellvow.core.ledger.log import parse_block_leaf
from cellvow.core.ledger.outcome import Outcome, parse_outcome
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.identifier import BATTERY_PATTERN, BatteryId
from cellvow.core.protocol.ruleset import get_ruleset
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.passport.recorded import Recorded, RecordedClaim
from cellvow.passport.short_code import derive_short_code

FORMAT = 4
_OF_NOBODY = "UnknownUnitSighted"
"""An identifier that nobody registered is no battery: it has no page, and no place in a list of them."""
_TABLES = """
CREATE TABLE place(subject TEXT NOT NULL, leaf INTEGER NOT NULL, message INTEGER NOT NULL,
    PRIMARY KEY(subject, leaf, message)) WITHOUT ROWID;
CREATE TABLE claim(battery TEXT NOT NULL, leaf INTEGER NOT NULL, message INTEGER NOT NULL,
    PRIMARY KEY(battery, leaf, message)) WITHOUT ROWID;
CREATE TABLE short(code TEXT NOT NULL, battery TEXT NOT NULL, PRIMARY KEY(code, battery)) WITHOUT ROWID;
CREATE TABLE followed(genesis BLOB NOT NULL, height INTEGER NOT NULL);
"""


class Timeline:
    """The index, in a file of its own beside the workspace."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, genesis: bytes) -> "Timeline":
        """Open the index of the ledger with this genesis digest; one of another ledger or format is dropped first."""
        timeline = cls(_connect(path))
        if not timeline._fits(genesis):
            timeline._begin_anew(genesis)
        return timeline

    @property
    def height(self) -> int:
        """The last block taken in."""
        (height,) = self._connection.execute("SELECT height FROM followed").fetchone() or (0,)
        return int(height)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def follow(self, store: LedgerStore) -> None:
        """Take in the blocks that are new since the last call."""
        for block in store.blocks(after=self.height):
            places, claims = [], []
            for stored in store.statements(block.first_leaf, block.statements):
                places += [(subject, stored.leaf, index) for subject, index in _subjects(stored, block)]
                claims += [(battery, stored.leaf, index) for battery, index in _claims(stored)]
            codes = [(derive_short_code(one), one) for one in _batteries(subject for subject, _, _ in places)]
            with self._connection as connection:
                connection.executemany("INSERT OR IGNORE INTO place VALUES(?, ?, ?)", places)
                connection.executemany("INSERT OR IGNORE INTO claim VALUES(?, ?, ?)", claims)
                connection.executemany("INSERT OR IGNORE INTO short VALUES(?, ?)", codes)
                # Another follower may be further already.
                connection.execute("UPDATE followed SET height=max(height, ?)", (block.height,))

    def recorded(self, store: LedgerStore, *subjects: str) -> list[Recorded]:
        """The accepted messages about any of the subjects, in the order of the log."""
        places: list[tuple[int, int]] = []
        for subject in subjects:
            query = "SELECT leaf, message FROM place WHERE subject=?"
            places += [(int(leaf), int(index)) for leaf, index in self._connection.execute(query, (subject,))]
        return [_recorded(store, leaf, index) for leaf, index in sorted(dict.fromkeys(places))]

    def claims(self, store: LedgerStore, battery: str) -> list[RecordedClaim]:
        """The claims over a battery that were kept and not accepted, in the order of the log."""
        query = "SELECT leaf, message FROM claim WHERE battery=? ORDER BY leaf, message"
        places = [(int(leaf), int(index)) for leaf, index in self._connection.execute(query, (battery,))]
        return [_claimed(store, leaf, index) for leaf, index in places]

    @staticmethod
    def find(store: LedgerStore, statement: str, index: int) -> Recorded:
        """An accepted message by its place, whatever it is about."""
        stored = store.statement_of_digest(bytes.fromhex(statement))
        if stored is None:
            raise OperationalError(f"a record stems from statement {statement}, which the ledger does not hold")
        return _recorded(store, stored.leaf, index)

    def subjects(self, prefix: str, after: str, limit: int) -> list[str]:
        """At most `limit` subjects with a prefix, above `after`: a keyset page."""
        query = (
            "SELECT DISTINCT subject FROM place WHERE subject > ? AND subject >= ? AND subject < ? "
            "ORDER BY subject LIMIT ?"
        )
        rows = self._connection.execute(query, (after, prefix, prefix + "\x7f", limit))
        return [subject for (subject,) in rows]

    def batteries_of_code(self, code: str, limit: int) -> list[BatteryId]:
        """At most `limit` batteries with this short code, in order."""
        query = "SELECT battery FROM short WHERE code=? ORDER BY battery LIMIT ?"
        return [BatteryId(battery) for (battery,) in self._connection.execute(query, (code, limit))]

    def _begin_anew(self, genesis: bytes) -> None:
        """Drop what another format or ledger left, once, whoever else opens the file at this moment."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._fits(genesis):
                for (name,) in self._connection.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall():
                    self._connection.execute(f'DROP TABLE "{name}"')
                self._connection.execute(f"{_TABLES} PRAGMA user_version={FORMAT};")
                self._connection.execute("INSERT INTO followed VALUES(?, 0)", (genesis,))
            self._connection.execute("COMMIT")
        except apsw.Error:
            self._connection.execute("ROLLBACK")
            raise

    def _fits(self, genesis: bytes) -> bool:
        version = self._connection.execute("PRAGMA user_version").fetchone()
        if version != (FORMAT,):
            return False
        row: tuple[bytes, int] | None = self._connection.execute("SELECT genesis, height FROM followed").fetchone()
        return row is not None and row[0] == genesis


def _connect(path: Path) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA journal_mode=WAL").fetchall()
    except apsw.Error as error:
        raise OperationalError(f"the index {path} cannot be opened ({error}): delete it, it is rebuilt") from error
    return connection


def _accepted(stored: StoredStatement, block: StoredBlock) -> Iterator[tuple[int, Message, Outcome]]:
    ruleset = get_ruleset(parse_block_leaf(block.body).ruleset)
    for index, data in enumerate(stored.statement.messages):
        outcome = parse_outcome(stored.outcomes[index])
        if outcome.is_accepted:
            yield index, ruleset.ordered_by(ruleset.parse_message(data)), outcome


def _batteries(subjects: Iterable[str]) -> list[BatteryId]:
    """The batteries among subjects, each once: a model's subject is its number alone."""
    return [BatteryId(one) for one in dict.fromkeys(subjects) if re.match(BATTERY_PATTERN, one)]


def _subjects(stored: StoredStatement, block: StoredBlock) -> list[tuple[str, int]]:
    return [
        (one, index)
        for index, message, outcome in _accepted(stored, block)
        if outcome.events[-1]["type"] != _OF_NOBODY
        for one in message.concerns
    ]


def _claims(stored: StoredStatement) -> list[tuple[str, int]]:
    """(battery that the claim is about, place of the message) of what was kept as a claim."""
    outcomes = ((index, parse_outcome(data)) for index, data in enumerate(stored.outcomes))
    return [(str(one.events[-1]["battery"]), index) for index, one in outcomes if one.is_contested]


def _recorded(store: LedgerStore, leaf: int, index: int) -> Recorded:
    stored = store.statements(leaf, 1)[0]
    outcome = parse_outcome(stored.outcomes[index])
    if not outcome.is_accepted:
        raise OperationalError(
            f"the index names message {index} of leaf {leaf}, which was not accepted: delete the index"
        )
    signed = _signed(store, stored, index)
    first = str(outcome.events[0]["first"]) if isinstance(signed.message, Countersign) else None
    return _said(stored, index, signed, first)


def _claimed(store: LedgerStore, leaf: int, index: int) -> RecordedClaim:
    stored = store.statements(leaf, 1)[0]
    outcome = parse_outcome(stored.outcomes[index])
    if not outcome.is_contested:
        raise OperationalError(f"the index names message {index} of leaf {leaf}, which is no claim: delete the index")
    signed, first = _signed(store, stored, index), None
    if isinstance(signed.message, Countersign):
        # The claim's event does not name the key that signed first: the statement that waited does.
        waited = store.statement_of_digest(bytes.fromhex(signed.message.statement))
        first = None if waited is None else waited.statement.envelope.kid.hex()
    opened = outcome.events[-1]
    return RecordedClaim(_said(stored, index, signed, first), str(opened["topic"]), str(opened["reference"]))


class _Signed(NamedTuple):
    """A message as it was signed, a second signature around what it orders; and the block that holds it."""

    message: Message
    ordered: Message
    block: StoredBlock


def _signed(store: LedgerStore, stored: StoredStatement, index: int) -> _Signed:
    block = store.block(stored.height)
    if block is None:
        raise OperationalError(f"the index names leaf {stored.leaf}, whose block is not there: delete the index")
    ruleset = get_ruleset(parse_block_leaf(block.body).ruleset)
    message = ruleset.parse_message(stored.statement.messages[index])
    return _Signed(message, ruleset.ordered_by(message), block)


def _said(stored: StoredStatement, index: int, signed: _Signed, first_kid: str | None) -> Recorded:
    """A message with its signer and its block, whatever became of it."""
    envelope = stored.statement.envelope
    return Recorded(
        message=signed.ordered,
        event=str(parse_outcome(stored.outcomes[index]).events[-1]["type"]),
        organisation=envelope.organisation,
        kid=envelope.kid.hex(),
        statement=envelope.digest.hex(),
        index=index,
        height=signed.block.height,
        time_ms=signed.block.time_ms,
        leaf=stored.leaf,
        first_kid=first_kid,
    )
