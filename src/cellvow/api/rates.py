"""How often one client may do what is dear or guessed at: a bucket of tokens for each, refilled over time."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from cellvow.api.problems import Refusal
from cellvow.web import Problem

CLIENTS_MAX = 10_000
"""Buckets kept at once; the one unused longest is forgotten, and starts full again."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_ms: int


class RateLimit:
    """At most `burst` at once, then `per_minute`; `clock` gives milliseconds. Shared by threads."""

    def __init__(self, burst: int, per_minute: int, clock: Callable[[], int]) -> None:
        self._burst = burst
        self._per_ms = per_minute / 60_000
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._guard = threading.Lock()

    def take(self, request: Request) -> None:
        """Count one; raises `Refusal` (429, with the seconds to wait) where the client has none left."""
        with self._guard:
            bucket = self._fill(request)
            self._require(bucket)
            bucket.tokens -= 1

    def require(self, request: Request) -> None:
        """Raise the same where the client has none left, and count nothing."""
        with self._guard:
            self._require(self._fill(request))

    def count(self, request: Request) -> None:
        """Count one that was found out only afterwards; what is owed grows no further than one burst."""
        with self._guard:
            bucket = self._fill(request)
            bucket.tokens = max(bucket.tokens - 1, float(-self._burst))

    def _fill(self, request: Request) -> _Bucket:
        """The client's bucket as of now."""
        client = "" if request.client is None else request.client.host
        now = self._clock()
        bucket = self._buckets.pop(client, None) or _Bucket(self._burst, now)
        passed = max(0, now - bucket.filled_ms)
        bucket.tokens = min(self._burst, bucket.tokens + passed * self._per_ms)
        bucket.filled_ms = now
        self._buckets[client] = bucket
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return bucket

    def _require(self, bucket: _Bucket) -> None:
        if bucket.tokens < 1:
            wait_s = int((1 - bucket.tokens) / self._per_ms / 1000) + 1
            raise Refusal(Problem.TOO_MANY, retry_after_s=wait_s)
