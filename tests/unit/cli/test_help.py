"""Every command explains itself: what it does, how it is used, an example that can be copied."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cellvow.cli import app
from cellvow.cli.application import STORY
from cellvow.cli.command import fold_example
from tools.make_commands import PAGE, build_page, help_texts

TEXTS = dict(help_texts())
COMMANDS = [name for name, text in TEXTS.items() if "\nCommands:" not in text]
HEAVY = ("apsw", "babel", "fastapi", "jinja2", "msgspec", "nacl", "numpy", "pyarrow", "rich", "uvicorn")
RUNNER = CliRunner()


def examples_of(text: str) -> list[list[str]]:
    """The words of each example of a help text, folded lines joined."""
    block = text.split("Examples:\n", 1)[1].replace("\\\n", " ")
    return [shlex.split(line) for line in block.splitlines() if line.strip().startswith("cellvow ")]


@pytest.mark.parametrize("name", TEXTS)
def test_help_is_given_and_succeeds(name: str) -> None:
    """`--help` exits 0 for the application, every group and every command."""
    result = RUNNER.invoke(app, [*name.split()[1:], "--help"])

    assert 0 == result.exit_code
    assert "Usage:" in result.stdout


@pytest.mark.parametrize("name", TEXTS)
def test_help_fits_eighty_columns(name: str) -> None:
    """No line is longer, examples included."""
    assert [] == [line for line in TEXTS[name].splitlines() if len(line) > 80]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_of_itself_and_takes_json(name: str) -> None:
    """The example begins with the command, or its short form, and can be pasted."""
    examples = examples_of(TEXTS[name])
    short = name.removesuffix(" issue").removesuffix(" make")

    assert examples
    assert all(" ".join(example).startswith(short) for example in examples)
    assert "--json" in TEXTS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_parses(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example that names an option which does not exist, or lacks one, would be refused as wrong usage."""
    monkeypatch.chdir(tmp_path)
    for file in (
        "cell.csv",
        "births.csv",
        "offers.csv",
        "truck.csv",
        "certificate.cvb",
        "trust.json",
        "row.json",
        "anchor.cvb",
        "verdict.cvb",
        "pack.cvx",
        "maker/member.json",
        "lab/member.json",
    ):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    for example in examples_of(TEXTS[name]):
        leaf: Any = get_command(app)
        arguments = example[1:]
        while hasattr(leaf, "commands"):
            context = leaf.make_context("cellvow", list(arguments))
            _, leaf, arguments = leaf.resolve_command(context, [*context._protected_args, *context.args])
        leaf.make_context(name, list(arguments))


def test_every_command_has_its_place_in_the_story() -> None:
    """The list of commands is in the order a newcomer meets them, and complete."""
    listed = re.findall(
        r"^  ([a-z]+) {2,}", TEXTS["cellvow"].split("Commands:")[1].split("Begin with")[0], re.MULTILINE
    )

    assert list(STORY) == listed


def test_no_line_of_the_list_is_cut_off() -> None:
    """What a command does is said in the width there is."""
    lists = {name: text.split("Commands:")[1] for name, text in TEXTS.items() if "\nCommands:" in text}

    assert lists
    assert [] == [name for name, text in lists.items() if "..." in text]


@pytest.mark.slow
def test_help_loads_nothing_heavy() -> None:
    """The answer to `--help` comes at once: what commands need is loaded when they run."""
    code = (
        "import sys; from typer.main import get_command; from cellvow.cli import app; get_command(app);"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == answer.stdout


def test_the_reference_is_fresh() -> None:
    """docs/reference/commands.md says what `--help` says; `python -m tools.make_commands` writes it."""
    assert build_page() == PAGE.read_text(encoding="utf-8")


def test_control_a_changed_option_makes_the_reference_stale() -> None:
    """The page depends on every option: without one it is another page."""
    assert build_page().replace("--rated-ah", "--rated") != PAGE.read_text(encoding="utf-8")


def test_a_folded_example_is_the_same_command() -> None:
    """Joined again at its marks it has the same words."""
    example = "cellvow x " + " ".join(f"--option-{number} value-{number}" for number in range(12))

    assert example.split() == fold_example(example).replace("\\\n", " ").split()


def test_wrong_usage_exits_with_two_and_names_the_option() -> None:
    """An unknown command, a missing option and a bad choice are told apart from failures."""
    for arguments, named in (
        (["fly"], "fly"),
        (["key", "list"], "--workspace"),
        (["key", "revoke", "x", "--cause", "boredom", "-w", "lab"], "boredom"),
    ):
        result = RUNNER.invoke(app, arguments, env={"CELLVOW_WORKSPACE": ""})

        assert 2 == result.exit_code
        assert named in result.stderr


def test_the_version_is_told() -> None:
    """`cellvow --version` names it."""
    assert re.match(r"cellvow \d+\.\d+", RUNNER.invoke(app, ["--version"]).stdout)
