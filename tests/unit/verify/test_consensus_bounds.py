"""How many changes of validators one consensus proof may carry."""

from __future__ import annotations

import pytest

from cellvow.core.ledger.commit import VotingKey
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import VALIDATOR_CHANGES_MAX
from cellvow.verify.consensus import ConsensusProof, ValidatorChange, encode_consensus_proof, parse_consensus_proof


def test_the_bound_on_changes_of_validators() -> None:
    """As many as the bound are read, one more is refused before any signature is looked at."""
    change = ValidatorChange(b"header", b"commit", (VotingKey(bytes(32), 1),))
    most = ConsensusProof(b"header", b"commit", (change,) * VALIDATOR_CHANGES_MAX)
    over = ConsensusProof(b"header", b"commit", (change,) * (VALIDATOR_CHANGES_MAX + 1))

    assert most == parse_consensus_proof(encode_consensus_proof(most))
    with pytest.raises(Malformed, match="at most"):
        parse_consensus_proof(encode_consensus_proof(over))
