"""Consensus proofs and the engine's own blocks, from files any language could read, before both verifiers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.ledger.commit import VotingKey, hash_header, parse_commit, parse_header, verify_commit
from cellvow.core.primitives.ed25519 import is_valid as is_valid_in_python
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from tests.bundles.consensus_vectors import GENESIS, judge_proof, make_consensus, sound_proofs, thirds
from tests.conformance.javascript_process import JavaScript, RefusedByJavaScript, flip

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "vectors"
VECTORS: dict[str, Any] = json.loads((FOLDER / "consensus.json").read_text(encoding="utf-8"))
ENGINE: dict[str, Any] = json.loads((FOLDER / "engine_commits.json").read_text(encoding="utf-8"))
BLOCKS: list[dict[str, Any]] = ENGINE["blocks"]
SOUND = {*sound_proofs(), "all of three"}
STRIDE = 1 if os.environ.get("CELLVOW_EXPLORE") == "1" else 17


@pytest.fixture(scope="module")
def javascript() -> Iterator[JavaScript]:
    """The second verifier, kept running."""
    with JavaScript("node") as process:
        yield process


def judge_in_javascript(javascript: JavaScript, genesis: bytes, proof: bytes) -> dict[str, object] | None:
    """What the JavaScript verifier says, in the form of ours."""
    try:
        proven = javascript.call("judgeConsensus", proof, genesis)
    except RefusedByJavaScript:
        return None
    names = {"signed_by": "signedBy", "signed_power": "signedPower", "total_power": "totalPower"}
    shown = {name: proven[names.get(name, name)] for name in (*names, "height", "signers", "validators")}
    return shown | {"root": proven["root"]["hex"], "size": int(proven["size"]["whole"])}


def voting_keys(block: dict[str, Any]) -> list[VotingKey]:
    """The validators of one of the engine's blocks."""
    return [VotingKey(bytes.fromhex(one["public_key"]), one["power"]) for one in block["validators"]]


@pytest.mark.slow
def test_the_consensus_vectors_are_current() -> None:
    """`python tools/make_vectors.py` writes them."""
    assert make_consensus() == VECTORS


def test_what_is_forged_is_refused_and_what_is_sound_is_not() -> None:
    """Every case that is not sound has the verdict null: the verdicts were not merely written down."""
    accepted = {case["name"] for case in VECTORS["cases"] if case["verdict"] is not None}

    assert accepted == SOUND
    assert 40 <= len(VECTORS["cases"]) - len(SOUND)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_python_verifier_gives_the_verdict(case: dict[str, Any]) -> None:
    """From the file alone, as another implementation would read it."""
    assert judge_proof(case["genesis"].encode(), bytes.fromhex(case["proof"])) == case["verdict"]


@pytest.mark.node
@pytest.mark.slow
def test_the_javascript_verifier_gives_the_same_verdicts(javascript: JavaScript) -> None:
    """The second verifier, on the same file."""
    for case in VECTORS["cases"]:
        found = judge_in_javascript(javascript, case["genesis"].encode(), bytes.fromhex(case["proof"]))

        assert found == case["verdict"], case["name"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: str(block["height"]))
def test_the_engines_own_blocks_are_read_and_verified(block: dict[str, Any]) -> None:
    """The hash is the one that the engine gives its block; the commit holds under its validators and no others."""
    header, commit = parse_header(bytes.fromhex(block["header"])), parse_commit(bytes.fromhex(block["commit"]))
    keys = voting_keys(block)
    power = sum(key.power for key in keys)

    assert hash_header(header).hex() == block["block_hash"]
    assert verify_commit(header, commit, ENGINE["chain_id"], keys, is_valid).signed_power == 30
    assert verify_commit(header, commit, ENGINE["chain_id"], keys, is_valid_in_python).total_power == power
    with pytest.raises(VerificationError):
        verify_commit(header, commit, "cellvow-other", keys, is_valid)


def test_the_engine_named_its_next_validators_as_we_do() -> None:
    """A validator that joined through the engine: the header before names the set of the block after."""
    before, after = (parse_header(bytes.fromhex(block["header"])) for block in BLOCKS[1:3])

    assert (33, 34) == (before.height, after.height)
    assert before.next_validators_hash == after.validators_hash != before.validators_hash


@pytest.mark.node
@pytest.mark.slow
def test_the_second_verifier_reads_the_engines_own_blocks(javascript: JavaScript) -> None:
    """The same hash and the same power in JavaScript."""
    for block in BLOCKS:
        keys = [{"publicKey": one["public_key"], "power": one["power"]} for one in block["validators"]]
        given = (bytes.fromhex(block["header"]), bytes.fromhex(block["commit"]), ENGINE["chain_id"], json.dumps(keys))
        found = javascript.call("judgeCommit", *given)

        assert found["hash"]["hex"] == block["block_hash"]
        assert found["signedPower"] == {"whole": "30"}


def changed_bytes(proof: bytes, stride: int) -> list[bytes]:
    """The proof with every `stride`-th byte changed, one at a time, another bit of each."""
    return [flip(proof, 8 * place + place % 8) for place in range(0, len(proof), stride)]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(sound_proofs()))
def test_a_changed_byte_of_a_proof_is_refused(name: str) -> None:
    """No byte is without meaning."""
    changed = changed_bytes(sound_proofs()[name], STRIDE)

    assert not any(judge_proof(GENESIS.header, proof) for proof in changed)


@pytest.mark.node
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(sound_proofs()))
def test_a_changed_byte_of_a_proof_is_refused_by_the_second_verifier(javascript: JavaScript, name: str) -> None:
    """The same, in JavaScript."""
    changed = changed_bytes(sound_proofs()[name], 3 * STRIDE if STRIDE > 1 else 1)

    assert not any(judge_in_javascript(javascript, GENESIS.header, proof) for proof in changed)


@pytest.mark.explore
def test_every_changed_bit_of_a_proof_is_refused() -> None:
    """All bits of the proof with two changes of validators."""
    proof = sound_proofs()["the validators changed twice"]

    assert not any(judge_proof(GENESIS.header, flip(proof, bit)) for bit in range(8 * len(proof)))


def test_two_thirds_are_not_enough_and_one_vote_more_is() -> None:
    """The edge itself: of three equal validators, two are exactly two thirds."""
    members, _, two, three = thirds()
    header = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()

    assert judge_proof(header, two) is None
    assert judge_proof(header, three) is not None
