"""Both verifiers on a message that waits for a second signature: a hold is no acceptance, a second signature is."""

from __future__ import annotations

import json
from dataclasses import replace as replace_genesis
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import encode_message
from cellvow.core.contracts.countersigning import Countersign, SetSigningRule
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import derive_key_id, is_valid
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, encode_trust, parse_bundle, parse_trust, verify_bundle
from tests.bundles.chain import (
    SCOPE,
    Chain,
    battery_id,
    certificate,
    disclosures,
    early_birth,
    make_genesis,
    model,
    public_of,
    registration,
)
from tests.bundles.mutation import Case
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_process import verify_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.core.ledger.commitment import Disclosure

PLAIN = replace(certificate(1), is_certificate=False, evidence_class="declared", input_root=None, standard=None)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The laboratory wants attestations signed twice: one waits, one has both signatures."""
    genesis = replace_genesis(make_genesis(), ruleset=NEWEST)
    built = Chain(tmp_path_factory.mktemp("held") / "ledger", genesis)
    signer = built.signer
    for organisation, key in (("maker", "maker key"), ("lab", "lab key"), ("lab", "lab second")):
        message = replace(registration(organisation, key), scope=(*SCOPE, "Countersign"))
        built.submit(f"key {key}", signer.single(f"{organisation} root", organisation, message))
    clerk = replace(registration("lab", "lab clerk"), scope=("Countersign",))
    built.submit("key lab clerk", signer.single("lab root", "lab", clerk))
    built.submit("model", signer.single("maker key", "maker", model()))
    built.submit("birth", signer.single("maker key", "maker", early_birth(1)))
    rule = SetSigningRule(organisation="lab", messages=("IssueAttestation",))
    built.submit("rule", signer.single("lab root", "lab", rule))
    first = built.submit("first", signer.single("lab key", "lab", PLAIN))
    second = Countersign(
        organisation="lab",
        statement=first.digest.hex(),
        index=0,
        about=battery_id(1),
        order=msgspec.Raw(encode_message(PLAIN)),
    )
    built.submit("out of scope", signer.single("lab clerk", "lab", second))
    built.submit("second", signer.single("lab second", "lab", second))
    built.publish()
    yield built
    built.close()


def case_of(chain: Chain, name: str, opened: tuple[Disclosure, ...] = ()) -> Case:
    """The bundle of a statement, with the records of the attestation."""
    records = [attestation_key("lab", "C-1"), battery_key(battery_id(1))]
    digest = chain.receipts[name].digest
    bundle = build_bundle(chain.store, digest, state=chain.engine.state, records=records, disclosures=list(opened))
    return Case(encode_bundle(bundle), encode_trust(chain.trust(2)), name)


def test_a_hold_is_shown_as_one_and_never_as_an_acceptance(chain: Chain) -> None:
    """Check 9 refuses it, and says that it waits; whoever asks what was kept is told so, and of no standing."""
    case = case_of(chain, "first")
    trust = parse_trust(case.trust or b"")

    with pytest.raises(VerificationError, match=r"check 9.*waits for a second signature"):
        verify_bundle(case.bundle, trust, is_valid)
    kept = verify_bundle(case.bundle, trust, is_valid, kept=True)
    assert ("held", "") == (kept.outcome, kept.standing)
    assert "kept, not accepted" in kept.steps[8].detail


def test_a_second_signature_proves_what_it_ordered_and_names_both_keys(chain: Chain) -> None:
    """Its bundle discloses the values of the attestation, tells its standing, and who signed first."""
    case = case_of(chain, "second", tuple(disclosures(1)))
    verified = verify_bundle(case.bundle, parse_trust(case.trust or b""), is_valid)
    outcome = json.loads(parse_bundle(case.bundle).statement.outcome)

    assert len(verified.disclosures) == 2
    assert verified.standing == "in force"
    assert verified.kid == derive_key_id(public_of("lab second")).hex()
    first = derive_key_id(public_of("lab key")).hex()
    assert outcome["events"][0]["first"] == first
    assert any(first in str(step.detail) for step in verified.steps if step.number == 9)


def test_what_did_nothing_is_refused(chain: Chain) -> None:
    """A second signature by a key that may not sign what it is under, by check 8 already."""
    assert judge(case_of(chain, "out of scope")) == {"ok": False, "check": 8}


def test_the_rule_itself_is_proven_by_a_root_key(chain: Chain) -> None:
    """Verifiers know that root keys sign it."""
    assert judge(case_of(chain, "rule"))["ok"] is True


@pytest.mark.node
@pytest.mark.slow
def test_both_verifiers_say_the_same_of_holds_and_second_signatures(chain: Chain) -> None:
    """Same verdict, same check, same proven facts; and the other one names the first key too."""
    cases = [case_of(chain, name) for name in ("first", "out of scope", "rule")]
    cases.append(case_of(chain, "second", tuple(disclosures(1))))
    theirs = verify_lines([(case.bundle, None if case.trust is None else case.trust.decode()) for case in cases])
    abridged = [
        {"ok": True, **{name: one[name] for name in FIELDS}} if one["ok"] else {"ok": False, "check": one["check"]}
        for one in theirs
    ]

    assert [judge(case) for case in cases] == abridged
    assert derive_key_id(public_of("lab key")).hex() in theirs[-1]["steps"][8]["detail"]
