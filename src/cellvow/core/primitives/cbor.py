"""The small subset of CBOR (RFC 8949) that envelopes and bundles use, in its one deterministic form.

Integers, byte and text strings, arrays, maps and tag 18 only; shortest heads, definite lengths, map
keys in bytewise order of their encoding (RFC 8949 section 4.2.1). Anything else is refused, so every
value has exactly one encoding and a parsed document need not be encoded again to be compared.
"""

from dataclasses import dataclass
from typing import TypeAlias, Union

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import DEPTH_MAX

COSE_SIGN1 = 18
"""The only tag of the subset (RFC 9052 section 2)."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_ARGUMENT_LENGTHS = {24: 1, 25: 2, 26: 4, 27: 8}
_SMALLEST = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value under tag 18."""

    value: "Cbor"


Cbor: TypeAlias = Union[int, bytes, str, list["Cbor"], dict[int | str, "Cbor"], Tagged]  # noqa: UP007 - recursive


def encode_cbor(value: Cbor) -> bytes:
    """The deterministic encoding of `value`; raises `Malformed` for what the subset lacks."""
    return b"".join(_encode(value, 1))


def parse_cbor(data: bytes) -> Cbor:
    """The value whose deterministic encoding `data` is; raises `Malformed` otherwise."""
    reader = _Reader(data)
    value = reader.value(1)
    if reader.offset != len(data):
        raise Malformed(f"{len(data) - reader.offset} bytes after the end of the CBOR value")
    return value


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    for additional, length in _ARGUMENT_LENGTHS.items():
        if argument < 1 << (8 * length):
            return bytes([major << 5 | additional]) + argument.to_bytes(length, "big")
    raise Malformed("integer or length beyond 64 bits")


def _encode(value: Cbor, depth: int) -> list[bytes]:
    if depth > DEPTH_MAX:
        raise Malformed(f"nesting deeper than {DEPTH_MAX}")
    if isinstance(value, bool):
        raise Malformed("CBOR simple values are not part of the subset")
    if isinstance(value, int):
        return [_head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)]
    if isinstance(value, bytes):
        return [_head(_BYTES, len(value)), value]
    if isinstance(value, str):
        return _encode_text(value)
    if isinstance(value, Tagged):
        return [_head(_TAG, COSE_SIGN1), *_encode(value.value, depth + 1)]
    if isinstance(value, dict):
        return _encode_map(value, depth)
    if isinstance(value, list | tuple):
        parts = [_head(_ARRAY, len(value))]
        for member in value:
            parts += _encode(member, depth + 1)
        return parts
    raise Malformed(f"a {type(value).__name__} cannot be encoded")


def _encode_text(value: str) -> list[bytes]:
    try:
        text = value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a string holds half of a surrogate pair") from error
    return [_head(_TEXT, len(text)), text]


def _encode_map(value: dict[int | str, Cbor], depth: int) -> list[bytes]:
    if not all(isinstance(key, int | str) for key in value):
        raise Malformed("CBOR map keys must be integers or text")
    members = sorted(((b"".join(_encode(key, depth + 1)), member) for key, member in value.items()), key=_first)
    parts = [_head(_MAP, len(members))]
    for key, member in members:
        parts += [key, *_encode(member, depth + 1)]
    return parts


def _first(member: tuple[bytes, Cbor]) -> bytes:
    return member[0]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, length: int) -> bytes:
        end = self.offset + length
        if end > len(self.data):
            raise Malformed(f"CBOR ends at byte {len(self.data)}, {end} are needed")
        taken = self.data[self.offset : end]
        self.offset = end
        return taken

    def head(self) -> tuple[int, int]:
        first = self.take(1)[0]
        major, additional = first >> 5, first & 31
        if additional < 24:
            return major, additional
        length = _ARGUMENT_LENGTHS.get(additional)
        if length is None or major > _TAG:
            raise Malformed(f"CBOR head 0x{first:02x} at byte {self.offset - 1} is not part of the subset")
        argument = int.from_bytes(self.take(length), "big")
        if argument < _SMALLEST[length]:
            raise Malformed(f"CBOR head before byte {self.offset} is not the shortest")
        return major, argument

    def value(self, depth: int) -> Cbor:
        if depth > DEPTH_MAX:
            raise Malformed(f"nesting deeper than {DEPTH_MAX}")
        major, argument = self.head()
        if major == _UNSIGNED:
            return argument
        if major == _NEGATIVE:
            return -1 - argument
        if major == _BYTES:
            return self.take(argument)
        if major == _TEXT:
            return self.text(argument)
        if major == _ARRAY:
            return self.array(argument, depth)
        if major == _MAP:
            return self.map(argument, depth)
        if major == _TAG and argument == COSE_SIGN1:
            return Tagged(self.value(depth + 1))
        raise Malformed(f"CBOR major type {major} with argument {argument} is not part of the subset")

    def text(self, length: int) -> str:
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed("a CBOR text string is not UTF-8") from error

    def array(self, length: int, depth: int) -> list[Cbor]:
        self._bound(length)
        return [self.value(depth + 1) for _ in range(length)]

    def map(self, length: int, depth: int) -> dict[int | str, Cbor]:
        self._bound(length)
        members: dict[int | str, Cbor] = {}
        previous = b""
        for _ in range(length):
            start = self.offset
            key = self.value(depth + 1)
            encoded = self.data[start : self.offset]
            if not isinstance(key, int | str) or encoded <= previous:
                raise Malformed("CBOR map keys must be integers or text, each once, in order")
            previous = encoded
            members[key] = self.value(depth + 1)
        return members

    def _bound(self, length: int) -> None:
        if length > len(self.data) - self.offset:
            raise Malformed("a CBOR array or map announces more members than bytes remain")
