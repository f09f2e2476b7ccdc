"""The page that checks proofs: whole without scripts, honest about what it proves, and its words in each language."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX, TRUST_BYTES_MAX
from cellvow.verify import verifier
from cellvow.web import LOCALES, check_words, load_static, render_verify
from cellvow.web.catalogue import parameters_of
from cellvow.web.verify_page import CHECK_COUNT, SAID
from tests.unit.web.page_reading import Page, shape_faults

LANGUAGES = (("en", "/verify?lang=en"), ("de", "/verify?lang=de"))
SCRIPTS = ("check.js", "checking.js", "verify_page.js")


def page_of(language: str) -> Page:
    """The page, read."""
    return Page(render_verify(locale=language, home="/", languages=LANGUAGES))


def script(name: str) -> str:
    """One of our scripts."""
    found = load_static(name)
    assert found is not None
    return found.content.decode()


@pytest.mark.parametrize("language", LOCALES)
def test_the_page_is_well_formed_and_inert(language: str) -> None:
    """Balanced, one heading, unique names, no script but our module, nothing that sends."""
    page = page_of(language)

    assert [] == shape_faults(page)
    assert [] == page.all("form")
    assert [f"/static/{SCRIPTS[2]}"] == [one.attributes["src"] for one in page.all("script")]


def test_without_scripts_the_checker_is_hidden_and_the_way_without_it_is_there() -> None:
    """Nothing that does not work is shown; the command and the file are."""
    page = page_of("en")
    checker = next(one for one in page.elements if one.attributes.get("id") == "checker")

    assert "hidden" in checker.attributes
    assert "python3 cellvow-verify.pyz proof.cvb --trust trust.json" in page.text
    assert {"/cellvow-verify.pyz", "/trust.json"} <= set(page.addresses)


@pytest.mark.parametrize("language", LOCALES)
def test_every_check_is_told_in_each_language(language: str) -> None:
    """As many titles as both verifiers have checks; limits are those of the verifiers."""
    words = check_words(language)
    titles = re.findall(r'^  \["(\w+)", check', script("verify/verify.js"), re.MULTILINE)

    assert CHECK_COUNT == len(titles) == len(verifier._CHECKS)
    assert isinstance(words["checks"], list)
    assert CHECK_COUNT == len(words["checks"])
    assert (BUNDLE_BYTES_MAX, TRUST_BYTES_MAX) == (words["bundle_bytes_max"], words["trust_bytes_max"])


def test_scripts_say_only_what_is_in_the_words() -> None:
    """Every sentence that a script asks for is sent, and every one that is sent is asked for."""
    texts = "\n".join(script(name) for name in SCRIPTS)
    asked = set(re.findall(r"\bsaid\.(\w+)", texts)) | {f"anchored_{source}" for source in ("none", "server", "own")}

    assert asked == {key.removeprefix("check.") for key in SAID}


def test_scripts_fill_only_parameters_that_the_words_have() -> None:
    """A `{name}` that nobody fills would be shown to the reader."""
    filled = {"all", "count", "limit", "name", "names", "number", "signed", "size", "total"}
    said = check_words("en")["said"]

    assert isinstance(said, dict)
    assert filled == {name for text in said.values() for name in parameters_of(str(text))}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_makes_no_markup_and_asks_no_other_host(name: str) -> None:
    """Text is text, and every address is a path of ours."""
    text = script(name)

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", text)
    assert not re.search(r"https?://|WebSocket|EventSource|sendBeacon|localStorage", text)


def test_what_a_passport_loads_at_once_is_small() -> None:
    """The button's script alone; the verifier comes when it is pressed."""
    assert 1_500 >= len(script("check.js"))
    assert "import " not in script("check.js").split("await import")[0]


def test_control_the_second_verifier_is_the_one_that_ships() -> None:
    """Pages load it from the package itself, not a copy."""
    original = (files("cellvow.verify") / "javascript" / "verify.js").read_text(encoding="utf-8")

    assert original == script("verify/verify.js")
