"""What a policy is made of - facts, types, expressions, clauses - its bounds, and the error that points.

A policy declares the facts it asks for and says in clauses what must hold of them; it holds when all clauses do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from cellvow.core.primitives.errors import Malformed

TEXT_CHARACTERS_MAX = 32_000
"""A policy as text; its canonical layout is never longer than its data."""
POLICY_BYTES_MAX = 32_000
"""A policy as data: fits one message beside what the message says."""
FACTS_MAX = 64
"""Facts that one policy declares."""
CLAUSES_MAX = 64
"""Clauses of one policy."""
WORDS_MAX = 64
"""Words of one enumeration, and members of one set."""
LIST_MAX = 256
"""Largest bound that a list may declare."""
EXPRESSION_DEPTH_MAX = 12
"""Nesting of one condition: three levels of the document lie around it, and 16 are allowed."""
OPERATIONS_MAX = 10_000
"""Operations that one evaluation may take at worst, counted from the declared bounds before any fact is read."""

Kind: TypeAlias = Literal["integer", "date", "boolean", "word"]
Literals: TypeAlias = int | str | bool
"""The value of an integer, a word or date (`YYYY-MM-DD`), or a truth value."""

KINDS: tuple[Kind, ...] = ("integer", "date", "boolean", "word")
BASES = ("law", "standard", "assumption")
"""What a clause may rest on."""
EQUALITIES = ("=", "!=")
COMPARISONS = (*EQUALITIES, "<", "<=", ">", ">=")
MEMBERSHIPS = ("in", "not in")
CONNECTIVES = ("and", "or")
ARITHMETIC = ("+", "-", "*")
QUANTIFIERS = ("all", "any", "count", "sum", "min", "max")
RESERVED = ("clause", "and", "or", "not", "in", *QUANTIFIERS, "it", "true", "false")
"""Words that cannot name a fact, a clause or a policy."""

NAME_PATTERN = r"[a-z][a-z0-9_]{0,63}"
WORD_PATTERN = r"[A-Za-z0-9][A-Za-z0-9 ._:+/-]{0,63}"
CITATION_PATTERN = r"[A-Za-z0-9(][ !#-\[\]-~]{0,199}"


class PolicyError(Malformed):
    """A text that is not a policy: where it goes wrong (line and column, both from 1) and what is wrong there."""

    def __init__(self, complaint: str, text: str, position: int) -> None:
        before = text[:position]
        self.complaint = complaint
        self.line = before.count("\n") + 1
        self.column = position - (before.rfind("\n") + 1) + 1
        whole = text.split("\n")[self.line - 1]
        start = max(0, self.column - 80)
        shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in whole[start : start + 120])
        caret = " " * (self.column - 1 - start) + "^"
        super().__init__(f"line {self.line}, column {self.column}: {complaint}\n  {shown}\n  {caret}")


@dataclass(frozen=True, slots=True)
class FactType:
    """The type of a fact. `words` closes an enumeration (empty: any word); `list_max` > 0 makes it a list."""

    kind: Kind
    words: tuple[str, ...] = ()
    list_max: int = 0


@dataclass(frozen=True, slots=True)
class Expression:
    """An operator with its parts; literals, facts and quantifiers carry their value or the fact's name in `value`."""

    operator: str
    parts: "tuple[Expression, ...]" = ()
    value: Literals = ""
    position: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Clause:
    """A named condition, and what it rests on: one of `BASES` with a citation, or nothing said."""

    name: str
    condition: Expression
    basis: str = ""
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """The facts asked for, by name in order, and the clauses that must all hold."""

    name: str
    facts: Mapping[str, FactType]
    clauses: tuple[Clause, ...]


def compose(operator: str, parts: Sequence[Expression], value: Literals = "", position: int = 0) -> Expression:
    """An expression over its parts, with its depth."""
    depth = 1 + max((part.depth for part in parts), default=0)
    return Expression(operator, tuple(parts), value, position, depth)


def derive_cost(expression: Expression, facts: Mapping[str, FactType]) -> int:
    """Most operations that the expression can take: one a part, those under a quantifier once per element allowed."""
    parts = sum(derive_cost(part, facts) for part in expression.parts)
    if expression.operator not in QUANTIFIERS:
        return 1 + parts
    return 2 + facts[str(expression.value)].list_max * (1 + parts)
