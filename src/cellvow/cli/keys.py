"""`cellvow key`: the keys of a workspace and what the ledger knows of them; never a secret."""

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_last_moment
from cellvow.cli.wording import day
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.ledger.key import KeyRecord
    from cellvow.node.store import LedgerStore
    from cellvow.workspace.keystore import SigningKey
    from cellvow.workspace.workspace import Workspace

app = make_app("Keys of a workspace; secrets are never shown.")
Cause = Literal["leaver", "rotation", "lost", "compromised", "other"]
KeyName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the key in the workspace.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey(WorkspaceOptions):
    """Options of `key new` and `key show`."""

    name: KeyName


@command(app, "list", examples=("cellvow key list --workspace lab",))
def list_keys(options: WorkspaceOptions) -> Answer:
    """List the keys of a workspace with their state.

    Whether each is registered on the ledger that the workspace has joined, and in force.
    """
    with opened_workspace(options.workspace) as workspace:
        keys = _described_keys(workspace)
    rows = tuple((str(one["name"]), str(one["kind"]), str(one["kid"]), str(one["state"])) for one in keys)
    return Answer({"keys": keys}, [Table(("name", "kind", "key identifier", "on the ledger"), rows)])


@command(app, "show", examples=("cellvow key show operational-1 --workspace lab",))
def show_key(options: NamedKey) -> Answer:
    """Show one key: public key, state, scope and validity."""
    with opened_workspace(options.workspace) as workspace:
        workspace.key(options.name)
        described = next(one for one in _described_keys(workspace) if one["name"] == options.name)
    lines = [f"{name.replace('_', ' '):<18} {_text(value)}" for name, value in described.items()]
    return Answer({"key": described}, lines)


@command(app, "new", examples=("cellvow key new operational-2 --workspace lab",))
def make_key(options: NamedKey) -> Answer:
    """Make a new operational key.

    It signs nothing before it is registered.
    """
    with opened_workspace(options.workspace) as workspace:
        kid = workspace.keystore.new_key("operational", options.name).kid.hex()
    sentences = [
        f"Key {options.name} is made: {kid}",
        "Next:",
        f"  cellvow key register {options.name} --workspace {options.workspace}",
    ]
    return Answer({"kid": kid, "kind": "operational", "name": options.name}, sentences)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToRegister(WorkspaceOptions):
    """Options of `key register`."""

    name: KeyName
    scope: Annotated[
        list[str],
        typer.Option(metavar="MESSAGE", help="A message type it may sign; repeat it. Without: all but key management."),
    ] = dataclasses.field(default_factory=list)
    valid_until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it may sign.")] = None


@command(
    app,
    "register",
    examples=("cellvow key register bench-3 --workspace lab --scope IssueAttestation --valid-until 2027-12-31",),
)
def register_key(options: KeyToRegister) -> Answer:
    """Register an operational key on the ledger.

    Signed by the root key; in force from the next block on.
    """
    from cellvow.workspace import commands

    until = None if options.valid_until is None else parse_last_moment(options.valid_until)
    scope = tuple(options.scope) or commands.ALL_SCOPE
    return perform(
        options.workspace,
        f"Key {options.name} is registered.",
        lambda session, workspace: commands.enrol(session, workspace, options.name, scope, until),
    )


@command(app, "use", examples=("cellvow key use operational-2 --workspace lab",))
def use_key(options: NamedKey) -> Answer:
    """Sign with another key from now on.

    It must be registered before the ledger takes what it signs.
    """
    with opened_workspace(options.workspace) as workspace:
        workspace.work_with(options.name)
        kid = workspace.key().kid.hex()
    return Answer({"key": options.name, "kid": kid}, [f"{options.workspace} signs with {options.name} ({kid})."])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToRevoke(WorkspaceOptions):
    """Options of `key revoke`."""

    key: Annotated[str, typer.Argument(metavar="KEY", help="Name in the workspace, or key identifier.")]
    cause: Annotated[Cause, typer.Option(help="Why it ends.")]


