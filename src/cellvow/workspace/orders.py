"""From a form of the desk to the messages it orders: disputes, take-overs, second signatures, hand-overs.

A form carries what its reader saw - the version of a record, how many positions he read - and that fences the message:
what has changed since is refused, in the rehearsal already.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.countersigning import WithdrawHeld
from cellvow.core.contracts.custody import AcceptHandover, DeclineHandover, WithdrawHandover
from cellvow.core.contracts.dispute import (
    AcceptSettlement,
    DecideDispute,
    NominateArbiter,
    OpenDispute,
    ProposeSettlement,
    StatePosition,
    WithdrawDispute,
)
from cellvow.core.contracts.dispute_file import Move, Topic, Verdict
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.takeover import Cause, CompleteTakeover, GiveNotice, ObjectToTakeover, WithdrawNotice
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import REFERENCE_PATTERN, parse_battery_id, parse_organisation_id
from cellvow.node.store import LedgerStore
from cellvow.passport.disputes import DisputeView, derive_dispute
from cellvow.workspace.commands import compose_offer
from cellvow.workspace.countersigning import Waiting, compose_second, waiting
from cellvow.workspace.disputes import next_reference
from cellvow.workspace.drafts import UNSEALED, Composed

TEXT_LENGTH_MAX = 8_000
DISPUTE_PLACE, UNIT_PLACE, SECOND_PLACE, HANDOVER_PLACE = "dispute", "unit", "second", "handovers"
TOPICS, VERDICTS, CAUSES = get_args(Topic), get_args(Verdict), get_args(Cause)
_COUNT = re.compile(r"[0-9]{1,15}\Z")
_STATEMENT = re.compile(r"[0-9a-f]{64}\Z")
_REFERENCE = re.compile(REFERENCE_PATTERN)
_TAKEOVER_ANSWERS = {
    "takeover_object": ObjectToTakeover,
    "takeover_complete": CompleteTakeover,
    "takeover_withdraw": WithdrawNotice,
}
_OFFER_ANSWERS = {
    "handover_accept": AcceptHandover,
    "handover_decline": DeclineHandover,
    "handover_withdraw": WithdrawHandover,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A form as it was typed, of which organisation, and the ledger it is about; every reading raises `Malformed`."""

    act: str
    fields: Mapping[str, str]
    organisation: str
    store: LedgerStore
    now_ms: int

    def text(self, name: str) -> str:
        """A field without the space around it."""
        return self.fields.get(name, "").strip()

    def battery(self) -> str:
        """The unit."""
        return parse_battery_id(self.text("battery"))

    def member(self, name: str) -> str:
        """An organisation."""
        return parse_organisation_id(self.text(name))

    def member_if_any(self, name: str) -> str | None:
        """An organisation, or nobody."""
        return self.member(name) if self.text(name) else None

    def count(self, name: str) -> int:
        """A number that its page has put into the form."""
        if _COUNT.match(self.text(name)) is None:
            raise Malformed(f"{name}: the form lacks what its page knew; open the page again and use its form")
        return int(self.text(name))

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """One of a closed list."""
        if self.text(name) not in words:
            raise Malformed(f"{name}: one of {', '.join(words)}")
        return self.text(name)

    def said(self) -> str:
        """What somebody states in his own words."""
        text = self.fields.get("text", "").replace("\r\n", "\n").strip()
        if not 1 <= len(text) <= TEXT_LENGTH_MAX:
            raise Malformed(f"text: say it in 1 to {TEXT_LENGTH_MAX} characters")
        return text

    def moves(self) -> tuple[Move, ...]:
        """Registers that are to name somebody else."""
        named = ((register, self.member_if_any(f"move_{register}")) for register in REGISTERS)
        return tuple(Move(register=register, organisation=to) for register, to in named if to is not None)  # type: ignore[arg-type]  # one of the three

    def dispute(self) -> DisputeView:
        """The dispute that the form names."""
        opener, _, reference = self.text("dispute").partition("/")
        parse_organisation_id(opener)
        view = None
        if _REFERENCE.match(reference):
            view = derive_dispute(self.store.get, opener, reference, self.now_ms)
        if view is None:
            raise Malformed(f"dispute: there is none of the name {self.text('dispute')[:80]}")
        return view

    def held(self) -> list[Waiting]:
        """What waits of the statement that the form names; of the one message in it, where it names one."""
        statement, index = self.text("statement"), self.text("index")
        if _STATEMENT.match(statement) is None or (index and _COUNT.match(index) is None):
            raise Malformed("statement: the form lacks what its page knew; open the page again and use its form")
        own = waiting(self.store, self.organisation)
        found = [one for one in own if one.statement == statement and index in ("", str(one.index))]
        if not found:
            raise Malformed("statement: nothing of it waits any more: somebody signed or withdrew it, or it lapsed")
        return found


def compose(asked: Asked) -> Composed:
    """What a form comes to; raises `Malformed` naming the field, or the ledger's `Rejected`."""
    composer = _COMPOSERS.get(asked.act)
    if composer is None:
        raise Malformed(f"act: one of {', '.join(ACTS)}")
    return composer(asked)


