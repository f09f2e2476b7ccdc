"""An export package in each of its languages: the same proofs, the same index, other words, and no word missing."""

from __future__ import annotations

import re
from contextlib import closing
from string import Formatter
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.contracts.acceptance import ACCEPT, CANNOT_TELL, RE_TEST
from cellvow.core.contracts.battery import CATEGORIES, STATUSES
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import InvariantBroken, VerificationError
from cellvow.core.primitives.quantity import CLASSES, DOCUMENTS, UNITS
from cellvow.core.primitives.signature import is_valid
from cellvow.web import LOCALES
from cellvow.workspace.export_archive import encode_archive, parse_archive
from cellvow.workspace.export_index import FORMAT, PAPERS
from cellvow.workspace.export_package import Package, Wish, make_package, verify_package
from cellvow.workspace.export_sheet import draw_sheet
from cellvow.workspace.export_words import LANGUAGES, TERMS, load_words, term_key
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import BATTERY, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TEXTS_OF_THE_PAGE = {"index.json", "passport.html", "README.txt"}
CHARGE: dict[str, Json] = {"quantity": "state_of_charge", "unit": "permille", "value": 280, "class": "measured"}
SUMMARY: dict[str, Json] = {"bytes": 10, "quantity": "test_summary", "sha256": "ab" * 32}
PINNED = {
    "en": "33aa89cdfd1bfe761232ca9d0ef677d634bea44d82c9b14b4ce00acd4bde6e45",
    "de": "92904080537b39007b81b3700a7c0099356688a9920b7db95b5599f8a565c2be",
    "pt_BR": "9424fc55964e4cef22e3c590667b450333bfbe9af76132ddad1f163c5b07250e",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Package]:
    """One battery's package in each language, of one moment."""
    world = DeskWorld.found(tmp_path_factory.mktemp("words"))
    return {language: made_in(world.folder, language) for language in LANGUAGES}


def made_in(folder: Path, language: str) -> Package:
    """What the maker exports."""
    with closing(Workspace(folder / "maker")) as space:
        return make_package(PassportReader(space.home(), space), BATTERY, Wish(language=language))


def paper(standing: str = "in force", *, is_suspect: bool = False) -> dict[str, Json]:
    """A paper as an index shows it."""
    return {
        "age_days": 1,
        "class": "declared",
        "disclosed": [{**CHARGE, "low": 270, "high": 290}, SUMMARY, {"quantity": "discharge_curve"}],
        "file": "state_of_charge.cvb",
        "issuer": "buyer",
        "issuer_name": "The <buyer>",
        "paper": "state_of_charge",
        "predicates": [{"quantity": "state_of_charge", "comparison": "at_most", "threshold": 300}],
        "quantities": ["state_of_charge"],
        "reference": "SOC-1",
        "signed_ms": 1_800_000_000_000,
        "standard": {"name": "UN 38.3", "edition": "Rev.8"},
        "standing": standing,
        "suspect": is_suspect,
        "valid_until_ms": 1_900_000_000_000,
    }


def verdict() -> dict[str, Json]:
    """A verdict as an index shows it."""
    kept = ("disclosed", "file", "issuer", "issuer_name", "reference", "signed_ms", "standing", "suspect")
    said: dict[str, Json] = {name: paper()[name] for name in kept}
    return {**said, "as_of": "2027-01-15", "disclosed": [], "paper": "verdict", "policy": "p", "verdict": "re_test"}


def register(name: str, offer: str | None) -> dict[str, Json]:
    """A register as an index shows it."""
    side = None if offer is None else "maker"
    return {
        "accepted_by": "buyer",
        "name": "The <buyer>",
        "offer": offer,
        "offered_by": side,
        "organisation": "buyer",
        "register": name,
        "since_ms": 1_800_000_000_000,
        "suspect": offer is None,
    }


def index() -> dict[str, Json]:
    """An index in which every sentence of the page has its place."""
    missing: list[Json] = [{"paper": one, "remedy": "of the index", "why": "missing"} for one in PAPERS[:-1]]
    unreliable: Json = {"paper": PAPERS[-1], "remedy": "of the index", "why": "not to be relied on: revoked"}
    registers = [register(name, None if name == "custody" else "offer_1.cvb") for name in REGISTERS]
    return {
        "as_of": {"leaves": 29, "time_ms": 1_800_000_000_000},
        "battery": BATTERY,
        "disputes": ["lab/D-1"],
        "ledger": {"chain_id": "one", "genesis": "ab" * 32},
        "missing": [*missing, unreliable],
        "papers": [paper(), verdict(), paper("revoked", is_suspect=True)],
        "registers": list(registers),
        "unit": {
            "category": "lmt",
            "mass_g": 800,
            "model": "Pouch 10",
            "nominal_voltage_mv": 3_750,
            "rated_capacity_mah": 10_500,
            "status": "re-used",
        },
    }


