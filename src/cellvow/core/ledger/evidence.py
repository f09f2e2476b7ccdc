"""Evidence against a validator, as an engine hands it over: who did what at which height. It stands in the log.

{"address":"..40 hex..","height":7,"kind":"duplicate_vote","power":10,"time_ms":..,"total_power":40}
"""

from dataclasses import dataclass

from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed

DUPLICATE_VOTE, LIGHT_CLIENT_ATTACK = "duplicate_vote", "light_client_attack"
KINDS = (DUPLICATE_VOTE, LIGHT_CLIENT_ATTACK)
_COUNTS = ("height", "power", "time_ms", "total_power")
_ADDRESS_DIGITS = 40


@dataclass(frozen=True, slots=True)
class Evidence:
    """One validator's proven misbehaviour: its address (first 20 bytes of SHA-256 of its key) and power then."""

    kind: str
    address: str
    power: int
    height: int
    time_ms: int
    total_power: int


def encode_evidence(evidence: Evidence) -> bytes:
    """Canonical bytes: what a block carries, and the log's leaf is the digest of."""
    return encode_document({name: getattr(evidence, name) for name in ("address", "kind", *_COUNTS)})


def parse_evidence(data: bytes) -> Evidence:
    """The evidence of its bytes; raises `Malformed`."""
    document = parse_object(data)
    if sorted(document) != sorted(("address", "kind", *_COUNTS)):
        raise Malformed("a piece of evidence has exactly its six fields")
    kind, address = document["kind"], document["address"]
    if kind not in KINDS or not isinstance(address, str) or len(address) != _ADDRESS_DIGITS:
        raise Malformed("a piece of evidence names a known kind and an address of 20 bytes")
    counts = [value for value in (document[name] for name in _COUNTS) if type(value) is int and value >= 0]
    if len(counts) != len(_COUNTS):
        raise Malformed("heights, times and powers of evidence are whole numbers")
    height, power, time_ms, total_power = counts
    return Evidence(str(kind), address, power, height, time_ms, total_power)
