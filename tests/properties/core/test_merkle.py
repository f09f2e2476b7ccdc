"""Merkle trees against the recursive definitions of RFC 9162, for every pair of sizes up to 64."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvariantBroken, VerificationError
from cellvow.core.primitives.limits import PATH_LENGTH_MAX
from cellvow.core.primitives.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    fetch_from,
    inclusion_path,
    leaf_hash,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

SIZE_MAX = 64
LEAVES = [f"leaf {number}".encode() for number in range(SIZE_MAX)]
HASHES = [leaf_hash(leaf) for leaf in LEAVES]
FETCH = fetch_from(HASHES)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = naive_split(len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = naive_split(len(leaves))
    if index < split:
        return [*naive_path(index, leaves[:split]), naive_root(leaves[split:])]
    return [*naive_path(index - split, leaves[split:]), naive_root(leaves[:split])]


def naive_proof(old_size: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1."""
    if old_size == len(leaves):
        return [] if whole else [naive_root(leaves)]
    split = naive_split(len(leaves))
    if old_size <= split:
        return [*naive_proof(old_size, leaves[:split], whole=whole), naive_root(leaves[split:])]
    return [*naive_proof(old_size - split, leaves[split:], whole=False), naive_root(leaves[:split])]


def naive_split(size: int) -> int:
    """The largest power of two below `size`."""
    split = 1
    while 2 * split < size:
        split *= 2
    return split


ROOTS = [Digest(naive_root(LEAVES[:size])) for size in range(SIZE_MAX + 1)]


@given(st.lists(st.binary(max_size=4), max_size=40))
def test_roots_follow_the_recursive_definition(leaves: list[bytes]) -> None:
    """The root by levels and the root grown leaf by leaf are both the RFC's."""
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = frontier.append(leaf_hash(leaf))

    assert naive_root(leaves) == tree_root([leaf_hash(leaf) for leaf in leaves]) == frontier.root()
    assert frontier.size == len(leaves)


def test_appending_yields_each_complete_node_once() -> None:
    """The nodes a growing tree hands to its store are exactly the complete subtrees, each once."""
    frontier = Frontier()
    nodes: dict[tuple[int, int], Digest] = {}
    for leaf in HASHES:
        frontier, new = frontier.append(leaf)
        assert not any((level, position) in nodes for level, position, _ in new)
        nodes |= {(level, position): node for level, position, node in new}

    assert nodes == {
        (level, position): FETCH(level, position) for level in range(7) for position in range(SIZE_MAX >> level)
    }


@pytest.mark.slow
def test_every_inclusion_path_up_to_64_leaves_proves_its_leaf() -> None:
    """For each tree and each leaf the path is the RFC's, and leads to the root."""
    for size in range(1, SIZE_MAX + 1):
        for index in range(size):
            path = inclusion_path(FETCH, index, size)

            assert path == naive_path(index, LEAVES[:size])
            assert verify_inclusion(HASHES[index], index, size, path) == ROOTS[size]


@pytest.mark.slow
def test_every_consistency_path_up_to_64_leaves_holds() -> None:
    """For each pair of sizes the path is the RFC's, and holds between their roots and no others."""
    for size in range(1, SIZE_MAX + 1):
        for old_size in range(1, size + 1):
            path = consistency_path(FETCH, old_size, size)

            assert path == naive_proof(old_size, LEAVES[:size], whole=True)
            verify_consistency(old_size, ROOTS[old_size], size, ROOTS[size], path)
            with pytest.raises(VerificationError):
                verify_consistency(old_size, ROOTS[old_size - 1], size, ROOTS[size], path)
            with pytest.raises(VerificationError):
                verify_consistency(old_size, ROOTS[old_size], size, ROOTS[old_size - 1], path)


pairs = st.integers(1, SIZE_MAX).flatmap(lambda size: st.tuples(st.integers(0, size - 1), st.just(size), st.data()))


@pytest.mark.slow
@given(pairs)
def test_a_mutated_inclusion_path_proves_nothing(drawn: tuple[int, int, st.DataObject]) -> None:
    """A flipped bit, a missing or an added hash, another index or another leaf never gives the root."""
    index, size, data = drawn
    path: list[bytes] = list(inclusion_path(FETCH, index, size))
    for changed in mutated_paths(path, data):
        assert not proves(HASHES[index], index, size, changed, ROOTS[size])
    other = data.draw(st.integers(0, SIZE_MAX).filter(lambda n: n != index))

    assert not proves(HASHES[index], other, size, path, ROOTS[size])
    assert not proves(leaf_hash(b"other"), index, size, path, ROOTS[size])


