"""The tables of the ledger's file, and what is written into them: genesis, a block and all it did, or a snapshot."""

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Genesis, encode_genesis
from cellvow.core.ledger.log import parse_block_leaf
from cellvow.core.ledger.state import StateTree, entry_hash, key_hash
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.protocol.transition import Applied, Head

FORMAT = 1
"""Version of the tables; a file of another one is refused, not guessed at."""

TABLES = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE block(height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, first_leaf INTEGER NOT NULL,
    statements INTEGER NOT NULL, evidence BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE statement(leaf INTEGER PRIMARY KEY, height INTEGER NOT NULL, txid BLOB NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL, outcomes BLOB NOT NULL) STRICT;
CREATE TABLE node(level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY(level, position)) WITHOUT ROWID, STRICT;
CREATE TABLE record(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
PRAGMA user_version={FORMAT};
"""

Nodes = Iterable[tuple[int, int, Digest]]
"""Complete subtrees of the log: level, position, hash."""


@dataclass(frozen=True, slots=True)
class Restored:
    """Where a ledger stands that begins with a snapshot; the app hash vouches for every part of it.

    `body` and `evidence` are those of the newest block that is not empty; `body` is b"" before the first.
    """

    genesis: Genesis
    genesis_state_root: Digest
    head: Head
    body: bytes
    evidence: tuple[bytes, ...]
    nodes: tuple[tuple[int, int, Digest], ...]


def write_begun(connection: apsw.Connection, genesis: Genesis, applied: Applied) -> None:
    """Write the tables and a ledger's beginning, leaf 0."""
    hashes = ((key_hash(key), value) for key, value in applied.writes.items())
    tree = StateTree(((key, entry_hash(key, value)) for key, value in hashes), count=len(applied.writes))
    connection.execute(TABLES)
    _write_genesis(connection, genesis, tree.root)
    _write_applied(connection, applied)


def write_restored(connection: apsw.Connection, restored: Restored, records: Iterable[tuple[str, bytes]]) -> None:
    """Write the tables and what a snapshot holds: no statements, and of the log what it goes on from."""
    connection.execute(TABLES)
    _write_genesis(connection, restored.genesis, restored.genesis_state_root)
    _write_head(connection, restored.head, restored.nodes)
    connection.execute("INSERT INTO meta VALUES('restored', ?)", (restored.head.height.to_bytes(8, "big"),))
    if restored.body:
        leaf = parse_block_leaf(restored.body)
        frame = (leaf.height, leaf.time_ms, leaf.first_leaf, leaf.statements)
        _write_frame(connection, frame, restored.evidence, restored.body)
    connection.executemany("INSERT INTO record VALUES(?, ?)", records)


def write_block(connection: apsw.Connection, block: Block, applied: Applied) -> None:
    """Write a block with its statements and their outcomes, and all it did; of an empty one only that it was."""
    if not block.is_empty:
        _write_statements(connection, block, applied)
    _write_applied(connection, applied)


def _write_statements(connection: apsw.Connection, block: Block, applied: Applied) -> None:
    first_leaf = applied.head.log.size - len(applied.leaves)
    frame = (block.height, block.time_ms, first_leaf, len(block.statements))
    _write_frame(connection, frame, block.evidence, applied.block_leaf)
    connection.executemany(
        "INSERT INTO statement VALUES(?, ?, ?, ?, ?, ?)",
        [
            (
                first_leaf + offset,
                block.height,
                statement.envelope.txid,
                statement.envelope.digest,
                statement.data,
                encode_cbor(list(applied.outcomes[offset])),
            )
            for offset, statement in enumerate(block.statements)
        ],
    )


def _write_applied(connection: apsw.Connection, applied: Applied) -> None:
    connection.executemany("INSERT OR REPLACE INTO record VALUES(?, ?)", applied.writes.items())
    _write_head(connection, applied.head, applied.nodes)


def _write_genesis(connection: apsw.Connection, genesis: Genesis, state_root: Digest) -> None:
    meta = [("genesis", encode_genesis(genesis)), ("genesis_state_root", state_root)]
    connection.executemany("INSERT INTO meta VALUES(?, ?)", meta)


def _write_head(connection: apsw.Connection, head: Head, nodes: Nodes) -> None:
    connection.executemany("INSERT INTO node VALUES(?, ?, ?)", nodes)
    position = encode_cbor([head.height, head.time_ms, head.log.size, head.ruleset])
    connection.execute("INSERT OR REPLACE INTO meta VALUES('head', ?)", (position,))


def _write_frame(
    connection: apsw.Connection, frame: tuple[int, int, int, int], evidence: tuple[bytes, ...], body: bytes
) -> None:
    row = (*frame, encode_cbor(list(evidence)), body)
    connection.execute("INSERT INTO block VALUES(?, ?, ?, ?, ?, ?)", row)
