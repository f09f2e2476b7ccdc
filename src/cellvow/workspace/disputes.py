"""Disputes and take-overs of one organisation: what it states stays in its vault, and opens by a file it hands over.

The ledger keeps commitments to texts and documents. `export_statements` writes what opens one's own; the other side
and the arbiter check it against the ledger's file: so all read the same words, and nobody else does.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cellvow.core.contracts.contract import Committed, decode_record
from cellvow.core.contracts.dispute import (
    AcceptSettlement,
    DecideDispute,
    NominateArbiter,
    OpenDispute,
    ProposeSettlement,
    StatePosition,
    WithdrawDispute,
)
from cellvow.core.contracts.dispute_file import Move, dispute_key
from cellvow.core.contracts.register import RESPONSIBILITY, RegisterRecord, register_key
from cellvow.core.contracts.takeover import (
    CompleteTakeover,
    GiveNotice,
    ObjectToTakeover,
    TakeoverRecord,
    WithdrawNotice,
    takeover_key,
)
from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.limits import EVIDENCE_MAX, MESSAGE_BYTES_MAX
from cellvow.core.protocol.transition import Read
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.passport.disputes import DisputeView, derive_dispute
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import submit_message
from cellvow.workspace.workspace import Workspace

KIND = "dispute"
_COMMITMENT = re.compile(r"[0-9a-f]{64}\Z")
STATEMENTS_BYTES_MAX = 8_000_000
"""A file of statements as one side hands it to the other."""
Opened = Mapping[str, Mapping[str, Json]]
"""Commitment (hexadecimal) -> the text or document it is to, of those this reader can open."""
AnyRecord = TypeVar("AnyRecord", TakeoverRecord, RegisterRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What somebody is about to state: a text, and the files it rests on; of these only name and digest are kept."""

    text: str
    documents: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDispute:
    """What a dispute begins with; without a `reference` the next free one is taken."""

    battery: str
    topic: str
    stated: Stated
    respondent: str | None = None
    reference: str | None = None
    arbiter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What an arbiter decides, with its grounds and what it moves."""

    outcome: str
    grounds: Stated
    moves: tuple[tuple[str, str], ...] = ()
    voids_tests: bool = False


@dataclass(frozen=True, slots=True)
class DisputeFile:
    """A dispute with what of it this reader can open: the ledger's part is the same to everybody."""

    view: DisputeView
    opened: Opened = field(default_factory=dict)


# What a party does


def open_dispute(session: LedgerSession, workspace: Workspace, new: NewDispute) -> Receipted:
    """Open a dispute over a unit with one's first position."""
    text, evidence = _commit(workspace, new.stated)
    message = OpenDispute(
        battery=new.battery,
        reference=new.reference or next_reference(session.engine.state.get, workspace.organisation),
        topic=new.topic,  # type: ignore[arg-type]  # the CLI offers the topics
        respondent=new.respondent,
        text=text,
        evidence=evidence,
        arbiter=new.arbiter,
    )
    return submit_message(session, workspace, message)


def state_position(
    session: LedgerSession, workspace: Workspace, opener: str, reference: str, stated: Stated
) -> Receipted:
    """State a further position."""
    view = read_dispute(session.engine.state.get, opener, reference)
    text, evidence = _commit(workspace, stated)
    message = StatePosition(battery=view.battery, opener=opener, reference=reference, text=text, evidence=evidence)
    return submit_message(session, workspace, message)


def nominate_arbiter(
    session: LedgerSession, workspace: Workspace, opener: str, reference: str, arbiter: str
) -> Receipted:
    """Name the member who shall decide."""
    battery = read_dispute(session.engine.state.get, opener, reference).battery
    message = NominateArbiter(battery=battery, opener=opener, reference=reference, arbiter=arbiter)
    return submit_message(session, workspace, message)


def withdraw_dispute(session: LedgerSession, workspace: Workspace, opener: str, reference: str) -> Receipted:
    """Withdraw one's own dispute or claim."""
    battery = read_dispute(session.engine.state.get, opener, reference).battery
    return submit_message(session, workspace, WithdrawDispute(battery=battery, opener=opener, reference=reference))


