"""Members, their roles and accreditations, and their keys: registered, rotated and revoked by a root key."""

from collections.abc import Callable
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
    Record,
    Reference,
    decode_record,
    require,
)
from cellvow.core.ledger.genesis import Organisation, encode_organisation, parse_organisation
from cellvow.core.ledger.key import (
    DEVICE,
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
from cellvow.core.primitives.limits import ROOT_KEYS_MAX, SCOPE_MAX, SEQUENCE_WINDOW
from cellvow.core.primitives.signature import derive_key_id, is_valid, is_valid_public_key

ROOT_ONLY = ("RegisterKey", "RevokeKey", "RotateRootKey", "AppointGuardians")
"""What no other key may sign, so that a verifier finds a root key behind every registration."""
DEVICE_SCOPE = ("Anchor", "IssueAttestation", "RaiseFloor")
"""All a device key may be registered for: it says what was measured, and disposes of nothing."""
REMOVED = "removed"

KeyIdText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
SignatureText = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{128}\Z")]
MessageName = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z]{2,39}\Z")]


# Records: `key/KID` and `sequence/KID` (core.ledger.key), `organisation/ID` (core.ledger.genesis), and:


class MembershipRecord(Record, frozen=True, kw_only=True):
    """`membership/ID`: that a vote admitted or removed the organisation; without one it is a member since genesis."""

    organisation: str
    state: Literal["admitted", "removed"]
    since_height: Count


def organisation_key(organisation: str) -> str:
    """Where a member's record lies in the state map."""
    return f"organisation/{organisation}"


def membership_key(organisation: str) -> str:
    """Where the record of a vote over a membership lies in the state map."""
    return f"membership/{organisation}"


# Messages


class RegisterKey(Message, frozen=True, kw_only=True):
    """Register an operational or device key: signed by a root key, with the new key's own signature.

    `replaces` rotates: the key it names ends with this block.
    """

    organisation: Annotated[Member, WORLD]
    public_key: Annotated[Hash, WORLD]
    kind: Annotated[Literal["operational", "device"], WORLD]
    device: Annotated[Reference | None, MEMBERS] = None
    replaces: Annotated[KeyIdText | None, WORLD] = None
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
    compromised_since_ms: Annotated[Count | None, WORLD] = None

    @property
    def subject(self) -> str:
        """The organisation whose key it is."""
        return self.organisation


class RotateRootKey(Message, frozen=True, kw_only=True):
    """Register another root key, and end the one it `retires` with this block: signed by a root key in force."""

    organisation: Annotated[Member, WORLD]
    public_key: Annotated[Hash, WORLD]
    retires: Annotated[KeyIdText | None, WORLD] = None
    possession: Annotated[SignatureText, MEMBERS]

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


def is_member(read: Callable[[str], bytes | None], organisation: str) -> bool:
    """Whether the organisation is a member now: named by genesis or admitted, and not removed."""
    return read(organisation_key(organisation)) is not None and not _was_removed(read, organisation)


def _was_removed(read: Callable[[str], bytes | None], organisation: str) -> bool:
    value = read(membership_key(organisation))
    return value is not None and decode_record(MembershipRecord, value).state == REMOVED


def find_organisation(read: Callable[[str], bytes | None], organisation: str) -> Organisation | None:
    """Whoever is or was a member; None where the ledger does not know the name."""
    value = read(organisation_key(organisation))
    return None if value is None else parse_organisation(value)


def name_of(read: Callable[[str], bytes | None], organisation: str) -> str:
    """What an organisation is called; its identifier where the ledger does not know it."""
    found = find_organisation(read, organisation)
    return organisation if found is None else found.name


def get_organisation(context: Context, organisation: str) -> Organisation | None:
    """A member, or None."""
    value = context.get_bytes(organisation_key(organisation))
    if value is None or _was_removed(context.get_bytes, organisation):
        return None
    return parse_organisation(value)


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


def require_standing(context: Context) -> None:
    """Raise `Rejected` where the signer's key has ended, or his organisation left, earlier in this very block."""
    value = context.get_bytes(key_record_key(bytes.fromhex(context.kid)))
    ended = value is not None and parse_key_record(value).revoked_height is not None
    require(not ended and is_member(context.get_bytes, context.organisation), Reason.KEY_HAS_ENDED, kid=context.kid)


def require_new_key(context: Context, public_key: str) -> str:
    """The identifier of a sound public key that is not registered yet, or `Rejected`."""
    require(is_valid_public_key(bytes.fromhex(public_key)), Reason.INVALID_PUBLIC_KEY)
    kid = derive_key_id(bytes.fromhex(public_key))
    require(context.get_bytes(key_record_key(kid)) is None, Reason.KEY_EXISTS, kid=kid.hex())
    return kid.hex()


def require_possession(context: Context, organisation: str, public_key: str, possession: str) -> None:
    """Raise `Rejected` unless the new key has signed for its own registration."""
    signed = possession_bytes(context.chain_id, organisation, public_key)
    require(is_valid(bytes.fromhex(public_key), signed, bytes.fromhex(possession)), Reason.NO_POSSESSION)


def require_own_key(context: Context, kid: str, *, is_root: bool) -> KeyRecord:
    """A key of the signer's organisation, root or not; raises `Rejected` for every other."""
    value = context.get_bytes(key_record_key(bytes.fromhex(kid)))
    record = None if value is None else parse_key_record(value)
    if record is None or record.organisation != context.organisation or (record.kind == ROOT) is not is_root:
        raise Rejected(Reason.NOT_YOUR_KEY, kid=kid)
    return record


