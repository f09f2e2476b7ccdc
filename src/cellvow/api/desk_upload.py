"""Forms as they arrive: small ones whole, those with a file as a stream that goes to the disk piece by piece."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from cellvow.api.problems import Refusal
from cellvow.web import Problem

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FORM_TYPE, FILE_TYPE = "application/x-www-form-urlencoded", "multipart/form-data"
FORM_BYTES_MAX = 16_000
"""A form without a file."""
FIELDS_MAX = 30
FIELD_BYTES_MAX = 20_000
FILE_FORM_BYTES_MAX = 64_000
"""What a form may hold beside its file, part headers included."""
HEADER_BYTES_MAX = 8_000
"""Headers of one part: a name of a file may be long, but not that long."""
FILE_FIELD = "file"
_PIECE_BYTES = 1_000_000

Fields = Mapping[str, str]


class FileSink(Protocol):
    """Where the file of a form goes. `write` blocks."""

    def write(self, piece: bytes) -> None:
        """Append."""
        ...

    def discard(self) -> None:
        """Delete what was written."""
        ...


OpenSink = Callable[[Fields, str], FileSink]
"""Called once, with the fields that stand before the file and the client's name for it; may raise `Refusal`."""


async def read_form(request: Request) -> Fields:
    """The fields of a form without a file; the guard bounds its length. Raises `Refusal`."""
    body = await request.body()
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=FIELDS_MAX,
            errors="strict",
            strict_parsing=True,
        )
    except ValueError as error:
        raise Refusal(Problem.BAD_REQUEST, detail="the form is not one that a browser sends") from error
    if any(len(value.encode("utf-8", "replace")) > FIELD_BYTES_MAX for _, value in pairs):
        raise Refusal(Problem.BAD_REQUEST, detail=f"a field has more than {FIELD_BYTES_MAX} bytes")
    return _joined(pairs)


def _joined(pairs: list[tuple[str, str]]) -> Fields:
    """One text for each name; what a form sends several times, like boxes that are ticked, stands behind commas."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    return fields


@dataclass(frozen=True, slots=True)
class Received:
    """A form with its file, if there was one."""

    fields: Fields
    sink: FileSink | None


async def receive_file(request: Request, open_sink: OpenSink) -> Received:
    """Read a form with one file. The sink is discarded where anything is wrong; memory holds a megabyte of it at most.

    Raises `Refusal`, or what the sink raises.
    """
    reader = _FormReader(request.headers.get("content-type", ""))
    sink: FileSink | None = None
    try:
        async for piece in request.stream():
            reader.feed(piece)
            if sink is None and reader.file_name is not None:
                sink = await run_in_threadpool(open_sink, dict(reader.fields), reader.file_name)
            if sink is not None and len(reader.content) >= _PIECE_BYTES:
                await run_in_threadpool(sink.write, reader.take())
        reader.finish()
        if sink is not None and reader.content:
            await run_in_threadpool(sink.write, reader.take())
    except BaseException as error:
        if sink is not None:
            sink.discard()
        if isinstance(error, ClientDisconnect):
            raise Refusal(Problem.BAD_REQUEST, detail="the connection ended before the file had come") from error
        raise
    return Received(dict(reader.fields), sink)


@dataclass
class _FormReader:
    """Collects fields, and the bytes of the file until they are taken."""

    content_type: str
    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    content: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        kind, options = parse_options_header(self.content_type)
        boundary = options.get(b"boundary", b"")
        if kind != FILE_TYPE.encode() or not 1 <= len(boundary) <= 200:
            raise _no_form("it names no boundary")
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._headers_length = 0
        self._beside = 0
        self._name = ""
        self._is_file, self._has_ended = False, False
        self._text = bytearray()
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_bytes,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _no_form("its parts are not where its boundary says") from error

    def take(self) -> bytes:
        taken = bytes(self.content)
        self.content.clear()
        return taken

    def finish(self) -> None:
        if not self._has_ended:
            raise _no_form("its end is missing")

    def _on_part_begin(self) -> None:
        self._disposition, self._headers_length, self._name, self._is_file = b"", 0, "", False
        self._text = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count_header(end - start)
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        self._is_file = file_name is not None
        if file_name is None:
            return
        if self.file_name is not None or self._name != FILE_FIELD:
            raise Refusal(Problem.BAD_REQUEST, detail="one file is taken at a time")
        self.file_name = file_name.decode("utf-8", "replace")

    def _on_part_bytes(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.content += data[start:end]
            return
        self._beside += end - start
        self._text += data[start:end]
        if len(self._text) > FIELD_BYTES_MAX or self._beside > FILE_FORM_BYTES_MAX:
            raise Refusal(Problem.BAD_REQUEST, detail=f"a field has more than {FIELD_BYTES_MAX} bytes")

    def _on_part_end(self) -> None:
        if self._is_file:
            return
        if len(self.fields) >= FIELDS_MAX:
            raise Refusal(Problem.BAD_REQUEST, detail=f"the form has more than {FIELDS_MAX} fields")
        self.fields[self._name] = self._text.decode("utf-8", "replace")

    def _on_end(self) -> None:
        self._has_ended = True

    def _count_header(self, length: int) -> None:
        self._headers_length += length
        if self._headers_length > HEADER_BYTES_MAX:
            raise Refusal(Problem.BAD_REQUEST, detail=f"a part has more than {HEADER_BYTES_MAX} bytes of headers")


def _no_form(reason: str) -> Refusal:
    return Refusal(Problem.BAD_REQUEST, detail=f"the form is not one that a browser sends: {reason}")
