"""The one canonical form of documents: restricted JSON, byte for byte equal to RFC 8785 (JCS).

UTF-8, sorted ASCII keys, no white space, integers with |n| < 2^53, no floats, no duplicate keys,
depth at most 16. Example: `{"battery":"01/04012345123456/21/LEAF-0001","mass_g":3790}`.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Never, TypeAlias, Union

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import DEPTH_MAX, INTEGER_MAX, MESSAGE_BYTES_MAX

Json: TypeAlias = Union[bool, int, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_DIGITS_MAX = 17  # a sign and the 16 digits of 2^53: keeps int() off million-digit input


def encode_document(value: Json) -> bytes:
    """Canonical bytes of `value`; raises `Malformed` for what the profile cannot express."""
    _check(value, 1)
    return _encode(value)


def parse_document(data: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> Json:
    """The value of canonical bytes; raises `Malformed` for every other spelling of it."""
    if len(data) > bytes_max:
        raise Malformed(f"document of {len(data)} bytes: at most {bytes_max} are allowed")
    read, _ = _short_ways()
    plain = None if read is None else read(data)
    return parse_any_document(data) if plain is None else plain


def parse_any_document(data: bytes) -> Json:
    """The value of canonical bytes by the standard library alone, which also explains what is wrong with others."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from error
    try:
        value: Json = _DECODER.decode(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON: {_first_line(error)}") from error
    # What was parsed has only members of the profile; with few brackets it cannot be too deep either.
    if text.count("{") + text.count("[") >= DEPTH_MAX:
        _check(value, 1)
    if _encode(value) != data:
        raise Malformed("not in canonical form: sort the keys, drop white space, use the shortest spelling")
    return value


def parse_object(data: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> dict[str, Json]:
    """Like `parse_document`, for a document that must be an object."""
    value = parse_document(data, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise Malformed("the document is not an object")
    return value


def _encode(value: Json) -> bytes:
    _, write = _short_ways()
    if write is not None:
        try:
            return write(value)
        except (TypeError, ValueError):  # half of a surrogate pair, or a kind of text of somebody's own
            pass
    return write_any(value)


def write_any(value: Json) -> bytes:
    """The canonical bytes of a value of the profile, by the standard library alone."""
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a string holds half of a surrogate pair") from error


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a key occurs twice in one object")
    for key in members:
        _check_key(key)
    return members


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise Malformed(f"integer of {len(digits)} characters: |n| < 2^53 is required")
    value = int(digits)
    _check_integer(value)
    return value


def _refuse_number(text: str) -> Never:
    raise Malformed(f"{text[:24]!r} is not an integer: scale the value and give its unit")


def _check(value: object, depth: int) -> None:
    if isinstance(value, str | bool | None):
        return
    if isinstance(value, int):
        _check_integer(value)
        return
    if depth > DEPTH_MAX:
        raise Malformed(f"nesting deeper than {DEPTH_MAX}")
    if isinstance(value, dict):
        for key in value:
            _check_key(key)
    elif not isinstance(value, list | tuple):
        raise Malformed(f"a {type(value).__name__} cannot be part of a document")
    for member in value.values() if isinstance(value, dict) else value:
        if type(member) is not str:
            _check(member, depth + 1)


def _check_key(key: object) -> None:
    if not isinstance(key, str) or not key.isascii():
        raise Malformed(f"key {key!r} is not ASCII text")


def _check_integer(value: int) -> None:
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise Malformed(f"integer {value} is out of range: |n| < 2^53 is required")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_refuse_number, parse_int=_integer, parse_constant=_refuse_number
)


_PLAIN_DEPTH = 5


@cache  # made when it is first asked for: a command's help needs no library
def _short_ways() -> tuple[Callable[[bytes], Json] | None, Callable[[Json], bytes] | None]:
    """A reader and a writer of the same bytes through msgspec; None for each where it is not installed.

    The reader takes ASCII without escapes, in which every value has one spelling, of a depth of at most
    `_PLAIN_DEPTH`; it gives None for what it leaves to `parse_any_document`, and for `null`.
    """
    try:
        import msgspec
    except ImportError:  # the offline verifier carries no library: it takes the long ways
        return None, None
    integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]
    kind: Any = Union[bool, integer, str, None]  # noqa: UP007 - built up below
    for _ in range(_PLAIN_DEPTH):
        kind = Union[bool, integer, str, None, list[kind], dict[str, kind]]  # noqa: UP007 - of a kind known at run time
    decode, encode = msgspec.json.Decoder(kind).decode, msgspec.json.Encoder(order="sorted").encode

    def read(data: bytes) -> Json:
        if not data.isascii() or b"\\" in data:
            return None
        try:
            value: Json = decode(data)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None
        return value if encode(value) == data else None

    return read, encode
