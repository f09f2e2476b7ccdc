"""From text to a policy: one function a rule of the grammar in docs/reference/policy.md."""

import re
from collections.abc import Callable, Sequence
from typing import Never, TypeVar

from cellvow.core.contracts.policy.calendar import parse_day
from cellvow.core.contracts.policy.checker import check_policy
from cellvow.core.contracts.policy.language import (
    BASES,
    CITATION_PATTERN,
    CLAUSES_MAX,
    COMPARISONS,
    EXPRESSION_DEPTH_MAX,
    FACTS_MAX,
    KINDS,
    LIST_MAX,
    NAME_PATTERN,
    QUANTIFIERS,
    RESERVED,
    WORD_PATTERN,
    WORDS_MAX,
    Clause,
    Expression,
    FactType,
    Literals,
    Policy,
    PolicyError,
    compose,
)
from cellvow.core.contracts.policy.tokens import Token, split_tokens
from cellvow.core.primitives.limits import INTEGER_MAX

_Member = TypeVar("_Member", Expression, Token)


def parse_policy(text: str) -> Policy:
    """The policy of a text; raises `PolicyError`, which points at the character that is wrong."""
    policy = _Parser(text).policy()
    check_policy(policy, text)
    return policy


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = split_tokens(text)
        self.place = 0
        self.nesting = 0

    # Steps

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def fail(self, complaint: str, token: Token) -> Never:
        raise PolicyError(complaint, self.text, token.position)

    def miss(self, expected: str) -> Never:
        found = repr(self.next.text) if self.next.kind != "end" else "the end of the text"
        self.fail(f"expected {expected}, found {found}", self.next)

    def is_next(self, *texts: str) -> bool:
        return self.next.kind in ("name", "sign") and self.next.text in texts

    def take(self) -> Token:
        token = self.next
        self.place += 1
        return token

    def expect(self, *words: str) -> Token:
        for word in words:
            if not self.is_next(word):
                self.miss(f"'{word}'")
            self.place += 1
        return self.tokens[self.place - 1]

    def name(self, what: str) -> Token:
        if self.next.kind != "name":
            self.miss(f"the name of a {what}")
        if self.next.text in RESERVED:
            self.fail(f"'{self.next.text}' is a word of the language and cannot name a {what}", self.next)
        if re.fullmatch(NAME_PATTERN, self.next.text) is None:
            self.fail("a name has at most 64 characters", self.next)
        return self.take()

    def number(self) -> int:
        if self.next.kind != "integer":
            self.miss("an integer")
        token = self.take()
        if len(token.text) > 1 and token.text[0] == "0":
            self.fail("an integer has no leading zero", token)
        if len(token.text) > 16 or int(token.text) > INTEGER_MAX:
            self.fail(f"an integer is at most {INTEGER_MAX}", token)
        return int(token.text)

    def quoted(self, what: str, pattern: str) -> Token:
        if self.next.kind != "text":
            self.miss(f"{what} in double quotes")
        if re.fullmatch(pattern, self.next.text) is None:
            self.fail(f"this is not {what}: it is empty, too long, or holds a character that is not allowed", self.next)
        return self.take()

    def series(self, parse: Callable[[], _Member]) -> list[_Member]:
        members = [parse()]
        while self.is_next(","):
            comma = self.take()
            if len(members) == WORDS_MAX:
                self.fail(f"more than {WORDS_MAX} members", comma)
            members.append(parse())
        return members

    # Declarations

    def policy(self) -> Policy:
        self.expect("policy")
        name = self.name("policy").text
        self.expect("facts")
        facts: dict[str, FactType] = {}
        while not facts or not self.is_next("clause"):
            self.fact(facts)
        clauses: list[Clause] = []
        while not clauses or self.next.kind != "end":
            self.clause(clauses)
        return Policy(name, dict(sorted(facts.items())), tuple(clauses))

    def fact(self, facts: dict[str, FactType]) -> None:
        name = self.name("fact")
        if name.text in facts:
            self.fail(f"'{name.text}' is declared twice", name)
        if len(facts) == FACTS_MAX:
            self.fail(f"more than {FACTS_MAX} facts", name)
        self.expect(":")
        facts[name.text] = self.fact_type()

    def fact_type(self) -> FactType:
        list_max = self.list_bound() if self.is_next("list") else 0
        if self.is_next("one"):
            self.expect("one", "of")
            return FactType("word", self.words(), list_max)
        kind = next((kind for kind in KINDS if self.is_next(kind)), None)
        if kind is None:
            self.miss("a type: integer, date, boolean, word, one of, or list of at most")
        self.take()
        return FactType(kind, (), list_max)

    def list_bound(self) -> int:
        self.expect("list", "of")
        if not self.is_next("at"):
            self.miss("'at most' and a number, for a list has a bound")
        self.expect("at", "most")
        bound = self.next
        number = self.number()
        if not 1 <= number <= LIST_MAX:
            self.fail(f"a list has a bound of 1 to {LIST_MAX}", bound)
        return number

    def words(self) -> tuple[str, ...]:
        words: dict[str, str] = {}
        for token in self.series(lambda: self.quoted("a word", WORD_PATTERN)):
            folded = " ".join(token.text.lower().split())
            if folded in words:
                self.fail(f"looks like '{words[folded]}' before it", token)
            words[folded] = token.text
        return tuple(sorted(words.values()))

    def clause(self, clauses: list[Clause]) -> None:
        self.expect("clause")
        name = self.name("clause")
        if name.text in [clause.name for clause in clauses]:
            self.fail(f"clause '{name.text}' stands here twice", name)
        if len(clauses) == CLAUSES_MAX:
            self.fail(f"more than {CLAUSES_MAX} clauses", name)
        basis = citation = ""
        if not self.is_next(":"):
            if not self.is_next(*BASES):
                self.miss("':', or what the clause rests on: law, standard or assumption")
            basis = self.take().text
            citation = self.quoted("a citation", CITATION_PATTERN).text
        self.expect(":")
        clauses.append(Clause(name.text, self.condition(), basis, citation))
        if self.next.kind != "end" and not self.is_next("clause"):
            self.miss("an operator, 'clause' or the end of the text")

    # Expressions, loosest first

    def condition(self) -> Expression:
        return self.nested(lambda: self.chain("or", lambda: self.chain("and", self.negation)))

    def nested(self, parse: Callable[[], Expression]) -> Expression:
        self.nesting += 1
        if self.nesting > EXPRESSION_DEPTH_MAX:
            self.fail(f"nested deeper than {EXPRESSION_DEPTH_MAX}", self.next)
        expression = parse()
        self.nesting -= 1
        return expression

    def build(self, operator: str, parts: Sequence[Expression], at: Token, value: Literals = "") -> Expression:
        expression = compose(operator, parts, value, at.position)
        if expression.depth > EXPRESSION_DEPTH_MAX:
            self.fail(f"nested deeper than {EXPRESSION_DEPTH_MAX}", at)
        return expression

    def chain(self, connective: str, parse: Callable[[], Expression]) -> Expression:
        at = self.next
        parts = [parse()]
        while self.is_next(connective):
            self.take()
            parts.append(parse())
        return parts[0] if len(parts) == 1 else self.build(connective, parts, at)

    def negation(self) -> Expression:
        if not self.is_next("not"):
            return self.comparison()
        at = self.take()
        return self.build("not", [self.nested(self.negation)], at)

    def comparison(self) -> Expression:
        left = self.total()
        if self.is_next(*COMPARISONS):
            at = self.take()
            return self.build(at.text, [left, self.total()], at)
        if self.is_next("in", "not"):
            at = self.next
            operator = "not in" if self.is_next("not") else "in"
            self.expect(*operator.split())
            return self.build(operator, [left, *self.members()], at)
        return left

    def members(self) -> list[Expression]:
        if not self.is_next("{"):
            self.miss('a set such as {"a", "b"}; for a list write any(facts, it = ...)')
        self.take()
        members: list[Expression] = []
        for member in self.series(self.literal):
            if member in members:
                raise PolicyError("stands in the set twice", self.text, member.position)
            members.append(member)
        self.expect("}")
        return sorted(members, key=lambda member: (member.operator, member.value))

    def total(self) -> Expression:
        return self.operation(("+", "-"), lambda: self.operation(("*",), self.atom))

    def operation(self, signs: tuple[str, ...], parse: Callable[[], Expression]) -> Expression:
        left = parse()
        while self.is_next(*signs):
            at = self.take()
            left = self.build(at.text, [left, parse()], at)
        return left

    def atom(self) -> Expression:
        at = self.next
        if self.is_next("("):
            self.take()
            inner = self.condition()
            self.expect(")")
            return inner
        if self.is_next("it"):
            return self.build("it", [], self.take())
        if self.is_next(*QUANTIFIERS):
            return self.quantifier()
        if at.kind == "name" and at.text not in RESERVED:
            return self.build("fact", [], at, self.name("fact").text)
        return self.literal()

    def literal(self) -> Expression:
        at = self.next
        if self.is_next("true", "false"):
            return self.build("boolean", [], at, self.take().text == "true")
        if self.is_next("-"):
            self.take()
            return self.build("integer", [], at, -self.number())
        if at.kind == "integer":
            return self.build("integer", [], at, self.number())
        if at.kind == "text":
            return self.build("word", [], at, self.quoted("a word", WORD_PATTERN).text)
        if at.kind != "date":
            self.miss("a value")
        if parse_day(at.text) is None:
            self.fail("there is no such day between 1000-01-01 and 2999-12-31", at)
        return self.build("date", [], at, self.take().text)

    def quantifier(self) -> Expression:
        at = self.take()
        self.expect("(")
        over = self.name("list").text
        parts: list[Expression] = []
        if at.text in ("all", "any") or (at.text == "count" and self.is_next(",")):
            self.expect(",")
            parts.append(self.condition())
        self.expect(")")
        return self.build(at.text, parts, at, over)
