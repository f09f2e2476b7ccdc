"""Policies at their edges: bounds and one past them, errors that point, calendars, forged data."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy import (
    PolicyError,
    Stated,
    Verdict,
    decode_policy,
    encode_policy,
    evaluate_policy,
    explain_evaluation,
    parse_policy,
    policy_digest,
    render_policy,
    verify_evaluation,
)
from cellvow.core.contracts.policy.calendar import DAY_MAX, DAY_MIN, parse_day, render_day
from cellvow.core.contracts.policy.consistency import DEMANDS_MAX
from cellvow.core.contracts.policy.language import (
    CLAUSES_MAX,
    EXPRESSION_DEPTH_MAX,
    FACTS_MAX,
    LIST_MAX,
    OPERATIONS_MAX,
    POLICY_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    WORDS_MAX,
)
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.limits import INTEGER_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD = "policy p facts n: integer m: integer d: date b: boolean w: word l: list of at most 256 integer clause c: "
SOURCE = Provenance(statement="ab" * 32, index=1)


def complaint(text: str) -> str:
    """What is wrong with a text."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(text)
    return refused.value.complaint


def verdict(condition: str, **facts: int | str | bool | None) -> Verdict:
    """The verdict of one condition."""
    stated = {name: (Stated(value, SOURCE),) for name, value in facts.items()}
    return evaluate_policy(parse_policy(HEAD + condition), stated).verdict


def facts_text(count: int) -> str:
    """A policy that declares as many facts."""
    return "policy p facts " + " ".join(f"n{place}: boolean" for place in range(count)) + " clause c: n0"


def clauses_text(count: int) -> str:
    """A policy of as many clauses."""
    return "policy p facts b: boolean " + " ".join(f"clause c{place}: b" for place in range(count))


def words_text(count: int) -> str:
    """A policy with an enumeration and a set of as many words."""
    words = ", ".join(f'"w{place}"' for place in range(count))
    return f"policy p facts w: one of {words} clause c: w in {{{words}}}"


def parentheses_text(count: int) -> str:
    """A condition within as many parentheses."""
    return HEAD + "(" * count + "b" + ")" * count


def negations_text(count: int) -> str:
    """A condition as many levels deep, by negation."""
    return HEAD + "not " * (count - 1) + "b"


def sums_text(count: int) -> str:
    """A condition as many levels deep, by addition."""
    return HEAD + "n" + " + n" * (count - 2) + " > 0"


def list_text(bound: int) -> str:
    """A policy with a list of that bound."""
    return f"policy p facts l: list of at most {bound} integer clause c: sum(l) > 0"


@pytest.mark.parametrize(
    ("text", "most"),
    [
        (facts_text, FACTS_MAX),
        (clauses_text, CLAUSES_MAX),
        (words_text, WORDS_MAX),
        (parentheses_text, EXPRESSION_DEPTH_MAX - 1),
        (negations_text, EXPRESSION_DEPTH_MAX),
        (sums_text, EXPRESSION_DEPTH_MAX),
        (list_text, LIST_MAX),
    ],
)
def test_a_bound_holds_and_one_past_it_is_refused(text: Callable[[int], str], most: int) -> None:
    """As much as is allowed is read and stored; one more is an error that points."""
    policy = parse_policy(text(most))

    assert decode_policy(encode_policy(policy)) == policy
    assert complaint(text(most + 1))


def test_the_largest_integer_is_read_and_the_next_is_not() -> None:
    """Integers stay below 2^53 on both sides."""
    assert parse_policy(f"{HEAD}n < {INTEGER_MAX} and m > -{INTEGER_MAX}").clauses
    assert "at most" in complaint(f"{HEAD}n < {INTEGER_MAX + 1}")
    assert "at most" in complaint(f"{HEAD}n < -{INTEGER_MAX + 1}")
    assert "leading zero" in complaint(f"{HEAD}n < 007")


def test_a_text_that_is_too_long_is_refused_unread() -> None:
    """The length is looked at before anything else."""
    text = HEAD + "b"
    padded = text + " " * (TEXT_CHARACTERS_MAX - len(text))

    assert parse_policy(padded).clauses
    assert "characters" in complaint(padded + " ")


