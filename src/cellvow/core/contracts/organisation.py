"""Members, their roles and accreditations, and their keys: registered and revoked by a root key."""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Context,
    Contract,
    Count,
    Hash,
    Member,
    Message,
    require,
)
from cellvow.core.ledger.genesis import Organisation, encode_organisation, parse_organisation
from cellvow.core.ledger.key import (
    OPERATIONAL,
    ROOT,
    ROOT_SCOPE,
    KeyRecord,
    SequenceRecord,
    encode_key_record,
    encode_sequence_record,
    key_record_key,
    parse_key_record,
    parse_sequence_record,
    sequence_record_key,
)
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.ledger.statement import is_hex
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import SCOPE_MAX, SEQUENCE_WINDOW
from cellvow.core.primitives.signature import (
    PUBLIC_KEY_LENGTH,
    derive_key_id,
    is_valid,
    is_valid_public_key,
)

ROOT_ONLY = ("RegisterKey", "RevokeKey")
"""What no other key may sign, so that a verifier finds a root key behind every registration."""

KeyIdText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
SignatureText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]
MessageName = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z]{2,39}\Z")]


# Records: `key/KID` and `sequence/KID` (core.ledger.key), `organisation/ID` (core.ledger.genesis).


def organisation_key(organisation: str) -> str:
    """Where a member's record lies in the state map."""
    return f"organisation/{organisation}"


# Messages


class RegisterKey(Message, frozen=True, kw_only=True):
    """Register an operational key: signed by a root key, with the new key's signature for its own registration."""

    organisation: Annotated[Member, WORLD]
    public_key: Annotated[Hash, WORLD]
    kind: Annotated[Literal["operational"], WORLD]
    scope: Annotated[tuple[MessageName, ...], msgspec.Meta(min_length=1, max_length=SCOPE_MAX), MEMBERS]
    valid_from_ms: Annotated[Count, MEMBERS]
    valid_until_ms: Annotated[Count | None, MEMBERS] = None
    possession: Annotated[SignatureText, MEMBERS]

    @property
    def subject(self) -> str:
        """The organisation whose key it is."""
        return self.organisation


class RevokeKey(Message, frozen=True, kw_only=True):
    """End a key: it signs nothing after this block. What it signed before stays valid."""

    organisation: Annotated[Member, WORLD]
    kid: Annotated[KeyIdText, WORLD]
    cause: Annotated[Literal["leaver", "rotation", "lost", "compromised", "other"], MEMBERS]

    @property
    def subject(self) -> str:
        """The organisation whose key it is."""
        return self.organisation


class RaiseFloor(Message, frozen=True, kw_only=True):
    """Mark every sequence up to `floor` as used: the way out after a lost counter."""

    organisation: Annotated[Member, WORLD]
    floor: Annotated[Count, MEMBERS]

    @property
    def subject(self) -> str:
        """The organisation whose key it is."""
        return self.organisation


# Rules


def possession_bytes(chain_id: str, organisation: str, public_key: str) -> bytes:
    """What a new key signs to show that whoever registers it holds it."""
    return f"cellvow/possession/v1\n{chain_id}\n{organisation}\n{public_key}\n".encode("ascii")


def get_organisation(context: Context, organisation: str) -> Organisation | None:
    """A member, or None."""
    value = context.get_bytes(organisation_key(organisation))
    return None if value is None else parse_organisation(value)


def require_role(context: Context, *roles: str) -> Organisation:
    """The signer's own record, if he holds one of the roles."""
    member = get_organisation(context, context.organisation)
    if member is None or not any(role in member.roles for role in roles):
        raise Rejected(Reason.ROLE_MISSING, needed=" or ".join(roles))
    return member


def covers(member: Organisation, standard: str, edition: str, quantities: list[str], time_ms: int) -> bool:
    """Whether one accreditation of the member covers the standard, its edition and all quantities at that time."""
    return any(
        one.standard == standard
        and one.edition == edition
        and time_ms <= one.valid_until_ms
        and all(quantity in one.quantities for quantity in quantities)
        for one in member.accreditations
    )


