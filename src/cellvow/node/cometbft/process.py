"""The application's process: `python -P -m cellvow.node.cometbft.process LEDGER SOCKET [SNAPSHOT_INTERVAL]`.

It serves one engine until that goes away or SIGTERM comes. Exit codes: 0 it was told to end, or its engine has gone;
1 it could not begin, or was asked what it does not understand; 3 it must not simply be started again.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop

from cellvow.core.primitives.errors import CellvowError, InvalidBlock, InvariantBroken, Malformed
from cellvow.core.primitives.signature import require_sound_library
from cellvow.node.cometbft.application import LedgerApplication
from cellvow.node.cometbft.server import AbciServer
from cellvow.node.store import LedgerStopped

ENDED, FAILED, STOPPED = 0, 1, 3
SNAPSHOT_INTERVAL = 1_000
"""Heights between two snapshots, unless told otherwise."""


async def serve(application: LedgerApplication, socket: Path) -> None:
    """Answer the engine until SIGTERM or SIGINT, or until the application fails; raises what made it fail."""
    server = AbciServer(application, socket, on_refusal=_tell)
    await server.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.close)
    sys.stderr.write(f"cellvow: serving the ledger at height {application.chain.head.height}\n")
    sys.stderr.flush()
    await server.serve_until_closed()


def now_ms() -> int:
    """Milliseconds since 1970: only what waits for a block is judged by it, never a block."""
    return time.time_ns() // 1_000_000


def run(folder: Path, socket: Path, snapshot_interval: int = SNAPSHOT_INTERVAL) -> int:
    """Serve the ledger in `folder`; the exit code."""
    try:
        require_sound_library()
        application = LedgerApplication(folder, now_ms, snapshot_interval=snapshot_interval)
        try:
            uvloop.run(serve(application, socket))
        finally:
            application.close()
    except (LedgerStopped, InvalidBlock, InvariantBroken) as error:
        sys.stderr.write(f"cellvow: this member has stopped: {error}\n")
        return STOPPED
    except CellvowError as error:
        sys.stderr.write(f"cellvow: {error}\n")
        return FAILED
    return ENDED


def _tell(refusal: Malformed) -> None:
    sys.stderr.write(f"cellvow: a connection was closed: {refusal}\n")


def main() -> None:
    """The way in."""
    folder, socket, *interval = sys.argv[1:]
    raise SystemExit(run(Path(folder), Path(socket), *map(int, interval[:1])))


if __name__ == "__main__":
    main()
