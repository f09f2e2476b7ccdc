"""`cellvow demo`: the main job from a real file to a proof, told as it happens; then twelve ways to cheat."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Report, Table, print_lines, reporter
from cellvow.cli.command import Options, command
from cellvow.cli.failures import ExitCode, WrongUsage
from cellvow.cli.passport_text import describe_passport
from cellvow.core.primitives.errors import OperationalError, VerificationError

if TYPE_CHECKING:
    from cellvow.passport.view import Passport
    from cellvow.workspace.attacks import Noticed
    from cellvow.workspace.demo import Demo

OWNER = "buyer"
PAGES = "pages"
VERIFY_TIMEOUT_S = 60
_WITHOUT_NETWORK = """
import runpy, sys

def refuse(event, arguments):
    if event.startswith("socket."):
        raise SystemExit("the verifier reached for the network")

sys.addaudithook(refuse)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program in a process that ends when it touches a socket (Python's audit events)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration(Options):
    """Options of `demo`."""

    folder: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="Where everything goes.")] = Path("demo")
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Your own measurement instead of the real one that is fetched.",
        ),
    ] = None
    rated_ah: Annotated[float | None, typer.Option(metavar="AH", help="Rated capacity, Ah, of the cell in --data.")] = (
        None
    )
    measurement: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            envvar="CELLVOW_MEASUREMENT",
            help="Cache that holds the real measurement; without: simulated.",
        ),
    ] = Path(".cache/measurement")
    attack: Annotated[
        bool, typer.Option("--attack", help="Then cheat in twelve ways, and see who notices each and who does not.")
    ] = False
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace an earlier demonstration in the folder.")] = False


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What one verifier said of the certificate's bundle."""

    verifier: str
    holds: bool
    steps: int
    reason: str | None


def add_demo(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "demo",
        examples=("cellvow demo", "cellvow demo --data cell.csv --rated-ah 33.1", "cellvow demo --attack"),
    )(demonstrate)


def demonstrate(options: Demonstration) -> Answer:
    """Take one battery from a measurement to an offline proof.

    Six invented organisations, one real measurement, one passport, shown as a stranger and as its owner see it. An
    earlier demonstration in the folder is shown again, unless --fresh or --data asks for a new one. With --attack
    dishonest operators and members work on copies; the demonstration is left as it is.
    """
    if options.rated_ah is not None and options.data is None:
        raise WrongUsage("--rated-ah belongs to --data: the real measurement has its own rating")
    report = reporter(as_json=options.as_json)
    demo = _open(options, report)
    try:
        public, owned = _show(demo, options, report)
        verdicts = _verify(demo, report)
        noticed = _attack(demo, report) if options.attack else []
    finally:
        demo.close()
    failed = [verdict for verdict in verdicts if not verdict.holds]
    if failed:
        raise VerificationError(f"{failed[0].verifier} refuses the demonstration's own proof: {failed[0].reason}")
    document = {
        "attacks": describe_attacks(noticed) if options.attack else None,
        "bundle": str(demo.bundle),
        "folder": str(demo.folder),
        "owner": owned,
        "public": public,
        "trust": str(demo.trust),
        "verified_by": [dataclasses.asdict(verdict) for verdict in verdicts],
    }
    return Answer(document, [*tabulate_attacks(noticed), *_next_steps(demo)], exit_code=find_exit_code(noticed))


def _open(options: Demonstration, report: Report) -> "Demo":
    """The demonstration: an earlier one that was finished, or a new one."""
    from cellvow.workspace.demo import DemoInput, open_demo, run_demo

    earlier = open_demo_if_whole(options.folder) and not options.fresh and options.data is None
    if earlier:
        report(f"{options.folder} holds a demonstration: it is shown again. --fresh makes a new one.")
        return open_demo(options.folder, report)
    demo_input = DemoInput(options.data, options.rated_ah, options.measurement)
    return run_demo(options.folder, demo_input, report, replace=True)


def open_demo_if_whole(folder: Path) -> bool:
    """Whether a demonstration was run into the folder to its end, by all who play in it now.

    The verifier is written last. One of an earlier version, with fewer organisations, is made anew.
    """
    from cellvow.workspace.demo import ORGANISATIONS, Demo

    demo = Demo(folder, lambda _: None)
    has_all = all((folder / name).is_dir() for name, _, _ in ORGANISATIONS)
    return has_all and demo.trust.is_file() and demo.verifier.is_file()


def _show(demo: "Demo", options: Demonstration, report: Report) -> tuple[dict[str, object], dict[str, object]]:
    """Both views in the terminal and as pages; their documents."""
    from cellvow.cli.pages import write_page_with_proofs
    from cellvow.cli.passports import passport_document
    from cellvow.passport.view import OWNER as AS_OWNER
    from cellvow.passport.view import PUBLIC
    from cellvow.workspace.demo import BATTERY
    from cellvow.workspace.passports import PassportReader

    folder = demo.folder / PAGES / BATTERY
    source = PassportReader(demo.home, demo.workspaces[OWNER])
    documents = []
    for number, reader, name in ((19, PUBLIC, "index.html"), (20, AS_OWNER, "owner.html")):
        passport = write_page_with_proofs(source, BATTERY, reader, folder / name)
        if passport is None:
            raise OperationalError(f"{demo.folder} holds no passport of {BATTERY}: `cellvow demo --fresh` makes one")
        who = "a stranger" if reader is PUBLIC else "its owner"
        report(f"{number}  The passport as {who} sees it; as a page: {folder / name}")
        _print_passport(passport, options)
        documents.append(passport_document(passport))
    return documents[0], documents[1]


