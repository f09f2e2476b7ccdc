"""What an attack is: what is done, what it would gain, and what it leaves for others to look at."""

from collections.abc import Callable
from dataclasses import dataclass

from cellvow.workspace.attacks.scene import Scene

Report = Callable[[str], None]
"""Takes one line for the person who watches."""
RULES = "the ledger's rules"
"""The party that notices before anything happened: a node that keeps them refuses to take part."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one party said after looking, and how long that took; None where it saw nothing."""

    party: str
    words: str | None
    took_ms: int


@dataclass(frozen=True, slots=True)
class Deed:
    """What an attack leaves behind, beside the ledger that is now served.

    `bundle` is what a purchaser is shown; `refused` is what an honest node said that was asked to take part.
    """

    bundle: bytes
    refused: Look | None = None


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack. `does` goes on from "The operator" or whoever does it; `gains` holds if nobody looks."""

    name: str
    threats: tuple[str, ...]
    who: str
    does: str
    gains: str
    carry_out: Callable[[Scene, Report], Deed]
