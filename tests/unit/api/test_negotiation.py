"""What a client would rather have: any header is an answer, the better wish wins, the newest is not sent twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cellvow.api.negotiation import HTML, JSON, answer_body, choose, choose_language, holds_newest, wants_json
from cellvow.web import LOCALES


def asking(query: str = "", **headers: str) -> Request:
    """A request with these headers."""
    fields = [(name.replace("_", "-").encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": query.encode(), "headers": fields})


@given(st.text(max_size=200))
def test_every_header_gets_an_answer(header: str) -> None:
    """Whatever it says, one of the offers is chosen."""
    request = asking(accept=header, accept_language=header, if_none_match=header)

    assert choose(header, (HTML, JSON)) in (HTML, JSON)
    assert choose_language(request) in LOCALES
    assert wants_json(request) in (True, False)
    assert holds_newest(request, '"tag"') in (True, False)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("", HTML),
        ("*/*", HTML),
        ("application/json", JSON),
        ("text/html,application/json", HTML),
        ("text/html;q=0.5, application/json", JSON),
        ("application/json;q=0.1, text/html;q=0.09", JSON),
        ("application/json;q=0", HTML),
        ("application/json;q=nan", HTML),
        ("application/json;q=9", JSON),
    ],
)
def test_the_better_wish_wins(header: str, chosen: str) -> None:
    """By quality; what is no number is no wish."""
    assert chosen == choose(header, (HTML, JSON))


@pytest.mark.parametrize(
    ("held", "is_held"), [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ("a", False)]
)
def test_tags_are_compared_as_the_standard_says(held: str, is_held: bool) -> None:
    """Weakly, in lists, and with the star (RFC 9110, 13.1.2)."""
    assert is_held is holds_newest(asking(if_none_match=held), '"a"')


def test_what_only_some_may_see_is_kept_by_nobody() -> None:
    """No tag and no-store for a private answer, however final."""
    answer = answer_body(asking(), b"x", JSON, is_private=True, is_final=True)

    assert "no-store" == answer.headers["cache-control"]
    assert "etag" not in answer.headers


def test_shared_caches_tell_readers_apart() -> None:
    """Language, form, session and key each make another answer."""
    vary = answer_body(asking(), b"x", JSON, is_private=False).headers["vary"]

    assert {"Accept", "Accept-Language", "Authorization", "Cookie"} == set(vary.split(", "))
