"""Signatures on the edges of Ed25519, where libraries differ; they decide whether one may be used."""

from typing import NamedTuple

_MESSAGE = b"cellvow edge case"


class EdgeCase(NamedTuple):
    """One signature and the verdict the ledger's rule demands."""

    name: str
    public_key: bytes
    message: bytes
    signature: bytes
    is_valid: bool


def _case(name: str, public_key: str, signature: str, *, is_valid: bool) -> EdgeCase:
    return EdgeCase(name, bytes.fromhex(public_key), _MESSAGE, bytes.fromhex(signature), is_valid)


EDGE_CASES: tuple[EdgeCase, ...] = (
    _case(
        "an ordinary signature",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1"
        "7106d08a284da43b58f44cf642610e27cc9ebccb50837db623a9a57b123d6f01",
        is_valid=True,
    ),
    _case(
        "S not reduced",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1"
        "5edac5e742b0b6932e914499215bed3bcc9ebccb50837db623a9a57b123d6f11",
        is_valid=False,
    ),
    _case(
        "R with a torsion part: only the cofactored equation holds",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "e9b2fe981587efae6478f48ba1fa60cec6126d0e26dde72a0a24f640dcd783e5"
        "2d69d97ddf0f40377fe7c6b075fbd023b14dc8aba585342537e1f631cf908e05",
        is_valid=False,
    ),
    _case(
        "A with a torsion part: only the cofactored equation holds",
        "40a4cf5c611d737a2f1c6fcca84d9cabfed80987f186a5a6c57e629bff1af27f",
        "5866666666666666666666666666666666666666666666666666666666666666"
        "6013c998442e6be7c7fcdd6ac500139dc41216b89746d8db67cbd6d69b383501",
        is_valid=False,
    ),
    _case(
        "A with a torsion part that cancels: the cofactorless equation holds",
        "40a4cf5c611d737a2f1c6fcca84d9cabfed80987f186a5a6c57e629bff1af27f",
        "d4b4f5784868c3020403246717ec169ff79e26608ea126a1ab69ee77d1b16712"
        "e5390ccda7f7ff7f5b5188ff48a6101025477371e4a29b58e6bee23d5f007104",
        is_valid=True,
    ),
    _case(
        "A is the identity",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "5866666666666666666666666666666666666666666666666666666666666666"
        "0100000000000000000000000000000000000000000000000000000000000000",
        is_valid=False,
    ),
    _case(
        "A has order 8",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "d4b4f5784868c3020403246717ec169ff79e26608ea126a1ab69ee77d1b16712"
        "0300000000000000000000000000000000000000000000000000000000000000",
        is_valid=False,
    ),
    _case(
        "R is the identity",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "0100000000000000000000000000000000000000000000000000000000000000"
        "66c41531a68f46ec9ec44c36a2f60432568e3ce6a3bd928d23a53a86b4da4c01",
        is_valid=False,
    ),
    _case(
        "R is the identity, not in canonical form",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"
        "c055d4f4ee10999474d9f78ac10888d2ce00280423ae95973283ca08e212f309",
        is_valid=False,
    ),
    _case(
        "A is the identity, not in canonical form",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "b862409fb5c4c4123df2abf7462b88f041ad36dd6864ce872fd5472be363c5b1"
        "0700000000000000000000000000000000000000000000000000000000000000",
        is_valid=False,
    ),
    _case(
        "R is not a point",
        "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081",
        "0200000000000000000000000000000000000000000000000000000000000000"
        "7106d08a284da43b58f44cf642610e27cc9ebccb50837db623a9a57b123d6f01",
        is_valid=False,
    ),
)
"""Computed from the curve equation: every class of disagreement between known implementations."""
