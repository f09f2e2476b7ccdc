"""Each package shows its public names in a sorted `__all__`, and nobody reaches past it for private ones."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import parse, python_files, relative


def listed_names(tree: ast.Module) -> list[str] | None:
    """Return the names in `__all__`, or None where there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def imported_names(tree: ast.Module) -> list[str]:
    """Return the names that the file imports at its top level, as it knows them."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [alias.asname or alias.name for node in imports for alias in node.names]


def face_faults(tree: ast.Module) -> list[str]:
    """Return what is wrong with the public face of a package's `__init__`."""
    listed = listed_names(tree)
    if listed is None:
        return ["imports names and lists none of them"] if imported_names(tree) else []
    faults = [] if listed == sorted(set(listed)) else ["`__all__` is not sorted, or repeats a name"]
    return faults + [f"imports {name} and does not list it" for name in imported_names(tree) if name not in listed]


def private_imports(tree: ast.Module) -> list[str]:
    """Return the underscore names of our own modules that the file imports."""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellvow")
        for alias in node.names
        if alias.name.startswith("_") and not alias.name.startswith("__")
    ]


def test_every_package_lists_its_public_names_sorted() -> None:
    """What an `__init__` imports is public, listed once and in order."""
    packages = [path for path in python_files("src") if path.name == "__init__.py"]

    assert {} == {relative(path): faults for path in packages if (faults := face_faults(parse(path)))}


@pytest.mark.slow
def test_nobody_imports_a_private_name_of_another_module() -> None:
    """An underscore means: for this module alone."""
    assert {} == {relative(path): names for path in python_files("src") if (names := private_imports(parse(path)))}


def test_control_faulty_faces_are_found() -> None:
    """An unsorted list, a repeated name, an unlisted import and a missing list are found."""
    assert face_faults(ast.parse("__all__ = ['b', 'a']"))
    assert face_faults(ast.parse("__all__ = ['a', 'a']"))
    assert face_faults(ast.parse("from cellvow.x import a\n__all__ = []"))
    assert face_faults(ast.parse("from cellvow.x import a"))
    assert [] == face_faults(ast.parse("from cellvow.x import B, a\n__all__ = ['B', 'a']"))


def test_control_a_private_import_is_found() -> None:
    """An underscore name from another module is found, a dunder is not."""
    assert ["cellvow.x._y"] == private_imports(ast.parse("from cellvow.x import _y"))
    assert [] == private_imports(ast.parse("from cellvow import __version__"))