@pytest.mark.slow
def test_the_proofs_are_the_same_in_every_language(packages: Mapping[str, Package]) -> None:
    """Only what people read differs, and the index in nothing but the language it names."""
    members = {language: parse_archive(package.data) for language, package in packages.items()}
    english = members["en"]

    for language, package in packages.items():
        differing = {name for name, content in members[language].items() if english[name] != content}
        assert (set() if language == "en" else TEXTS_OF_THE_PAGE) == differing
        assert {**packages["en"].index, "language": language} == package.index
        assert f'<html lang="{language.replace("_", "-")}">' in members[language]["passport.html"].decode()


@pytest.mark.slow
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_package_holds_in_its_language_and_in_no_other(packages: Mapping[str, Package], language: str) -> None:
    """A page in one language beside an index that names another is not what the proofs say."""
    other = LANGUAGES[(LANGUAGES.index(language) + 1) % len(LANGUAGES)]
    members = parse_archive(packages[language].data)
    crossed = encode_archive({**members, "passport.html": parse_archive(packages[other].data)["passport.html"]})

    assert packages[language].index == verify_package(packages[language].data, None, is_valid).index
    with pytest.raises(VerificationError, match=r"passport\.html"):
        verify_package(crossed, None, is_valid)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["fr", "", None, ["en"], "EN", "../en"])
def test_a_language_that_is_none_of_ours_is_refused(packages: Mapping[str, Package], language: Json) -> None:
    """By the file that names it; also where the index names none."""
    members = parse_archive(packages["en"].data)
    lying = encode_document({**packages["en"].index, "language": language})

    with pytest.raises(VerificationError, match=r"index\.json"):
        verify_package(encode_archive({**members, "index.json": lying}), None, is_valid)
    with pytest.raises(VerificationError):
        verify_package(
            encode_archive({name: one for name, one in members.items() if name != "index.json"}), None, is_valid
        )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_texts_of_a_format_never_change(language: str) -> None:
    """A verifier draws the page anew and compares: another text is another format, or old packages are refused."""
    words = load_words(language)

    assert (
        "cellvow-export/1",
        PINNED[language],
    ) == (FORMAT, sha256((words.readme + draw_sheet(index(), words)).encode()).hex())


def test_a_german_page_is_german_to_the_decimal_comma() -> None:
    """Not a word of the English page is left where ours stand, and foreign text stays what it was."""
    page = draw_sheet(index(), load_words("de"))

    assert "Ladezustand höchstens 30,0 %" in page
    assert "Ladezustand 28,0 %, von 27,0 % bis 29,0 %" in page
    assert "nicht verlässlich: widerrufen" in page
    assert "neu prüfen" in page
    assert "The &lt;buyer&gt;" in page
    assert "of the index" not in page
    assert "None" not in page, "what a model does not state has no row"
    for english in ("in force", "declared", "state of charge", "re-test", "re-used", "Missing", "signed by"):
        assert english in draw_sheet(index(), load_words("en"))
        assert english not in page


def test_every_language_has_every_text_with_the_same_parameters() -> None:
    """Keys and parameters agree; each README names the same files and commands."""
    texts = {language: load_words(language)._texts for language in LANGUAGES}
    shape = {key: parameters_of(text) for key, text in texts["en"].items()}

    for language, theirs in texts.items():
        assert shape == {key: parameters_of(text) for key, text in theirs.items()}, language
        assert commands_in(load_words("en").readme) == commands_in(load_words(language).readme), language
        assert {key for kind, words in TERMS.items() for key in (term_key(kind, one) for one in words)} < set(theirs)
    with pytest.raises(InvariantBroken):
        load_words("en").text("no.such.key")
    with pytest.raises(InvariantBroken):
        load_words("fr")


def test_the_vocabularies_are_those_of_the_ledger() -> None:
    """A word that joins the ledger needs its text here, and the site's languages are the package's."""
    assert tuple(LOCALES) == LANGUAGES
    assert {*UNITS, *DOCUMENTS, "discharge_curve"} == set(TERMS["quantity"])
    assert set(CATEGORIES) == set(TERMS["category"])
    assert set(STATUSES) == set(TERMS["status"])
    assert set(CLASSES) == set(TERMS["class"])
    assert {ACCEPT, RE_TEST, CANNOT_TELL} == set(TERMS["verdict"])


def test_a_word_that_nobody_knows_stands_as_it_was_written() -> None:
    """A package of a later ledger may hold one; what is no word at all breaks nothing."""
    strange: list[Any] = ["new_quantity", 7, None, ["a"], {"b": 1}]

    assert "new quantity" == load_words("de").term("quantity", strange[0])
    for one in strange:
        assert load_words("pt_BR").term("quantity", one)


def parameters_of(text: str) -> set[str]:
    """The names of the parameters in a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def commands_in(text: str) -> list[str]:
    """The commands of a README, but for what the reader fills in."""
    return [
        re.sub(r"\b[A-Z]{4,}\b", "FILE", one) for one in re.findall(r"^  (?:cellvow|python3) .*$", text, re.MULTILINE)
    ]
