"""A second reader of archives, written from docs/reference/formats.md section 14 alone, with the standard library."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from cellvow.node.archive import export_archive
from cellvow.node.archive_format import WORLD
from tests.archive_world import LedgerOnDisk

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def path_of(folder: str, number: int, width: int) -> str:
    """A path as the page spells it."""
    digits = f"{number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([folder, *(f"x{group}" for group in groups[:-1]), groups[-1]])
    return path if width == 256 else f"{path}.p/{width}"


def join(left: bytes, right: bytes) -> bytes:
    """A node of RFC 9162."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: list[bytes]) -> bytes:
    """Root by the recursive definition of RFC 9162: split at the largest power of two below the length."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1 << (len(hashes) - 1).bit_length() - 1
    return join(root_of(hashes[:split]), root_of(hashes[split:]))


def entries_of(folder: Path, size: int) -> list[bytes]:
    """Contents of all leaves."""
    found: list[bytes] = []
    for number in range(-(-size // 256)):
        bundle = (folder / path_of("tile/entries", number, min(256, size - 256 * number))).read_bytes()
        while bundle:
            length = bundle[0] * 256 + bundle[1]
            found.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
    return found


def files_expected(size: int) -> list[str]:
    """Every tile and bundle of an end."""
    paths, level = [], 0
    while size >> 8 * level:
        hashes = size >> 8 * level
        for folder in [f"tile/{level}", *(["tile/entries"] if level == 0 else [])]:
            paths += [path_of(folder, number, 256) for number in range(hashes // 256)]
            paths += [path_of(folder, hashes // 256, hashes % 256)] if hashes % 256 else []
        level += 1
    return paths


def read_cbor(data: bytes, at: int = 0) -> tuple[object, int]:
    """The little CBOR that a run of blocks is made of: integers, byte and text strings, arrays, maps."""
    major, argument, at = data[at] >> 5, data[at] & 31, at + 1
    if argument >= 24:
        length = 1 << argument - 24
        argument, at = int.from_bytes(data[at : at + length], "big"), at + length
    if major == 0:
        return argument, at
    if major in (2, 3):
        content = data[at : at + argument]
        return (content if major == 2 else content.decode()), at + argument
    parts: list[object] = []
    for _ in range(argument * (2 if major == 5 else 1)):
        part, at = read_cbor(data, at)
        parts.append(part)
    return (dict(zip(parts[::2], parts[1::2], strict=True)) if major == 5 else parts), at


def blocks_of(folder: Path, size: int) -> list[tuple[int, dict[str, object]]]:
    """Number of the run, and block, of every block."""
    found = []
    for number in range(-(-size // 256)):
        path = folder / path_of("blocks", number, min(256, size - 256 * number))
        run = path.read_bytes() if path.exists() else b""
        while run:
            length = int.from_bytes(run[:4], "big")
            block, end = read_cbor(run[4 : 4 + length])
            assert end == length
            assert isinstance(block, dict)
            found.append((number, block))
            run = run[4 + length :]
    return found


@pytest.mark.parametrize("size", [60, 256, 600])
def test_a_reader_written_from_the_page_reads_every_file(size: int, tmp_path: Path) -> None:
    """Names, tiles, root, manifest, and blocks where their documents say they begin."""
    ledger = LedgerOnDisk(tmp_path / "ledger")
    ledger.grow(3, evidence=(b"double vote",))
    ledger.grow_to(size, block_leaves=50)
    ledger.publish()
    export_archive(ledger.store, tmp_path / "members")
    export_archive(ledger.store, tmp_path / "world", WORLD)
    folder = tmp_path / "members"
    origin, end, root, *_ = (folder / "checkpoint").read_text("utf-8").splitlines()
    entries = entries_of(folder, int(end))
    leaves = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
    documents = [json.loads(entry[1:]) for entry in entries if entry[:1] == b"\x03"]
    blocks = blocks_of(folder, size)

    assert (ledger.log_key.name, size) == (origin, int(end))
    assert base64.b64decode(root) == root_of(leaves)
    assert b"".join(leaves[:256]) == (folder / path_of("tile/0", 0, min(size, 256))).read_bytes()
    assert size < 256 or root_of(leaves[:256]) == (folder / path_of("tile/1", 0, size // 256)).read_bytes()[:32]
    assert sorted([*files_expected(size), "archive.json", "checkpoint", "genesis.json", "manifest"]) == sorted(
        str(one.relative_to(tmp_path / "world")) for one in (tmp_path / "world").rglob("*") if one.is_file()
    )
    assert [(d["first_leaf"] // 256, d["height"], d["time_ms"], d["statements"]) for d in documents] == [
        (number, b["height"], b["time_ms"], len(b["statements"]))  # type: ignore[arg-type]  # an array, read as object
        for number, b in blocks
    ]
    assert [b"double vote"] == [one for _, block in blocks for one in block["evidence"]]  # type: ignore[attr-defined]
    for line in (folder / "manifest").read_text("ascii").splitlines():
        digest, path = line.split("  ")
        assert digest == hashlib.sha256((folder / path).read_bytes()).hexdigest()


def test_control_another_spelling_of_a_path_names_no_file() -> None:
    """The page's own example, and what a reader without its rule would look for."""
    assert "tile/0/x001/x234/067" == path_of("tile/0", 1_234_067, 256)
    assert "tile/0/1234067" != path_of("tile/0", 1_234_067, 256)
