"""Which statements stand behind what a view shows: each can be proven to who may take it away."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from cellvow.passport.view import Passport, Source


def list_sources(passport: Passport) -> list[Source]:
    """Who signed what the view shows, once for each fact, wherever in the view it stands."""
    return list(_sources_in(passport))


def _sources_in(value: object) -> Iterator[Source]:
    if isinstance(value, Source):
        yield value
    elif isinstance(value, tuple):
        for one in value:
            yield from _sources_in(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _sources_in(getattr(value, field.name))
