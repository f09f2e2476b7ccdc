"""What a story leaves behind: its trace, the states it reached, and the sentence that ended it."""

from __future__ import annotations

import hashlib
from collections import Counter


class Violation(AssertionError):
    """A promise of the consortium was broken; the first number is that of the invariant."""


class Died(Exception):
    """A process of a member ended: `what` is application, engine or both; `where` names the point."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{what} died {where}")
        self.what = what
        self.where = where


class Chronicle:
    """Everything that happens, as a running digest, and how often each situation was met."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.last: list[str] = []
        self._digest = hashlib.sha256()

    def note(self, situation: str, *facts: object) -> None:
        """Something happened: `situation` is counted, `facts` tell one occasion from another."""
        line = f"{situation} {facts}"
        self._digest.update(line.encode())
        self.last.append(line)
        self.reached[situation] += 1

    @property
    def trace(self) -> str:
        """The same for the same story."""
        return self._digest.hexdigest()
