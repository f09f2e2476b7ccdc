"""Names that say nothing do not occur: what a thing is called is what it is in a battery's life or in the ledger."""

from __future__ import annotations

import ast
import re
from pathlib import PurePath

import pytest

from tests.architecture.sources import Function, parse, python_files, relative

EMPTY_WORDS = {"manager", "helper", "util", "utils", "processor", "data", "info", "item"}
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def words_of(name: str) -> set[str]:
    """Return the words of a name in either spelling, `CamelCase` or `snake_case`, in lower case and singular."""
    words = {word.lower() for word in WORD.findall(name)}
    return words | {word.removesuffix("s") for word in words}


def empty_names(path: PurePath, tree: ast.AST) -> list[str]:
    """Return the folders, modules, classes and functions whose names hold a word that says nothing."""
    names = [*path.with_suffix("").parts]
    names += [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | Function)]
    return [name for name in names if words_of(name) & EMPTY_WORDS]


def test_no_name_says_nothing() -> None:
    """No folder, module, class or function of ours is called after a pattern."""
    found = {
        relative(path): names
        for path in python_files("src")
        if (names := empty_names(PurePath(relative(path)), parse(path)))
    }

    assert {} == found


@pytest.mark.parametrize("name", ["KeyManager", "parse_data", "utils", "ItemInfo", "helpers", "_process_items"])
def test_control_empty_names_are_found(name: str) -> None:
    """Such a word is found in classes, functions and modules, in the plural and behind an underscore."""
    assert [name] == empty_names(PurePath("x.py"), ast.parse(f"class {name}: ..."))
    assert [name] == empty_names(PurePath("x.py"), ast.parse(f"def {name}(): ..."))
    assert [name] == empty_names(PurePath(f"{name}.py"), ast.parse(""))


def test_words_that_only_contain_such_a_word_are_let_through() -> None:
    """`database` is no `data`, `information` no `info`."""
    for name in ("database", "open_database", "Informant", "utility_function", "dataclass"):
        assert [] == empty_names(PurePath("x.py"), ast.parse(f"def {name}(): ..."))