def test_work_is_bounded_before_any_fact_is_read() -> None:
    """A policy that could take more operations than allowed is refused, at the clause that is too much."""
    each = (LIST_MAX * 4) + 2
    clauses = [f"clause c{place}: any(l, it > {place})" for place in range(OPERATIONS_MAX // each + 1)]
    text = "policy p facts l: list of at most 256 integer "

    assert parse_policy(text + " ".join(clauses[:-1])).clauses
    assert f"at most {OPERATIONS_MAX}" in complaint(text + " ".join(clauses))


def test_contradictions_are_looked_for_among_so_many_conditions() -> None:
    """The last condition that is looked at is found to contradict the first; one further on is let through."""
    others = " ".join(f"clause c{place}: n != {place}" for place in range(1, DEMANDS_MAX - 1))
    found = f"{HEAD}n > 0 {others} clause last: n < 0"
    beyond = found.replace("clause last", "clause one_more: n != 0 clause last")

    assert "cannot hold together" in complaint(found)
    assert verdict(beyond.removeprefix(HEAD), n=1) is Verdict.NOT_MET


def test_a_policy_that_is_too_large_as_data_is_not_encoded() -> None:
    """Many short sums are short as text and long as data."""
    clauses = " ".join(f"clause c{place}: {' or '.join(['n+n+n+n+n+n > n'] * 7)}" for place in range(CLAUSES_MAX))
    policy = parse_policy(f"policy p facts n: integer {clauses}")

    with pytest.raises(Malformed, match=str(POLICY_BYTES_MAX)):
        encode_policy(policy)


REFUSED = {
    "": "expected 'policy', found the end of the text",
    "policy all": "cannot name a policy",
    "policy " + "p" * 65: "at most 64",
    "policy p facts clause c: true": "cannot name a fact",
    "policy p facts N: integer": "lower case",
    "policy p facts n: float": "a type",
    'policy p facts w: one of "a", "a"': "looks like 'a'",
    'policy p facts w: one of "a b", "a  b "': "looks like 'a b'",
    'policy p facts w: one of ""': "not a word",
    "policy p facts n: integer": "the name of a fact",
    HEAD: "a value",
    HEAD + "n": "expected a condition, found a value of type integer",
    HEAD + "n = d": "cannot compare a value of type integer with one of type date",
    HEAD + 'w < "a"': "no order",
    HEAD + "b = 1": "cannot compare",
    HEAD + "d + d > d": "there is no date + date",
    HEAD + "n - d > 0": "there is no integer - date",
    HEAD + "n < m < n": "an operator, 'clause' or the end",
    HEAD + "d > 2026-02-30": "no such day",
    HEAD + "n in {}": "a value",
    HEAD + "n in {1, 1}": "twice",
    HEAD + "n in {1, d}": "a value",
    HEAD + "n in l": "a set",
    HEAD + 'n in {1, "a"}': "cannot compare",
    HEAD + "all(n, it = 1)": "one value, not a list",
    HEAD + "all(l)": "','",
    HEAD + "all(l, b)": "nothing about 'it'",
    HEAD + "sum(l, it > 0) > 0": "')'",
    HEAD + "n > 0 clause c: b": "stands here twice",
    HEAD + "b clause d rumour: b": "law, standard or assumption",
    HEAD + 'b clause d law "": b': "not a citation",
    HEAD + "b and not b": "cannot hold together",
    HEAD + "n > 3 clause d: 4 > n": "cannot hold together",
    HEAD + 'w = "a" and w not in {"a", "b"}': "cannot hold together",
    HEAD + "n @ 3": "not part of the language",
    HEAD + "n > 3x": "an integer such as",
    HEAD + 'w = "a\nb"': "does not end on its line",
    "policy p facts w: list of at most 3 word clause c: sum(w) > 0": "no sum of values of type word",
    'policy p facts v: one of "a" w: one of "b" clause c: v = w': "share no word",
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_text_is_refused_with_what_was_expected(text: str) -> None:
    """Every mistake has its own sentence."""
    assert REFUSED[text] in complaint(text)


def test_an_error_shows_the_place() -> None:
    """Line, column, the line itself and a caret under the character."""
    with pytest.raises(PolicyError) as refused:
        parse_policy("policy p\nfacts n: integer\nclause c:\n  m > 3\n")

    assert str(refused.value) == ("line 4, column 3: 'm' is not declared under facts; declared are n\n    m > 3\n    ^")


def test_an_error_does_not_repeat_hostile_characters() -> None:
    """What turns the reading direction or commands a terminal is shown as a question mark."""
    with pytest.raises(PolicyError) as refused:
        parse_policy("policy p\u202e\x1b[2J")

    assert "policy p??[2J" in str(refused.value)
    assert "U+202E" in str(refused.value)


def test_operators_bind_as_written_down() -> None:
    """or, and, not, comparison, + and -, *: from loosest to tightest; parentheses only where they change something."""
    text = render_policy(parse_policy(HEAD + "((b) or (b and (not (n + (m * 2) > 3))) or (n - (m - 1)) * 2 = 0)"))

    assert text.endswith("  b or b and not n + m * 2 > 3 or (n - (m - 1)) * 2 = 0\n")


def test_the_calendar_is_the_gregorian_one() -> None:
    """Every year's first and last days and leap day, against Python's own calendar."""
    for year in range(1000, 3000):
        for month, day in ((1, 1), (2, 28), (2, 29), (3, 1), (12, 31)):
            text = f"{year:04}-{month:02}-{day:02}"
            try:
                expected: int | None = date.fromisoformat(text).toordinal()
            except ValueError:
                expected = None
            assert parse_day(text) == expected
            assert expected is None or render_day(expected) == text


def test_the_calendar_ends_at_both_ends() -> None:
    """The first and the last day are days, those beyond are not."""
    assert (DAY_MIN, DAY_MAX) == (parse_day("1000-01-01"), parse_day("2999-12-31"))
    for text in ("0999-12-31", "3000-01-01", "2026-13-01", "2026-00-01", "2026-01-00", "2026-1-1", "2026-01-01\n"):
        assert parse_day(text) is None


def test_a_result_out_of_range_is_unknown() -> None:
    """Neither wraps nor raises: there is no verdict."""
    assert verdict("n * m > 0", n=INTEGER_MAX, m=2) is Verdict.CANNOT_TELL
    assert verdict("n * m > 0", n=INTEGER_MAX, m=1) is Verdict.MET
    assert verdict("d + n > 2026-01-01", d="2026-01-01", n=INTEGER_MAX) is Verdict.CANNOT_TELL


@pytest.mark.parametrize("value", [True, "1", 10**5000, None, 1.5], ids=lambda value: type(value).__name__)
def test_a_value_that_is_no_integer_is_unknown(value: int) -> None:
    """A truth value, a text, a number beyond the bounds or an inexact one is not taken for an integer."""
    assert verdict("n = 1", n=value) is Verdict.CANNOT_TELL


def test_the_unknown_is_not_false() -> None:
    """Strong Kleene logic: what is decided without the unknown part is decided, the rest is not."""
    assert verdict("not b") is Verdict.CANNOT_TELL
    assert verdict("b or n > 0", n=1) is Verdict.MET
    assert verdict("b and n > 0", n=0) is Verdict.NOT_MET
    assert verdict("b or not b") is Verdict.CANNOT_TELL


def test_an_explanation_names_clause_fact_statement_and_reason() -> None:
    """Line by line, down to the recorded value."""
    policy = parse_policy(HEAD.replace("clause c", 'clause c law "Article 8"') + "n > 3 and b")
    evaluation = evaluate_policy(policy, {"n": (Stated(4, SOURCE),), "b": (Stated(None, missing="withheld"),)})

    assert explain_evaluation(evaluation) == (
        "cannot tell: policy p",
        '  unknown: clause c (law "Article 8")',
        "    unknown: n > 3 and b",
        "      met: n > 3",
        f"        n is 4, from statement {'ab' * 32} message 1",
        "      unknown: b, from whoever asks (withheld)",
    )


def test_an_explanation_that_cites_a_fact_in_two_ways_is_refused() -> None:
    """A value that is one thing in one clause and another in the next does not recompute."""
    policy = parse_policy(HEAD + "n > 3 clause d: n > 4")
    low, high = (evaluate_policy(policy, {"n": (Stated(value),)}) for value in (4, 5))

    with pytest.raises(VerificationError, match="in two ways"):
        verify_evaluation(policy, replace(high, clauses=(high.clauses[0], low.clauses[1])))


BASE = encode_policy(parse_policy(HEAD + "n > 3"))


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"policy": "p facts x: integer"},
        {"more": 1},
        {"facts": {"n": {"type": "real"}}},
        {"clauses": []},
        {"clauses": [{"condition": [">", ["fact", "n"], ["integer", "3"]], "name": "c"}]},
        {"clauses": [{"condition": [">", ["fact", "n"]], "name": "c"}]},
        {"clauses": [{"condition": ["exec", "n"], "name": "c"}]},
        {"clauses": [{"condition": [], "name": "c"}]},
        {"clauses": [{"condition": [">", 3, ["fact", "n"]], "name": "c"}]},
        {"clauses": [{"condition": [">", ["fact"], ["integer", 3]], "name": "c"}]},
        {"clauses": [{"condition": [">", ["fact", ["n"]], ["integer", 3]], "name": "c"}]},
        {"clauses": [{"condition": ["in", ["fact", "n"], ["integer", 3], ["integer", 2]], "name": "c"}]},
        {"clauses": [{"condition": ["=", ["fact", "w"], ["word", 'a" or w = "b']], "name": "c"}]},
    ],
)
def test_data_that_no_text_gives_is_refused(changed: dict[str, Json]) -> None:
    """Wrong versions, shapes, orders and texts smuggled into names are `Malformed`, never read as something else."""
    with pytest.raises(Malformed):
        decode_policy(encode_document(parse_object(BASE) | changed))


def test_a_policy_is_named_by_its_meaning_not_its_layout() -> None:
    """The digest is the same for every layout of the text, and another for another policy."""
    spread = (HEAD + "n > 3").replace(" ", "\n\t").replace("at\n\tmost", "at  most")

    assert policy_digest(parse_policy(spread)) == policy_digest(decode_policy(BASE))
    assert policy_digest(parse_policy(HEAD + "n > 4")) != policy_digest(decode_policy(BASE))
