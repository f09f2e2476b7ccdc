"""Two clicks to every signature of the desk: composed, rehearsed and shown; then signed, once, if it is still that."""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.dispute import DecideDispute
from cellvow.core.contracts.organisation import find_organisation
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import OperationalError, ensure
from cellvow.core.primitives.identifier import ORGANISATION_PATTERN
from cellvow.node.engine import Backpressure
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.workspace.commands import submit_batch, submit_message
from cellvow.workspace.disputes import Opened, commit_all, open_own
from cellvow.workspace.drafts import (
    CLAIMED,
    DONE,
    HELD,
    OPEN,
    REJECTED,
    UNKNOWN,
    Attached,
    Draft,
    Drafts,
    replace_fields,
)
from cellvow.workspace.ledger_writer import Turn
from cellvow.workspace.orders import Asked, compose
from cellvow.workspace.rehearsal import Change, Rehearsal, rehearse
from cellvow.workspace.workspace import Workspace

DOCUMENT = "document"
"""What a vault files a document as."""
NAMES_MAX = 500


@dataclass(frozen=True, slots=True)
class Signer:
    """The key that the desk signs with: its name in the keystore and its identifier."""

    name: str
    kid: str


@dataclass(frozen=True, slots=True)
class ActSeen:
    """A draft with what would become of it now; `seen` stands for all of that, and the second click must bring it back.

    `names` are the organisations in it and what they are called, `opened` what its commitments are to.
    """

    draft: Draft
    rehearsal: Rehearsal | None
    seen: str
    signer: Signer
    organisation: str
    messages: tuple[dict[str, Json], ...]
    names: Mapping[str, str]
    opened: Opened


class Acts:
    """Composes, rehearses and signs what the forms of the desk order. Blocks; shared by threads."""

    def __init__(self, workspace: Workspace, turn: Turn, clock: Callable[[], int]) -> None:
        """`turn` opens the ledger for one act; `clock` gives milliseconds."""
        self._workspace = workspace
        self._turn = turn
        self._clock = clock
        self._drafts = Drafts(clock)
        self._one_at_a_time = threading.Lock()

    @property
    def signer(self) -> Signer:
        """The key the desk signs with."""
        return Signer(self._workspace.settings.key, self._workspace.key().kid.hex())

    def prepare(self, owner: str, act: str, fields: Mapping[str, str], documents: Sequence[Attached] = ()) -> str:
        """Compose what a form orders; the number of its draft. Signs nothing, keeps nothing outside memory.

        `owner` is the session. Raises `Malformed` naming the field, or `Rejected` where nothing can be composed.
        """
        with closing(self._workspace.home().open_reader()) as store:
            composed = compose(Asked(act, fields, self._workspace.organisation, store, self._clock()))
        return self._drafts.add(owner, composed, tuple(documents)).number

    def attach(self, owner: str, number: str, document: Attached) -> bool:
        """One more document to a draft that is not signed; whether there is one."""
        draft = self._drafts.find(owner, number)
        if draft is None or draft.state != OPEN:
            return False
        self._drafts.attach(draft, document)
        return True

    def forget(self, owner: str, number: str) -> None:
        """Drop a draft of this session."""
        if self._drafts.find(owner, number) is not None:
            self._drafts.forget(number)

    def look(self, owner: str, number: str) -> ActSeen | None:
        """A draft of this session with what would become of it now; None where there is none."""
        draft = self._drafts.find(owner, number)
        if draft is None:
            return None
        with closing(self._workspace.home().open_reader()) as store:
            rehearsal = self._rehearse(store, draft) if draft.state == OPEN else None
            documents = tuple(parse_object(encode_message(one)) for one in draft.messages)
            changes = () if rehearsal is None else rehearsal.changes
            own = self._workspace.organisation
            leaves = (own, *leaves_of(documents), *(word for one in changes for word in (one.before, one.after)))
            names = find_names(store, leaves)
        seen = "" if rehearsal is None else _fingerprint(draft, rehearsal, self.signer)
        opened = open_own(self._workspace, leaves_of(documents))
        return ActSeen(draft, rehearsal, seen, self.signer, own, documents, names, opened)

    def confirm(self, owner: str, number: str, seen: str) -> bool:
        """Sign a draft, once, if what would become of it is what was shown; whether it was signed, now or before.

        Its texts go into the vault first. What became of it stands in the draft.
        """
        with self._one_at_a_time:
            draft = self._drafts.find(owner, number)
            if draft is None or draft.state != OPEN:
                return draft is not None
            with self._turn() as session:
                with closing(self._workspace.home().open_reader()) as store:
                    rehearsal = self._rehearse(store, draft)
                if not rehearsal.is_sound or _fingerprint(draft, rehearsal, self.signer) != seen:
                    return False
                self._drafts.put(self._sign(session, draft))
            return True

    def _rehearse(self, store: LedgerStore, draft: Draft) -> Rehearsal:
        kid = self._workspace.key().kid
        return rehearse(store, self._workspace.organisation, kid, draft.messages, self._clock())

    def _sign(self, session: LedgerSession, draft: Draft) -> Draft:
        """Sign and submit; the draft with what became of it. Raises `Backpressure`, where nothing was taken."""
        messages = self._sealed(draft)
        try:
            if len(messages) == 1:
                receipted = submit_message(session, self._workspace, messages[0])
            else:
                receipted = submit_batch(session, self._workspace, messages)
        except KeptAsClaim as claim:
            kept = replace(draft.composed, place="dispute", name=f"{claim.opener}/{claim.reference}")
            return replace(draft, state=CLAIMED, composed=kept)
        except KeptForSecond as held:
            return replace(draft, state=HELD, statement=held.statement)
        except (Rejected, NotIncludable) as error:
            return replace(draft, state=REJECTED, rule=error.rule, code=int(error.reason))
        except Backpressure:
            raise
        except (OperationalError, TimeoutError):
            return replace(draft, state=UNKNOWN)
        return replace(draft, state=DONE, statement=receipted.digest.hex())

    def _sealed(self, draft: Draft) -> tuple[Message, ...]:
        """The messages with real commitments: texts, names and digests into the vault, and the documents with them."""
        text, vault = draft.composed.text, self._workspace.vault
        said: list[dict[str, Json]] = [] if text is None else [{"kind": "position", "text": text}]
        if not said and not draft.documents:
            return draft.messages
        for one in draft.documents:
            record = str(vault.put_record(DOCUMENT, one.content))
            said.append({"kind": "document", "name": one.name, "record": record, "sha256": one.sha256})
        sealed = commit_all(self._workspace, said)
        ensure(len(draft.messages) == 1, "one message alone states a text")
        (message,) = draft.messages
        fields: dict[str, object] = (
            {"evidence": sealed[len(sealed) - len(draft.documents) :]} if draft.documents else {}
        )
        if text is not None:
            fields["grounds" if isinstance(message, DecideDispute) else "text"] = sealed[0]
        return (replace_fields(message, **fields),)


