"""`cellvow fsck` and `cellvow publish`: does the ledger reproduce, and who vouches for its head."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from cellvow.cli.answer import Answer, progress_shown
from cellvow.cli.command import Options, command
from cellvow.cli.options import LedgerOptions
from cellvow.cli.writing import publish


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToCheck(Options):
    """Options of `fsck`."""

    ledger: Annotated[
        Path,
        typer.Argument(
            metavar="LEDGER", envvar="CELLVOW_LEDGER", file_okay=False, help="Folder of the node.", show_default=False
        ),
    ]


def add_ledger_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    command(app, "fsck", examples=("cellvow fsck node",))(check)
    command(app, "publish", examples=("cellvow publish --ledger node",))(publish_head)


def check(options: ToCheck) -> Answer:
    """Replay a ledger from its genesis and compare everything.

    Every signature, outcome, leaf and record is computed anew and compared with what is kept. Reads only, and works
    beside a writer. Ends with the first place that does not reproduce.
    """
    from cellvow.core.primitives.errors import VerificationError
    from cellvow.node.fsck import check_ledger
    from cellvow.node.store import LedgerStore

    store = LedgerStore.open_reader(options.ledger)
    try:
        with progress_shown("replaying blocks", as_json=options.as_json) as progress:
            checked = check_ledger(store, progress)
    except VerificationError as error:
        error.add_note("Stop this node and restore it from a backup, or ask another member for the ledger.")
        raise
    finally:
        store.close()
    document = {
        "app_hash": checked.app_hash.hex(),
        "blocks": checked.blocks,
        "checkpoint_size": checked.checkpoint_size,
        "joined_height": checked.joined_height,
        "leaves": checked.leaves,
        "records": checked.records,
        "statements": checked.statements,
    }
    signed = "no checkpoint is signed yet"
    if checked.checkpoint_size is not None:
        signed = f"the checkpoint of {checked.checkpoint_size} leaves is a prefix of it"
    lines = [
        f"The ledger reproduces: {checked.blocks} blocks, {checked.statements} statements applied anew from genesis.",
        f"Compared: every signature and outcome, {checked.leaves} leaves of the log, {checked.records} records.",
    ]
    if checked.joined_height is not None:
        lines = [
            f"The ledger began with a snapshot at height {checked.joined_height}, and agrees with itself since then.",
            f"Compared: {checked.blocks} blocks, {checked.statements} statements, {checked.records} records.",
            "Not checked: what came before, and whether later signatures and outcomes are those the rules give;",
            "`cellvow fsck` on a node with the whole history checks both.",
        ]
    lines += [
        f"  root of the log {checked.app_hash[8:].hex()}",
        f"Signed: {signed}.",
    ]
    return Answer(document, lines)


def publish_head(options: LedgerOptions) -> Answer:
    """Sign a checkpoint and ask the witnesses to cosign it.

    Commands that write do this by themselves; it is needed after a witness was away.
    """
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.node.home import NodeHome
    from cellvow.workspace.clock import now_ms

    with NodeHome(options.ledger).open_session(now_ms) as session:
        published = publish(session)
    if published.failure is not None:
        raise OperationalError(published.failure)
    return Answer({"checkpoint": published.document()}, ["The head is published.", *published.lines()])
