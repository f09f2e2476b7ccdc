"""The explanation and the glossary: every row has its words in each language, and every link to a word finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cellvow.web
from cellvow.web import LOCALES, about_document, glossary_document, render_about, render_glossary
from cellvow.web.about_page import ABOUT_FAMILIES, CHAIN
from cellvow.web.catalogue import load_catalogue
from cellvow.web.glossary_page import TERMS, list_terms
from tests.unit.web.page_reading import Page, shape_faults

WEB = Path(cellvow.web.__file__).parent
PAGE_BYTES_MAX = 25_000
LANGUAGES = (("en", "?lang=en"), ("de", "?lang=de"))
LINK = re.compile(r"/glossary#(\w+)|explained\('(\w+)'")


def about_page(language: str = "en") -> str:
    """The explanation."""
    return render_about(locale=language, home="/", languages=LANGUAGES, to=lambda path: path)


def linked_terms(text: str) -> set[str]:
    """The terms that program or template text leads to."""
    return {one or other for one, other in LINK.findall(text)}


@pytest.mark.parametrize("language", LOCALES)
def test_both_pages_are_well_formed_inert_and_small(language: str) -> None:
    """In each language, and within what a phone should load."""
    for html in (about_page(language), render_glossary(locale=language, home="/", languages=LANGUAGES)):
        assert [] == shape_faults(Page(html))
        assert len(html.encode()) <= PAGE_BYTES_MAX


@pytest.mark.parametrize("language", LOCALES)
def test_every_row_of_the_explanation_is_said(language: str) -> None:
    """No row lacks a part."""
    catalogue, page = load_catalogue(language), Page(about_page(language)).text
    for kind, (rows, parts) in ABOUT_FAMILIES.items():
        for row in rows:
            for part in parts:
                assert catalogue.plain(f"about.{kind}.{row}.{part}") in page


def test_every_picture_says_what_it_shows() -> None:
    """Six steps and three attacks, each drawn and named."""
    pictures = Page(about_page()).all("svg")

    assert 9 == len({one.text for one in pictures}) == len(pictures)
    assert all("img" == one.attributes["role"] for one in pictures)


@pytest.mark.parametrize("language", LOCALES)
def test_every_term_is_explained_once_and_can_be_led_to(language: str) -> None:
    """Each has an anchor of its own, a name that no other has, and one or two sentences."""
    page = Page(render_glossary(locale=language, home="/", languages=LANGUAGES))
    anchors = [one.attributes["id"] for one in page.all("div") if "id" in one.attributes]
    terms = list_terms(language)

    assert sorted(TERMS) == sorted(anchors) == sorted(term.anchor for term in terms)
    assert len(TERMS) == len({term.name for term in terms})
    for term in terms:
        assert str(term.text)[-1] in ".”“"
        assert len(str(term.text).split()) <= 40


@pytest.mark.parametrize("language", LOCALES)
def test_terms_stand_where_readers_look_for_them(language: str) -> None:
    """In alphabetical order, a letter with a mark beside the one without."""
    names = [str(term.name).casefold()[0] for term in list_terms(language)]
    plain = [one.translate(str.maketrans("äáâãéêíóôõöúüç", "aaaaeeiooooouuc"[:14])) for one in names]

    assert sorted(plain) == plain


def test_every_word_that_is_linked_is_a_term() -> None:
    """Whatever page leads to `/glossary#WORD` finds it there."""
    written = [path.read_text(encoding="utf-8") for path in WEB.rglob("*.*") if path.suffix in (".py", ".html")]
    linked = linked_terms("\n".join(written)) - {"TERM", "WORD"} | set(CHAIN)
    shown = {address.partition("#")[2] for address in Page(about_page()).addresses if "/glossary#" in address}

    assert linked | shown <= set(TERMS)
    assert set(CHAIN) == shown


def test_control_a_link_to_an_unknown_word_would_be_seen() -> None:
    """Both ways of writing a link are read."""
    assert {"gas", "coin"} == linked_terms("<a href='/glossary#gas'> {{ explained('coin', x) }}")


@pytest.mark.parametrize("language", LOCALES)
def test_programs_get_the_terms_and_the_claims(language: str) -> None:
    """The same words, with their addresses."""
    glossary, about = glossary_document(language), about_document(language)
    terms = glossary["terms"]
    assert isinstance(terms, list)

    assert len(TERMS) == len(terms)
    assert {"address", "name", "term", "text"} == set(terms[0] if isinstance(terms[0], dict) else ())
    assert language.replace("_", "-") == glossary["language"] == about["language"]
    assert set(ABOUT_FAMILIES) <= set(about)
