"""Forms with a file arrive as a stream: cut anywhere they give the same; malformed, they leave nothing."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cellvow.api.desk_upload import FIELD_BYTES_MAX, FIELDS_MAX, HEADER_BYTES_MAX, receive_file
from cellvow.api.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from starlette.types import Message

BOUNDARY = b"----boundary"


@dataclass
class Sink:
    """Keeps what it is given, or only counts it."""

    keeps: bool = True
    content: bytearray = field(default_factory=bytearray)
    length: int = 0
    is_discarded: bool = False

    def write(self, piece: bytes) -> None:
        """Append."""
        self.length += len(piece)
        if self.keeps:
            self.content += piece

    def discard(self) -> None:
        """Forget."""
        self.is_discarded = True


def form(*parts: bytes) -> bytes:
    """A whole form."""
    return b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"


def text(name: str, value: bytes) -> bytes:
    """A part that is a field."""
    return b'Content-Disposition: form-data; name="' + name.encode() + b'"\r\n\r\n' + value


def file(content: bytes, name: bytes = b"cell.csv", field_name: bytes = b"file") -> bytes:
    """A part that is a file; its type is a lie."""
    head = b'Content-Disposition: form-data; name="' + field_name + b'"; filename="' + name + b'"\r\n'
    return head + b"Content-Type: image/png\r\n\r\n" + content


def receive(pieces: Iterable[bytes], sink: Sink, *, is_cut: bool = False) -> tuple[Mapping[str, str], str]:
    """The fields of a form sent in these pieces, and the name its file had when the sink was opened."""
    names: list[str] = []

    def messages() -> Iterator[Message]:
        for piece in pieces:
            yield {"type": "http.request", "body": piece, "more_body": True}
        yield {"type": "http.disconnect"} if is_cut else {"type": "http.request", "body": b"", "more_body": False}

    sent = messages()

    async def ask() -> Message:
        return next(sent)

    def open_sink(fields: Mapping[str, str], name: str) -> Sink:
        names.append(name)
        assert "form" in fields
        return sink

    content_type = b"multipart/form-data; boundary=" + BOUNDARY
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-type", content_type)]}
    received = asyncio.run(receive_file(Request(scope, ask), open_sink))
    return received.fields, names[0] if names else ""


@given(content=st.binary(max_size=300), cut=st.integers(1, 40))
def test_a_form_cut_anywhere_gives_the_same(content: bytes, cut: int) -> None:
    """Every byte of the file and of the fields arrives once, in order."""
    body = form(text("form", b"token"), text("battery", b"x"), file(content))
    sink = Sink()
    fields, name = receive([body[place : place + cut] for place in range(0, len(body), cut)], sink)

    assert {"form": "token", "battery": "x"} == fields
    assert ("cell.csv", content) == (name, bytes(sink.content))
    assert not sink.is_discarded


@pytest.mark.parametrize(
    "body",
    [
        b"no form at all",
        form(text("form", b"t"), file(b"x"))[:-6],
        form(text("form", b"t"), file(b"x"), file(b"y")),
        form(text("form", b"t"), file(b"x", field_name=b"other")),
        form(text("form", b"t"), text("a", b"x" * (FIELD_BYTES_MAX + 1)), file(b"x")),
        form(*(text(f"f{number}", b"x") for number in range(FIELDS_MAX + 1))),
        form(text("form", b"t"), file(b"x", b"n" * (HEADER_BYTES_MAX + 1))),
    ],
    ids=["no form", "no end", "two files", "wrong field", "long field", "many fields", "long header"],
)
def test_threat_a_form_that_no_browser_sends(body: bytes) -> None:
    """It is refused as the client's fault, and what was written is discarded."""
    sink = Sink()

    with pytest.raises(Refusal) as caught:
        receive([body], sink)
    assert 400 == caught.value.problem.status
    assert sink.is_discarded or not sink.length


def test_threat_the_client_hangs_up_in_the_middle() -> None:
    """Half a file is discarded."""
    sink = Sink()

    with pytest.raises(Refusal):
        receive([form(text("form", b"t"), file(b"x" * 100))[:260]], sink, is_cut=True)
    assert sink.is_discarded


@pytest.mark.slow
def test_a_megabyte_at_most_of_a_large_file_is_in_memory() -> None:
    """A hundred megabytes pass; what is held beside the piece that arrives stays within a few."""
    piece = b"1,2,3,4\n" * 16_384
    head, tail = form(text("form", b"t"), file(b"")).rsplit(b"\r\n--", 1)
    sink = Sink(keeps=False)
    tracemalloc.start()
    receive((one for part in ([head], [piece] * 800, [b"\r\n--" + tail]) for one in part), sink)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(piece) * 800 == sink.length
    assert peak < 8_000_000
