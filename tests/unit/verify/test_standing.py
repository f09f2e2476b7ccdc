"""What an attestation is worth at the state shown: in force, corrected, revoked, superseded, invalidated, expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import RevokeAttestation, attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, verify_bundle
from tests.bundles.chain import Chain, battery_id, birth, certificate, disclosures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.core.ledger.commitment import Disclosure
    from cellvow.verify import Verified


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Certificate 0 corrected, 1 revoked, 2 superseded, 3 invalidated by a correction of the birth, 4 ended."""
    built = Chain(tmp_path_factory.mktemp("standing") / "ledger")
    built.fill(6)
    signer = built.signer
    revocation = RevokeAttestation(battery=battery_id(1), reference="C-1", cause="instrument")
    built.submit("revocation", signer.single("lab key", "lab", revocation))
    newer = replace(certificate(2), reference="C-2B", supersedes="C-2")
    built.submit("newer", signer.single("lab key", "lab", newer))
    born = StatementReference(statement=built.receipts["batch"].digest.hex(), index=0)
    moved = CorrectStatement(corrects=born, cause="typing_error", replacement=replace(birth(3), facility="plant-2"))
    built.submit("moved", signer.single("maker key", "maker", moved))
    short = replace(certificate(4), reference="C-4B", valid_until_ms=built.time_ms + 20)
    built.submit("short", signer.single("lab key", "lab", short))
    for number in range(4):
        built.submit(f"later {number}", signer.single("maker key", "maker", birth(100 + number)))
    built.publish()
    yield built
    built.close()


def judge(chain: Chain, name: str, number: int, reference: str, opened: list[Disclosure]) -> Verified:
    """The verified bundle of a statement about an attestation."""
    records = [attestation_key("lab", reference), battery_key(battery_id(number))]
    digest = chain.receipts[name].digest
    bundle = build_bundle(chain.store, digest, state=chain.engine.state, records=records, disclosures=opened)
    return verify_bundle(encode_bundle(bundle), chain.trust(2), is_valid)


@pytest.mark.parametrize(
    ("name", "number", "reference", "standing"),
    [
        ("certificate 0", 0, "C-0", "corrected"),
        ("correction", 0, "C-0", "in force"),
        ("certificate 1", 1, "C-1", "revoked"),
        ("certificate 2", 2, "C-2", "superseded"),
        ("newer", 2, "C-2B", "in force"),
        ("certificate 3", 3, "C-3", "invalidated"),
        ("short", 4, "C-4B", "expired"),
        ("certificate 5", 5, "C-5", "in force"),
    ],
)
def test_the_verifier_says_what_an_attestation_is_worth(
    name: str, number: int, reference: str, standing: str, chain: Chain
) -> None:
    """The statement itself holds whatever became of it since; its standing is told beside it."""
    assert judge(chain, name, number, reference, []).standing.startswith(standing)


def test_a_corrected_attestation_discloses_its_new_values(chain: Chain) -> None:
    """The values stand in the correction's replacement: they open its commitments, and no longer the old one's."""
    opened = disclosures(200)

    assert len(judge(chain, "correction", 0, "C-0", opened).disclosures) == 2
    with pytest.raises(VerificationError, match="check 13"):
        judge(chain, "certificate 0", 0, "C-0", opened)


def test_without_the_records_nothing_is_said_of_its_standing(chain: Chain) -> None:
    """A bundle that shows no records of the attestation does not call it in force."""
    bundle = build_bundle(chain.store, chain.receipts["certificate 5"].digest, state=chain.engine.state)

    assert verify_bundle(encode_bundle(bundle), chain.trust(2), is_valid).standing == ""
