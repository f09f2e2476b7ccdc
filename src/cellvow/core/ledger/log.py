"""What the leaves of the one log contain, and the app hash that vouches for all of it.

Leaf content = type byte || body: 0 genesis (genesis digest || state root), 1 statement
(SHA-256 of statement digest || outcome digest), 2 evidence digest, 3 block leaf (canonical JSON).
App hash = size (8 bytes, big-endian) || RFC 9162 root.
"""

from dataclasses import dataclass

from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.merkle import Frontier, leaf_hash

GENESIS, STATEMENT, EVIDENCE, BLOCK = b"\x00", b"\x01", b"\x02", b"\x03"


@dataclass(frozen=True, slots=True)
class BlockLeaf:
    """What the log says of one block; `first_leaf` is the index of its first statement's leaf."""

    height: int
    time_ms: int
    first_leaf: int
    statements: int
    evidence: int
    state_root: Digest
    ruleset: int


def genesis_leaf(genesis_digest: Digest, state_root: Digest) -> Digest:
    """Hash of leaf 0."""
    return leaf_hash(GENESIS + genesis_digest + state_root)


def statement_leaf(statement_digest: Digest, outcome_digest: Digest) -> Digest:
    """Hash of a statement's leaf: neither digest is published alone."""
    return leaf_hash(STATEMENT + sha256(statement_digest, outcome_digest))


def evidence_leaf(evidence: bytes) -> Digest:
    """Hash of the leaf of one piece of evidence against a validator."""
    return leaf_hash(EVIDENCE + sha256(evidence))


def encode_block_leaf(leaf: BlockLeaf) -> bytes:
    """The body of a block leaf, without its type byte."""
    return encode_document(
        {
            "evidence": leaf.evidence,
            "first_leaf": leaf.first_leaf,
            "height": leaf.height,
            "ruleset": leaf.ruleset,
            "state_root": leaf.state_root.hex(),
            "statements": leaf.statements,
            "time_ms": leaf.time_ms,
        }
    )


def parse_block_leaf(data: bytes) -> BlockLeaf:
    """The block leaf of a body; raises `Malformed`."""
    document = parse_object(data)
    names = ("height", "time_ms", "first_leaf", "statements", "evidence", "ruleset")
    root = document.get("state_root")
    if sorted(document) != sorted((*names, "state_root")) or not isinstance(root, str) or len(root) != 64:
        raise Malformed("a block leaf has exactly its seven fields")
    height, time_ms, first_leaf, statements, evidence, ruleset = (_count(document[name]) for name in names)
    return BlockLeaf(height, time_ms, first_leaf, statements, evidence, _digest(root), ruleset)


def block_leaf(body: bytes) -> Digest:
    """Hash of a block leaf from its body."""
    return leaf_hash(BLOCK + body)


def encode_app_hash(log: Frontier) -> bytes:
    """The 40 bytes every engine and every checkpoint vouches for."""
    return log.size.to_bytes(8, "big") + log.root()


def _count(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed("a block leaf counts in whole numbers")
    return value


def _digest(text: str) -> Digest:
    try:
        value = bytes.fromhex(text)
    except ValueError as error:
        raise Malformed("a digest is written in hexadecimal") from error
    if value.hex() != text:
        raise Malformed("hexadecimal is lower case")
    return Digest(value)
