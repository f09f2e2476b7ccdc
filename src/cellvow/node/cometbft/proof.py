"""Fetching what the validators have signed: the header whose app hash is this ledger's head, with its commit."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from cellvow.core.ledger.commit import VotingKey, hash_validators, parse_header
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.limits import VALIDATOR_CHANGES_MAX
from cellvow.core.primitives.signature import is_valid
from cellvow.node.cometbft.answers import SignedHeader, Validator, encode_commit, encode_header
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.durability import translated, write_whole
from cellvow.node.store import LedgerStore
from cellvow.verify.consensus import (
    ConsensusProof,
    ValidatorChange,
    encode_consensus_proof,
    parse_consensus_proof,
    verify_consensus_proof,
    voting_keys,
)

WAIT_S = 10.0
"""How long the header after the newest block is waited for: it comes at the pace of blocks."""
POLL_S = 0.05


def fetch_proof(
    rpc: EngineRpc, store: LedgerStore, path: Path, *, pause: Callable[[float], None] = time.sleep
) -> bytes:
    """The consensus proof of the newest header that vouches for this ledger, kept in `path` and returned.

    It is verified before it is kept. Raises `OperationalError` where no such header comes within ten seconds, or the
    engine no longer holds the headers that led from the validators of genesis to those of now.
    """
    signed = _await_header(rpc, store, pause)
    genesis = store.genesis()
    changes = _Changes(rpc, voting_keys(genesis.validators), _first_height(genesis)).until(signed, _known(path))
    proof = encode_consensus_proof(ConsensusProof(encode_header(signed.header), encode_commit(signed.commit), changes))
    verify_consensus_proof(proof, parse_object(genesis.header), is_valid)
    with translated(f"the proof cannot be kept in {path}"):
        write_whole(path, proof)
    return proof


class HeaderSource(Protocol):
    """What is asked of an engine: headers with their commits, and validators."""

    def commit(self, height: int | None = None) -> SignedHeader:
        """A header with the commit for it."""

    def validators(self, height: int | None = None) -> tuple[Validator, ...]:
        """The validators of a height."""


def fetch_changes(rpc: HeaderSource, genesis: Genesis, signed: SignedHeader) -> tuple[ValidatorChange, ...]:
    """The changes that lead from the validators of genesis to those of a header, as this engine shows them."""
    return _Changes(rpc, voting_keys(genesis.validators), _first_height(genesis)).until(signed, ())


class _Changes:
    """Finds the headers that name other validators, from those of genesis on."""

    def __init__(self, rpc: HeaderSource, founders: Sequence[VotingKey], first_height: int) -> None:
        self._rpc = rpc
        self._founders = hash_validators(founders)
        self._first_height = first_height

    def until(self, signed: SignedHeader, known: Sequence[ValidatorChange]) -> tuple[ValidatorChange, ...]:
        """Those that lead to the header's validators; `known` ones are not asked for again."""
        target, found = signed.header, list(known)
        current = hash_validators(found[-1].validators) if found else self._founders
        low = parse_header(found[-1].header).height + 1 if found else self._first_height
        while current != target.validators_hash and len(found) < VALIDATOR_CHANGES_MAX:
            height = self._last_height_of(current, low, target.height)
            link = self._rpc.commit(height)
            validators = tuple(VotingKey(one.public_key, one.voting_power) for one in self._rpc.validators(height + 1))
            found.append(ValidatorChange(encode_header(link.header), encode_commit(link.commit), validators))
            current, low = hash_validators(validators), height + 1
        return tuple(found)

    def _last_height_of(self, current: Digest, low: int, high: int) -> int:
        """A height of these validators whose next one has others: halved down to, since there is one between."""
        while high - low > 1:
            middle = (low + high) // 2
            if self._rpc.commit(middle).header.validators_hash == current:
                low = middle
            else:
                high = middle
        return low


def _known(path: Path) -> tuple[ValidatorChange, ...]:
    return parse_consensus_proof(path.read_bytes()).changes if path.exists() else ()


def _first_height(genesis: Genesis) -> int:
    return 1 if genesis.predecessor is None else genesis.predecessor.height + 1


def _await_header(rpc: EngineRpc, store: LedgerStore, pause: Callable[[float], None]) -> SignedHeader:
    """The newest header that vouches for the head as it was when this began, or for a later one."""
    least = store.head().log.size
    for _ in range(int(WAIT_S / POLL_S)):
        signed = rpc.commit()
        if int.from_bytes(signed.header.app_hash[:8], "big") >= least:
            return signed
        pause(POLL_S)
    raise OperationalError(
        f"no header vouches for {least} leaves within {WAIT_S:.0f} s: the validators make no blocks now "
        "(`cellvow network status`). What is committed stays committed; ask again when they do"
    )
