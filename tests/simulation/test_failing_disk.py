"""A disk that fails at any call: the engine stops and says *unknown*; the next start loses and doubles nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.primitives.errors import InvariantBroken, OperationalError
from cellvow.node import store as store_module
from cellvow.node.fsck import check_ledger
from cellvow.node.home import NodeHome
from cellvow.node.store import LEDGER_FILE, LedgerStopped, LedgerStore
from tests.bundles.chain import make_genesis
from tests.simulation.ledger_work import Acknowledged, Writer, create_ledger, find_changed, make_statements
from tests.simulation.power_disk import Disk, DiskFile, Fault, Remains, dropped, fast_folder, torn, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.simulation.power_disk import Call

SENT_BEFORE = 5
STATEMENTS = make_statements(3, 10)
GROUPS = [STATEMENTS[5:6], STATEMENTS[6:9], STATEMENTS[9:]]
EVERY_CALL: list[Call] = ["sync", "write", "full", "read", "open", "truncate", "delete"]
AT_EVERY_CALL: list[tuple[Call, bool]] = [
    ("sync", False),
    ("sync", True),
    ("write", False),
    ("full", True),
    ("read", False),
    ("open", False),
    ("truncate", False),
    ("delete", False),
]
"""The faults of every run: which call, and whether it fails ever after. The others come with the full suite."""
OTHERS = [(call, lasts) for call in EVERY_CALL for lasts in (False, True) if (call, lasts) not in AT_EVERY_CALL]


@dataclass(frozen=True)
class Begun:
    """A ledger at rest: its files, and what it has acknowledged."""

    files: dict[str, bytes]
    acknowledged: Acknowledged


@dataclass
class Failed:
    """A run against a fault: what it acknowledged, how it ended, and the disk it leaves, killed or closed.

    `readable` is what a process that starts after the kill can read, and may never have come to disk.
    """

    acknowledged: Acknowledged
    end: str
    readable: dict[str, bytes]
    killed: Remains
    closed: Remains
    has_met_fault: bool


def files_of(folder: Path) -> dict[str, bytes]:
    """What can be read in the folder now."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(("-shm", ".lock"))}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a ledger may be made."""
    with fast_folder() as made:
        yield made / "ledger"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Begun:
    """A ledger with a few statements, closed."""
    folder = tmp_path_factory.mktemp("begun") / "ledger"
    writer = Writer(create_ledger(folder, None))
    for data in STATEMENTS[:SENT_BEFORE]:
        writer.send([data])
    writer.engine.close()
    return Begun(files_of(folder), writer.acknowledged)


def start(folder: Path, disk: Disk) -> Writer:
    """A writer on a disk; one that does not start leaves nothing open."""
    store = LedgerStore.open_writer(folder, vfs=disk.name)
    try:
        return Writer(store)
    except OperationalError:
        store.close()
        raise


def run_against(fault: Fault, folder: Path, begun: Begun) -> Failed:
    """Open and write until the disk fails, as far as that goes."""
    write_files(folder, begun.files)
    disk = Disk("failing-disk", fault=fault, before=Remains.of_files(begun.files))
    acknowledged, end, refusal = dict(begun.acknowledged), "not opened", ""
    try:
        writer = start(folder, disk)
    except OperationalError as error:
        refusal = str(error)
        readable, killed = files_of(folder), disk.remains()
    else:
        for group in GROUPS:
            writer.send(group)
        acknowledged |= writer.acknowledged
        end = "stopped" if writer.stopped else "went on"
        require_all_answered(writer)
        readable, killed = files_of(folder), disk.remains()
        writer.engine.close()
    disk.unregister()

    assert refusal == "" or str(folder) in refusal or "storage failed" in refusal
    return Failed(acknowledged, end, readable, killed, disk.remains(), disk.has_failed)


def require_all_answered(writer: Writer) -> None:
    """Each statement has an answer; a stopped engine says that the fate is unknown, and takes nothing more."""
    assert sum(map(len, GROUPS)) == len(writer.acknowledged) + len(writer.stopped)
    if writer.stopped:
        assert "unknown" in str(writer.stopped[0])
        with pytest.raises(LedgerStopped, match="the ledger has stopped"):
            writer.engine.submit(STATEMENTS[-1])


