"""What a snapshot says, byte by byte, and what of it must hold under an app hash.

    metadata   CBOR {"chunks": [SHA-256 of each chunk], "format": 1, "height": height}; its SHA-256 names the snapshot
    chunk 0    CBOR {"body": of the newest block leaf, "evidence": [of that block], "genesis": document,
                     "nodes": [[level, position, hash]], "records": count, "size": of the log, "state_root": of genesis}
    others     CBOR [key, record, key, record], in order of the keys

The nodes are those subtrees of the log from which its root and the paths of the leaves named here follow, and no
others: of one state there is one snapshot, the same on every node.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from cellvow.core.ledger.genesis import GENESIS_BYTES_MAX, Genesis, encode_genesis, parse_genesis
from cellvow.core.ledger.log import (
    BlockLeaf,
    block_leaf,
    encode_app_hash,
    evidence_leaf,
    genesis_leaf,
    parse_block_leaf,
)
from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.limits import INTEGER_MAX, RECORD_BYTES_MAX
from cellvow.core.primitives.merkle import FetchNode, Frontier, inclusion_path, verify_inclusion
from cellvow.core.protocol.ruleset import get_ruleset
from cellvow.core.protocol.transition import Head
from cellvow.node.tables import Restored

FORMAT = 1
"""Version of the snapshot's own form; another one is not guessed at."""
METADATA_BYTES_MAX = 4_000_000
"""What the engine carries in an offer."""
CHUNK_BYTES_MAX = 10_000_000
"""What the engine's documentation advises for one chunk; it carries 16 MB. Genesis, at most 8 MB, lies in one."""
RECORD_KEY_LENGTH_MAX = 1_000
"""Far longer than any key of a record."""

Node = tuple[int, int, Digest]
"""A complete subtree of the log: level, position, hash."""


class UnknownFormat(VerificationError):
    """A snapshot in a form that this version of the software does not read."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a snapshot before its first chunk."""

    height: int
    chunks: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """Where a ledger stands, with all that binds it to the app hash: chunk 0 of a snapshot."""

    genesis: Genesis
    state_root: Digest
    size: int
    body: bytes
    evidence: tuple[bytes, ...]
    nodes: tuple[Node, ...]
    records: int


def encode_metadata(metadata: Metadata) -> bytes:
    """Its bytes, whose SHA-256 is the snapshot's hash."""
    return encode_cbor({"chunks": list(metadata.chunks), "format": FORMAT, "height": metadata.height})


def parse_metadata(data: bytes) -> Metadata:
    """The metadata of its bytes; raises `Malformed`, and `UnknownFormat` where only the form is another."""
    if len(data) > METADATA_BYTES_MAX:
        raise Malformed(f"the metadata of a snapshot has at most {METADATA_BYTES_MAX} bytes")
    document = _members(parse_cbor(data), "chunks", "format", "height")
    require_format(_count(document["format"]))
    chunks = tuple(_digest(one) for one in _array(document["chunks"]))
    if not chunks:
        raise Malformed("a snapshot has at least one chunk")
    return Metadata(_count(document["height"]), chunks)


def require_format(version: int) -> None:
    """Raise `UnknownFormat` for a form of snapshots that this software does not read."""
    if version != FORMAT:
        raise UnknownFormat(f"the snapshot has form {version}: this version of the software reads {FORMAT}")


def encode_position(position: Position) -> bytes:
    """Its bytes: chunk 0."""
    return encode_cbor(
        {
            "body": position.body,
            "evidence": list(position.evidence),
            "genesis": encode_genesis(position.genesis),
            "nodes": [list(node) for node in position.nodes],
            "records": position.records,
            "size": position.size,
            "state_root": position.state_root,
        }
    )


