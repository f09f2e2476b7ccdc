"""The authenticated map: a compact sparse Merkle tree over all records, with proofs of presence and absence.

Key hash = SHA-256("cellvow/state/key/v1" || 0 || key); an empty subtree is 32 zero bytes; a subtree of one key is
SHA-256(0x10 || key hash || SHA-256(value)); any other is SHA-256(0x11 || left || right). The hash rule fixes no
storage: `StateTree` keeps the upper levels in one array and the keys below in packed buckets.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, sha256
from cellvow.core.primitives.errors import VerificationError, ensure
from cellvow.core.primitives.limits import STATE_PATH_LENGTH_MAX

KEY_DOMAIN = "cellvow/state/key/v1"
_KEY_PREFIX = KEY_DOMAIN.encode("ascii") + b"\0"
EMPTY = Digest(bytes(32))
_KEY_BITS = 256
_BUCKET_KEYS = 2  # of which a growing tree is given a quarter: short scans, and few hashes per update
_FULL_KEYS = 4  # a bucket, on average, when the tree is built anew with more levels
_LEVELS_MAX = 20
_ENTRY = 2 * DIGEST_LENGTH
_MANY = 2

Entry = tuple[Digest, Digest]
"""(key hash, hash of the one-key subtree)."""


def key_hash(key: str) -> Digest:
    """Where a record lies in the map."""
    return Digest(hashlib.sha256(_KEY_PREFIX + key.encode("ascii")).digest())


def entry_hash(hashed_key: bytes, value: bytes) -> Digest:
    """Hash of the subtree that holds this one record alone."""
    return Digest(hashlib.sha256(b"\x10" + hashed_key + hashlib.sha256(value).digest()).digest())


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


def _bucket_root(bucket: bytes, depth: int) -> bytes:
    """`_subtree` of a packed bucket whose keys agree in their first `depth` bits."""
    last = len(bucket) - _ENTRY
    if last <= 0:
        return bucket[DIGEST_LENGTH:] or EMPTY
    byte, mask = depth >> 3, 128 >> (depth & 7)
    middle = 0 if bucket[byte] & mask else last + _ENTRY
    if middle and bucket[last + byte] & mask:
        middle = _ENTRY
        while not bucket[middle + byte] & mask:
            middle += _ENTRY
    left, right = _bucket_root(bucket[:middle], depth + 1), _bucket_root(bucket[middle:], depth + 1)
    return hashlib.sha256(b"\x11" + left + right).digest()


def _put(bucket: bytes, hashed: bytes, entry: bytes) -> bytes:
    """The packed bucket with the entry of this key put in its place."""
    for at in range(0, len(bucket), _ENTRY):
        known = bucket[at : at + DIGEST_LENGTH]
        if known >= hashed:
            rest = at + _ENTRY if known == hashed else at
            return bucket[:at] + hashed + entry + bucket[rest:]
    return bucket + hashed + entry


def _unpack(bucket: bytes) -> list[Entry]:
    """The entries of a packed bucket."""
    return [
        (Digest(bucket[at : at + DIGEST_LENGTH]), Digest(bucket[at + DIGEST_LENGTH : at + _ENTRY]))
        for at in range(0, len(bucket), _ENTRY)
    ]


class StateTree:
    """The tree over all records, in memory: packed buckets of entries below `levels` of inner nodes.

    Rebuilt from the stored records at start; a node that fails after `update` must be rebuilt too.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, count: int = 0) -> None:
        """Build from entries in any order; `count` is how many are expected, to size the tree."""
        self._build(entries, count)

    def _build(self, entries: Iterable[Entry], count: int) -> None:
        self.levels = max(0, min(_LEVELS_MAX, (max(1, count) // _BUCKET_KEYS).bit_length() - 1))
        width, shift = 1 << self.levels, _KEY_BITS - self.levels
        self._buckets = [b""] * width  # entries of 64 bytes, key hash || entry hash, in order of the key hashes
        self._count = 0
        self._hashes = bytearray(2 * DIGEST_LENGTH * width)  # node n at 32 n: root 1, children 2n and 2n + 1
        self._kinds = bytearray(2 * width)  # of each node: how many keys lie below it, 2 for any more
        for hashed, entry in entries:
            number = int.from_bytes(hashed, "big") >> shift
            self._buckets[number] = _put(self._buckets[number], hashed, entry)
        self._count = sum(map(len, self._buckets)) // _ENTRY
        for number, bucket in enumerate(self._buckets):
            if bucket:
                self._write_bucket(number)
        for node in range(width - 1, 0, -1):
            self._combine(node)

    @property
    def root(self) -> Digest:
        """Root of the whole map."""
        return self._node(1)

    def update(self, entries: Mapping[Digest, Digest]) -> Digest:
        """The root after each key hash was given its new entry hash."""
        # Grown before it is filled: a bucket that takes thousands of entries is copied as often.
        expected = self._count + len(entries)
        if expected > _FULL_KEYS << self.levels and self.levels < _LEVELS_MAX:
            self._build([entry for bucket in self._buckets for entry in _unpack(bucket)], 4 * expected)
        buckets, shift = self._buckets, _KEY_BITS - self.levels
        touched: dict[int, None] = {}
        for hashed, entry in entries.items():
            number = int.from_bytes(hashed, "big") >> shift
            bucket = buckets[number]
            buckets[number] = changed = _put(bucket, hashed, entry)
            self._count += (len(changed) - len(bucket)) // _ENTRY
            touched[number] = None
        self._rehash(touched)
        return self.root

    def holds(self, hashed: bytes) -> bool:
        """Whether there is a record of the key with this hash."""
        bucket = self._buckets[_prefix(hashed, self.levels)]
        at = bucket.find(hashed)
        while at >= 0 and at % _ENTRY:  # met across two entries, or as the hash of one
            at = bucket.find(hashed, at + 1)
        return at >= 0

    def prove(self, key: str, values: Mapping[bytes, bytes]) -> StateProof:
        """Proof that `key` has, or has not, a record; `values` gives the value hash of a key hash met instead."""
        hashed = key_hash(key)
        siblings: list[Digest] = []
        node = 1
        for depth in range(self.levels):
            if self._kinds[node] != _MANY:
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
        return _unpack(b"".join(self._buckets[first : first + (1 << (self.levels - level))]))

    def _node(self, node: int) -> Digest:
        return Digest(bytes(self._hashes[DIGEST_LENGTH * node : DIGEST_LENGTH * (node + 1)]))

    def _write_bucket(self, number: int) -> None:
        bucket, node = self._buckets[number], (1 << self.levels) + number
        self._hashes[DIGEST_LENGTH * node : DIGEST_LENGTH * (node + 1)] = _bucket_root(bucket, self.levels)
        self._kinds[node] = min(len(bucket) // _ENTRY, _MANY)

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

    def _combine(self, node: int) -> None:
        """Hash a node from its children; a subtree that holds one key is that key's, at whatever depth."""
        at = 2 * DIGEST_LENGTH * node
        left, right = self._kinds[2 * node], self._kinds[2 * node + 1]
        self._kinds[node] = kind = min(left + right, _MANY)
        if kind == _MANY:
            combined = hashlib.sha256(b"\x11" + self._hashes[at : at + 2 * DIGEST_LENGTH]).digest()
            self._hashes[at >> 1 : (at >> 1) + DIGEST_LENGTH] = combined
        elif kind:
            at += 0 if left else DIGEST_LENGTH
            self._hashes[DIGEST_LENGTH * node : DIGEST_LENGTH * (node + 1)] = self._hashes[at : at + DIGEST_LENGTH]


def reference_root(entries: Mapping[Digest, Digest]) -> Digest:
    """The root by the hash rule alone, without any storage: what every `StateTree` is checked against."""
    ordered = sorted(entries.items())
    ensure(all(len(hashed) == 32 for hashed, _ in ordered), "a key hash has 32 bytes")
    return _subtree(ordered, 0)
