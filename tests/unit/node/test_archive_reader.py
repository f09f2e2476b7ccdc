"""Verifying an archive without a database: no byte of it can change, be missing or come from elsewhere unnoticed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.battery import battery_key
from cellvow.core.primitives.errors import CellvowError, OperationalError, VerificationError
from cellvow.node.archive import export_archive
from cellvow.node.archive_format import WORLD, encode_block
from cellvow.node.archive_reader import ArchiveReader, Reproduced, verify_archive
from tests import messages
from tests.archive_world import LedgerOnDisk
from tests.world import GENESIS_MS, make_genesis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.verify.trust import Trust

Files = dict[str, bytes]
BATTERY = f"01/{messages.GTIN}/21/N-00001"


def read(folder: Path) -> Files:
    """Every file of an archive by its path."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def verify(files: Files, trust: Trust | None) -> Reproduced:
    """Verify an archive held in memory."""
    return verify_archive(ArchiveReader(files.get), trust)


class Archived:
    """A ledger of 280 leaves, with both its archives in memory."""

    def __init__(self, folder: Path) -> None:
        self.ledger = LedgerOnDisk(folder / "ledger")
        self.ledger.grow(3, evidence=(b"double vote",))
        self.ledger.grow_to(280)
        self.ledger.publish()
        self.trust = self.ledger.trust
        export_archive(self.ledger.store, folder / "members")
        export_archive(self.ledger.store, folder / "world", WORLD)
        self.members, self.world = read(folder / "members"), read(folder / "world")


@pytest.fixture(scope="module")
def archived(tmp_path_factory: pytest.TempPathFactory) -> Archived:
    """The archives."""
    return Archived(tmp_path_factory.mktemp("archived"))


@pytest.mark.slow
def test_an_untouched_archive_holds(archived: Archived) -> None:
    """Control of all below: with and without blocks, with and without trust."""
    members = verify(archived.members, archived.trust)
    world = verify(archived.world, archived.trust)

    assert (280, 17, 3) == (members.end.size, members.blocks, len(members.signed.by if members.signed else ()))
    assert (280, None) == (world.end.size, world.blocks)
    assert verify(archived.members, None).signed is None


