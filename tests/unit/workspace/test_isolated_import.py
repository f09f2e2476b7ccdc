"""A file is read in a process of its own: a good one ends in the vault, any other in a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cellvow.web.desk_words import DESK_WORDS
from cellvow.workspace.isolated_import import CAUSES, Answer, Failed, IsolatedImport, Order, Refused, Taken
from cellvow.workspace.laboratory import load_import
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import measurement

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace that has joined no ledger: an import needs none."""
    Workspace.create(tmp_path / "lab", "lab", "The Laboratory", ["laboratory"]).close()
    return tmp_path / "lab"


def take(folder: Path, content: bytes, **options: Any) -> Answer:  # noqa: ANN401 - the fields of an order
    """Write a file beside the workspace and import it."""
    path = folder.parent / "cell.csv"
    path.write_bytes(content)
    order = Order(workspace=str(folder), file=str(path), **options)
    return IsolatedImport(order).run(lambda *_: None)


def kept(folder: Path) -> int:
    """Records that the vault holds, and archived files."""
    workspace = Workspace(folder)
    try:
        with workspace.vault._database.reading() as connection:
            (records,) = connection.execute("SELECT count(*) FROM record").fetchone() or (0,)
        return int(records) + len(list(workspace.archive.iterdir()))
    finally:
        workspace.close()


def test_a_sound_file_is_in_the_vault_under_the_number_that_comes_back(folder: Path) -> None:
    """The child archives and keeps; only number, format and remarks cross between the processes."""
    answer = take(folder, measurement(), rated_mah=10_500, nominal_mv=3_750)

    assert isinstance(answer, Taken)
    workspace = Workspace(folder)
    imported = load_import(workspace, answer.number)
    workspace.close()
    assert "capacity" in {one["quantity"] for one in imported.results}
    assert "cell.csv" == imported.source
    assert "Bitrode" in answer.format


@pytest.mark.parametrize(
    "content",
    [b"", b"not,a,measurement\n1,2,3\n", b"PK\x03\x04" + b"\0" * 500, b"PAR1" + b"\xff" * 300 + b"PAR1", b"\0" * 5_000],
    ids=["empty", "no heading", "zip", "damaged parquet", "zeros"],
)
def test_a_file_that_is_not_sound_is_told_so_and_nothing_is_kept(folder: Path, content: bytes) -> None:
    """The sentence of the importer comes back; a crash of a library would be told as one."""
    answer = take(folder, content)

    assert isinstance(answer, Refused)
    assert "cell.csv" in answer.reason
    assert 0 == kept(folder)


def test_a_child_that_needs_more_memory_than_it_may_have_ends_alone(folder: Path) -> None:
    """It fails, this process does not, and the vault is as before."""
    answer = take(folder, measurement(), memory_bytes=80_000_000)

    assert isinstance(answer, Failed)
    assert answer.cause in ("memory", "crash")
    assert 0 == kept(folder)


def test_a_child_that_takes_too_long_is_ended(folder: Path) -> None:
    """The deadline is one on the wall."""
    assert Failed("deadline") == take(folder, measurement(), deadline_s=0.01)
    assert 0 == kept(folder)


def test_an_import_that_was_stopped_before_it_began_starts_no_process(folder: Path) -> None:
    """Whoever closes the desk waits for nothing."""
    child = IsolatedImport(Order(workspace=str(folder), file="nowhere.csv"))
    child.stop()

    assert Failed("stopped") == child.run(lambda *_: None)


def test_a_workspace_that_is_gone_is_not_the_files_fault(folder: Path) -> None:
    """The cause says where to look."""
    (folder / "vault.db").unlink()
    path = folder.parent / "cell.csv"
    path.write_bytes(measurement())

    answer = IsolatedImport(Order(workspace=str(folder), file=str(path))).run(lambda *_: None)

    assert isinstance(answer, Failed)
    assert "workspace" == answer.cause


def test_every_cause_has_its_sentence() -> None:
    """The pages can say each of them."""
    assert CAUSES == DESK_WORDS["desk_cause"]
