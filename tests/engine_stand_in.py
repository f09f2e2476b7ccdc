"""A stand-in for the engine's program: it writes settings as the engine's `init` does, and runs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.profile import PROFILE, EngineAddresses, StateSync

if TYPE_CHECKING:
    from pathlib import Path


def make_stand_in(folder: Path) -> EngineProgram:
    """A program whose `init` writes a file that knows every setting of ours, with other values."""
    own = EngineAddresses("m", "127.0.0.1", 1, 2).settings()
    sync = StateSync(("http://127.0.0.1:1", "http://127.0.0.1:2"), 1, "00").settings()
    sections: dict[str, list[str]] = {}
    for setting in (*PROFILE, *own, *sync):
        section, _, key = setting.name.rpartition(".")
        value = {bool: "false", int: "1", str: '"-"'}[type(setting.value)]
        sections.setdefault(section, []).append(f"{key} = {value}")
    heads = "\n".join(sections.pop(""))
    text = heads + "".join(f"\n[{name}]\n" + "\n".join(lines) for name, lines in sections.items())
    path = folder / "cometbft"
    path.write_text(
        f"#!/bin/sh\nmkdir -p $3/config\ncat > $3/config/config.toml <<'END'\n{text}\nEND\n", encoding="utf-8"
    )
    path.chmod(0o755)
    return EngineProgram(path, (0, 38, 25))
