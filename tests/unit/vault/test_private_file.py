"""Private files are made whole, never overwritten, and refused when others may read them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.vault import AlreadyThere, create_private_file, read_private_file, require_private
from cellvow.vault.private_file import new_private_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, the whole content, and no draft left beside it."""
    path = tmp_path / "secret"
    create_private_file(path, b"content")

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert b"content" == read_private_file(path, bytes_max=7)
    assert [path] == list(tmp_path.iterdir())


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    """The second writer is refused and the first content stays."""
    path = tmp_path / "secret"
    create_private_file(path, b"first")

    with pytest.raises(AlreadyThere, match="nothing was changed"):
        create_private_file(path, b"second")
    assert b"first" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_the_slower_of_two_writers_is_refused(tmp_path: Path) -> None:
    """A file that appears while the draft is written is not replaced by it."""
    path = tmp_path / "secret"

    def write_slowly() -> None:
        with new_private_file(path) as draft:
            draft.write_bytes(b"slower")
            create_private_file(path, b"faster")

    with pytest.raises(AlreadyThere):
        write_slowly()

    assert b"faster" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_an_interrupted_writer_leaves_no_file(tmp_path: Path) -> None:
    """The name appears only when the content is whole."""
    path = tmp_path / "secret"

    def write_half() -> None:
        with new_private_file(path) as draft:
            draft.write_bytes(b"hal")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_open_to_others_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    """Any right of group or world is one too many."""
    path = tmp_path / "se cret"
    create_private_file(path, b"content")
    path.chmod(mode)

    with pytest.raises(OperationalError, match=r"chmod 600 '.*/se cret'"):
        read_private_file(path, bytes_max=7)
    with pytest.raises(OperationalError, match="open to other users"):
        require_private(path)


def test_a_folder_open_to_others_is_refused_with_its_own_remedy(tmp_path: Path) -> None:
    """A folder needs the right to enter, so its remedy is another."""
    tmp_path.chmod(0o755)

    with pytest.raises(OperationalError, match="chmod 700"):
        require_private(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Otherwise somebody could have another file read in its place."""
    create_private_file(tmp_path / "target", b"content")
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(OperationalError, match="cannot be opened"):
        read_private_file(tmp_path / "link", bytes_max=7)


def test_a_missing_and_an_overlong_file_are_named(tmp_path: Path) -> None:
    """The sentence says which file and what to do."""
    path = tmp_path / "secret"
    with pytest.raises(OperationalError, match="secret is missing: restore it"):
        read_private_file(path, bytes_max=7)

    create_private_file(path, b"12345678")

    assert b"12345678" == read_private_file(path, bytes_max=8)
    with pytest.raises(OperationalError, match="longer than 7 bytes"):
        read_private_file(path, bytes_max=7)
