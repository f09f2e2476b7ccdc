"""The generated pages: fresh, complete, and every field of every message declares who sees it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from cellvow.core.contracts.contract import GRANTED, MEMBERS, Message, Schema
from cellvow.core.ledger.rejection import RULES, Reason
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from tools.make_reference import CIRCLES, FOLDER, PAGES, fields_of

MESSAGES = sorted(RULESETS[NEWEST].handlers, key=lambda message: message.__name__)


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_fresh(name: str) -> None:
    """A stale one is made anew by `python tools/make_reference.py`."""
    assert (FOLDER / name).read_text("utf-8") == PAGES[name]()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: str(message.__name__))
def test_every_field_declares_its_circle(message: type[Message]) -> None:
    """Its parts too: what nobody thought about is seen by nobody."""
    undeclared = [field.path for field in fields_of(message) if field.circle not in CIRCLES]

    assert undeclared == []


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: str(message.__name__))
def test_every_message_says_in_one_sentence_what_it_orders(message: type[Message]) -> None:
    """The page shows the first line of its docstring."""
    assert message.__doc__
    assert message.__doc__.strip()[0].isupper()


def test_a_granted_field_is_a_commitment_and_nothing_else() -> None:
    """32 bytes in hexadecimal: no field for a granted value, nor for its salt, exists in any message."""
    fields = [field for message in MESSAGES for field in fields_of(message)]
    granted = [field.path.rpartition(".")[2] for field in fields if field.circle == "granted"]

    assert granted
    assert list(dict.fromkeys(granted)) == ["commitment"]
    assert not [field.path for field in fields if "salt" in field.path or "value" in field.path]


def test_every_rejection_is_on_the_page() -> None:
    """With its code, its name and its sentence."""
    page = (FOLDER / "rejections.md").read_text("utf-8")

    for reason in Reason:
        assert f"| {int(reason)} | `{reason.name}` | {RULES[reason]} |" in page


def test_codes_below_200_are_the_reasons_not_to_include() -> None:
    """The boundary the page explains is the one the numbers keep."""
    assert [int(reason) for reason in Reason if reason < 200] == list(range(101, 109))


class _Part(Schema, frozen=True, kw_only=True):
    commitment: Annotated[str, GRANTED]
    forgotten: str


class _Careless(Message, frozen=True, kw_only=True):
    parts: Annotated[tuple[_Part, ...], msgspec.Meta(max_length=2), MEMBERS]
    also_forgotten: Annotated[int, msgspec.Meta(ge=0)]


def test_a_field_without_a_circle_is_found() -> None:
    """Control: at the top and inside a part."""
    found = {field.path: field.circle for field in fields_of(_Careless)}

    assert found == {
        "parts": "members",
        "parts[].commitment": "granted",
        "parts[].forgotten": None,
        "also_forgotten": None,
    }
