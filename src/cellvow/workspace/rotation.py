"""Keys that follow one another: a new working key, a new root key, a device's key, a key that was stolen.

Each new key is on disk before the ledger hears of it, and used only once the ledger has taken it.
"""

from cellvow.core.contracts.organisation import (
    DEVICE_SCOPE,
    RegisterKey,
    RevokeKey,
    RotateRootKey,
    possession_bytes,
)
from cellvow.core.ledger.key import DEVICE, OPERATIONAL, ROOT, KeyRecord, key_record_key, parse_key_record
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.workspace.commands import submit_message
from cellvow.workspace.keystore import SigningKey
from cellvow.workspace.scopes import successor_scope
from cellvow.workspace.workspace import Workspace

_NAMES = {OPERATIONAL: "operational", ROOT: "root"}


def free_name(session: LedgerSession, workspace: Workspace, kind: str) -> str:
    """The name for the next key of a kind: that of one which was made and never registered, else a new one."""
    names, number = workspace.keystore.names(), 2 if kind == ROOT else 1
    while True:
        name = f"{_NAMES[kind]}-{number}"
        if name not in names:
            return name
        is_registered = find_key(session, workspace.key(name).kid) is not None
        if workspace.key(name).kind == kind and not is_registered:
            return name
        number += 1


def rotate_key(session: LedgerSession, workspace: Workspace, name: str) -> Receipted:
    """Register another working key in the place of the one in use, which ends with that block, and use it."""
    old, key = workspace.key(), _made(workspace, OPERATIONAL, name)
    record = find_key(session, old.kid)
    message = RegisterKey(
        organisation=workspace.organisation,
        public_key=key.public_key.hex(),
        kind="operational",
        # One that has ended - stolen, and revoked before - has nothing to be replaced any more.
        replaces=old.kid.hex() if record is not None and record.revoked_height is None else None,
        scope=successor_scope(() if record is None else record.scope),
        valid_from_ms=0,
        possession=possession_of(session, workspace, key),
    )
    receipted = submit_message(session, workspace, message, workspace.root_key)
    workspace.work_with(name)
    return receipted


def rotate_root_key(session: LedgerSession, workspace: Workspace, name: str) -> Receipted:
    """Register another root key, end the one in use with that block, and manage keys with the new one."""
    old, key = workspace.key(workspace.root_key), _made(workspace, ROOT, name)
    message = RotateRootKey(
        organisation=workspace.organisation,
        public_key=key.public_key.hex(),
        retires=old.kid.hex(),
        possession=possession_of(session, workspace, key),
    )
    receipted = submit_message(session, workspace, message, workspace.root_key)
    workspace.work_with(name)
    return receipted


def register_device(
    session: LedgerSession, workspace: Workspace, name: str, device: str, valid_until_ms: int | None = None
) -> Receipted:
    """Make a key for a device and register it: it says what was measured, and disposes of nothing."""
    key = _made(workspace, DEVICE, name)
    message = RegisterKey(
        organisation=workspace.organisation,
        public_key=key.public_key.hex(),
        kind="device",
        device=device,
        scope=DEVICE_SCOPE,
        valid_from_ms=0,
        valid_until_ms=valid_until_ms,
        possession=possession_of(session, workspace, key),
    )
    return submit_message(session, workspace, message, workspace.root_key)


def mark_compromised(session: LedgerSession, workspace: Workspace, kid: str, since_ms: int) -> Receipted:
    """End a key that somebody else may have, and mark as suspect what it signed from that moment on."""
    message = RevokeKey(
        organisation=workspace.organisation, kid=kid, cause="compromised", compromised_since_ms=since_ms
    )
    return submit_message(session, workspace, message, workspace.root_key)


def find_key(session: LedgerSession, kid: bytes) -> KeyRecord | None:
    """What the ledger knows of a key."""
    value = session.engine.state.get(key_record_key(kid))
    return None if value is None else parse_key_record(value)


def possession_of(session: LedgerSession, workspace: Workspace, key: SigningKey) -> str:
    """What the new key signs to show that whoever registers it holds it."""
    chain_id = session.engine.head.chain_id
    return key.sign(possession_bytes(chain_id, workspace.organisation, key.public_key.hex())).hex()


def _made(workspace: Workspace, kind: str, name: str) -> SigningKey:
    """The key of that name, made now unless an attempt before has made it."""
    if name not in workspace.keystore.names():
        return workspace.keystore.new_key(kind, name)
    key = workspace.key(name)
    if key.kind != kind:
        raise OperationalError(f"the key {name} is of another kind ({key.kind}): name another")
    return key
