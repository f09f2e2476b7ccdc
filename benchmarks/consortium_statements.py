"""What the consortium is given: signed statements of the ledger, and transactions of the kvstore of the same lengths.

No message depends on another of the same run, since engines pass transactions on in any order.
"""

import hashlib
from collections.abc import Iterator, Sequence

from benchmarks.consortium_load import Pace, load
from benchmarks.consortium_sides import KVSTORE, Side
from benchmarks.members import GENESIS_MS, MAKER, Maker, SigningKey, battery_id, birth, declaration, make_model
from cellvow.core.contracts.anchor import Anchor
from cellvow.core.contracts.attestation import IssueAttestation, Method, Result
from cellvow.core.contracts.contract import Message
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX

FILLED = 500
"""Batteries born before anything is measured."""
KEYS = 16
"""Keys that sign in turn: a member that lags a few blocks must still find every sequence within its key's window."""
BIRTHS_IN_TEN = 1
WIDE_RESULTS = 5
"""Results of a declared value that make it about 800 bytes: a batch of 500 of them is about 400 kB."""
_FIRST_REFERENCE = 1_000_000


class Sayings:
    """One maker's statements, each new: numbers go on from run to run."""

    def __init__(self) -> None:
        keys = tuple(SigningKey(MAKER, f"consortium {number}") for number in range(KEYS))
        self.maker = Maker(keys=keys)
        self._born = 0
        self._said = 0

    def preparation(self) -> list[list[bytes]]:
        """What is committed before a run, step by step: keys, the model, the batteries."""
        keys = self.maker.registrations()
        model = [self.maker.keys[0].sign_single(make_model())]
        births = self.maker.batches([birth(number) for number in range(FILLED)], BATCH_MESSAGES_MAX)
        self._born = FILLED
        return [keys, model, births]

    def singles(self, count: int) -> list[bytes]:
        """Statements of one message: of ten a birth and nine declared values."""
        return self.maker.singles(self._mixed(count))

    def bodies(self, count: int) -> list[bytes]:
        """Batches of 500 declared values with several results each."""
        messages = [self._wide() for _ in range(count * BATCH_MESSAGES_MAX)]
        return self.maker.batches(messages, BATCH_MESSAGES_MAX)

    def anchors(self, count: int) -> list[bytes]:
        """Batches of 500 anchors."""
        messages = [self._anchor() for _ in range(count * BATCH_MESSAGES_MAX)]
        return self.maker.batches(messages, BATCH_MESSAGES_MAX)

    def _mixed(self, count: int) -> Iterator[Message]:
        for number in range(count):
            if number % 10 < BIRTHS_IN_TEN:
                self._born += 1
                yield birth(self._born - 1)
            else:
                yield declaration(number % FILLED, self._next())

    def _next(self) -> int:
        self._said += 1
        return _FIRST_REFERENCE + self._said

    def _wide(self) -> IssueAttestation:
        number = self._next()
        reference = f"W-{number}"
        results = [
            Result(quantity=f"quantity_{place}", commitment=sha256(reference.encode(), bytes([place])).hex())
            for place in range(WIDE_RESULTS)
        ]
        return IssueAttestation(
            battery=battery_id(number % FILLED),
            reference=reference,
            evidence_class="declared",
            is_certificate=False,
            method=Method(name="rating", version="1"),
            tested_from_ms=GENESIS_MS,
            tested_until_ms=GENESIS_MS,
            results=tuple(results),
        )

    def _anchor(self) -> Anchor:
        return Anchor(
            root=sha256(b"benchmark anchor", self._next().to_bytes(8, "big")).hex(), rows=60, kind="telemetry"
        )


class Pairs:
    """Transactions of the engine's built-in kvstore, each with a key of its own."""

    def __init__(self) -> None:
        self._said = 0

    def alike(self, statements: Sequence[bytes]) -> list[bytes]:
        """As many as there are statements, and each as long as its statement."""
        return [self._of_length(len(one)) for one in statements]

    def _of_length(self, length: int) -> bytes:
        self._said += 1
        head = f"key-{self._said:010d}="
        # Digits that repeat nothing: the engine's own store compresses what it writes.
        digits = hashlib.shake_256(head.encode("ascii")).hexdigest((length + 1) // 2)
        return (head + digits)[:length].encode("ascii")


def prepare(side: Side, sayings: Sayings) -> None:
    """Commit what the runs of the ledger's side start from; nothing on the kvstore's."""
    if side.plan.kind == KVSTORE:
        return
    for step in sayings.preparation():
        load(side, step, Pace(0, len(step)))
