"""Checks 5 and 6: whose organisation signed, and with which key - as genesis names it, or as the state does."""

from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import (
    ALGORITHM,
    OPERATIONAL,
    ROOT,
    ROOT_MESSAGES,
    VETO,
    key_record_key,
    parse_key_record,
)
from cellvow.core.ledger.statement import is_hex
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.merkle import leaf_hash, verify_inclusion
from cellvow.verify.bundle import Admission, Inclusion
from cellvow.verify.work import (
    SignerKey,
    Work,
    open_envelope,
    open_message,
    prove_record,
    require,
    require_accepted,
    require_signer,
    require_whole,
    verify_place,
    verify_signature,
)


def check_organisation(work: Work) -> str:
    """Check 5: the signer's organisation is one of genesis, or one of the state's."""
    if work.bundle.admission is None:
        return _check_member(work)
    return _check_founder(work, work.bundle.admission)


def _check_founder(work: Work, admission: Admission) -> str:
    founder = parse_organisation(admission.organisation)
    root = verify_inclusion(
        leaf_hash(admission.organisation), admission.index, require_whole(work.members["organisations"]), admission.path
    )
    require(root.hex() == work.members["organisations_root"], "genesis does not name this organisation so")
    work.root_keys = _by_kid(founder.root_keys)
    work.result.organisation, work.result.organisation_name = founder.organisation, founder.name
    work.result.admitted_by = "genesis"
    return f"{founder.name} ({founder.organisation}) is a founding member, named by genesis"


def _check_member(work: Work) -> str:
    executed = _require_executed(work)
    work.envelope = open_envelope(work.bundle.statement)
    organisation = work.envelope.organisation
    value = prove_record(work, f"organisation/{organisation}")
    if value is None:
        raise VerificationError(f"neither genesis nor the state shown names {organisation}")
    record = parse_object(value)
    name, root_keys = record.get("name"), record.get("root_keys")
    if record.get("organisation") != organisation or not isinstance(name, str) or not isinstance(root_keys, list):
        raise VerificationError("the organisation's record has another form")
    work.root_keys = _by_kid(tuple(key for key in root_keys if isinstance(key, str) and is_hex(key, 32)))
    work.result.organisation, work.result.organisation_name = organisation, name
    work.result.admitted_by = "state"
    return f"{name} ({organisation}) is a member, as the state under the checkpoint says{executed}"


def _require_executed(work: Work) -> str:
    """Who executed the blocks that a state follows from; refuses a state that is one writer's word alone.

    More than two thirds of the validators of a consensus proof did. Of witnesses, only those named as replaying do.
    """
    if work.bundle.consensus is not None:
        return ""
    if work.trust is None:
        return ", and nobody is known to have executed the blocks that lead to it"
    names = [name for name in work.trust.replaying if name in work.result.cosigned_by]
    require(
        bool(names),
        "genesis does not lead to the signer's key, and no witness that re-executes the blocks vouches for the state "
        "that does: ask for a checkpoint that a witness which re-executes has cosigned, and name it in your trust file",
    )
    return f", which {names[0]} executed"


def _by_kid(public_keys: tuple[str, ...]) -> dict[bytes, bytes]:
    keys = [bytes.fromhex(key) for key in public_keys]
    return {sha256(key)[:16]: key for key in keys}


def check_key(work: Work) -> str:
    """Check 6: the signer's key is a root key, one that a root key registered, or one of the state's."""
    work.envelope = open_envelope(work.bundle.statement)
    kid = work.envelope.kid
    if work.bundle.admission is None:
        return _check_recorded_key(work, kid)
    leaf = _follow_rotations(work)
    count = len(work.bundle.rotations)
    leads = "1 rotation leads" if count == 1 else f"{count} rotations lead"
    named = f"to which {leads} from genesis" if count else "named by genesis"
    if not work.bundle.keys:
        require(kid in work.root_keys, "no registration is shown, and the key is no root key of the organisation")
        work.key = SignerKey(work.root_keys[kid], ROOT_MESSAGES, leaf=leaf)
        return f"a root key of the organisation, {named}"
    work.key = _registered_key(work, work.bundle.keys[0])
    _require_later(work.bundle.keys[0], leaf)
    require(sha256(work.key.public_key)[:16] == kid, "the registered key is not the one that signed")
    return f"key {kid.hex()} was registered by the organisation's root key, {named}"


