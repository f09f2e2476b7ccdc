"""Servers in processes of their own on loopback, and one client that loads them all alike."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cellvow.core.primitives.errors import OperationalError

ROOT = Path(__file__).resolve().parent.parent
CELLVOW = ("-c", "from cellvow.cli import main; main()")
"""The command line as its console script starts it."""
ENDING_S_MAX = 20
ANSWER_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, and what its answer must be and must not say: all else is an error, not speed."""

    method: str
    path: str
    body: bytes = b""
    media_type: str = ""
    status: int = 200
    unwanted: bytes | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did: how many answers in how many seconds, and how long each took."""

    answers: int
    taken_s: float
    latencies_s: tuple[float, ...]

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answers / self.taken_s


@contextmanager
def serving(*command: str) -> Iterator[str]:
    """Start `python ...`, which must say `{"url": ...}` on its first line; the URL. It is interrupted at the end."""
    paths = [str(ROOT / "src"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    child = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, *command], stdout=subprocess.PIPE, env=environ, text=True, start_new_session=True
    )
    try:
        line = child.stdout.readline() if child.stdout is not None else ""
        if not line.startswith("{"):
            raise OperationalError(f"`python {' '.join(command)}` did not start")
        yield str(json.loads(line)["url"]).rstrip("/")
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(ENDING_S_MAX)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()


def load(url: str, requests: Sequence[Request], concurrency: int, lasting_s: float) -> Load:
    """Ask again and again over `concurrency` kept connections, as long as given or until each request is sent once.

    With `lasting_s` 0 every request is sent exactly once. Raises `OperationalError` at the first wrong answer.
    """
    address = urlsplit(url)
    return asyncio.run(_load(address.hostname or "", address.port or 80, list(requests), concurrency, lasting_s))


async def _load(host: str, port: int, requests: list[Request], concurrency: int, lasting_s: float) -> Load:
    encoded = [(_encode(one, host), one) for one in requests]
    latencies: list[float] = []
    start = time.perf_counter()
    end = start + lasting_s if lasting_s else float("inf")
    position = 0

    async def work() -> None:
        nonlocal position
        reader, writer = await asyncio.open_connection(host, port)
        try:
            while time.perf_counter() < end and (lasting_s or position < len(encoded)):
                data, request = encoded[position % len(encoded)]
                position += 1
                began = time.perf_counter()
                writer.write(data)
                await _read_answer(reader, request)
                latencies.append(time.perf_counter() - began)
        finally:
            writer.close()

    await asyncio.gather(*(work() for _ in range(concurrency)))
    return Load(len(latencies), time.perf_counter() - start, tuple(latencies))


async def _read_answer(reader: asyncio.StreamReader, request: Request) -> None:
    async with asyncio.timeout(ANSWER_S_MAX):
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        lengths = [line.partition(b":")[2] for line in lines if line.lower().startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0])) if lengths else b""
    if lines[0].split(b" ")[1] != str(request.status).encode():
        raise OperationalError(f"the server answered {lines[0].decode()} instead of {request.status}: {body[:300]!r}")
    if request.unwanted is not None and request.unwanted in body:
        raise OperationalError(f"the server's answer says {request.unwanted!r}: {body[:300]!r}")


def _encode(request: Request, host: str) -> bytes:
    lines = [f"{request.method} {request.path} HTTP/1.1", f"Host: {host}", "Accept: */*"]
    if request.body:
        lines += [f"Content-Length: {len(request.body)}", f"Content-Type: {request.media_type}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + request.body