def restart(folder: Path, before: Remains, acknowledged: Acknowledged) -> tuple[Remains, Acknowledged]:
    """Start on a healthy disk, send everything again, and find each with one effect.

    What a power cut then leaves, and all that is acknowledged by then.
    """
    disk = Disk("healthy-again", before=before)
    writer = start(folder, disk)

    assert [] == find_changed(writer.store, acknowledged)
    writer.send(STATEMENTS)
    assert acknowledged == {data: writer.acknowledged[data] for data in acknowledged}
    assert len(STATEMENTS) == len(writer.store.statements(0, writer.engine.head.log.size))
    check_ledger(writer.store)
    remains = disk.remains()
    writer.engine.close()
    disk.unregister()
    return remains, writer.acknowledged


def find_lost(folder: Path, files: dict[str, bytes], acknowledged: Acknowledged) -> list[str]:
    """What of the acknowledged is missing or changed in a ledger of these files, or why it does not open."""
    write_files(folder, files)
    try:
        store = LedgerStore.open_writer(folder)
    except OperationalError as error:
        return [str(error)]
    lost = find_changed(store, acknowledged)
    store.close()
    return lost


def each_failure(call: Call, is_lasting: bool, folder: Path, begun: Begun) -> Iterator[tuple[int, Failed]]:
    """Runs that fail at the first call, the second, and so on; the last one meets no fault any more."""
    for at in count():
        failed = run_against(Fault(call, at, is_lasting), folder, begun)
        yield at, failed
        if not failed.has_met_fault:
            return


def check_every_call(call: Call, is_lasting: bool, folder: Path, begun: Begun) -> str:
    """Fail at every call in turn; start again after a kill, and after a power cut, and send everything again."""
    ends: Counter[str] = Counter()
    for at, failed in each_failure(call, is_lasting, folder, begun):
        if failed.has_met_fault:
            ends[failed.end] += 1
        else:
            assert "went on" == failed.end
            assert len(STATEMENTS) == len(failed.acknowledged)
        write_files(folder, failed.readable)
        remains, acknowledged = restart(folder, failed.killed, failed.acknowledged)

        assert [] == find_lost(folder, remains.image(dropped), acknowledged), f"{call} {at}"
        files = failed.closed.image(torn(Random(at)))
        write_files(folder, files)
        restart(folder, Remains.of_files(files), failed.acknowledged)
    counts = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
    return f"{call} fails at each of {ends.total()} calls{' and ever after' if is_lasting else ''}: {counts}"


@pytest.mark.slow
@pytest.mark.parametrize(("call", "is_lasting"), AT_EVERY_CALL)
def test_no_failing_call_loses_or_doubles_anything(
    folder: Path, begun: Begun, call: Call, is_lasting: bool, record_property: Callable[[str, object], None]
) -> None:
    """Whichever call fails: nothing acknowledged is lost, and what is sent again takes effect once."""
    record_property("measured", check_every_call(call, is_lasting, folder, begun))


@pytest.mark.explore
@pytest.mark.parametrize(("call", "is_lasting"), OTHERS)
def test_no_fault_of_the_other_kinds_does_either(
    folder: Path, begun: Begun, call: Call, is_lasting: bool, record_property: Callable[[str, object], None]
) -> None:
    """The same for the faults that are left, those that last and those that pass."""
    record_property("measured", check_every_call(call, is_lasting, folder, begun))


