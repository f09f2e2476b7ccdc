"""The commands of a page, and a terminal that executes them as a reader would: in their order, in one folder.

A `console` block holds commands behind `$`; a line below a command is a part of what it must answer. A command that
ends in `&` is left running. `NAME=$(command)` keeps what the command answers for later ones.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^(?P<indent> *)```console\n(?P<body>.*?)^ *```$", re.MULTILINE | re.DOTALL)
_KEPT = re.compile(r"([A-Z_]+)=\$\((.+)\)")
COMMAND_S_MAX = 120
END_S_MAX = 60
SETTLE_S_MAX = 30.0
"""How long what runs in the background may take to be there before the next command."""
_PROGRAM = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -c "from cellvow.cli import main; main()" "$@"\n'


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and what its answer must hold."""

    command: str
    expected: tuple[str, ...]


class PageIsWrongError(AssertionError):
    """A command of a page did not do what the page says."""


def parse_steps(text: str) -> list[Step]:
    """The commands of a page in their order."""
    steps: list[Step] = []
    for block in _BLOCK.finditer(text):
        for line in block["body"].splitlines():
            shown = line.removeprefix(block["indent"])
            if shown.startswith("$ "):
                steps.append(Step(shown[2:], ()))
            elif shown.strip() and steps:
                last = steps[-1]
                steps[-1] = Step(last.command, (*last.expected, shown.strip()))
    return steps


class Terminal:
    """Executes commands in a folder; what still runs when the block is left is interrupted, and waited for."""

    def __init__(self, folder: Path) -> None:
        programs = folder / ".programs"
        programs.mkdir()
        (programs / "cellvow").write_text(_PROGRAM, encoding="utf-8")
        (programs / "cellvow").chmod(0o755)
        self.folder = folder
        self._environ = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
        for process in self._running:
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def follow(self, page: Path) -> None:
        """Execute a whole page; raises `PageIsWrongError` at the first command that lies."""
        steps = parse_steps(page.read_text(encoding="utf-8"))
        if not steps:
            raise PageIsWrongError(f"{page.name} shows no command")
        for step in steps:
            self._execute(page.name, step)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """One command, waited for."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_S_MAX,
            stdin=subprocess.DEVNULL,
        )

    def _execute(self, page: str, step: Step) -> None:
        if step.command.endswith("&"):
            self.leave_running(step.command.removesuffix("&").strip())
            return
        kept = _KEPT.fullmatch(step.command)
        answer = self.run(kept[2] if kept else step.command)
        said = answer.stdout + answer.stderr
        if answer.returncode != 0:
            raise PageIsWrongError(f"{page}: `{step.command}` failed with {answer.returncode}: {said}")
        if kept:
            self._environ[kept[1]] = answer.stdout.strip()
        words = " ".join(said.split())
        missing = [line for line in step.expected if " ".join(line.split()) not in words]
        if missing:
            raise PageIsWrongError(f"{page}: `{step.command}` does not say {missing[0]!r}, but: {said}")

    def leave_running(self, command: str) -> None:
        """Start a command and wait until it says that it is up; raises `PageIsWrongError` where it ends."""
        with (self.folder / f"running-{len(self._running)}.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._running.append(process)
        until_s = time.monotonic() + SETTLE_S_MAX
        while not log_said_something(self.folder / f"running-{len(self._running) - 1}.log"):
            if process.poll() is not None or time.monotonic() > until_s:
                raise PageIsWrongError(f"`{command}` did not stay up")
            time.sleep(0.1)


def log_said_something(log: Path) -> bool:
    """Whether what runs in the background has said that it is up."""
    return log.stat().st_size > 0