def find_names(store: LedgerStore, words: Sequence[str]) -> dict[str, str]:
    """Of the words that name a member of the ledger, what it is called."""
    names: dict[str, str] = {}
    for word in dict.fromkeys(words):
        if len(names) < NAMES_MAX and re.match(ORGANISATION_PATTERN, word):
            known = find_organisation(store.get, word)
            if known is not None:
                names[word] = known.name
    return names


def leaves_of(value: object) -> tuple[str, ...]:
    """Every text in a document."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Mapping):
        return tuple(leaf for one in value.values() for leaf in leaves_of(one))
    if isinstance(value, Sequence):
        return tuple(leaf for one in value for leaf in leaves_of(one))
    return ()


def _fingerprint(draft: Draft, rehearsal: Rehearsal, signer: Signer) -> str:
    """A digest of all that a reader of the dry run has seen: what is signed, by which key, what comes of it."""
    outcomes: list[Json] = [
        {
            "code": 0 if one.reason is None else int(one.reason),
            "kept": "held" if one.is_held else "contested" if one.is_contested else "",
            "recorded": [str(event["type"]) for event in one.events],
        }
        for one in rehearsal.outcomes
    ]
    document: dict[str, Json] = {
        "changes": [_change_document(one) for one in rehearsal.changes],
        "documents": [[one.name, one.sha256] for one in draft.documents],
        "messages": [encode_message(one).decode() for one in draft.messages],
        "outcomes": outcomes,
        "refused": 0 if rehearsal.refused is None else int(rehearsal.refused.reason),
        "signer": signer.kid,
        "text": draft.composed.text or "",
    }
    return hashlib.sha256(encode_document(document)).hexdigest()


def _change_document(change: Change) -> list[Json]:
    return [change.kind, change.about, change.before, change.after]
