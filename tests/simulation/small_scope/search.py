"""Every state that any sequence of moves reaches in a small scope, each looked at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cellvow.core.protocol.ruleset import Ruleset
from tests.simulation.small_scope.stepping import Canonical, Move, State, Step, take_step

Moves = Callable[[State], Iterable[Move]]
Watch = Callable[[State, Move, Step], str | None]
"""(the state before, the move, what it came to) -> the promise that was broken, or None."""


@dataclass(frozen=True, slots=True)
class Found:
    """A promise that was broken, and the moves that lead there."""

    promise: str
    moves: tuple[Move, ...]

    def __str__(self) -> str:
        return "\n".join((self.promise, *map(str, self.moves)))


@dataclass(slots=True)
class Searched:
    """How far a search came: `is_complete` where no state was left."""

    states: int = 0
    steps: int = 0
    results: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    found: Found | None = None
    is_complete: bool = False

    def describe(self) -> str:
        """One line for a report."""
        refused = sum(count for name, count in self.results.items() if name.isupper())
        whole = "all there are" if self.is_complete else "the nearest ones"
        return (
            f"{self.states:,} states ({whole}), {self.steps:,} messages tried, {refused:,} refused for "
            f"{sum(name.isupper() for name in self.results)} reasons, {self.results['contested']:,} contested"
        )


def search(first: State, moves: Moves, watch: Watch, *, states_max: int, ruleset: Ruleset | None = None) -> Searched:
    """Breadth first from a state, until a promise breaks, `states_max` were seen, or none is left."""
    searched = Searched()
    came: dict[Canonical, tuple[Canonical | None, Move | None]] = {first.canonical: (None, None)}
    waiting: deque[State] = deque([first])
    while waiting:
        state = waiting.popleft()
        here = state.canonical
        searched.states += 1
        for move in moves(state):
            step = take_step(state, move, ruleset)
            searched.steps += 1
            searched.results[step.result] += 1
            searched.events.update(step.events)
            if step.state is state:
                continue
            broken = watch(state, move, step)
            if broken is not None:
                searched.found = Found(broken, (*_path(came, here), move))
                return searched
            there = step.state.canonical
            if there not in came and len(came) < states_max:
                came[there] = (here, move)
                waiting.append(step.state)
    searched.is_complete = len(came) < states_max
    return searched


def _path(came: dict[Canonical, tuple[Canonical | None, Move | None]], here: Canonical) -> list[Move]:
    moves: list[Move] = []
    place: Canonical | None = here
    while place is not None:
        place, move = came[place]
        if move is not None:
            moves.append(move)
    return moves[::-1]
