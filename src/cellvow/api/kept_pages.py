"""Public answers kept while the ledger stays as it is: most readers scan a code and want the same page."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from fastapi import Request, Response

from cellvow.api.negotiation import choose_language, holds_newest, wants_json

KEPT_MAX = 512
"""Answers kept; at 25 kB each they are 13 MB."""
MINUTE_MS = 60_000
"""How long an answer is kept though nothing changed: a certificate may run out meanwhile."""

Version = tuple[int, int]
"""State of the ledger, and the minute."""


class KeptPages:
    """A bounded shelf of answers to strangers. Shared by threads; `clock` gives milliseconds."""

    def __init__(self, version: Callable[[], int], clock: Callable[[], int], *, kept_max: int = KEPT_MAX) -> None:
        """`version` differs as soon as anything that strangers see has changed."""
        self._version = version
        self._clock = clock
        self._kept_max = kept_max
        self._shelf: OrderedDict[tuple[str, ...], Response] = OrderedDict()
        self._of: Version | None = None
        self._guard = threading.Lock()

    def now(self) -> Version:
        """What an answer made from now on belongs to: to be asked before it is made."""
        return self._version(), self._clock() // MINUTE_MS

    def find(self, request: Request, version: Version) -> Response | None:
        """The answer to a request, if it is kept and still true."""
        with self._guard:
            if self._of != version:
                self._shelf.clear()
                self._of = version
                return None
            kept = self._shelf.get(_name(request))
        if kept is None:
            return None
        if holds_newest(request, kept.headers["etag"]):
            return Response(status_code=304, headers=_without_body(kept))
        return Response(kept.body, kept.status_code, dict(kept.headers))

    def keep(self, request: Request, version: Version, answer: Response) -> None:
        """Keep a whole, public answer that was made for this version."""
        if answer.status_code != 200 or "etag" not in answer.headers:
            return
        with self._guard:
            if self._of == version:
                self._shelf[_name(request)] = answer
                if len(self._shelf) > self._kept_max:
                    self._shelf.popitem(last=False)


def _without_body(kept: Response) -> dict[str, str]:
    return {name: value for name, value in kept.headers.items() if name not in ("content-length", "content-type")}


def _name(request: Request) -> tuple[str, ...]:
    """All that the answer to a stranger depends on."""
    url = request.url
    form = "json" if wants_json(request) else "html"
    return url.scheme, request.headers.get("host", ""), url.path, url.query, form, choose_language(request)
