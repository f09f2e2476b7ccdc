"""One profile for all members, put into the engine's own file; the engine's program is found and checked."""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import ENGINE_VARIABLE, examine_engine, find_engine, parse_version
from cellvow.node.cometbft.profile import (
    PROFILE,
    EngineAddresses,
    Setting,
    StateSync,
    fetch_defaults,
    read_setting,
    render_settings,
)

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = """# comment = "kept"
pace = "1s"

[net]
# pace = "of the network"
pace = "2s"
peers = ""
rate = 5
open-doors = true
"""
PEER = f"{'ab' * 20}@127.0.0.1:26658"


def program(folder: Path, says: str) -> Path:
    """A program that answers everything with one line."""
    path = folder / "cometbft"
    path.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_setting_is_put_in_its_own_section() -> None:
    """Two sections may have a key of one name."""
    text = render_settings(DEFAULTS, [Setting("net.pace", "3s", ""), Setting("net.open-doors", False, "")])

    assert {"pace": "1s", "net": {"pace": "3s", "peers": "", "rate": 5, "open-doors": False}} == tomllib.loads(text)
    assert "# comment" in text


@pytest.mark.parametrize("name", ["net.speed", "speed", "gate.pace", "net"])
def test_a_setting_that_the_engine_does_not_know_is_refused(name: str) -> None:
    """A renamed setting would otherwise be without effect, in silence."""
    with pytest.raises(OperationalError, match=f"no setting {re.escape(name)}"):
        render_settings(DEFAULTS, [Setting(name, "3s", "")])


def test_a_value_of_another_kind_is_refused() -> None:
    """A number is no text."""
    with pytest.raises(OperationalError, match=r"net\.rate"):
        render_settings(DEFAULTS, [Setting("net.rate", "6", "")])


@pytest.mark.parametrize("value", ['a"b', "a\\b", "a\nb", '"]\nevil = "x'])
def test_text_cannot_leave_its_place(value: str) -> None:
    """A name with quotes in it becomes no setting of its own."""
    read = tomllib.loads(render_settings(DEFAULTS, [Setting("net.peers", value, "")]))

    assert value == read["net"]["peers"]
    assert {"pace", "net"} == read.keys()


def test_every_setting_has_its_reason_and_stands_once() -> None:
    """The profile is a table: name, value, why."""
    names = [setting.name for setting in PROFILE]

    assert len(names) == len(set(names))
    assert [] == [setting.name for setting in PROFILE if not setting.reason]


def test_the_engines_rpc_is_never_open_to_other_machines() -> None:
    """Whoever reaches it can stop a member's mempool with garbage."""
    for host in ("127.0.0.1", "member-1", "192.0.2.7"):
        own = {setting.name: setting.value for setting in EngineAddresses("m", host, 1, 2).settings()}

        assert "tcp://127.0.0.1:2" == own["rpc.laddr"]
        assert ("tcp://127.0.0.1:1" if host == "127.0.0.1" else "tcp://0.0.0.0:1") == own["p2p.laddr"]


@pytest.mark.cometbft
@pytest.mark.slow
def test_the_engine_knows_every_setting_of_the_profile() -> None:
    """On the engine's own file, with its own kinds of values."""
    own = EngineAddresses("member-1", "127.0.0.1", 26_656, 26_657, (PEER,)).settings()
    settings = (*PROFILE, *own, *StateSync(("a:1", "b:2"), 7, "AB" * 32).settings())
    read = tomllib.loads(render_settings(fetch_defaults(find_engine(os.environ)), settings))

    assert {one.name: one.value for one in settings} == {one.name: read_setting(read, one.name) for one in settings}


@pytest.mark.parametrize(
    ("text", "version"),
    [("0.38.25\n", (0, 38, 25)), ("v0.38.30+abc", (0, 38, 30)), ("1.0.1", (1, 0, 1)), ("help", None), ("", None)],
)
def test_a_version_is_read_or_not_there(text: str, version: tuple[int, int, int] | None) -> None:
    """With or without a letter in front and a commit behind."""
    assert version == parse_version(text)


@pytest.mark.parametrize("says", ["0.38.24", "0.37.99", "0.39.0", "1.0.0", "go1.22"])
def test_another_engine_is_refused_with_what_to_type(tmp_path: Path, says: str) -> None:
    """Another line speaks another ABCI."""
    with pytest.raises(OperationalError, match=r"make network-engine.*Go 1\.22\.11"):
        examine_engine(program(tmp_path, says))


def test_the_engine_that_is_named_is_taken_or_refused(tmp_path: Path) -> None:
    """Never another one in its place."""
    named = program(tmp_path, "0.38.26")

    assert "0.38.26" == find_engine({ENGINE_VARIABLE: str(named), "PATH": ""}).version_text
    with pytest.raises(OperationalError, match="does not run"):
        find_engine({**os.environ, ENGINE_VARIABLE: str(tmp_path / "gone")})


def test_the_engine_is_found_on_the_path_and_in_the_users_own_folder(tmp_path: Path) -> None:
    """PATH comes first."""
    own = tmp_path / "own" / ".local" / "share" / "cellvow"
    own.mkdir(parents=True)
    program(own, "0.38.27")
    program(tmp_path, "0.38.26")
    home = str(tmp_path / "own")

    assert "0.38.26" == find_engine({"PATH": str(tmp_path), "HOME": home}).version_text
    assert find_engine({"PATH": "", "HOME": home}).version >= (0, 38, 25)


def test_a_program_that_hangs_or_is_none_is_refused(tmp_path: Path) -> None:
    """What cannot be run is told, with the remedy."""
    path = tmp_path / "cometbft"
    path.write_bytes(b"\x00 not a program")
    path.chmod(0o755)

    with pytest.raises(OperationalError, match="make network-engine"):
        examine_engine(path)
