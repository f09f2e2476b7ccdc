"""Two signatures inside one organisation: its rule, what waits for the second, and the second signature itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import msgspec

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.countersigning import (
    LAPSE_MS,
    WAITING,
    Countersign,
    HeldRecord,
    SetSigningRule,
    SigningRuleRecord,
    WithdrawHeld,
    derive_held_state,
    held_key,
    list_held,
    require_second,
    signing_rule_key,
)
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.workspace.commands import submit_batch, submit_message
from cellvow.workspace.governing import reading_context
from cellvow.workspace.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A message that waits for its second signature: what it orders, about what, and who signed it first.

    `lapses_ms` is until when it waits. `first_ended`: the first key has ended since, as a leaver's does. `refusal` is
    why the key that was asked about cannot give the second signature; None where it can, or none was named.
    """

    organisation: str
    statement: str
    index: int
    message: str
    about: str
    order: dict[str, Json]
    first_kid: str
    first_ended: bool
    since_ms: int
    lapses_ms: int
    refusal: Rejected | None = None

    @property
    def name(self) -> str:
        """As commands take it: `STATEMENT/INDEX`."""
        return f"{self.statement}/{self.index}"


# How it stands


def read_rule(store: LedgerStore, organisation: str) -> tuple[str, ...]:
    """The messages of the organisation that need a second signature; none without a rule."""
    value = store.get(signing_rule_key(organisation))
    return () if value is None else decode_record(SigningRuleRecord, value).messages


def waiting(store: LedgerStore, organisation: str, kid: bytes | None = None) -> list[Waiting]:
    """What waits for a second signature in the organisation, the oldest first; `refusal` as of the key `kid`."""
    context = replace(reading_context(store), organisation=organisation, kid="" if kid is None else kid.hex())
    found = []
    for name in list_held(context):
        record = context.get(HeldRecord, held_key(organisation, name.statement, name.index))
        if record is not None and derive_held_state(record, context.time_ms) == WAITING:
            refusal = None
            try:
                if kid is not None:
                    require_second(context, record)
            except Rejected as rejected:
                refusal = rejected
            found.append(replace(_view(store, record), refusal=refusal))
    return found


def _view(store: LedgerStore, record: HeldRecord) -> Waiting:
    value = store.get(key_record_key(bytes.fromhex(record.kid)))
    return Waiting(
        organisation=record.organisation,
        statement=record.statement,
        index=record.index,
        message=record.message,
        about=record.about,
        order=parse_object(bytes(record.order)),
        first_kid=record.kid,
        first_ended=value is not None and parse_key_record(value).revoked_height is not None,
        since_ms=record.since_ms,
        lapses_ms=record.since_ms + LAPSE_MS,
    )


# What an organisation does


def set_rule(session: LedgerSession, workspace: Workspace, messages: Iterable[str]) -> Receipted:
    """Want these messages signed twice from the next block on, and no others; signed by the root key."""
    named = tuple(sorted(dict.fromkeys(messages)))
    message = SetSigningRule(organisation=workspace.organisation, messages=named)
    return submit_message(session, workspace, message, workspace.root_key)


def compose_second(held: Waiting) -> Countersign:
    """The second signature under a message that waits."""
    return Countersign(
        organisation=held.organisation,
        statement=held.statement,
        index=held.index,
        about=held.about,
        order=msgspec.Raw(encode_document(held.order)),
    )


def give_second(
    session: LedgerSession,
    workspace: Workspace,
    statement: str,
    index: int | None = None,
    key_name: str | None = None,
) -> Receipted:
    """Give the second signature under one message of a statement, or under all that wait: those at once or not at all.

    The start of the statement's digest does where nothing else that waits begins so.
    Raises the ledger's rejection where what waits breaks a rule by now.
    """
    signed = [compose_second(one) for one in _find(session, workspace, statement, index)]
    return _submit(session, workspace, signed, key_name)


def withdraw_held(
    session: LedgerSession,
    workspace: Workspace,
    statement: str,
    index: int | None = None,
    key_name: str | None = None,
) -> Receipted:
    """Let one message of a statement, or all that wait, wait no longer."""
    found = _find(session, workspace, statement, index)
    signed = [WithdrawHeld(organisation=one.organisation, statement=one.statement, index=one.index) for one in found]
    return _submit(session, workspace, signed, key_name)


def _submit(
    session: LedgerSession,
    workspace: Workspace,
    signed: Sequence[Countersign] | Sequence[WithdrawHeld],
    key_name: str | None,
) -> Receipted:
    if len(signed) == 1:
        return submit_message(session, workspace, signed[0], key_name)
    return submit_batch(session, workspace, signed, key_name=key_name)


def _find(session: LedgerSession, workspace: Workspace, statement: str, index: int | None) -> list[Waiting]:
    """What waits of the one statement that begins so; of one place in it where that is named."""
    held = waiting(session.store, workspace.organisation)
    found = [one for one in held if one.statement.startswith(statement) and index in (None, one.index)]
    if not found:
        place = statement if index is None else f"{statement}/{index}"
        raise OperationalError(f"nothing of {place} waits for a second signature: see `cellvow sign waiting`")
    if any(one.statement != found[0].statement for one in found):
        raise OperationalError(f"more than one statement that waits begins with {statement}: give more of it")
    return found
