"""What would change a clause's answer: sought by evaluating it again with other values of what a new test can change.

Sentences are a key and parameters; whoever shows them puts them into words (docs/reference/acceptance.md lists them).
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeAlias

from cellvow.core.contracts.policy import Clause, Expression, Policy, Stated, evaluate_policy
from cellvow.core.contracts.policy.calendar import DAY_MAX, DAY_MIN, parse_day, render_day
from cellvow.core.contracts.policy.facts import read_single, read_stated
from cellvow.core.contracts.policy.language import KINDS, QUANTIFIERS, FactType, Literals
from cellvow.core.primitives.limits import INTEGER_MAX
from cellvow.passport.acceptance.facts import FACTS
from cellvow.passport.acceptance.reading import BEYOND, NO_END, NOT_SHOWN, NOT_STATED, WITHHELD, Known

Parameter: TypeAlias = str | int
CHANGES_MAX = 16
"""Sentences for one clause."""
_UNKNOWN_KEYS = {
    WITHHELD: "change.withheld",
    NOT_SHOWN: "change.not_shown",
    NOT_STATED: "change.not_stated",
    NO_END: "change.no_end",
    BEYOND: "change.beyond",
    "statements differ": "change.differ",
    "not recorded": "change.not_recorded",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Sentence:
    """A key of the text catalogues and its parameters, in order."""

    key: str
    parameters: tuple[tuple[str, Parameter], ...] = ()


def say(key: str, **parameters: Parameter) -> Sentence:
    """A sentence of named parameters."""
    return Sentence(key, tuple(sorted(parameters.items())))


def find_changes(policy: Policy, clause: Clause, known: Known) -> tuple[Sentence, ...]:
    """What would make a clause that is missed or unknown be met; empty where it is met."""
    trial = _Trial(policy, known)
    if trial.truth(clause.condition) is True:
        return ()
    found = dict.fromkeys(trial.changes(clause.condition, wanted=True))
    return tuple(found)[:CHANGES_MAX]


class _Trial:
    """One policy's expressions, evaluated on the facts known and on others put in their place."""

    def __init__(self, policy: Policy, known: Known) -> None:
        self.policy = policy
        self.known = known

    def truth(self, condition: Expression, **instead: tuple[Stated, ...]) -> Literals | None:
        alone = dataclasses.replace(self.policy, clauses=(Clause("alone", condition),))
        return evaluate_policy(alone, self.known.facts | instead).clauses[0].value

    def changes(self, condition: Expression, *, wanted: bool) -> Iterator[Sentence]:
        """The sentences for a condition that is not what is wanted of it."""
        if condition.operator == "not":
            yield from self.changes(condition.parts[0], wanted=not wanted)
        elif condition.operator in ("and", "or"):
            lacking = [part for part in condition.parts if self.truth(part) is not wanted]
            if (condition.operator == "or") is wanted and len(lacking) > 1:
                yield say("change.one_of", count=len(lacking))
            for part in lacking:
                yield from self.changes(part, wanted=wanted)
        elif self.truth(condition) is None:
            yield from self.unknown(condition)
        else:
            yield from self.needed(condition, wanted=wanted)

    def unknown(self, condition: Expression) -> Iterator[Sentence]:
        """Which facts are missing, and who could supply them."""
        for name in facts_in(condition):
            reason = self.reason(name)
            if reason:
                yield say(_UNKNOWN_KEYS.get(reason, "change.unreadable"), fact=name)

    def reason(self, name: str) -> str:
        """Why a fact is unknown; empty where it is not."""
        if name in self.known.absent:
            return self.known.absent[name]
        stated, declared = self.known.facts.get(name), self.policy.facts[name]
        if stated is None or not declared.list_max:
            return read_single(stated, declared).reason
        single = FactType(declared.kind, declared.words)
        reasons = [read_stated(one, single).reason for one in stated]
        return next((reason for reason in reasons if reason), "")

    def needed(self, condition: Expression, *, wanted: bool) -> Iterator[Sentence]:
        """Which value of what a test states would do; where none does, no new test will."""
        names = facts_in(condition)
        found = [self.alternative(name, condition, wanted=wanted) for name in names if FACTS[name].origin == "test"]
        sentences = [sentence for sentence in found if sentence is not None]
        fixed = [say("change.fixed", fact=name) for name in names if FACTS[name].origin not in ("test", "asker")]
        yield from sentences or fixed or [say("change.another_test")]

    def alternative(self, name: str, condition: Expression, *, wanted: bool) -> Sentence | None:
        kind = self.policy.facts[name].kind
        if FACTS[name].form == "list" and kind == "word":
            return self.listed(name, condition, wanted=wanted)
        if kind in ("integer", "date"):
            return self.number(name, condition, wanted=wanted)
        options: list[Literals] = [True, False] if kind == "boolean" else list(_words(condition, self.policy, name))
        fitting = [option for option in options if self.truth(condition, **{name: (Stated(option),)}) is wanted]
        if fitting:
            spelled = [str(option).lower() if kind == "boolean" else str(option) for option in fitting]
            return say("change.word", fact=name, words=", ".join(spelled))
        unlike = self.truth(condition, **{name: (Stated("another"),)}) if kind == "word" else None
        return say("change.other_word", fact=name, words=", ".join(map(str, options))) if unlike is wanted else None

    def listed(self, name: str, condition: Expression, *, wanted: bool) -> Sentence | None:
        if self.truth(condition, **{name: ()}) is wanted:
            return say("change.none_of", fact=name, words=", ".join(_words(condition, self.policy, name)))
        words = _words(condition, self.policy, name)
        whole = (*self.known.facts.get(name, ()), *(Stated(word) for word in words))
        if self.truth(condition, **{name: whole}) is wanted:
            return say("change.includes", fact=name, words=", ".join(words))
        return None

    def number(self, name: str, condition: Expression, *, wanted: bool) -> Sentence | None:
        is_date = self.policy.facts[name].kind == "date"
        low, high = (DAY_MIN, DAY_MAX) if is_date else (-INTEGER_MAX, INTEGER_MAX)

        def holds(number: int) -> bool:
            value = render_day(number) if is_date else number
            return self.truth(condition, **{name: (Stated(value),)}) is wanted

        now = self.number_now(name, is_date=is_date)
        found = [_nearest(holds, now, bound) for bound in (high, low)]
        reached = [number for number in (*found, *_literals_near(condition)) if number is not None and holds(number)]
        if not reached:
            return None
        nearest = min(reached, key=lambda number: abs(number - now))
        step = 1 if nearest > now else -1
        beyond = low <= nearest + step <= high and holds(nearest + step)
        direction = ("at_least" if step > 0 else "at_most") if beyond else "exactly"
        return say(f"change.{direction}", fact=name, value=render_day(nearest) if is_date else nearest)

    def number_now(self, name: str, *, is_date: bool) -> int:
        values = [stated.value for stated in self.known.facts.get(name, ()) if stated.value is not None]
        if not values:
            return DAY_MIN if is_date else 0
        return (parse_day(str(values[0])) or DAY_MIN) if is_date else int(values[0])


