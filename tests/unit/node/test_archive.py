"""Exporting: static files that lead to the signed root, never overwritten, and nothing from a damaged ledger."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.node.archive import ArchiveFolder, export_archive
from cellvow.node.archive_format import WORLD, Facts, encode_facts, encode_manifest, parse_facts, parse_manifest
from cellvow.node.archive_reader import ArchiveReader, verify_archive
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.archive_world import LedgerOnDisk
from tests.world import GENESIS_MS, make_genesis

SIZES = (40, 256, 300, 513, 700)
"""Leaves at which the growing ledger is exported: inside, at the end of and behind tiles."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of an archive by its path."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerOnDisk:
    """A signed ledger of 60 leaves."""
    made = LedgerOnDisk(tmp_path / "ledger")
    made.grow(3, evidence=(b"double vote",))
    made.grow_to(60)
    made.publish()
    return made


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Path, Path]]:
    """For each of the sizes a copy of the archive that grew with the ledger, and a fresh one."""
    base = tmp_path_factory.mktemp("grown")
    ledger, found = LedgerOnDisk(base / "ledger"), {}
    for size in SIZES:
        ledger.grow_to(size, block_leaves=37)
        ledger.publish()
        export_archive(ledger.store, base / "growing")
        export_archive(ledger.store, base / f"fresh-{size}")
        shutil.copytree(base / "growing", base / f"grown-{size}")
        found[size] = (base / f"grown-{size}", base / f"fresh-{size}")
    return found


@pytest.mark.parametrize("size", SIZES)
def test_an_archive_that_grew_is_a_fresh_one_byte_for_byte(size: int, grown: dict[int, tuple[Path, Path]]) -> None:
    """Whatever it ended at before."""
    growing, fresh = grown[size]

    assert files_of(fresh) == files_of(growing)


def test_the_manifest_is_what_other_tools_compute(grown: dict[int, tuple[Path, Path]]) -> None:
    """SHA-256 of every finished file, in the form of `sha256sum`; the files that still grow are not in it."""
    files = files_of(grown[700][0])
    finished = [path for path in files if ".p/" not in path and path not in ("manifest", "checkpoint")]
    expected = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(finished))

    assert expected.encode() == files["manifest"]
    assert {"tile/0/000", "tile/entries/001", "blocks/001", "genesis.json"} < set(finished)


def crash_images(before: dict[str, bytes], after: dict[str, bytes]) -> list[dict[str, bytes]]:
    """What is on disk when an export is killed: some new files, then the manifest, then the checkpoint."""
    ends = ("manifest", "checkpoint")
    new = sorted(path for path in after if path not in before and path not in ends)
    images = [before | {path: after[path] for path in new[:count]} for count in range(len(new) + 1)]
    with_manifest = {**images[-1], "manifest": after["manifest"]}
    return [*images, with_manifest, {**with_manifest, "checkpoint": after["checkpoint"]}]


