"""Which contracts are in force: ruleset version -> message type -> handler.

A shipped ruleset never changes; a new behaviour is a new version, activated at a height by vote. 1 is what a first
release ships: members, keys, batteries and governance; nothing was released before it held all of them, and from here
on both are fixed. 2 adds the recovery of lost keys. 3 adds what happens after birth - use, parts, second life, end -
and disputes; from it on a claim against the registers is kept instead of rejected, an organisation may ask for a
second signature, a producer responsibility organisation has a role of its own, and the description of a model can be
corrected. What it adds to a message of an earlier ruleset that one still refuses (`Message.since`).
"""

from dataclasses import dataclass
from typing import Any, Union

import msgspec

from cellvow.core.contracts import (
    acceptance,
    anchor,
    attestation,
    battery,
    correction,
    countersigning,
    custody,
    dispute,
    document,
    governance,
    life,
    organisation,
    part,
    recovery,
    safety,
    second_life,
    software,
    takeover,
    use,
)
from cellvow.core.contracts.contract import Contract, Handler, Message, encode_message
from cellvow.core.contracts.countersigning import Countersign
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import InvalidBlock


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The message types of one version with their handlers, and the decoder that knows them all."""

    version: int
    contracts: tuple[Contract, ...]
    handlers: dict[type[Message], Handler]
    decoder: "msgspec.json.Decoder[Any]"

    def parse_message(self, data: bytes) -> Message:
        """The message of canonical bytes; raises `Rejected`, without the library's words: they differ by version."""
        try:
            message: Message = self.decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Rejected(Reason.MALFORMED_MESSAGE) from error
        # What a later ruleset added to a message of this one was never a word of it (docs/adr/0018).
        if encode_message(message) != data or message.since > self.version:
            raise Rejected(Reason.MALFORMED_MESSAGE)
        return message

    def find_message(self, data: bytes) -> Message | None:
        """The message of canonical bytes, or None where they are none."""
        try:
            return self.parse_message(data)
        except Rejected:
            return None

    def ordered_by(self, message: Message) -> Message:
        """What a message orders: itself, or what it gives a second signature to."""
        return self.parse_message(bytes(message.order)) if isinstance(message, Countersign) else message


def _ruleset(version: int, *contracts: Contract) -> Ruleset:
    handlers = {kind: handler for contract in contracts for kind, handler in contract.handlers.items()}
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[tuple(handlers)])  # noqa: UP007 - built at run time
    return Ruleset(version, contracts, handlers, decoder)


_FIRST = (
    organisation.CONTRACT,
    battery.CONTRACT,
    custody.CONTRACT,
    anchor.CONTRACT,
    attestation.CONTRACT,
    correction.CONTRACT,
    acceptance.CONTRACT,
    governance.CONTRACT,
)

_THIRD = (
    dispute.CONTRACT,
    takeover.CONTRACT,
    part.CONTRACT,
    life.CONTRACT,
    second_life.CONTRACT,
    use.CONTRACT,
    document.CONTRACT,
    software.CONTRACT,
    safety.CONTRACT,
    countersigning.CONTRACT,
)

RULESETS = {
    1: _ruleset(1, *_FIRST),
    2: _ruleset(2, *_FIRST, recovery.CONTRACT),
    3: _ruleset(3, *_FIRST, recovery.CONTRACT, *_THIRD),
}
"""Every ruleset ever shipped, by version."""
NEWEST = 3
"""The newest of them: what a new ledger begins with, and the members of an older one may activate."""


def get_ruleset(version: int) -> Ruleset:
    """The ruleset of a version; raises `InvalidBlock` when this software does not know it."""
    ruleset = RULESETS.get(version)
    if ruleset is None:
        raise InvalidBlock(f"ruleset {version} is unknown to this version of the software: upgrade it")
    return ruleset
