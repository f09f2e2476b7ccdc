"""Power lost at every point of a ledger's life: each image of the disk is opened by the real store and judged.

`run_power_loss(seed, transactions, synchronous)` gives the counts; the same seed gives the same work and images.
"""

from __future__ import annotations

import hashlib
import marshal
import random
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apsw

from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.errors import CellvowError, OperationalError
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LedgerStore
from tests.simulation.ledger_work import Writer, create_ledger, make_groups, make_statements
from tests.simulation.power_disk import (
    Disk,
    HealthyDisk,
    Remains,
    dropped,
    fast_folder,
    kept,
    lengthened,
    torn,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cellvow.core.primitives.digest import Digest
    from cellvow.node.engine import Receipted
    from tests.simulation.power_disk import Fate, Operation

TORN_IMAGES = 7
"""Images by chance at each point, beside those with nothing, everything, and only the lengths of what was unsynced."""
TABLES = ("meta", "block", "statement", "node", "record", "checkpoint")
EXAMPLES_MAX = 5


@dataclass
class Images:
    """How the images of one run were found."""

    seed: int
    synchronous: str
    transactions: int
    operations: int = 0
    """Points at which power was lost."""
    images: int = 0
    distinct: int = 0
    """Images that differ in some byte; each was opened by the real store."""
    contents: int = 0
    """Ledgers that differ; each was replayed from genesis."""
    acknowledged_lost: int = 0
    """Images in which something acknowledged is missing or changed."""
    lost_max: int = 0
    """Most acknowledged statements that one image had lost."""
    corrupt: int = 0
    """Images that do not open, are damaged, or do not replay."""
    unacknowledged_present: int = 0
    """Images with a statement that nobody was told of: allowed, and the reason for sending again."""
    resent: int = 0
    """Statements sent again to a recovered ledger, each found to take effect once."""
    examples: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"synchronous={self.synchronous}, seed {self.seed}: {self.images:,} images at {self.operations:,} points "
            f"({self.distinct:,} distinct, {self.contents:,} ledgers), {self.acknowledged_lost:,} lost something "
            f"acknowledged (at most {self.lost_max}), {self.corrupt:,} corrupt, {self.unacknowledged_present:,} hold "
            f"something unacknowledged, {self.resent:,} statements sent again"
        )


@dataclass
class Story:
    """What was asked of the disk, and after how many operations what was sent and acknowledged."""

    operations: list[Operation] = field(default_factory=list)
    made_at: int = 0
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    answers: list[tuple[int, bytes, Receipted]] = field(default_factory=list)


@dataclass(frozen=True)
class Content:
    """A recovered ledger: a digest over all its rows, and its statements with leaf, height and outcomes."""

    digest: bytes
    statements: Mapping[Digest, tuple[int, int, tuple[bytes, ...]]]


class Broken(Exception):
    """An image that is no sound ledger; the text says why."""


def tell_story(folder: Path, seed: int, transactions: int, synchronous: str) -> Story:
    """Make a ledger, write to it, restart in the middle, write on, close: all on a disk that remembers."""
    story, disk = Story(), Disk(f"power-disk-{synchronous}-{seed}")
    story.operations = disk.operations
    groups = make_groups(seed, make_statements(seed, transactions))
    store: LedgerStore | None = create_ledger(folder, disk.name)
    story.made_at = len(disk.operations)

    def note(data: bytes, receipted: Receipted) -> None:
        story.answers.append((len(disk.operations), data, receipted))

    half = len(groups) // 2
    for part in (groups[:half], groups[half:]):
        if store is None:
            store = LedgerStore.open_writer(folder, vfs=disk.name)
        writer = Writer(store, synchronous, note)
        for group in part:
            story.sent += [(len(disk.operations), data) for data in group]
            writer.send(group)
        writer.engine.close()
        store = None
    disk.unregister()
    return story


def fates(seed: int, at: int, torn_images: int) -> Iterator[tuple[str, Fate]]:
    """What may happen to the unsynced, by name."""
    yield from (("dropped", dropped), ("kept", kept), ("lengthened", lengthened))
    for number in range(torn_images):
        yield f"torn {number}", torn(random.Random(f"{seed} {at} {number}"))


def digest_of(values: list[Any]) -> bytes:
    """A digest of plain values that are equal only where these are."""
    return hashlib.sha256(marshal.dumps(values, 2)).digest()  # version 2 writes equal values alike


