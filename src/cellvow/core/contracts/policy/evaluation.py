"""The verdict of a policy on facts, by strong Kleene logic, as the steps that lead to it.

Nothing is cut short: every part of every clause is evaluated, so that the explanation is whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from cellvow.core.contracts.policy.consistency import COMPARE, derive_literal
from cellvow.core.contracts.policy.facts import (
    Facts,
    Reading,
    Stated,
    bound_number,
    read_single,
    read_stated,
    sort_stated,
)
from cellvow.core.contracts.policy.language import (
    ARITHMETIC,
    COMPARISONS,
    CONNECTIVES,
    KINDS,
    MEMBERSHIPS,
    QUANTIFIERS,
    Clause,
    Expression,
    FactType,
    Literals,
    Policy,
    derive_cost,
)
from cellvow.core.contracts.policy.layout import render_expression
from cellvow.core.primitives.errors import VerificationError, ensure


class Verdict(Enum):
    """What a policy says of the facts."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an explanation: what was evaluated, its value (None: unknown, with the reason), and from what.

    `fact` names the fact that was looked up and `sources` all that is recorded of it (None: nothing is). Of an
    element of a list, `fact` is empty and `sources` holds that element. `kind` is the type of `value`.
    """

    text: str
    kind: str
    value: Literals | None
    reason: str = ""
    fact: str = ""
    sources: tuple[Stated, ...] | None = None
    parts: "tuple[Step, ...]" = ()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The verdict, one step a clause with those below it, and how many operations it took."""

    policy: str
    verdict: Verdict
    clauses: tuple[Step, ...]
    operations: int


def evaluate_policy(policy: Policy, facts: Facts) -> Evaluation:
    """The verdict of a parsed policy on any facts whatever; facts it does not declare are not looked at."""
    evaluator = _Evaluator(policy, facts)
    clauses = tuple(evaluator.clause(clause) for clause in policy.clauses)
    cost = sum(derive_cost(clause.condition, policy.facts) for clause in policy.clauses)
    ensure(evaluator.operations <= cost, "an evaluation took more operations than its policy allows")
    return Evaluation(policy.name, derive_verdict([step.value for step in clauses]), clauses, evaluator.operations)


def derive_verdict(clauses: Sequence[Literals | None]) -> Verdict:
    """Met if all clauses are, not met if one is missed, otherwise unknown."""
    whole = _all(clauses)
    return Verdict.CANNOT_TELL if whole is None else Verdict.MET if whole else Verdict.NOT_MET


def verify_evaluation(policy: Policy, evaluation: Evaluation) -> Verdict:
    """The verdict, once the explanation is known to be the policy's on the facts that it cites itself.

    Raises `VerificationError` otherwise. That the statements cited say what is cited is for whoever holds them.
    """
    if evaluate_policy(policy, derive_cited(evaluation)) != evaluation:
        raise VerificationError("the explanation is not what the policy says of the facts it cites")
    return evaluation.verdict


def derive_cited(evaluation: Evaluation) -> dict[str, tuple[Stated, ...]]:
    """Every fact that the evaluation looked up, with all that is recorded of it; one with no entry is left out.

    Raises `VerificationError` where it cites a fact in two ways.
    """
    cited: dict[str, tuple[Stated, ...]] = {}
    for step in _walk(evaluation.clauses):
        if step.fact and step.sources is not None and cited.setdefault(step.fact, step.sources) != step.sources:
            raise VerificationError(f"the explanation cites {step.fact} in two ways")
    return cited


def _walk(steps: Sequence[Step]) -> list[Step]:
    return [found for step in steps for found in (step, *_walk(step.parts))]


