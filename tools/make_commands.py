"""Write docs/reference/commands.md anew from the command line itself: `python -m tools.make_commands`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from cellvow.cli import app
from cellvow.cli.failures import MEANINGS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "commands.md"
WIDTH = 80
INTRODUCTION = """# Commands

Written by `python -m tools.make_commands` from what `--help` says; a test fails when it is stale.

Every command takes `--json`: one document on standard output, `"ok": true` or `false`, also when it fails. Without it,
results go to standard output and failures to standard error. `NO_COLOR` is respected; progress bars appear on a
terminal only. `CELLVOW_WORKSPACE` and `CELLVOW_LEDGER` stand in for `--workspace` and `--ledger`.

A failure in JSON names its `family`, `reason` and `remedy`; a refusal by the ledger also its `code`, `rule` and
`facts`; a proof that does not hold the number of the `check`.

## Exit codes

| code | meaning |
|---|---|
"""


def build_page() -> str:
    """The whole page."""
    codes = "".join(f"| {int(code)} | {meaning} |\n" for code, meaning in MEANINGS.items())
    sections = [f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in help_texts()]
    return INTRODUCTION + codes + "".join(sections)


def help_texts() -> Iterator[tuple[str, str]]:
    """(full name, help text at 80 columns) of the application and every command, in the order of its lists."""
    yield from _walk(get_command(app), "cellvow", None)


def _walk(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - typer's classes move
    settings = {**command.context_settings, "terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.context_class(command, info_name=name.rpartition(" ")[2], parent=parent, **settings)
    lines = command.get_help(context).splitlines()
    yield name, "\n".join(line.rstrip() for line in lines)
    for child in getattr(command, "list_commands", lambda _: [])(context):
        yield from _walk(command.get_command(context, child), f"{name} {child}", context)


def main() -> None:
    """Write the page."""
    PAGE.write_text(build_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
