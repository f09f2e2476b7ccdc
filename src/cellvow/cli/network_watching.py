"""`cellvow network watch` and `cellvow network fork`: whether validators have decided two histories, and the proof."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table, print_lines
from cellvow.cli.command import Options, command
from cellvow.cli.failures import ExitCode, WrongUsage
from cellvow.core.primitives.errors import OperationalError

if TYPE_CHECKING:
    from cellvow.core.ledger.genesis import Genesis
    from cellvow.node.cometbft.monitor import Fork, Monitor, Sight, VerifiedFork
    from cellvow.node.cometbft.rpc import EngineRpc

LOOK_S = 2.0
"""How often the members are asked."""
RPC_TIMEOUT_S = 5.0
PROOF_FILE = "fork.proof"
GenesisFile = Annotated[
    Path | None,
    typer.Option("--genesis", metavar="FILE", dir_okay=False, help="The genesis; without: the one in the folder."),
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkToWatch(Options):
    """Options of `network watch`."""

    members: Annotated[list[str], typer.Argument(metavar="DIR|URL...", help="A network's folder, or members' engines.")]
    genesis: GenesisFile = None
    proof: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where the proof of a fork is kept.")] = (
        Path(PROOF_FILE)
    )
    once: Annotated[bool, typer.Option("--once", help="Look once, and end.")] = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForkToCheck(Options):
    """Options of `network fork`."""

    proof: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The proof of a fork.")]
    genesis: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The genesis of the ledger.")]


def add_watching(app: typer.Typer) -> None:
    """Add the commands to the group `network`."""
    command(
        app,
        "watch",
        examples=(
            "cellvow network watch network",
            "cellvow network watch http://10.0.0.1:26601 http://10.0.0.2:26601 --genesis genesis.json --once",
        ),
    )(watch)
    command(app, "fork", examples=("cellvow network fork fork.proof --genesis network/genesis.json",))(check_fork)


def watch(options: NetworkToWatch) -> Answer:
    """Compare what several members show, until a fork is seen.

    Two blocks of one height, both signed by more than two thirds, are a fork: the proof is kept, and anybody who has
    the genesis can check it. Exit code 1 if there is one.
    """
    from cellvow.node.cometbft.monitor import Monitor

    with ExitStack() as closing:
        genesis, sources = _open(options)
        for source in sources.values():
            closing.callback(source.close)
        monitor = Monitor(sources, genesis)
        seen = monitor.look() if options.once else _look_on(monitor)
    if not seen.forks:
        if not seen.heights:
            raise OperationalError("no member answers: is the network running, and are these its engines' addresses?")
        lines: list[str | Table] = [_table(seen), *_sentences(seen)]
        return Answer(_document(seen), lines, exit_code=int(ExitCode.DOES_NOT_HOLD) if seen.unproven else 0)
    fork = seen.forks[0]
    options.proof.write_bytes(fork.proof)
    told = [*_told(fork.verified, fork), f"The proof is in {options.proof}. Whoever has the genesis checks it with:"]
    told.append(f"  cellvow network fork {options.proof} --genesis genesis.json")
    document = {**_document(seen), "proof": str(options.proof), "fork": _fork_document(fork.verified)}
    return Answer(document, [_table(seen), *told], exit_code=int(ExitCode.DOES_NOT_HOLD))


def check_fork(options: ForkToCheck) -> Answer:
    """Check the proof of a fork, with the genesis alone.

    Exit code 0 if it proves one: two thirds of the validators have signed each of two blocks of one height.
    """
    from cellvow.node.cometbft.monitor import verify_fork

    verified = verify_fork(_read(options.proof), _read_genesis(options.genesis))
    return Answer({"fork": _fork_document(verified)}, ["The proof holds.", *_told(verified)])


def _open(options: NetworkToWatch) -> "tuple[Genesis, Mapping[str, EngineRpc]]":
    """The genesis, and every member's engine by the name it is spoken of."""
    from cellvow.node.cometbft.rpc import EngineRpc
    from cellvow.workspace.network import Network

    are_urls = [one.startswith("http://") for one in options.members]
    if all(are_urls):
        if options.genesis is None:
            raise WrongUsage("name the ledger's --genesis: without it nobody can say who its validators are")
        addresses = {one: one for one in options.members}
        genesis = _read_genesis(options.genesis)
    elif len(are_urls) == 1:
        network = Network(Path(options.members[0]))
        addresses = {home.label: home.membership.addresses.rpc_url for home in network.members}
        genesis = network.genesis if options.genesis is None else _read_genesis(options.genesis)
    else:
        raise WrongUsage("name one folder of a network, or the addresses of two or more engines (http://host:port)")
    return genesis, {name: EngineRpc(url, RPC_TIMEOUT_S) for name, url in addresses.items()}


def _look_on(monitor: "Monitor", pause: Callable[[float], None] = time.sleep) -> "Sight":
    """Look until a fork is seen; whatever changes meanwhile is told to people."""
    told: list[str] = []
    while True:
        seen = monitor.look()
        if seen.forks:
            return seen
        sentences = [one for one in _sentences(seen) if isinstance(one, str)]
        fresh = [one for one in sentences[1:] if one not in told]
        print_lines(fresh or ([] if told else sentences[:1]), to_errors=True)
        told = sentences
        pause(LOOK_S)


def _sentences(seen: "Sight") -> list[str | Table]:
    silent = [f"{name} says nothing: {why}" for name, why in sorted(seen.silent.items())]
    agreement = f"{len(seen.heights)} members show the same blocks up to height {seen.agreed_height}."
    return [agreement, *silent, *seen.unproven]


def _told(verified: "VerifiedFork", fork: "Fork | None" = None) -> list[str]:
    shown = ("one side", "the other") if fork is None else (fork.first, fork.second)
    sides = [
        f"  {name}: block {branch.block.hex()[:16]}..., signed by {branch.signed_power} of {branch.total_power} votes"
        for name, branch in zip(shown, (verified.first, verified.second), strict=True)
    ]
    names = ", ".join(verified.culprits) or "validators whom genesis does not name"
    return [
        f"FORK of {verified.chain_id} at height {verified.height}: two blocks, both decided.",
        *sides,
        f"Who signed both: {names} ({len(verified.keys)} validators). Nobody else could have made it.",
        "Rely on nothing from this height on until the members have settled which of the two holds.",
    ]


def _document(seen: "Sight") -> dict[str, object]:
    return {
        "agreed_height": seen.agreed_height,
        "heights": dict(seen.heights),
        "silent": dict(seen.silent),
        "unproven": list(seen.unproven),
        "forks": len(seen.forks),
    }


def _fork_document(verified: "VerifiedFork") -> dict[str, object]:
    sides = [
        {"block": one.block.hex(), "app_hash": one.app_hash, "signed": one.signed_power, "of": one.total_power}
        for one in (verified.first, verified.second)
    ]
    return {
        "chain_id": verified.chain_id,
        "height": verified.height,
        "blocks": sides,
        "signed_both": list(verified.keys),
        "organisations": list(verified.culprits),
    }


def _table(seen: "Sight") -> Table:
    rows = [(name, str(height)) for name, height in sorted(seen.heights.items())]
    rows += [(name, "-") for name in sorted(seen.silent.keys() - seen.heights.keys())]
    return Table(("member", "height"), tuple(rows))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror}") from error


def _read_genesis(path: Path) -> "Genesis":
    from cellvow.core.ledger.genesis import parse_genesis

    return parse_genesis(_read(path))
