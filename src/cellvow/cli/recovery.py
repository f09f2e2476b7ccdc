"""`cellvow key guardians`, `key recover` and `key explain`: lost keys come back, and nobody keeps a phrase."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_interval_ms
from cellvow.cli.wording import moment
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.workspace.recovering import RecoveryView

app = make_app("Replace the lost keys of an organisation, together.")
OwnerArgument = Annotated[str, typer.Argument(metavar="ORGANISATION", help="Whose keys they are.")]
_DONE = {
    "approve": "You approve the recovery of {organisation}.",
    "veto": "The recovery of {organisation} is vetoed: its keys stay as they are.",
    "complete": "The keys of {organisation} are replaced: the old ones have ended.",
}


def add_recovery(keys: typer.Typer) -> None:
    """Add the commands to `cellvow key`."""
    command(
        keys, "guardians", examples=("cellvow key guardians maker carmaker buyer --of 2 --delay 7d --workspace lab",)
    )(appoint)
    command(keys, "explain", examples=("cellvow key explain --workspace lab",))(explain)
    keys.add_typer(app, name="recover")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Guardians(WorkspaceOptions):
    """Options of `key guardians`."""

    organisations: Annotated[
        list[str], typer.Argument(metavar="ORGANISATION...", help="Members who know you: two to seven.")
    ]
    of: Annotated[int, typer.Option("--of", metavar="M", min=2, help="How many of them must agree.")]
    delay: Annotated[str, typer.Option(metavar="TIME", help="How long you can still veto, 1d to 365d.")] = "7d"


def appoint(options: Guardians) -> Answer:
    """Name who may replace your keys once they are lost.

    A later choice holds only after the delay of the one before: a thief of your root key cannot hurry.
    """
    from cellvow.workspace.recovering import appoint_guardians

    delay_ms = parse_interval_ms(options.delay)
    return perform(
        options.workspace,
        f"{options.of} of {', '.join(options.organisations)} may replace lost keys, {options.delay} after agreeing.",
        lambda session, workspace: appoint_guardians(session, workspace, options.organisations, options.of, delay_ms),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestToWrite(WorkspaceOptions):
    """Options of `key recover request`."""

    chain: Annotated[str, typer.Option("--chain", metavar="NAME", help="The ledger, as its pages name it.")]
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Where it goes.")]


@command(
    app,
    "request",
    examples=("cellvow key recover request --chain passports.example -o request.json --workspace new-lab",),
)
def write_request(options: RequestToWrite) -> Answer:
    """Ask for new keys, from a workspace made anew.

    Writes a file with your new public root key for a guardian. It holds no secret: whoever gets it can do nothing
    without the guardians, who should ask you in person before they approve.
    """
    from cellvow.workspace.recovering import make_request

    with opened_workspace(options.workspace) as workspace:
        options.output.write_bytes(make_request(workspace, options.chain))
        organisation, key = workspace.organisation, workspace.key(workspace.root_key).public_key.hex()
    lines = [
        f"{options.output} asks for the root key {key[:16]} of {organisation}.",
        "Give it to one of your guardians, and read these 16 digits to each of them in person. The first one types:",
        f"  cellvow key recover open {options.output} --workspace GUARDIAN",
    ]
    return Answer({"organisation": organisation, "public_key": key, "file": str(options.output)}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RequestToOpen(WorkspaceOptions):
    """Options of `key recover open`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The owner's request.")]


