"""What somebody at the desk is about to sign, between the form and the second click: in memory, bounded, his own.

A draft is of one session, and of one hour. What is lost with the process was never signed: one fills in the form again.
"""

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from cellvow.core.contracts.contract import Committed, Message
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import EVIDENCE_MAX

DRAFTS_MAX = 64
DRAFT_MS = 3_600_000
DOCUMENT_BYTES_MAX = 4_000_000
"""One document that a position rests on; longer ones are named by the command line, which keeps them where they are."""
DRAFT_BYTES_MAX = 64_000_000
"""All documents of all drafts."""
OPEN, DONE, HELD, CLAIMED, REJECTED, UNKNOWN = "open", "done", "held", "claimed", "rejected", "unknown"
STATES = (OPEN, DONE, HELD, CLAIMED, REJECTED, UNKNOWN)
"""Not signed yet; or what became of it. Unknown: it was sent, and no answer came."""
UNSEALED = Committed(commitment="00" * 32)
"""Stands for a commitment until the draft is signed: only then does its text go into the vault."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A document that goes with a draft."""

    name: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Its digest, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What a form comes to: messages, with `UNSEALED` where commitments to `text` and documents will stand.

    `place` and `name` say where it is dealt with: a dispute, a unit, a statement that waits, or the offers.
    """

    act: str
    messages: tuple[Message, ...]
    place: str
    name: str = ""
    text: str | None = None
    takes_documents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is composed, with its documents, and what became of it: its statement, or the broken rule and its code."""

    number: str
    owner: str = field(repr=False)
    made_ms: int
    composed: Composed
    documents: tuple[Attached, ...] = ()
    state: str = OPEN
    statement: str = ""
    rule: str = ""
    code: int = 0

    @property
    def messages(self) -> tuple[Message, ...]:
        """What would be signed, with a place for each document's commitment."""
        if not self.documents:
            return self.composed.messages
        sealed = (UNSEALED,) * len(self.documents)
        return tuple(replace_fields(one, evidence=sealed) for one in self.composed.messages)

    @property
    def size(self) -> int:
        """Bytes of its documents."""
        return sum(len(one.content) for one in self.documents)


class Drafts:
    """The drafts of all sessions; shared by threads."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds."""
        self._clock = clock
        self._guard = threading.Lock()
        self._drafts: dict[str, Draft] = {}

    def add(self, owner: str, composed: Composed, documents: tuple[Attached, ...] = ()) -> Draft:
        """A new draft of a session; the oldest make room for it."""
        draft = Draft(
            number=secrets.token_hex(16),
            owner=owner,
            made_ms=self._clock(),
            composed=composed,
            documents=_checked(composed, documents),
        )
        with self._guard:
            self._drafts[draft.number] = draft
            self._make_room(draft.number)
        return draft

    def find(self, owner: str, number: str) -> Draft | None:
        """A draft of this session, while it lasts; another's is none."""
        with self._guard:
            draft = self._drafts.get(number)
            if draft is None or draft.owner != owner or self._clock() - draft.made_ms > DRAFT_MS:
                return None
            return draft

    def attach(self, draft: Draft, document: Attached) -> None:
        """One more document; raises `Malformed` where it takes none, or too many."""
        self.put(replace(draft, documents=_checked(draft.composed, (*draft.documents, document))))

    def put(self, draft: Draft) -> None:
        """The draft as it stands now; what was forgotten meanwhile is not brought back."""
        with self._guard:
            if draft.number in self._drafts:
                self._drafts[draft.number] = draft
                self._make_room(draft.number)

    def forget(self, number: str) -> None:
        """Drop a draft."""
        with self._guard:
            self._drafts.pop(number, None)

    def _make_room(self, newest: str) -> None:
        size = sum(one.size for one in self._drafts.values())
        for number in [one for one in self._drafts if one != newest]:
            if len(self._drafts) <= DRAFTS_MAX and size <= DRAFT_BYTES_MAX:
                return
            size -= self._drafts.pop(number).size


def replace_fields(message: Message, **fields: object) -> Message:
    """The message with other values in some fields."""
    return msgspec.structs.replace(message, **fields)


def _checked(composed: Composed, documents: tuple[Attached, ...]) -> tuple[Attached, ...]:
    if documents and not composed.takes_documents:
        raise Malformed("no document goes with this")
    if len(documents) > EVIDENCE_MAX:
        raise Malformed(f"at most {EVIDENCE_MAX} documents go with it")
    for one in documents:
        if not 1 <= len(one.content) <= DOCUMENT_BYTES_MAX:
            raise Malformed(f"{one.name[:80]}: a document has 1 to {DOCUMENT_BYTES_MAX} bytes")
    return documents
