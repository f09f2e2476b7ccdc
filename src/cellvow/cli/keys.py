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
from cellvow.cli.parsing import parse_last_moment, parse_moment
from cellvow.cli.phones import add_phone
from cellvow.cli.recovery import add_recovery
from cellvow.cli.wording import day, moment
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.ledger.key import KeyRecord
    from cellvow.node.engine import Receipted
    from cellvow.node.home import LedgerSession
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
    columns = ("name", "kind", "role", "kid", "state")
    rows = tuple(tuple(_text(one.get(column)) for column in columns) for one in keys)
    return Answer({"keys": keys}, [Table(("name", "kind", "role", "key identifier", "on the ledger"), rows)])


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
    role: Annotated[
        str | None, typer.Option(metavar="ROLE", help="Whose work it is for, instead: tester, dispatcher, clerk, ...")
    ] = None
    valid_until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it may sign.")] = None


@command(
    app,
    "register",
    examples=(
        "cellvow key register bench-3 --workspace lab --scope IssueAttestation --valid-until 2027-12-31",
        "cellvow key register operational-2 --role dispatcher --workspace lab",
    ),
)
def register_key(options: KeyToRegister) -> Answer:
    """Register an operational key on the ledger.

    Signed by the root key; in force from the next block on. A role stands for the messages of one kind of work:
    tester, dispatcher, clerk, purchaser, delegate (votes), or signatory (all of them).
    """
    from cellvow.workspace import commands

    until = None if options.valid_until is None else parse_last_moment(options.valid_until)
    scope = _scope_of(options)
    return perform(
        options.workspace,
        f"Key {options.name} is registered.",
        lambda session, workspace: commands.enrol(session, workspace, options.name, scope, until),
    )


def _scope_of(options: KeyToRegister) -> tuple[str, ...]:
    from cellvow.workspace.commands import ALL_SCOPE
    from cellvow.workspace.scopes import WORK

    if options.role is None:
        return tuple(options.scope) or ALL_SCOPE
    if options.scope:
        raise WrongUsage("say --role or --scope, not both: a role stands for a scope")
    if options.role not in WORK:
        raise WrongUsage(f"{options.role!r} is no role; roles are {', '.join(WORK)}")
    return WORK[options.role]


@command(app, "use", examples=("cellvow key use operational-2 --workspace lab",))
def use_key(options: NamedKey) -> Answer:
    """Sign with another key from now on.

    A root key manages the others instead. It must be registered before the ledger takes what it signs.
    """
    with opened_workspace(options.workspace) as workspace:
        workspace.work_with(options.name)
        kid = workspace.key(options.name).kid.hex()
        does = "manages its keys" if options.name == workspace.root_key else "signs"
    return Answer({"key": options.name, "kid": kid}, [f"{options.workspace} {does} with {options.name} ({kid})."])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToRotate(WorkspaceOptions):
    """Options of `key rotate`."""

    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the new key. Without: the next free one.")
    ] = None
    root: Annotated[bool, typer.Option("--root", help="The root key instead of the working key.")] = False


@command(app, "rotate", examples=("cellvow key rotate --workspace lab", "cellvow key rotate --root --workspace lab"))
def rotate_key(options: KeyToRotate) -> Answer:
    """Put a new key in the place of the one in use.

    The old one ends with that block, and what it signed stays valid. An attempt that was interrupted is taken up again.
    """
    from cellvow.core.ledger.key import OPERATIONAL, ROOT
    from cellvow.workspace import rotation

    kind, rotate = (ROOT, rotation.rotate_root_key) if options.root else (OPERATIONAL, rotation.rotate_key)

    def act(session: "LedgerSession", workspace: "Workspace") -> "Receipted":
        return rotate(session, workspace, options.name or rotation.free_name(session, workspace, kind))

    answer = perform(options.workspace, f"The {kind} key is replaced.", act)
    with opened_workspace(options.workspace) as workspace:
        name = workspace.root_key if options.root else workspace.settings.key
        kid = workspace.key(name).kid.hex()
    lines = [*answer.text, f"  {options.workspace} uses {name} ({kid}) from now on", *_backup_advice(options.root)]
    return Answer({**answer.document, "key": name, "kid": kid}, lines)


