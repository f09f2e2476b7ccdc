"""The root exception, the families of errors by whose fault they are, and `ensure`."""

from typing import Never


class CellvowError(Exception):
    """Root of every error this package raises on purpose."""


class Malformed(CellvowError):
    """Bytes or text that are not the one accepted spelling of a value; the sender must mend them."""


class InvalidBlock(CellvowError):
    """A block whose content is undecodable, oversized or mis-signed: do not vote for it, do not apply it."""


class VerificationError(CellvowError):
    """The evidence does not hold.

    `check` is the number of the check that failed (docs/reference/formats.md), 0 where none applies.
    """

    def __init__(self, reason: str, *, check: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.check = check


class OperationalError(CellvowError):
    """Storage, engine or overload; trying again later makes sense unless the text says otherwise."""


class InvariantBroken(CellvowError):
    """Our own bug. The node stops rather than go on from a state it does not understand."""


def ensure(condition: bool, what: str) -> None:
    """Raise `InvariantBroken(what)` unless `condition` holds; unlike `assert` it stays on under `-O`."""
    if not condition:
        fail(what)


def fail(what: str) -> Never:
    """Raise `InvariantBroken`: for the branch that cannot be reached."""
    raise InvariantBroken(what)
