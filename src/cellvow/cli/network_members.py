"""`cellvow network invite`, `join`, `replace`, `stop`, `key`: one member that comes, comes back, or goes."""

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import Options, command

if TYPE_CHECKING:
    from cellvow.workspace.network_joining import Joined

MemberFolder = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Folder of the member.")]
BootstrapOption = Annotated[
    Path, typer.Option(metavar="FILE", dir_okay=False, help="What a member wrote with `cellvow network invite`.")
]
HistoryOption = Annotated[
    bool, typer.Option("--history", help="Replay every block since genesis, instead of a snapshot.")
]
DEFAULT_HOST = "127.0.0.1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemberOptions(Options):
    """Options of `network stop`."""

    folder: MemberFolder


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyToShow(MemberOptions):
    """Options of `network key`."""

    organisation: Annotated[
        str | None, typer.Option("--of", metavar="ORGANISATION", help="Of another one, as this member's ledger has it.")
    ] = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToInvite(MemberOptions):
    """Options of `network invite`."""

    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Where it goes.")]
    rpc: Annotated[
        list[str],
        typer.Option(
            metavar="URL", help="An engine, as the newcomer reaches it; two of them. Without: on this machine."
        ),
    ] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToJoin(MemberOptions):
    """Options of `network join`."""

    bootstrap: BootstrapOption
    host: Annotated[str, typer.Option(metavar="NAME", help="Where the others reach it.")] = DEFAULT_HOST
    base_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_000, help="First of its two ports; 0 takes free ones.")
    ] = 0
    history: HistoryOption = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToReplace(MemberOptions):
    """Options of `network replace`."""

    bootstrap: BootstrapOption
    host: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where the others reach it. Without: where they did.")
    ] = None
    base_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_000, help="With --host: its first port; 0 takes free ones.")
    ] = 0
    history: HistoryOption = False


def add_member_commands(app: typer.Typer) -> None:
    """Add the commands to the group."""
    command(
        app,
        "invite",
        examples=(
            "cellvow network invite network/member-1 --output bootstrap.json",
            ("cellvow network invite member -o bootstrap.json --rpc http://10.0.0.1:26601 --rpc http://10.0.0.2:26603"),
        ),
    )(invite)
    command(app, "join", examples=("cellvow network join network/member-5 --bootstrap bootstrap.json",))(join)
    command(app, "replace", examples=("cellvow network replace network/member-2 --bootstrap bootstrap.json",))(replace)
    command(app, "stop", examples=("cellvow network stop network/member-2",))(stop)
    command(
        app,
        "key",
        examples=("cellvow network key network/member-5", "cellvow network key network/member-1 --of recycler"),
    )(show_key)


def invite(options: ToInvite) -> Answer:
    """Write the bootstrap file for a new member, or one that comes back.

    It names the genesis, the members, a block to trust and a snapshot made now. It holds no secret; but whoever joins
    takes its genesis as given, so hand it over by a way you both trust. On a ledger that goes on from another, a second
    file lies beside it: hand over both.
    """
    from cellvow.node.cometbft.member import MemberHome
    from cellvow.workspace.network_joining import BLOCKS_AFTER_SNAPSHOT, write_bootstrap

    bootstrap = write_bootstrap(MemberHome(options.folder), options.output, options.rpc)
    usable = bootstrap.snapshot_height + BLOCKS_AFTER_SNAPSHOT
    genesis = bootstrap.genesis.digest.hex()
    document = {
        "chain_id": bootstrap.genesis.chain_id,
        "genesis": genesis,
        "bootstrap": str(options.output),
        "rpc_servers": list(bootstrap.rpc_servers),
        "snapshot_height": bootstrap.snapshot_height,
        "usable_from_height": usable,
    }
    lines = [
        f"The bootstrap file of {bootstrap.genesis.chain_id} is in {options.output}.",
        f"  genesis {genesis}",
        f"  snapshot of block {bootstrap.snapshot_height}; it can be taken from block {usable} on",
        f"  asks {' and '.join(bootstrap.rpc_servers)}",
        "Whoever joins does so in a folder that holds its workspace:",
        f"  cellvow network join DIR --bootstrap {options.output.name}",
    ]
    return Answer(document, lines)


