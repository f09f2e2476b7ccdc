"""One turn at writing a ledger: submit, then publish a checkpoint, and say how far the statement has come."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.cli.answer import Answer
from cellvow.cli.options import opened_workspace
from cellvow.cli.wording import moment

if TYPE_CHECKING:
    from cellvow.node.engine import Receipted
    from cellvow.node.home import LedgerSession
    from cellvow.workspace.consent import ConsentView
    from cellvow.workspace.workspace import Workspace

Act = Callable[["LedgerSession", "Workspace"], "Receipted"]
"""Signs and submits one statement; raises its rejection."""


@dataclass(frozen=True, slots=True)
class Published:
    """The checkpoint over a statement: who cosigned it, who did not and why; or why there is no checkpoint.

    In a consortium `consent` stands in its place, and *committed* is final: more than two thirds have signed.
    """

    size: int = 0
    cosigned_by: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    quorum: int = 0
    level: str = "committed"
    failure: str | None = None
    consent: "ConsentView | None" = None

    def document(self) -> dict[str, object]:
        """The checkpoint for `--json`."""
        signed = {} if self.consent is None else {"consent": asdict(self.consent)}
        return {
            **signed,
            "cosigned_by": list(self.cosigned_by),
            "failure": self.failure,
            "level": self.level,
            "quorum": self.quorum,
            "refused": self.refused,
            "size": self.size,
        }

    def lines(self) -> list[str]:
        """The checkpoint in words."""
        if self.failure is not None:
            return [f"  not published: {self.failure}", "  `cellvow publish` tries again"]
        if self.consent is not None:
            return [f"  {describe_consent(self.consent)}"]
        if not self.cosigned_by and not self.refused:
            return [f"  checkpoint of {self.size} leaves: committed, 0 witnesses"]
        names = ", ".join(self.cosigned_by) or "nobody"
        level = (
            self.level if len(self.cosigned_by) >= self.quorum else f"committed, not witnessed ({self.quorum} needed)"
        )
        refusals = [f"  not cosigned by {name}: {reason}" for name, reason in self.refused.items()]
        return [f"  checkpoint of {self.size} leaves: {level}, cosigned by {names}", *refusals]


def perform(folder: Path, sentence: str, act: Act) -> Answer:
    """Do one thing with a workspace on its ledger; `sentence` says what was done."""
    with opened_workspace(folder) as workspace:
        receipted, published = submit_and_publish(workspace, act)
    return answer_of(sentence, receipted, published)


def submit_and_publish(workspace: "Workspace", act: Act) -> tuple["Receipted", Published]:
    """Submit in one turn and publish; what was rejected, or kept otherwise, too: it stands in the ledger."""
    from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
    from cellvow.core.ledger.rejection import Rejected
    from cellvow.workspace.clock import now_ms

    with workspace.home().open_session(now_ms) as session:
        try:
            receipted = act(session, workspace)
        except (Rejected, KeptAsClaim, KeptForSecond):
            publish(session)
            raise
        return receipted, publish(session)


def publish(session: "LedgerSession") -> Published:
    """Sign the head and ask the witnesses; what is committed stays so if that fails, and the failure is told."""
    from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
    from cellvow.workspace.consent import read_consent

    size, quorum = session.engine.head.log.size, session.home.trust.quorum
    try:
        publication = session.publish()
        consent = read_consent(session.store) if session.home.is_member else None
    except (Malformed, OperationalError, VerificationError) as error:
        return Published(size=size, quorum=quorum, failure=str(error))
    if consent is not None:
        return Published(size=consent.size, consent=consent)
    cosigned = tuple(answer.name for answer in publication.answers if answer.cosigned_s is not None)
    refused = {answer.name: answer.reason for answer in publication.answers if answer.reason is not None}
    level = session.home.level_of(session.store, size - 1).value
    return Published(size, cosigned, refused, quorum, level)


def describe_consent(consent: "ConsentView") -> str:
    """Who signed the block that vouches for the ledger, in words."""
    signed = f"signed by {consent.signers} of {consent.validators} validators"
    names = f" ({', '.join(consent.names)})" if consent.names else ""
    return f"final: block {consent.height}, {signed}{names}"


def answer_of(sentence: str, receipted: "Receipted", published: Published) -> Answer:
    """What became of a statement, for scripts and for people."""
    from cellvow.core.ledger.outcome import parse_outcome

    events = [event for data in receipted.outcomes for event in parse_outcome(data).events]
    document = {
        "checkpoint": published.document(),
        "events": events,
        "height": receipted.height,
        "leaf": receipted.leaf,
        "level": published.level,
        "statement": receipted.digest.hex(),
        "time_ms": receipted.time_ms,
        "txid": receipted.txid.hex(),
    }
    place = f"  committed in block {receipted.height} as leaf {receipted.leaf}, {moment(receipted.time_ms)}"
    return Answer(document, [sentence, f"  statement {receipted.digest.hex()}", place, *published.lines()])
