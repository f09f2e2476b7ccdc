"""The policies that come with the package: text, and beside it for whom it is and what it rests on."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from cellvow.core.contracts.policy import Policy
from cellvow.core.primitives.errors import Malformed
from cellvow.passport.acceptance.facts import parse_acceptance_policy

NAMES = ("import_market_surveillance", "second_life_intake")
"""The policies that are ready, in the order they are listed."""


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Something a policy rests on, and how well we know it."""

    name: str
    confidence: str


@dataclass(frozen=True, slots=True)
class ReadyPolicy:
    """A policy with its text, its title, for whom it is, of which day, a note, and its sources."""

    name: str
    text: str
    policy: Policy
    title: str
    for_whom: str
    date: str
    note: str
    sources: tuple[PolicySource, ...]


@cache
def load_ready_policy(name: str) -> ReadyPolicy:
    """A policy by its name; raises `Malformed` with the names there are."""
    if name not in NAMES:
        raise Malformed(f"there is no policy {name[:60]!r}: known are {', '.join(NAMES)}; or name a file")
    folder = files("cellvow.passport.acceptance") / "ready"
    text = (folder / f"{name}.policy").read_text("utf-8")
    about = json.loads((folder / f"{name}.json").read_text("utf-8"))
    sources = tuple(PolicySource(one["name"], one["confidence"]) for one in about["sources"])
    return ReadyPolicy(
        name=name,
        text=text,
        policy=parse_acceptance_policy(text),
        title=about["title"],
        for_whom=about["for_whom"],
        date=about["date"],
        note=about["note"],
        sources=sources,
    )
