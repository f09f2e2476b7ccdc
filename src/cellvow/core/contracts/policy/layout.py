"""The one canonical layout of a policy as text."""

from cellvow.core.contracts.policy.language import (
    ARITHMETIC,
    COMPARISONS,
    MEMBERSHIPS,
    QUANTIFIERS,
    Expression,
    FactType,
    Policy,
)

_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _ATOM = range(1, 8)
_LEVELS = (
    {"or": _OR, "and": _AND, "not": _NOT, "+": _SUM, "-": _SUM, "*": _PRODUCT}
    | dict.fromkeys(COMPARISONS, _COMPARISON)
    | dict.fromkeys(MEMBERSHIPS, _COMPARISON)
)
"""How tightly each operator binds; whatever is not named stands alone."""


def render_policy(policy: Policy) -> str:
    """The canonical text of a policy: facts by name, one clause a paragraph; parsing it gives the policy back."""
    lines = [f"policy {policy.name}", "facts"]
    lines += [f"  {name}: {render_type(policy.facts[name])}" for name in sorted(policy.facts)]
    for clause in policy.clauses:
        basis = f' {clause.basis} "{clause.citation}"' if clause.basis else ""
        lines += [f"clause {clause.name}{basis}:", f"  {render_expression(clause.condition)}"]
    return "\n".join(lines) + "\n"


def render_type(fact_type: FactType) -> str:
    """The text of a declared type."""
    words = ", ".join(f'"{word}"' for word in fact_type.words)
    single = f"one of {words}" if words else fact_type.kind
    return f"list of at most {fact_type.list_max} {single}" if fact_type.list_max else single


def render_expression(expression: Expression) -> str:
    """The text of an expression, in parentheses only where it would read otherwise without."""
    return _render(expression, _OR)


def _render(expression: Expression, level: int) -> str:
    own = _LEVELS.get(expression.operator, _ATOM)
    text = _render_compound(expression, own) if own < _ATOM else _render_atom(expression)
    return f"({text})" if own < level else text


def _render_compound(expression: Expression, own: int) -> str:
    operator, parts = expression.operator, expression.parts
    if operator == "not":
        return f"not {_render(parts[0], _NOT)}"
    if operator in MEMBERSHIPS:
        members = ", ".join(_render(member, _ATOM) for member in parts[1:])
        return f"{_render(parts[0], _SUM)} {operator} {{{members}}}"
    if operator in ARITHMETIC:
        return f"{_render(parts[0], own)} {operator} {_render(parts[1], own + 1)}"
    return f" {operator} ".join(_render(part, own + 1) for part in parts)


def _render_atom(expression: Expression) -> str:
    operator, value = expression.operator, expression.value
    if operator in QUANTIFIERS:
        conditions = [_render(part, _OR) for part in expression.parts]
        return f"{operator}({', '.join([str(value), *conditions])})"
    if operator == "it":
        return "it"
    if operator == "boolean":
        return "true" if value else "false"
    return f'"{value}"' if operator == "word" else str(value)
