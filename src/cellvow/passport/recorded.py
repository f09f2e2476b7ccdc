"""What passports are derived from: records, accepted messages and who signed them, as the ledger holds them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cellvow.core.contracts.contract import Message, Provenance
from cellvow.core.contracts.organisation import name_of
from cellvow.core.ledger.key import is_suspect, key_record_key, parse_key_record
from cellvow.core.primitives.errors import fail
from cellvow.core.protocol.transition import Find, Read
from cellvow.passport.view import Anchoring, Source


@dataclass(frozen=True, slots=True)
class Recorded:
    """One accepted message as the ledger holds it, with the type of the event it recorded last, and its signer.

    Of one that needed two signatures, the statement and `kid` are the second's, and `first_kid` signed before.
    """

    message: Message
    event: str
    organisation: str
    kid: str
    statement: str
    index: int
    height: int
    time_ms: int
    leaf: int
    first_kid: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedClaim:
    """A message that was kept and not accepted: it claims what the registers deny, and changed none of them.

    `said` is who signed it and when; `topic` and `reference` are those of the dispute that keeps it.
    """

    said: Recorded
    topic: str
    reference: str


def _no_keys(_prefix: str) -> Iterable[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a derivation may read: records, the accepted messages about a battery and its model, and the anchoring.

    `around` are the messages that the registers of the unit around it stem from, where the battery is a part.
    `find_keys` names the records under a prefix: without it no part is found. `claims` are those over the battery:
    nothing that it is follows from them.
    """

    read: Read
    recorded: Sequence[Recorded]
    anchoring: Anchoring
    around: Sequence[Recorded] = ()
    find_keys: Find = _no_keys
    claims: Sequence[RecordedClaim] = ()

    def find(self, provenance: Provenance | None) -> Recorded | None:
        """The message that a record stems from, or None where it was not said of this battery."""
        if provenance is None:
            return None
        place = (provenance.statement, provenance.index)
        known = (*self.recorded, *self.around, *(one.said for one in self.claims))
        return next((one for one in known if (one.statement, one.index) == place), None)

    def get(self, provenance: Provenance) -> Recorded:
        """The message that a record stems from, which is one of those about the battery."""
        found = self.find(provenance)
        if found is None:
            fail(f"a record stems from statement {provenance.statement}, which is not among those about it")
        return found

    def source(self, provenance: Provenance) -> Source:
        """Who signed what a record stems from."""
        return self.source_of(self.get(provenance))

    def find_source(self, provenance: Provenance | None) -> Source | None:
        """The same, or None where it was not said of this battery."""
        found = self.find(provenance)
        return None if found is None else self.source_of(found)

    def source_of(self, recorded: Recorded) -> Source:
        """Who signed a message."""
        value = self.read(key_record_key(bytes.fromhex(recorded.kid)))
        return Source(
            organisation=recorded.organisation,
            name=self.name(recorded.organisation),
            statement=recorded.statement,
            index=recorded.index,
            height=recorded.height,
            time_ms=recorded.time_ms,
            suspect=value is not None and is_suspect(parse_key_record(value), recorded.time_ms),
            countersigned=recorded.first_kid is not None,
        )

    def name(self, organisation: str) -> str:
        """What an organisation is called."""
        return name_of(self.read, organisation)
