"""Watches several members at once, and keeps the proof where their validators have decided two histories.

Members answer with headers and the commits for them. Headers are chained, so two members that name the same block at
one height agree on all before it; where they name two, the first such height is looked for, and both commits there are
the proof. A fork file is {"fork": [proof, proof]}, each a consensus proof (section 10 of docs/reference/formats.md) of
one height: whoever holds the genesis can check it, without any member.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.commit import (
    Header,
    VerifiedCommit,
    VotingKey,
    hash_header,
    parse_commit,
    parse_header,
    verify_commit,
)
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
from cellvow.core.primitives.signature import is_valid
from cellvow.node.cometbft.answers import Status, encode_commit, encode_header
from cellvow.node.cometbft.proof import HeaderSource, fetch_changes
from cellvow.verify.consensus import (
    ConsensusProof,
    encode_consensus_proof,
    parse_consensus_proof,
    verify_consensus_proof,
    voting_keys,
)
from cellvow.verify.shape import require_array, require_bytes, require_members

MEMBERS_MAX = 100
"""How many members are watched at once."""


class MemberSource(HeaderSource, Protocol):
    """What is asked of a member's engine."""

    def status(self) -> Status:
        """How far it is."""


@dataclass(frozen=True, slots=True)
class Branch:
    """One of two decisions: the block's hash, its app hash in hexadecimal, and the public keys that signed it."""

    block: Digest
    app_hash: str
    signed_by: tuple[VotingKey, ...]
    signed_power: int
    total_power: int


@dataclass(frozen=True, slots=True)
class VerifiedFork:
    """Two decisions of one height, both by more than two thirds; who signed both broke the rules.

    `culprits` are organisations that genesis names; `keys` are the public keys of all who signed both.
    """

    chain_id: str
    height: int
    first: Branch
    second: Branch
    keys: tuple[str, ...]
    culprits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fork:
    """Two members show two decisions of one height; `proof` is the fork file."""

    first: str
    second: str
    proof: bytes
    verified: VerifiedFork


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen at one look: heights by member, who is silent and why, the height up to which all agree.

    `unproven` has a sentence for each member that shows another history without a commit that holds for it.
    """

    heights: Mapping[str, int]
    silent: Mapping[str, str]
    agreed_height: int
    forks: tuple[Fork, ...]
    unproven: tuple[str, ...]


class Monitor:
    """Compares what the members of one network show; asked again and again by one thread."""

    def __init__(self, sources: Mapping[str, MemberSource], genesis: Genesis) -> None:
        """`sources` are members' engines by the names in which they are spoken of."""
        if not 2 <= len(sources) <= MEMBERS_MAX:
            raise Malformed(f"a monitor compares 2 to {MEMBERS_MAX} members, not {len(sources)}")
        if not genesis.validators:
            raise OperationalError("this ledger has no validators: its witnesses watch it (`cellvow witness`)")
        self._sources = dict(sources)
        self._genesis = genesis
        self._known: dict[tuple[str, str], Fork] = {}
        self._agreed: dict[str, int] = {}
        self._earliest: dict[str, int] = {}

    def look(self) -> Sight:
        """Ask every member once, and compare each with the one that is furthest."""
        heights, silent = self._ask()
        forks: list[Fork] = []
        unproven: list[str] = []
        agreed = min(heights.values(), default=0)
        leader = max(heights, key=lambda name: (heights[name], name), default="")
        for name in sorted(heights.keys() - {leader}):
            try:
                found = self._compare(leader, name, heights[name])
            except VerificationError as error:
                unproven.append(str(error))
            except OperationalError as error:
                silent[name] = str(error)
            else:
                if found is not None:
                    forks.append(found)
                    agreed = min(agreed, found.verified.height - 1)
        return Sight(heights, silent, agreed, tuple(forks), tuple(unproven))

    def _ask(self) -> tuple[dict[str, int], dict[str, str]]:
        heights: dict[str, int] = {}
        silent: dict[str, str] = {}
        for name, source in self._sources.items():
            try:
                status = source.status()
            except OperationalError as error:
                silent[name] = str(error)
                continue
            if status.chain_id != self._genesis.chain_id:
                silent[name] = f"it is a member of {status.chain_id}, not of {self._genesis.chain_id}"
            elif status.height:
                heights[name] = status.height
                self._earliest[name] = status.earliest_height
        return heights, silent

    def _compare(self, leader: str, name: str, height: int) -> Fork | None:
        """The fork between two members, if they name two blocks at a height that both have."""
        first, second = sorted((leader, name))
        known = self._known.get((first, second))
        if known is not None:
            return known
        if self._block(leader, height) == self._block(name, height):
            self._agreed[name] = self._agreed[leader] = height
            return None
        agreed = min(self._agreed.get(leader, 0), self._agreed.get(name, 0), height - 1)
        low = max(agreed, self._earliest[leader] - 1, self._earliest[name] - 1)
        parting = find_first(low, height, lambda at: self._block(leader, at) != self._block(name, at))
        fork = self._prove(first, second, parting)
        self._known[first, second] = fork
        return fork

    def _block(self, name: str, height: int) -> Digest:
        """The hash of the header that a member shows: computed, not the one that it claims."""
        return hash_header(parse_header(encode_header(self._sources[name].commit(height).header)))

    def _prove(self, first: str, second: str, height: int) -> Fork:
        """Both decisions with the validators behind them; raises `VerificationError` naming who shows none."""
        proofs = []
        for name in (first, second):
            proof = self._proof_of(name, height)
            try:
                verify_consensus_proof(proof, parse_object(self._genesis.header), is_valid)
            except (VerificationError, Malformed) as error:
                raise VerificationError(
                    f"{name} shows another block at height {height}, and no commit that holds for it: {error}"
                ) from error
            proofs.append(proof)
        file = encode_cbor({"fork": list(proofs)})
        return Fork(first, second, file, verify_fork(file, self._genesis))

    def _proof_of(self, name: str, height: int) -> bytes:
        source = self._sources[name]
        signed = source.commit(height)
        changes = fetch_changes(source, self._genesis, signed)
        return encode_consensus_proof(
            ConsensusProof(encode_header(signed.header), encode_commit(signed.commit), changes)
        )