def _print_passport(passport: "Passport", options: Demonstration) -> None:
    if not options.as_json:
        print_lines(["", *describe_passport(passport), ""])


def _verify(demo: "Demo", report: Report) -> list[Verdict]:
    """The certificate's bundle, checked by fresh processes that know the bundle and the trust file alone."""
    if not demo.bundle.is_file():
        report("21 Nothing could be determined from the measurement, so there is no certificate to verify.")
        return []
    report("21 A fresh process checks the certificate from two files, without network and without us.")
    return verify_apart(demo.verifier, demo.bundle, demo.trust, report)


def verify_apart(verifier: Path, bundle: Path, trust: Path, report: Report) -> list[Verdict]:
    """A bundle checked by processes that know it and the trust file alone: our `.pyz`, and verify.js where Node is."""
    isolated = [sys.executable, "-I", "-S", "-c", _WITHOUT_NETWORK, str(verifier)]
    verdicts = [_ask("cellvow-verify.pyz", [*isolated, str(bundle), "--trust", str(trust), "--json"])]
    node = shutil.which("node")
    if node is None:
        report("     verify.js: not run, Node.js was not found")
    else:
        script = resources.files("cellvow.verify") / "javascript" / "verify.js"
        verdicts.append(_ask("verify.js", [node, str(script), str(bundle), str(trust), "--json"]))
    for verdict in verdicts:
        word = f"all {verdict.steps} checks hold" if verdict.holds else f"DOES NOT HOLD: {verdict.reason}"
        report(f"     {verdict.verifier}: {word}")
    return verdicts


def _ask(name: str, arguments: Sequence[str]) -> Verdict:
    """One verifier's verdict, in a process that inherits nothing but the way to its libraries."""
    environ = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if key in os.environ}
    try:
        answer = subprocess.run(  # noqa: S603 - our own verifier, arguments of our own
            arguments, capture_output=True, text=True, check=False, timeout=VERIFY_TIMEOUT_S, env=environ
        )
        said = json.loads(answer.stdout)
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as error:
        raise OperationalError(f"{name} gave no answer: {error}") from error
    reason = said.get("reason")
    holds = answer.returncode == 0 and said.get("ok") is True
    return Verdict(name, holds, len(said.get("steps", ())), None if reason is None else str(reason))


def _attack(demo: "Demo", report: Report) -> "list[Noticed]":
    """Twelve attacks on copies of the demonstration, and who noticed each."""
    from cellvow.workspace.attacks import run_attacks

    report("")
    report("A dishonest operator holds the database, the node's code and the log's key, not the members' keys.")
    report("Each attack is carried out on a copy, and everybody looks with what he has:")
    with tempfile.TemporaryDirectory(prefix="cellvow-attack-") as scratch:
        return run_attacks(demo.folder, Path(scratch), report)


def describe_attacks(noticed: "Sequence[Noticed]") -> dict[str, object]:
    """Each attack by its name: what was done, who noticed it with which words after how long, and who did not."""
    return {
        one.attack.name: {
            "does": f"{one.attack.who} {one.attack.does}",
            "gains": one.attack.gains,
            "not_noticed_by": list(one.blind),
            "noticed_by": {
                look.party: {"took_ms": look.took_ms, "words": look.words}
                for look in one.looks
                if look.words is not None
            },
            "threats": list(one.attack.threats),
            "took_ms": one.took_ms,
        }
        for one in noticed
    }


def tabulate_attacks(noticed: "Sequence[Noticed]") -> list[str | Table]:
    """The attacks as a table, and how many were noticed; nothing where none was made."""
    if not noticed:
        return []
    rows = tuple(
        (
            f"{number} {one.attack.name.replace('_', ' ')}",
            ", ".join(one.by) or "NOBODY",
            ", ".join(one.blind) or "-",
            "-" if one.took_ms is None else f"{one.took_ms or '< 1'} ms",
        )
        for number, one in enumerate(noticed, start=1)
    )
    seen = sum(bool(one.by) for one in noticed)
    return [
        "",
        Table(("attack", "noticed by", "not noticed by", "took"), rows),
        f"{seen} of {len(noticed)} attacks were noticed; 'took' is the quickest look that saw it.",
        "Who looks at nothing notices nothing: docs/explanation/fault-model.md says what each party leaves open.",
    ]


def find_exit_code(noticed: "Sequence[Noticed]") -> int:
    """0 where somebody noticed each of the attacks."""
    return 0 if all(one.by for one in noticed) else int(ExitCode.DOES_NOT_HOLD)


def _program() -> str:
    """How this program is called here: by its name where that finds it, else by the path it was called with."""
    called = Path(sys.argv[0])
    found = shutil.which("cellvow")
    is_found = found is not None and called.exists() and Path(found).samefile(called)
    return str(called) if called.name == "cellvow" and not is_found else "cellvow"


def _next_steps(demo: "Demo") -> list[str]:
    from cellvow.workspace.demo_second_life import STORAGE

    elsewhere = "" if demo.folder == Path("demo") else f" --workspace {demo.folder / OWNER}"
    cellvow = _program()
    lines = ["See the pages:", f"  {cellvow} serve{elsewhere}"]
    if demo.bundle.is_file():
        check = f"  python3 {demo.verifier} {demo.bundle} --trust {demo.trust}"
        lines += ["Check the proof, on any machine with Python:", check]
    return [
        "",
        *lines,
        "See what became of the second pack:",
        f"  {cellvow} life show {STORAGE} --ledger {demo.ledger}",
        "Replay the ledger:",
        f"  {cellvow} fsck {demo.ledger}",
        "Cheat, and be seen:",
        f"  {cellvow} demo --attack",
    ]
