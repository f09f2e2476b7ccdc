"""A contested claim proves nothing but that it was made: neither verifier takes its statement for accepted."""

from __future__ import annotations

import pytest

from cellvow.core.primitives import signature
from cellvow.core.primitives.errors import VerificationError
from cellvow.verify import parse_trust, verify_bundle
from tests.conformance.javascript_bundles import Kind, build_case
from tests.conformance.javascript_process import verify_lines

OPENED = {
    "battery": "01/04012345123456/21/PACK-0001",
    "opener": "acme",
    "reference": "CLAIM-1",
    "type": "DisputeOpened",
}
CONTESTED = {"events": [OPENED], "result": "contested"}
SHAPES = pytest.mark.parametrize("is_batch", [False, True], ids=["single", "batch"])


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


@pytest.mark.node
@pytest.mark.slow
def test_javascript_refuses_a_contested_statement_with_a_sentence() -> None:
    """The same checks, and words of its own."""
    contested = [build_case(Kind(is_batch=shape), outcome=lambda _: CONTESTED) for shape in (False, True)]
    registered = _pair(registration_outcome=lambda _: CONTESTED)
    unknown = _pair(outcome=lambda _: {"events": [], "result": "perhaps"})
    pairs: list[tuple[bytes, str | None]] = [
        *((case.encoded, case.trust) for case in contested),
        registered,
        unknown,
        _pair(),
    ]
    results = verify_lines(pairs)

    assert [(one["ok"], one.get("check")) for one in results[:4]] == [(False, 9), (False, 9), (False, 6), (False, 9)]
    assert "is a claim against the registers: it changed none of them" in results[0]["reason"]
    assert "is no acceptance, no rejection, no contested claim and no hold" in results[3]["reason"]
    assert results[4]["ok"]
