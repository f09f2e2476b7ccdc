"""The policy vectors: a text with its data and digest, facts with their verdicts, and what is refused where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy import (
    PolicyError,
    Stated,
    encode_policy,
    evaluate_policy,
    explain_evaluation,
    parse_policy,
    policy_digest,
    render_policy,
)
from cellvow.core.primitives.errors import ensure

if TYPE_CHECKING:
    from collections.abc import Mapping

DESCRIPTION = (
    "Policies (policy.md). 'accepted': 'text' is laid out as 'layout', is as data the 'bytes', has the 'digest', and "
    "gives for each set of facts the verdict and the lines. 'unreadable': the text is refused at the line and column."
)
INTAKE = """\
policy intake
facts
  today: date
  tested_on: date
  class: one of "measured", "estimated", "declared"
  accredited: boolean
  capacities_mah: list of at most 4 integer
  rated_mah: integer
  events: list of at most 8 word
clause fresh assumption "one year": today - tested_on <= 365
clause trusted standard "ISO/IEC 17025:2017": accredited and class = "measured"
clause healthy: min(capacities_mah) * 100 >= rated_mah * 80 or (count(capacities_mah) = 0 and rated_mah > 0)
clause undamaged: not any(events, it in {"crash", "deep discharge"})
"""
FACTS: dict[str, Any] = {
    "accredited": [[True, "bb", 0]],
    "capacities_mah": [[30297, "aa", 2], [30335, "aa", 1]],
    "class": [["measured", "aa", 0]],
    "events": [["service", "cc", 7]],
    "rated_mah": [[33100, "dd", 0]],
    "tested_on": [["2026-03-01", "aa", 0]],
    "today": [["2026-11-24"]],
}
CASES: dict[str, dict[str, Any]] = {
    "everything holds": {},
    "the test is a day too old": {"today": [["2027-03-02"]]},
    "the test is as old as allowed": {"today": [["2027-03-01"]]},
    "nobody says whether the laboratory is accredited": {"accredited": None},
    "a value is withheld": {"capacities_mah": [[None, "aa", 1], [30335, "aa", 1]]},
    "a missed clause outweighs an unknown one": {"accredited": None, "events": [["crash", "cc", 7]]},
    "an unknown element hides no known one": {"events": [[None, "cc", 6], ["crash", "cc", 7]]},
    "an empty list": {"capacities_mah": [], "events": []},
    "a value of another type": {"rated_mah": [["33100", "dd", 0]]},
    "a word that is not declared": {"class": [["guessed", "aa", 0]]},
    "two statements that differ": {"rated_mah": [[33100, "dd", 0], [33000, "ee", 0]]},
    "two statements that agree": {"rated_mah": [[33100, "dd", 0], [33100, "ee", 0]]},
    "more values than declared": {"capacities_mah": [[30000 + place, "aa", place] for place in range(5)]},
    "nothing is known": dict.fromkeys(FACTS),
}
UNREADABLE = {
    "an unknown fact": ("tested_on <=", "tested_at <="),
    "a date compared with an integer": ("<= 365", "<= 2026-01-01"),
    "a fact declared twice": ("rated_mah: integer", "rated_mah: integer rated_mah: date"),
    "a list without a bound": ("list of at most 4 integer", "list of integer"),
    "a list with too large a bound": ("at most 4", "at most 257"),
    "a look-alike letter": ("tested_on <=", "test\u0435d_on <="),
    "a look-alike letter in a word": ('"crash"', '"cr\u0430sh"'),
    "a word that differs in case alone": ('"estimated"', '"Measured"'),
    "a word that the enumeration lacks": ('class = "measured"', 'class = "guessed"'),
    "a contradiction": ('class = "measured"', 'class = "measured" and class = "declared"'),
    "a list used as a value": ("count(capacities_mah) = 0", "capacities_mah = 0"),
    "a quantifier inside another": ('it in {"crash"', 'count(events) = 1 and it in {"crash"'),
    "an element outside a list": ("rated_mah > 0", "it > 0"),
    "a fraction": ("365", "365.5"),
}


def read_facts(written: Mapping[str, Any]) -> dict[str, tuple[Stated, ...]]:
    """Facts of a vector: a name with a list of [value, first byte of the statement, message]; null is not recorded."""
    return {name: tuple(_stated(*one) for one in values) for name, values in written.items() if values is not None}


def make_policies() -> dict[str, Any]:
    """The content of the vector file."""
    policy = parse_policy(INTAKE)
    accepted = {
        "name": "intake",
        "text": INTAKE,
        "layout": render_policy(policy),
        "bytes": encode_policy(policy).hex(),
        "digest": policy_digest(policy).hex(),
        "cases": [_case(name, FACTS | change) for name, change in CASES.items()],
    }
    unreadable = [_refusal(name, *change) for name, change in UNREADABLE.items()]
    return {"description": DESCRIPTION, "accepted": [accepted], "unreadable": unreadable}


def _stated(value: int | str | bool | None, statement: str = "", index: int = 0) -> Stated:
    source = Provenance(statement=statement * 32, index=index) if statement else None
    return Stated(value, source, "withheld" if value is None else "")


def _case(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    evaluation = evaluate_policy(parse_policy(INTAKE), read_facts(facts))
    lines = list(explain_evaluation(evaluation))
    return {"name": name, "facts": facts, "verdict": evaluation.verdict.value, "lines": lines}


def _refusal(name: str, old: str, new: str) -> dict[str, Any]:
    text = INTAKE.replace(old, new)
    place: dict[str, Any] = {}
    try:
        parse_policy(text)
    except PolicyError as error:
        place = {"line": error.line, "column": error.column, "complaint": error.complaint}
    ensure(bool(place), f"{name} is accepted")
    return {"name": name, "text": text, **place}
