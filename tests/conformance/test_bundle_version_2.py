"""Bundles of version 2, built from the specification alone, before both verifiers: validators and states that vouch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.bundles import mutation
from tests.bundles.verdict import FIELDS, judge
from tests.conformance import javascript_bundles as bundles
from tests.conformance import javascript_consensus as consensus
from tests.conformance.javascript_bundles import KINDS_2, Case, Kind, build_case
from tests.conformance.javascript_process import flip, verify_lines
from tests.conformance.test_verify_js_bundles import STRANGER, having, lacking, within

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.node, pytest.mark.slow]
BY_STATE = Kind(by_state=True, by_validators=True)
NOTE_AND_STATE = Kind(is_batch=True, by_state=True)
ROTATED = Kind(rotated=True)
ROTATED_ROOT = Kind(by_root_key=True, rotated=True)
ROTATED_AND_VALIDATORS = Kind(by_validators=True, rotated=True)


def verdicts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What both verifiers say of each case, once they have been found to say the same."""
    found = [judge(mutation.Case(case.encoded, case.trust.encode(), "")) for case in cases]
    theirs = verify_lines([(case.encoded, case.trust) for case in cases])
    names = [FIELDS if one["ok"] else ("check",) for one in found]
    shown = [{"ok": one["ok"]} | {name: one[name] for name in each} for one, each in zip(theirs, names, strict=True)]

    assert found == shown
    return theirs


def test_a_bundle_of_the_second_version_verifies_in_both() -> None:
    """Validators or a log's key, genesis or the state: the result says which of them vouched."""
    results = verdicts([build_case(kind) for kind in KINDS_2])

    for kind, result in zip(KINDS_2, results, strict=True):
        assert result["ok"], result
        assert ("state" if kind.by_state else "genesis") == result["admitted_by"]
        assert ([] if kind.by_validators else list(bundles.WITNESSES[:2])) == result["cosigned_by"]
        signed = (["acme"], 300, 15, 20) if kind.by_validators else ([], 0, 0, 0)
        assert signed == tuple(result[name] for name in ("signed_by", "signed_height", "signed_power", "total_power"))


def test_without_trust_a_consortium_is_consistent_and_anchored_to_nothing() -> None:
    """The bundle's own genesis names the validators: their commit is checked, and nobody vouches for the genesis."""
    case, broken = build_case(BY_STATE), build_case(BY_STATE, proof=having(commit=b""))

    consistent, refused = verify_lines([(case.encoded, None), (broken.encoded, None)])

    assert (True, False) == (consistent["ok"], consistent["anchored"])
    assert (False, 2) == (refused["ok"], refused["check"])


def two_votes(proof: dict[str, Any]) -> dict[str, Any]:
    """The proof with the votes of two of four."""
    app_hash = proof["header"][-130:-90]
    return consensus.build_proof("test-chain", 300, app_hash, votes=2)


def broken_signature(envelope: tuple[int, list[Any]]) -> tuple[int, list[Any]]:
    """The statement with one bit of its signature changed."""
    tag, (*parts, signature) = envelope
    return tag, [*parts, flip(signature, 0)]


