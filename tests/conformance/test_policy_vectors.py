"""The policy vectors are what the software makes, and every case is decided as its name says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cellvow.core.contracts.policy import PolicyError, decode_policy, evaluate_policy, parse_policy
from tests.conformance.policy_cases import make_policies, read_facts
from tools.make_vectors import FOLDER, render

VECTORS: dict[str, Any] = json.loads((FOLDER / "policies.json").read_text("utf-8"))
UNMET = {
    "the test is a day too old",
    "a missed clause outweighs an unknown one",
    "an unknown element hides no known one",
}
MET = {"everything holds", "the test is as old as allowed", "two statements that agree"}


def test_the_policy_vectors_are_current() -> None:
    """`python tools/make_vectors.py` writes them."""
    assert render(make_policies()) == (FOLDER / "policies.json").read_text("utf-8")


@pytest.mark.parametrize("case", VECTORS["accepted"][0]["cases"], ids=lambda case: case["name"])
def test_the_data_alone_gives_the_verdict_that_the_name_promises(case: dict[str, Any]) -> None:
    """What is not met or missed is unknown; the empty list has no lowest capacity, yet is known to be empty."""
    policy = decode_policy(bytes.fromhex(VECTORS["accepted"][0]["bytes"]))
    expected = (
        "met" if case["name"] in MET | {"an empty list"} else "not met" if case["name"] in UNMET else "cannot tell"
    )

    assert expected == case["verdict"]
    assert expected == evaluate_policy(policy, read_facts(case["facts"])).verdict.value


@pytest.mark.parametrize("case", VECTORS["unreadable"], ids=lambda case: case["name"])
def test_a_text_is_refused_where_the_vector_says(case: dict[str, Any]) -> None:
    """The error points at the line and column of what is wrong."""
    with pytest.raises(PolicyError) as refused:
        parse_policy(case["text"])

    assert (case["line"], case["column"]) == (refused.value.line, refused.value.column)