@pytest.mark.slow
def test_a_start_that_trusts_what_it_can_read_loses_it(
    folder: Path, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: after a failed sync the log can be read and is not on disk; unless it is written anew, it is lost."""
    monkeypatch.setattr(store_module, "settle", lambda _log, _vfs: None)
    lost = 0
    for _, failed in each_failure("sync", False, folder, begun):
        write_files(folder, failed.readable)
        remains, acknowledged = restart(folder, failed.killed, failed.acknowledged)
        lost += find_lost(folder, remains.image(dropped), acknowledged) != []

    assert lost > 0


@pytest.mark.slow
def test_a_disk_that_syncs_nothing_is_found_out(folder: Path, begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: were a failed sync answered like one that succeeded, what was acknowledged would be missed."""
    monkeypatch.setattr(DiskFile, "xSync", lambda _file, _flags: None)
    failed = run_against(Fault("sync", 0, True), folder, begun)

    assert [] != find_lost(folder, failed.closed.image(dropped), failed.acknowledged)


def test_a_full_disk_is_called_so(folder: Path, begun: Begun) -> None:
    """Whoever sent something is told that the disk is full, that its fate is unknown, and what to do."""
    write_files(folder, begun.files)
    disk = Disk("full-disk", fault=Fault("full", 10, True), before=Remains.of_files(begun.files))
    writer = start(folder, disk)
    for group in GROUPS:
        writer.send(group)
    writer.engine.close()
    disk.unregister()

    assert "full" in str(writer.stopped[0])
    assert "send the same statements: none takes effect twice" in str(writer.stopped[0])


def make_again(folder: Path, before: Remains) -> Remains:
    """Try once more to make the ledger, on a healthy disk; what a power cut right after leaves."""
    disk, refusal = Disk("healthy-again", before=before), ""
    try:
        store = create_ledger(folder, disk.name)
    except OperationalError as error:
        refusal = str(error)
        store = LedgerStore.open_writer(folder, vfs=disk.name)
    assert refusal == "" or "holds a ledger already" in refusal
    assert 0 == check_ledger(store).statements
    remains = disk.remains()
    store.close()
    disk.unregister()
    return remains


def find_refusal(folder: Path, disk: Disk) -> str:
    """Why no ledger could be made on this disk, or nothing."""
    try:
        create_ledger(folder, disk.name).close()
    except OperationalError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("is_lasting", [False, True])
@pytest.mark.parametrize("call", EVERY_CALL)
def test_a_ledger_half_made_is_made_by_the_next_attempt(folder: Path, call: Call, is_lasting: bool) -> None:
    """Whichever call fails while a ledger is made: a clear refusal, and then the second try succeeds for good."""
    refusal = ""
    for at in count():
        write_files(folder, {})
        disk = Disk("failing-disk", fault=Fault(call, at, is_lasting))
        refusal = find_refusal(folder, disk)
        disk.unregister()
        remains = disk.remains()

        assert refusal == "" or "cannot be" in refusal or "storage failed" in refusal
        after = make_again(folder, remains)
        for files in (after.image(dropped), remains.image(dropped), remains.image(torn(Random(at)))):
            write_files(folder, files)
            make_again(folder, Remains.of_files(files))
        if not disk.has_failed:
            break

    assert at > 0
    assert refusal == ""


def test_a_ledger_whose_making_was_interrupted_says_so(folder: Path) -> None:
    """It opens for nobody, keeps no lock, and is replaced by the next attempt."""
    write_files(folder, {LEDGER_FILE: b""})
    for opened in (LedgerStore.open_writer, LedgerStore.open_writer, LedgerStore.open_reader):
        with pytest.raises(OperationalError, match="make it again"):
            opened(folder)
    store = create_ledger(folder, None)

    assert 1 == store.head().log.size
    store.close()


@pytest.mark.slow
def test_a_damaged_ledger_refuses_each_start_for_what_it_is(tmp_path: Path) -> None:
    """A start that fails lets go of the file: the second one names the damage too, not a writer that is gone."""
    home = NodeHome.create(tmp_path / "node", make_genesis(), "cellvow.test/disk", bytes(range(32)))
    connection = apsw.Connection(str(home.folder / LEDGER_FILE))
    connection.execute("DELETE FROM node")
    connection.close()

    for _ in range(2):
        with pytest.raises(InvariantBroken, match="the log lacks node"):
            home.open_session(lambda: 1)


def test_a_file_that_is_no_ledger_is_left_alone(folder: Path) -> None:
    """What somebody else keeps under that name is neither used nor removed."""
    write_files(folder, {LEDGER_FILE: b"a diary, not a database" * 100})
    with pytest.raises(OperationalError, match="not a database"):
        create_ledger(folder, None)

    assert b"a diary, not a database" * 100 == (folder / LEDGER_FILE).read_bytes()


def test_a_checkpoint_that_cannot_be_kept_says_so(folder: Path, begun: Begun) -> None:
    """The signed note's fate is unknown; the statements are untouched by it."""
    write_files(folder, begun.files)
    disk = Disk("failing-disk", before=Remains.of_files(begun.files))
    store = LedgerStore.open_writer(folder, vfs=disk.name)
    disk.fault = Fault("sync", 0, is_lasting=True)
    with pytest.raises(LedgerStopped, match="publish again"):
        store.put_checkpoint(1, b"a note")
    store.close()
    disk.unregister()

    assert [] == find_lost(folder, disk.remains().image(dropped), begun.acknowledged)
