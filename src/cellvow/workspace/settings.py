"""One organisation's settings: a small TOML file, read here and nowhere else."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.identifier import parse_chain_id, parse_organisation_id

SETTINGS_FILE = "cellvow.toml"
WORKING_KEY = "operational-1"
"""The key a workspace signs with unless its settings name another."""
ROOT_KEY = "root"
"""The key it manages keys with unless its settings name another."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Whose workspace it is, the node's folder it submits to (None before it joined one), the keys it uses.

    `chain` is the identifier of that node's ledger: what is signed without reaching it names it.
    """

    organisation: str
    ledger: Path | None
    key: str = WORKING_KEY
    root: str = ROOT_KEY
    chain: str | None = None


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings of a workspace."""
    lines = [f'organisation = "{settings.organisation}"']
    if settings.ledger is not None:
        lines.append(f"ledger = {_quote(str(settings.ledger))}")
    if settings.chain is not None:
        lines.append(f"chain = {_quote(settings.chain)}")
    if settings.key != WORKING_KEY:
        lines.append(f"key = {_quote(settings.key)}")
    if settings.root != ROOT_KEY:
        lines.append(f"root = {_quote(settings.root)}")
    (folder / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> Settings:
    """The settings of a workspace; raises `OperationalError` where there is none, `Malformed` for a bad file."""
    path = folder / SETTINGS_FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OperationalError(f"{folder} is no workspace: `cellvow init workspace {folder}` makes one") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"{path}: {error}") from error
    unknown = sorted(name for name in values if name not in ("organisation", "ledger", "chain", "key", "root"))
    if unknown:
        raise Malformed(f"{path}: {unknown[0]} is not a setting; known are organisation, ledger, chain, key and root")
    ledger = values.get("ledger")
    if ledger is not None and not isinstance(ledger, str):
        raise Malformed(f"{path}: ledger is the path of a node's folder")
    return Settings(
        parse_organisation_id(str(values.get("organisation", ""))),
        None if ledger is None else (folder / ledger).resolve(),
        str(values.get("key", WORKING_KEY)),
        str(values.get("root", ROOT_KEY)),
        None if values.get("chain") is None else parse_chain_id(str(values["chain"])),
    )


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
