"""`cellvow init`: a workspace, a ledger, joining one, and its witnesses."""

import dataclasses
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.options import opened_workspace
from cellvow.cli.parsing import parse_accreditation
from cellvow.cli.writing import Published, answer_of, publish, submit_and_publish
from cellvow.core.ledger.genesis import ROLES

if TYPE_CHECKING:
    from cellvow.node.home import NodeHome
    from cellvow.workspace.workspace import Workspace

app = make_app("Make workspaces and ledgers, join, name witnesses.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceToMake(Options):
    """Options of `init workspace`."""

    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="An empty or new folder.")]
    organisation: Annotated[str, typer.Option(metavar="ID", help="Identifier: 2 to 32 of a-z, 0-9 and '-'.")]
    name: Annotated[str, typer.Option(metavar="NAME", help="Display name; it is public.")]
    role: Annotated[list[str], typer.Option(metavar="ROLE", help=f"Repeat it for several of {', '.join(ROLES)}.")]
    accreditation: Annotated[
        list[str],
        typer.Option(
            metavar="SCOPE", help="What it is accredited for: STANDARD:EDITION:QUANTITY,QUANTITY:LAST-DAY (YYYY-MM-DD)."
        ),
    ] = dataclasses.field(default_factory=list)


@command(
    app,
    "workspace",
    examples=(
        "cellvow init workspace maker --organisation packworks --name 'Pack Works' --role manufacturer",
        (
            "cellvow init workspace lab --organisation testlab --name 'Test Lab' --role laboratory "
            "--accreditation cellvow:dc-discharge:1:capacity,energy:2028-12-31"
        ),
    ),
)
def make_workspace(options: WorkspaceToMake) -> Answer:
    """Make an organisation's workspace with new keys.

    Its file member.json goes to whoever founds the ledger; it holds no secret. The folder keys does: keep a copy of
    it in a safe place.
    """
    from cellvow.workspace.workspace import MEMBER_FILE, Workspace

    accreditations = tuple(parse_accreditation(text) for text in options.accreditation)
    workspace = Workspace.create(
        options.folder, options.organisation, options.name, tuple(options.role), accreditations
    )
    kids = {name: workspace.key(name).kid.hex() for name in workspace.keystore.names()}
    workspace.close()
    member = options.folder / MEMBER_FILE
    document = {
        "folder": str(options.folder),
        "keys": kids,
        "member": str(member),
        "organisation": options.organisation,
    }
    lines = [
        f"The workspace of {options.organisation} is in {options.folder}, with new keys.",
        *(f"  key {name:<14} {kid}" for name, kid in kids.items()),
        f"Give {member} to whoever founds the ledger. Then:",
        f"  cellvow init join {options.folder} --ledger DIR",
    ]
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LedgerToMake(Options):
    """Options of `init ledger`."""

    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="A folder without a ledger.")]
    chain_id: Annotated[str, typer.Option(metavar="ID", help="Name of the ledger; statements are signed for it alone.")]
    origin: Annotated[str, typer.Option(metavar="NAME", help="Name of its log on checkpoints, like example.org/log.")]
    member: Annotated[
        list[Path],
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="A member.json; once for each organisation."),
    ]


@command(
    app,
    "ledger",
    examples=(
        (
            "cellvow init ledger node --chain-id packs-2026 --origin packworks.example/log "
            "--member maker/member.json --member lab/member.json"
        ),
    ),
)
def make_ledger(options: LedgerToMake) -> Answer:
    """Found a ledger with the organisations of some member.json files.

    Makes the genesis, the key that signs checkpoints, and trust.json, which verifiers take as given.
    """
    from cellvow.core.ledger.checkpoint import KeyAlgorithm, NoteKey, encode_vkey
    from cellvow.core.ledger.genesis import Genesis, encode_genesis, parse_genesis
    from cellvow.core.primitives.signature import derive_public_key
    from cellvow.core.protocol.ruleset import NEWEST
    from cellvow.node.home import TRUST_FILE, NodeHome
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.workspace import read_member

    members = sorted((read_member(path) for path in options.member), key=lambda one: one.organisation)
    genesis = parse_genesis(encode_genesis(Genesis(options.chain_id, now_ms(), NEWEST, tuple(members))))
    seed = secrets.token_bytes(32)
    # Refuses a bad name before anything is written.
    encode_vkey(NoteKey(options.origin, KeyAlgorithm.LOG, derive_public_key(seed)))
    home = NodeHome.create(options.folder, genesis, options.origin, seed)
    published = _publish(home)
    trust = options.folder / TRUST_FILE
    document = {
        "chain_id": options.chain_id,
        "genesis": genesis.digest.hex(),
        "log": home.describe()["log"],
        "members": [member.organisation for member in members],
        "checkpoint": published.document(),
        "trust": str(trust),
    }
    lines = [
        f"The ledger {options.chain_id} is in {options.folder}, founded by {len(members)} organisations:",
        *(f"  {member.organisation:<20} {member.name} ({', '.join(member.roles)})" for member in members),
        f"  genesis {genesis.digest.hex()}",
        *published.lines(),
        f"Give {trust} to whoever wants to verify, by a way they trust. Next, for each workspace:",
        f"  cellvow init join WORKSPACE --ledger {options.folder}",
    ]
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Joining(Options):
    """Options of `init join`."""

    workspace: Annotated[Path, typer.Argument(metavar="WORKSPACE", file_okay=False, help="Folder of the workspace.")]
    ledger: Annotated[
        Path,
        typer.Option(
            "--ledger", "-l", metavar="DIR", envvar="CELLVOW_LEDGER", file_okay=False, help="Folder of the node."
        ),
    ]


