"""The document a ledger starts from: its name, its first members with their root keys, its first ruleset.

Genesis digest = SHA-256("cellvow/genesis/v1" || 0 || header), where the header holds the root over the
organisations, so that one organisation can be shown without the others.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from cellvow.core.ledger.validator import Validator, parse_validators_document, validators_document
from cellvow.core.primitives.digest import Digest, domain_digest
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_chain_id, parse_organisation_id
from cellvow.core.primitives.limits import ORGANISATIONS_MAX
from cellvow.core.primitives.merkle import leaf_hash, tree_root

GENESIS_DOMAIN = "cellvow/genesis/v1"
GENESIS_BYTES_MAX = 8_000_000
FIRST_ROLES = (
    "manufacturer",
    "vehicle_maker",
    "importer",
    "laboratory",
    "operator",
    "workshop",
    "second_life_operator",
    "recycler",
    "authority",
    "insurer",
    "buyer",
)
"""What an organisation may be under every ruleset."""
PRODUCERS_ORGANISATION = "producer_responsibility_organisation"
"""Who fulfils the producers' responsibility for waste in their place (Regulation (EU) 2023/1542 Article 57)."""
ROLES = (*FIRST_ROLES, PRODUCERS_ORGANISATION)
"""What an organisation may be; it may be several."""
LATER_ROLES_SINCE = 3
"""The first ruleset that knows the roles that are not among the first: software of earlier ones refuses them."""

OPTIONAL = ("predecessor", "validators")
"""What a genesis may leave out: a first ledger has no predecessor, and one of a single writer no validators."""

_NAME_LENGTH_MAX = 80
_UNSEEN = (
    (0x0000, 0x001F),  # controls
    (0x007F, 0x009F),
    (0x00AD, 0x00AD),  # soft hyphen
    (0x061C, 0x061C),  # marks that turn the direction of reading
    (0x200B, 0x200F),  # of no width, and marks of direction
    (0x2028, 0x202E),  # separators of lines, embeddings and overrides
    (0x2060, 0x206F),
    (0xE000, 0xF8FF),  # private use
    (0xFE00, 0xFE0F),  # variants of the letter before
    (0xFEFF, 0xFEFF),
    (0xFFF0, 0xFFFF),
    (0xE0000, 0x10FFFF),
)
"""Fixed ranges, not `str.isprintable`: the tables of Unicode differ between versions of Python."""


@dataclass(frozen=True, slots=True)
class Accreditation:
    """What a body outside the ledger has accredited the organisation to test: a scope that ends."""

    standard: str
    edition: str
    quantities: tuple[str, ...]
    valid_until_ms: int


@dataclass(frozen=True, slots=True)
class Organisation:
    """A member as genesis names it. Display names of organisations are public; persons have no place here."""

    organisation: str
    name: str
    roles: tuple[str, ...]
    root_keys: tuple[str, ...]
    accreditations: tuple[Accreditation, ...] = ()


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The ledger this one goes on from, so that its proofs survive the move to another engine.

    `height` is its last: records hold heights, so this ledger counts on from there.
    """

    chain_id: str
    log_size: int
    log_root: str
    state_root: str
    height: int = 0


@dataclass(frozen=True, slots=True)
class Genesis:
    """The whole document; organisations are ordered by identifier."""

    chain_id: str
    time_ms: int
    ruleset: int
    organisations: tuple[Organisation, ...]
    predecessor: Predecessor | None = None
    validators: tuple[Validator, ...] = ()

    @property
    def leaves(self) -> list[Digest]:
        """Leaf hashes of the organisations, in order."""
        return [leaf_hash(encode_organisation(member)) for member in self.organisations]

    @property
    def header(self) -> bytes:
        """Canonical bytes of what the genesis digest covers."""
        optional: dict[str, Json] = {}
        if self.predecessor is not None:
            names = ("chain_id", "height", "log_size", "log_root", "state_root")
            optional["predecessor"] = {name: getattr(self.predecessor, name) for name in names}
        if self.validators:
            optional["validators"] = validators_document(self.validators)
        return encode_document(
            {
                "chain_id": self.chain_id,
                "organisations": len(self.organisations),
                "organisations_root": tree_root(self.leaves).hex(),
                "ruleset": self.ruleset,
                "time_ms": self.time_ms,
                **optional,
            }
        )

    @property
    def digest(self) -> Digest:
        """What a trust file names, and leaf 0 holds."""
        return genesis_digest(self.header)


def genesis_digest(header: bytes) -> Digest:
    """The genesis digest of header bytes."""
    return domain_digest(GENESIS_DOMAIN, header)


def encode_organisation(member: Organisation) -> bytes:
    """Canonical bytes of one member: its leaf under `organisations_root`."""
    return encode_document(_organisation_document(member))


def _organisation_document(member: Organisation) -> dict[str, Json]:
    accreditations: list[Json] = [
        {
            "edition": a.edition,
            "quantities": list(a.quantities),
            "standard": a.standard,
            "valid_until_ms": a.valid_until_ms,
        }
        for a in member.accreditations
    ]
    return {
        "accreditations": accreditations,
        "name": member.name,
        "organisation": member.organisation,
        "roles": list(member.roles),
        "root_keys": list(member.root_keys),
    }


def encode_genesis(genesis: Genesis) -> bytes:
    """The genesis file: the header's fields with the organisations in full."""
    header = parse_object(genesis.header)
    header["organisations"] = [_organisation_document(member) for member in genesis.organisations]
    del header["organisations_root"]
    return encode_document(header)