@command(app, "open", examples=("cellvow key recover open request.json --workspace maker",))
def open_request(options: RequestToOpen) -> Answer:
    """Open a recovery as one of the guardians.

    Counts as your approval. Speak with the owner in person first, and compare the digits of the key.
    """
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.workspace.recovering import open_recovery, parse_request

    try:
        request = parse_request(options.file.read_bytes())
    except FileNotFoundError as error:
        raise OperationalError(f"{options.file} is missing: the owner writes it (`key recover request`)") from error
    return perform(
        options.workspace,
        f"The recovery of {request.organisation} is open, with the root key {request.public_key[:16]}.",
        lambda session, workspace: open_recovery(session, workspace, request),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step(WorkspaceOptions):
    """Options of the steps of a recovery."""

    organisation: OwnerArgument


@command(app, "approve", examples=("cellvow key recover approve lab --workspace carmaker",))
def approve(options: Step) -> Answer:
    """Approve a recovery as another guardian.

    With enough approvals the lock begins to run: until it ends the owner can veto.
    """
    return _take(options, "approve")


@command(app, "veto", examples=("cellvow key recover veto lab --workspace lab",))
def veto(options: Step) -> Answer:
    """End the recovery of your own keys: they are not lost.

    Any of your keys but a device's may sign it.
    """
    return _take(options, "veto")


@command(app, "complete", examples=("cellvow key recover complete lab --workspace maker",))
def complete(options: Step) -> Answer:
    """Let the new keys begin, once the lock has ended."""
    return _take(options, "complete")


def explain(options: WorkspaceOptions) -> Answer:
    """Explain how your keys work and what to do when one is lost.

    In plain words, with how your organisation stands now.
    """
    from cellvow.cli.key_text import explain_keys
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.recovering import list_wards, read_key_care

    with opened_workspace(options.workspace) as workspace:
        if workspace.settings.ledger is None:
            raise WrongUsage(f"{options.workspace} has joined no ledger yet: `cellvow init join` does that")
        store = workspace.home().open_reader()
        try:
            care = read_key_care(store, workspace.organisation, now_ms())
            wards = list_wards(store, workspace.organisation)
        finally:
            store.close()
    appointment, recovery = care.appointment, care.recovery
    document = {
        "organisation": care.organisation,
        "root_keys": [one.kid for one in care.root_keys],
        "working_keys": [one.kid for one in care.working_keys],
        "device_keys": [one.kid for one in care.device_keys],
        "guardians": [] if appointment is None else list(appointment.guardians),
        "threshold": None if appointment is None else appointment.threshold,
        "delay_ms": None if appointment is None else appointment.delay_ms,
        "recovery": None if recovery is None else dataclasses.asdict(recovery),
        "guardian_of": wards,
    }
    return Answer(document, explain_keys(care, wards, options.workspace, now_ms()))


def _take(options: Step, step: str) -> Answer:
    from cellvow.workspace.recovering import take_step

    answer = perform(
        options.workspace,
        _DONE[step].format(organisation=options.organisation),
        lambda session, workspace: take_step(session, workspace, options.organisation, step),
    )
    recovery = _read(options)
    return Answer({**answer.document, "recovery": dataclasses.asdict(recovery)}, [*answer.text, *_next(recovery)])


def _read(options: Step) -> "RecoveryView":
    from cellvow.core.primitives.errors import ensure
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.recovering import read_key_care

    with opened_workspace(options.workspace) as workspace:
        store = workspace.home().open_reader()
        try:
            recovery = read_key_care(store, options.organisation, now_ms()).recovery
        finally:
            store.close()
    ensure(recovery is not None, "a recovery was changed and has no record")
    return recovery  # type: ignore[return-value]  # ensured above


def _next(recovery: "RecoveryView") -> list[str]:
    if recovery.state == "open":
        approved = f"{len(recovery.approvals)} of {recovery.threshold} guardians have approved"
        return [f"  {approved}; it lapses {moment(recovery.ends_ms)}"]
    if recovery.state == "pending":
        return [
            f"  the lock runs until {moment(recovery.unlocks_ms)}: until then {recovery.organisation} can veto",
            f"  cellvow key recover complete {recovery.organisation}",
        ]
    if recovery.state == "completed":
        return [f"  {recovery.organisation} goes on from its new workspace with `cellvow init join`"]
    return []