class Judge:
    """Opens images, each distinct one once, and replays each distinct ledger once."""

    def __init__(self, folder: Path, vfs: str, story: Story, found: Images) -> None:
        self._folder = folder
        self._vfs = vfs
        self._story = story
        self._found = found
        self._opened: dict[bytes, Content | str] = {}
        self._replayed: dict[bytes, str | None] = {}
        self._resent: dict[tuple[bytes, int], str | None] = {}
        self._answered_at = [at for at, _, _ in story.answers]
        self._sent_at = [at for at, _ in story.sent]
        self._digests = {data: parse_statement(data).envelope.digest for _, data in story.sent}

    def judge(self, at: int, files: dict[str, bytes], name: str) -> None:
        """Count one image that power lost after `at` operations may leave."""
        found = self._found
        found.images += 1
        key = digest_of([sorted(files.items()), at >= self._story.made_at])
        if key not in self._opened:
            self._opened[key] = self._open(at, files)
            found.distinct += 1
        content = self._opened[key]
        if isinstance(content, str):
            found.corrupt += 1
            self._keep(at, name, content)
            return
        answered = self._story.answers[: bisect_right(self._answered_at, at)]
        lost = sum(1 for _, data, told in answered if not self._stands(content, data, told))
        found.acknowledged_lost += lost > 0
        found.lost_max = max(found.lost_max, lost)
        found.unacknowledged_present += len(content.statements) > len(answered) - lost
        if lost:
            self._keep(at, name, f"{lost} acknowledged statements are lost")

    def _stands(self, content: Content, data: bytes, told: Receipted) -> bool:
        return content.statements.get(self._digests[data]) == (told.leaf, told.height, told.outcomes)

    def _keep(self, at: int, name: str, what: str) -> None:
        if len(self._found.examples) < EXAMPLES_MAX:
            self._found.examples.append(f"seed {self._found.seed}, after operation {at}, {name}: {what}")

    def _open(self, at: int, files: dict[str, bytes]) -> Content | str:
        write_files(self._folder, files)
        try:
            store = self._recover(at)
        except CellvowError as error:
            return f"does not open: {error}"
        try:
            content = self._read(store)
            self._send_again(store, content, at)
        except (Broken, CellvowError, apsw.Error) as error:
            return str(error)
        finally:
            store.close()
        return content

    def _recover(self, at: int) -> LedgerStore:
        """What a restart does; before the ledger was made, making it is tried again."""
        try:
            return LedgerStore.open_writer(self._folder, vfs=self._vfs)
        except OperationalError:
            if at >= self._story.made_at:
                raise
            return create_ledger(self._folder, self._vfs)

    def _read(self, store: LedgerStore) -> Content:
        connection = store._connection
        complaints = connection.execute("PRAGMA integrity_check").fetchall()
        if complaints != [("ok",)]:
            raise Broken(f"damaged: {complaints[:3]}")
        rows = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]  # noqa: S608 - our tables
        digest = digest_of(rows)
        if digest not in self._replayed:
            self._found.contents += 1
            self._replayed[digest] = None
            check_ledger(store)
        statements = {
            one.statement.envelope.digest: (one.leaf, one.height, one.outcomes)
            for one in store.statements(0, store.head().log.size)
        }
        return Content(digest, statements)

    def _send_again(self, store: LedgerStore, content: Content, at: int) -> None:
        """Send what has no answer to each recovered ledger once: it stands where it stood, or is recorded now."""
        answered = bisect_right(self._answered_at, at)
        key = (content.digest, answered)
        if key in self._resent:
            return
        self._resent[key] = None
        known = {data for _, data, _ in self._story.answers[:answered]}
        waiting = [data for _, data in self._story.sent[: bisect_right(self._sent_at, at)] if data not in known]
        if not waiting or any(self._digests[data] not in content.statements for data in known):
            return
        writer = Writer(store)
        try:
            self._require_one_effect(writer, content, waiting)
        finally:
            writer.engine.close()

    def _require_one_effect(self, writer: Writer, content: Content, waiting: list[bytes]) -> None:
        for data in waiting:
            writer.send([data])
            self._found.resent += 1
            stood = content.statements.get(self._digests[data])
            told = writer.acknowledged[data]
            if stood is not None and stood != (told.leaf, told.height, told.outcomes):
                raise Broken(f"sent again, leaf {stood[0]} was answered with {told}")
        recorded = len(writer.store.statements(0, writer.engine.head.log.size))
        if recorded != len(content.statements.keys() | {self._digests[data] for data in waiting}):
            raise Broken("a statement sent again was recorded twice")
        check_ledger(writer.store)


def run_power_loss(seed: int, transactions: int, synchronous: str = "FULL", torn_images: int = TORN_IMAGES) -> Images:
    """Lose power after each operation of a story; `synchronous` weaker than FULL is a control that must lose."""
    found = Images(seed, synchronous, transactions)
    with fast_folder() as folder:
        story = tell_story(folder / "live", seed, transactions, synchronous)
        disk = HealthyDisk(f"healthy-disk-{synchronous}-{seed}")
        judge, remains = Judge(folder / "image", disk.name, story, found), Remains()
        for at, operation in enumerate(story.operations, 1):
            remains.apply(operation)
            found.operations += 1
            for fate_name, fate in fates(seed, at, torn_images):
                judge.judge(at, remains.image(fate), fate_name)
        disk.unregister()
    return found
