"""The file of an export package has one form: bombs, wandering names, twins and everything else a ZIP can say fail."""

from __future__ import annotations

import io
import struct
import zipfile
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.workspace.export_archive import (
    MEMBER_BYTES_MAX,
    MEMBERS_MAX,
    PACKAGE_BYTES_MAX,
    encode_archive,
    parse_archive,
)

MEMBERS = {"README.txt": b"read me", "certificate.cvb": b"\x00proof", "index.json": b"{}"}
GOLDEN = "e68a709e56ed9d31e73061bf7f78fcc232eba61f62aa4f74536084630e189f32"
NAMES = st.builds(
    "{}.{}".format, st.text("abcXYZ019_", min_size=1, max_size=8), st.sampled_from(("cvb", "html", "json", "txt"))
)


def zipped(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, mode: int = 0o100644, comment: bytes = b""
) -> bytes:
    """An archive as any tool might write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = method, mode << 16, 3
            archive.writestr(entry, content)
        archive.comment = comment
    return buffer.getvalue()


@given(st.dictionaries(NAMES, st.binary(max_size=200), min_size=1, max_size=MEMBERS_MAX))
def test_what_was_packed_comes_out_and_packs_to_the_same_bytes(members: dict[str, bytes]) -> None:
    """Whatever order they came in."""
    data = encode_archive(members)

    assert members == parse_archive(data)
    assert data == encode_archive(dict(reversed(members.items())))


def test_the_form_is_the_same_in_every_version() -> None:
    """The bytes are pinned: a package made today is compared with one derived by a later Python."""
    assert GOLDEN == sha256(encode_archive(MEMBERS)).hexdigest()


def test_the_control_archive_is_the_one_form() -> None:
    """What the attacks below start from is accepted, so that it is the attack which is refused."""
    assert encode_archive(MEMBERS) == zipped(MEMBERS)
    assert MEMBERS == parse_archive(zipped(MEMBERS))


@given(st.data())
def test_no_byte_can_be_changed_added_or_taken(data: st.DataObject) -> None:
    """Contents are under a checksum here, under signatures in the package; everything else is fixed."""
    sound = encode_archive(MEMBERS)
    place = data.draw(st.integers(0, len(sound) - 1))
    flipped = sound[:place] + bytes([sound[place] ^ data.draw(st.integers(1, 255))]) + sound[place + 1 :]

    for spoiled in (flipped, sound[:place], sound[:place] + sound[place + 1 :], sound + b"\x00", b"\x00" + sound):
        with pytest.raises(Malformed):
            parse_archive(spoiled)


def test_a_bomb_is_refused_without_being_inflated() -> None:
    """Two million zeros in two thousand bytes: a compressed member is refused by its header (threat 15)."""
    bomb = zipped({"index.json": bytes(MEMBER_BYTES_MAX)}, zipfile.ZIP_DEFLATED)

    assert len(bomb) < MEMBER_BYTES_MAX // 500
    with pytest.raises(Malformed, match="compressed"):
        parse_archive(bomb)


@pytest.mark.parametrize(
    "name",
    [
        "../index.json",
        "/etc/passwd.txt",
        "..\\index.json",
        "C:\\index.json",
        "papers/index.json",
        "index\x00.json",
        "index.json/",
        "index.exe",
        ".json",
        "a" * 300 + ".json",
        "\u202etxt.json",
        "index.json\n",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """Paths, NUL, absolute names, 300 characters, letters that turn the text (threat 16)."""
    raw = zipped({"xx.json": b"{}"}).replace(b"xx.json", name.encode())
    length = struct.pack("<H", len(name.encode()))
    raw = raw[:26] + length + raw[28:]

    with pytest.raises(Malformed):
        parse_archive(raw)
    with pytest.raises(Malformed):
        encode_archive({name: b"{}"})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused() -> None:
    """Two readers could each take another one."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for content in (b"{}", b"[]"):
            archive.writestr(zipfile.ZipInfo("index.json", (1980, 1, 1, 0, 0, 0)), content)

    with pytest.raises(Malformed, match="twice"):
        parse_archive(buffer.getvalue())


@pytest.mark.parametrize(
    "spoiled",
    [
        zipped(MEMBERS, mode=0o120777),
        zipped(MEMBERS, comment=b"trust me"),
        zipped(dict(reversed(MEMBERS.items()))),
        b"#!/bin/sh\n" + zipped(MEMBERS),
        zipped({}),
        b"",
        b"PK",
        b"PK\x03\x04" + b"\xff" * 26,
    ],
    ids=["symlink", "comment", "order", "prefix", "empty", "nothing", "stub", "huge"],
)
def test_what_else_a_zip_can_say_is_refused(spoiled: bytes) -> None:
    """Links, comments, another order, something in front."""
    with pytest.raises(Malformed):
        parse_archive(spoiled)


def test_a_size_that_is_not_there_is_refused_before_anything_is_read() -> None:
    """A header that promises more than the file holds, or more than a member may have."""
    sound = encode_archive({"index.json": b"{}"})
    for size in (3, 1_000, MEMBER_BYTES_MAX + 1, 0xFFFFFFFF):
        packed = struct.pack("<II", size, size)
        with pytest.raises(Malformed):
            parse_archive(sound[:18] + packed + sound[26:])


def test_members_are_bounded_in_number_and_size_and_so_is_the_whole() -> None:
    """Each bound at it and one past it."""
    names = [f"m{number:02}.cvb" for number in range(MEMBERS_MAX + 1)]
    assert MEMBERS_MAX == len(parse_archive(encode_archive(dict.fromkeys(names[:-1], b""))))
    with pytest.raises(Malformed):
        encode_archive(dict.fromkeys(names, b""))
    with pytest.raises(Malformed, match="more than"):
        parse_archive(zipped(dict.fromkeys(names, b"")))
    largest = bytes(MEMBER_BYTES_MAX)
    assert {"index.json": largest} == parse_archive(encode_archive({"index.json": largest}))
    with pytest.raises(Malformed):
        encode_archive({"index.json": largest + b"\x00"})
    with pytest.raises(Malformed):
        encode_archive(dict.fromkeys(names[:9], largest))
    with pytest.raises(Malformed, match=str(PACKAGE_BYTES_MAX)):
        parse_archive(bytes(PACKAGE_BYTES_MAX + 1))
