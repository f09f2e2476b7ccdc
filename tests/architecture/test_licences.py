"""Nothing under GPL or AGPL is imported, directly or by what we import."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.architecture.sources import parse, python_files

# LGPL is left out on purpose: it binds the library, not its users. A name of the licence counts wherever
# a package states it: as an SPDX expression, as free text or as a classifier.
STRONG_COPYLEFT = re.compile(r"(?<!L)(?<!Lesser )\b(?:A?GPL|(?:Affero )?General Public License)", re.IGNORECASE)
# Said "A or B", one may choose; these licences may be chosen instead.
PERMISSIVE_CHOICE = re.compile(r"\b(?:MIT|BSD|Apache)[\w.-]*\b.*\bOR\b|\bOR\b.*\b(?:MIT|BSD|Apache)", re.IGNORECASE)


def imported_packages() -> set[str]:
    """Return the top-level modules imported by src that are neither ours nor the standard library's."""
    modules = set()
    for path in python_files("src"):
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.split(".")[0])
    return modules - set(sys.stdlib_module_names) - {"cellvow"}


def with_requirements(names: set[str]) -> set[str]:
    """Return the distributions and everything they require here, all the way down."""
    reached: set[str] = set()
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        needed = [Requirement(text) for text in metadata.requires(name) or []]
        waiting += [
            each.name.lower().replace("_", "-")
            for each in needed
            if each.marker is None or each.marker.evaluate({"extra": ""})
        ]
    return reached


def stated_licence(name: str) -> str:
    """Return everything a distribution's metadata says about its licence."""
    fields = metadata.metadata(name)
    expression, free_text = (fields.get_all(field) or [""] for field in ("License-Expression", "License"))
    classifiers = [text for text in fields.get_all("Classifier") or [] if text.startswith("License")]
    return "; ".join([*expression, *free_text[0].splitlines()[:1], *classifiers])


def is_strong_copyleft(licence: str) -> bool:
    """Return whether the licence would bind what imports it."""
    return bool(STRONG_COPYLEFT.search(licence)) and not PERMISSIVE_CHOICE.search(licence)


@pytest.mark.slow
def test_nothing_imported_is_under_gpl_or_agpl() -> None:
    """No package that src imports, nor one below it, is under a strong copyleft."""
    providers = metadata.packages_distributions()
    imported = {name.lower().replace("_", "-") for module in imported_packages() for name in providers[module]}
    licences = {name: stated_licence(name) for name in with_requirements(imported)}

    assert {} == {name: licence for name, licence in licences.items() if is_strong_copyleft(licence)}
    assert [] == [name for name, licence in licences.items() if not licence.strip("; ")]


def test_control_strong_copyleft_is_recognised() -> None:
    """The licences that would bind us are recognised however they are written; others are not."""
    for licence in (
        "GPL-3.0-or-later",
        "AGPL-3.0-only",
        "GPLv3",
        "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
        "License :: OSI Approved :: GNU Affero General Public License v3",
    ):
        assert is_strong_copyleft(licence)
    for licence in ("MIT", "Apache-2.0", "BSD-3-Clause", "LGPL-3.0-only", "MPL-2.0", "Apache-2.0 OR GPL-2.0-or-later"):
        assert not is_strong_copyleft(licence)
    assert not is_strong_copyleft("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)")