def _open(asked: Asked) -> Composed:
    topic = asked.word("topic", TOPICS)
    respondent = asked.member_if_any("respondent")
    if respondent is None and topic != "rule_gap":
        raise Malformed("respondent: name the other side; only where the rules do not say is there none")
    reference = next_reference(asked.store.get, asked.organisation)
    message = OpenDispute(
        battery=asked.battery(),
        reference=reference,
        topic=topic,  # type: ignore[arg-type]  # one of the literals, as checked
        respondent=respondent,
        text=UNSEALED,
        arbiter=asked.member_if_any("arbiter"),
    )
    return Composed(
        act=asked.act,
        messages=(message,),
        place=DISPUTE_PLACE,
        name=f"{asked.organisation}/{reference}",
        text=asked.said(),
        takes_documents=True,
    )


def _in_dispute(asked: Asked, message: Message, view: DisputeView, text: str | None = None) -> Composed:
    return Composed(
        act=asked.act,
        messages=(message,),
        place=DISPUTE_PLACE,
        name=view.name,
        text=text,
        takes_documents=isinstance(message, StatePosition),
    )


def _named(view: DisputeView) -> dict[str, str]:
    return {"battery": view.battery, "opener": view.opener, "reference": view.reference}


def _state(asked: Asked) -> Composed:
    view = asked.dispute()
    message = StatePosition(battery=view.battery, opener=view.opener, reference=view.reference, text=UNSEALED)
    return _in_dispute(asked, message, view, asked.said())


def _nominate(asked: Asked) -> Composed:
    view = asked.dispute()
    return _in_dispute(asked, NominateArbiter(**_named(view), arbiter=asked.member("arbiter")), view)


def _propose(asked: Asked) -> Composed:
    view = asked.dispute()
    return _in_dispute(asked, ProposeSettlement(**_named(view), moves=asked.moves()), view)


def _accept(asked: Asked) -> Composed:
    view = asked.dispute()
    return _in_dispute(asked, AcceptSettlement(**_named(view), version=asked.count("version")), view)


def _withdraw(asked: Asked) -> Composed:
    view = asked.dispute()
    return _in_dispute(asked, WithdrawDispute(**_named(view)), view)


def _decide(asked: Asked) -> Composed:
    view = asked.dispute()
    message = DecideDispute(
        battery=view.battery,
        opener=view.opener,
        reference=view.reference,
        positions=asked.count("positions"),
        outcome=asked.word("outcome", VERDICTS),  # type: ignore[arg-type]  # one of the literals, as checked
        grounds=UNSEALED,
        moves=asked.moves(),
        voids_tests=asked.text("voids_tests") == "yes",
    )
    return _in_dispute(asked, message, view, asked.said())


def _notice(asked: Asked) -> Composed:
    battery = asked.battery()
    message = GiveNotice(
        battery=battery,
        version=asked.count("version"),
        cause=asked.word("cause", CAUSES),  # type: ignore[arg-type]  # one of the literals, as checked
    )
    return Composed(act=asked.act, messages=(message,), place=UNIT_PLACE, name=battery, takes_documents=True)


def _answer_notice(asked: Asked) -> Composed:
    battery = asked.battery()
    message = _TAKEOVER_ANSWERS[asked.act](battery=battery, version=asked.count("version"))
    return Composed(act=asked.act, messages=(message,), place=UNIT_PLACE, name=battery)


def _second(asked: Asked) -> Composed:
    messages = tuple(compose_second(one) for one in asked.held())
    return Composed(act=asked.act, messages=messages, place=SECOND_PLACE, name=messages[0].statement)


def _withdraw_held(asked: Asked) -> Composed:
    messages = tuple(
        WithdrawHeld(organisation=one.organisation, statement=one.statement, index=one.index) for one in asked.held()
    )
    return Composed(act=asked.act, messages=messages, place=SECOND_PLACE, name=messages[0].statement)


def _offer(asked: Asked) -> Composed:
    registers = tuple(one for one in asked.fields.get("registers", "").split(",") if one)
    if not registers or not all(one in REGISTERS for one in registers):
        raise Malformed(f"registers: name what passes on: one or more of {', '.join(REGISTERS)}")
    offered = (asked.battery(), asked.member("addressee"))
    message = compose_offer(asked.store.get, asked.organisation, offered, registers)
    return Composed(act=asked.act, messages=(message,), place=HANDOVER_PLACE)


def _answer_offer(asked: Asked) -> Composed:
    message = _OFFER_ANSWERS[asked.act](battery=asked.battery(), version=asked.count("version"))
    return Composed(act=asked.act, messages=(message,), place=HANDOVER_PLACE)


_COMPOSERS: dict[str, Callable[[Asked], Composed]] = {
    "dispute_open": _open,
    "dispute_state": _state,
    "dispute_nominate": _nominate,
    "dispute_propose": _propose,
    "dispute_accept": _accept,
    "dispute_withdraw": _withdraw,
    "dispute_decide": _decide,
    "takeover_notice": _notice,
    **dict.fromkeys(_TAKEOVER_ANSWERS, _answer_notice),
    "second_give": _second,
    "second_withdraw": _withdraw_held,
    "handover_offer": _offer,
    **dict.fromkeys(_OFFER_ANSWERS, _answer_offer),
}
ACTS = tuple(_COMPOSERS)
"""What a form of the desk can order."""
