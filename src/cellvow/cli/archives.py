"""`cellvow archive`: files that outlive their node: export them, verify them without it, restore a ledger."""

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, print_document, print_lines, progress_shown
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import LedgerOptions
from cellvow.cli.parsing import parse_interval_ms

if TYPE_CHECKING:
    from cellvow.node.archive import Exported
    from cellvow.node.archive_reader import Signed
    from cellvow.node.restoration import Round

app = make_app("Keep a ledger outside its node: export, verify, restore.")
ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", file_okay=False, help="Folder of the archive.")]
_TRUST_HELP = "What you take as given, from another source than the archive."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToExport(LedgerOptions):
    """Options of `archive export`."""

    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", file_okay=False, help="Folder of the archive.")]
    public: Annotated[
        bool, typer.Option("--public", help="Without the blocks: what everybody may see, and nobody can replay.")
    ] = False
    every: Annotated[str | None, typer.Option(metavar="TIME", help="Stay up and export again, like 10m, 1h or 1d.")] = (
        None
    )
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Restore each export into a temporary folder, and compare.")
    ] = False


@command(
    app,
    "export",
    examples=(
        "cellvow archive export backup --ledger node",
        "cellvow archive export backup --ledger node --every 1h --rehearse",
        "cellvow archive export public --ledger node --public",
    ),
)
def export(options: ToExport) -> Answer:
    """Bring an archive up to the newest checkpoint.

    Static files that verify without this software's database: tiles, entries and checkpoint as of c2sp.org/tlog-tiles,
    and the blocks, for members. Reads only, beside the writer. Every leaf is computed anew from what is stored: a
    damaged ledger is refused. Finished files are never overwritten. No key is in it: keep log.key apart.
    """
    if options.public and options.rehearse:
        raise WrongUsage("--rehearse restores a ledger, and a --public archive has no blocks to restore from")
    if options.every is not None:
        return _keep_exporting(options, parse_interval_ms(options.every))
    exported = _export(options)
    document, lines = _exported_document(exported), _exported_lines(options, exported)
    if options.rehearse:
        restored_size = _rehearse(options)
        document["rehearsed_size"] = restored_size
        lines.append(
            f"Rehearsed: restored into a temporary folder, it equals the checkpoint of {restored_size} leaves."
        )
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToVerify(Options):
    """Options of `archive verify`."""

    archive: ArchiveArgument
    trust: Annotated[Path | None, typer.Option(metavar="FILE", exists=True, dir_okay=False, help=_TRUST_HELP)] = None


@command(app, "verify", examples=("cellvow archive verify backup --trust trust.json",))
def verify(options: ToVerify) -> Answer:
    """Show that an archive is whole and one history.

    Entries give the tiles, tiles the root that is signed; where there are blocks, each is executed anew from genesis
    and gives its leaves. Without --trust nobody's signature is checked: then it is consistent, and anchored to nothing.
    """
    from cellvow.node.archive_reader import ArchiveReader, verify_archive
    from cellvow.verify.trust import parse_trust

    trust = None if options.trust is None else parse_trust(options.trust.read_bytes())
    reader = ArchiveReader.of_folder(options.archive)
    with progress_shown("verifying leaves", as_json=options.as_json) as progress:
        verified = verify_archive(reader, trust, progress)
    document = {
        "blocks": verified.blocks,
        "circle": verified.facts.circle,
        "files": verified.files,
        "root": verified.end.root.hex(),
        "signed_by": None if verified.signed is None else list(verified.signed.by),
        "size": verified.end.size,
        "statements": verified.statements if verified.blocks is not None else None,
    }
    replayed = "Not replayed: it is an archive for everybody, without blocks."
    if verified.blocks is not None:
        replayed = f"Replayed from genesis: {verified.blocks} blocks, {verified.statements} statements."
    signed = "Signatures not checked: name a trust file with --trust."
    if verified.signed is not None:
        signed = f"Vouched for by {_signers(verified.signed)}."
    lines = [
        f"The archive holds: {verified.end.size} leaves of {verified.end.origin} give the root that is signed.",
        f"  root of the log {verified.end.root.hex()}",
        replayed,
        f"Compared with the manifest: {verified.files} finished files.",
        signed,
    ]
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToRestore(Options):
    """Options of `archive restore`."""

    archive: ArchiveArgument
    to: Annotated[Path, typer.Option(metavar="DIR", file_okay=False, help="New folder of the node.")]
    trust: Annotated[Path, typer.Option(metavar="FILE", exists=True, dir_okay=False, help=_TRUST_HELP)]
    log_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="The log's key, from its own backup."),
    ] = None