LIES: list[tuple[str, int, Kind, dict[str, Any]]] = [
    ("both who vouch", 1, BY_STATE, {"bundle": within("vouched", to=having(note=b""))}),
    ("nobody who vouches", 1, BY_STATE, {"bundle": having(vouched={})}),
    ("two admissions", 1, NOTE_AND_STATE, {"bundle": having(admission=[{}, {}])}),
    ("version 1 with no admission", 1, NOTE_AND_STATE, {"bundle": having(version=1)}),
    (
        "what version 1 can say",
        1,
        NOTE_AND_STATE,
        {"bundle": lambda bundle: bundle | {"admission": [build_case().bundle["admission"]]}},
    ),
    ("two of four validators", 2, BY_STATE, {"proof": two_votes}),
    ("a proof with a member too many", 2, BY_STATE, {"proof": having(more=1)}),
    ("a genesis that names no validators", 2, BY_STATE, {"genesis": lacking("validators")}),
    ("a validator twice in genesis", 2, BY_STATE, {"genesis": within("validators", to=lambda all_: all_ + all_[-1:])}),
    ("a power of 0 in genesis", 2, BY_STATE, {"genesis": within("validators", 0, "power", to=lambda _: 0)}),
    ("another genesis", 4, BY_STATE, {"trust": having(genesis="00" * 32)}),
    ("no state", 5, BY_STATE, {"bundle": having(state=[])}),
    ("no record of the organisation", 5, BY_STATE, {"bundle": within("state", 0, "records", to=lambda all_: all_[:2])}),
    ("a record of another organisation", 5, BY_STATE, {"member": having(organisation="bolt")}),
    ("an organisation without a name", 5, BY_STATE, {"member": lacking("name")}),
    ("a state of another root", 5, BY_STATE, {"bundle": within("state", 0, "body", to=lambda body: flip(body, 3))}),
    ("a statement that has not its form", 5, BY_STATE, {"payload": having(sequence=0)}),
    (
        "no record of the key",
        6,
        BY_STATE,
        {"bundle": within("state", 0, "records", to=lambda records: [records[0], records[2]])},
    ),
    ("a key record of another key", 6, BY_STATE, {"key_record": having(public_key=STRANGER)}),
    ("a key record of another organisation", 6, BY_STATE, {"key_record": having(organisation="bolt")}),
    ("a key record of another algorithm", 6, BY_STATE, {"key_record": having(algorithm="es256")}),
    ("a key record with a field too few", 6, BY_STATE, {"key_record": lacking("device")}),
    ("a message beyond the recorded scope", 8, BY_STATE, {"key_record": having(scope=["Anchor"])}),
    ("a root key that signs more than keys", 8, BY_STATE, {"key_record": having(kind="root")}),
    ("a key registered at that height", 11, BY_STATE, {"key_record": having(registered_height=6)}),
    ("a key not valid yet", 11, BY_STATE, {"key_record": having(valid_from_ms=3001)}),
    ("a key not valid any more", 11, BY_STATE, {"key_record": having(valid_until_ms=2999)}),
    ("a key revoked before", 12, BY_STATE, {"key_record": having(revoked_height=5)}),
    ("an engine nobody knows", 0, BY_STATE, {"trust": having(engine="other")}),
    ("an engine and a quorum", 0, BY_STATE, {"trust": having(quorum=0)}),
]


UNEXECUTED: list[tuple[str, int, Kind, dict[str, Any]]] = [
    ("a state that nobody executed", 5, NOTE_AND_STATE, {"trust": lacking("replaying")}),
    ("executed by one who did not cosign", 5, NOTE_AND_STATE, {"trust": having(replaying=[bundles.WITNESSES[2]])}),
    ("executed by nobody's witness", 0, NOTE_AND_STATE, {"trust": having(replaying=["witness.example/d"])}),
    ("executed by the log", 0, NOTE_AND_STATE, {"trust": having(replaying=[bundles.ORIGIN])}),
    ("executed by a list of nobody", 0, NOTE_AND_STATE, {"trust": having(replaying=[])}),
    ("executed by one who is named twice", 0, NOTE_AND_STATE, {"trust": having(replaying=[bundles.WITNESSES[0]] * 2)}),
    ("executed by a name in no list", 0, NOTE_AND_STATE, {"trust": having(replaying=bundles.WITNESSES[0])}),
    ("executed by a number", 0, NOTE_AND_STATE, {"trust": having(replaying=[1])}),
    ("an engine and a witness", 0, BY_STATE, {"trust": having(replaying=[bundles.WITNESSES[0]])}),
]
OUTCOME = b'{"code":7,"facts":{},"result":"rejected"}'
ROTATIONS: list[tuple[str, int, Kind, dict[str, Any]]] = [
    ("rotations that lead on from no genesis", 1, ROTATED, {"bundle": having(admission=[])}),
    ("no rotations at all", 1, ROTATED, {"bundle": lacking("rotations")}),
    ("no rotations where version 1 can say it", 1, ROTATED, {"bundle": having(rotations=[])}),
    ("eight rotations", 1, ROTATED, {"bundle": within("rotations", to=lambda one: one * 8)}),
    ("a rotation in version 1", 1, Kind(), {"bundle": having(rotations=[])}),
    ("a rotation left out", 6, ROTATED_AND_VALIDATORS, {"bundle": having(rotations=[])}),
    ("a rotation twice", 6, ROTATED, {"bundle": within("rotations", to=lambda one: one * 2)}),
    ("a rotation at another leaf", 6, ROTATED, {"bundle": within("rotations", 0, "leaf", to=lambda _: 2)}),
    ("a rotation that was rejected", 6, ROTATED, {"rotation_outcome": lambda _: json.loads(OUTCOME)}),
    (
        "a rotation with another outcome",
        6,
        ROTATED,
        {"bundle": within("rotations", 0, "outcome", to=lambda _: OUTCOME)},
    ),
    ("a rotation of another organisation", 6, ROTATED, {"rotation": having(organisation="bolt")}),
    ("a rotation of another chain", 6, ROTATED, {"rotation_payload": having(chain_id="other-chain")}),
    ("a rotation to no key", 6, ROTATED, {"rotation": lacking("public_key")}),
    ("a rotation to what is no key", 6, ROTATED, {"rotation": having(public_key="00")}),
    ("a rotation to another key", 6, ROTATED, {"rotation": having(public_key=STRANGER)}),
    ("a rotation that is none", 6, ROTATED, {"rotation": having(type="RegisterKey")}),
    ("a rotation by a stranger", 6, ROTATED, {"rotation_header": lambda header: header | {4: bytes(16)}}),
    ("a rotation with a broken signature", 6, ROTATED, {"rotation_cose": broken_signature}),
    ("a registration before its root key", 6, ROTATED, {"leaves": lambda _: (1, 2)}),
    ("a root key that is not in force yet", 11, ROTATED_ROOT, {"leaves": lambda _: (2, 3)}),
    ("a root key to which none of them leads", 6, ROTATED_ROOT, {"rotation": having(public_key=STRANGER)}),
]