@command(app, "join", examples=("cellvow init join lab --ledger node",))
def join(options: Joining) -> Answer:
    """Let a workspace submit to a ledger.

    Registers its working key, signed by its root key. Joining again changes nothing.
    """
    from cellvow.core.ledger.key import key_record_key
    from cellvow.node.home import NodeHome
    from cellvow.workspace import commands
    from cellvow.workspace.settings import WORKING_KEY

    home = NodeHome(options.ledger)
    with opened_workspace(options.workspace) as workspace:
        chain_id = _require_member(home, workspace)
        workspace.join(options.ledger)
        kid = workspace.key(WORKING_KEY).kid
        if _holds(home, key_record_key(kid)):
            sentence = f"{workspace.organisation} has joined {chain_id} already; key {kid.hex()} is registered."
            return Answer({"chain_id": chain_id, "kid": kid.hex(), "registered": False}, [sentence])
        receipted, published = submit_and_publish(workspace, commands.enrol)
    answer = answer_of(f"{workspace.organisation} has joined {chain_id}.", receipted, published)
    document = {**answer.document, "chain_id": chain_id, "kid": kid.hex(), "registered": True}
    return Answer(document, [*answer.text, f"  key {kid.hex()} is in force from the next block on"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WitnessToName(Options):
    """Options of `init witness`."""

    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", file_okay=False, help="Folder of the node.")]
    vkey: Annotated[
        str, typer.Option(metavar="KEY", help="The witness's verifier key, as `cellvow witness show` prints it.")
    ]
    place: Annotated[str, typer.Option(metavar="PLACE", help="URL of its service, or the folder it lies in.")]
    replaying: Annotated[
        bool, typer.Option("--replaying", help="It executes every block before it cosigns: `cellvow witness replay`.")
    ] = False


@command(
    app,
    "witness",
    examples=(
        "cellvow init witness node --vkey witness.example/north+1a2b3c4d+BG... --place http://127.0.0.1:8001",
        "cellvow init witness node --vkey witness.example/east+5e6f7a8b+BC... --place east --replaying",
    ),
)
def name_witness(options: WitnessToName) -> Answer:
    """Name one more witness of a ledger.

    Checkpoints are published to it from now on, and trust.json names it. The witness must know the log first:
    `cellvow witness add-log`. Whoever verifies needs the new trust.json.

    What the state alone says of a signer - a member admitted by vote, a recovered root key - counts under one writer
    only if a witness that executes every block has cosigned it. `--replaying` says that this one does, also of one that
    is named already.
    """
    from cellvow.core.ledger.checkpoint import parse_vkey
    from cellvow.node.home import NodeHome, WitnessAddress

    home = NodeHome(options.ledger)
    place = options.place
    if not place.startswith(("http://", "https://")):
        place = str(Path(place).resolve())
    name = parse_vkey(options.vkey).name
    home.add_witness(WitnessAddress(options.vkey, place), replaying=options.replaying)
    published = _publish(home)
    trust = home.trust
    document = {
        "checkpoint": published.document(),
        "name": name,
        "place": place,
        "quorum": trust.quorum,
        "replaying": list(trust.replaying),
        "witnesses": [key.name for key in trust.witnesses],
    }
    number = [key.name for key in trust.witnesses].index(name) + 1
    executes = " It executes every block before it does." if name in trust.replaying else ""
    lines = [
        f"{name} is witness {number} of this ledger; {trust.quorum} must cosign.{executes}",
        *published.lines(),
        f"Give out {options.ledger / 'trust.json'} anew: verifiers count only witnesses that it names.",
    ]
    return Answer(document, lines)


def _publish(home: "NodeHome") -> Published:
    from cellvow.workspace.clock import now_ms

    with home.open_session(now_ms) as session:
        return publish(session)


def _holds(home: "NodeHome", key: str) -> bool:
    store = home.open_reader()
    try:
        return store.get(key) is not None
    finally:
        store.close()


def _require_member(home: "NodeHome", workspace: "Workspace") -> str:
    """The ledger's chain id, if its genesis names the workspace's root key; else `OperationalError`."""
    from cellvow.core.ledger.key import key_record_key
    from cellvow.core.primitives.errors import OperationalError

    if not _holds(home, key_record_key(workspace.key(workspace.root_key).kid)):
        raise OperationalError(
            f"the ledger in {home.folder} was founded without the root key of {workspace.organisation}: "
            "`cellvow init ledger` takes its member.json"
        )
    store = home.open_reader()
    try:
        return store.head().chain_id
    finally:
        store.close()
