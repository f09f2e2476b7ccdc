"""A disk that fails at any step leaves no half snapshot and no half ledger, and the next attempt comes to its end."""

from __future__ import annotations

import errno
import itertools
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.snapshot import list_snapshots, prune_snapshots
from cellvow.node.store import LEDGER_FILE, LOCK_FILE, LedgerStore
from tests.simulation.witness_disk import Disk
from tests.unit.node.snapshot_world import Node, Parcel, join, make_world, pack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLS = ("open", "write", "fsync", "mkdir", "rename", "unlink", "rmdir")
ATTEMPTS_MAX = 2_000
"""Far more steps than any of these takes: a run that never comes to its end fails."""

_names = itertools.count()


class FailingCalls:
    """Counts the calls that change files; the `fail_at`-th fails, and with `lasting` all after it."""

    def __init__(self, fail_at: int, *, lasting: bool) -> None:
        self.fail_at = fail_at
        self.lasting = lasting
        self.count = 0

    def step(self) -> None:
        """Count a call, or fail."""
        self.count += 1
        if self.count == self.fail_at or (self.lasting and self.count > self.fail_at):
            raise OSError(errno.ENOSPC, "the disk failed")

    @property
    def has_failed(self) -> bool:
        """Whether the failure came to pass."""
        return self.count >= self.fail_at

    @contextmanager
    def installed(self) -> Iterator[FailingCalls]:
        """While this holds the operating system fails as told."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._failing(getattr(os, name)))
            yield self

    def _failing(self, real: Any) -> Any:  # noqa: ANN401 - as the operating system's calls are
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as above
            self.step()
            return real(*arguments, **named)

        return call


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small ledger."""
    folder = tmp_path_factory.mktemp("small") / "node"
    world = make_world(blocks=5, statements=2)
    node = Node.begin(folder, world.genesis)
    node.follow(world.blocks)
    node.close()
    return folder


@pytest.fixture(scope="module")
def parcel(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    """Its snapshot."""
    return pack(ledger, tmp_path_factory.mktemp("small snapshots"))


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["one failure", "a dead disk"])
def test_a_snapshot_is_there_whole_or_not_at_all(lasting: bool, ledger: Path, parcel: Parcel, tmp_path: Path) -> None:
    """Whichever call fails while it is written; a whole one may be there before its name is known to be on disk."""
    for fail_at in range(1, ATTEMPTS_MAX):
        folder = tmp_path / str(fail_at)
        with FailingCalls(fail_at, lasting=lasting).installed() as calls, suppress(OperationalError):
            pack(ledger, folder)
        listed = list_snapshots(folder)

        assert listed in ([], [parcel.snapshot])
        assert parcel == pack(ledger, folder)
        assert [str(parcel.snapshot.height)] == [path.name for path in folder.iterdir()]
        if not calls.has_failed:
            break
    assert 10 < fail_at < ATTEMPTS_MAX - 1


@pytest.mark.slow
@pytest.mark.parametrize("lasting", [False, True], ids=["one failure", "a dead disk"])
def test_a_ledger_is_restored_whole_or_not_at_all(lasting: bool, parcel: Parcel, tmp_path: Path) -> None:
    """Whichever call of the operating system fails on the way."""
    for fail_at in range(1, ATTEMPTS_MAX):
        folder = tmp_path / str(fail_at)
        with FailingCalls(fail_at, lasting=lasting).installed() as calls, suppress(OperationalError):
            join(parcel, folder).close()
        require_whole_or_nothing(parcel, folder, may_have_debris=lasting)
        if not calls.has_failed:
            break
    assert 10 < fail_at < ATTEMPTS_MAX - 1


@pytest.mark.slow
def test_a_failing_write_of_the_database_leaves_no_ledger(parcel: Parcel, tmp_path: Path) -> None:
    """Whichever write or sync of SQLite fails, and all after it."""
    for fail_at in range(ATTEMPTS_MAX):
        folder = tmp_path / str(fail_at)
        disk = Disk(f"restoring {next(_names)}")
        disk.fail_at = fail_at
        try:
            with parcel.begin(folder, vfs=disk.name) as restoration:
                for index, chunk in enumerate(parcel.chunks):
                    restoration.apply(index, chunk)
                assert restoration.store is not None
                restoration.store.close()
        except OperationalError:
            pass
        disk.unregister()
        require_whole_or_nothing(parcel, folder, may_have_debris=False)
        if disk.changes < fail_at:
            break
    assert 10 < fail_at < ATTEMPTS_MAX - 1


def require_whole_or_nothing(parcel: Parcel, folder: Path, *, may_have_debris: bool) -> None:
    """A ledger under its name is whole; where there is none, nothing is left and the next attempt makes one."""
    names = {path.name for path in folder.iterdir()} if folder.exists() else {LOCK_FILE}
    if LEDGER_FILE not in names:
        assert may_have_debris or names <= {LOCK_FILE}
        join(parcel, folder).close()
    store = LedgerStore.open_writer(folder)

    assert parcel.app_hash == store.head().app_hash
    assert parcel.snapshot.height == store.restored_height()
    store.close()


@pytest.mark.slow
def test_an_interrupted_removal_leaves_nothing_that_looks_like_a_snapshot(ledger: Path, tmp_path: Path) -> None:
    """A folder that is half removed is not offered, and the next snapshot clears it away."""
    first = pack(ledger, tmp_path)
    for fail_at in range(1, ATTEMPTS_MAX):
        with FailingCalls(fail_at, lasting=True).installed() as calls, suppress(OperationalError):
            prune_snapshots(tmp_path, 0)
        assert list_snapshots(tmp_path) in ([], [first.snapshot])
        assert first == pack(ledger, tmp_path)
        if not calls.has_failed:
            break
    assert fail_at > 3