def propose_settlement(
    session: LedgerSession, workspace: Workspace, opener: str, reference: str, moves: Sequence[tuple[str, str]]
) -> Receipted:
    """Propose to the other side what shall end the dispute."""
    battery = read_dispute(session.engine.state.get, opener, reference).battery
    message = ProposeSettlement(battery=battery, opener=opener, reference=reference, moves=_moves(moves))
    return submit_message(session, workspace, message)


def accept_settlement(
    session: LedgerSession, workspace: Workspace, opener: str, reference: str, version: int
) -> Receipted:
    """Accept what the other side proposes; `version` is that of the file one has read: another proposal is none."""
    battery = read_dispute(session.engine.state.get, opener, reference).battery
    message = AcceptSettlement(battery=battery, opener=opener, reference=reference, version=version)
    return submit_message(session, workspace, message)


def decide_dispute(
    session: LedgerSession, workspace: Workspace, opener: str, reference: str, ruling: Ruling
) -> Receipted:
    """Decide a dispute as its arbiter, on all that was stated so far."""
    view = read_dispute(session.engine.state.get, opener, reference)
    grounds, _ = _commit(workspace, ruling.grounds)
    message = DecideDispute(
        battery=view.battery,
        opener=opener,
        reference=reference,
        positions=len(view.positions),
        outcome=ruling.outcome,  # type: ignore[arg-type]  # the CLI offers the verdicts
        grounds=grounds,
        moves=_moves(ruling.moves),
        voids_tests=ruling.voids_tests,
    )
    return submit_message(session, workspace, message)


def _moves(moves: Sequence[tuple[str, str]]) -> tuple[Move, ...]:
    return tuple(Move(register=register, organisation=to) for register, to in moves)  # type: ignore[arg-type]  # the CLI offers the registers


# Take-overs


def give_notice(
    session: LedgerSession, workspace: Workspace, battery: str, cause: str, documents: Sequence[Path]
) -> Receipted:
    """Give notice that one takes over an orphaned unit; of the documents, name and digest are committed to."""
    answers = _require(session.engine.state.get, RegisterRecord, register_key(RESPONSIBILITY, battery), battery)
    evidence = commit_all(workspace, [_document(path) for path in documents])
    message = GiveNotice(
        battery=battery,
        version=answers.version,
        cause=cause,  # type: ignore[arg-type]  # the CLI offers the causes
        evidence=evidence,
    )
    return submit_message(session, workspace, message)


def answer_notice(session: LedgerSession, workspace: Workspace, battery: str, answer: str) -> Receipted:
    """Object to the running notice of a take-over, complete or withdraw it."""
    version = _require(session.engine.state.get, TakeoverRecord, takeover_key(battery), battery).version
    kinds = {"object": ObjectToTakeover, "complete": CompleteTakeover, "withdraw": WithdrawNotice}
    return submit_message(session, workspace, kinds[answer](battery=battery, version=version))


def _require(read: Read, record_type: type[AnyRecord], key: str, battery: str) -> AnyRecord:
    value = read(key)
    if value is None:
        if record_type is RegisterRecord:
            raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
        raise OperationalError(f"nobody has given notice of a take-over of {battery}")
    return decode_record(record_type, value)


# What both sides read


def read_dispute(read: Read, opener: str, reference: str) -> DisputeView:
    """The file of a dispute as it stands; raises `Rejected` where there is none."""
    view = derive_dispute(read, opener, reference, now_ms())
    if view is None:
        raise Rejected(Reason.UNKNOWN_DISPUTE, reference=f"{opener}/{reference}")
    return view


def open_file(workspace: Workspace | None, view: DisputeView, handed: Sequence[Path] = ()) -> DisputeFile:
    """The file with what this reader can open: his own statements, and those that others handed over in files.

    Raises `VerificationError` where a file holds other words than were committed to, `Malformed` where it is none.
    """
    commitments = commitments_of(view)
    opened = {} if workspace is None else open_own(workspace, commitments)
    for path in handed:
        for commitment, disclosure in _read_statements(path).items():
            if commitment in commitments:
                opened[commitment] = verify_disclosure(disclosure, Digest(bytes.fromhex(commitment)))
    return DisputeFile(view, opened)


