"""The one canonical form of documents: restricted JSON, byte for byte equal to RFC 8785 (JCS).

UTF-8, sorted ASCII keys, no white space, integers with |n| < 2^53, no floats, no duplicate keys,
depth at most 16. Example: `{"battery":"01/04012345123456/21/LEAF-0001","mass_g":3790}`.
"""

import json
from typing import Never, TypeAlias, Union

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import DEPTH_MAX, INTEGER_MAX, MESSAGE_BYTES_MAX

Json: TypeAlias = Union[bool, int, str, list["Json"], dict[str, "Json"], None]  # noqa: UP007 - recursive

_DIGITS_MAX = 17  # a sign and the 16 digits of 2^53: keeps int() off million-digit input


def encode_document(value: Json) -> bytes:
    """Canonical bytes of `value`; raises `Malformed` for what the profile cannot express."""
    _check(value, 1)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Malformed("a string holds half of a surrogate pair") from error


def parse_document(data: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> Json:
    """The value of canonical bytes; raises `Malformed` for every other spelling of it."""
    if len(data) > bytes_max:
        raise Malformed(f"document of {len(data)} bytes: at most {bytes_max} are allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"not UTF-8 at byte {error.start}") from error
    try:
        value: Json = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_refuse_number,
            parse_int=_integer,
            parse_constant=_refuse_number,
        )
    except (json.JSONDecodeError, RecursionError) as error:
        raise Malformed(f"not JSON: {_first_line(error)}") from error
    if encode_document(value) != data:
        raise Malformed("not in canonical form: sort the keys, drop white space, use the shortest spelling")
    return value


def parse_object(data: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX) -> dict[str, Json]:
    """Like `parse_document`, for a document that must be an object."""
    value = parse_document(data, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise Malformed("the document is not an object")
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a key occurs twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise Malformed(f"integer of {len(digits)} characters: |n| < 2^53 is required")
    return int(digits)


def _refuse_number(text: str) -> Never:
    raise Malformed(f"{text[:24]!r} is not an integer: scale the value and give its unit")


def _check(value: object, depth: int) -> None:
    if isinstance(value, str | bool | None):
        return
    if isinstance(value, int):
        if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise Malformed(f"integer {value} is out of range: |n| < 2^53 is required")
        return
    if depth > DEPTH_MAX:
        raise Malformed(f"nesting deeper than {DEPTH_MAX}")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or not key.isascii():
                raise Malformed(f"key {key!r} is not ASCII text")
        _check_all(list(value.values()), depth + 1)
    elif isinstance(value, list | tuple):
        _check_all(value, depth + 1)
    else:
        raise Malformed(f"a {type(value).__name__} cannot be part of a document")


def _check_all(values: list[object] | tuple[object, ...], depth: int) -> None:
    for value in values:
        _check(value, depth)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
