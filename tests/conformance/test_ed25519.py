"""The edge-case signatures: both of our implementations decide them as the rule says; lax libraries do not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cellvow.core.primitives import ed25519, signature
from cellvow.core.primitives.edge_cases import EDGE_CASES
from tools.make_vectors import FOLDER

VECTORS: dict[str, Any] = json.loads((FOLDER / "ed25519.json").read_text("utf-8"))
CASES: list[dict[str, Any]] = VECTORS["cases"]


def parts(case: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Public key, message and signature of a case."""
    return bytes.fromhex(case["public_key"]), bytes.fromhex(case["message"]), bytes.fromhex(case["signature"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_both_implementations_decide_the_case(case: dict[str, Any]) -> None:
    """libsodium in consensus, plain Python in the offline verifier."""
    assert signature.is_valid(*parts(case)) is case["valid"]
    assert ed25519.is_valid(*parts(case)) is case["valid"]


@pytest.mark.parametrize("case", VECTORS["keys"], ids=lambda case: str(case["public_key"])[:16])
def test_both_implementations_admit_the_same_keys(case: dict[str, Any]) -> None:
    """Whether a public key may be registered at all."""
    public_key = bytes.fromhex(case["public_key"])

    assert signature.is_valid_public_key(public_key) is case["registrable"]
    assert ed25519.is_valid_public_key(public_key) is case["registrable"]


def test_the_file_holds_every_edge_case_and_both_verdicts() -> None:
    """Those that decide at start-up whether the library may be used, and ordinary ones beside them."""
    names = [case["name"] for case in CASES]

    assert [case.name for case in EDGE_CASES] == names[: len(EDGE_CASES)]
    assert len(names) == len(dict.fromkeys(names))
    assert [case.is_valid for case in EDGE_CASES] == [case["valid"] for case in CASES[: len(EDGE_CASES)]]
    assert 3 <= sum(case["valid"] for case in CASES) < len(CASES) - 8


def test_a_lax_library_decides_some_case_otherwise() -> None:
    """Control: the cases tell libraries apart; `cryptography` alone accepts what the rule refuses."""
    differing = [case["name"] for case in CASES if accepts(case) is not case["valid"]]

    assert differing


def accepts(case: dict[str, Any]) -> bool:
    """The verdict of `cryptography` without our checks."""
    public_key, message, signed = parts(case)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed, message)
    except InvalidSignature:
        return False
    return True