def open_own(workspace: Workspace, texts: Sequence[str]) -> dict[str, Mapping[str, Json]]:
    """What stands behind commitments, of those texts that are commitments of this vault's."""
    named = [one for one in texts if _COMMITMENT.match(one)]
    return {
        commitment: verify_disclosure(disclosure, Digest(bytes.fromhex(commitment)))
        for disclosure, commitment in _own(workspace, named)
    }


def export_statements(workspace: Workspace, view: DisputeView, path: Path) -> int:
    """Write what opens one's own statements in a dispute, for the other side and the arbiter; how many there are."""
    data, count = encode_statements(workspace, view)
    path.write_bytes(data)
    return count


def encode_statements(workspace: Workspace, view: DisputeView) -> tuple[bytes, int]:
    """The file that opens one's own statements in a dispute, and how many there are in it."""
    own = {commitment: disclosure for disclosure, commitment in _own(workspace, commitments_of(view))}
    return encode_disclosures(view.name, own), len(own)


def encode_disclosures(dispute: str, disclosures: Mapping[str, Disclosure]) -> bytes:
    """A file of statements: commitment -> what opens it."""
    document = {
        commitment: {"field": disclosure.field.decode(), "salt": disclosure.salt.hex()}
        for commitment, disclosure in disclosures.items()
    }
    return (json.dumps({"dispute": dispute, "statements": document}, indent=1, sort_keys=True) + "\n").encode()


def next_reference(read: Callable[[str], bytes | None], organisation: str) -> str:
    """A reference that the member has not used for a dispute yet: D-1, D-2 and so on."""
    number = 1
    while read(dispute_key(organisation, f"D-{number}")) is not None:
        number += 1
    return f"D-{number}"


def commitments_of(view: DisputeView) -> tuple[str, ...]:
    """Everything that was committed to in a dispute, in hexadecimal, in the order it was stated."""
    stated = [one for position in view.positions for one in (position.text, *position.evidence)]
    return tuple(stated if view.decision is None else [*stated, view.decision.grounds])


def _own(workspace: Workspace, commitments: Sequence[str]) -> list[tuple[Disclosure, str]]:
    found = []
    for commitment in commitments:
        place = workspace.vault.find_by_commitment(bytes.fromhex(commitment))
        if place is not None:
            (disclosure,) = workspace.vault.disclose(place.record_id, [place.field_index])
            found.append((disclosure, commitment))
    return found


def _read_statements(path: Path) -> dict[str, Disclosure]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}") from error
    return parse_statements(data, str(path))


def parse_statements(data: bytes, name: str) -> dict[str, Disclosure]:
    """Commitment -> what opens it, of a file that the other side has handed over; raises `Malformed`."""
    if len(data) > STATEMENTS_BYTES_MAX:
        raise Malformed(f"{name} has {len(data)} bytes: at most {STATEMENTS_BYTES_MAX}")
    try:
        statements = json.loads(data)["statements"]
        return {
            str(commitment): Disclosure(bytes.fromhex(one["salt"]), one["field"].encode())
            for commitment, one in statements.items()
        }
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise Malformed(f"{name} is no file of statements that `cellvow dispute show --write` made") from error


def _commit(workspace: Workspace, stated: Stated) -> tuple[Committed, tuple[Committed, ...]]:
    text: dict[str, Json] = {"kind": "position", "text": stated.text}
    first, *rest = commit_all(workspace, [text, *map(_document, stated.documents)])
    return first, tuple(rest)


def commit_all(workspace: Workspace, documents: Sequence[Mapping[str, Json]]) -> tuple[Committed, ...]:
    """Into the vault first: a commitment whose salt is lost opens for nobody."""
    if len(documents) > EVIDENCE_MAX + 1:
        raise Malformed(f"{len(documents) - 1} documents: at most {EVIDENCE_MAX} under one position")
    if not documents:
        return ()
    sealed = workspace.vault.commit_fields(KIND, documents)
    return tuple(Committed(commitment=commitment.hex()) for commitment in sealed.commitments)


def _document(path: Path) -> dict[str, Json]:
    """What is committed to of a document: its name and digest. The file itself stays where it is."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}") from error
    return {"kind": "document", "name": path.name[: MESSAGE_BYTES_MAX // 64], "sha256": digest}