def put_key(context: Context, record: KeyRecord) -> None:
    """Write the record of a key."""
    context.put_bytes(key_record_key(bytes.fromhex(record.kid)), encode_key_record(record))


def put_root_key(context: Context, organisation: str, public_key: str, replaces: str | None = None) -> None:
    """Write the record of a new root key, registered at this height."""
    record = KeyRecord(
        kid=derive_key_id(bytes.fromhex(public_key)).hex(),
        public_key=public_key,
        organisation=organisation,
        kind=ROOT,
        scope=ROOT_SCOPE,
        valid_from_ms=0,
        valid_until_ms=None,
        registered_height=context.height,
        replaces=replaces,
        statement=context.provenance.statement,
    )
    put_key(context, record)


def put_organisation(context: Context, member: Organisation) -> None:
    """Write the record of a member."""
    context.put_bytes(organisation_key(member.organisation), encode_organisation(member))


def end_key(context: Context, record: KeyRecord) -> None:
    """Let a key end with this block, unless it has ended."""
    if record.revoked_height is None:
        put_key(context, replace(record, revoked_height=context.height))


def mark_compromised(context: Context, record: KeyRecord, since_ms: int) -> None:
    """Let a key end, and mark it as compromised from `since_ms`; a mark moves to an earlier time only."""
    known = record.compromised_since_ms
    is_earlier = since_ms <= context.time_ms and (known is None or since_ms < known)
    require(is_earlier, Reason.MARK_NOT_EARLIER, kid=record.kid)
    ended = context.height if record.revoked_height is None else record.revoked_height
    put_key(context, replace(record, compromised_since_ms=since_ms, revoked_height=ended))


def end_all_keys(context: Context, organisation: str) -> None:
    """Let every key of an organisation end with this block, root keys too."""
    for key in context.keys("key/"):
        value = context.get_bytes(key)
        record = None if value is None else parse_key_record(value)
        if record is not None and record.organisation == organisation:
            end_key(context, record)


# Handlers


def _register_key(context: Context, message: RegisterKey) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY)
    require_standing(context)
    root_only = any(name in ROOT_ONLY for name in message.scope)
    require(not root_only, Reason.MALFORMED_MESSAGE, field="scope")
    kid = require_new_key(context, message.public_key)
    until = message.valid_until_ms
    require(until is None or message.valid_from_ms < until, Reason.EMPTY_VALIDITY)
    require_possession(context, message.organisation, message.public_key, message.possession)
    _require_device(message)
    events: list[Event] = [{"type": "KeyRegistered", "organisation": message.organisation, "kid": kid}]
    if message.replaces is not None:
        events.append(_end_own(context, message.replaces, is_root=False))
    record = KeyRecord(
        kid=kid,
        public_key=message.public_key,
        organisation=message.organisation,
        kind=message.kind,
        scope=message.scope,
        valid_from_ms=message.valid_from_ms,
        valid_until_ms=until,
        registered_height=context.height,
        replaces=message.replaces,
        device=message.device,
        statement=context.provenance.statement,
    )
    put_key(context, record)
    return events


def _require_device(message: RegisterKey) -> None:
    is_device = message.kind == DEVICE
    require(is_device is (message.device is not None), Reason.NO_DEVICE)
    outside = [name for name in message.scope if name not in DEVICE_SCOPE]
    require(not is_device or not outside, Reason.OUTSIDE_DEVICE_SCOPE)


def _end_own(context: Context, kid: str, *, is_root: bool) -> Event:
    record = require_own_key(context, kid, is_root=is_root)
    require(record.revoked_height is None, Reason.KEY_ALREADY_REVOKED, kid=kid)
    end_key(context, record)
    return {"type": "KeyRevoked", "organisation": context.organisation, "kid": kid}


def _revoke_key(context: Context, message: RevokeKey) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY, kid=message.kid)
    require_standing(context)
    since_ms = message.compromised_since_ms
    if since_ms is None:
        return [_end_own(context, message.kid, is_root=False)]
    require(message.cause == "compromised", Reason.MALFORMED_MESSAGE, field="compromised_since_ms")
    record = require_own_key(context, message.kid, is_root=False)
    mark_compromised(context, record, since_ms)
    mark: Event = {"type": "CompromiseMarked", "organisation": context.organisation, "kid": message.kid}
    ended: Event = {"type": "KeyRevoked", "organisation": context.organisation, "kid": message.kid}
    return [ended, mark] if record.revoked_height is None else [mark]


def _rotate_root_key(context: Context, message: RotateRootKey) -> list[Event]:
    member = get_organisation(context, context.organisation)
    if member is None or message.organisation != context.organisation:
        raise Rejected(Reason.NOT_YOUR_KEY)
    require_standing(context)
    kid = require_new_key(context, message.public_key)
    require_possession(context, message.organisation, message.public_key, message.possession)
    events: list[Event] = [{"type": "RootKeyRotated", "organisation": message.organisation, "kid": kid}]
    kept = member.root_keys
    if message.retires is not None:
        retired = require_own_key(context, message.retires, is_root=True)
        events.append(_end_own(context, message.retires, is_root=True))
        kept = tuple(key for key in kept if key != retired.public_key)
    require(len(kept) < ROOT_KEYS_MAX, Reason.TOO_MANY_ROOT_KEYS, keys=len(kept))
    put_root_key(context, message.organisation, message.public_key, message.retires)
    put_organisation(context, replace(member, root_keys=(*kept, message.public_key)))
    return events


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
    {
        RegisterKey: _register_key,
        RevokeKey: _revoke_key,
        RotateRootKey: _rotate_root_key,
        RaiseFloor: _raise_floor,
    },
)
