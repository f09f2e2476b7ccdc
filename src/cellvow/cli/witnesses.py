"""`cellvow witness`: an onlooker that cosigns a log's checkpoints only if they extend what it has seen."""

import dataclasses
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, progress_shown
from cellvow.cli.command import Options, command, make_app

if TYPE_CHECKING:
    from cellvow.node.witness import Witness

app = make_app("Run a witness: it sees that logs only grow.")
FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", file_okay=False, help="Folder of the witness.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WitnessOptions(Options):
    """Options of commands about one witness."""

    folder: FolderArgument


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WitnessToMake(WitnessOptions):
    """Options of `witness init`."""

    name: Annotated[str, typer.Option(metavar="NAME", help="Its name on cosignatures, like witness.example/north.")]


@command(app, "init", examples=("cellvow witness init north --name witness.example/north",))
def make(options: WitnessToMake) -> Answer:
    """Make a witness with a new key. Never restore its folder from a backup: an old memory is a lost one."""
    from cellvow.node.witness import Witness

    witness = Witness.create(options.folder, options.name, secrets.token_bytes(32))
    vkey = witness.vkey
    witness.close()
    lines = [
        f"The witness {options.name} is in {options.folder}.",
        f"  verifier key {vkey}",
        "Next, with the name and key of a log:",
        f"  cellvow witness add-log {options.folder} --origin NAME --vkey KEY",
    ]
    return Answer({"folder": str(options.folder), "name": options.name, "vkey": vkey}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogToAdd(WitnessOptions):
    """Options of `witness add-log`."""

    origin: Annotated[str, typer.Option(metavar="NAME", help="Name of the log, as its checkpoints bear it.")]
    vkey: Annotated[str, typer.Option(metavar="KEY", help="Verifier key of the log: `log` in its trust.json.")]


@command(
    app,
    "add-log",
    examples=(
        "cellvow witness add-log north --origin packworks.example/log --vkey packworks.example/log+1a2b3c4d+AX...",
    ),
)
def add_log(options: LogToAdd) -> Answer:
    """Watch one more log, trusting its key. Its first checkpoint is then taken on trust."""
    witness = open_witness(options.folder)
    try:
        witness.add_log(options.origin, options.vkey)
        name, vkey = witness.name, witness.vkey
    finally:
        witness.close()
    lines = [
        f"{name} watches {options.origin} from now on.",
        "Its ledger names it with:",
        f"  cellvow init witness LEDGER --vkey {vkey} --place {options.folder}",
    ]
    return Answer({"name": name, "origin": options.origin, "vkey": vkey}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogToReplay(WitnessOptions):
    """Options of `witness replay`."""

    trust: Annotated[
        Path,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="What you take as given: genesis and log key."),
    ]
    source: Annotated[
        Path,
        typer.Option(metavar="PLACE", file_okay=False, help="Where blocks come from: an archive, or a ledger."),
    ]


@command(app, "replay", examples=("cellvow witness replay north --trust trust.json --source backup",))
def replay(options: LogToReplay) -> Answer:
    """Execute every block of a log before cosigning.

    From now on the witness cosigns a checkpoint of this log only if it has executed every block under it, and got the
    same leaves. It keeps a ledger of its own for that. What is signed already is executed now; given again, the command
    goes on from there. A witness that only watches sees that a log grows, not that its rules were kept.
    """
    from cellvow.core.ledger.checkpoint import encode_vkey
    from cellvow.node.replaying_witness import replay_log
    from cellvow.verify.trust import parse_trust

    trust = parse_trust(options.trust.read_bytes())
    witness = open_witness(options.folder)
    try:
        if trust.log is not None:
            witness.add_log(trust.log.name, encode_vkey(trust.log))
        name, vkey = witness.name, witness.vkey
    finally:
        witness.close()
    with progress_shown("executing leaves", as_json=options.as_json) as progress:
        replayed = replay_log(options.folder, trust, options.source.resolve(), progress)
    origin = "" if trust.log is None else trust.log.name
    lines = [
        f"{name} executes every block of {origin} before it cosigns.",
        f"  reproduced: {replayed.size} leaves, up to block {replayed.height}; source {options.source}",
        "Its ledger says so in its trust.json, once, with:",
        f"  cellvow init witness LEDGER --vkey {vkey} --place {options.folder} --replaying",
    ]
    return Answer({"height": replayed.height, "name": name, "origin": origin, "size": replayed.size}, lines)


@command(app, "show", examples=("cellvow witness show north",))
def show(options: WitnessOptions) -> Answer:
    """Show a witness: its key, logs and forks.

    How far it has seen each log that it watches, and which forks it has caught.
    """
    from cellvow.api.witness import describe_witness
    from cellvow.node.replaying_witness import ReplayingWitness

    witness = open_witness(options.folder)
    try:
        replicas = witness.replicas if isinstance(witness, ReplayingWitness) else {}
        document = {
            "executes": {origin: str(one.place) for origin, one in sorted(replicas.items())},
            "forks": [{"origin": one.origin, "seen_s": one.seen_s, "size": one.size} for one in witness.forks()],
            "logs": [
                {
                    "cosigned_s": None if log.held is None else log.held.time_s,
                    "origin": log.key.name,
                    "size": None if log.held is None else log.held.checkpoint.size,
                }
                for log in witness.logs()
            ],
            "name": witness.name,
            "vkey": witness.vkey,
        }
        lines = describe_witness(witness).splitlines()
        lines += [f"executes {origin}, from {one.place}" for origin, one in sorted(replicas.items())]
    finally:
        witness.close()
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WitnessToRun(WitnessOptions):
    """Options of `witness run`."""

    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 0


@command(app, "run", examples=("cellvow witness run north --port 8001",))
def run(options: WitnessToRun) -> Answer:
    """Answer ledgers over HTTP until interrupted.

    POST /add-checkpoint as of c2sp.org/tlog-witness, and a page that says what it has seen.
    """
    from cellvow.api.witness import create_witness_app
    from cellvow.cli.listening import Listener
    from cellvow.workspace.clock import now_ms

    witness = open_witness(options.folder)
    listener = Listener.bind(options.host, options.port)
    application = create_witness_app(witness, lambda: now_ms() // 1000)

    def serve(ready: Callable[[], None]) -> None:
        try:
            listener.run(application, ready)
        finally:
            witness.close()

    lines = [f"{witness.name} listens at {listener.url}", *_stop_hint()]
    return Answer({"name": witness.name, "url": listener.url, "vkey": witness.vkey}, lines, stay_up=serve)


def open_witness(folder: Path) -> "Witness":
    """The witness in a folder, under the name its key file bears; it replays the logs that it was told to."""
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.node.replaying_witness import open_witness as open_in_folder
    from cellvow.node.witness import KEY_FILE

    path = folder / KEY_FILE
    if not path.is_file():
        raise OperationalError(f"there is no witness in {folder}: `cellvow witness init` makes one")
    # `PRIVATE+KEY+name+...`: the name is no secret, the rest is not looked at here.
    parts = path.read_text(encoding="ascii", errors="replace").split("+")
    return open_in_folder(folder, parts[2] if len(parts) > 2 else "")


def _stop_hint() -> list[str]:
    return ["Ctrl-C stops it."] if sys.stdout.isatty() else []