def parse_position(data: bytes) -> Position:
    """The position of chunk 0; raises `Malformed`. What it says is not proven yet."""
    names = ("body", "evidence", "genesis", "nodes", "records", "size", "state_root")
    document = _members(parse_cbor(data), *names)
    genesis = _bytes(document["genesis"], GENESIS_BYTES_MAX)
    return Position(
        parse_genesis(genesis),
        _digest(document["state_root"]),
        _count(document["size"]),
        _bytes(document["body"], RECORD_BYTES_MAX),
        tuple(_bytes(one, CHUNK_BYTES_MAX) for one in _array(document["evidence"])),
        tuple(_node(one) for one in _array(document["nodes"])),
        _count(document["records"]),
    )


def encode_records(records: list[tuple[str, bytes]]) -> bytes:
    """Their bytes: a chunk."""
    flat: list[Cbor] = []
    for key, value in records:
        flat += (key, value)
    return encode_cbor(flat)


def parse_records(data: bytes, after: str) -> list[tuple[str, bytes]]:
    """The records of a chunk, whose keys must follow `after` in order; raises `Malformed`."""
    flat = _array(parse_cbor(data))
    if len(flat) % 2 or not flat:
        raise Malformed("a chunk of records holds pairs of a key and a record, at least one")
    records = []
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if not isinstance(key, str) or not key.isascii() or not after < key or len(key) > RECORD_KEY_LENGTH_MAX:
            raise Malformed("the keys of records are ASCII text, each once, in order")
        records.append((key, _bytes(value, CHUNK_BYTES_MAX)))
        after = key
    return records


def derive_nodes(fetch: FetchNode, size: int, body: bytes, evidence: int) -> tuple[Node, ...]:
    """The nodes that a snapshot carries of a log with `size` leaves that ends in a block leaf of this body."""
    nodes = _Nodes(fetch)
    nodes.frontier(size)
    for index in _indices(size, body, evidence):
        inclusion_path(nodes.fetch, index, size)
    return nodes.fetched


def verify_position(position: Position, height: int, app_hash: bytes, genesis_digest: bytes) -> Restored:
    """All that a restored ledger needs besides its records, proven by an app hash; raises `VerificationError`.

    `genesis_digest` is that of the ledger the caller means to join. What the records must lead to follows from the
    result: `expected_state_root`. Raises `InvalidBlock` where this software does not know the ruleset in force.
    """
    # 1. It is the ledger to join, and its log ends in the block it shows.
    genesis = position.genesis
    if genesis.digest != genesis_digest:
        raise VerificationError("the snapshot is of another ledger: its genesis is not the one to join")
    block = _parse_end(position, height)

    # 2. Its log is the one vouched for.
    known = {(level, place): digest for level, place, digest in position.nodes}
    nodes = _Nodes(partial(_get, known))
    log = nodes.frontier(position.size)
    if encode_app_hash(log) != app_hash:
        raise VerificationError("the log of the snapshot is not the one that the app hash vouches for")

    # 3. Genesis and the newest block stand in it; no node was carried that proves nothing.
    leaves = _leaves(position, block)
    for index, hashed in leaves.items():
        if verify_inclusion(hashed, index, log.size, inclusion_path(nodes.fetch, index, log.size)) != log.root():
            what = "genesis" if index == 0 else f"leaf {index}"
            raise VerificationError(f"{what} of the snapshot does not stand in the log that the app hash vouches for")
    if nodes.fetched != position.nodes:
        raise VerificationError("the snapshot holds nodes of the log that prove nothing, or not in their order")

    # 4. Whoever goes on from here knows the rules in force.
    time_ms, ruleset = (genesis.time_ms, genesis.ruleset) if block is None else (block.time_ms, block.ruleset)
    get_ruleset(ruleset)
    head = Head(genesis.chain_id, height, time_ms, log, ruleset)
    known.update({(0, index): hashed for index, hashed in leaves.items()})
    stored = tuple((level, place, digest) for (level, place), digest in sorted(known.items()))
    return Restored(genesis, position.state_root, head, position.body, position.evidence, stored)


