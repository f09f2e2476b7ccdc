"""Consensus proofs as vectors: sound ones, and what validators - or those who hand proofs on - might try."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cellvow.core.ledger.commit import (
    ABSENT,
    NIL,
    VOTED,
    Commit,
    Header,
    VotingKey,
    encode_commit,
    encode_header,
    order_voting_keys,
)
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.verify import ConsensusProof, ValidatorChange, encode_consensus_proof, verify_consensus_proof, voting_keys
from tests.bundles.chain import make_genesis
from tests.bundles.consensus import founding_keys, founding_validators, make_commit, make_header, voting_key

if TYPE_CHECKING:
    from cellvow.core.primitives.encoding import Json

APP_HASH = (41).to_bytes(8, "big") + sha256(b"root")
GENESIS = replace(make_genesis(), validators=founding_validators())
_CHAIN = GENESIS.chain_id
_FIRST = founding_keys()
_SECOND = order_voting_keys([*_FIRST, voting_key(4, 7)])
_THIRD = order_voting_keys([*_SECOND[1:], voting_key(5, 3)])
_DESCRIPTION = (
    "Consensus proofs (formats.md section 10): 'proof' in hexadecimal under the validators of 'genesis', a genesis "
    "header. 'verdict' is null where a verifier must refuse it, else what it proves."
)


def _link(height: int, keys: tuple[VotingKey, ...], following: tuple[VotingKey, ...]) -> ValidatorChange:
    header = make_header(_CHAIN, height, APP_HASH, keys, following)
    return ValidatorChange(encode_header(header), encode_commit(make_commit(header, keys)), following)


CHANGES = (_link(5, _FIRST, _SECOND), _link(9, _SECOND, _THIRD))


def make_proof(header: Header, commit: Commit | bytes, changes: tuple[ValidatorChange, ...] = ()) -> bytes:
    """The bytes of a proof of a header and a commit."""
    encoded = commit if isinstance(commit, bytes) else encode_commit(commit)
    return encode_consensus_proof(ConsensusProof(encode_header(header), encoded, changes))


def _header(height: int = 12, keys: tuple[VotingKey, ...] = _FIRST, chain_id: str = _CHAIN) -> Header:
    return make_header(chain_id, height, APP_HASH, keys)


def sound_proofs() -> dict[str, bytes]:
    """Proofs that hold under `GENESIS`."""
    header, late = _header(), _header(12, _THIRD)
    return {
        "all four signed": make_proof(header, make_commit(header, _FIRST)),
        "three of four signed": make_proof(header, make_commit(header, _FIRST, (VOTED, ABSENT))),
        "three of four signed, one voted for no block": make_proof(header, make_commit(header, _FIRST, (NIL,))),
        "the validators changed twice": make_proof(late, make_commit(late, _THIRD), CHANGES),
    }


def forged_votes() -> dict[str, bytes]:
    """Commits that must not count."""
    header = _header()
    good, other = make_commit(header, _FIRST), make_commit(_header(13), _FIRST)
    first, second, *rest = good.votes
    broken = replace(second, signature=bytes([second.signature[0] ^ 1]) + second.signature[1:])
    cases = {
        "half of the power": make_commit(header, _FIRST, (ABSENT, ABSENT)),
        "votes for no block counted": make_commit(header, _FIRST, (NIL, NIL)),
        "a vote for no block called one for the block": replace(
            good, votes=(replace(make_commit(header, _FIRST, (NIL,)).votes[0], flag=VOTED), second, *rest)
        ),
        "one validator twice": replace(good, votes=(first, first, *rest)),
        "two votes in each other's place": replace(good, votes=(second, first, *rest)),
        "a vote too few": replace(good, votes=good.votes[:3]),
        "a vote too many": replace(good, votes=(*good.votes, first)),
        "one signature that fails, though enough hold": replace(good, votes=(first, broken, *rest)),
        "a commit of another height": other,
        "another round than was signed": replace(good, round=2),
        "another height than was signed": replace(good, height=13),
        "votes signed for another chain": make_commit(header, _FIRST, chain_id="cellvow-other"),
        "votes moved in time": replace(good, votes=(replace(first, time_ns=first.time_ns + 1), second, *rest)),
        "other parts of the block": replace(good, block=replace(good.block, parts=2)),
    }
    return {name: make_proof(header, commit) for name, commit in cases.items()}


def forged_headers() -> dict[str, bytes]:
    """Headers that the commit does not vouch for, or that say nothing of a log of ours."""
    header = _header()
    commit, strangers = make_commit(header, _FIRST), order_voting_keys([voting_key(number) for number in range(6, 10)])
    foreign = _header(12, _FIRST, "cellvow-other")
    short = replace(header, app_hash=APP_HASH[:39])
    empty = replace(header, app_hash=bytes(8) + sha256())
    alone = make_header(_CHAIN, 12, APP_HASH, strangers)
    return {
        "another app hash": make_proof(replace(header, app_hash=APP_HASH[:-1] + b"\0"), commit),
        "a header of another height": make_proof(_header(13), commit),
        "a header of another chain": make_proof(foreign, make_commit(foreign, _FIRST)),
        "an app hash too short": make_proof(short, make_commit(short, _FIRST)),
        "a log without leaves": make_proof(empty, make_commit(empty, _FIRST)),
        "validators whom nobody named": make_proof(alone, make_commit(alone, strangers)),
    }


def forged_changes() -> dict[str, bytes]:
    """Changes of validators that were skipped, turned around or made up."""
    late, between = _header(12, _THIRD), _header(8, _THIRD)
    commit, (one, two) = make_commit(late, _THIRD), CHANGES
    raised = (*_THIRD[:-1], VotingKey(_THIRD[-1].public_key, _THIRD[-1].power + 1))
    usurped = make_header(_CHAIN, 5, APP_HASH, _SECOND, _THIRD)
    usurpation = ValidatorChange(encode_header(usurped), encode_commit(make_commit(usurped, _SECOND)), _THIRD)
    early = _link(4, _SECOND, _THIRD)
    proofs = {
        "the first change left out": (two,),
        "the last change left out": (one,),
        "every change left out": (),
        "the changes turned around": (two, one),
        "a change twice": (one, one, two),
        "a change before the one that made its signers": (one, early),
        "another power than was named": (one, replace(two, validators=raised)),
        "a validator left out": (one, replace(two, validators=_THIRD[1:])),
        "validators in another order": (one, replace(two, validators=_THIRD[::-1])),
        "a change signed by the successors": (usurpation,),
        "a change that changes nothing": (_link(3, _FIRST, _FIRST), one, two),
    }
    forged = {name: make_proof(late, commit, changes) for name, changes in proofs.items()}
    return forged | {"a header before the last change": make_proof(between, make_commit(between, _THIRD), CHANGES)}


def forged_spellings() -> dict[str, bytes]:
    """Encodings that a lenient reader would take for the one there is."""
    header = _header()
    commit, encoded = encode_commit(make_commit(header, _FIRST, (VOTED, ABSENT))), encode_header(header)
    spellings = {
        "a field that nobody knows": (encoded, commit + b"\x28\x01"),
        "a field twice": (encoded, b"\x08\x0d" + commit),
        "a number longer than need be": (encoded, commit.replace(b"\x08\x0c", b"\x08\x8c\x00", 1)),
        "a default written out": (encoded.replace(b"\x10\x01", b"\x10\x00", 1), commit),
        "a field of the header that nobody knows": (encoded + b"\x78\x01", commit),
        "a header cut short": (encoded[:-1], commit),
        "no header": (b"", commit),
        "no commit": (encoded, b""),
    }
    return {name: encode_consensus_proof(ConsensusProof(*parts)) for name, parts in spellings.items()}


def thirds() -> tuple[dict[str, Json], bytes, bytes, bytes]:
    """A genesis of three equal validators, and proofs that two and that all three of them signed."""
    members = [Validator("maker", voting_key(number).public_key.hex(), 1) for number in range(3)]
    genesis = replace(GENESIS, validators=order_validators(tuple(members)))
    keys = voting_keys(genesis.validators)
    header = _header(12, keys)
    two, all_three = (make_commit(header, keys, flags) for flags in ((ABSENT,), ()))
    return parse_object(genesis.header), genesis.header, make_proof(header, two), make_proof(header, all_three)


def make_consensus() -> dict[str, object]:
    """The vectors, always the same."""
    forged = forged_votes() | forged_headers() | forged_changes() | forged_spellings()
    cases = [_case(name, GENESIS.header, proof) for name, proof in (sound_proofs() | forged).items()]
    _, header, two, three = thirds()
    cases += [_case("exactly two thirds of the power", header, two), _case("all of three", header, three)]
    cases.append(_case("a genesis without validators", make_genesis().header, sound_proofs()["all four signed"]))
    return {"cases": cases, "description": _DESCRIPTION}


def judge_proof(genesis: bytes, proof: bytes) -> dict[str, object] | None:
    """What the Python verifier says the proof proves; None where it refuses."""
    try:
        proven = verify_consensus_proof(proof, parse_object(genesis), is_valid)
    except (VerificationError, Malformed):
        return None
    return {
        "height": proven.height,
        "root": proven.root.hex(),
        "signed_by": list(proven.signed_by),
        "signed_power": proven.signed_power,
        "signers": proven.signers,
        "size": proven.size,
        "total_power": proven.total_power,
        "validators": proven.validators,
    }


def _case(name: str, genesis: bytes, proof: bytes) -> dict[str, object]:
    return {"genesis": genesis.decode(), "name": name, "proof": proof.hex(), "verdict": judge_proof(genesis, proof)}