def test_every_lie_is_refused_by_both_at_the_check_that_it_concerns() -> None:
    """Each change to a good bundle is refused, with the number of the first check that it breaks."""
    lies = [*LIES, *UNEXECUTED, *ROTATIONS]
    results = verdicts([build_case(kind, **changes) for _, _, kind, changes in lies])

    found = [(name, one.get("check")) for (name, _, _, _), one in zip(lies, results, strict=True)]
    assert [(name, number) for name, number, _, _ in lies] == found


def test_a_state_counts_where_somebody_executed_it() -> None:
    """The step names the witness that did; without a trust file it says that nobody is known to have."""
    case = build_case(NOTE_AND_STATE)
    refused = build_case(NOTE_AND_STATE, trust=lacking("replaying"))

    held, nobody, said = verify_lines(
        [(case.encoded, case.trust), (case.encoded, None), (refused.encoded, refused.trust)]
    )

    assert f"which {bundles.WITNESSES[1]} executed" in held["steps"][4]["detail"]
    assert "nobody is known to have executed" in nobody["steps"][4]["detail"]
    assert "ask for a checkpoint that a witness which re-executes has cosigned" in said["reason"]


def test_who_vouches_must_be_whom_the_trust_file_names() -> None:
    """A log's key says nothing where validators are trusted, nor they where a log's key is."""
    by_log, by_validators = build_case(NOTE_AND_STATE), build_case(BY_STATE)

    results = verdicts([by_log._replace(trust=by_validators.trust), by_validators._replace(trust=by_log.trust)])

    assert [2, 2] == [result["check"] for result in results]
    assert ["log's key" in result["reason"] for result in results] == [True, True]


def test_a_registration_beside_the_state_must_hold_too() -> None:
    """Whoever shows one is held to it, though the record alone would do."""
    registered = build_case(Kind(by_validators=True)).bundle["keys"]

    def show(**changes: object) -> Case:
        return build_case(BY_STATE, bundle=lambda bundle: bundle | {"keys": [registered[0] | changes]})

    results = verdicts([show(), show(leaf=2), show(outcome=b'{"code":7,"facts":{},"result":"rejected"}')])

    assert [True, False, False] == [result["ok"] for result in results]
    assert [6, 6] == [result["check"] for result in results[1:]]


@pytest.mark.parametrize(("since", "is_suspect"), [(None, False), (3001, False), (3000, True), (0, True)])
def test_a_statement_after_its_key_was_compromised_is_suspect(since: int | None, is_suspect: bool) -> None:
    """It holds, and says so: from the very millisecond on."""
    (result,) = verdicts([build_case(BY_STATE, key_record=having(compromised_since_ms=since))])

    assert is_suspect is result["suspect"]
    assert is_suspect is ("suspect" in result["steps"][11]["detail"])


STRIDE = 149


@pytest.mark.parametrize("kind", KINDS_2, ids=str)
def test_no_flipped_bit_gets_past_either(kind: Kind) -> None:
    """Bits across the whole bundle, each flipped alone: both verifiers refuse, at the same check."""
    case = build_case(kind)
    changed = [flip(case.encoded, bit) for bit in range(0, 8 * len(case.encoded), STRIDE)]
    ours = [judge(mutation.Case(each, case.trust.encode(), "")) for each in changed]
    theirs = verify_lines([(each, case.trust) for each in changed])

    assert not any(one["ok"] or "verifier failed" in one["reason"] for one in theirs)
    assert ours == [{"ok": False, "check": one["check"]} for one in theirs]