def write(folder: Path, files: dict[str, bytes]) -> None:
    """A folder with these files."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(("size", "later"), list(zip((40, 256, 300, 513), SIZES[1:], strict=True)))
def test_an_interrupted_export_leaves_an_archive_that_holds_and_goes_on(
    size: int, later: int, grown: dict[int, tuple[Path, Path]], tmp_path: Path
) -> None:
    """Killed between any two files: what is there verifies, and the next export ends like a fresh one."""
    before, after = files_of(grown[size][0]), files_of(grown[later][1])
    images = crash_images(before, after)
    ledger = LedgerOnDisk(tmp_path / "ledger")
    for each in SIZES[: SIZES.index(later) + 1]:
        ledger.grow_to(each, block_leaves=37)
    ledger.publish()
    for number, image in enumerate(images):
        folder = tmp_path / f"image-{number}"
        write(folder, image | {".incoming/file": b"half a fi"})

        verify_archive(ArchiveReader.of_folder(folder), ledger.trust)
        export_archive(ledger.store, folder)
        assert after == files_of(folder), f"image {number}"


def test_control_without_the_last_finished_file_an_image_does_not_hold(
    grown: dict[int, tuple[Path, Path]], tmp_path: Path
) -> None:
    """A checkpoint that came before the files under it would be found out."""
    before, after = files_of(grown[300][0]), files_of(grown[513][1])
    write(tmp_path / "image", before | {"checkpoint": after["checkpoint"]})

    with pytest.raises(VerificationError, match="is missing"):
        verify_archive(ArchiveReader.of_folder(tmp_path / "image"), None)


@pytest.mark.slow
def test_an_export_that_fails_half_way_is_continued(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """An exception out of the middle leaves no checkpoint, and nothing in the way."""

    class Stopped(Exception):
        """Somebody pressed Ctrl-C."""

    def stop(done: int, _total: int) -> None:
        if done > 300:
            raise Stopped

    ledger.grow_to(400)
    ledger.publish()
    with pytest.raises(Stopped):
        export_archive(ledger.store, tmp_path / "archive", progress=stop)
    assert not (tmp_path / "archive" / "checkpoint").exists()
    assert (tmp_path / "archive" / "tile" / "0" / "000").exists()
    export_archive(ledger.store, tmp_path / "archive")
    export_archive(ledger.store, tmp_path / "fresh")

    assert files_of(tmp_path / "fresh") == files_of(tmp_path / "archive")


@pytest.mark.slow
def test_an_archive_ends_at_the_checkpoint_whatever_was_written_since(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Read beside the writer: what is not signed yet is not in it."""
    ledger.grow(10)
    reader = LedgerStore.open_reader(ledger.folder)
    exported = export_archive(reader, tmp_path / "archive")
    reader.close()

    assert 60 == exported.end.size
    assert 60 == verify_archive(ArchiveReader.of_folder(tmp_path / "archive"), ledger.trust).end.size


