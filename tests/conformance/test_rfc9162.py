"""Our Merkle trees are those of RFC 9162 to a library that knows nothing of us."""

from __future__ import annotations

import pytest
import scitt_cose  # type: ignore[import-untyped]  # it ships no types
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvow.core.primitives.merkle import (
    consistency_path,
    fetch_from,
    inclusion_path,
    leaf_hash,
    tree_root,
)

trees = st.lists(st.binary(max_size=40), min_size=1, max_size=20)


@pytest.mark.slow
@settings(max_examples=30)
@given(trees, st.data())
def test_a_stranger_library_accepts_our_proofs(leaves: list[bytes], data: st.DataObject) -> None:
    """Roots, inclusion and consistency of trees drawn at random."""
    hashes = [leaf_hash(leaf) for leaf in leaves]
    entries, size = [leaf.hex() for leaf in leaves], len(leaves)
    index = data.draw(st.integers(0, size - 1))
    old_size = data.draw(st.integers(1, size))
    inclusion = [one.hex() for one in inclusion_path(fetch_from(hashes), index, size)]
    consistency = [one.hex() for one in consistency_path(fetch_from(hashes), old_size, size)]
    root, old_root = tree_root(hashes).hex(), tree_root(hashes[:old_size]).hex()

    assert root == scitt_cose.merkle_root(entries)
    assert inclusion == scitt_cose.inclusion_proof(entries, index)
    assert scitt_cose.verify_inclusion(entries[index], index, size, inclusion, root)
    assert scitt_cose.verify_consistency(old_root, root, old_size, size, consistency)
    if old_size < size:
        assert consistency == scitt_cose.consistency_proof(entries, old_size, size)


def test_a_stranger_library_refuses_a_wrong_proof() -> None:
    """Control: with one hash exchanged it says no."""
    leaves = [bytes([number]) for number in range(5)]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    path = [one.hex() for one in inclusion_path(fetch_from(hashes), 2, 5)]
    root = tree_root(hashes).hex()

    assert scitt_cose.verify_inclusion(leaves[2].hex(), 2, 5, path, root)
    assert not scitt_cose.verify_inclusion(leaves[2].hex(), 2, 5, path[::-1], root)
