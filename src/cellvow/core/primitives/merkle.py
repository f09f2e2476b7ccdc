"""RFC 9162 Merkle trees: roots, inclusion and consistency proofs, and the frontier that grows one.

Leaf hash = SHA-256(0x00 || leaf), node = SHA-256(0x01 || left || right); the empty tree's root is
SHA-256 of nothing (RFC 9162 section 2.1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, sha256
from cellvow.core.primitives.errors import VerificationError, ensure
from cellvow.core.primitives.limits import PATH_LENGTH_MAX

EMPTY_ROOT = sha256()

FetchNode = Callable[[int, int], Digest]
"""(level, position) -> hash of the complete subtree over leaves [position << level, (position + 1) << level)."""


def leaf_hash(leaf: bytes) -> Digest:
    """Hash of one leaf's content."""
    return sha256(b"\x00", leaf)


def node_hash(left: bytes, right: bytes) -> Digest:
    """Hash of an inner node."""
    return sha256(b"\x01", left, right)


@dataclass(frozen=True, slots=True)
class Frontier:
    """The complete subtrees of a tree of `size` leaves, largest first: all that appending needs."""

    size: int = 0
    peaks: tuple[Digest, ...] = ()

    def append(self, leaf: Digest) -> "tuple[Frontier, list[tuple[int, int, Digest]]]":
        """The frontier after one more leaf hash, and the new complete nodes as (level, position, hash)."""
        nodes = [(0, self.size, leaf)]
        peaks, current, level, position = list(self.peaks), leaf, 0, self.size
        while position & 1:
            current = node_hash(peaks.pop(), current)
            level, position = level + 1, position >> 1
            nodes.append((level, position, current))
        return Frontier(self.size + 1, (*peaks, current)), nodes

    def root(self) -> Digest:
        """Root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def tree_root(leaves: Sequence[Digest]) -> Digest:
    """Root over leaf hashes."""
    if not leaves:
        return EMPTY_ROOT
    level = list(leaves)
    while len(level) > 1:
        odd = level[-1:] if len(level) & 1 else []
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def fetch_from(leaves: Sequence[Digest]) -> FetchNode:
    """A `FetchNode` over leaf hashes held in memory."""

    def fetch(level: int, position: int) -> Digest:
        return tree_root(leaves[position << level : (position + 1) << level])

    return fetch


def inclusion_path(fetch: FetchNode, index: int, size: int) -> list[Digest]:
    """Audit path of leaf `index` in the tree of `size` leaves, leaf to root (RFC 9162 section 2.1.3.1)."""
    ensure(0 <= index < size, "inclusion path asked for a leaf outside the tree")
    return _path(fetch, index, 0, size)


def consistency_path(fetch: FetchNode, old_size: int, size: int) -> list[Digest]:
    """Proof that the tree of `old_size` leaves is a prefix of the one of `size` (RFC 9162 section 2.1.4.1)."""
    ensure(0 <= old_size <= size, "consistency path asked from a larger to a smaller tree")
    if old_size in (0, size):
        return []
    return _consistency(fetch, old_size, 0, size, whole=True)


def verify_inclusion(leaf: Digest, index: int, size: int, path: Sequence[bytes]) -> Digest:
    """The root that the path proves for `leaf` at `index` (RFC 9162 section 2.1.3.2), or `VerificationError`."""
    if not 0 <= index < size or len(path) > PATH_LENGTH_MAX:
        raise VerificationError(f"leaf {index} cannot lie in a tree of {size} leaves")
    _require_hashes(leaf, *path)
    position, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise VerificationError("the inclusion path is too long")
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise VerificationError("the inclusion path is too short")
    return root


def verify_consistency(old_size: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Raise `VerificationError` unless the old tree is a prefix of the new (RFC 9162 section 2.1.4.2)."""
    if not 0 <= old_size <= size or len(path) > 2 * PATH_LENGTH_MAX:
        raise VerificationError(f"a tree of {size} leaves cannot extend one of {old_size}")
    _require_hashes(old_root, root, *path)
    if old_size == 0:
        if path or bytes(old_root) != EMPTY_ROOT:
            raise VerificationError("the empty tree takes no consistency path and has one root")
        return
    if old_size == size:
        if path or bytes(old_root) != bytes(root):
            raise VerificationError("two trees of one size have different roots")
        return
    old, new = _replay_consistency(old_size, size, Digest(bytes(old_root)), [Digest(bytes(h)) for h in path])
    if old != old_root or new != root:
        raise VerificationError("the consistency path does not lead from the old root to the new")


def _require_hashes(*hashes: bytes) -> None:
    """Nodes are joined before they are hashed: with other lengths, bytes could move from one to the next."""
    if any(len(one) != DIGEST_LENGTH for one in hashes):
        raise VerificationError(f"every hash of a proof has {DIGEST_LENGTH} bytes")


def _replay_consistency(old_size: int, size: int, old_root: Digest, path: list[Digest]) -> tuple[Digest, Digest]:
    if old_size & (old_size - 1) == 0:
        path = [old_root, *path]
    if not path:
        raise VerificationError("the consistency path is empty")
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise VerificationError("the consistency path is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise VerificationError("the consistency path is too short")
    return old, new


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _subtree(fetch: FetchNode, begin: int, end: int) -> Digest:
    size = end - begin
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return fetch(level, begin >> level)
    middle = begin + _split(size)
    return node_hash(_subtree(fetch, begin, middle), _subtree(fetch, middle, end))


def _path(fetch: FetchNode, index: int, begin: int, end: int) -> list[Digest]:
    if end - begin == 1:
        return []
    middle = begin + _split(end - begin)
    if index < middle:
        return [*_path(fetch, index, begin, middle), _subtree(fetch, middle, end)]
    return [*_path(fetch, index, middle, end), _subtree(fetch, begin, middle)]


def _consistency(fetch: FetchNode, old_size: int, begin: int, end: int, *, whole: bool) -> list[Digest]:
    if old_size == end - begin:
        return [] if whole else [_subtree(fetch, begin, end)]
    split = _split(end - begin)
    middle = begin + split
    if old_size <= split:
        return [*_consistency(fetch, old_size, begin, middle, whole=whole), _subtree(fetch, middle, end)]
    return [*_consistency(fetch, old_size - split, middle, end, whole=False), _subtree(fetch, begin, middle)]
