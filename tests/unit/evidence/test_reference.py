"""The distribution with the reference measurements is trusted by its digest, and read without extracting it."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence import REFERENCE_MEASUREMENTS, find_measurement, open_reference_measurement
from cellvow.evidence.bounds import DISTRIBUTION_BYTES_MAX, MEMBER_BYTES_MAX, MEMBERS_MAX
from cellvow.evidence.reference import CITATION, DISTRIBUTION, read_distribution, read_member

if TYPE_CHECKING:
    from pathlib import Path


def archive(*members: tuple[str, bytes], link: str = "") -> bytes:
    """A gzipped tar of plain files, and of one symbolic link if asked."""
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w:gz", compresslevel=1) as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        if link:
            entry = tarfile.TarInfo(link)
            entry.type, entry.linkname = tarfile.SYMTYPE, "other.csv"
            tar.addfile(entry)
    return sink.getvalue()


def test_a_member_is_read_in_memory() -> None:
    """The one that was asked for, by its whole path."""
    content = archive(("a/x.csv", b"no"), ("b/x.csv", b"yes"))

    assert b"yes" == read_member(content, "b/x.csv")


@pytest.mark.parametrize("name", ["x.csv", "/b/x.csv", "b/../b/x.csv", "c/link.csv"])
def test_only_the_plain_file_of_that_path_is_read(name: str) -> None:
    """Neither a suffix, nor a roundabout path, nor a link reaches a file."""
    content = archive(("b/x.csv", b"yes"), ("other.csv", b"secret"), link="c/link.csv")

    with pytest.raises(Malformed, match="holds no plain file"):
        read_member(content, name)


def test_a_member_that_claims_to_be_huge_is_refused_before_it_is_read() -> None:
    """A header is enough to claim any size."""
    entry = tarfile.TarInfo("bomb")
    entry.size = MEMBER_BYTES_MAX + 1

    with pytest.raises(Malformed, match="too many or too large members"):
        read_member(gzip.compress(entry.tobuf()), "x.csv")


@pytest.mark.slow
def test_an_archive_of_endlessly_many_members_is_refused() -> None:
    """The search gives up at a bound."""
    content = gzip.compress(tarfile.TarInfo("m").tobuf() * (MEMBERS_MAX + 1), compresslevel=1)

    with pytest.raises(Malformed, match="too many or too large members"):
        read_member(content, "x.csv")


@pytest.mark.parametrize(
    "content", [b"", b"no gzip", archive(("x.csv", b"y" * 5000))[:60]], ids=["empty", "text", "cut"]
)
def test_a_broken_archive_is_refused(content: bytes) -> None:
    """Empty, something else, or cut off."""
    with pytest.raises(Malformed, match="the distribution"):
        read_member(content, "x.csv")


def test_another_distribution_is_refused(tmp_path: Path) -> None:
    """However it is named: only the pinned digest counts."""
    path = tmp_path / DISTRIBUTION
    path.write_bytes(archive(("celljar-0.2.1/data/raw/ornl_leaf/cell-discharge-bitrode-1c.csv", b"forged")))

    with pytest.raises(Malformed, match="is not the distribution that is pinned"):
        open_reference_measurement(path, "cell-discharge-bitrode-1c.csv")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """Whoever mistypes a name sees what there is."""
    with pytest.raises(Malformed, match=r"there are cell-discharge-bitrode-1c\.csv, cell-"):
        open_reference_measurement(tmp_path / "none", "x.csv")


def test_a_distribution_is_found_only_where_it_lies(tmp_path: Path) -> None:
    """None before it was fetched, its path after."""
    assert find_measurement(tmp_path) is None
    (tmp_path / DISTRIBUTION).write_bytes(b"")

    assert tmp_path / DISTRIBUTION == find_measurement(tmp_path)
    assert tmp_path / DISTRIBUTION == find_measurement(tmp_path / DISTRIBUTION)


def test_a_distribution_is_bounded_before_it_is_read(tmp_path: Path) -> None:
    """A huge file is refused by its size, a missing one is an operational matter."""
    path = tmp_path / DISTRIBUTION
    with path.open("wb") as file:
        file.truncate(DISTRIBUTION_BYTES_MAX + 1)

    with pytest.raises(Malformed, match="more than"):
        read_distribution(path)
    with pytest.raises(OperationalError, match="cannot be read"):
        read_distribution(tmp_path / "none")


def test_six_measurements_and_their_origin_are_named() -> None:
    """Title and citation are ready to be shown."""
    assert 6 == len({one.name for one in REFERENCE_MEASUREMENTS})
    assert all(one.title for one in REFERENCE_MEASUREMENTS)
    assert "doi:10.5281/zenodo.2580327" in CITATION
