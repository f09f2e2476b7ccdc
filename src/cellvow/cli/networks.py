"""`cellvow network`: a consortium's members on one machine for trial, and one member anywhere."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table, print_lines, reporter
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.network_members import add_member_commands
from cellvow.core.primitives.errors import CellvowError, OperationalError, VerificationError

if TYPE_CHECKING:
    from cellvow.node.cometbft.binary import EngineProgram
    from cellvow.node.cometbft.member import MemberHome
    from cellvow.workspace.network import MemberState, Network, NetworkPlan, RunningNetwork

app = make_app("A consortium's members: for trial on one machine, or one of them.")
BASE_PORT = 26_600
CHAIN_ID = "cellvow-network"
WATCH_S = 0.5
"""How often running members are looked at."""
NetworkFolder = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Folder of the network.")]
Members = Annotated[int, typer.Option(metavar="N", min=1, help="How many members.")]
Chain = Annotated[str, typer.Option(metavar="ID", help="Name of the ledger.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions(Options):
    """Options of `network up`."""

    folder: NetworkFolder


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkToMake(Options):
    """Options of `network init`."""

    folder: NetworkFolder
    members: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many members. Without: 4.")] = None
    old: Annotated[
        Path | None,
        typer.Option("--from", metavar="LEDGER", file_okay=False, help="Go on from this ledger, and close it."),
    ] = None
    validator: Annotated[
        list[str],
        typer.Option(metavar="ORGANISATION", help="With --from: one that runs a member; repeat it. Without: all."),
    ] = dataclasses.field(default_factory=list)
    base_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_000, help="First of two ports each; 0 takes free ones.")
    ] = BASE_PORT
    chain_id: Chain = CHAIN_ID
    host: Annotated[
        list[str],
        typer.Option(metavar="NAME", help="Where others reach a member; once for each. Without: all are here."),
    ] = dataclasses.field(default_factory=list)


@command(
    app,
    "init",
    examples=(
        "cellvow network init network --members 4",
        "cellvow network init network --members 2 --host member-1 --host member-2",
        "cellvow network init network --from node --chain-id packs-2027 --validator maker --validator lab",
    ),
)
def make_network(options: NetworkToMake) -> Answer:
    """Make the members of a network, for trial; or move a ledger to one.

    Homes, keys, workspaces, one genesis and one settings profile for all. The organisations are invented. Real
    members make their keys themselves: one folder must never hold the keys of several.

    With --from the network goes on from another ledger, of one writer or of an older line of the engine: its members,
    keys and batteries stay, and it is closed with a last checkpoint. Workspaces then join as they are.
    """
    from cellvow.node.cometbft.binary import find_engine
    from cellvow.workspace.network import NetworkPlan, found_network

    if options.validator and options.old is None:
        raise WrongUsage("--validator names members of an older ledger: say which with --from")
    if options.members is not None and options.old is not None:
        raise WrongUsage("with --from, name who runs a member (--validator), not how many")
    plan = NetworkPlan(options.members or 4, options.base_port, options.chain_id, tuple(options.host))
    program = find_engine(os.environ)
    if options.old is not None:
        return _move(options, options.old, plan, program)
    network = found_network(options.folder, plan, program)
    genesis = network.genesis.digest.hex()
    members, table = _describe_homes(network)
    document = {"chain_id": options.chain_id, "genesis": genesis, "members": members, "trust": str(network.trust)}
    lines: list[str | Table] = [
        f"The network {options.chain_id} is in {options.folder}; its {len(members)} organisations are invented:",
        table,
        f"  genesis {genesis}",
        f"Give {network.trust} to whoever wants to verify. Next:",
        f"  cellvow network up {options.folder}",
    ]
    return Answer(document, lines)


def _move(options: NetworkToMake, old: Path, plan: "NetworkPlan", program: "EngineProgram") -> Answer:
    from cellvow.workspace.network_moving import move_ledger

    moved = move_ledger(options.folder, old, plan, tuple(options.validator), program)
    network, before = moved.network, moved.predecessor
    genesis = network.genesis.digest.hex()
    members, table = _describe_homes(network)
    document = {
        "chain_id": options.chain_id,
        "genesis": genesis,
        "members": members,
        "predecessor": dataclasses.asdict(before),
        "records": moved.records,
        "trust": str(network.trust),
    }
    lines: list[str | Table] = [
        f"{options.chain_id} goes on from {before.chain_id}, block {before.height}: {moved.records} records.",
        table,
        f"  genesis {genesis}",
        f"  {before.chain_id} is closed at {before.log_size} leaves; keep {old}, its proofs stay what they are",
        f"Whoever verifies what comes now takes {network.trust}; for what was, the old trust file stays. Next:",
        f"  cellvow network up {options.folder}",
        "Then each workspace joins, one through its own member, the others through any:",
        f"  cellvow init join WORKSPACE --ledger {network.members[0].ledger}",
    ]
    return Answer(document, lines)


def _describe_homes(network: "Network") -> tuple[list[dict[str, object]], Table]:
    rows, members = [], []
    for home in network.members:
        one = home.membership
        rows.append((home.label, one.organisation, one.name, f"{one.host}:{one.p2p_port}", str(one.rpc_port)))
        members.append({**dataclasses.asdict(one), "folder": str(home.folder)})
    return members, Table(("member", "organisation", "name", "for members", "own port"), tuple(rows))


@command(app, "up", examples=("cellvow network up network",))
def bring_up(options: NetworkOptions) -> Answer:
    """Run all members on this machine, until interrupted.

    Each has its own processes, keys, database and ports. It is said when all have a block and see each other.
    """
    from cellvow.workspace.network import Network, RunningNetwork, describe_member

    network = Network(options.folder)
    lines: list[str | Table] = []
    document: dict[str, object] = {}

    def stay_up(present: Callable[[], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler)
        with RunningNetwork(network, os.environ) as running:
            running.start_all()
            states = [describe_member(home) for home in network.members]
            document["members"] = [dataclasses.asdict(state) for state in states]
            lines.extend(
                [
                    f"All {len(states)} members are up and see each other:",
                    _table(states),
                    "Use one like any ledger:",
                    f"  cellvow init join {_workspace_of(network)} --ledger {network.members[0].ledger}",
                    "Ctrl-C stops all of them.",
                ]
            )
            present()
            _watch(network, running)

    return Answer(document, lines, stay_up=stay_up)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MemberToRun(Options):
    """Options of `network member`."""

    folder: Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Folder of the member.")]


@command(app, "member", examples=("cellvow network member network/member-1",))
def run_one(options: MemberToRun) -> Answer:
    """Run one member in the foreground, until interrupted.

    Application and engine together: when either ends, both are started anew. What a restart cannot mend ends the
    command with a sentence. For a service of the system: restart it never, or with long pauses.
    """
    from cellvow.node.cometbft.member import MemberHome
    from cellvow.node.cometbft.supervisor import run_member

    home = MemberHome(options.folder)

    def stay_up(present: Callable[[], None]) -> None:
        present()
        run_member(options.folder, os.environ)

    one = home.membership
    document = {**dataclasses.asdict(one), "folder": str(home.folder)}
    lines = [
        f"{home.label} of {one.name} is started; its logs are in {home.engine_log.parent}.",
        f"Members reach it at {one.host}:{one.p2p_port}. Ctrl-C stops it.",
    ]
    return Answer(document, lines, stay_up=stay_up)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusToShow(NetworkOptions):
    """Options of `network status`."""

    wait: Annotated[bool, typer.Option("--wait", help="Until all members run and are at one height; a minute.")] = False


@command(app, "status", examples=("cellvow network status network", "cellvow network status network --wait --json"))
def show_status(options: StatusToShow) -> Answer:
    """Show how the members are: heights, hashes, peers, validators.

    Members that differ at one height have different ledgers: one of them was altered.
    """
    from cellvow.workspace.network import Network, await_agreement, common_hashes, describe_member

    network = Network(options.folder)
    if options.wait:
        await_agreement(network)
    states = [describe_member(home) for home in network.members]
    height, hashes = common_hashes(network)
    agree = len(set(hashes.values())) <= 1
    document = {
        "agree": agree,
        "common_height": height,
        "hashes": hashes,
        "members": [dataclasses.asdict(state) for state in states],
    }
    lines: list[str | Table] = [_table(states)]
    lines += [f"{one.label}: {one.reason}" for one in states if one.reason]
    if not hashes:
        lines += ["No member is up. To start them:", f"  cellvow network up {options.folder}"]
    elif agree:
        validators = max(one.validators or 0 for one in states)
        lines.append(
            f"At height {height} all that are up agree ({len(hashes)} of {len(states)}); validators: {validators}."
        )
    else:
        lines.append(f"At height {height} they DIFFER: " + ", ".join(f"{a} {b[:16]}" for a, b in hashes.items()))
    return Answer(document, lines, exit_code=0 if agree else 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkToTry(Options):
    """Options of `network try`."""

    folder: NetworkFolder
    members: Members = 4
    base_port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65_000, help="First of two ports each; 0 takes free ones.")
    ] = 0
    chain_id: Chain = CHAIN_ID
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace an earlier trial in the folder.")] = False


@command(app, "try", examples=("cellvow network try network", "cellvow network try network --fresh --json"))
def try_network(options: NetworkToTry) -> Answer:
    """Make a network, use it, kill a member, and check its proof.

    Invented organisations register a battery and hand it over, each through its own member; one member is killed and
    comes back; the proof is then checked without any of them. All members are stopped at the end.
    """
    from cellvow.cli.demonstration import verify_apart
    from cellvow.workspace.network import NetworkPlan
    from cellvow.workspace.network_trial import clear_trial, run_trial

    report = reporter(as_json=options.as_json)
    if options.fresh:
        clear_trial(options.folder)
    plan = NetworkPlan(options.members, options.base_port, options.chain_id)
    trial = run_trial(options.folder, plan, os.environ, report)
    report("8  A fresh process checks the proof from two files, without network and without any member.")
    verdicts = verify_apart(trial.verifier, trial.bundle, trial.network.trust, report)
    failed = [verdict for verdict in verdicts if not verdict.holds]
    if failed:
        raise VerificationError(f"{failed[0].verifier} refuses the network's own proof: {failed[0].reason}")
    document = {
        "bundle": str(trial.bundle),
        "figures": trial.figures,
        "folder": str(options.folder),
        "trust": str(trial.network.trust),
        "verified_by": [dataclasses.asdict(verdict) for verdict in verdicts],
    }
    figures = trial.figures
    lines = [
        f"It took {figures['seconds']} s; a statement {figures['commit_ms']} ms from signing to its block.",
        "Run it again by yourself:",
        f"  cellvow network up {options.folder}",
    ]
    return Answer(document, lines)


def _workspace_of(network: "Network") -> str:
    """Where the first member's workspace lies; on a ledger that was moved it stayed where it was."""
    own = network.members[0].workspace
    return str(own) if own.is_dir() else "WORKSPACE"


