"""The repository speaks of itself alone and holds nothing large."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import relative, tracked_files

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX = 400_000
# Assembled from parts, so that this file does not accuse itself.
MACHINE_FOLDERS = ["tmp", "root", "home", "Users", "work", "mnt", "private"]
MACHINE_PATH = re.compile(r"(?<![\w./~*:-])/(?:" + "|".join(MACHINE_FOLDERS) + r")/\w")
# A lock names packages and hashes; where they are fetched from is the business of whoever installs.
ADDRESS_IN_LOCK = re.compile(r"://|--(?:extra-)?index-url|--find-links|--trusted-host|^-[if] ", re.MULTILINE)


def text_of(path: Path) -> str | None:
    """Return the text of a file, or None for a binary one."""
    content = path.read_bytes()
    return None if b"\0" in content else content.decode("utf-8", errors="replace")


def machine_paths(text: str) -> list[str]:
    """Return the lines that name an absolute path of some machine."""
    return [line.strip() for line in text.splitlines() if MACHINE_PATH.search(line)]


@pytest.mark.slow
def test_no_file_names_a_path_of_some_machine() -> None:
    """An absolute path works on one machine only and tells about it."""
    texts = {relative(path): text_of(path) or "" for path in tracked_files()}

    assert {} == {name: lines for name, text in texts.items() if (lines := machine_paths(text))}


def test_no_file_is_large() -> None:
    """What is large is fetched or made, never kept here."""
    sizes = {relative(path): path.stat().st_size for path in tracked_files()}

    assert {} == {name: size for name, size in sizes.items() if size > FILE_BYTES_MAX}


def test_locks_carry_no_address() -> None:
    """The requirement files name no index and no address to download from."""
    requirements = [path for path in tracked_files() if path.parent.name == "requirements"]

    assert requirements
    assert [] == [relative(path) for path in requirements if ADDRESS_IN_LOCK.search(text_of(path) or "")]


def test_control_machine_paths_are_found() -> None:
    """Paths below the usual roots are found; relative paths, routes and addresses are not."""
    for folder in MACHINE_FOLDERS:
        assert machine_paths(f'x = "/{folder}/somebody/file"')
    for harmless in ("a/tmp/b", "../shared/data", "~/home/x", "https://example.org/home/x", "/01/04012345678901"):
        assert [] == machine_paths(harmless)


def test_control_addresses_in_locks_are_found() -> None:
    """Each way of naming a place to download from is found."""
    for line in ("--index-url x", "--extra-index-url x", "--find-links x", "-i x", "-f x", "a @ file://b"):
        assert ADDRESS_IN_LOCK.search(f"numpy==2.0\n{line}\n")
    assert not ADDRESS_IN_LOCK.search("numpy==2.0 \\\n    --hash=sha256:00\n    # via x\n")
