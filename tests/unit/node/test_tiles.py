"""Tiles and entry bundles lie where c2sp.org/tlog-tiles says, and lead to the log's own root."""

from __future__ import annotations

import hashlib

import pytest

from cellvow.core.primitives.errors import InvariantBroken, VerificationError
from cellvow.core.primitives.merkle import leaf_hash, tree_root
from cellvow.node.tiles import Tiling, encode_entries, name_file, name_tile, split_entries, split_hashes


class Files(dict[str, bytes]):
    """A `Keep` that remembers."""

    def keep(self, path: str, content: bytes) -> None:
        """Put a file there; no file is handed over twice."""
        assert path not in self
        self[path] = content


def contents(size: int) -> list[bytes]:
    """Leaves that differ in length."""
    return [str(leaf).encode() * (leaf % 3 + 1) for leaf in range(size)]


def cut(size: int) -> tuple[Tiling, Files]:
    """A log of that size, cut and finished."""
    files = Files()
    tiling = Tiling(files.keep)
    for content in contents(size):
        tiling.append(content)
    tiling.finish()
    return tiling, files


def test_paths_are_those_of_the_standard() -> None:
    """Its own example, a number below a thousand, and a partial tile."""
    assert "tile/0/x001/x234/067" == name_tile(0, 1_234_067)
    assert "tile/3/000.p/255" == name_tile(3, 0, 255)
    assert "tile/entries/x001/000" == name_file("tile/entries", 1_000)
    assert "tile/entries/999.p/1" == name_file("tile/entries", 999, 1)


@pytest.mark.parametrize("width", [0, 257])
def test_a_tile_without_or_with_too_many_hashes_has_no_path(width: int) -> None:
    """The bound and one past it."""
    with pytest.raises(InvariantBroken):
        name_tile(0, 0, width)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 1024])
def test_the_root_is_that_of_the_leaves(size: int) -> None:
    """Whatever is full, and whatever is not."""
    tiling, _ = cut(size)

    assert tree_root([leaf_hash(one) for one in contents(size)]) == tiling.root


def test_files_hold_what_a_stranger_computes() -> None:
    """600 leaves: two full tiles and one of 88, one tile of two hashes above them, and three bundles."""
    _, files = cut(600)
    leaves = [hashlib.sha256(b"\x00" + one).digest() for one in contents(600)]
    bundle = b"".join(len(one).to_bytes(2, "big") + one for one in contents(600)[512:])

    assert sorted(files) == [
        *("tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"),
        *("tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"),
    ]
    assert b"".join(leaves[256:512]) == files["tile/0/001"]
    assert tree_root([leaf_hash(one) for one in contents(256)]) == files["tile/1/000.p/2"][:32]
    assert bundle == files["tile/entries/002.p/88"]


@pytest.mark.slow
def test_a_third_level_begins_after_65536_leaves() -> None:
    """One full tile of level 1, and one hash above it."""
    tiling, files = cut(65_540)

    assert 256 * 32 == len(files["tile/1/000"])
    assert tree_root([leaf_hash(one) for one in contents(65_536)]) == files["tile/2/000.p/1"]
    assert tree_root([leaf_hash(one) for one in contents(65_540)]) == tiling.root


@pytest.mark.parametrize("before", [256, 300, 512, 767])
def test_going_on_gives_the_files_of_a_fresh_start(before: int) -> None:
    """From the last full bundle, with the unfinished upper tiles read back."""
    _, old = cut(before)
    first = before - before % 256
    files = Files()
    tiling = Tiling.resume(files.keep, first, old.__getitem__)
    for content in contents(800)[first:]:
        tiling.append(content)
    tiling.finish()
    full = {path: content for path, content in old.items() if ".p/" not in path}

    assert cut(800)[1] == {**full, **files}


def test_control_an_altered_upper_tile_leads_to_another_root() -> None:
    """What is read back is not taken on trust: the root tells."""
    _, old = cut(512)
    old["tile/1/000.p/2"] = old["tile/1/000.p/2"][32:] + old["tile/1/000.p/2"][:32]
    tiling = Tiling.resume(Files().keep, 512, old.__getitem__)

    assert cut(512)[0].root != tiling.root


def test_a_bundle_or_tile_that_was_cut_off_is_refused() -> None:
    """At every byte, and with one too many."""
    bundle, tile = encode_entries(contents(5)), bytes(160)
    assert contents(5) == split_entries(bundle, 5, "x")
    assert 5 == len(split_hashes(tile, 5, "x"))
    for length in range(len(bundle)):
        with pytest.raises(VerificationError, match="exactly 5 entries"):
            split_entries(bundle[:length], 5, "x")
    for wrong in (bundle + b"\0", encode_entries(contents(6))):
        with pytest.raises(VerificationError, match="exactly 5 entries"):
            split_entries(wrong, 5, "x")
    for length in (0, 159, 161, 192):
        with pytest.raises(VerificationError, match="exactly 5 hashes"):
            split_hashes(bytes(length), 5, "x")


def test_an_entry_is_65535_bytes_at_most() -> None:
    """Its length takes two bytes."""
    assert 65_537 == len(encode_entries([bytes(65_535)]))
    with pytest.raises(InvariantBroken):
        encode_entries([bytes(65_536)])
