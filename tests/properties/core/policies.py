"""What Hypothesis draws for policies: well-typed ones, facts of every sort, and a second, plain evaluator."""

from __future__ import annotations

from datetime import date, timedelta
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any, TypeAlias

from hypothesis import assume
from hypothesis import strategies as st

from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy import Clause, Expression, FactType, Policy, PolicyError, Stated, parse_policy
from cellvow.core.contracts.policy.language import compose
from cellvow.core.contracts.policy.layout import render_policy
from cellvow.core.primitives.limits import INTEGER_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DECLARED = {
    "accredited": FactType("boolean"),
    "class": FactType("word", ("a", "b", "c")),
    "cycles": FactType("integer"),
    "events": FactType("word", (), 4),
    "mass": FactType("integer"),
    "passed": FactType("boolean", (), 3),
    "readings": FactType("integer", (), 4),
    "standard": FactType("word"),
    "tested_on": FactType("date"),
    "today": FactType("date"),
    "visits": FactType("date", (), 3),
}
WORDS = ("a", "b", "c")
COMPARE = {"=": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
Plain: TypeAlias = Any  # a number, a word, a date, a truth value or None, in a plainly untyped evaluator
Values = dict[str, Any]

numbers = st.one_of(st.integers(-20, 20), st.sampled_from((INTEGER_MAX, -INTEGER_MAX)))
days = st.one_of(
    st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.sampled_from((date(1000, 1, 1), date(2999, 12, 31)))
).map(date.isoformat)
right: dict[str, st.SearchStrategy[int | str | bool]] = {
    "integer": numbers,
    "date": days,
    "boolean": st.booleans(),
    "word": st.sampled_from(WORDS),
}
anything = st.one_of(
    st.none(), st.integers(), st.booleans(), st.text(max_size=4), days, st.sampled_from((10**5000, "2026-02-30"))
)
provenances = st.one_of(
    st.none(), st.builds(Provenance, statement=st.sampled_from(("aa" * 32, "bb" * 32)), index=st.integers(0, 3))
)


def literals(kind: str) -> st.SearchStrategy[Expression]:
    """A literal of a kind."""
    return right[kind].map(lambda value: compose(kind, (), value))


@st.composite
def values(draw: st.DrawFn, kind: str, depth: int, element: str | None) -> Expression:
    """An expression of a kind; `element` is the kind of `it`, inside a quantifier."""
    facts = [name for name, declared in DECLARED.items() if declared.kind == kind and not declared.list_max]
    options = ["literal", "fact", "fact"] + (["it"] * 3 if element == kind else [])
    if depth and kind in ("integer", "date"):
        options += ["arithmetic"] + ([] if element else ["quantifier"])
    choice = draw(st.sampled_from(options))
    if choice == "arithmetic":
        signs = "+-*" if kind == "integer" else "+-"
        parts = [draw(values(part, depth - 1, element)) for part in (kind, "integer")]
        return compose(draw(st.sampled_from(signs)), parts)
    if choice == "quantifier":
        lists = [name for name, declared in DECLARED.items() if declared.kind == kind and declared.list_max]
        operators = ("min", "max", "sum", "count") if kind == "integer" else ("min", "max")
        return compose(draw(st.sampled_from(operators)), (), draw(st.sampled_from(lists)))
    if choice == "it":
        return compose("it", ())
    return draw(literals(kind)) if choice == "literal" else compose("fact", (), draw(st.sampled_from(facts)))


@st.composite
def comparisons(draw: st.DrawFn, depth: int, element: str | None) -> Expression:
    """A comparison or a membership."""
    kind = draw(st.sampled_from(("integer", "date", "boolean", "word")))
    left = draw(values(kind, depth, element))
    if draw(st.booleans()):
        members = draw(st.lists(literals(kind), min_size=1, max_size=3, unique_by=lambda member: member.value))
        return compose(draw(st.sampled_from(("in", "not in"))), [left, *sorted(members, key=lambda m: m.value)])
    signs = tuple(COMPARE) if kind in ("integer", "date") else ("=", "!=")
    return compose(draw(st.sampled_from(signs)), [left, draw(values(kind, depth, element))])


@st.composite
def quantified(draw: st.DrawFn, depth: int) -> Expression:
    """A condition over a list."""
    name = draw(st.sampled_from([name for name, declared in DECLARED.items() if declared.list_max]))
    kind = DECLARED[name].kind
    about_it = compose(draw(st.sampled_from(("=", "!="))), [compose("it", ()), draw(literals(kind))])
    inner = about_it
    if draw(st.booleans()):
        inner = compose(draw(st.sampled_from(("and", "or"))), [about_it, draw(conditions(depth - 1, kind))])
    operator = draw(st.sampled_from(("all", "any", "count")))
    found = compose(operator, [inner], name)
    return (
        found
        if operator != "count"
        else compose(draw(st.sampled_from(("<", ">="))), [found, draw(literals("integer"))])
    )


@st.composite
def conditions(draw: st.DrawFn, depth: int, element: str | None) -> Expression:
    """A condition."""
    options = ["comparison", "fact"]
    if depth > 0:
        options += ["and", "or", "not"] + ([] if element else ["quantified"])
    choice = draw(st.sampled_from(options))
    if choice == "quantified":
        return draw(quantified(depth))
    if choice in ("and", "or"):
        return compose(choice, draw(st.lists(conditions(depth - 1, element), min_size=2, max_size=3)))
    if choice == "not":
        return compose("not", [draw(conditions(depth - 1, element))])
    return compose("fact", (), "accredited") if choice == "fact" else draw(comparisons(max(depth, 0), element))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A well-typed policy; those with conditions that can never hold are drawn again."""
    drawn = draw(st.lists(conditions(2, None), min_size=1, max_size=3))
    clauses = tuple(Clause(f"clause_{place}", condition) for place, condition in enumerate(drawn))
    policy = Policy("drawn", DECLARED, clauses)
    try:
        parse_policy(render_policy(policy))
    except PolicyError as error:
        assume(not error.complaint.startswith(("cannot hold together", "never equal")))
        raise
    return policy


@st.composite
def sound_facts(draw: st.DrawFn) -> dict[str, tuple[Stated, ...]]:
    """Every declared fact, known and of its type."""
    return {
        name: tuple(
            Stated(value, draw(provenances))
            for value in draw(st.lists(right[kind.kind], min_size=not kind.list_max, max_size=kind.list_max or 1))
        )
        for name, kind in DECLARED.items()
    }


wild_facts = st.dictionaries(
    st.sampled_from((*DECLARED, "unrelated")),
    st.lists(st.builds(Stated, st.one_of(anything, *right.values()), provenances), max_size=5).map(tuple),
)


def read_values(facts: Mapping[str, Sequence[Stated]]) -> Values:
    """Sound or missing facts as plain values for the second evaluator; dates as dates."""
    found: Values = {}
    for name, declared in DECLARED.items():
        plain = [_plain(stated.value, declared.kind) for stated in facts[name]] if name in facts else None
        found[name] = plain if declared.list_max or plain is None else plain[0]
    return found


def _plain(value: Plain, kind: str) -> Plain:
    return date.fromisoformat(value) if kind == "date" and value is not None else value


class Reference:
    """A second evaluator, over the data of a policy; `missing` is what it makes of a condition it cannot decide."""

    def __init__(self, facts: Values, missing: bool | None = None) -> None:
        self.facts = facts
        self.missing = missing

    def verdict(self, document: Plain) -> bool | None:
        """True, False or None for a whole policy."""
        whole: bool | None = self.both([self.value(clause["condition"], None) for clause in document["clauses"]])
        return whole

    def both(self, parts: list[Any]) -> Plain:
        """Kleene's and."""
        return False if False in parts else None if None in parts else True

    def either(self, parts: list[Any]) -> Plain:
        """Kleene's or."""
        return True if True in parts else None if None in parts else False

    def value(self, written: list[Any], it: Plain) -> Plain:
        """What an expression is."""
        operator, *rest = written
        if operator in ("integer", "word", "boolean"):
            return rest[0]
        if operator == "date":
            return date.fromisoformat(rest[0])
        if operator in ("fact", "it"):
            return it if operator == "it" else self.facts[rest[0]]
        if operator in ("all", "any", "count", "sum", "min", "max"):
            return self.over(operator, self.facts[rest[0]], rest[1:])
        return self.compound(operator, [self.value(part, it) for part in rest])

    def compound(self, operator: str, parts: list[Any]) -> Plain:
        """What follows from the parts."""
        if operator in ("and", "or"):
            return self.both(parts) if operator == "and" else self.either(parts)
        if None in parts:
            return None if operator in "+-*" else self.missing
        if operator in ("in", "not in", "not"):
            return not parts[0] if operator == "not" else (parts[0] in parts[1:]) == (operator == "in")
        return COMPARE[operator](*parts) if operator in COMPARE else self.sum(operator, *parts)

    def sum(self, operator: str, left: Plain, right: Plain) -> Plain:
        """Arithmetic within the bounds of the language."""
        try:
            if isinstance(left, date) and isinstance(right, date):
                return (left - right).days
            if isinstance(left, date):
                found = left + timedelta(days=right if operator == "+" else -right)
                return found if 1000 <= found.year <= 2999 else None
        except OverflowError:
            return None
        number = {"+": left + right, "-": left - right, "*": left * right}[operator]
        return number if abs(number) <= INTEGER_MAX else None

    def over(self, operator: str, listed: list[Any] | None, condition: list[Any]) -> Plain:
        """A quantifier over a list."""
        if listed is None:
            return self.missing if operator in ("all", "any") else None
        if operator == "count" and not condition:
            return len(listed)
        found = [self.value(condition[0], it) for it in listed] if condition else listed
        if operator in ("all", "any"):
            return self.both(found) if operator == "all" else self.either(found)
        if None in found or (not found and operator in ("min", "max")):
            return None
        total = {"min": min, "max": max}.get(operator, sum)(found)
        return total if isinstance(total, date) or abs(total) <= INTEGER_MAX else None
