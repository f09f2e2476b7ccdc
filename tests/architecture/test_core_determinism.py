"""The core is pure, exact and ordered: what could make two nodes differ does not occur in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import PACKAGE, parse, relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CORE = PACKAGE / "core"
SIGNATURE = "core/primitives/signature.py"

# What is not named here is refused, so time, random, secrets, os, logging, uuid, threading and every
# later invention are refused without being known.
STANDARD_LIBRARY = {
    "__future__",
    "abc",
    "base64",
    "binascii",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "itertools",
    "json",
    "operator",
    "re",
    "types",
    "typing",
}
THIRD_PARTY = {"msgspec"}
ONLY_IN_SIGNATURE = {"nacl"}
FROM_MATH = {"comb", "gcd", "isqrt", "lcm"}

NAMES = {
    **dict.fromkeys(["float", "complex"], "inexact number"),
    **dict.fromkeys(["set", "frozenset"], "unordered collection"),
    **dict.fromkeys(["hash", "id"], "value that differs between processes"),
    **dict.fromkeys(["print", "open", "input", "breakpoint"], "input or output"),
    **dict.fromkeys(["eval", "exec", "compile", "__import__", "globals"], "code made at run time"),
}
BROAD = {"Exception", "BaseException"}


def inexact_numbers(node: ast.AST) -> str | None:
    """A float differs between machines once it is computed with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
        return f"inexact number {node.value!r}"
    if isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
        return "true division"
    return None


def unordered_collections(node: ast.AST) -> str | None:
    """The order of a set depends on the hash seed."""
    return "unordered collection" if isinstance(node, ast.Set | ast.SetComp) else None


def forbidden_names(node: ast.AST) -> str | None:
    """Built-in names that bring in what the core must not know."""
    if isinstance(node, ast.Name) and node.id in NAMES:
        return f"{NAMES[node.id]}: {node.id}"
    return None


def broad_excepts(node: ast.AST) -> str | None:
    """An outcome must never depend on an error nobody thought of."""
    if not isinstance(node, ast.ExceptHandler):
        return None
    if node.type is None:
        return "except without a type"
    caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
    return "broad except" if caught & BROAD else None


def bare_asserts(node: ast.AST) -> str | None:
    """An assert vanishes under `python -O`; `ensure` does not."""
    return "bare assert" if isinstance(node, ast.Assert) else None


def global_state(node: ast.AST) -> str | None:
    """A global that is assigned makes the order of calls matter."""
    return "assigned global" if isinstance(node, ast.Global) else None


RULES: list[Callable[[ast.AST], str | None]] = [
    inexact_numbers,
    unordered_collections,
    forbidden_names,
    broad_excepts,
    bare_asserts,
    global_state,
]


def imported_modules(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module, name) for every import; the name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, module, alias.name) for alias in node.names)


def is_allowed_import(module: str, name: str, where: str) -> bool:
    """Return whether the core's file `where` may import this."""
    package = module.split(".", maxsplit=1)[0]
    if package == "cellvow":
        return module == "cellvow.core" or module.startswith("cellvow.core.")
    if module == "math":
        return name in FROM_MATH
    if package in ONLY_IN_SIGNATURE:
        return where.endswith(SIGNATURE)
    return module in STANDARD_LIBRARY or package in THIRD_PARTY


def findings(tree: ast.AST, where: str) -> list[str]:
    """Return a line for everything in the tree that could make two nodes differ."""
    found = [
        f"{where}:{getattr(node, 'lineno', 0)}: {complaint}"
        for node in ast.walk(tree)
        for rule in RULES
        if (complaint := rule(node))
    ]
    found += [
        f"{where}:{line}: import of {module or name}"
        for line, module, name in imported_modules(tree)
        if not is_allowed_import(module, name, where)
    ]
    return found


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=relative)
def test_the_core_holds_nothing_that_differs_between_nodes(path: Path) -> None:
    """No file of the core uses floats, division, sets, time, chance, I/O or an unnamed package."""
    assert [] == findings(parse(path), relative(path))


CONTROLS = {
    "a float literal": "x = 0.5",
    "an imaginary literal": "x = 2j",
    "the float type": "x = float('1')",
    "a float annotation": "x: float",
    "true division": "x = a / b",
    "true division in place": "x /= 2",
    "a set literal": "x = {1, 2}",
    "a set comprehension": "x = {y for y in z}",
    "the set type": "x = set(y)",
    "a set annotation": "x: set[int]",
    "the frozenset type": "x = frozenset(y)",
    "hash()": "x = hash(y)",
    "id()": "x = id(y)",
    "print()": "print(x)",
    "open()": "open(x)",
    "eval()": "eval(x)",
    "a broad except": "try:\n    f()\nexcept Exception:\n    pass",  # text for the checker to find, never run
    "a broad except in a tuple": "try:\n    f()\nexcept (ValueError, BaseException):\n    pass",
    "an except without a type": "try:\n    f()\nexcept:\n    pass",
    "a bare assert": "assert x",
    "an assigned global": "def f():\n    global x\n    x = 1",
    "an unnamed package": "import orjson",
    "a package of the world": "from cellvow.node import store",
    "the whole package": "import cellvow",
    "a relative import": "from . import x",
    "floating mathematics": "from math import sqrt",
    "mathematics as a whole": "import math",
    "signatures outside their module": "import nacl.bindings",
    **{
        f"import of {name}": f"import {name}"
        for name in (
            "asyncio",
            "datetime",
            "logging",
            "os",
            "pathlib",
            "random",
            "secrets",
            "socket",
            "sys",
            "threading",
            "time",
            "uuid",
        )
    },
}


@pytest.mark.parametrize("source", CONTROLS.values(), ids=CONTROLS.keys())
def test_control_each_forbidden_construct_is_found(source: str) -> None:
    """The check can fail: it finds each construct when it is put in."""
    assert findings(ast.parse(source), "core/ledger/example.py")


HARMLESS = [
    "x = a // b",
    "from math import isqrt",
    "import hashlib",
    "from collections.abc import Mapping",
    "import msgspec",
    "from cellvow.core.primitives import digest",
    "try:\n    f()\nexcept ValueError:\n    pass",
]


@pytest.mark.parametrize("source", HARMLESS)
def test_what_is_exact_and_ordered_is_let_through(source: str) -> None:
    """The check does not refuse what the core may use."""
    assert [] == findings(ast.parse(source), "core/ledger/example.py")


def test_the_signature_library_is_let_through_in_its_one_module() -> None:
    """Only core/primitives/signature.py may import the signature library."""
    assert [] == findings(ast.parse("from nacl import bindings"), SIGNATURE)
