"""What was signed and has no answer yet: statements signed out of reach of the ledger, and those whose answer was lost.

Both wait in the same place, under the sequence they used. Each is sent as it was signed, so none takes effect twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cellvow.core.contracts.contract import Message
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.primitives.encoding import parse_object
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.workspace.commands import COMMIT_TIMEOUT_S, put_into_effect, require_accepted
from cellvow.workspace.workspace import Signed, Workspace

Fate = Literal["recorded", "rejected", "not_included", "contested", "held"]
Why = Rejected | NotIncludable | KeptAsClaim | KeptForSecond
"""What says why a statement did not do what it ordered."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signed statement without an answer: the types of its messages, and what it is about."""

    sequence: int
    kid: bytes
    statement: Statement
    messages: tuple[str, ...]

    @property
    def subject(self) -> str:
        """What its envelope names."""
        return self.statement.envelope.subject


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of it; `was_known` where the ledger held it already, from a turn whose answer was lost."""

    waiting: Waiting
    fate: Fate
    was_known: bool = False
    receipted: Receipted | None = None
    why: Why | None = None


def judge(receipted: Receipted) -> tuple[Fate, Why | None]:
    """What became of a statement that stands in the ledger, and why where it did not do what it ordered."""
    try:
        require_accepted(receipted)
    except Rejected as refusal:
        return "rejected", refusal
    except KeptAsClaim as claim:
        return "contested", claim
    except KeptForSecond as hold:
        return "held", hold
    return "recorded", None


def sign_offline(workspace: Workspace, message: Message) -> Signed:
    """Sign a message without reaching the ledger, and keep it until `send_waiting`; it may be applied however late."""
    return workspace.sign(workspace.chain_id, message, None)


def list_waiting(workspace: Workspace) -> list[Waiting]:
    """What waits, by key, in the order it was signed."""
    return [
        _describe(kid, sequence, data)
        for kid in (workspace.key(name).kid for name in workspace.keystore.names())
        for sequence, data in workspace.sequences.unresolved(kid)
    ]


def send_waiting(session: LedgerSession, workspace: Workspace) -> Iterator[Sent]:
    """Send what waits, one after the other; each is forgotten here only once its answer is known.

    Raises what keeps the ledger from answering: what was not answered then still waits.
    """
    recorded = []
    for waiting in list_waiting(workspace):
        sent = _send(session, waiting)
        workspace.sequences.resolve(waiting.kid, waiting.sequence)
        if sent.fate == "recorded" and sent.receipted is not None:
            recorded.append(sent.receipted)
        yield sent
    put_into_effect(session, workspace, *recorded)


def _send(session: LedgerSession, waiting: Waiting) -> Sent:
    was_known = session.store.statement_of_txid(waiting.statement.envelope.txid) is not None
    try:
        receipted = session.submit(waiting.statement.data).result(timeout=COMMIT_TIMEOUT_S)
    except NotIncludable as refusal:
        return Sent(waiting, "not_included", why=refusal)
    fate, why = judge(receipted)
    return Sent(waiting, fate, was_known, receipted, why)


def _describe(kid: bytes, sequence: int, data: bytes) -> Waiting:
    statement = parse_statement(data)
    kinds = tuple(str(parse_object(one)["type"]) for one in statement.messages)
    return Waiting(sequence, kid, statement, kinds)