def find_first(low: int, high: int, differs: Callable[[int], bool]) -> int:
    """The first height above `low` that differs; `high` does, and whatever follows one that differs does too."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if differs(middle) else (middle, high)
    return high


def verify_fork(data: bytes, genesis: Genesis, check: SignatureCheck = is_valid) -> VerifiedFork:
    """What a fork file proves to whoever holds the genesis; raises `VerificationError` or `Malformed`."""
    if len(data) > 2 * BUNDLE_BYTES_MAX:
        raise Malformed(f"fork file of {len(data)} bytes: at most {2 * BUNDLE_BYTES_MAX} are allowed")
    proofs = require_array(require_members(parse_cbor(data), "fork")["fork"], 2)
    if len(proofs) != 2:
        raise Malformed("a fork file holds two proofs")
    (header, first), (other, second) = (_verify_branch(require_bytes(proof), genesis, check) for proof in proofs)
    if header.height != other.height:
        raise VerificationError(f"blocks {header.height} and {other.height} are no fork: they are of two heights")
    if first.block == second.block:
        raise VerificationError(f"both proofs are of the same block {header.height}: there is no fork")
    both = [key.public_key.hex() for key in first.signed_by if key in second.signed_by]
    owners = {one.public_key: one.organisation for one in genesis.validators}
    culprits = sorted({owners[key] for key in both if key in owners})
    return VerifiedFork(header.chain_id, header.height, first, second, tuple(both), tuple(culprits))


def _verify_branch(data: bytes, genesis: Genesis, check: SignatureCheck) -> tuple[Header, Branch]:
    verify_consensus_proof(data, parse_object(genesis.header), check)
    proof = parse_consensus_proof(data)
    keys = proof.changes[-1].validators if proof.changes else voting_keys(genesis.validators)
    header = parse_header(proof.header)
    verified: VerifiedCommit = verify_commit(header, parse_commit(proof.commit), genesis.chain_id, keys, check)
    block = hash_header(header)
    return header, Branch(block, header.app_hash.hex(), verified.signed_by, verified.signed_power, verified.total_power)
