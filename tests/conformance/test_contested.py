"""A contested claim proves nothing but that it was made and kept: neither verifier takes its statement for accepted."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives import signature
from cellvow.core.primitives.errors import VerificationError
from cellvow.verify import parse_trust, verify_bundle
from cellvow.verify.command import main
from tests.bundles import mutation
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_bundles import Kind, build_case
from tests.conformance.javascript_process import JavaScript, run_verifier, verify_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conformance.javascript_bundles import Change

OPENED = {
    "battery": "01/04012345123456/21/PACK-0001",
    "opener": "acme",
    "reference": "CLAIM-1",
    "type": "DisputeOpened",
}
CONTESTED = {"events": [OPENED], "result": "contested"}
SHAPES = pytest.mark.parametrize("is_batch", [False, True], ids=["single", "batch"])


HELD = {"events": [{"type": "MessageHeld"}], "result": "held"}
FIRST: dict[str, object] = {"events": [{"first": "00" * 16, **OPENED}], "result": "contested"}
KEPT = [(CONTESTED, "contested"), (HELD, "held")]
OF_NOTHING: list[dict[str, object]] = [
    {"events": [], "result": "contested"},
    {"events": [{"type": "DisputeOpened", "opener": "acme"}], "result": "contested"},
    {"events": [{"type": "DisputeOpened", "opener": "acme", "reference": 1}], "result": "contested"},
    {"events": [OPENED | {"type": "BatteryRegistered"}], "result": "contested"},
    {"events": [{"type": "MessageHeld"}], "result": "contested"},
    {"events": [], "result": "held"},
    {"events": [OPENED], "result": "held"},
    {"code": 404, "facts": {}, "result": "rejected"},
]
"""Outcomes that claim to keep something and do not name it, and a rejection: proven by nobody."""


def refusal(encoded: bytes, trust: str | None) -> VerificationError | None:
    """What the Python verifier says against a bundle."""
    try:
        verify_bundle(encoded, None if trust is None else parse_trust(trust.encode()), signature.is_valid)
    except VerificationError as error:
        return error
    return None


@SHAPES
def test_python_refuses_a_contested_statement_with_a_sentence(is_batch: bool) -> None:
    """At check 9, where a rejection fails too."""
    case = build_case(Kind(is_batch=is_batch), outcome=lambda _: CONTESTED)
    found = refusal(case.encoded, case.trust)

    assert found is not None
    assert found.check == 9
    assert "kept it as a claim against its registers: it changed none of them" in str(found)


def test_python_refuses_a_key_whose_registration_was_contested() -> None:
    """What did not happen admits nobody."""
    found = refusal(*_pair(registration_outcome=lambda _: CONTESTED))

    assert found is not None
    assert found.check == 6


@SHAPES
def test_python_takes_the_accepted_one(is_batch: bool) -> None:
    """Control: it is the outcome that these bundles fail by."""
    case = build_case(Kind(is_batch=is_batch))

    assert refusal(case.encoded, case.trust) is None


def _pair(**changes: object) -> tuple[bytes, str | None]:
    case = build_case(**changes)  # type: ignore[arg-type]  # changes by name
    return case.encoded, case.trust


@SHAPES
@pytest.mark.parametrize(("outcome", "name"), KEPT, ids=["contested", "held"])
def test_whoever_asks_what_was_kept_is_told_that_it_was_not_accepted(
    outcome: dict[str, object], name: str, is_batch: bool
) -> None:
    """It holds, and the result and its ninth step say what became of it."""
    case = build_case(Kind(is_batch=is_batch), outcome=lambda _: outcome)
    verified = verify_bundle(case.encoded, parse_trust(case.trust.encode()), signature.is_valid, kept=True)

    assert name == verified.outcome
    assert not verified.is_accepted
    assert "kept, not accepted" in verified.steps[8].detail
    assert verified.standing == ""


@pytest.mark.node
@pytest.mark.slow
def test_javascript_refuses_what_was_not_accepted_unless_it_is_asked_what_was_kept() -> None:
    """The same checks, and words of its own; a registration that was contested admits nobody."""
    case = build_case(outcome=lambda _: CONTESTED)
    registered = build_case(registration_outcome=lambda _: CONTESTED)
    unknown = build_case(outcome=lambda _: {"events": [], "result": "perhaps"})
    with JavaScript("node") as javascript:
        refused = javascript.call("verifyBundle", case.encoded, case.trust)
        shown = javascript.call("verifyBundle", case.encoded, case.trust, True)
        admitted = javascript.call("verifyBundle", registered.encoded, registered.trust, True)
        nothing = javascript.call("verifyBundle", unknown.encoded, unknown.trust, True)

    assert (False, 9) == (refused["ok"], refused["check"])
    assert "is a claim against the registers: it changed none of them" in refused["reason"]
    assert (True, "contested") == (shown["ok"], shown["outcome"])
    assert "kept, not accepted" in shown["steps"][8]["detail"]
    assert (False, 6) == (admitted["ok"], admitted["check"])
    assert "is no acceptance, no rejection, no contested claim and no hold" in nothing["reason"]


def _becomes(outcome: object) -> Change:
    return lambda _: outcome


@pytest.mark.node
@pytest.mark.slow
def test_both_verifiers_say_the_same_of_what_was_kept() -> None:
    """Of claims and holds, single and in batches, and of outcomes that only look like one."""
    shapes = [Kind(is_batch=shape) for shape in (False, True)]
    outcomes = [*(outcome for outcome, _ in KEPT), FIRST, *OF_NOTHING]
    cases = [build_case(kind, outcome=_becomes(one)) for kind in shapes for one in outcomes]
    ours = [judge(mutation.Case(case.encoded, case.trust.encode(), "")) for case in cases]
    theirs = verify_lines([(case.encoded, case.trust) for case in cases])
    abridged = [
        {"ok": True, **{name: one[name] for name in FIELDS}} if one["ok"] else {"ok": False, "check": one["check"]}
        for one in theirs
    ]

    assert ours == abridged
    assert ([True] * 3 + [False] * len(OF_NOTHING)) * 2 == [one["ok"] for one in ours]
    assert {9} == {one["check"] for one in ours if not one["ok"]}


@pytest.mark.node
@pytest.mark.slow
def test_no_script_takes_a_claim_for_an_acceptance(tmp_path: Path) -> None:
    """Both command lines end with 9, and their last words say that it was kept and not accepted."""
    case = build_case(outcome=lambda _: CONTESTED)
    bundle, trust = tmp_path / "claim.cvb", tmp_path / "trust.json"
    bundle.write_bytes(case.encoded)
    trust.write_text(case.trust)
    said = io.StringIO()
    code = main([str(bundle), "--trust", str(trust)], said)
    answer = run_verifier(str(bundle), str(trust))
    documents = io.StringIO()
    main([str(bundle), "--trust", str(trust), "--json"], documents)
    written = run_verifier(str(bundle), str(trust), "--json").stdout
    unasked = json.dumps({"bundle": case.encoded.hex(), "trust": case.trust})

    assert [(False, "contested")] * 2 == [
        (one["ok"], one["outcome"]) for one in map(json.loads, (documents.getvalue(), written))
    ]
    assert 9 == json.loads(run_verifier("--lines", given=unasked).stdout)["check"]
    assert (9, 9) == (code, answer.returncode)
    assert "Contested: kept, not accepted." in said.getvalue().splitlines()[-1]
    assert "Contested: kept, not accepted." in answer.stdout.splitlines()[-1]