def test_nothing_new_writes_nothing(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The same checkpoint once more."""
    export_archive(ledger.store, tmp_path / "archive")

    assert 0 == export_archive(ledger.store, tmp_path / "archive").files


def test_everybodys_archive_shows_no_message(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Tiles and entries hold hashes and block documents; the control is the members' archive, which shows it."""
    serial = b"21/N-00007"
    export_archive(ledger.store, tmp_path / "public", WORLD)
    export_archive(ledger.store, tmp_path / "members")
    public, members = files_of(tmp_path / "public"), files_of(tmp_path / "members")

    assert [] == [path for path, content in public.items() if serial in content or path.startswith("blocks")]
    assert ["blocks/000.p/60"] == [path for path, content in members.items() if serial in content]
    assert {path: members[path] for path in public if path.startswith("tile/")} == {
        path: content for path, content in public.items() if path.startswith("tile/")
    }


DAMAGE = {
    "a statement": "UPDATE statement SET data=(SELECT data FROM statement WHERE leaf=9) WHERE leaf=10",
    "an outcome": "UPDATE statement SET outcomes=(SELECT outcomes FROM statement WHERE leaf=1) WHERE leaf=10",
    "a statement that is no statement": "UPDATE statement SET data=x'00' WHERE leaf=10",
    "a statement gone": "DELETE FROM statement WHERE leaf=10",
    "evidence": "UPDATE block SET evidence=x'814101' WHERE height=3",
    "a block's time": "UPDATE block SET time_ms=time_ms+1 WHERE height=4",
    "a block's document": "UPDATE block SET body=(SELECT body FROM block WHERE height=2) WHERE height=3",
    "a block gone": "DELETE FROM block WHERE height=4",
    "the last block gone": "DELETE FROM block WHERE height=(SELECT max(height) FROM block)",
    "a leaf": "UPDATE node SET hash=zeroblob(32) WHERE level=0 AND position=9",
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_a_damaged_ledger_is_not_exported(damage: str, ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """What is stored is not vouched for by copying it: the archive gets no checkpoint."""
    ledger.store.close()
    connection = apsw.Connection(str(ledger.folder / LEDGER_FILE))
    connection.execute("PRAGMA ignore_check_constraints=ON")
    connection.execute(DAMAGE[damage])
    changes = connection.total_changes()
    connection.close()
    store = LedgerStore.open_reader(ledger.folder)

    assert changes > 0, "the damage changed nothing: the test would prove nothing"
    with pytest.raises(VerificationError):
        export_archive(store, tmp_path / "archive")
    assert not (tmp_path / "archive" / "checkpoint").exists()
    store.close()


@pytest.mark.slow
def test_an_archive_is_not_overwritten_by_a_rewritten_ledger(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The same genesis, another history: refused, and the archive stays as it was."""
    export_archive(ledger.store, tmp_path / "archive")
    before = files_of(tmp_path / "archive")
    other = LedgerOnDisk(tmp_path / "other")
    other.grow_to(90)
    other.publish()

    with pytest.raises(VerificationError, match="rewritten"):
        export_archive(other.store, tmp_path / "archive")
    assert before == files_of(tmp_path / "archive")


def test_a_ledger_that_was_rolled_back_is_refused(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The archive holds more than the ledger has signed: it is evidence."""
    export_archive(ledger.store, tmp_path / "archive")
    younger = LedgerOnDisk(tmp_path / "younger")
    younger.publish()

    with pytest.raises(VerificationError, match="rolled back"):
        export_archive(younger.store, tmp_path / "archive")


@pytest.mark.slow
def test_an_archive_is_of_one_ledger_and_one_circle(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Another genesis, the other circle, and a folder with something else in it."""
    export_archive(ledger.store, tmp_path / "archive")
    other = LedgerOnDisk(tmp_path / "other", replace(make_genesis(), time_ms=GENESIS_MS - 1))
    other.publish()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.txt").touch()

    with pytest.raises(OperationalError, match="another ledger or circle"):
        export_archive(other.store, tmp_path / "archive")
    with pytest.raises(OperationalError, match="another ledger or circle"):
        export_archive(ledger.store, tmp_path / "archive", WORLD)
    with pytest.raises(OperationalError, match="something else than an archive"):
        export_archive(ledger.store, tmp_path / "papers")
    assert ["letter.txt"] == [one.name for one in (tmp_path / "papers").iterdir()]


def test_nothing_is_exported_before_something_is_signed(tmp_path: Path) -> None:
    """An archive ends at a checkpoint."""
    ledger = LedgerOnDisk(tmp_path / "ledger")

    with pytest.raises(OperationalError, match="cellvow publish"):
        export_archive(ledger.store, tmp_path / "archive")


def test_two_exports_at_once_do_not_meet(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The second is told to wait; afterwards it may."""
    with ArchiveFolder(tmp_path / "archive"), pytest.raises(OperationalError, match="another process"):
        export_archive(ledger.store, tmp_path / "archive")

    assert 60 == export_archive(ledger.store, tmp_path / "archive").end.size


def test_facts_and_manifest_have_one_spelling() -> None:
    """What is read is what would be written; anything else is refused."""
    facts = Facts("test.cellvow.example", "members", "00" * 32)
    lines = {"tile/0/000": "ab" * 32, "blocks/000": "cd" * 32}

    assert facts == parse_facts(encode_facts(facts))
    assert lines == parse_manifest(encode_manifest(lines))
    for wrong in (
        encode_facts(facts).replace(b"/v1", b"/v2"),
        encode_facts(facts).replace(b"members", b"nobody"),
        b"{}",
    ):
        with pytest.raises(Malformed):
            parse_facts(wrong)
    for wrong in (
        b"ab",
        b"ab tile",
        b"ab  b\nab  a\n",
        b"ab  a\nab  a\n",
        b"ab  ../x\n",
        b"ab  /x\n",
        b"ab  a",
        b"\xff  a\n",
    ):
        with pytest.raises(CellvowError):
            parse_manifest(wrong)
