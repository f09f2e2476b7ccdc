"""`ledger.batch`: events a second through the engine, 500 under one signature, durable."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import apsw

from benchmarks.bench import Bench
from benchmarks.ledger_single import seconds_to_commit
from benchmarks.ledgers import Filled
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from benchmarks.members import MAKER, declaration, life_events
from benchmarks.sampling import alternate, seconds
from cellvow.core.contracts.attestation import attestation_key
from cellvow.core.contracts.contract import encode_message
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.home import NodeHome

NAME = "ledger.batch"
RATIO_MIN, RATIO_AIM, RATE_MIN = 0.2, 0.5, 10_000
ROWS_A_TRANSACTION = 4_000
"""About the events of one block of the engine under this load, so that both sync as rarely."""
_TABLE = """
CREATE TABLE event(leaf INTEGER PRIMARY KEY, height INTEGER NOT NULL, txid BLOB NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL, outcomes BLOB NOT NULL, record BLOB NOT NULL) STRICT;
"""
_OUTCOME = b'{"events":[{"battery":"01/04012345123456/21/B0000000","type":"AttestationIssued"}],"result":"accepted"}'


def measure(bench: Bench) -> list[Found]:
    """The row, with SQLite's own rate measured in turn with it."""
    filled, count = bench.filled(), bench.size(20_000, 2_000)
    events = list(life_events(filled.batteries, count))
    carried = [encode_message(one) for one in events]
    record = _example_record(filled)

    def subject() -> float:
        home, maker = filled.copy(bench.folder("batch"))
        rate = count / seconds_to_commit(home, maker.batches(events, BATCH_MESSAGES_MAX))
        bench.say(f"{rate:,.0f} events/s")
        return rate

    def bound() -> float:
        return rows_per_s(bench.folder("rows"), carried, record)

    ours, theirs = alternate(subject, bound, bench.runs)
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="events/s",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            bound=Part("rows SQLite alone writes with WAL and synchronous=FULL", median(theirs), "rows/s"),
            goals=(
                at_least("ratio", ratio, RATIO_MIN),
                at_least("events/s", median(ours), RATE_MIN),
                at_least("aim: ratio", ratio, RATIO_AIM),
            ),
            setting=(
                f"{count:,} events of the same mix in batches of {BATCH_MESSAGES_MAX}, on a ledger of "
                f"{filled.batteries:,} batteries; the bound writes one row an event with the same message, an outcome, "
                f"a record and two unique digests, {ROWS_A_TRANSACTION:,} rows a transaction"
            ),
        )
    ]


def rows_per_s(folder: Path, carried: Sequence[bytes], record: bytes) -> float:
    """How fast SQLite takes these messages as rows, each with a record beside it, at the ledger's own level of sync."""
    folder.mkdir(parents=True)
    rows = [
        (place, 1, sha256(b"txid", data), sha256(b"digest", data), data, _OUTCOME, record)
        for place, data in enumerate(carried)
    ]
    connection = apsw.Connection(str(folder / "rows.db"))
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(_TABLE)

    def work() -> None:
        for at in range(0, len(rows), ROWS_A_TRANSACTION):
            with connection:
                connection.executemany(
                    "INSERT INTO event VALUES(?, ?, ?, ?, ?, ?, ?)", rows[at : at + ROWS_A_TRANSACTION]
                )

    taken = seconds(work)
    connection.close()
    return len(rows) / taken


def _example_record(filled: Filled) -> bytes:
    """The record that a declared value, the most frequent event of the mix, leaves in the state."""
    store = NodeHome(filled.folder).open_reader()
    try:
        record = store.get(attestation_key(MAKER, declaration(0, 0).reference))
    finally:
        store.close()
    ensure(record is not None, "the filled ledger holds the first declared value")
    return record or b""
