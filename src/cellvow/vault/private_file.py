"""Files that only their owner may read: made whole or not at all, never overwritten, refused when others may read."""

import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellvow.core.primitives.errors import OperationalError

FILE_MODE, FOLDER_MODE = 0o600, 0o700
_OTHERS = 0o077


class AlreadyThere(OperationalError):
    """A file of that name exists; it was left as it is."""


def require_private(path: Path) -> None:
    """Raise `OperationalError`, with the remedy, where group or others have any right to the file or folder."""
    _require_private(path, path.stat().st_mode)


def read_private_file(path: Path, *, bytes_max: int) -> bytes:
    """The content of a small private file; raises `OperationalError` if missing, a link, too long or open to others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise OperationalError(f"{path} is missing: restore it from a backup") from error
    except OSError as error:
        raise OperationalError(f"{path} cannot be opened: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        # The rights of what was opened, not of what bears the name by now.
        _require_private(path, os.fstat(descriptor).st_mode)
        content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise OperationalError(f"{path} is longer than {bytes_max} bytes: it is not a file of ours")
    return content


def create_private_file(path: Path, content: bytes) -> None:
    """Write a new private file, durable when this returns; raises `AlreadyThere` if the name is taken."""
    with new_private_file(path) as draft, draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_private_file(path: Path) -> Iterator[Path]:
    """An empty private draft that gets the name `path` when the block ends well, and is gone if it does not.

    Raises `AlreadyThere` if the name is taken by then. The block must leave the content on disk.
    """
    if path.exists():
        raise _already_there(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE))
        yield draft
        # Unlike a rename, a link never replaces what another process put there meanwhile.
        os.link(draft, path)
    except FileExistsError as error:
        raise _already_there(path) from error
    except OSError as error:
        raise OperationalError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _already_there(path: Path) -> AlreadyThere:
    return AlreadyThere(f"{path} exists already: nothing was changed")


def _require_private(path: Path, mode: int) -> None:
    if mode & _OTHERS:
        right = FOLDER_MODE if stat.S_ISDIR(mode) else FILE_MODE
        remedy = f"chmod {right:o} {shlex.quote(str(path))}"
        raise OperationalError(f"{path} is open to other users of this machine: run `{remedy}`")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
