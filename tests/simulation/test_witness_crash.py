"""What a witness cosigned it still knows after any crash: of the process, of the disk, of the power."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.checkpoint import verify_checkpoint
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.publication import Publisher, WitnessEndpoint
from cellvow.node.witness import LocalWitness, Witness
from cellvow.node.witness_protocol import Accepted, Held, Verdict
from cellvow.node.witness_store import WitnessStore
from tests.simulation.witness_disk import NEVER, Disk
from tests.simulation.witness_world import NORTH, NORTH_SEED, NOW_S, Log, seeded, witness_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG = Log.of_size(6)
KEY = witness_key()
SIZES = range(1, len(LOG.leaves) + 1)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A disk under its own name, gone afterwards."""
    made = Disk("witness-disk")
    yield made
    made.unregister()


class HastyStore(WitnessStore):
    """Control: answers first and writes when the next request comes."""

    _late: Verdict | None = None

    def record(self, origin: str, decide: Callable[[Held | None], Verdict]) -> Verdict:
        """Judge by what is in memory; keep the verdict before."""
        late = self._late
        if isinstance(late, Accepted):
            super().record(origin, lambda _: late)
            self._late = decide(late.held)
        else:
            self._late = decide(None)
        return self._late


Images = dict[str, dict[str, bytes]]


def work(disk: Disk, folder: Path, store_class: type[WitnessStore], synchronous: str) -> tuple[list[int], Images]:
    """Let a witness cosign the growing log until the disk fails: sizes acknowledged, and what is left."""
    folder.mkdir()
    try:
        store = store_class.create(folder / "store", KEY, vfs=disk.name)
    except OperationalError:
        return [], images(disk, folder)
    store._connection.pragma("wal_autocheckpoint", 3)
    store._connection.pragma("synchronous", synchronous)
    witness = Witness(KEY, NORTH_SEED, store)
    acknowledged = cosign_until_failure(witness)
    left = images(disk, folder)
    disk.fail_at = NEVER
    witness.close()
    return acknowledged, left


def cosign_until_failure(witness: Witness) -> list[int]:
    """The sizes the witness acknowledged; 0 stands for the log itself."""
    acknowledged: list[int] = []
    try:
        witness.add_log(LOG.origin, LOG.vkey)
        acknowledged.append(0)
        for size in SIZES:
            assert witness.add_checkpoint(LOG.request(size - 1, size), NOW_S).status == 200
            acknowledged.append(size)
    except OperationalError:
        with pytest.raises(OperationalError, match="start the witness again"):
            witness.add_checkpoint(LOG.request(0, 1), NOW_S)
    return acknowledged


def images(disk: Disk, folder: Path) -> Images:
    """What may be on the disk afterwards: everything written, only what was synced, or something between."""
    killed = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    torn = {f"power cut, seed {seed}": disk.image(seeded(seed)) for seed in range(2)}
    return {"killed": killed, "power cut": disk.image(None), **torn}


def find_loss(files: dict[str, bytes], folder: Path, acknowledged: list[int]) -> str | None:
    """What the witness that starts from `files` has forgotten, or None."""
    if not acknowledged:
        return None
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    try:
        store = WitnessStore.open(folder / "store", KEY)
    except OperationalError as error:
        return f"does not start: {error}"
    witness = Witness(KEY, NORTH_SEED, store)
    try:
        return find_forgotten(witness, acknowledged[-1])
    finally:
        witness.close()


def find_forgotten(witness: Witness, acknowledged: int) -> str | None:
    """What is wrong with a witness that acknowledged a size before its restart."""
    [log] = witness.logs()
    size = log.held.checkpoint.size if log.held else 0
    if not acknowledged <= size <= acknowledged + 1:
        return f"acknowledged {acknowledged} leaves, knows {size}"
    if size and witness.add_checkpoint(LOG.branch(0).request(size, size), NOW_S).status != 409:
        return f"cosigns a fork at {size}"
    if witness.add_checkpoint(LOG.request(size, len(LOG.leaves)), NOW_S).status != 200:
        return f"does not go on from {size}"
    return None


