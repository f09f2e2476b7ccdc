"""What a node counts about itself, as text that Prometheus reads (exposition format 0.0.4).

    cellvow_requests_total{method="GET",route="/blocks/{height}",status="200"} 17

A route is named by its template and a method by one of a closed list: no address, key or token becomes a label.
"""

import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT"})
OTHER = "other"
"""The label of every method that is not listed, and of every address that no route takes."""
SECONDS_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the histogram's buckets: from a page kept in memory to a statement that waits for its block."""

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Durations:
    """How many requests took how long: `counts` has one bucket more than there are bounds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS_BOUNDS) + 1))
    total_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """A number that is read when it is asked for."""

    name: str
    help: str
    read: Callable[[], float]


class Figures:
    """Counts requests by route template, method and status, and reads gauges; shared by threads."""

    def __init__(self) -> None:
        self._guard = Lock()
        self._requests: dict[tuple[str, str, int], int] = {}
        self._durations: dict[str, _Durations] = {}

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        place = bisect_left(SECONDS_BOUNDS, seconds)
        key = (route, method, status)
        with self._guard:
            self._requests[key] = self._requests.get(key, 0) + 1
            durations = self._durations.get(route)
            if durations is None:
                durations = self._durations[route] = _Durations()
            durations.counts[place] += 1
            durations.total_s += seconds

    def text(self, gauges: tuple[Gauge, ...] = ()) -> str:
        """Everything, as the format has it."""
        with self._guard:
            requests = sorted(self._requests.items())
            durations = sorted((route, list(one.counts), one.total_s) for route, one in self._durations.items())
        lines = _headline("cellvow_requests_total", "counter", "Requests answered.")
        for (route, method, status), number in requests:
            labels = (("method", method), ("route", route), ("status", str(status)))
            lines.append(_sample("cellvow_requests_total", labels, number))
        lines += _headline("cellvow_request_seconds", "histogram", "Time from a request to the end of its answer.")
        for route, counts, total_s in durations:
            lines += _histogram(route, counts, total_s)
        for gauge in gauges:
            lines += _headline(gauge.name, "gauge", gauge.help)
            lines.append(_sample(gauge.name, (), gauge.read()))
        return "\n".join((*lines, ""))


class Meter:
    """Counts every request that passes, whatever becomes of it; to be the outermost of an application's layers."""

    def __init__(self, app: ASGIApp, figures: Figures, clock: Callable[[], float] = time.perf_counter) -> None:
        """`app` is what is counted; `clock` gives seconds."""
        self._app = app
        self._figures = figures
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's message flow (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 500, self._clock()

        async def send_counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        finally:
            method = scope["method"] if scope["method"] in METHODS else OTHER
            self._figures.count(template_of(scope), method, status, self._clock() - began)


def template_of(scope: Scope) -> str:
    """The template of the route that took a request: `/blocks/{height}`."""
    return str(getattr(scope.get("route"), "path", OTHER))


def _headline(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _sample(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
    return f"{name}{{{shown}}} {value:.12g}" if shown else f"{name} {value:.12g}"


def _histogram(route: str, counts: list[int], total_s: float) -> list[str]:
    lines, running = [], 0
    for bound, number in zip((*(f"{one:g}" for one in SECONDS_BOUNDS), "+Inf"), counts, strict=True):
        running += number
        lines.append(_sample("cellvow_request_seconds_bucket", (("route", route), ("le", bound)), running))
    lines.append(_sample("cellvow_request_seconds_sum", (("route", route),), total_s))
    lines.append(_sample("cellvow_request_seconds_count", (("route", route),), running))
    return lines


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