def _backup_advice(is_root: bool) -> list[str]:
    return (
        ["  Back up the folder `keys` of the workspace: the old copy cannot manage keys any more."] if is_root else []
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DeviceKey(WorkspaceOptions):
    """Options of `key device`."""

    name: KeyName
    device: Annotated[str, typer.Option(metavar="REF", help="Which device it is, as your organisation names it.")]
    valid_until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it may sign.")] = None


@command(
    app,
    "device",
    examples=("cellvow key device cycler-7 --device CYCLER-7 --valid-until 2028-12-31 --workspace lab",),
)
def register_device(options: DeviceKey) -> Answer:
    """Make and register the key of a device.

    It may anchor measurements and issue attestations; it can hand nothing over and manage no keys.
    """
    from cellvow.workspace import rotation

    until = None if options.valid_until is None else parse_last_moment(options.valid_until)
    return perform(
        options.workspace,
        f"Key {options.name} is registered for the device {options.device}.",
        lambda session, workspace: rotation.register_device(session, workspace, options.name, options.device, until),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToRevoke(WorkspaceOptions):
    """Options of `key revoke`."""

    key: Annotated[str, typer.Argument(metavar="KEY", help="Name in the workspace, or key identifier.")]
    cause: Annotated[Cause | None, typer.Option(help="Why it ends.")] = None
    compromised_since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Since when somebody else may have had it, like 2027-03-01T14:30 (UTC)."),
    ] = None


@command(
    app,
    "revoke",
    examples=(
        "cellvow key revoke operational-1 --cause rotation --workspace lab",
        "cellvow key revoke operational-1 --compromised-since 2027-03-01T14:30 --workspace lab",
    ),
)
def revoke_key(options: KeyToRevoke) -> Answer:
    """End a key.

    It signs nothing after this block; what it signed before stays valid. What it signed since it was compromised
    stays too, and is shown as suspect everywhere.
    """
    from cellvow.workspace import commands, rotation

    since_ms = None if options.compromised_since is None else parse_moment(options.compromised_since)
    cause = options.cause or (None if since_ms is None else "compromised")
    if cause is None:
        raise WrongUsage("say why it ends: --cause, or --compromised-since if somebody else may have it")
    if since_ms is not None and cause != "compromised":
        raise WrongUsage(f"--compromised-since goes with the cause compromised, not with {cause}")
    with opened_workspace(options.workspace) as workspace:
        kid = options.key if re.match(r"^[0-9a-f]{32}\Z", options.key) else workspace.key(options.key).kid.hex()

    def act(session: "LedgerSession", workspace: "Workspace") -> "Receipted":
        if since_ms is None:
            return commands.revoke_key(session, workspace, kid, cause)
        return rotation.mark_compromised(session, workspace, kid, since_ms)

    marked = "" if since_ms is None else f" What it signed since {moment(since_ms)} is suspect."
    return perform(options.workspace, f"Key {kid} is revoked.{marked}", act)


@command(app, "resend", examples=("cellvow key resend --workspace lab",))
def resend(options: WorkspaceOptions) -> Answer:
    """Send again what was signed and got no answer.

    None of it takes effect twice.
    """
    from cellvow.cli.writing import publish
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.sending import send_waiting

    with opened_workspace(options.workspace) as workspace, workspace.home().open_session(now_ms) as session:
        sent = sum(1 for _ in send_waiting(session, workspace))
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


add_phone(app)
add_recovery(app)


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
    from cellvow.workspace.scopes import role_of

    known: Mapping[str, object] = {}
    if record is not None:
        known = {
            "role": None if record.kind == "root" else role_of(record.scope),
            "scope": list(record.scope),
            "registered_height": record.registered_height,
            "valid_from": day(record.valid_from_ms),
            "valid_until": day(record.valid_until_ms),
            "revoked_height": record.revoked_height,
            "compromised_since": None if record.compromised_since_ms is None else moment(record.compromised_since_ms),
            "device": record.device,
            "replaces": record.replaces,
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
