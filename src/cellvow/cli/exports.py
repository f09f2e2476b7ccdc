"""`cellvow export`: what a battery needs at a border, as one file with its proofs - made, shown, verified offline."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.bundles import read_bounded
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.options import BatteryArgument, Language, WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_attestation, parse_battery

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cellvow.core.primitives.encoding import Json
    from cellvow.workspace.export_package import Package, Wish

app = make_app("Papers for a border, with proofs, as one file.")
PackageArgument = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="An export package (.cvx).")
]
_NAMED = "ORGANISATION/REF"
_TERMINAL = "en"
"""Commands answer in English, whatever language the package is in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToMake(WorkspaceOptions):
    """Options of `export make`."""

    battery: BatteryArgument
    to: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where to write the package.")]
    certificate: Annotated[
        str | None, typer.Option(metavar=_NAMED, help="This certificate; without: the newest in force.")
    ] = None
    verdict: Annotated[str | None, typer.Option(metavar=_NAMED, help="This verdict; without: your newest.")] = None
    un38_3: Annotated[
        str | None, typer.Option("--un38-3", metavar=_NAMED, help="This UN 38.3 reference; without: the newest.")
    ] = None
    state_of_charge: Annotated[
        str | None, typer.Option(metavar=_NAMED, help="This state of charge; without: the newest.")
    ] = None
    disclose: Annotated[
        str, typer.Option(metavar="all|none|QUANTITY,...", help="Which values that you know to open in it.")
    ] = "none"
    lang: Annotated[Language, typer.Option(help="Language of the texts inside, for whoever gets the file.")] = "en"
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Fail, and write nothing, if a paper is missing.")
    ] = False


@command(
    app,
    "make",
    examples=(
        "cellvow export make 01/09506000134376/21/PACK-0001 --to pack.cvx --workspace exporter",
        (
            "cellvow export make 01/09506000134376/21/PACK-0001 --to pack.cvx --disclose capacity,state_of_charge "
            "--lang pt_BR --require-complete --workspace exporter"
        ),
    ),
)
def make(options: ToMake) -> Answer:
    """Put a battery's papers and their proofs into one file.

    Certificate, verdict, UN 38.3 reference, state of charge for transport, and who holds, owns and answers. What is
    missing is named, with who could supply it. No value is opened unless --disclose says so; whoever gets the file can
    pass it on.
    """
    from cellvow.workspace.export_package import make_package
    from cellvow.workspace.passports import PassportReader

    battery = parse_battery(options.battery)
    with opened_workspace(options.workspace) as workspace:
        package = make_package(PassportReader(workspace.home(), workspace), battery, _wish(options))
    if options.require_complete:
        _require_complete(package)
    options.to.write_bytes(package.data)
    lines = [f"The package is in {options.to}: {len(package.data)} bytes.", *_describe(package)]
    lines += ["", "Whoever gets it checks it with:", f"  cellvow export verify {options.to} --trust trust.json"]
    document = {"bytes": len(package.data), "complete": not package.missing, "file": str(options.to)}
    return Answer({**document, "index": package.index}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToVerify(Options):
    """Options of `export verify`."""

    file: PackageArgument
    trust: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="What you take as given, from elsewhere than the package."
        ),
    ] = None
    require_complete: Annotated[
        bool, typer.Option("--require-complete", help="Fail if a paper is missing, or not to be relied on.")
    ] = False
    unpack: Annotated[
        Path | None, typer.Option(metavar="DIR", file_okay=False, help="Then write its members into a new folder.")
    ] = None


