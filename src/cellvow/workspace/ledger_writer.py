"""One turn at writing the ledger, shared by a server's threads and given back when nobody uses it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from cellvow.core.primitives.errors import CellvowError, InvariantBroken, fail
from cellvow.node.engine import Clock
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.node.store import LedgerLocked, LedgerStopped

IDLE_S = 1.0
"""How long an unused turn is kept, at most twice: commands of other processes wait that long for theirs."""
PATIENCE = 50
"""How often the ledger is asked for again while another process writes, before that is told."""
PAUSE_S = 0.1
"""Between two such questions."""
CLOSE_S_MAX = 10.0
"""How long closing waits for those who still write."""
PUBLISH_MS = 2_000
"""How old the published checkpoint may become while statements keep coming."""

Turn = Callable[[], AbstractContextManager[LedgerSession]]
"""Opens the ledger for one act."""
Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""(seconds, call) -> a way to call it off: what is to be done later, in another thread."""


def start_timer(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    """Call later, in a thread that does not keep the process alive."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()
    return timer.cancel


class LedgerWriter:
    """Opens the ledger when somebody writes; publishes a checkpoint and closes it after `idle_s` without use.

    A ledger that has stopped after a failure of its storage stays stopped: nothing here opens it again.
    """

    def __init__(
        self,
        home: NodeHome,
        clock: Clock,
        *,
        idle_s: float = IDLE_S,
        later: Later = start_timer,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`later` and `pause` are how time passes; `clock` gives milliseconds."""
        self._home = home
        self._clock = clock
        self._idle_s = idle_s
        self._later = later
        self._pause = pause
        self._gate = threading.Lock()  # one opens or closes at a time; taken before `_changed`, never after
        self._changed = threading.Condition()  # guards what follows, and is never held while anything is slow
        self._publishing = threading.Lock()
        self._session: LedgerSession | None = None
        self._users = 0
        self._turns = 0
        self._call_off_idle: Callable[[], None] | None = None
        self._publication_waits = False
        self._refusal: LedgerStopped | None = None
        self._published_ms = 0
        self._published_size = 0
        self._publication_failure: CellvowError | None = None

    @property
    def stopped(self) -> LedgerStopped | None:
        """Why nothing more is written until the process starts again, or None."""
        return self._refusal

    @property
    def publication_failure(self) -> CellvowError | None:
        """Why the last checkpoint could not be published, or None: witnesses that do not answer are no failure."""
        return self._publication_failure

    @contextmanager
    def turn(self) -> Iterator[LedgerSession]:
        """The open ledger for the length of the block; raises `LedgerLocked` while another process writes."""
        with self.lent(self.take()) as session:
            yield session

    @contextmanager
    def lent(self, session: LedgerSession) -> Iterator[LedgerSession]:
        """What `take` or `take_open` gave, for the length of the block, and then given back."""
        error: BaseException | None = None
        try:
            yield session
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._give_back(error)

    def open(self) -> None:
        """Have the ledger open, so that `take_open` finds it; waits for the whole state to be read."""
        with self.turn():
            pass

    def take(self) -> LedgerSession:
        """The open ledger, for `lent`; opens it where nobody has yet, which reads the whole state."""
        session = self.take_open()
        if session is not None:
            return session
        with self._gate:
            session = self.take_open()
            if session is not None:
                return session
            if self._refusal is None:
                opened = self._open_session()
                with self._changed:
                    self._session = opened
            return self.take_open() or fail("the ledger was closed by somebody who had not its gate")

    def _open_session(self) -> LedgerSession:
        """The ledger, once no other process writes it; raises `LedgerLocked` where that lasts."""
        for _ in range(PATIENCE):
            try:
                return self._home.open_session(self._clock)
            except LedgerLocked:
                self._pause(PAUSE_S)
        return self._home.open_session(self._clock)

    def take_open(self) -> LedgerSession | None:
        """The ledger if it is open already, for `lent`; never waits. Raises `LedgerStopped`."""
        with self._changed:
            if self._refusal is not None:
                raise LedgerStopped(str(self._refusal)) from self._refusal
            if self._session is not None:
                self._users += 1
                self._turns += 1
            return self._session

    def _give_back(self, error: BaseException | None) -> None:
        with self._changed:
            self._users -= 1
            if isinstance(error, LedgerStopped | InvariantBroken) and self._refusal is None:
                self._refusal = LedgerStopped(f"{error} (nothing more is written until this server starts again)")
            self._changed.notify_all()
            self._await_idleness()
            is_old = self._clock() - self._published_ms >= PUBLISH_MS
            is_due = is_old and not self._publication_waits and self._session is not None and self._refusal is None
            self._publication_waits = self._publication_waits or is_due
        if is_due:
            self._later(0, self._publish_aside)

    def publish(self) -> None:
        """Publish a checkpoint now, in the caller's thread."""
        with self.turn() as session:
            self._publish(session)

    def close(self) -> None:
        """Wait for those who write, publish what is not published, and close the ledger for good."""
        with self._changed:
            if self._refusal is None:
                self._refusal = LedgerStopped("the server is ending: nothing more is taken")
                is_sound = True
            else:
                is_sound = False
            self._changed.wait_for(lambda: self._users == 0, timeout=CLOSE_S_MAX)
            self._forget_idleness()
        with self._gate:
            with self._changed:
                session, self._session = self._session, None
            if session is None:
                return
            try:
                if is_sound:
                    self._publish(session)
            finally:
                session.close()

    def _publish_aside(self) -> None:
        """Publish what the open ledger holds, if it is still open; a failure is kept for whoever asks."""
        with self._changed:
            self._publication_waits = False
            session = self._session
            if session is None or self._refusal is not None:
                return
            self._users += 1
        error: CellvowError | None = None
        try:
            self._publish(session)
        except CellvowError as known:
            error = known
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()
                if isinstance(error, LedgerStopped) and self._refusal is None:
                    self._refusal = error

    def _publish(self, session: LedgerSession) -> None:
        with self._publishing:
            self._published_ms, size = self._clock(), session.engine.head.log.size
            if size == self._published_size:
                return
            try:
                session.publish()
            except CellvowError as error:
                self._publication_failure = error
                raise
            self._published_size, self._publication_failure = size, None

    def _on_idle(self, turns: int) -> None:
        """Give the ledger back, unless it was used since the timer started."""
        self._publish_aside()
        with self._gate:
            with self._changed:
                self._call_off_idle = None
                if self._session is None:
                    return
                if self._users or self._turns != turns:
                    self._await_idleness()
                    return
                session, self._session = self._session, None
            session.close()

    def _await_idleness(self) -> None:
        if self._call_off_idle is None and self._session is not None:
            turns = self._turns
            self._call_off_idle = self._later(self._idle_s, lambda: self._on_idle(turns))

    def _forget_idleness(self) -> None:
        if self._call_off_idle is not None:
            self._call_off_idle()
            self._call_off_idle = None
