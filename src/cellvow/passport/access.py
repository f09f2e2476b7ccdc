"""Which proofs an audience may take away. Default: none."""

from collections.abc import Iterator
from typing import Any

import msgspec

from cellvow.core.contracts.contract import Message
from cellvow.passport.view import Audience

WORLD, GRANTED = "world", "granted"


def may_take_bundle(message: Message, audience: Audience) -> bool:
    """Whether this audience may have the statement's own bytes: a signature covers all of a message or none.

    The owner may. A stranger may where every field is the world's, or a commitment that tells nothing by itself.
    """
    if audience is Audience.OWNER:
        return True
    return all(circle in (WORLD, GRANTED) for _, circle in circles(type(message)))


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