def _all(values: Sequence[Literals | None]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if any(value is None for value in values) else True


def _not(value: Literals | None) -> bool | None:
    return None if value is None else not value


def _any(values: Sequence[Literals | None]) -> bool | None:
    return _not(_all([_not(value) for value in values]))


_CONNECT: dict[str, Callable[[Sequence[Literals | None]], bool | None]] = {
    "and": _all,
    "or": _any,
    "not": lambda values: _not(values[0]),
    "all": _all,
    "any": _any,
}
"""Truth values by strong Kleene logic; all and any are and and or over a list."""


class _Evaluator:
    def __init__(self, policy: Policy, facts: Facts) -> None:
        self.types = policy.facts
        self.facts = facts
        self.operations = 0
        rules: dict[str, Callable[[Expression, Step | None], Step]] = {
            "fact": self.fact,
            "it": self.it,
            "not": self.connective,
        }
        rules |= dict.fromkeys(KINDS, self.literal)
        rules |= dict.fromkeys(CONNECTIVES, self.connective)
        rules |= dict.fromkeys(COMPARISONS, self.comparison)
        rules |= dict.fromkeys(MEMBERSHIPS, self.comparison)
        rules |= dict.fromkeys(ARITHMETIC, self.arithmetic)
        self.rules = rules | dict.fromkeys(QUANTIFIERS, self.quantifier)

    def clause(self, clause: Clause) -> Step:
        basis = f' ({clause.basis} "{clause.citation}")' if clause.basis else ""
        condition = self.step(clause.condition, None)
        return Step(f"clause {clause.name}{basis}", "boolean", condition.value, parts=(condition,))

    def step(self, expression: Expression, element: Step | None) -> Step:
        self.operations += 1
        return self.rules[expression.operator](expression, element)

    def parts(self, expression: Expression, element: Step | None) -> list[Step]:
        return [self.step(part, element) for part in expression.parts]

    def literal(self, expression: Expression, _: Step | None) -> Step:
        return Step(render_expression(expression), expression.operator, derive_literal(expression))

    def it(self, expression: Expression, element: Step | None) -> Step:
        ensure(element is not None, f"'{expression.operator}' outside a quantifier passed the checker")
        return element or self.literal(expression, None)

    def stated(self, name: str) -> tuple[Stated, ...] | None:
        recorded = self.facts.get(name)
        return None if recorded is None else sort_stated(recorded)

    def fact(self, expression: Expression, _: Step | None) -> Step:
        name = str(expression.value)
        fact_type, sources = self.types[name], self.stated(name)
        reading = read_single(sources, fact_type)
        return Step(name, fact_type.kind, reading.value, reading.reason, name, sources)

    def connective(self, expression: Expression, element: Step | None) -> Step:
        steps = self.parts(expression, element)
        value = _CONNECT[expression.operator]([step.value for step in steps])
        return _derived(expression, "boolean", Reading(value), steps)

    def comparison(self, expression: Expression, element: Step | None) -> Step:
        steps = self.parts(expression, element)
        left, *others = (step.value for step in steps)
        if None in (left, *others):
            return _derived(expression, "boolean", Reading(None), steps)
        if expression.operator in MEMBERSHIPS:
            holds = (left in others) == (expression.operator == "in")
        else:
            holds = COMPARE[expression.operator](left, others[0])
        return _derived(expression, "boolean", Reading(holds), steps)

    def arithmetic(self, expression: Expression, element: Step | None) -> Step:
        left, right = steps = self.parts(expression, element)
        kind = "date" if left.kind == "date" and right.kind == "integer" else "integer"
        if left.value is None or right.value is None:
            return _derived(expression, kind, Reading(None), steps)
        a, b = int(left.value), int(right.value)
        result = {"+": a + b, "-": a - b, "*": a * b}[expression.operator]
        return _derived(expression, kind, bound_number(result, kind), steps)

    def quantifier(self, expression: Expression, _: Step | None) -> Step:
        fact_type = self.types[str(expression.value)]
        listed = self.listed(str(expression.value), fact_type)
        kind = {"all": "boolean", "any": "boolean", "count": "integer"}.get(expression.operator, fact_type.kind)
        if listed.value is None or listed.sources is None:
            return _derived(expression, kind, Reading(None), [listed])
        elements = [self.element(stated, fact_type) for stated in listed.sources]
        if expression.parts:
            elements = [self.step(expression.parts[0], element) for element in elements]
        reading = _reduce(expression, kind, [element.value for element in elements])
        return _derived(expression, kind, reading, [listed, *elements])

    def listed(self, name: str, fact_type: FactType) -> Step:
        self.operations += 1
        sources = self.stated(name)
        if sources is None:
            return Step(name, "list", None, "not recorded", name)
        if len(sources) > fact_type.list_max:
            return Step(name, "list", None, f"more than {fact_type.list_max} values", name, sources)
        return Step(name, "list", len(sources), "", name, sources)

    def element(self, stated: Stated, fact_type: FactType) -> Step:
        self.operations += 1
        reading = read_stated(stated, fact_type)
        return Step("it", fact_type.kind, reading.value, reading.reason, sources=(stated,))


def _derived(expression: Expression, kind: str, reading: Reading, steps: Sequence[Step]) -> Step:
    shown = list(steps)
    if expression.operator not in QUANTIFIERS:
        shown = [step for part, step in zip(expression.parts, steps, strict=True) if part.operator not in KINDS]
    return Step(render_expression(expression), kind, reading.value, reading.reason, parts=tuple(shown))


def _reduce(expression: Expression, kind: str, values: Sequence[Literals | None]) -> Reading:
    operator = expression.operator
    if operator in _CONNECT:
        return Reading(_CONNECT[operator](values))
    if operator == "count" and not expression.parts:
        return Reading(len(values))
    known = [int(value) for value in values if value is not None]
    if len(known) < len(values):
        return Reading(None)
    if operator in ("count", "sum"):
        return bound_number(sum(known), kind)
    if not known:
        return Reading(None, f"{operator} of an empty list")
    return Reading(min(known) if operator == "min" else max(known))