# Handlers


def _register_key(context: Context, message: RegisterKey) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY)
    root_only = any(name in ROOT_ONLY for name in message.scope)
    require(not root_only, Reason.MALFORMED_MESSAGE, field="scope")
    public_key = bytes.fromhex(message.public_key)
    require(is_valid_public_key(public_key), Reason.INVALID_PUBLIC_KEY)
    kid = derive_key_id(public_key)
    require(context.get_bytes(key_record_key(kid)) is None, Reason.KEY_EXISTS, kid=kid.hex())
    until = message.valid_until_ms
    require(until is None or message.valid_from_ms < until, Reason.EMPTY_VALIDITY)
    signed = possession_bytes(context.chain_id, message.organisation, message.public_key)
    require(is_valid(public_key, signed, bytes.fromhex(message.possession)), Reason.NO_POSSESSION)
    record = KeyRecord(
        kid=kid.hex(),
        public_key=message.public_key,
        organisation=message.organisation,
        kind=OPERATIONAL,
        scope=message.scope,
        valid_from_ms=message.valid_from_ms,
        valid_until_ms=until,
        registered_height=context.height,
        statement=context.provenance.statement,
    )
    context.put_bytes(key_record_key(kid), encode_key_record(record))
    return [{"type": "KeyRegistered", "organisation": message.organisation, "kid": kid.hex()}]


def _revoke_key(context: Context, message: RevokeKey) -> list[Event]:
    key = key_record_key(bytes.fromhex(message.kid))
    value = context.get_bytes(key)
    record = None if value is None else parse_key_record(value)
    mine = record is not None and record.organisation == context.organisation == message.organisation
    if record is None or not mine or record.kind == ROOT:
        raise Rejected(Reason.NOT_YOUR_KEY, kid=message.kid)
    require(record.revoked_height is None, Reason.KEY_ALREADY_REVOKED, kid=message.kid)
    context.put_bytes(key, encode_key_record(replace(record, revoked_height=context.height)))
    return [{"type": "KeyRevoked", "organisation": message.organisation, "kid": message.kid}]


def _raise_floor(context: Context, message: RaiseFloor) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY)
    key = sequence_record_key(bytes.fromhex(context.kid))
    value = context.get_bytes(key)
    record = SequenceRecord() if value is None else parse_sequence_record(value)
    require(record.top < message.floor <= record.top + SEQUENCE_WINDOW, Reason.FLOOR_NOT_ABOVE, top=record.top)
    marked = SequenceRecord(message.floor, (1 << SEQUENCE_WINDOW) - 1, context.provenance.statement)
    context.put_bytes(key, encode_sequence_record(marked))
    return [{"type": "FloorRaised", "organisation": message.organisation, "floor": message.floor}]


CONTRACT = Contract(
    "organisation",
    {RegisterKey: _register_key, RevokeKey: _revoke_key, RaiseFloor: _raise_floor},
)


def genesis_records(members: tuple[Organisation, ...]) -> dict[str, bytes]:
    """The records a ledger starts with: each member and its root keys; raises `Malformed` for a key unfit for use."""
    records: dict[str, bytes] = {}
    for member in members:
        records[organisation_key(member.organisation)] = encode_organisation(member)
        for public_key in member.root_keys:
            kid = _root_key_id(public_key)
            key = key_record_key(kid)
            if key in records:
                raise Malformed(f"genesis names the root key {public_key} twice")
            root = KeyRecord(
                kid=kid.hex(),
                public_key=public_key,
                organisation=member.organisation,
                kind=ROOT,
                scope=ROOT_SCOPE,
                valid_from_ms=0,
                valid_until_ms=None,
                registered_height=0,
            )
            records[key] = encode_key_record(root)
    return records


def _root_key_id(public_key: str) -> bytes:
    if not is_hex(public_key, PUBLIC_KEY_LENGTH) or not is_valid_public_key(bytes.fromhex(public_key)):
        raise Malformed(f"the root key {public_key[:64]!r} is not a point of the prime-order group in hexadecimal")
    return derive_key_id(bytes.fromhex(public_key))