def losses(
    disk: Disk, folder: Path, store_class: type[WitnessStore] = WitnessStore, synchronous: str = "FULL"
) -> Iterator[str]:
    """Fail at every change in turn and tell what was lost, and how."""
    changes = count_changes(disk, folder, store_class, synchronous)
    for fail_at in range(changes):
        reset(disk, fail_at)
        here = folder / str(fail_at)
        acknowledged, left = work(disk, here, store_class, synchronous)
        for kind, files in left.items():
            loss = find_loss(files, folder / f"{fail_at} {kind}", acknowledged)
            if loss:
                yield f"change {fail_at} of {changes}, {kind}: {loss}"


def count_changes(disk: Disk, folder: Path, store_class: type[WitnessStore], synchronous: str) -> int:
    """How many changes the whole story makes on a disk that never fails."""
    reset(disk, NEVER)
    acknowledged, _ = work(disk, folder / "whole", store_class, synchronous)
    assert acknowledged == [0, *SIZES]
    return disk.changes


def reset(disk: Disk, fail_at: int) -> None:
    """A new disk under the same name."""
    disk.changes, disk.fail_at = 0, fail_at
    disk.durable.clear()
    disk.pending.clear()


@pytest.mark.slow
def test_no_crash_makes_a_witness_forget(disk: Disk, tmp_path: Path) -> None:
    """Wherever the disk fails, whatever is left of it, every acknowledged checkpoint is still known."""
    assert list(losses(disk, tmp_path)) == []


@pytest.mark.slow
def test_a_weaker_sqlite_mode_forgets(disk: Disk, tmp_path: Path) -> None:
    """Control: with synchronous=NORMAL the same search finds a checkpoint that a power cut erased."""
    assert any("acknowledged" in loss for loss in losses(disk, tmp_path, synchronous="NORMAL"))


@pytest.mark.slow
def test_a_witness_that_answers_before_it_writes_forgets(disk: Disk, tmp_path: Path) -> None:
    """Control: with reply before persist the same search finds a forgotten checkpoint."""
    assert any("acknowledged" in loss for loss in losses(disk, tmp_path, store_class=HastyStore))


class Crash(Exception):
    """The process dies."""


class CrashingStore(WitnessStore):
    """A store whose process dies right after its `crash_at`-th record is on disk."""

    crash_at = 0

    def record(self, origin: str, decide: Callable[[Held | None], Verdict]) -> Verdict:
        """Keep, then perhaps die before anyone hears of it."""
        verdict = super().record(origin, decide)
        self.crash_at -= 1
        if self.crash_at == 0:
            raise Crash
        return verdict


@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_a_crash_between_persist_and_reply_costs_nothing(tmp_path: Path, crash_at: int) -> None:
    """The log asks again after the restart and gets the cosignature it missed."""
    store = CrashingStore.create(tmp_path / "store", KEY)
    store.add_log(LOG.key)
    store.crash_at = crash_at
    witness = Witness(KEY, NORTH_SEED, store)
    for size in range(1, crash_at):
        assert witness.add_checkpoint(LOG.request(size - 1, size), NOW_S).status == 200
    with pytest.raises(Crash):
        witness.add_checkpoint(LOG.request(crash_at - 1, crash_at), NOW_S)
    witness.close()

    restarted = Witness(KEY, NORTH_SEED, WitnessStore.open(tmp_path / "store", KEY))
    port = LocalWitness(restarted, lambda: NOW_S)
    published = Publisher(LOG.key, [WitnessEndpoint(KEY, port)], LOG.prove).publish(LOG.note(crash_at))
    restarted.close()

    assert verify_checkpoint(published.note, LOG.key, [KEY], 1, is_valid).cosigned_by == ((NORTH, NOW_S),)
