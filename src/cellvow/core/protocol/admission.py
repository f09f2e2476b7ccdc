"""Which statements may stand in one block together: what an engine asks before it makes a block, or votes for one.

A block that holds a statement which may not stand is invalid as a whole, so whoever orders statements asks first.
"""

from dataclasses import dataclass, field

from cellvow.core.ledger.key import SequenceRecord
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.signature import SignatureCheck, is_valid
from cellvow.core.protocol.transition import Head, Read, read_sequences, require_authentic, require_fresh

_RAISES_FLOOR = b'"type":"RaiseFloor"'
"""In the canonical bytes of every message that raises the floor of its own key's sequences; in a text it is escaped."""


@dataclass(slots=True)
class Admission:
    """Judges the statements of one block in their order, against the state that the block follows."""

    head: Head
    read: Read
    height: int
    time_ms: int
    check: SignatureCheck = is_valid
    _marked: dict[bytes, SequenceRecord] = field(default_factory=dict)
    _raising: dict[bytes, None] = field(default_factory=dict)

    def admit(self, statement: Statement) -> None:
        """Take the statement into the block; raises `NotIncludable`, and then nothing has changed."""
        envelope = statement.envelope
        if envelope.kid in self._raising:
            # The floor rises inside the block: what it leaves fresh shows only when the block is applied.
            raise NotIncludable(Reason.SEQUENCE_USED, sequence=envelope.sequence)
        # Whether it is fresh costs nothing to ask, and spares the signature of what was sent again.
        used = self._marked.get(envelope.kid) or read_sequences(self.read, envelope.kid)
        marked = require_fresh(used, envelope)
        require_authentic(self.head.chain_id, self.read, envelope, self.height, self.time_ms, self.check)
        self._marked[envelope.kid] = marked
        if any(_RAISES_FLOOR in message for message in statement.messages):
            self._raising[envelope.kid] = None
