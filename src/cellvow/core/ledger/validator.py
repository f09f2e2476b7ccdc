"""The validators of a consortium: whose key signs blocks, and with how much power.

They stand in genesis, and from then on in one record of the state map, `validators`; engines only carry them out.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from cellvow.core.primitives.encoding import Json, encode_document, parse_document
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_organisation_id
from cellvow.core.primitives.limits import VALIDATOR_POWER_MAX, VALIDATORS_MAX

VALIDATORS_KEY = "validators"
"""Where the record lies in the state map; a ledger of one writer has none."""

_KEY_DIGITS = 64


@dataclass(frozen=True, slots=True)
class Validator:
    """An organisation's validator: its Ed25519 consensus key in hexadecimal, and its voting power."""

    organisation: str
    public_key: str
    power: int


def order_validators(validators: tuple[Validator, ...]) -> tuple[Validator, ...]:
    """The one order in which validators are written down: by organisation, then by key."""
    return tuple(sorted(validators, key=lambda one: (one.organisation, one.public_key)))


def validators_document(validators: tuple[Validator, ...]) -> list[Json]:
    """Validators as a member of a document."""
    return [{"organisation": one.organisation, "power": one.power, "public_key": one.public_key} for one in validators]


def parse_validators_document(value: Json) -> tuple[Validator, ...]:
    """The validators of a document's member; raises `Malformed` unless each key stands once, and in order."""
    if not isinstance(value, list) or not 1 <= len(value) <= VALIDATORS_MAX:
        raise Malformed(f"there are 1 to {VALIDATORS_MAX} validators")
    validators = tuple(_validator(one) for one in value)
    places = [(one.organisation, one.public_key) for one in validators]
    distinct = dict.fromkeys(one.public_key for one in validators)
    if any(a >= b for a, b in pairwise(places)) or len(distinct) < len(validators):
        raise Malformed("validators stand in order of organisation and key, and no key twice")
    return validators


def encode_validators(validators: tuple[Validator, ...]) -> bytes:
    """Canonical bytes of the record."""
    return encode_document({"validators": validators_document(validators)})


@lru_cache(maxsize=64)  # the same few validators are counted with every vote
def parse_validators(data: bytes) -> tuple[Validator, ...]:
    """The validators of the record's bytes; raises `Malformed`."""
    document = parse_document(data)
    if not isinstance(document, dict) or list(document) != ["validators"]:
        raise Malformed("the record of validators has exactly one field")
    return parse_validators_document(document["validators"])


def _validator(value: Json) -> Validator:
    if not isinstance(value, dict) or sorted(value) != ["organisation", "power", "public_key"]:
        raise Malformed("a validator has exactly organisation, power and public key")
    organisation, power, public_key = value["organisation"], value["power"], value["public_key"]
    if not isinstance(organisation, str) or not isinstance(public_key, str) or type(power) is not int:
        raise Malformed("a field of a validator has the wrong type")
    if not 1 <= power <= VALIDATOR_POWER_MAX:
        raise Malformed(f"the power of a validator is 1 to {VALIDATOR_POWER_MAX}")
    if len(public_key) != _KEY_DIGITS or any(digit not in "0123456789abcdef" for digit in public_key):
        raise Malformed("the key of a validator is 32 bytes in lower-case hexadecimal")
    return Validator(parse_organisation_id(organisation), public_key, power)