@command(app, "revoke", examples=("cellvow key revoke operational-1 --cause rotation --workspace lab",))
def revoke_key(options: KeyToRevoke) -> Answer:
    """End a key.

    It signs nothing after this block; what it signed before stays valid.
    """
    from cellvow.workspace import commands

    with opened_workspace(options.workspace) as workspace:
        kid = options.key if re.match(r"^[0-9a-f]{32}\Z", options.key) else workspace.key(options.key).kid.hex()
    return perform(
        options.workspace,
        f"Key {kid} is revoked.",
        lambda session, workspace: commands.revoke_key(session, workspace, kid, options.cause),
    )


@command(app, "resend", examples=("cellvow key resend --workspace lab",))
def resend(options: WorkspaceOptions) -> Answer:
    """Send again what was signed and got no answer.

    None of it takes effect twice.
    """
    from cellvow.cli.writing import publish
    from cellvow.workspace import commands
    from cellvow.workspace.clock import now_ms

    with opened_workspace(options.workspace) as workspace, workspace.home().open_session(now_ms) as session:
        sent = commands.resubmit_unresolved(session, workspace)
        published = publish(session) if sent else None
    lines = [f"{sent} statements were sent again." if sent else "Nothing waits for an answer."]
    checkpoint = None if published is None else published.document()
    return Answer({"checkpoint": checkpoint, "sent": sent}, [*lines, *([] if published is None else published.lines())])


@command(app, "recount", examples=("cellvow key recount --workspace lab",))
def recount(options: WorkspaceOptions) -> Answer:
    """Go on after the file of counters was lost.

    Reads from the ledger what each key has used, and marks all below as used: what was signed before and got no
    answer is void.
    """
    from cellvow.cli.writing import publish
    from cellvow.workspace import commands
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.workspace import Workspace

    Workspace.replace_lost_counters(options.workspace)
    with opened_workspace(options.workspace) as workspace, workspace.home().open_session(now_ms) as session:
        floors = commands.recount(session, workspace)
        published = publish(session)
    lines = [f"{name} goes on above {floor}." for name, floor in floors.items()]
    return Answer({"checkpoint": published.document(), "floors": floors}, [*lines, *published.lines()])


def _described_keys(workspace: "Workspace") -> list[dict[str, object]]:
    names = workspace.keystore.names()
    if not names:
        raise WrongUsage(f"{workspace.folder} holds no keys")
    if workspace.settings.ledger is None:
        return [_described(name, workspace.key(name), None, "no ledger joined") for name in names]
    store = workspace.home().open_reader()
    try:
        return [_on_ledger(store, name, workspace.key(name)) for name in names]
    finally:
        store.close()


def _on_ledger(store: "LedgerStore", name: str, key: "SigningKey") -> dict[str, object]:
    from cellvow.core.ledger.key import key_record_key, parse_key_record

    value = store.get(key_record_key(key.kid))
    record = None if value is None else parse_key_record(value)
    head = store.head()
    return _described(name, key, record, _state(record, head.height, head.time_ms))


def _state(record: "KeyRecord | None", height: int, time_ms: int) -> str:
    from cellvow.workspace.clock import now_ms

    if record is None:
        return "not registered"
    if record.revoked_height is not None:
        return f"revoked in block {record.revoked_height}"
    if record.is_in_force(height + 1, max(time_ms, now_ms())):
        return "in force"
    return "outside its validity"


def _described(name: str, key: "SigningKey", record: "KeyRecord | None", state: str) -> dict[str, object]:
    known: Mapping[str, object] = {}
    if record is not None:
        known = {
            "scope": list(record.scope),
            "registered_height": record.registered_height,
            "valid_from": day(record.valid_from_ms),
            "valid_until": day(record.valid_until_ms),
            "revoked_height": record.revoked_height,
        }
    return {
        "name": name,
        "kind": key.kind,
        "kid": key.kid.hex(),
        "public_key": key.public_key.hex(),
        "state": state,
        **known,
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return "-" if value is None else str(value)
