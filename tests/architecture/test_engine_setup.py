"""`make network-engine` builds the pinned engine once, or says in a sentence what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT
from tools.engine import GO_MIN, VERSION, go_version

if TYPE_CHECKING:
    from pathlib import Path

BUILDS = f"""#!/bin/sh
case "$1" in
version) echo "go version go1.26.0 linux/amd64" ;;
install) echo "$2" > asked; printf '#!/bin/sh\\necho {VERSION}\\n' > "$GOBIN/cometbft"; chmod +x "$GOBIN/cometbft" ;;
esac
"""
FAILS = """#!/bin/sh
[ "$1" = version ] && echo "go version go1.26.0 linux/amd64" && exit
echo "no such host" >&2
exit 1
"""
OLD = '#!/bin/sh\necho "go version go1.22.10 linux/amd64"\n'


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that holds the tool and its pin, so that this installation is left alone."""
    for name in ("tools/engine.py", "requirements/engine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "bin").mkdir()
    return tmp_path


def run(clone: Path, go: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the tool with that Go on the path, or none; pip is cut off from every index."""
    if go is not None:
        (clone / "bin" / "go").write_text(go, encoding="utf-8")
        (clone / "bin" / "go").chmod(0o755)
    path = f"{clone / 'bin'}:/usr/bin:/bin" if go is not None else str(clone / "bin")
    environ = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PATH": path}
    command = [sys.executable, "tools/engine.py"]
    return subprocess.run(command, cwd=clone, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_pinned_engine_is_built_once(clone: Path) -> None:
    """At its version, never the newest; a second run says nothing."""
    first, second = run(clone, BUILDS), run(clone, FAILS)

    assert (0, "") == (first.returncode, first.stderr)
    assert f"building the engine, CometBFT {VERSION}" in first.stdout
    asked = (clone / ".cache" / "engine" / "asked").read_text(encoding="utf-8")
    assert f"github.com/cometbft/cometbft/cmd/cometbft@v{VERSION}\n" == asked
    assert (0, "", "") == (second.returncode, second.stdout, second.stderr)


@pytest.mark.slow
def test_another_version_in_the_cache_is_replaced(clone: Path) -> None:
    """The pin decides, not what is there."""
    old = clone / ".cache" / "engine" / "cometbft"
    old.parent.mkdir(parents=True)
    old.write_text("#!/bin/sh\necho 0.38.24\n", encoding="utf-8")
    old.chmod(0o755)

    assert 0 == run(clone, BUILDS).returncode
    assert VERSION in old.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("go", [OLD, None])
def test_without_a_suitable_go_and_an_index_the_remedy_is_named(clone: Path, go: str | None) -> None:
    """A sentence with what to install, no traceback; nothing half-fetched is left."""
    answer = run(clone, go)

    assert 1 == answer.returncode
    assert "sudo apt install golang" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert ["build.log"] == [path.name for path in (clone / ".cache" / "engine").iterdir()]


@pytest.mark.slow
def test_a_build_that_fails_ends_with_gos_own_words(clone: Path) -> None:
    """And with where all of them are."""
    answer = run(clone, FAILS)

    assert 1 == answer.returncode
    assert "no such host" in answer.stderr
    assert "build.log" in answer.stderr


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.22.11 linux/amd64", (1, 22, 11)),
        ("go version go1.26 linux/amd64", (1, 26, 0)),
        ("go: command not found", None),
        ("", None),
    ],
)
def test_the_version_of_go_is_read(text: str, version: tuple[int, ...] | None) -> None:
    """Three numbers, the last of them 0 where it is not named."""
    assert version == go_version(text)
    assert (1, 22, 11) == GO_MIN