def _table(states: "list[MemberState]") -> Table:
    from cellvow.workspace.network import split_app_hash

    rows = []
    for one in states:
        leaves, root = (None, None) if one.app_hash is None else split_app_hash(one.app_hash)
        state = "catching up" if one.is_catching_up else one.supervisor
        counts = (_shown(one.height), _shown(leaves), "-" if root is None else root[:8])
        rows.append((one.label, one.organisation, state, *counts, _shown(one.peers)))
    headings = ("member", "organisation", "state", "height", "leaves", "root", "peers")
    return Table(headings, tuple(rows))


add_member_commands(app)


def _shown(number: int | None) -> str:
    return "-" if number is None else str(number)


def _watch(network: "Network", running: "RunningNetwork") -> None:
    """Say when a member stays down; raises `OperationalError` once all do."""
    told: list[str] = []
    while len(told) < len(network.members):
        time.sleep(WATCH_S)
        for home in network.members:
            if home.label not in told and running.ended(home):
                told.append(home.label)
                print_lines([f"{home.label} is down: {_why_down(home)}"], to_errors=True)
    raise OperationalError("no member is up any more")


def _why_down(home: "MemberHome") -> str:
    """What its supervisor said last; a member that is taken away while the others run is no reason to end."""
    from cellvow.workspace.network import describe_member

    try:
        return describe_member(home).reason or "it was stopped"
    except CellvowError as error:
        return str(error)
