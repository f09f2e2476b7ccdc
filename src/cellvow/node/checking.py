"""Signatures checked on another core: by a process of our own, since Python's threads cannot share this work.

libsodium lets go of the interpreter for each check, but a thread that comes back waits until a busy one pauses. The
process reads `count (4 bytes)`, then each check as `key (32) || signature (64) || length (4) || message`, and answers
one byte for each: 1 where the signature holds. It ends with its input; whoever asks may always check by himself.
"""

import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Self

from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.statement import Envelope
from cellvow.core.primitives.errors import ensure, fail
from cellvow.core.primitives.signature import (
    PUBLIC_KEY_LENGTH,
    SIGNATURE_LENGTH,
    SignatureCheck,
    is_valid,
    require_sound_library,
)

Check = tuple[bytes, bytes, bytes]
"""(public key, message, signature), as `SignatureCheck` takes them."""

CHECKS_MAX = 512
"""Checks in one question: enough to make the asking cheap, few enough that an answer never waits long."""
ENDING_S_MAX = 5
_PARALLEL_FROM = 64
_PROCESS_FROM = 256
"""Signatures that must wait at once before another process is started for them: below, starting it takes longer."""
VERDICTS_MAX = 10_000
"""Verdicts kept: those of several blocks, since a statement is checked when it is admitted and when it is applied."""
_READY = b"\x06"
_COUNT = 4


class CheckingProcess:
    """A process that checks signatures; started once, asked by one thread at a time."""

    def __init__(self) -> None:
        """Start it; it is used once it says that its library is sound."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "cellvow.node.checking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            start_new_session=True,
        )
        self._is_ready = False
        self._guard = threading.Lock()

    @property
    def process_id(self) -> int:
        """Its number in the operating system."""
        return self._process.pid

    def is_ready(self, within_s: float = 0) -> bool:
        """Whether it has started and still runs; waits for its start no longer than that."""
        if self._process.poll() is not None:
            return False
        if not self._is_ready:
            with selectors.DefaultSelector() as selector:
                selector.register(_open(self._process.stdout), selectors.EVENT_READ)
                self._is_ready = bool(selector.select(within_s)) and _open(self._process.stdout).read(1) == _READY
        return self._is_ready

    def check(self, checks: Sequence[Check]) -> list[bool] | None:
        """The verdicts, in order; None where the process has ended, so that the asker checks by himself."""
        verdicts: list[bool] = []
        with self._guard:
            for at in range(0, len(checks), CHECKS_MAX):
                answer = self._ask(checks[at : at + CHECKS_MAX])
                if answer is None:
                    return None
                verdicts += [verdict == 1 for verdict in answer]
        return verdicts

    def close(self) -> None:
        """End it."""
        with self._guard:
            for stream in (self._process.stdin, self._process.stdout):
                try:
                    _open(stream).close()
                except BrokenPipeError:
                    continue
            try:
                self._process.wait(ENDING_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _ask(self, checks: Sequence[Check]) -> bytes | None:
        try:
            _open(self._process.stdin).write(encode_checks(checks))
            _open(self._process.stdin).flush()
            answer = _open(self._process.stdout).read(len(checks))
        except (BrokenPipeError, ValueError):  # it has died, or was closed
            return None
        return answer if len(answer) == len(checks) else None


class SignatureCache:
    """Remembers verdicts by everything a verdict depends on: key, signed bytes and signature.

    Asked by one thread; what is checked elsewhere meanwhile is put in by that thread too.
    """

    def __init__(self, check: SignatureCheck = is_valid, *, verdicts_max: int = VERDICTS_MAX) -> None:
        self._check = check
        self._verdicts: dict[Check, bool] = {}
        self._verdicts_max = verdicts_max

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature holds."""
        asked = (public_key, message, signature)
        known = self._verdicts.get(asked)
        if known is not None:
            return known
        verdict = self._check(public_key, message, signature)
        self.remember([asked], [verdict])
        return verdict

    def knows(self, asked: Check) -> bool:
        """Whether there is a verdict already."""
        return asked in self._verdicts

    def remember(self, asked: Sequence[Check], verdicts: Sequence[bool]) -> None:
        """Keep verdicts; the oldest are forgotten where there are too many."""
        self._verdicts.update(zip(asked, verdicts, strict=True))
        for _ in range(len(self._verdicts) - self._verdicts_max):
            del self._verdicts[next(iter(self._verdicts))]


