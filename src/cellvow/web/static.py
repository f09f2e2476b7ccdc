"""The files that pages load by name: our own scripts, and the second verifier as it stands in the package."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SCRIPT = "text/javascript; charset=utf-8"
_FOLDERS = (
    ("", "cellvow.web", "static"),
    ("field/", "cellvow.web", "static/field"),
    ("verify/", "cellvow.verify", "javascript"),
)
"""Prefix under `/static/`, package and folder of what lies there."""
_NOT_FOR_BROWSERS = frozenset({"verify/command.js"})


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    content: bytes
    media_type: str


def load_static(name: str) -> StaticFile | None:
    """The file that pages know under this name, or None: only names that we ship are found."""
    return _all_static().get(name)


@cache
def _all_static() -> dict[str, StaticFile]:
    found = {}
    for prefix, package, folder in _FOLDERS:
        for entry in files(package).joinpath(folder).iterdir():
            name = prefix + entry.name
            if entry.name.endswith(".js") and name not in _NOT_FOR_BROWSERS:
                found[name] = StaticFile(entry.read_bytes(), _SCRIPT)
    return found
