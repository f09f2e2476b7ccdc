"""The promises, checked while the story goes on; every sentence of a violation begins with its number.

1 same height, same app hash. 2 nothing acknowledged is lost. 3 a statement takes effect once. 4 an honest proposal is
accepted, and what is decided can be applied. 5 every honest statement gets its answer. 6 the application is never ahead
of its engine. 7 an empty block changes nothing. 8 no witness cosigns two histories. 9 one signature check per statement
and process. 10 outcomes and validators are the same on all members.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.primitives.errors import Malformed
from tests.simulation.consortium.record import Chronicle, Violation
from tests.simulation.consortium.workload import PARSED, check_once

if TYPE_CHECKING:
    from cellvow.node.engine import Receipted
    from tests.simulation.consortium.engine_model import Decided, Result
    from tests.simulation.consortium.member import Member


class Audit:
    """What all members must agree on, as the first of them said it."""

    def __init__(self, chronicle: Chronicle, app_hash: bytes) -> None:
        self.decided: dict[int, Decided] = {}
        self.results: dict[int, Result] = {}
        self.acknowledged: dict[bytes, tuple[str, Receipted]] = {}
        self._begun = app_hash
        self._chronicle = chronicle
        self._heights: dict[bytes, int] = {}
        self._used: dict[tuple[bytes, int], bytes] = {}

    @property
    def height(self) -> int:
        """The height of the newest decided block."""
        return len(self.decided)

    def app_hash(self, height: int) -> bytes:
        """The app hash after a block, or the one that the chain began with."""
        return self.results[height].app_hash if height else self._begun

    def height_of(self, data: bytes) -> int | None:
        """Where a statement was decided, or None."""
        return self._heights.get(data)

    def is_contradicted(self, data: bytes) -> bool:
        """Whether another statement with the same key and sequence was decided in the place of this one."""
        envelope = PARSED.parse(data).envelope
        return self._used.get((envelope.kid, envelope.sequence), data) != data

    def decide(self, block: Decided, member: Member) -> None:
        """Two thirds have decided a block: `member` is an honest one that stands right before it."""
        self.decided[block.height] = block
        for data in block.statements:
            try:
                envelope = PARSED.parse(data).envelope
            except Malformed as error:
                raise Violation(f"4: block {block.height} was decided with garbage: {error}") from error
            if data in self._heights:
                raise Violation(f"3: blocks {self._heights[data]} and {block.height} hold the same statement")
            if (envelope.kid, envelope.sequence) in self._used:
                raise Violation(f"3: sequence {envelope.sequence} of one key takes effect twice")
            record = member.gateway.store.get(key_record_key(envelope.kid))
            key = None if record is None else bytes.fromhex(parse_key_record(record).public_key)
            if key is None or not check_once(key, envelope.signed_bytes, envelope.signature):
                raise Violation(f"4: block {block.height} was decided with a statement that nobody signed")
            self._heights[data] = block.height
            self._used[envelope.kid, envelope.sequence] = data

    def compare(self, name: str, block: Decided, result: Result) -> None:
        """A member has applied a decided block."""
        known = self.results.setdefault(block.height, result)
        if known.app_hash != result.app_hash:
            raise Violation(f"1: {name} has another app hash at height {block.height}")
        if known != result:
            raise Violation(f"10: {name} has other outcomes or validators at height {block.height}")
        if block.is_empty and result.app_hash != self.app_hash(block.height - 1):
            raise Violation(f"7: the empty block {block.height} changes the app hash of {name}")
        if len(result.codes) != len(block.statements):
            raise Violation(f"10: {name} has {len(result.codes)} outcomes for {len(block.statements)} statements")
        if block.is_empty:
            self._chronicle.reached["empty block"] += 1

    def acknowledge(self, name: str, data: bytes, receipted: Receipted) -> None:
        """A member has told a client that his statement is committed."""
        if self._heights.get(data) != receipted.height:
            raise Violation(f"2: {name} acknowledged at height {receipted.height} what was not decided there")
        first = self.acknowledged.setdefault(data, (name, receipted))[1]
        if first != receipted:
            raise Violation(f"2: {name} acknowledged otherwise than before: {first} and {receipted}")

    def require_kept(self, member: Member) -> None:
        """All that anybody acknowledged stands on this member, up to its height."""
        store = member.gateway.store
        height, begins = store.head().height, store.restored_height() or 0
        for data, (name, receipted) in self.acknowledged.items():
            if not begins < receipted.height:
                continue
            if receipted.height > height and name != member.name:
                continue
            stored = store.statement_of_digest(receipted.digest)
            found = stored and (stored.leaf, stored.height, stored.outcomes, stored.statement.data)
            if found != (receipted.leaf, receipted.height, receipted.outcomes, data):
                raise Violation(f"2: {member.name} has lost what {name} acknowledged at height {receipted.height}")

    def require_whole(self, member: Member) -> None:
        """Every leaf of a member's log is accounted for: one for each statement, evidence and block, and genesis."""
        store = member.gateway.store
        blocks = [block for height, block in self.decided.items() if height <= store.head().height]
        leaves = sum(len(one.statements) + bool(one.offence) + 1 for one in blocks if not one.is_empty)
        if store.head().log.size != leaves + 1:
            raise Violation(f"3: the log of {member.name} has {store.head().log.size} leaves, not {leaves + 1}")
        if store.head().app_hash != self.app_hash(store.head().height):
            raise Violation(f"1: {member.name} has another app hash at rest")

    def require_one_check(self, member: Member) -> None:
        """No process of a member has checked a signature twice, and none has applied one unchecked."""
        for application in member.applications:
            counts = application.check.counts
            if any(count > 1 for count in counts.values()):
                raise Violation(f"9: {member.name} checked one signature {max(counts.values())} times")