def _follow_rotations(work: Work) -> int | None:
    """Go on from the root keys of genesis, each link signed by the key that the one before it made.

    Leaves the last key in `root_keys`; the leaf of the last link, or None where there is none.
    """
    leaf = None
    for rotation in work.bundle.rotations:
        message = _message_of_root_key(work, rotation, "a rotation")
        _require_later(rotation, leaf)
        public_key = message.get("public_key")
        is_own = message.get("type") == "RotateRootKey" and message.get("organisation") == work.result.organisation
        require(is_own, "a rotation is not a RotateRootKey message for this organisation")
        if not isinstance(public_key, str) or not is_hex(public_key, 32):
            raise VerificationError("a rotation names no key")
        work.root_keys, leaf = _by_kid((public_key,)), rotation.leaf
    return leaf


def _require_later(inclusion: Inclusion, leaf: int | None) -> None:
    """A key signs nothing before the leaf that made it."""
    require(leaf is None or leaf < inclusion.leaf, "a root key signed before it was one")


def _check_recorded_key(work: Work, kid: bytes) -> str:
    value = prove_record(work, key_record_key(kid))
    if value is None:
        raise VerificationError("the state does not show the signer's key")
    record = parse_key_record(value)
    public_key = bytes.fromhex(record.public_key) if is_hex(record.public_key, 32) else b""
    is_own = sha256(public_key)[:16] == kid and record.organisation == work.result.organisation
    require(is_own and record.algorithm == ALGORITHM, "the state records another key, or another organisation's")
    scope = ROOT_MESSAGES if record.kind == ROOT else _scope(record.kind, record.scope)
    leaf = None
    if work.bundle.keys:
        registered = _registered_key(work, work.bundle.keys[0])
        require(registered.public_key == public_key, "the registered key is not the one that signed")
        leaf = registered.leaf
    work.key = SignerKey(
        public_key, scope, record.valid_from_ms, record.valid_until_ms, leaf, require_whole(record.registered_height)
    )
    return f"key {kid.hex()} ({record.kind}) is the organisation's, as the state under the checkpoint says"


def _registered_key(work: Work, registration: Inclusion) -> SignerKey:
    """The key of the one registration shown."""
    message = _message_of_root_key(work, registration, "the registration")
    return _key_in(message, work.result.organisation, registration.leaf)


def _message_of_root_key(work: Work, inclusion: Inclusion, what: str) -> dict[str, Json]:
    """A message proven to be signed by a root key known so far, accepted by the ledger, and in its log."""
    envelope = open_envelope(inclusion)
    require_signer(work, inclusion, envelope)
    root_key = work.root_keys.get(envelope.kid) or _recorded_root_key(work, envelope.kid)
    if root_key is None:
        raise VerificationError(f"{what} is not signed by a root key of the organisation")
    verify_signature(work, envelope, root_key)
    message = open_message(inclusion, envelope)
    require_accepted(inclusion)
    verify_place(work, inclusion, envelope)
    return message


def _recorded_root_key(work: Work, kid: bytes) -> bytes | None:
    """A root key that was replaced since: its record still names it, where the state vouches for the signer."""
    value = prove_record(work, key_record_key(kid)) if work.bundle.admission is None else None
    if value is None:
        return None
    record = parse_key_record(value)
    is_own = record.kind == ROOT and record.organisation == work.result.organisation
    is_known = is_own and is_hex(record.public_key, 32)
    return bytes.fromhex(record.public_key) if is_known else None


def _key_in(message: dict[str, Json], organisation: str, leaf: int) -> SignerKey:
    public_key, scope, until = message.get("public_key"), message.get("scope"), message.get("valid_until_ms")
    require(
        message.get("type") == "RegisterKey" and message.get("organisation") == organisation,
        "the registration is not a RegisterKey message for this organisation",
    )
    if not isinstance(public_key, str) or not is_hex(public_key, 32) or not isinstance(scope, list):
        raise VerificationError("the registration names no key or no scope")
    return SignerKey(
        bytes.fromhex(public_key),
        _scope(message.get("kind"), tuple(str(name) for name in scope)),
        require_whole(message.get("valid_from_ms")),
        None if until is None else require_whole(until),
        leaf,
    )


def _scope(kind: Json, scope: tuple[str, ...]) -> tuple[str, ...]:
    """What a key that is no root key may sign: an operational one can always stop a recovery."""
    return (*scope, VETO) if kind == OPERATIONAL else scope