def join(options: ToJoin) -> Answer:
    """Make the home of a new member, with keys of its own.

    Its workspace must be in the folder already, as DIR/workspace. The member begins with the snapshot of the
    bootstrap file and follows the others; it validates once they have voted its key in.
    """
    from cellvow.node.cometbft.binary import find_engine
    from cellvow.workspace.network_joining import Place, join_network

    place = Place(options.host, options.base_port)
    program = find_engine(os.environ)
    joined = join_network(options.folder, options.bootstrap, place, program, with_history=options.history)
    return _answer(options, joined)


def replace(options: ToReplace) -> Answer:
    """Make a member's home anew after its disk was lost, with a new key.

    A validator that may have forgotten what it signed must never sign on: the members vote its old key out and the new
    one in. What is left of the old home is set aside. Its workspace must be in DIR/workspace, from a backup if need be.
    """
    from cellvow.node.cometbft.binary import find_engine
    from cellvow.workspace.network_joining import Place, replace_member

    place = None if options.host is None else Place(options.host, options.base_port)
    program = find_engine(os.environ)
    joined = replace_member(options.folder, options.bootstrap, place, program, with_history=options.history)
    return _answer(options, joined)


def stop(options: MemberOptions) -> Answer:
    """Stop one member, whoever runs it: its engine, then its application."""
    from cellvow.node.cometbft.member import MemberHome
    from cellvow.workspace.network import stop_member

    home = MemberHome(options.folder)
    stop_member(home)
    lines = [f"{home.label} is stopped. To run it again:", f"  cellvow network member {options.folder}"]
    return Answer({"folder": str(home.folder), "member": home.label}, lines)


def show_key(options: KeyToShow) -> Answer:
    """Show the public key that a validator signs with.

    One line, for the votes that admit or remove it: this member's own, or that of another one whose disk is lost.
    """
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.node.cometbft.member import MemberHome
    from cellvow.workspace.network_joining import read_validator_keys

    home = MemberHome(options.folder)
    name = options.organisation or home.membership.organisation
    keys = (home.validator_key,) if options.organisation is None else read_validator_keys(home, name)
    if not keys:
        raise OperationalError(f"{name} runs no validator, as the ledger of {home.label} has it")
    return Answer({"organisation": name, "validator_keys": list(keys)}, list(keys))


def _answer(options: ToJoin | ToReplace, joined: "Joined") -> Answer:
    home = joined.home
    one, key = home.membership, home.validator_key
    document = {
        "folder": str(home.folder),
        "former_keys": list(joined.former_keys),
        "host": one.host,
        "organisation": one.organisation,
        "p2p_port": one.p2p_port,
        "set_aside": None if joined.set_aside is None else str(joined.set_aside),
        "snapshot_height": joined.snapshot_height,
        "validator_key": key,
    }
    begins = "It replays every block since genesis."
    if joined.snapshot_height is not None:
        begins = f"It begins with the snapshot of block {joined.snapshot_height}; what came before stays with others."
    lines = [
        f"{home.label} is the home of {one.organisation}, with new keys, at {one.host}:{one.p2p_port}. {begins}",
        f"  validator key {key}",
    ]
    if joined.set_aside is not None:
        lines.append(f"  what was left of the old one is in {joined.set_aside}; its key must never run again")
    lines += ["Start it; it follows the others as soon as it is up:", f"  cellvow network member {options.folder}"]
    if joined.former_keys:
        lines.append("Another member proposes to remove what it validated with before, unless that still runs:")
        lines += [f"  cellvow vote propose remove-validator --key {old} -w WORKSPACE" for old in joined.former_keys]
    lines += [
        "When it is where the others are, another member proposes its key; it validates once that holds:",
        f"  cellvow vote propose admit-validator {one.organisation} --key {key} -w WORKSPACE",
    ]
    return Answer(document, lines)