def flips(files: Files, step: int) -> Iterator[tuple[str, Files]]:
    """Archives with one bit of one byte turned, the first and last byte of each file among them."""
    for path, content in sorted(files.items()):
        for number, at in enumerate([*range(0, len(content), max(1, len(content) // step)), len(content) - 1]):
            altered = bytearray(content)
            altered[at] ^= 1 << (number % 8)
            yield f"{path} at {at}", {**files, path: bytes(altered)}


@pytest.mark.slow
@pytest.mark.parametrize("circle", ["members", "world"])
def test_no_byte_changes_unnoticed(circle: str, archived: Archived) -> None:
    """In every file a sample of places; under trust, since a signature can be checked by nothing else."""
    unnoticed = []
    for name, files in flips(archived.members if circle == "members" else archived.world, 9):
        try:
            verify(files, archived.trust)
        except CellvowError:
            continue
        unnoticed.append(name)

    assert [] == unnoticed


def test_control_a_verifier_that_looks_at_finished_files_only_would_miss_some(archived: Archived) -> None:
    """The manifest alone finds no byte of the files that still grow: that takes the tiles and the replay."""
    reader = ArchiveReader({**archived.members, "blocks/001.p/24": b"", "tile/0/001.p/24": b""}.get)

    assert reader.compare_manifest() > 0


@pytest.mark.slow
def test_a_truncated_or_missing_file_is_noticed(archived: Archived) -> None:
    """Cut off anywhere in a sample, emptied, or gone."""
    unnoticed = []
    for path, content in sorted(archived.members.items()):
        cuts: list[bytes | None] = [content[: len(content) * part // 7] for part in range(7)]
        for cut in [*cuts, content[:-1], None]:
            files = {**archived.members, path: cut or b""}
            if cut is None:
                del files[path]
            try:
                verify(files, archived.trust)
            except CellvowError:
                continue
            unnoticed.append((path, None if cut is None else len(cut)))

    assert [] == unnoticed


@pytest.mark.slow
def test_a_file_that_is_missing_is_named(archived: Archived) -> None:
    """Whoever copied it knows what to copy again."""
    for path in ("tile/entries/000", "blocks/001.p/24", "tile/1/000.p/1"):
        files = {name: content for name, content in archived.members.items() if name != path}

        with pytest.raises(VerificationError, match=path):
            verify(files, archived.trust)


def test_a_folder_without_an_archive_is_told_apart_from_a_broken_one(tmp_path: Path) -> None:
    """Nothing was altered: there is none."""
    with pytest.raises(OperationalError, match="no archive"):
        ArchiveReader.of_folder(tmp_path)


@pytest.mark.slow
def test_an_archive_of_another_ledger_is_refused(archived: Archived, tmp_path: Path) -> None:
    """Its genesis is not the one that is trusted; nor do its parts fit into this one."""
    other = LedgerOnDisk(tmp_path / "other", replace(make_genesis(), time_ms=GENESIS_MS - 1))
    other.grow_to(280)
    other.publish()
    export_archive(other.store, tmp_path / "archive")
    files = read(tmp_path / "archive")

    assert 280 == verify(files, other.trust).end.size
    with pytest.raises(VerificationError, match="another ledger"):
        verify(files, archived.trust)
    for mixed in ({"genesis.json", "archive.json"}, {"checkpoint"}, {"manifest"}, {"blocks/000"}, {"tile/0/000"}):
        with pytest.raises(CellvowError):
            verify({**files, **{path: archived.members[path] for path in mixed}}, None)


def test_a_checkpoint_with_too_few_witnesses_is_refused(archived: Archived) -> None:
    """Two of three are asked for."""
    files = {**archived.members, "checkpoint": archived.ledger.note("a")}

    with pytest.raises(VerificationError, match="1 witnesses cosigned: 2 are required"):
        verify(files, archived.trust)


@pytest.mark.slow
def test_a_run_of_blocks_holds_its_own_and_nothing_else(archived: Archived) -> None:
    """A block once more behind the last, before the first, or bytes behind the end: refused."""
    last = archived.members["blocks/001.p/24"]
    first = next(encode_block(one) for one in ArchiveReader(archived.members.get).blocks())
    for wrong in (last + last, first + last, last + first, last + b"\0", last + b"\0\0\0\1\0"):
        with pytest.raises(VerificationError):
            verify({**archived.members, "blocks/001.p/24": wrong}, archived.trust)


@pytest.mark.slow
def test_blocks_can_be_read_from_any_height_on(archived: Archived) -> None:
    """A reader that knows the first blocks gets exactly the others."""
    reader, leaf = ArchiveReader(archived.members.get), 1
    every = list(reader.blocks())
    for number, block in enumerate(every[:-1]):
        leaf += len(block.statements) + len(block.evidence) + 1

        assert every[number + 1 :] == list(reader.blocks(leaf, block.height))


def test_entries_can_be_read_from_any_leaf_on(archived: Archived) -> None:
    """At, before and behind the end of a bundle."""
    reader = ArchiveReader(archived.members.get)
    every = list(reader.entries())

    assert all(every[leaf:] == list(reader.entries(leaf)) for leaf in (0, 1, 255, 256, 257, 279))


def test_everybodys_archive_cannot_be_replayed(archived: Archived) -> None:
    """It says so, and whom to ask."""
    with pytest.raises(OperationalError, match="ask a member"):
        list(ArchiveReader(archived.world.get).blocks())


@pytest.mark.slow
def test_a_rule_that_was_broken_is_found_by_replaying_alone(tmp_path: Path) -> None:
    """An operator edits a record and goes on consistently, signed by all: the block after the lie does not reproduce.

    The control is everybody's archive of the same ledger: tiles, root and signatures hold.
    """
    ledger = LedgerOnDisk(tmp_path / "ledger")
    ledger.grow(3)
    key = battery_key(BATTERY)
    ledger.forge(key, ledger.world.state.records[key].replace(b"2025", b"2015"))
    ledger.grow(2)
    ledger.publish()
    export_archive(ledger.store, tmp_path / "members")
    export_archive(ledger.store, tmp_path / "world", WORLD)

    assert ledger.size == verify(read(tmp_path / "world"), ledger.trust).end.size
    with pytest.raises(VerificationError, match=r"block 4 does not reproduce.*state root"):
        verify(read(tmp_path / "members"), ledger.trust)
