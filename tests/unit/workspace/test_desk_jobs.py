"""Uploads have harmless names, a bound, and an end: whatever happens, none stays behind."""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.node.engine import Backpressure
from cellvow.workspace.desk_jobs import NAME_LENGTH_MAX, UPLOADS_FOLDER, UPLOADS_MAX, ImportJobs, Wish, plain_file_name
from cellvow.workspace.desk_records import RUNNING, DeskRecords, JobRecord

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTILE = (
    "",
    " ",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "a\0b.csv",
    "\u202ecsv.exe",
    "x" * 300,
    "",
    ".",
    "..",
    "/",
    "=1+1|cmd",
)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[DeskRecords]:
    """A desk's file."""
    opened = DeskRecords.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def jobs(tmp_path: Path, records: DeskRecords) -> Iterator[ImportJobs]:
    """Jobs whose imports fail: there is no workspace in this folder."""
    ticks = count(1)
    opened = ImportJobs(tmp_path, records, lambda: next(ticks))
    yield opened
    opened.close()


def uploads(folder: Path) -> list[str]:
    """Every file in the folder of uploads but the locks."""
    return [path.name for path in (folder / UPLOADS_FOLDER).rglob("*") if path.is_file() and path.name != "lock"]


@pytest.mark.slow
@given(st.one_of(st.text(max_size=400), st.sampled_from(HOSTILE)))
def test_any_name_becomes_one_harmless_name(name: str) -> None:
    """One component, no control, no override, no leading full stop, short enough for any file system."""
    plain = plain_file_name(name)

    assert plain
    assert len(plain.encode()) <= NAME_LENGTH_MAX
    assert plain.isprintable()
    assert not plain.startswith(".")
    assert not re.search(r"[/\\\0:*?\"<>|=@\u202a-\u202e]", plain)
    assert plain == plain_file_name(plain)


@pytest.mark.parametrize("name", HOSTILE)
def test_threat_a_name_leads_out_of_the_folder(tmp_path: Path, jobs: ImportJobs, name: str) -> None:
    """The file lies where we put it, private, and is gone when it is discarded."""
    upload = jobs.open_upload(name)
    upload.write(b"1,2,3")

    assert (tmp_path / UPLOADS_FOLDER).resolve() in upload.path.resolve().parents
    assert 0o600 == upload.path.stat().st_mode & 0o777
    upload.discard()
    assert [] == uploads(tmp_path)


def test_beyond_the_bound_uploads_are_refused_until_one_ends(jobs: ImportJobs) -> None:
    """The next is refused as overload; discarding one makes room, discarding it twice makes no more."""
    opened = [jobs.open_upload("a.csv") for _ in range(UPLOADS_MAX)]

    with pytest.raises(Backpressure):
        jobs.open_upload("b.csv")
    opened[0].discard()
    opened[0].discard()
    opened[0] = jobs.open_upload("b.csv")
    with pytest.raises(Backpressure):
        jobs.open_upload("c.csv")
    for upload in opened:
        upload.discard()


@pytest.mark.slow
def test_a_job_whose_workspace_is_broken_says_so_and_leaves_no_upload(tmp_path: Path, jobs: ImportJobs) -> None:
    """The job ends, its upload is deleted before it is told."""
    upload = jobs.open_upload("cell.csv")
    upload.write(b"not a measurement")
    job = jobs.start(upload, Wish())
    assert jobs.wait_until_idle(60)
    seen = jobs.job(job)

    assert seen is not None
    assert seen.record.has_ended
    assert [] == uploads(tmp_path)


def test_what_a_dead_run_left_is_deleted_at_the_start(tmp_path: Path, records: DeskRecords) -> None:
    """Its uploads go, its jobs are told as interrupted; those of a run that lives stay."""
    living = ImportJobs(tmp_path, records, lambda: 1)
    upload = living.open_upload("alive.csv")
    dead = tmp_path / UPLOADS_FOLDER / "dead"
    dead.mkdir()
    (dead / "left.csv").write_bytes(b"x")
    records.add_job(JobRecord("0" * 16, "dead", "left.csv", None, 1, RUNNING))

    ImportJobs(tmp_path, records, lambda: 2).close()

    assert ["alive.csv"] == uploads(tmp_path)
    job = records.job("0" * 16)
    assert job is not None
    assert ("failed", "interrupted") == (job.state, job.cause)
    upload.discard()
    living.close()
    assert [] == uploads(tmp_path)
