"""The authenticated map: a compact sparse Merkle tree over all records, with proofs of presence and absence.

Key hash = SHA-256("cellvow/state/key/v1" || 0 || key); an empty subtree is 32 zero bytes; a subtree of one key is
SHA-256(0x10 || key hash || SHA-256(value)); any other is SHA-256(0x11 || left || right). The hash rule fixes no
storage: `StateTree` keeps the upper levels in one array and the keys below in packed buckets.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, domain_digest, sha256
from cellvow.core.primitives.errors import VerificationError, ensure
from cellvow.core.primitives.limits import STATE_PATH_LENGTH_MAX

KEY_DOMAIN = "cellvow/state/key/v1"
EMPTY = Digest(bytes(32))
_KEY_BITS = 256
_BUCKET_KEYS = 8  # aimed at on building: short scans, and few levels to rehash per update
_LEVELS_MAX = 20

Entry = tuple[Digest, Digest]
"""(key hash, hash of the one-key subtree)."""


def key_hash(key: str) -> Digest:
    """Where a record lies in the map."""
    return domain_digest(KEY_DOMAIN, key.encode("ascii"))


def entry_hash(hashed_key: bytes, value: bytes) -> Digest:
    """Hash of the subtree that holds this one record alone."""
    return sha256(b"\x10", hashed_key, sha256(value))


def branch_hash(left: bytes, right: bytes) -> Digest:
    """Hash of a subtree of two or more records."""
    return sha256(b"\x11", left, right)


@dataclass(frozen=True, slots=True)
class StateProof:
    """Siblings from the root down, empty ones as b""; `other` = (key hash, value hash) met instead of an absent key."""

    siblings: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None = None


def verify_presence(root: bytes, key: str, value: bytes, proof: StateProof) -> bytes:
    """The value, proven to be the record of `key` under `root`; raises `VerificationError`."""
    if proof.other is not None:
        raise VerificationError("a proof of presence names no other key")
    hashed = key_hash(key)
    if _fold(hashed, entry_hash(hashed, value), proof.siblings) != root:
        raise VerificationError(f"the state root does not hold this record of {key}")
    return value


def verify_absence(root: bytes, key: str, proof: StateProof) -> None:
    """Raise `VerificationError` unless the map under `root` holds no record of `key`."""
    hashed, met = key_hash(key), EMPTY
    if proof.other is not None:
        other, value_hash = proof.other
        depth = len(proof.siblings)
        if len(other) != DIGEST_LENGTH or len(value_hash) != DIGEST_LENGTH:
            raise VerificationError("the other key of a proof of absence is two hashes of 32 bytes")
        if other == hashed or _prefix(other, depth) != _prefix(hashed, depth):
            raise VerificationError(f"the proof of absence of {key} ends at a key from elsewhere")
        met = sha256(b"\x10", other, value_hash)
    if _fold(hashed, met, proof.siblings) != root:
        raise VerificationError(f"the state root does not prove that {key} has no record")


def _fold(hashed: bytes, bottom: Digest, siblings: Sequence[bytes]) -> Digest:
    if len(siblings) > STATE_PATH_LENGTH_MAX or any(len(s) not in (0, 32) or s == EMPTY for s in siblings):
        raise VerificationError("a state proof has at most 256 siblings of 32 bytes, empty ones left out")
    node = bottom
    for depth in range(len(siblings) - 1, -1, -1):
        sibling = siblings[depth] or EMPTY
        node = branch_hash(sibling, node) if _bit(hashed, depth) else branch_hash(node, sibling)
    return node


def _bit(hashed: bytes, depth: int) -> int:
    return hashed[depth >> 3] >> (7 - (depth & 7)) & 1


def _prefix(hashed: bytes, bits: int) -> int:
    return int.from_bytes(hashed, "big") >> (_KEY_BITS - bits)


def _subtree(entries: Sequence[Entry], depth: int) -> Digest:
    if not entries:
        return EMPTY
    if len(entries) == 1:
        return entries[0][1]
    split = _split(entries, depth)
    return branch_hash(_subtree(entries[:split], depth + 1), _subtree(entries[split:], depth + 1))


def _split(entries: Sequence[Entry], depth: int) -> int:
    """How many of the sorted entries, equal in their first `depth` bits, go left."""
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) >> 1
        if _bit(entries[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    return low


class StateTree:
    """The tree over all records, in memory: buckets of entries below `levels` of inner nodes.

    Rebuilt from the stored records at start; a node that fails after `update` must be rebuilt too.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, count: int = 0) -> None:
        """Build from entries in any order; `count` is how many are expected, to size the tree."""
        self._build(entries, count)

    def _build(self, entries: Iterable[Entry], count: int) -> None:
        self.levels = max(0, min(_LEVELS_MAX, (max(1, count) // _BUCKET_KEYS).bit_length() - 1))
        self._buckets: dict[int, list[Entry]] = {}
        self._count = 0
        for hashed, entry in entries:
            self._buckets.setdefault(_prefix(hashed, self.levels), []).append((hashed, entry))
            self._count += 1
        width = 1 << self.levels
        self._hashes = bytearray(64 * width)  # node n at [32n, 32n + 32): root 1, children 2n and 2n + 1
        self._single = bytearray(2 * width)  # 1 where the subtree holds exactly one key
        for number, bucket in self._buckets.items():
            bucket.sort()
            self._write_bucket(number)
        self._rehash_all()

    @property
    def root(self) -> Digest:
        """Root of the whole map."""
        return self._node(1)

    def update(self, entries: Mapping[Digest, Digest]) -> Digest:
        """The root after each key hash was given its new entry hash."""
        touched: dict[int, None] = {}
        for hashed, entry in entries.items():
            number = _prefix(hashed, self.levels)
            bucket = self._buckets.setdefault(number, [])
            place = bisect_left(bucket, hashed, key=lambda known: known[0])
            if place < len(bucket) and bucket[place][0] == hashed:
                bucket[place] = (hashed, entry)
            else:
                bucket.insert(place, (hashed, entry))
                self._count += 1
            touched[number] = None
        if self._count > _BUCKET_KEYS << (self.levels + 2) and self.levels < _LEVELS_MAX:
            self._build([entry for bucket in self._buckets.values() for entry in bucket], 4 * self._count)
        else:
            self._rehash(touched)
        return self.root

    def prove(self, key: str, values: Mapping[bytes, bytes]) -> StateProof:
        """Proof that `key` has, or has not, a record; `values` gives the value hash of a key hash met instead."""
        hashed = key_hash(key)
        siblings: list[Digest] = []
        node = 1
        for depth in range(self.levels):
            if self._single[node] or self._node(node) == EMPTY:
                break
            step = _bit(hashed, depth)
            siblings.append(self._node(2 * node + 1 - step))
            node = 2 * node + step
        entries = self._below(node)
        depth = len(siblings)
        while len(entries) > 1:
            split = _split(entries, depth)
            left, right = entries[:split], entries[split:]
            entries, sibling = (right, left) if _bit(hashed, depth) else (left, right)
            siblings.append(_subtree(sibling, depth + 1))
            depth += 1
        met = entries[0][0] if entries else hashed
        other = None if met == hashed else (met, values[met])
        return StateProof(tuple(b"" if s == EMPTY else s for s in siblings), other)

    def _below(self, node: int) -> list[Entry]:
        level = node.bit_length() - 1
        first = (node << (self.levels - level)) - (1 << self.levels)
        numbers = range(first, first + (1 << (self.levels - level)))
        return [entry for number in numbers for entry in self._buckets.get(number, ())]

    def _node(self, node: int) -> Digest:
        return Digest(bytes(self._hashes[32 * node : 32 * node + 32]))

    def _write_bucket(self, number: int) -> None:
        bucket, node = self._buckets[number], (1 << self.levels) + number
        self._hashes[32 * node : 32 * node + 32] = _subtree(bucket, self.levels)
        self._single[node] = len(bucket) == 1

    def _rehash(self, buckets: Iterable[int]) -> None:
        nodes: dict[int, None] = {}
        for number in buckets:
            self._write_bucket(number)
            nodes[(1 << self.levels) + number >> 1] = None
        for _ in range(self.levels):
            parents: dict[int, None] = {}
            for node in nodes:
                self._combine(node)
                parents[node >> 1] = None
            nodes = parents

    def _rehash_all(self) -> None:
        for node in range((1 << self.levels) - 1, 0, -1):
            self._combine(node)

    def _combine(self, node: int) -> None:
        left, right = self._node(2 * node), self._node(2 * node + 1)
        alone = (right == EMPTY and self._single[2 * node]) or (left == EMPTY and self._single[2 * node + 1])
        self._single[node] = 1 if alone else 0
        if left == EMPTY and right == EMPTY:
            combined = EMPTY
        elif alone:
            combined = left if right == EMPTY else right
        else:
            combined = branch_hash(left, right)
        self._hashes[32 * node : 32 * node + 32] = combined


def reference_root(entries: Mapping[Digest, Digest]) -> Digest:
    """The root by the hash rule alone, without any storage: what every `StateTree` is checked against."""
    ordered = sorted(entries.items())
    ensure(all(len(hashed) == 32 for hashed, _ in ordered), "a key hash has 32 bytes")
    return _subtree(ordered, 0)
