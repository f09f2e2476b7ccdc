"""Kept answers: the same bytes while nothing changed, and never to anybody but a stranger."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.kept_pages import MINUTE_MS, KeptPages
from cellvow.api.passports import PassportPages
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import KEY, PATH, TOKEN, Shelf

KEPT_MAX = 5


@dataclass
class Node:
    """A node whose ledger and clock a test moves."""

    version: int = 0
    now_ms: int = 0
    shelf: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        """Put it together."""
        access = Access(TOKEN, lambda: self.now_ms)
        self.kept = KeptPages(lambda: self.version, lambda: self.now_ms, kept_max=KEPT_MAX)
        self.client = AsgiClient(create_application(Site(access, PassportPages(self.shelf, access, kept=self.kept))))

    def derived(self) -> int:
        """How often the source was asked."""
        return len(self.shelf.asked)


@pytest.fixture
def node() -> Node:
    """A fresh one."""
    return Node()


def ask_twice(node: Node, **headers: str) -> int:
    """Ask for the page twice; how often the source was asked."""
    before = node.derived()
    first, second = (node.client.get(PATH, headers=headers) for _ in range(2))
    assert first.content == second.content
    assert first.headers == second.headers
    return node.derived() - before


def test_a_page_is_made_once_while_nothing_changes(node: Node) -> None:
    """The second reader gets the same bytes and headers, and the ledger is not asked again."""
    assert 1 == ask_twice(node)
    assert 0 == ask_twice(node)


def test_what_the_ledger_says_anew_is_seen_at_once(node: Node) -> None:
    """Another version, another page."""
    ask_twice(node)
    node.version += 1

    assert 1 == ask_twice(node)


def test_a_page_does_not_outlive_its_minute(node: Node) -> None:
    """A certificate may run out though nobody writes."""
    ask_twice(node)
    node.now_ms += MINUTE_MS

    assert 1 == ask_twice(node)


def test_languages_and_forms_are_kept_apart(node: Node) -> None:
    """German is not English, and JSON is neither."""
    ask_twice(node)

    assert 1 == ask_twice(node, **{"accept-language": "de"})
    assert 1 == ask_twice(node, accept="application/json")
    assert 1 == ask_twice(node, host="other.example")


def test_threat_a_private_page_is_kept_for_strangers(node: Node) -> None:
    """The owner's view is made anew each time, and a stranger after him gets his own."""
    assert 2 == ask_twice(node, **KEY)

    page = node.client.get(PATH)
    assert "Public view." in page.text
    assert "no-store" == node.client.get(PATH, headers=KEY).headers["cache-control"]


def test_who_holds_the_kept_page_gets_304(node: Node) -> None:
    """Also from the shelf."""
    tag = node.client.get(PATH).headers["etag"]
    answer = node.client.get(PATH, headers={"if-none-match": tag})

    assert (304, b"") == (answer.status_code, answer.content)
    assert tag == answer.headers["etag"]


def test_threat_addresses_without_end_fill_the_memory(node: Node) -> None:
    """The shelf is bounded, whatever is asked for; refusals are never kept."""
    for number in range(2 * KEPT_MAX):
        node.client.get(f"{PATH}?x={number}")
    node.client.get(f"{PATH}?before=nonsense")

    assert KEPT_MAX == len(node.kept._shelf)
