"""Types, bounds and contradictions: what the grammar alone does not refuse."""

from collections.abc import Callable, Mapping
from typing import Never

from cellvow.core.contracts.policy.consistency import find_contradiction
from cellvow.core.contracts.policy.language import (
    ARITHMETIC,
    COMPARISONS,
    CONNECTIVES,
    EQUALITIES,
    KINDS,
    MEMBERSHIPS,
    OPERATIONS_MAX,
    QUANTIFIERS,
    Expression,
    FactType,
    Policy,
    PolicyError,
    derive_cost,
)

_BOOLEAN, _INTEGER, _DATE = FactType("boolean"), FactType("integer"), FactType("date")
_RESULTS = {
    ("integer", "+", "integer"): _INTEGER,
    ("integer", "-", "integer"): _INTEGER,
    ("integer", "*", "integer"): _INTEGER,
    ("date", "+", "integer"): _DATE,
    ("date", "-", "integer"): _DATE,
    ("date", "-", "date"): _INTEGER,
}


def check_policy(policy: Policy, text: str) -> None:
    """Raise `PolicyError` at the first place of `text` where types, bounds or conditions do not go together."""
    checker = _Checker(policy.facts, text)
    cost = 0
    for clause in policy.clauses:
        checker.condition(clause.condition, None)
        cost += derive_cost(clause.condition, policy.facts)
        if cost > OPERATIONS_MAX:
            checker.fail(f"needs {cost} operations up to here: at most {OPERATIONS_MAX} are allowed", clause.condition)
    contradiction = find_contradiction(policy)
    if contradiction is not None:
        checker.fail("cannot hold together with the conditions before it", contradiction)


class _Checker:
    def __init__(self, facts: Mapping[str, FactType], text: str) -> None:
        self.facts = facts
        self.text = text
        rules: dict[str, Callable[[Expression, FactType | None], FactType]] = {
            "fact": self.fact,
            "it": self.it,
            "not": self.connective,
        }
        rules |= dict.fromkeys(KINDS, self.literal)
        rules |= dict.fromkeys(CONNECTIVES, self.connective)
        rules |= dict.fromkeys(COMPARISONS, self.comparison)
        rules |= dict.fromkeys(MEMBERSHIPS, self.membership)
        rules |= dict.fromkeys(ARITHMETIC, self.arithmetic)
        self.rules = rules | dict.fromkeys(QUANTIFIERS, self.quantifier)

    def fail(self, complaint: str, expression: Expression) -> Never:
        raise PolicyError(complaint, self.text, expression.position)

    def type_of(self, expression: Expression, element: FactType | None) -> FactType:
        return self.rules[expression.operator](expression, element)

    def condition(self, expression: Expression, element: FactType | None) -> FactType:
        found = self.type_of(expression, element)
        if found.kind != "boolean":
            self.fail(f"expected a condition, found a value of type {found.kind}", expression)
        return found

    def literal(self, expression: Expression, _: FactType | None) -> FactType:
        kind = next(kind for kind in KINDS if kind == expression.operator)
        return FactType(kind, (str(expression.value),) if kind == "word" else ())

    def declared(self, expression: Expression) -> FactType:
        found = self.facts.get(str(expression.value))
        if found is None:
            known = ", ".join(self.facts)
            self.fail(f"'{expression.value}' is not declared under facts; declared are {known}", expression)
        return found

    def fact(self, expression: Expression, _: FactType | None) -> FactType:
        found = self.declared(expression)
        if found.list_max:
            self.fail(f"'{expression.value}' is a list: use all, any, count, sum, min or max of it", expression)
        return found

    def it(self, expression: Expression, element: FactType | None) -> FactType:
        if element is None:
            self.fail("'it' stands for an element, inside all(), any() or count() only", expression)
        return element

    def connective(self, expression: Expression, element: FactType | None) -> FactType:
        for part in expression.parts:
            self.condition(part, element)
        return _BOOLEAN

    def comparison(self, expression: Expression, element: FactType | None) -> FactType:
        left, right = (self.type_of(part, element) for part in expression.parts)
        self.comparable(left, right, expression)
        if expression.operator not in EQUALITIES and left.kind not in ("integer", "date"):
            self.fail(f"values of type {left.kind} have no order: use = or !=", expression)
        return _BOOLEAN

    def membership(self, expression: Expression, element: FactType | None) -> FactType:
        left = self.type_of(expression.parts[0], element)
        for member in expression.parts[1:]:
            self.comparable(left, self.literal(member, None), member)
        return _BOOLEAN

    def comparable(self, left: FactType, right: FactType, where: Expression) -> None:
        if left.kind != right.kind:
            self.fail(f"cannot compare a value of type {left.kind} with one of type {right.kind}", where)
        if left.words and right.words and not [word for word in left.words if word in right.words]:
            self.fail(f"never equal: {_quote(left.words)} and {_quote(right.words)} share no word", where)

    def arithmetic(self, expression: Expression, element: FactType | None) -> FactType:
        left, right = (self.type_of(part, element) for part in expression.parts)
        found = _RESULTS.get((left.kind, expression.operator, right.kind))
        if found is None:
            self.fail(f"there is no {left.kind} {expression.operator} {right.kind}", expression)
        return found

    def quantifier(self, expression: Expression, element: FactType | None) -> FactType:
        if element is not None:
            self.fail("no all, any, count, sum, min or max inside another", expression)
        over = self.declared(expression)
        if not over.list_max:
            self.fail(f"'{expression.value}' is one value, not a list", expression)
        single = FactType(over.kind, over.words)
        for part in expression.parts:
            self.condition(part, single)
            if not _speaks_of_it(part):
                self.fail("the condition says nothing about 'it', the element", part)
        return self.result(expression, single)

    def result(self, expression: Expression, single: FactType) -> FactType:
        if expression.operator in ("all", "any"):
            return _BOOLEAN
        if expression.operator == "count":
            return _INTEGER
        allowed = ("integer",) if expression.operator == "sum" else ("integer", "date")
        if single.kind not in allowed:
            self.fail(f"there is no {expression.operator} of values of type {single.kind}", expression)
        return single


def _speaks_of_it(expression: Expression) -> bool:
    return expression.operator == "it" or any(_speaks_of_it(part) for part in expression.parts)


def _quote(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words[:8])