@command(
    app,
    "restore",
    examples=(
        "cellvow archive restore backup --to node --trust trust.json --log-key log.key",
        "cellvow archive restore backup --to replica --trust trust.json",
    ),
)
def restore(options: ToRestore) -> Answer:
    """Make a node's folder from an archive alone.

    Every block is executed anew, and the folder appears only if the result equals the checkpoint that others signed.
    An archive holds no key: without --log-key the folder is a read-only replica.
    """
    from cellvow.node.archive_reader import ArchiveReader
    from cellvow.node.restoration import parse_log_key, restore_ledger
    from cellvow.verify.trust import parse_trust

    trust = parse_trust(options.trust.read_bytes())
    seed = None if options.log_key is None else parse_log_key(options.log_key.read_bytes(), trust)
    reader = ArchiveReader.of_folder(options.archive)
    with progress_shown("restoring leaves", as_json=options.as_json) as progress:
        restored = restore_ledger(reader, options.to, trust, seed, progress)
    document = {
        "blocks": restored.blocks,
        "folder": str(options.to),
        "is_replica": restored.is_replica,
        "signed_by": list(restored.signed.by),
        "size": restored.size,
        "statements": restored.statements,
    }
    lines = [
        f"The ledger in {options.to} equals the checkpoint of {restored.size} leaves.",
        f"Vouched for by {_signers(restored.signed)}.",
        f"Executed anew: {restored.blocks} blocks, {restored.statements} statements.",
    ]
    if restored.is_replica:
        lines.append(
            "It is a read-only replica: log.key is not here. To write with it, stop every other copy of the ledger, "
            "then bring log.key from its own backup."
        )
    else:
        lines.append(
            "It can write again. Name its witnesses before it does; if the ledger went on after this archive, they "
            "will say so and cosign nothing: then look for a newer archive."
        )
        lines.append(f"  cellvow init witness {options.to} --vkey KEY --place PLACE")
    return Answer(document, lines)


def _export(options: ToExport) -> "Exported":
    from cellvow.node.archive import export_archive
    from cellvow.node.archive_format import MEMBERS, WORLD
    from cellvow.node.store import LedgerStore

    circle = WORLD if options.public else MEMBERS
    store = LedgerStore.open_reader(options.ledger)
    try:
        with progress_shown("exporting leaves", as_json=options.as_json) as progress:
            return export_archive(store, options.archive, circle, progress=progress)
    finally:
        store.close()


def _rehearse(options: ToExport) -> int:
    from cellvow.node.home import TRUST_FILE
    from cellvow.node.restoration import rehearse
    from cellvow.verify.trust import parse_trust

    return rehearse(options.archive, parse_trust((options.ledger / TRUST_FILE).read_bytes())).size


def _keep_exporting(options: ToExport, every_ms: int) -> Answer:
    from cellvow.node.restoration import ExportSchedule
    from cellvow.workspace.clock import now_ms

    restore = partial(_rehearse, options) if options.rehearse else None
    schedule = ExportSchedule(partial(_export, options), restore, now_ms, time.sleep)

    def stay(ready: Callable[[], None]) -> None:
        ready()
        for one in schedule.rounds(every_ms):
            if options.as_json:
                print_document(_round_document(one))
            else:
                print_lines(_round_lines(options, one), to_errors=one.failure is not None)

    lines = [f"Exporting {options.ledger} to {options.archive} every {options.every}. Ctrl-C stops it."]
    return Answer({"every_ms": every_ms}, lines, stay_up=stay)


def _round_document(one: "Round") -> dict[str, object]:
    exported = {} if one.exported is None else _exported_document(one.exported)
    return {
        "failure": one.failure,
        "ok": one.failure is None,
        "rehearsed_ms": one.rehearsed_ms,
        "time_ms": one.time_ms,
        **exported,
    }


def _round_lines(options: ToExport, one: "Round") -> list[str]:
    when = _moment(one.time_ms)
    lines = [f"{when}  failed: {one.failure}"] if one.failure is not None else []
    if one.exported is not None:
        lines.append(f"{when}  {one.exported.end.size} leaves; files written: {one.exported.files}")
    if options.rehearse:
        last = "never yet" if one.rehearsed_ms is None else _moment(one.rehearsed_ms)
        lines.append(f"{when}  restoring last succeeded: {last}")
    return lines


def _moment(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _exported_document(exported: "Exported") -> dict[str, object]:
    return {
        "files": exported.files,
        "origin": exported.end.origin,
        "previous_size": exported.previous_size,
        "root": exported.end.root.hex(),
        "size": exported.end.size,
    }


def _exported_lines(options: ToExport, exported: "Exported") -> list[str]:
    circle = "everybody's, without blocks" if options.public else "members', with blocks"
    return [
        f"The archive {options.archive} ({circle}) ends at {exported.end.size} leaves of {exported.end.origin}.",
        f"  {exported.end.size - exported.previous_size} leaves more than before; files written: {exported.files}",
        "No key is in it: keep log.key and the keystores in backups of their own.",
    ]


def _signers(signed: "Signed") -> str:
    names = ", ".join(signed.by)
    return f"{len(signed.by)} of {signed.out_of}: {names}" if names else "the log alone, without witnesses"
