"""The little of protobuf that headers and commits need: whole numbers, byte strings and messages within messages.

A reader takes what is there and judges little: whoever parses writes the value back and compares, so that one
encoding alone is accepted, without unknown fields, defaults written out, or numbers longer than they need be.
"""

from dataclasses import dataclass

from cellvow.core.primitives.errors import Malformed

_WHOLE, _FIXED, _BYTES = 0, 1, 2
_VARINT_BYTES_MAX = 10
_UNSIGNED = 1 << 64


def varint(value: int) -> bytes:
    """A whole number, seven bits a byte, lowest first; a negative one as its two's complement of 64 bits."""
    rest, digits = value % _UNSIGNED, bytearray()
    while rest > 0x7F:
        digits.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*digits, rest])


def whole_field(number: int, value: int) -> bytes:
    """A whole number under its field number; 0 is left out."""
    return varint(number << 3 | _WHOLE) + varint(value) if value else b""


def fixed_field(number: int, value: int) -> bytes:
    """A whole number of eight bytes under its field number; 0 is left out."""
    return varint(number << 3 | _FIXED) + value.to_bytes(8, "little", signed=True) if value else b""


def bytes_field(number: int, content: bytes) -> bytes:
    """A byte string under its field number; an empty one is left out."""
    return message_field(number, content) if content else b""


def message_field(number: int, content: bytes) -> bytes:
    """A message within a message: written though it be empty."""
    return varint(number << 3 | _BYTES) + varint(len(content)) + content


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a message as they came; what is asked for and not there has its default."""

    what: str
    members: tuple[tuple[int, int | bytes], ...]

    def whole(self, number: int) -> int:
        """A whole number, by default 0."""
        found = self._last(number, 0)
        if not isinstance(found, int):
            raise Malformed(f"field {number} of {self.what} is no number")
        return found

    def content(self, number: int) -> bytes:
        """A byte string, by default empty."""
        found = self._last(number, b"")
        if not isinstance(found, bytes):
            raise Malformed(f"field {number} of {self.what} is no byte string")
        return found

    def text(self, number: int) -> str:
        """ASCII text, by default empty."""
        try:
            return self.content(number).decode("ascii")
        except UnicodeDecodeError as error:
            raise Malformed(f"field {number} of {self.what} is not ASCII") from error

    def message(self, number: int) -> "Fields":
        """A message within this one, by default without fields."""
        return parse_fields(self.content(number), self.what)

    def messages(self, number: int) -> "tuple[Fields, ...]":
        """All messages under one number, in order."""
        found = (value for at, value in self.members if at == number)
        return tuple(parse_fields(value, self.what) for value in found if isinstance(value, bytes))

    def _last(self, number: int, default: int | bytes) -> int | bytes:
        return next((value for at, value in reversed(self.members) if at == number), default)


def parse_fields(data: bytes, what: str) -> Fields:
    """The fields of a message; `what` is the subject of the sentence if it is refused with `Malformed`."""
    members: list[tuple[int, int | bytes]] = []
    offset = 0
    while offset < len(data):
        tag, offset = _varint(data, offset, what)
        kind, number = tag & 7, tag >> 3
        if kind not in (_WHOLE, _BYTES):
            raise Malformed(f"field {number} of {what} is neither a number nor a byte string")
        value, offset = _varint(data, offset, what)
        if kind == _WHOLE:
            members.append((number, value if value < _UNSIGNED >> 1 else value - _UNSIGNED))
            continue
        if value > len(data) - offset:
            raise Malformed(f"{what} ends within its field {number}")
        members.append((number, data[offset : offset + value]))
        offset += value
    return Fields(what, tuple(members))


def _varint(data: bytes, offset: int, what: str) -> tuple[int, int]:
    value = 0
    for place in range(_VARINT_BYTES_MAX):
        if offset + place >= len(data):
            raise Malformed(f"{what} ends within a number")
        byte = data[offset + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value % _UNSIGNED, offset + place + 1
    raise Malformed(f"a number in {what} is longer than 64 bits")
