"""Two clicks at a desk: a form, its dry run, and the signature; for every test that has something signed there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.unit.desk_world import DeskSite

ACTS = "/desk/acts"
_SEEN = re.compile(r'name="seen" value="([0-9a-f]{64})"')


def order(site: DeskSite, act: str, document: tuple[str, bytes] | None = None, /, **fields: str) -> httpx.Response:
    """Send the form of an act, with a document or without."""
    name, content = ("", b"") if document is None else document
    return site.send(ACTS, content, name, {"act": act, **fields})


def dry_run(site: DeskSite, ordered: httpx.Response) -> httpx.Response:
    """The page that a form led to."""
    assert 303 == ordered.status_code, ordered.text
    return site.get(ordered.headers["location"])


def seen_in(page: httpx.Response) -> str:
    """What the second click must bring back; empty where there is nothing to sign."""
    found = _SEEN.search(page.text)
    return "" if found is None else found[1]


def confirm(site: DeskSite, ordered: httpx.Response, seen: str) -> httpx.Response:
    """The second click."""
    return site.send(ordered.headers["location"], b"", "", {"do": "sign", "seen": seen})


def sign(site: DeskSite, ordered: httpx.Response) -> httpx.Response:
    """Both clicks; the page with what became of it."""
    seen = seen_in(dry_run(site, ordered))
    assert seen, dry_run(site, ordered).text
    assert 303 == confirm(site, ordered, seen).status_code
    return site.get(ordered.headers["location"])