class ChecksAhead:
    """Fills the cache for one block while the block before it is applied, with a second process where that pays."""

    def __init__(self, cache: SignatureCache, *, is_elsewhere: bool = True) -> None:
        """`is_elsewhere` False keeps every check here: where somebody brings a check of his own."""
        self._cache = cache
        self._is_elsewhere = is_elsewhere and (os.cpu_count() or 1) > 1
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="signatures")
        self._process: CheckingProcess | None = None
        self._asked: list[Check] = []
        self._answer: Future[list[bool] | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def begin(self, checks: list[Check]) -> None:
        """Have the checks made elsewhere, if there are enough of them and there is an elsewhere."""
        unknown = [one for one in checks if not self._cache.knows(one)]
        process = self._find_process(len(unknown))
        if process is not None and len(unknown) >= _PARALLEL_FROM and self._answer is None:
            self._asked, self._answer = unknown, self._thread.submit(process.check, unknown)

    def has_process(self, waiting: int, within_s: float = 0) -> bool:
        """Whether so many checks would be shared with another process; starts it where they are enough."""
        return self._find_process(waiting, within_s) is not None

    def finish(self, checks: list[Check]) -> None:
        """Take what was begun, and share what is still unknown of these checks with the other process."""
        self._collect()
        unknown = [one for one in checks if not self._cache.knows(one)]
        half = len(unknown) // 2
        self.begin(unknown[:half])
        if self._answer is not None:
            for one in unknown[half:]:
                self._cache(*one)
            self._collect()

    def close(self) -> None:
        """End the thread and the process."""
        self._thread.shutdown()
        if self._process is not None:
            self._process.close()

    def _collect(self) -> None:
        if self._answer is None:
            return
        verdicts, self._answer = self._answer.result(), None
        if verdicts is not None:
            self._cache.remember(self._asked, verdicts)

    def _find_process(self, waiting: int, within_s: float = 0) -> CheckingProcess | None:
        """The process once it is ready; started when first enough wait for it, and not again after it has died."""
        if self._process is None and waiting >= _PROCESS_FROM and self._is_elsewhere:
            self._process = CheckingProcess()
        return self._process if self._process is not None and self._process.is_ready(within_s) else None


def find_checks(envelopes: Iterable[Envelope], read: Callable[[str], bytes | None]) -> list[Check]:
    """The signature checks that these envelopes will need, of those whose keys are registered by now."""
    keys: dict[bytes, bytes | None] = {}
    checks: list[Check] = []
    for envelope in envelopes:
        if envelope.kid not in keys:
            value = read(key_record_key(envelope.kid))
            keys[envelope.kid] = None if value is None else bytes.fromhex(parse_key_record(value).public_key)
        public_key = keys[envelope.kid]
        if public_key is not None and len(public_key) == PUBLIC_KEY_LENGTH:
            checks.append((public_key, envelope.signed_bytes, envelope.signature))
    return checks


def encode_checks(checks: Sequence[Check]) -> bytes:
    """One question to the process; keys and signatures must have their lengths."""
    parts = [len(checks).to_bytes(_COUNT, "big")]
    for public_key, message, signature in checks:
        ensure(len(public_key) == PUBLIC_KEY_LENGTH and len(signature) == SIGNATURE_LENGTH, "a check has fixed lengths")
        parts += [public_key, signature, len(message).to_bytes(_COUNT, "big"), message]
    return b"".join(parts)


def answer_checks(asked: IO[bytes], answers: IO[bytes], check: SignatureCheck = is_valid) -> None:
    """Answer questions until there are no more."""
    answers.write(_READY)
    answers.flush()
    while True:
        head = asked.read(_COUNT)
        if len(head) < _COUNT:
            return
        verdicts = bytearray()
        for _ in range(int.from_bytes(head, "big")):
            public_key, signature = asked.read(PUBLIC_KEY_LENGTH), asked.read(SIGNATURE_LENGTH)
            message = asked.read(int.from_bytes(asked.read(_COUNT), "big"))
            verdicts.append(check(public_key, message, signature))
        answers.write(verdicts)
        answers.flush()


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        fail("the checking process was started without its pipes")
    return stream


def main() -> None:
    """Answer on standard input and output; an unsound library ends the process before it says that it is ready."""
    require_sound_library()
    answer_checks(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
