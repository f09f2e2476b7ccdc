"""The bundle vectors are what the software makes and judges, and both verifiers give their verdicts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bundles.mutation import Case
from tests.bundles.vectors import make_disclosures, make_vectors
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_process import verify_lines

FOLDER = Path(__file__).parent / "vectors"
VECTORS, DISCLOSURES = (json.loads((FOLDER / f"{name}.json").read_text("utf-8")) for name in ("bundles", "disclosures"))
CASES = [*VECTORS["cases"], *DISCLOSURES["cases"]]


@pytest.mark.slow
def test_the_bundle_vectors_are_current() -> None:
    """`python tools/make_vectors.py` writes them."""
    assert make_vectors() == VECTORS
    assert make_disclosures() == DISCLOSURES


def test_every_check_has_a_bundle_that_fails_it() -> None:
    """A verifier that forgot any one of the checks fails on these vectors."""
    failing = {case["verdict"]["check"] for case in CASES if not case["verdict"]["ok"]}

    assert failing == set(range(14))


@pytest.mark.parametrize("number", range(len(CASES)))
def test_the_python_verifier_gives_the_verdict_of_vector(number: int) -> None:
    """From the file alone, as another implementation would read it."""
    case = CASES[number]
    trust = None if case["trust"] is None else case["trust"].encode()

    assert judge(Case(bytes.fromhex(case["bundle"]), trust, "vector")) == case["verdict"]


@pytest.mark.node
@pytest.mark.slow
def test_the_javascript_verifier_gives_the_same_verdicts() -> None:
    """The second verifier, on the same file."""
    given = [(bytes.fromhex(case["bundle"]), case["trust"]) for case in CASES]
    verdicts = []
    for said in verify_lines(given):
        names = FIELDS if said["ok"] else ("check",)
        verdicts.append({"ok": said["ok"], **{name: said[name] for name in names}})

    assert verdicts == [case["verdict"] for case in CASES]
