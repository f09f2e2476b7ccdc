"""The file of an export package: a ZIP in exactly one form, so that whatever else a ZIP can say is refused.

Members lie stored, in the order of their names, each name once, at one fixed date. Nothing is ever inflated or written
where a name says: what a file holds is never larger than the file, and a name is one word.
"""

import io
import re
import struct
import zipfile
from collections.abc import Mapping

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX

MEDIA_TYPE = "application/vnd.cellvow.export.v1+zip"
"""A type of its own, so that no desktop unpacks it unasked, and `+zip` (RFC 6839), since any tool for archives may."""
SUFFIX = ".cvx"
MEMBERS_MAX = 16
"""Members of one package."""
MEMBER_BYTES_MAX = BUNDLE_BYTES_MAX
"""One member: the largest is a bundle."""
PACKAGE_BYTES_MAX = 16_000_000
"""The whole file, read no further than this."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,40}\.(?:cvb|html|json|txt)")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MODE = 0o100644 << 16
_LOCAL = struct.Struct("<4s5H3I2H")
_LOCAL_MARK, _CENTRAL_MARK = b"PK\x03\x04", b"PK\x01\x02"


def encode_archive(members: Mapping[str, bytes]) -> bytes:
    """The one file with these members; the same members give the same bytes. Raises `Malformed` past a bound."""
    _require(0 < len(members) <= MEMBERS_MAX, f"{len(members)} members: 1 to {MEMBERS_MAX} are allowed")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            _check_member(name, len(content))
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr, entry.create_system = _MODE, 3
            archive.writestr(entry, content)
    data = buffer.getvalue()
    _require(len(data) <= PACKAGE_BYTES_MAX, _too_large(len(data)))
    return data


def parse_archive(data: bytes) -> dict[str, bytes]:
    """The members of a file, in order; raises `Malformed` for any byte that the one form does not have."""
    _require(len(data) <= PACKAGE_BYTES_MAX, _too_large(len(data)))
    members: dict[str, bytes] = {}
    place = 0
    while data[place : place + 4] == _LOCAL_MARK:
        _require(len(members) < MEMBERS_MAX, f"more than {MEMBERS_MAX} members")
        name, start, size = _parse_local(data, place)
        _require(name not in members, f"{name} is there twice")
        place = start + size
        _require(place <= len(data), f"{name} is cut off")
        members[name] = data[start:place]
    _require(bool(members) and data[place : place + 4] == _CENTRAL_MARK, "this is no export package")
    _require(encode_archive(members) == data, "the archive is not in its one form")
    return members


def _parse_local(data: bytes, place: int) -> tuple[str, int, int]:
    """The name of the member at `place`, where its content begins, and how long that is."""
    header = data[place : place + _LOCAL.size]
    _require(len(header) == _LOCAL.size, "the archive is cut off")
    _, _, _, method, _, _, _, packed, size, name_length, extra_length = _LOCAL.unpack(header)
    start = place + _LOCAL.size + name_length
    raw = data[place + _LOCAL.size : start]
    try:
        name = raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise Malformed("an export package: the name of a member is not ASCII") from error
    _check_member(name, size)
    _require(method == zipfile.ZIP_STORED and packed == size, f"{name} is compressed: members lie as they are")
    _require(extra_length == 0, f"{name} says more than a member may")
    return name, start, size


def _check_member(name: str, size: int) -> None:
    _require(_NAME.fullmatch(name) is not None, f"{name[:60]!r} is not the name of a member")
    _require(size <= MEMBER_BYTES_MAX, f"{name} has {size} bytes: at most {MEMBER_BYTES_MAX} are allowed")


def _too_large(size: int) -> str:
    return f"{size} bytes: at most {PACKAGE_BYTES_MAX} are allowed"


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise Malformed(f"an export package: {reason}")
