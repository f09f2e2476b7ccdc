"""What a parsed envelope must look like: maps with exactly their members, arrays within bounds, strings of a length."""

from cellvow.core.primitives.cbor import Cbor
from cellvow.core.primitives.errors import Malformed


def require_members(value: Cbor, *names: str) -> dict[int | str, Cbor]:
    """The map, if it has exactly these members; else `Malformed`."""
    if not isinstance(value, dict) or len(value) != len(names) or any(name not in value for name in names):
        raise Malformed(f"a map with exactly {', '.join(names)} was expected")
    return value


def require_array(value: Cbor, most: int) -> list[Cbor]:
    """The array, if it has at most so many members; else `Malformed`."""
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"an array of at most {most} was expected")
    return value


def require_bytes(value: Cbor) -> bytes:
    """The byte string; else `Malformed`."""
    if not isinstance(value, bytes):
        raise Malformed("a byte string was expected")
    return value