def parse_genesis(data: bytes) -> Genesis:
    """The genesis of a file's canonical bytes; raises `Malformed`."""
    document = parse_object(data, bytes_max=GENESIS_BYTES_MAX)
    members = document.get("organisations")
    names = sorted(name for name in document if name not in OPTIONAL)
    if names != ["chain_id", "organisations", "ruleset", "time_ms"] or not isinstance(members, list):
        raise Malformed("genesis has chain_id, organisations, ruleset, time_ms, perhaps a predecessor and validators")
    genesis = Genesis(
        parse_chain_id(_text(document["chain_id"])),
        _count(document["time_ms"]),
        _count(document["ruleset"]),
        tuple(parse_organisation(encode_document(member)) for member in members),
        _predecessor(document.get("predecessor")),
        parse_validators_document(document["validators"]) if "validators" in document else (),
    )
    identifiers = [member.organisation for member in genesis.organisations]
    ordered = all(a < b for a, b in pairwise(identifiers))
    if not ordered or not 1 <= len(identifiers) <= ORGANISATIONS_MAX:
        raise Malformed("genesis names 1 to 10,000 organisations, each once, in order")
    later = [member.organisation for member in genesis.organisations if roles_since(member.roles) > genesis.ruleset]
    if later:
        raise Malformed(
            f"{later[0]} has a role that is known from ruleset {LATER_ROLES_SINCE} on, and this ledger begins with "
            f"ruleset {genesis.ruleset}: it can be given by a vote once a newer one is in force"
        )
    if any(validator.organisation not in identifiers for validator in genesis.validators):
        raise Malformed("a validator of genesis belongs to an organisation that genesis does not name")
    return genesis


def roles_since(roles: tuple[str, ...]) -> int:
    """The first ruleset under which an organisation may have all of these roles."""
    return 1 if all(role in FIRST_ROLES for role in roles) else LATER_ROLES_SINCE


@lru_cache(maxsize=4_096)  # the same few members sign block after block
def parse_organisation(data: bytes) -> Organisation:
    """The member of its canonical bytes; raises `Malformed`."""
    document = parse_object(data)
    if sorted(document) != ["accreditations", "name", "organisation", "roles", "root_keys"]:
        raise Malformed("an organisation has exactly its five fields")
    name, roles = _text(document["name"]), _texts(document["roles"])
    if not 1 <= len(name) <= _NAME_LENGTH_MAX or any(_is_unseen(ord(letter)) for letter in name):
        raise Malformed("the name of an organisation has 1 to 80 printable characters")
    if not roles or any(role not in ROLES for role in roles):
        raise Malformed(f"roles are one or more of {', '.join(ROLES)}")
    accreditations = document["accreditations"]
    root_keys = _texts(document["root_keys"])
    if not isinstance(accreditations, list) or not root_keys or any(len(key) != 64 for key in root_keys):
        raise Malformed("an organisation has at least one root key of 32 bytes in hexadecimal")
    return Organisation(
        parse_organisation_id(_text(document["organisation"])),
        name,
        roles,
        root_keys,
        tuple(_accreditation(one) for one in accreditations),
    )


def _is_unseen(code: int) -> bool:
    return any(first <= code <= last for first, last in _UNSEEN)


def _accreditation(value: Json) -> Accreditation:
    if not isinstance(value, dict) or sorted(value) != ["edition", "quantities", "standard", "valid_until_ms"]:
        raise Malformed("an accreditation has exactly its four fields")
    return Accreditation(
        _text(value["standard"]), _text(value["edition"]), _texts(value["quantities"]), _count(value["valid_until_ms"])
    )


def _predecessor(value: Json) -> Predecessor | None:
    if value is None:
        return None
    if not isinstance(value, dict) or sorted(value) != ["chain_id", "height", "log_root", "log_size", "state_root"]:
        raise Malformed("a predecessor has exactly its five fields")
    return Predecessor(
        _text(value["chain_id"]),
        _count(value["log_size"]),
        _text(value["log_root"]),
        _text(value["state_root"]),
        _count(value["height"]),
    )


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise Malformed("a text field of genesis is not text")
    return value


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Malformed("a list field of genesis is not a list")
    return tuple(_text(one) for one in value)


def _count(value: Json) -> int:
    if type(value) is not int or value < 0:
        raise Malformed("a number field of genesis is not a whole number")
    return value
