"""The offline verifier: a bundle and a trust file in, proven facts out."""

from cellvow.verify.bundle import (
    MEDIA_TYPE,
    Admission,
    BatchPlace,
    BlockProof,
    Bundle,
    Disclosed,
    Inclusion,
    RecordProof,
    StateProofs,
    encode_bundle,
    least_disclosures,
    parse_bundle,
)
from cellvow.verify.consensus import (
    ConsensusProof,
    ValidatorChange,
    VerifiedConsensus,
    app_hash_of,
    encode_consensus_proof,
    parse_consensus_proof,
    verify_consensus_proof,
    voting_keys,
)
from cellvow.verify.result import TITLES, Step, Verified, describe_time
from cellvow.verify.trust import Trust, encode_trust, parse_trust
from cellvow.verify.verifier import verify_bundle

__all__ = [
    "Admission",
    "BatchPlace",
    "BlockProof",
    "Bundle",
    "ConsensusProof",
    "Disclosed",
    "Inclusion",
    "MEDIA_TYPE",
    "RecordProof",
    "StateProofs",
    "Step",
    "TITLES",
    "Trust",
    "ValidatorChange",
    "Verified",
    "VerifiedConsensus",
    "app_hash_of",
    "describe_time",
    "encode_bundle",
    "encode_consensus_proof",
    "encode_trust",
    "least_disclosures",
    "parse_bundle",
    "parse_consensus_proof",
    "parse_trust",
    "verify_bundle",
    "verify_consensus_proof",
    "voting_keys",
]
