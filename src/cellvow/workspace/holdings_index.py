"""The index of units as a site uses it: filled from the start in a thread of its own, followed at each question then.

It is filled beside everything else and not before: what strangers scan needs none of it, and is to be served at once.
Until it is whole a page that needs it says how far it is, instead of keeping its reader waiting.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from cellvow.core.primitives.errors import CellvowError, OperationalError
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.workspace.holdings import Holdings, Progress, followed_holdings

WAIT_S = 2.0
"""So long a page waits for an index that is nearly there: after most starts it is, and nobody sees anything of this."""
_JOIN_S_MAX = 60.0

Follow = Callable[[NodeHome, Path, Progress], AbstractContextManager[tuple[LedgerStore, Holdings]]]


class IndexUnready(OperationalError):
    """The index is being filled, and is `permille` far."""

    def __init__(self, permille: int) -> None:
        """`permille` is at most 1000."""
        super().__init__("the index of units is being made: try again in a minute")
        self.permille = permille


class _Closed(Exception):
    """Filling is to end where it is: the next start goes on from there."""


class HoldingsIndex:
    """The index in a workspace's folder. Without `begin` it is brought up to date by whoever asks first."""

    def __init__(
        self, home: Callable[[], NodeHome], folder: Path, follow: Follow = followed_holdings, wait_s: float = WAIT_S
    ) -> None:
        """`home` finds the node, and raises where a workspace has joined none.

        `follow` opens the index and brings it up to date; `wait_s` is how long a question waits for that.
        """
        self._wait_s = wait_s
        self._home = home
        self._folder = folder
        self._follow = follow
        self._is_filled = threading.Event()
        self._is_filled.set()
        self._is_closing = False
        self._permille = 0
        self._worker: threading.Thread | None = None

    def begin(self) -> None:
        """Fill it in a thread of its own; questions wait for that, or are told how far it is."""
        self._is_filled.clear()
        self._worker = threading.Thread(target=self._fill, name="index", daemon=True)
        self._worker.start()

    def close(self) -> None:
        """End the filling after the step that is under way; doing so again changes nothing."""
        self._is_closing = True
        if self._worker is not None:
            self._worker.join(_JOIN_S_MAX)

    def require_filled(self, wait_s: float | None = None) -> None:
        """Raise `IndexUnready` unless it is filled, or will be within the time."""
        if not self._is_filled.wait(self._wait_s if wait_s is None else wait_s):
            raise IndexUnready(self._permille)

    @contextmanager
    def opened(self) -> Iterator[tuple[LedgerStore, Holdings]]:
        """A reading connection to the ledger and the index as of its head; raises `IndexUnready` while it is filled."""
        self.require_filled()
        with self._follow(self._home(), self._folder, _silent) as opened:
            yield opened

    def _fill(self) -> None:
        try:
            with self._follow(self._home(), self._folder, self._note):
                return
        except (_Closed, CellvowError):
            return  # what is wrong with the file or the ledger is told to whoever asks
        finally:
            self._is_filled.set()

    def _note(self, done: int, total: int) -> None:
        self._permille = min(1000, 1000 * done // max(1, total))
        if self._is_closing:
            raise _Closed


def _silent(_done: int, _total: int) -> None:
    """Nobody watches."""
