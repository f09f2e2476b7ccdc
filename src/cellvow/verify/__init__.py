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
    parse_bundle,
)
from cellvow.verify.trust import Trust, encode_trust, parse_trust
from cellvow.verify.verifier import TITLES, Step, Verified, describe_time, verify_bundle

__all__ = [
    "Admission",
    "BatchPlace",
    "BlockProof",
    "Bundle",
    "Disclosed",
    "Inclusion",
    "MEDIA_TYPE",
    "RecordProof",
    "StateProofs",
    "Step",
    "TITLES",
    "Trust",
    "Verified",
    "describe_time",
    "encode_bundle",
    "encode_trust",
    "parse_bundle",
    "parse_trust",
    "verify_bundle",
]