@command(
    app,
    "verify",
    examples=(
        "cellvow export verify pack.cvx --trust trust.json",
        "cellvow export verify pack.cvx --trust trust.json --require-complete --unpack papers",
    ),
)
def verify(options: ToVerify) -> Answer:
    """Check a package offline, each of its proofs.

    It also checks that all else in it says what these say. Needs no network and no
    ledger. Without --trust it is consistent, and anchored to nothing.
    """
    from cellvow.core.primitives.limits import TRUST_BYTES_MAX
    from cellvow.core.primitives.signature import is_valid, require_sound_library
    from cellvow.verify import parse_trust
    from cellvow.workspace.export_archive import PACKAGE_BYTES_MAX
    from cellvow.workspace.export_package import unpack, verify_package

    require_sound_library()
    trust = None if options.trust is None else parse_trust(read_bounded(options.trust, TRUST_BYTES_MAX))
    package = verify_package(read_bounded(options.file, PACKAGE_BYTES_MAX), trust, is_valid)
    if options.require_complete:
        _require_complete(package)
    written = [] if options.unpack is None else unpack(package, options.unpack)
    vouched = "The package holds under the trust file given."
    if trust is None:
        vouched = "Consistent, anchored to nothing: without a trust file nobody vouches for this ledger."
    lines = [*_describe(package), "", vouched, *(f"  written: {path}" for path in written)]
    document = {"anchored": trust is not None, "complete": not package.missing, "index": package.index}
    return Answer({**document, "written": [str(path) for path in written]}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToShow(Options):
    """Options of `export show`."""

    file: PackageArgument


@command(app, "show", examples=("cellvow export show pack.cvx",))
def show(options: ToShow) -> Answer:
    """Show what a package contains. Nothing is checked: `cellvow export verify` does that."""
    from cellvow.core.primitives.digest import sha256
    from cellvow.workspace.export_archive import PACKAGE_BYTES_MAX
    from cellvow.workspace.export_package import read_index

    index, members = read_index(read_bounded(options.file, PACKAGE_BYTES_MAX))
    digests = {name: sha256(content).hex() for name, content in members.items()}
    rows = tuple((name, str(len(content)), digests[name]) for name, content in members.items())
    lines: list[str | Table] = [f"It says it is about {index.get('battery')}; nothing of that is checked here."]
    lines += [Table(("member", "bytes", "SHA-256"), rows), "To check it:"]
    lines.append(f"  cellvow export verify {options.file} --trust trust.json")
    return Answer({"index": index, "members": digests}, lines)


def _wish(options: ToMake) -> "Wish":
    from cellvow.workspace.export_index import CERTIFICATE, STATE_OF_CHARGE, UN38_3, VERDICT
    from cellvow.workspace.export_package import Wish

    asked = {
        CERTIFICATE: options.certificate,
        VERDICT: options.verdict,
        UN38_3: options.un38_3,
        STATE_OF_CHARGE: options.state_of_charge,
    }
    named = {paper: parse_attestation(text) for paper, text in asked.items() if text is not None}
    quantities = () if options.disclose == "none" else tuple(options.disclose.split(","))
    return Wish(named, None if options.disclose == "all" else quantities, options.lang)


def _require_complete(package: "Package") -> None:
    from cellvow.core.primitives.errors import VerificationError

    if package.missing:
        said = "; ".join(_lack(one) for one in package.missing)
        raise VerificationError(f"the package is not complete - {said}")


def _describe(package: "Package") -> list[str | Table]:
    """What a package says, answer first."""
    from cellvow.verify import describe_time
    from cellvow.workspace.export_sheet import describe_disputes, describe_paper, describe_register
    from cellvow.workspace.export_words import load_words

    index, as_of, words = package.index, _map(package.index["as_of"]), load_words(_TERMINAL)
    lines: list[str | Table] = [f"Battery {index['battery']}, as of {describe_time(int(str(as_of['time_ms'])))}"]
    lines += [f"  {_lack(one)}" for one in package.missing]
    lines += [f"  {one}" for one in describe_disputes(index, words)]
    for one in _maps(index["registers"]):
        lines.append(f"  {one['register']:<15} {describe_register(one, words)}")
    for paper in _maps(index["papers"]):
        title = words.text(f"paper.{paper['paper']}")
        lines += ["", f"{title} ({paper['file']})"]
        lines += [f"  {label:<12} {words}" for label, words in describe_paper(paper, words)]
    return lines


def _lack(one: "Mapping[str, Json]") -> str:
    from cellvow.workspace.export_sheet import describe_lack
    from cellvow.workspace.export_words import load_words

    return "; ".join(describe_lack(one, load_words(_TERMINAL)))


def _map(value: "Json") -> "dict[str, Json]":
    return value if isinstance(value, dict) else {}


def _maps(value: "Json") -> "list[dict[str, Json]]":
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
