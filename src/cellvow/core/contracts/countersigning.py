"""A second signature, where an organisation asks for it: its root key names the messages that wait for another key.

What waits does nothing. Another operational key of the organisation orders it anew, in full, and it is judged as of
then; or it is withdrawn, or lapses. One key that was stolen orders nothing of what the rule names. The rule is set and
relaxed by a root key alone: whoever has that can register two operational keys anyway, so nothing more would help.
"""

from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.contract import (
    MEMBERS,
    Context,
    Contract,
    Count,
    Hash,
    Member,
    Message,
    Record,
    Schema,
    encode_message,
    require,
)
from cellvow.core.contracts.correction import CorrectStatement
from cellvow.core.contracts.organisation import MessageName
from cellvow.core.ledger.key import (
    OPERATIONAL,
    ROOT,
    ROOT_MESSAGES,
    KeyRecord,
    key_record_key,
    may_sign,
    parse_key_record,
)
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import HELD_MAX, ROTATIONS_FOLLOWED_MAX, SCOPE_MAX

COUNTERSIGNS_SINCE = 3
"""The ruleset that knows signing rules."""
LAPSE_MS = 30 * 86_400_000
"""How long a message waits for its second signature."""
NEVER_HELD = (*ROOT_MESSAGES, "Countersign", "WithdrawHeld")
"""What no rule names: what manages keys or saves them, and the ways out of a hold."""
WAITING, EXECUTED, WITHDRAWN, LAPSED = "waiting", "executed", "withdrawn", "lapsed"

Subject = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9./:-]{0,127}\Z")]
_NOTHING = msgspec.Raw(b"null")


# Records


class SigningRuleRecord(Record, frozen=True, kw_only=True):
    """`signing/ORGANISATION`: the messages of the organisation that need a second signature from the next block on."""

    organisation: str
    messages: tuple[MessageName, ...]


class HeldRecord(Record, frozen=True, kw_only=True):
    """`held/ORGANISATION/STATEMENT/INDEX`: a message that waits, or waited, for its second signature.

    `order` is the message as it was signed first, by the key `kid`; null once it waits no longer.
    """

    organisation: str
    statement: Hash
    index: Count
    message: MessageName
    about: Subject
    kid: str
    since_ms: Count
    since_height: Count
    state: Literal["waiting", "executed", "withdrawn"]
    order: msgspec.Raw


class HeldName(Schema, frozen=True, kw_only=True):
    """Which message waits: its statement, its place in it, and since when."""

    statement: Hash
    index: Count
    since_ms: Count


class HoldingRecord(Record, frozen=True, kw_only=True):
    """`holding/ORGANISATION`: what waited for a second signature when something last began or ceased to."""

    held: tuple[HeldName, ...]


# Messages


class SetSigningRule(Message, frozen=True, kw_only=True):
    """Name the messages of one's organisation that need a second signature; signed by a root key. None: no rule."""

    organisation: Annotated[Member, MEMBERS]
    messages: Annotated[tuple[MessageName, ...], msgspec.Meta(max_length=SCOPE_MAX), MEMBERS]

    @property
    def subject(self) -> str:
        """The organisation whose rule it is."""
        return self.organisation


class Countersign(Message, frozen=True, kw_only=True):
    """Give the second signature: `order` is the message that waits, word for word, and `about` its subject."""

    organisation: Annotated[Member, MEMBERS]
    statement: Annotated[Hash, MEMBERS]
    index: Annotated[Count, MEMBERS]
    about: Annotated[Subject, MEMBERS]
    order: Annotated[msgspec.Raw, MEMBERS]

    @property
    def subject(self) -> str:
        """What the message that waits is about."""
        return self.about


class WithdrawHeld(Message, frozen=True, kw_only=True):
    """Let a message wait no longer: any key of the organisation that may sign this, the first signer's too."""

    organisation: Annotated[Member, MEMBERS]
    statement: Annotated[Hash, MEMBERS]
    index: Annotated[Count, MEMBERS]

    @property
    def subject(self) -> str:
        """The organisation whose message waits."""
        return self.organisation


# Rules


def signing_rule_key(organisation: str) -> str:
    """Where an organisation's signing rule lies in the state map."""
    return f"signing/{organisation}"


def held_key(organisation: str, statement: str, index: int) -> str:
    """Where a message that waits lies in the state map."""
    return f"held/{organisation}/{statement}/{index}"


def holding_key(organisation: str) -> str:
    """Where the list of what waits in an organisation lies in the state map."""
    return f"holding/{organisation}"


def needs_second(rule: tuple[str, ...], message: Message) -> bool:
    """Whether the rule names the message, or what it would put in place of an earlier one."""
    ordered = (message, message.replacement) if isinstance(message, CorrectStatement) else (message,)
    return any(type(one).__name__ in rule for one in ordered)


def derive_held_state(record: HeldRecord, time_ms: int) -> str:
    """What became of a hold: one that nobody ended in its time has lapsed."""
    return LAPSED if record.state == WAITING and time_ms > record.since_ms + LAPSE_MS else record.state