@pytest.mark.slow
@given(pairs)
def test_a_mutated_consistency_path_is_refused(drawn: tuple[int, int, st.DataObject]) -> None:
    """A flipped bit, a missing or an added hash is always noticed."""
    old_size, size, data = drawn
    path: list[bytes] = list(consistency_path(FETCH, old_size, size))
    for changed in mutated_paths(path, data):
        with pytest.raises(VerificationError):
            verify_consistency(old_size, ROOTS[old_size], size, ROOTS[size], changed)


def test_a_smaller_tree_cannot_extend_a_larger() -> None:
    """Sizes that run backwards are refused before anything is hashed."""
    with pytest.raises(VerificationError, match="cannot extend"):
        verify_consistency(5, ROOTS[5], 4, ROOTS[4], [])


def test_trees_of_one_size_have_one_root() -> None:
    """Two roots of the same size are a fork, and no path mends it."""
    verify_consistency(5, ROOTS[5], 5, ROOTS[5], [])
    with pytest.raises(VerificationError, match="different roots"):
        verify_consistency(5, ROOTS[5], 5, ROOTS[6], [])
    with pytest.raises(VerificationError, match="different roots"):
        verify_consistency(5, ROOTS[5], 5, ROOTS[5], [ROOTS[1]])


def test_the_empty_tree_precedes_every_tree() -> None:
    """Only the empty root stands for size 0, and it takes no path."""
    verify_consistency(0, EMPTY_ROOT, 5, ROOTS[5], [])
    with pytest.raises(VerificationError, match="empty tree"):
        verify_consistency(0, ROOTS[1], 5, ROOTS[5], [])
    with pytest.raises(VerificationError, match="empty tree"):
        verify_consistency(0, EMPTY_ROOT, 5, ROOTS[5], [ROOTS[1]])


@pytest.mark.parametrize("cut", [0, 31, 33, 64])
def test_bytes_do_not_move_between_a_root_and_a_path(cut: int) -> None:
    """Old root and first hash are joined before hashing: a shorter root beside a longer hash is refused."""
    joined = HASHES[0] + HASHES[1]
    verify_consistency(1, joined[:32], 2, ROOTS[2], [joined[32:]])

    with pytest.raises(VerificationError):
        verify_consistency(1, joined[:cut], 2, ROOTS[2], [joined[cut:]])


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (5, 5), (0, 0), (2**70, 5)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    """An index that is not below the size is refused; asking our own tree for it is our bug."""
    with pytest.raises(VerificationError, match="cannot lie"):
        verify_inclusion(HASHES[0], index, size, [])
    with pytest.raises(InvariantBroken):
        inclusion_path(FETCH, index, size)


def test_the_longest_path_holds_and_one_more_hash_is_refused() -> None:
    """A path of 63 hashes is folded; one of 64 is refused unread."""
    longest = [ROOTS[1]] * PATH_LENGTH_MAX

    assert len(verify_inclusion(HASHES[0], 0, 2**PATH_LENGTH_MAX, longest)) == 32
    with pytest.raises(VerificationError, match="cannot lie"):
        verify_inclusion(HASHES[0], 0, 2 ** (PATH_LENGTH_MAX + 1), [*longest, ROOTS[1]])


def test_without_domain_separation_a_node_passes_for_a_leaf() -> None:
    """Control: were leaves hashed like nodes, two trees of different leaves would share a root."""

    def bare_root(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return hashlib.sha256(leaves[0]).digest()
        split = naive_split(len(leaves))
        return hashlib.sha256(bare_root(leaves[:split]) + bare_root(leaves[split:])).digest()

    forged = [bare_root([leaf]) + bare_root([other]) for leaf, other in ((b"a", b"b"), (b"c", b"d"))]

    assert bare_root([b"a", b"b", b"c", b"d"]) == bare_root(forged)
    assert naive_root([b"a", b"b", b"c", b"d"]) != naive_root(forged)


def mutated_paths(path: list[bytes], data: st.DataObject) -> list[list[bytes]]:
    """The path with one bit flipped, one hash taken out, and one added at either end."""
    changed = [[*path, bytes(32)], [bytes(32), *path]]
    if path:
        place = data.draw(st.integers(0, len(path) - 1))
        bit = data.draw(st.integers(0, 255))
        flipped = (int.from_bytes(path[place], "big") ^ 1 << bit).to_bytes(32, "big")
        changed.append([*path[:place], flipped, *path[place + 1 :]])
        changed.append([*path[:place], *path[place + 1 :]])
        changed.append([*path[:place], path[place][:-1], *path[place + 1 :]])
    return changed


def proves(leaf: Digest, index: int, size: int, path: list[bytes], root: Digest) -> bool:
    """Whether the path leads from the leaf to the root."""
    try:
        return verify_inclusion(leaf, index, size, path) == root
    except VerificationError:
        return False
