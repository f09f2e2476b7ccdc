"""A web server on a socket that is bound before anybody is told its address; the caller ends it with Ctrl-C."""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.cli.answer import print_lines
from cellvow.cli.failures import describe_failure
from cellvow.core.primitives.errors import OperationalError

if TYPE_CHECKING:
    from fastapi import FastAPI

BACKLOG = 128
CONNECTIONS_MAX = 256
"""Connections served at once; the next is answered 503, so slow clients cannot pile up."""
LIMIT_S = 15
"""How long an idle connection is kept, and how long requests may take to end after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket and its address as a URL without a path."""

    bound: socket.socket
    url: str

    @classmethod
    def bind(cls, host: str, port: int) -> "Listener":
        """Bind an address; port 0 takes a free one. Raises `OperationalError` where it is taken or not ours."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Named by its protocol: asyncio sets TCP_NODELAY only there, and without it each answer waits 40 ms.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind((host, port))
            bound.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            bound.close()
            reason = getattr(error, "strerror", None) or error
            raise OperationalError(
                f"cannot listen on {host} port {port} ({reason}): choose another --port, or leave it out"
            ) from error
        shown = f"[{host}]" if family is socket.AF_INET6 else host
        return cls(bound, f"http://{shown}:{bound.getsockname()[1]}")

    def run(self, application: "FastAPI", ready: Callable[[], None]) -> None:
        """Serve until interrupted, and call `ready` once it does. Requests are not logged: they may hold a key."""
        import uvicorn

        class Server(uvicorn.Server):
            """Says when it is up: by then it also handles the interrupt."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                ready()

        _report_failures_in_words()
        config = uvicorn.Config(
            application,
            loop="asyncio",  # whatever else is installed: shutdown and streams are tried on this one
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            timeout_keep_alive=LIMIT_S,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=LIMIT_S,
        )
        try:
            Server(config).run(sockets=[self.bound])
        finally:
            self.bound.close()


class _InWords(logging.Handler):
    """What goes wrong behind a page, for whoever runs the server: a sentence, never a traceback or an address."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            print_lines([record.getMessage()], to_errors=True)
        else:
            print_lines(describe_failure(error).lines(), to_errors=True)


def _report_failures_in_words() -> None:
    log = logging.getLogger("uvicorn.error")
    log.handlers, log.propagate = [_InWords()], False
