"""Both verifiers on a signer whose role came with a later ruleset: they know it, and still none that is made up."""

from __future__ import annotations

from dataclasses import replace as replace_genesis
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cellvow.core.ledger.genesis import PRODUCERS_ORGANISATION, ROLES
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, encode_trust
from tests.bundles.chain import SCOPE, Chain, early_birth, make_genesis, model, registration
from tests.bundles.mutation import Case
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_process import verify_lines

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def case_of(folder: Path, *roles: str) -> Case:
    """The bundle of a birth whose maker has these roles in genesis, and the trust to check it with."""
    genesis = make_genesis()
    members = tuple(
        replace_genesis(one, roles=(*one.roles, *roles)) if one.organisation == "maker" else one
        for one in genesis.organisations
    )
    chain = Chain(folder / "ledger", replace_genesis(genesis, ruleset=NEWEST, organisations=members))
    signer = chain.signer
    message = replace(registration("maker", "maker key"), scope=SCOPE)
    chain.submit("key", signer.single("maker root", "maker", message))
    chain.submit("model", signer.single("maker key", "maker", model()))
    born = chain.submit("birth", signer.single("maker key", "maker", early_birth(1)))
    chain.publish()
    bundle = build_bundle(chain.store, born.digest, state=chain.engine.state, records=[], disclosures=[])
    case = Case(encode_bundle(bundle), encode_trust(chain.trust(2)), "birth")
    chain.close()
    return case


def test_a_statement_of_who_acts_for_producers_is_proven(tmp_path: Path) -> None:
    """Its entry in genesis is part of the proof."""
    case = case_of(tmp_path, PRODUCERS_ORGANISATION)

    assert PRODUCERS_ORGANISATION.encode() in case.bundle
    assert judge(case)["ok"] is True


@pytest.mark.node
def test_the_second_verifier_says_the_same(tmp_path: Path) -> None:
    """Every role, and one letter of the newest changed: proven by both, or refused at the same check."""
    case = case_of(tmp_path, *(role for role in ROLES if role != "manufacturer"))
    made_up = case.bundle.replace(b"producer_responsibility", b"producer_responsibilitx")
    forged = Case(made_up, case.trust, "made up")
    mine = [judge(case), judge(forged)]
    theirs = verify_lines([(one.bundle, None if one.trust is None else one.trust.decode()) for one in (case, forged)])
    abridged = [
        {"ok": True, **{name: one[name] for name in FIELDS}} if one["ok"] else {"ok": False, "check": one["check"]}
        for one in theirs
    ]

    assert mine == abridged
    assert [one["ok"] for one in mine] == [True, False]
