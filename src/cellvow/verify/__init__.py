"""The offline verifier: a bundle and a trust file in, proven facts out."""

from cellvow.verify.bundle import Bundle, encode_bundle, parse_bundle
from cellvow.verify.trust import Trust, encode_trust, parse_trust
from cellvow.verify.verifier import Step, Verified, verify_bundle

__all__ = [
    "Bundle",
    "Step",
    "Trust",
    "Verified",
    "encode_bundle",
    "encode_trust",
    "parse_bundle",
    "parse_trust",
    "verify_bundle",
]