def expected_state_root(restored: Restored) -> Digest:
    """The root that the records of a proven position have."""
    return parse_block_leaf(restored.body).state_root if restored.body else restored.genesis_state_root


class _Nodes:
    """Fetches nodes of a log and remembers which."""

    def __init__(self, fetch: FetchNode) -> None:
        self._fetch = fetch
        self._fetched: dict[tuple[int, int], Digest] = {}

    @property
    def fetched(self) -> tuple[Node, ...]:
        """What was fetched, in order of levels."""
        return tuple((level, position, digest) for (level, position), digest in sorted(self._fetched.items()))

    def fetch(self, level: int, position: int) -> Digest:
        """One node."""
        if (level, position) not in self._fetched:
            self._fetched[level, position] = self._fetch(level, position)
        return self._fetched[level, position]

    def frontier(self, size: int) -> Frontier:
        """The complete subtrees of the first `size` leaves."""
        peaks, position = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                peaks.append(self.fetch(level, position >> level))
                position += 1 << level
        return Frontier(size, tuple(peaks))


def _indices(size: int, body: bytes, evidence: int) -> Iterator[int]:
    """The leaves that a snapshot shows: genesis, the newest block's evidence, and that block."""
    yield 0
    if body:
        yield from range(size - 1 - evidence, size)


def _parse_end(position: Position, height: int) -> BlockLeaf | None:
    """The newest block leaf, which must be the last of the log; None where genesis is the only leaf."""
    if not position.body:
        if position.size != 1 or position.evidence:
            raise VerificationError("a snapshot without a block has genesis for its only leaf")
        return None
    block = parse_block_leaf(position.body)
    last = block.first_leaf + block.statements + block.evidence
    if block.first_leaf < 1 or last != position.size - 1 or block.evidence != len(position.evidence):
        raise VerificationError("the log of the snapshot does not end in the block that it shows")
    if block.height > height:
        raise VerificationError(f"the snapshot of height {height} shows a block of height {block.height}")
    return block


def _leaves(position: Position, block: BlockLeaf | None) -> dict[int, Digest]:
    """Index -> hash of the leaves that the snapshot shows."""
    hashes = [genesis_leaf(position.genesis.digest, position.state_root)]
    if block is not None:
        hashes += [evidence_leaf(one) for one in position.evidence]
        hashes.append(block_leaf(position.body))
    return dict(zip(_indices(position.size, position.body, len(position.evidence)), hashes, strict=True))


def _get(nodes: dict[tuple[int, int], Digest], level: int, position: int) -> Digest:
    found = nodes.get((level, position))
    if found is None:
        raise VerificationError(f"the snapshot lacks node {position} of level {level} of the log")
    return found


def _members(value: Cbor, *names: str) -> dict[int | str, Cbor]:
    if not isinstance(value, dict) or len(value) != len(names) or any(name not in value for name in names):
        raise Malformed(f"a map with exactly {', '.join(names)} was expected")
    return value


def _array(value: Cbor) -> list[Cbor]:
    if not isinstance(value, list):
        raise Malformed("an array was expected")
    return value


def _bytes(value: Cbor, length_max: int) -> bytes:
    if not isinstance(value, bytes) or len(value) > length_max:
        raise Malformed(f"a byte string of at most {length_max} bytes was expected")
    return value


def _digest(value: Cbor) -> Digest:
    if not isinstance(value, bytes) or len(value) != DIGEST_LENGTH:
        raise Malformed(f"a digest has {DIGEST_LENGTH} bytes")
    return Digest(value)


def _count(value: Cbor) -> int:
    if not isinstance(value, int) or not 0 <= value <= INTEGER_MAX:
        raise Malformed("a whole number below 2^53 was expected")
    return value


def _node(value: Cbor) -> Node:
    members = _array(value)
    if len(members) != 3:
        raise Malformed("a node has a level, a position and a hash")
    return _count(members[0]), _count(members[1]), _digest(members[2])
