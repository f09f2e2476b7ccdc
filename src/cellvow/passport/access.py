"""Who sees which part of a passport, and which proofs he may take away. Default: none.

| part | public | purchaser | owner |
|---|---|---|---|
| model, day of manufacture, status, whether the birth was reconstructed, who answers | yes | yes | yes |
| that there are certificates, about what, their state and predicates | yes | yes | yes |
| safety state, open incidents by kind and severity, and who says so | yes | yes | yes |
| that it is disputed, about what, since when, with which outcome; that a take-over is announced | yes | yes | yes |
| what it was made of, what it became, by which operation | yes | yes | yes |
| of a number that nobody registered: who claims it, and whose model it names | yes | yes | yes |
| why a certificate is void, where a fact of the world's says it | yes | yes | yes |
| other attestations, values, intervals, curve | - | health | yes |
| steps of life, all three registers | - | history | yes |
| parties of a dispute or take-over, how many positions they stated | - | history | yes |
| that a certificate is void by a repair | - | history | yes |
| where it is built in (its kind), work, next service, software, grade | - | history | yes |
| its parts, what they replaced, what it is in | - | history | yes |
| what that which it became was graded | - | - | yes |
| documents that workshops may have, by title | - | history | yes |
| documents for others, by title | - | - | yes |
| facility | - | - | yes |
| bundles of statements whose every field is the world's or a commitment (as of births, tests) | yes | yes | yes |
| bundles of other statements | - | - | yes |
| in a bundle, the values behind commitments | - | health | yes |
| the export package: all of these in one file | - | - | yes |
"""

from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

import msgspec

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.register import REGISTERS, RESPONSIBILITY
from cellvow.passport.view import Audience, Reader, Scope

WORLD, GRANTED = "world", "granted"
WORKSHOP = "workshop"
_CLOSED_VOIDINGS = ("repaired",)


def sees_values(reader: Reader) -> bool:
    """Whether he is shown every attestation with its values and curve, and may take those values away."""
    return reader.sees(Scope.HEALTH)


def sees_life(reader: Reader) -> bool:
    """Whether he is shown the steps of life."""
    return reader.sees(Scope.HISTORY)


def sees_facility(reader: Reader) -> bool:
    """Whether he is shown where the battery was made."""
    return reader.audience is Audience.OWNER


def seen_registers(reader: Reader) -> tuple[str, ...]:
    """The registers he is shown: who answers for a battery is everybody's to know."""
    return REGISTERS if reader.sees(Scope.HISTORY) else (RESPONSIBILITY,)


def sees_parties(reader: Reader) -> bool:
    """Whether he is shown who disputes the unit with whom, and who takes it over from whom."""
    return reader.sees(Scope.HISTORY)


def sees_use(reader: Reader) -> bool:
    """Whether he is shown what the unit is in and made of, who worked on it, and what runs on it."""
    return reader.sees(Scope.HISTORY)


def sees_gradings_of_relatives(reader: Reader) -> bool:
    """Whether he is shown what other units were graded that this one became: an owner's grant is for his unit alone."""
    return reader.audience is Audience.OWNER


def sees_voiding(reader: Reader, cause: str) -> bool:
    """Whether he is told why a test is void: which kind of work was done on a unit is the members' to know."""
    return cause not in _CLOSED_VOIDINGS or reader.sees(Scope.HISTORY)


def sees_document(reader: Reader, roles: Collection[str]) -> bool:
    """Whether he is told of a document about the unit.

    A purchaser will have it serviced: he learns which papers a workshop can ask for. What its maker wrote for
    recyclers or authorities alone goes with no grant of an owner.
    """
    return reader.audience is Audience.OWNER or (sees_use(reader) and WORKSHOP in roles)


def may_take_bundle(message: Message, reader: Reader) -> bool:
    """Whether this reader may have the statement's own bytes: a signature covers all of a message or none.

    The owner may. Anybody else may where every field is the world's, or a commitment that tells nothing by itself:
    no grant reaches what members alone may see.
    """
    return reader.audience is Audience.OWNER or is_open(type(message))


def may_take_package(reader: Reader) -> bool:
    """Whether this reader may have the export package: it holds hand-overs and verdicts, which are the members'."""
    return reader.audience is Audience.OWNER


@cache
def is_open(schema: type[msgspec.Struct]) -> bool:
    """Whether every field of a message type is the world's, or a commitment."""
    return all(circle in (WORLD, GRANTED) for _, circle in circles(schema))


def circles(schema: type[msgspec.Struct]) -> Iterator[tuple[str, str | None]]:
    """(dotted field name, circle it declares, if any) of every field of a message type, nested ones included."""
    for field in msgspec.structs.fields(schema):
        info = msgspec.inspect.type_info(field.type)
        yield field.name, _circle(info)
        for nested in _structs(info):
            yield from ((f"{field.name}.{name}", circle) for name, circle in circles(nested))


def _circle(info: msgspec.inspect.Type) -> str | None:
    while isinstance(info, msgspec.inspect.Metadata):
        if info.extra is not None and "circle" in info.extra:
            return str(info.extra["circle"])
        info = info.type
    return None


def _structs(info: Any) -> list[type[msgspec.Struct]]:  # noqa: ANN401 - any node of msgspec's type tree
    if isinstance(info, msgspec.inspect.StructType):
        return [info.cls]
    nested: list[type[msgspec.Struct]] = []
    for name in ("type", "item_type"):
        if isinstance(getattr(info, name, None), msgspec.inspect.Type):
            nested += _structs(getattr(info, name))
    for name in ("types", "item_types"):
        for one in getattr(info, name, ()):
            nested += _structs(one)
    return nested