def hold(context: Context, message: Message) -> list[Event]:
    """Keep a message until it gets its second signature; raises `Rejected` past the organisation's bound."""
    waiting = list_held(context)
    require(len(waiting) < HELD_MAX, Reason.TOO_MANY_HELD, held=len(waiting))
    source, kind = context.provenance, type(message).__name__
    record = HeldRecord(
        provenance=source,
        organisation=context.organisation,
        statement=source.statement,
        index=source.index,
        message=kind,
        about=message.subject,
        kid=context.kid,
        since_ms=context.time_ms,
        since_height=context.height,
        state="waiting",
        order=msgspec.Raw(encode_message(message)),
    )
    context.put(held_key(record.organisation, record.statement, record.index), record)
    _list(context, (*waiting, HeldName(statement=source.statement, index=source.index, since_ms=context.time_ms)))
    return [{"type": "MessageHeld", "organisation": record.organisation, "message": kind, "kid": context.kid}]


def list_held(context: Context) -> tuple[HeldName, ...]:
    """What waits for a second signature in the signer's organisation, the oldest first."""
    known = context.get(HoldingRecord, holding_key(context.organisation))
    listed = () if known is None else known.held
    return tuple(one for one in listed if context.time_ms <= one.since_ms + LAPSE_MS)


def _list(context: Context, held: tuple[HeldName, ...]) -> None:
    key = holding_key(context.organisation)
    known = context.get(HoldingRecord, key)
    version = 1 if known is None else known.version + 1
    context.put(key, HoldingRecord(provenance=context.provenance, version=version, held=held))


def _get_waiting(context: Context, message: Countersign | WithdrawHeld) -> HeldRecord:
    is_own = message.organisation == context.organisation
    key = held_key(message.organisation, message.statement, message.index)
    record = context.get(HeldRecord, key) if is_own else None
    if record is None or derive_held_state(record, context.time_ms) != WAITING:
        raise Rejected(Reason.NOTHING_HELD, statement=message.statement, index=message.index)
    return record


def end_hold(context: Context, message: Countersign | WithdrawHeld, state: Literal["executed", "withdrawn"]) -> None:
    """Let a message that waits wait no longer."""
    record = _get_waiting(context, message)
    changed = msgspec.structs.replace(
        record, state=state, order=_NOTHING, version=record.version + 1, provenance=context.provenance
    )
    context.put(held_key(record.organisation, record.statement, record.index), changed)
    ended = (message.statement, message.index)
    _list(context, tuple(one for one in list_held(context) if (one.statement, one.index) != ended))


def _key(context: Context, kid: str) -> KeyRecord:
    value = context.get_bytes(key_record_key(bytes.fromhex(kid)))
    if value is None:
        raise Rejected(Reason.NOT_YOUR_KEY, kid=kid)
    return parse_key_record(value)


def _is_same_signer(context: Context, record: HeldRecord, key: KeyRecord) -> bool:
    """Whether this is the key that signed first, or took its place since; past the bound it counts as the same."""
    for _ in range(ROTATIONS_FOLLOWED_MAX):
        if key.kid == record.kid:
            return True
        if key.replaces is None or key.registered_height < record.since_height:
            return False
        key = _key(context, key.replaces)
    return True


def require_second(context: Context, record: HeldRecord) -> None:
    """Raise `Rejected` unless the signer's key may give the second signature under what waits."""
    key = _key(context, context.kid)
    in_scope = key.kind == OPERATIONAL and may_sign(key, record.message)
    require(in_scope, Reason.OUT_OF_SCOPE, message=record.message, kid=key.kid)
    require(not _is_same_signer(context, record, key), Reason.SAME_SIGNER, kid=key.kid)
    is_marked = _key(context, record.kid).compromised_since_ms is not None
    require(not is_marked, Reason.FIRST_KEY_COMPROMISED, kid=record.kid)


# Handlers


def _set_rule(context: Context, message: SetSigningRule) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY, kid=context.kid)
    # Before this ruleset a scope could name a message that came later: a scope alone does not do.
    kind = type(message).__name__
    require(_key(context, context.kid).kind == ROOT, Reason.OUT_OF_SCOPE, message=kind, kid=context.kid)
    ordered = all(a < b for a, b in pairwise(message.messages))
    refused = [name for name in message.messages if name in NEVER_HELD]
    require(ordered and not refused, Reason.WRONG_SIGNING_RULE, message=refused[0] if refused else "")
    key = signing_rule_key(message.organisation)
    known = context.get(SigningRuleRecord, key)
    record = SigningRuleRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        organisation=message.organisation,
        messages=message.messages,
    )
    context.put(key, record)
    return [{"type": "SigningRuleSet", "organisation": message.organisation, "version": record.version}]


def _countersign(context: Context, message: Countersign) -> list[Event]:
    """Check the second signature and end the hold; the protocol then lets the message do what it orders."""
    record = _get_waiting(context, message)
    is_exact = bytes(message.order) == bytes(record.order)
    require(is_exact, Reason.NOTHING_HELD, statement=message.statement, index=message.index)
    require(message.about == record.about, Reason.WRONG_SUBJECT, subject=record.about)
    require_second(context, record)
    end_hold(context, message, "executed")
    named: Event = {"type": "MessageCountersigned", "organisation": record.organisation}
    signers = {"first": record.kid, "second": context.kid}
    return [{**named, "statement": record.statement, "index": record.index, **signers}]


def _withdraw(context: Context, message: WithdrawHeld) -> list[Event]:
    end_hold(context, message, "withdrawn")
    named: Event = {"type": "HeldWithdrawn", "organisation": message.organisation}
    return [{**named, "statement": message.statement, "index": message.index}]


CONTRACT = Contract(
    "countersigning",
    {SetSigningRule: _set_rule, Countersign: _countersign, WithdrawHeld: _withdraw},
)