def facts_in(expression: Expression) -> tuple[str, ...]:
    """The facts that an expression looks up, in the order it names them."""
    own = [str(expression.value)] if expression.operator in ("fact", *QUANTIFIERS) else []
    inner = [name for part in expression.parts for name in facts_in(part)]
    return tuple(dict.fromkeys([*own, *inner]))


def _literals_in(expression: Expression) -> list[Expression]:
    own = [expression] if expression.operator in KINDS else []
    return own + [literal for part in expression.parts for literal in _literals_in(part)]


def _literals_near(expression: Expression) -> list[int]:
    """Numbers at and beside the literals: where an equality can hold."""
    numbers = [
        parse_day(str(one.value)) or 0 if one.operator == "date" else int(one.value)
        for one in _literals_in(expression)
        if one.operator in ("integer", "date")
    ]
    return [near for number in numbers for near in (number - 1, number, number + 1) if abs(near) <= INTEGER_MAX]


def _words(condition: Expression, policy: Policy, name: str) -> tuple[str, ...]:
    named = [str(one.value) for one in _literals_in(condition) if one.operator == "word"]
    return tuple(dict.fromkeys([*named, *policy.facts[name].words]))


def _nearest(holds: Callable[[int], bool], now: int, bound: int) -> int | None:
    """The first number from `now` towards `bound` that holds, for a condition that stays so from there on."""
    step, sign = 1, 1 if bound > now else -1
    failing = now
    while True:
        reached = now + sign * step
        if (reached - bound) * sign >= 0:
            reached = bound
        if holds(reached):
            break
        if reached == bound:
            return None
        failing, step = reached, step * 2
    while abs(reached - failing) > 1:
        middle = (reached + failing) // 2
        failing, reached = (failing, middle) if holds(middle) else (middle, reached)
    return reached
