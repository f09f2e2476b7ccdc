"""Conditions on one fact that no value can meet together."""

import operator
from collections.abc import Callable
from typing import Any

from cellvow.core.contracts.policy.calendar import parse_day
from cellvow.core.contracts.policy.language import (
    COMPARISONS,
    KINDS,
    MEMBERSHIPS,
    Expression,
    FactType,
    Literals,
    Policy,
)
from cellvow.core.primitives.errors import ensure

COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
"""The comparisons, on values of one type; dates are days."""
_MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ANOTHER_WORD = ""

DEMANDS_MAX = 32
"""Conditions on one fact that are compared with each other; bounds the work that reading a policy can cause."""


def derive_literal(literal: Expression) -> Literals:
    """The value of a literal to compare and compute with: a date as its day."""
    if literal.operator != "date":
        return literal.value
    day = parse_day(str(literal.value))
    ensure(day is not None, "a date literal without a day passed the parser")
    return day or 0


def find_contradiction(policy: Policy) -> Expression | None:
    """The first condition that, with those before it, no value of its fact can meet.

    Looked at are the clauses' conditions of the form fact-and-literal, alone or joined by `and`: these must all
    hold; of each fact the first `DEMANDS_MAX`. The values at and beside every literal are tried; between them
    nothing changes.
    """
    demands: dict[str, list[Expression]] = {}
    for clause in policy.clauses:
        for demand in _joined(clause.condition):
            if (simple := _simplify(demand)) is not None:
                demands.setdefault(str(simple.parts[0].value), []).append(simple)
    for name, conditions in demands.items():
        looked_at = [(condition, _literals(condition)) for condition in conditions[:DEMANDS_MAX]]
        candidates = _candidates(policy.facts[name], [value for _, literals in looked_at for value in literals])
        for condition, literals in looked_at:
            candidates = [value for value in candidates if _holds(condition.operator, value, literals)]
            if not candidates:
                return condition
    return None


def _joined(condition: Expression) -> list[Expression]:
    if condition.operator != "and":
        return [condition]
    return [demand for part in condition.parts for demand in _joined(part)]


def _simplify(demand: Expression) -> Expression | None:
    """The demand as fact, operator, literals; None where it has another form."""
    parts, position = demand.parts, demand.position
    if demand.operator == "fact":
        return Expression("=", (demand, Expression("boolean", value=True)), "", position)
    if demand.operator == "not" and parts[0].operator == "fact":
        return Expression("=", (parts[0], Expression("boolean", value=False)), "", position)
    if demand.operator not in (*COMPARISONS, *MEMBERSHIPS):
        return None
    if parts[0].operator == "fact" and all(part.operator in KINDS for part in parts[1:]):
        return demand
    if parts[0].operator in KINDS and parts[-1].operator == "fact" and demand.operator in COMPARISONS:
        return Expression(_MIRRORED[demand.operator], parts[::-1], "", position)
    return None


def _literals(simple: Expression) -> dict[Literals, None]:
    return dict.fromkeys(derive_literal(literal) for literal in simple.parts[1:])


def _candidates(fact_type: FactType, named: list[Literals]) -> list[Literals]:
    if fact_type.kind == "boolean":
        return [True, False]
    if fact_type.kind == "word":
        return list(fact_type.words or dict.fromkeys([*map(str, named), _ANOTHER_WORD]))
    return list(dict.fromkeys(number + step for number in map(int, named) for step in (-1, 0, 1)))


def _holds(relation: str, value: Literals, literals: dict[Literals, None]) -> bool:
    if relation in MEMBERSHIPS:
        return (value in literals) == (relation == "in")
    return all(COMPARE[relation](value, literal) for literal in literals)
