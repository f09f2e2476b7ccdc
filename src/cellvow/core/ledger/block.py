"""A block: height, time, evidence against validators and signed statements, the same for every engine."""

from dataclasses import dataclass

from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.errors import InvalidBlock
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, BLOCK_STATEMENTS_MAX, INTEGER_MAX


@dataclass(frozen=True, slots=True)
class Block:
    """Statements in the order the engine gave them; `time_ms` is the only time contracts see."""

    height: int
    time_ms: int
    statements: tuple[Statement, ...]
    evidence: tuple[bytes, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it carries nothing: then it leaves the app hash as it was."""
        return not self.statements and not self.evidence


def check_block(block: Block, height: int, time_ms: int) -> None:
    """Raise `InvalidBlock` unless the block may follow one of `height` and `time_ms` and is within bounds."""
    if block.height <= height:
        raise InvalidBlock(f"block {block.height} cannot follow block {height}")
    if block.time_ms < time_ms:
        raise InvalidBlock(f"block {block.height} is earlier than its predecessor")
    if block.height > INTEGER_MAX or block.time_ms > INTEGER_MAX:
        raise InvalidBlock("height and time of a block stay below 2^53")
    if len(block.statements) > BLOCK_STATEMENTS_MAX:
        raise InvalidBlock(f"block {block.height} holds more than {BLOCK_STATEMENTS_MAX} statements")
    size = sum(len(statement.data) for statement in block.statements) + sum(map(len, block.evidence))
    if size > BLOCK_BYTES_MAX:
        raise InvalidBlock(f"block {block.height} is larger than {BLOCK_BYTES_MAX} bytes")
