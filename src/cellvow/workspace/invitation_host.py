"""The site behind an invitation's link, as a partner's program asks it: that host alone, bounded in size and time.

Nothing it says is followed anywhere else: no redirect, no address out of an answer.
"""

import http.client
import re
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Timer
from urllib.parse import urlsplit

import msgspec

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.engine import Receipted
from cellvow.vault import is_token
from cellvow.workspace.invitation_document import InvitationDocument
from cellvow.workspace.inviting import INVITATION_PATH

ANSWER_BYTES_MAX = 262_144
"""Of an invitation, or of what became of a statement."""
TIMEOUT_S = 30.0
STATEMENTS_PATH = "/api/v1/statements"
_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}\Z", re.ASCII)
_COSE = 'application/cose; cose-type="cose-sign1"'


class NotTaken(OperationalError):
    """The host refused a statement for good: sending it again would not help."""


@dataclass(frozen=True, slots=True)
class InvitationLink:
    """A link taken apart: the site, and the token, which is shown nowhere."""

    scheme: str
    host: str
    port: int | None
    token: str = field(repr=False)

    @property
    def site(self) -> str:
        """What may be shown of it."""
        return f"{self.scheme}://{self.host}" + ("" if self.port is None else f":{self.port}")


class _Recorded(msgspec.Struct, frozen=True):
    txid: str
    digest: str
    height: int
    time_ms: int
    leaf: int
    outcomes: list[msgspec.Raw]


def parse_link(text: str) -> InvitationLink:
    """The link of an invitation, `http(s)://HOST[:PORT]/invite/TOKEN`; raises `Malformed`, and does not repeat it."""
    problem = Malformed("this is no link of an invitation: http(s)://HOST/invite/ and 43 characters, as you were given")
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise problem from error
    token = parts.path.removeprefix(INVITATION_PATH)
    is_plain = not parts.query and not parts.fragment and "@" not in parts.netloc and _HOST.match(parts.netloc)
    is_whole = parts.path == f"{INVITATION_PATH}{token}" and is_token(token)
    if parts.scheme not in ("http", "https") or not host or not is_plain or not is_whole:
        raise problem
    return InvitationLink(parts.scheme, host, port, token)


class InvitationHost:
    """The site of one link. `timeout_s` bounds each step and the whole of every exchange."""

    def __init__(self, link: InvitationLink, timeout_s: float = TIMEOUT_S) -> None:
        self.link = link
        self._timeout_s = timeout_s

    def fetch(self) -> InvitationDocument:
        """The invitation; raises `OperationalError` where the host gives none, `Malformed` where it is none."""
        headers = {"Accept": "application/json"}
        status, body = self._exchange("GET", f"{INVITATION_PATH}{self.link.token}", None, headers)
        if status == http.client.NOT_FOUND:
            raise OperationalError(f"{self.link.site} honours no such link: ask who invited you for a new one")
        self._require_ok(status, "the invitation", body)
        try:
            return msgspec.json.decode(body, type=InvitationDocument)
        except msgspec.MsgspecError as error:
            raise Malformed(f"what {self.link.site} answers is no invitation: {error}") from error

    def submit(self, statement: bytes) -> Receipted:
        """Send a statement; what the host says became of it. Raises `NotTaken` where it is refused for good."""
        status, body = self._exchange("POST", STATEMENTS_PATH, statement, {"Content-Type": _COSE})
        if status in (http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED):
            raise OperationalError(
                f"{self.link.site} takes no statements now: ask who invited you to run `cellvow serve --accept`. "
                "What you signed is kept, and sent with the next try"
            )
        if status in (http.client.BAD_REQUEST, http.client.CONFLICT):
            raise NotTaken(f"{self.link.site} refuses the statement: {_detail(body)}")
        self._require_ok(status, "the statement", body)
        try:
            said = msgspec.json.decode(body, type=_Recorded)
            txid, digest = Digest(bytes.fromhex(said.txid)), Digest(bytes.fromhex(said.digest))
        except (msgspec.MsgspecError, ValueError) as error:
            raise Malformed(f"what {self.link.site} answers does not say what became of the statement") from error
        outcomes = tuple(bytes(one) for one in said.outcomes)
        return Receipted(txid, digest, said.height, said.time_ms, said.leaf, outcomes)

    def _require_ok(self, status: int, what: str, body: bytes) -> None:
        if 300 <= status < 400:
            raise OperationalError(f"{self.link.site} sends on to another address, which is not followed")
        if status != http.client.OK:
            raise OperationalError(f"{self.link.site} answers with status {status} about {what}: {_detail(body)}")

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self.link.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.link.host, self.link.port, timeout=self._timeout_s)
        is_late = Event()
        try:
            connection.connect()
            # A socket's own timeout starts again with every byte: a host could drip for ever.
            deadline = Timer(self._timeout_s, _hang_up, [connection.sock, is_late])
            deadline.daemon = True
            deadline.start()
            try:
                connection.request(method, path, body, {**headers, "Connection": "close"})
                with connection.getresponse() as answer:
                    content = answer.read(ANSWER_BYTES_MAX + 1)
                    status = answer.status
            finally:
                deadline.cancel()
                deadline.join()
        except (OSError, http.client.HTTPException) as error:
            reason = f"no answer within {self._timeout_s:g} s" if is_late.is_set() else str(error)
            raise OperationalError(f"{self.link.site} cannot be reached: {reason or type(error).__name__}") from error
        finally:
            connection.close()
        if is_late.is_set():
            raise OperationalError(f"{self.link.site} cannot be reached: no answer within {self._timeout_s:g} s")
        if len(content) > ANSWER_BYTES_MAX:
            raise OperationalError(f"the answer of {self.link.site} is longer than {ANSWER_BYTES_MAX} bytes")
        return status, content


def _detail(body: bytes) -> str:
    try:
        said = msgspec.json.decode(body, type=dict[str, object]).get("detail")
    except (msgspec.MsgspecError, RecursionError):
        said = None
    return str(said)[:400] if isinstance(said, str) else "it gives no reason"


def _hang_up(connected: socket.socket, is_late: Event) -> None:
    is_late.set()
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
