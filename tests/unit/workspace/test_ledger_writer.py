"""One turn at writing for many: opened when needed, given back when idle, never opened again after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.home import WITNESSES_FILE, NodeHome
from cellvow.node.store import LedgerLocked, LedgerStopped
from cellvow.workspace.ledger_writer import CLOSE_S_MAX, IDLE_S, PATIENCE, PAUSE_S, PUBLISH_MS, LedgerWriter
from tests import messages
from tests.unit.api.node_site import ORIGIN, Deferred, Ticks
from tests.world import MAKER, Member, make_genesis, make_member


class Desk:
    """A writer on a node of its own, its clock, and what waits to happen."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.later = Ticks(), Deferred()
        self.home = NodeHome.create(folder / "node", make_genesis(), ORIGIN, bytes(range(32)))
        self.pauses: list[float] = []
        self.release: Callable[[], None] = lambda: None
        self.writer = LedgerWriter(self.home, self.clock, later=self.later, pause=self.wait)
        self.member: Member = make_member(MAKER)
        self.submit(self.member.root.sign(self.member.register_key(self.member.key)).data)

    def submit(self, data: bytes) -> None:
        """Commit a statement in a turn."""
        with self.writer.turn() as session:
            session.submit(data).result(30)

    def wait(self, seconds: float) -> None:
        """Count a pause; whoever holds the ledger may end meanwhile."""
        self.pauses.append(seconds)
        self.release()

    def is_free(self) -> bool:
        """Whether another process could write."""
        try:
            self.home.open_session(self.clock).close()
        except LedgerLocked:
            return False
        return True

    def checkpoint_size(self) -> int:
        """Leaves under the published checkpoint; 0 before the first."""
        store = self.home.open_reader()
        note = store.checkpoint()
        store.close()
        return 0 if note is None else int(note.splitlines()[1])


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A writer that has written once."""
    built = Desk(tmp_path)
    yield built
    built.writer.close()


def test_an_unused_turn_is_published_and_given_back(desk: Desk) -> None:
    """Others wait no longer than the idle time, and find a checkpoint over what was written."""
    assert not desk.is_free()
    assert IDLE_S in [seconds for seconds, _ in desk.later.calls]
    desk.later.run()

    assert desk.is_free()
    assert 3 == desk.checkpoint_size()


@pytest.mark.slow
def test_a_turn_used_since_is_kept_for_another_idle_time(desk: Desk) -> None:
    """The timer of the first use finds the second and starts again."""
    desk.later.run()
    desk.submit(desk.member.key.sign(messages.model()).data)
    (timer,) = [call for seconds, call in desk.later.calls if seconds == IDLE_S]
    desk.submit(desk.member.key.sign(messages.battery()).data)
    desk.later.calls.clear()
    timer()

    assert not desk.is_free()
    desk.later.run()
    assert desk.is_free()


def test_a_turn_in_use_is_not_taken_away(desk: Desk) -> None:
    """However long a command takes."""
    with desk.writer.turn():
        desk.later.run()
        assert not desk.is_free()


def test_a_short_turn_of_another_process_is_waited_for(desk: Desk) -> None:
    """Two servers on one machine write in turn, and nobody who clicked is told to come back."""
    desk.later.run()
    other = desk.home.open_session(desk.clock)
    desk.release = other.close
    desk.submit(desk.member.key.sign(messages.model()).data)

    assert [PAUSE_S] == desk.pauses


def test_while_another_process_writes_a_turn_is_refused_and_then_given(desk: Desk) -> None:
    """The other one's lock is respected; nothing is left in a bad state by it."""
    desk.later.run()
    with desk.home.open_session(desk.clock), pytest.raises(LedgerLocked), desk.writer.turn():
        pass
    assert [PAUSE_S] * PATIENCE == desk.pauses
    desk.submit(desk.member.key.sign(messages.model()).data)

    assert not desk.is_free()


def test_a_stopped_ledger_stays_stopped(desk: Desk) -> None:
    """After a failure of the storage nothing here opens it again, idle or not."""
    with pytest.raises(LedgerStopped), desk.writer.turn():
        raise LedgerStopped("the disk failed")
    for _ in range(2):
        with pytest.raises(LedgerStopped, match="the disk failed"):
            desk.writer.take()
        desk.later.run()

    assert desk.writer.stopped is not None


def test_a_refused_statement_stops_nothing(desk: Desk) -> None:
    """Only the storage's failure does."""
    with pytest.raises(OperationalError, match="later"), desk.writer.turn():
        raise OperationalError("try later")
    desk.submit(desk.member.key.sign(messages.model()).data)

    assert desk.writer.stopped is None


def test_one_publication_waits_however_many_write(desk: Desk) -> None:
    """A burst asks the witnesses once, and again only when the checkpoint has grown old."""
    desk.later.run()
    desk.clock.now_ms += PUBLISH_MS
    for _ in range(5):
        with desk.writer.turn():
            pass
    assert 1 == [seconds for seconds, _ in desk.later.calls].count(0)
    desk.later.run()
    with desk.writer.turn():
        pass

    assert 0 == [seconds for seconds, _ in desk.later.calls].count(0)


def test_a_publication_that_fails_is_told_and_keeps_nobody_out(desk: Desk) -> None:
    """The ledger is given back all the same; whoever asks is told why there is no checkpoint."""
    (desk.home.folder / WITNESSES_FILE).rename(desk.home.folder / "elsewhere")
    desk.later.run()

    assert desk.is_free()
    assert WITNESSES_FILE in str(desk.writer.publication_failure)
    (desk.home.folder / "elsewhere").rename(desk.home.folder / WITNESSES_FILE)
    desk.writer.publish()
    assert desk.writer.publication_failure is None


def test_publishing_now_covers_what_was_written(desk: Desk) -> None:
    """In the caller's thread, and once for one size."""
    desk.writer.publish()
    desk.submit(desk.member.key.sign(messages.model()).data)
    desk.writer.publish()

    assert 5 == desk.checkpoint_size()


def test_closing_publishes_and_ends_it_for_good(desk: Desk) -> None:
    """A request that comes during the end is refused, not half taken."""
    desk.writer.close()

    assert 3 == desk.checkpoint_size()
    assert desk.is_free()
    with pytest.raises(LedgerStopped, match="ending"):
        desk.writer.take()


def test_closing_waits_for_those_who_write(desk: Desk) -> None:
    """What was begun is committed before the ledger is closed."""
    session = desk.writer.take()
    ending = Thread(target=desk.writer.close)
    ending.start()
    with desk.writer.lent(session):
        session.submit(desk.member.key.sign(messages.model()).data).result(30)
    ending.join(CLOSE_S_MAX)

    assert not ending.is_alive()
    assert 5 == desk.checkpoint_size()


def test_many_threads_share_one_opening(desk: Desk) -> None:
    """Whoever comes while it is opened gets the same ledger."""
    desk.later.run()
    found: list[object] = []

    def use() -> None:
        with desk.writer.turn() as session:
            found.append(session)

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == len(found)
    assert 1 == len(set(map(id, found)))


def test_an_open_ledger_is_found_without_waiting(desk: Desk) -> None:
    """Nothing slow stands between a sender and the queue; a closed ledger is found closed just as fast."""
    session = desk.writer.take_open()
    assert session is not None
    with desk.writer.lent(session):
        pass
    desk.later.run()
    desk.later.run()

    assert desk.writer.take_open() is None
