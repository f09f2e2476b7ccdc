"""The catalogues say the same in each language, nothing is missing or left over, and no parameter breaks out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

import cellvow.core.contracts
import cellvow.web
from cellvow.core.primitives.errors import InvariantBroken
from cellvow.core.protocol.ruleset import RULESETS, get_ruleset
from cellvow.passport.view import Audience
from cellvow.web import LOCALES, Problem
from cellvow.web.catalogue import Catalogue, clean_foreign, load_catalogue, parameters_of, term_key
from cellvow.web.rendering import SITE_PLACES
from cellvow.web.verify_page import CHECK_COUNT, SAID
from cellvow.web.vocabulary import EVENTS, MESSAGES, VOCABULARIES

WEB = Path(cellvow.web.__file__).parent
CONTRACTS = Path(cellvow.core.contracts.__file__).parent
KEY = re.compile(r"""['"]([a-z_]+(?:\.[A-Za-z0-9_]+)+)['"]""")
ASKED = re.compile(r"""(?:\bt|plain|text)\(\s*['"]([a-z_.]+)['"]""")
COUNTED = re.compile(r"""count\(\s*['"]([a-z_.]+)['"]""")
IN_PROGRAM = re.compile(r"""f['"]([a-z_]+\.[^'"\n]*\{[^'"\n]*)['"]""")
IN_TEMPLATE = re.compile(r"""'[a-z_]+\.[a-z_.]*'(?:\s*~\s*(?:'[a-z_.]*'|[\w.]+))+""")
TERMINAL_COLUMNS = ("class", "quantity", "signed", "value")
"""Headings of the table that the terminal draws of a passport."""
NOT_ABOUT_A_BATTERY = {
    "Anchored",
    "CompromiseMarked",
    "FloorRaised",
    "GuardiansAppointed",
    "KeyRegistered",
    "KeyRevoked",
    "ProposalAdopted",
    "ProposalMade",
    "ProposalRefused",
    "ProposalWithdrawn",
    "RecoveryApproved",
    "RecoveryCompleted",
    "RecoveryLocked",
    "RecoveryOpened",
    "RecoveryVetoed",
    "RootKeyRotated",
    "VoteCast",
}


def texts_of(language: str) -> dict[str, str]:
    """Every key of a catalogue with its text."""
    return dict(load_catalogue(language)._texts)


def named_keys(texts: str) -> set[str]:
    """The keys that stand literally in program or template text."""
    return set(KEY.findall(texts))


def composed_keys(texts: str) -> list[re.Pattern[str]]:
    """The families of keys that program or template text puts together of written parts and words."""
    put_together = [re.split(r"\{[^}]*\}", one) for one in IN_PROGRAM.findall(texts)]
    for one in IN_TEMPLATE.findall(texts):
        parts = re.split(r"\s*~\s*", one)
        put_together.append("".join(part.strip("'") if part[0] == "'" else "\0" for part in parts).split("\0"))
    return [re.compile(r"\w+".join(re.escape(part) for part in parts) + r"\Z") for parts in put_together]


def written_texts() -> str:
    """Everything that can ask for a text: the programs and templates of the pages."""
    folders = (WEB, WEB.parent / "api")
    paths = [path for folder in folders for path in sorted(folder.rglob("*.*")) if path.suffix in (".py", ".html")]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def required_keys() -> set[str]:
    """Every key that is surely asked for: those written out, those of counts, and those of the closed families."""
    written = written_texts()
    counted = set(COUNTED.findall(written))
    keys = {key for key in ASKED.findall(written) if not key.endswith(".")}
    keys |= {f"{key}.{form}" for key in counted for form in ("one", "other")}
    keys |= {term_key(kind, word) for kind, words in VOCABULARIES.items() for word in words}
    keys |= {f"problem.{problem.text}.{part}" for problem in Problem for part in ("title", "text", "next")}
    keys |= {f"audience.{audience.value}" for audience in Audience}
    keys |= {f"nav.{place}" for place in SITE_PLACES}
    keys |= {f"check.{part}_{number}" for part in ("title", "meaning") for number in range(1, CHECK_COUNT + 1)}
    keys |= {f"health.{column}" for column in TERMINAL_COLUMNS}
    return (keys - counted) | {f"corrected_to.{word}" for word in ("manufactured_on", "reference")} | set(SAID)


@pytest.mark.parametrize("language", LOCALES)
def test_every_used_text_is_there(language: str) -> None:
    """No text that a page surely asks for is missing in a language."""
    assert set() == required_keys() - texts_of(language).keys()


@pytest.mark.parametrize("language", LOCALES)
def test_every_text_is_used(language: str) -> None:
    """None is left over: each is required, written out, or of a family that is put together."""
    written = written_texts()
    left = texts_of(language).keys() - required_keys() - named_keys(written)
    families = composed_keys(written)

    assert set() == {key for key in left if not any(family.match(key) for family in families)}


@pytest.mark.parametrize("language", LOCALES)
def test_a_text_has_the_same_parameters_in_each_language(language: str) -> None:
    """A translation drops no parameter and invents none."""
    english = {key: parameters_of(text) for key, text in texts_of("en").items()}

    assert english == {key: parameters_of(text) for key, text in texts_of(language).items()}


@pytest.mark.parametrize("language", LOCALES)
def test_texts_hold_no_markup_and_plain_parameters(language: str) -> None:
    """Catalogues are plain text: no tag, no entity, and parameters that are bare names."""
    odd = {
        key: text
        for key, text in texts_of(language).items()
        if re.search(r"[<>&]|\s\s|^\s|\s$", text) or not all(name.isidentifier() for name in parameters_of(text))
    }

    assert {} == odd


def test_no_two_words_share_a_key() -> None:
    """Turning a word into a key loses nothing that told it from another word of its kind."""
    for kind, words in VOCABULARIES.items():
        assert len(words) == len({term_key(kind, word) for word in words})


def test_every_event_of_a_battery_has_a_sentence() -> None:
    """What the contracts record about batteries is what the pages can tell, and the other way round."""
    recorded = set()
    for path in CONTRACTS.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        recorded |= set(re.findall(r'"type": "(\w+)"', text)) | set(re.findall(r'"(\w+Issued)"', text))
        recorded |= set(re.findall(r'dispute_event\("(\w+)"', text))

    assert set(EVENTS) == recorded - NOT_ABOUT_A_BATTERY


def test_every_message_that_a_proof_can_be_of_has_a_name() -> None:
    """The words of the page that checks proofs are those of the newest ruleset."""
    assert set(MESSAGES) == {kind.__name__ for kind in get_ruleset(max(RULESETS)).handlers}


def test_control_a_missing_text_is_an_error() -> None:
    """A key without a text, and a text without one of its parameters, stop the page instead of showing a gap."""
    catalogue = Catalogue("en", {"a.b": "by {name}"})

    with pytest.raises(InvariantBroken, match=r"no text a\.c"):
        catalogue.text("a.c")
    with pytest.raises(InvariantBroken, match="parameters name"):
        catalogue.text("a.b")
    with pytest.raises(InvariantBroken, match="parameters name"):
        catalogue.plain("a.b")


def test_control_an_unused_text_would_be_seen() -> None:
    """Keys are found where they are asked for, and only there."""
    assert {"safe.title", "who.one"} == named_keys("{{ t('safe.title') }} 'who.one' if x else none")
    assert [r"nav\.\w+\Z", r"tour\.\w+\.text\Z"] == sorted(
        family.pattern for family in composed_keys("t('nav.' ~ place) f'tour.{stop}.text' f'{x}.y' 'a.b'")
    )


@given(st.text())
def test_foreign_text_is_inert(text: str) -> None:
    """Whatever somebody is called, the page gets no tag, no override of direction and no control character from it."""
    shown = load_catalogue("en").text("certificate.method", method=text)
    inside = shown.removeprefix("computed by ").removeprefix("<bdi>").removesuffix("</bdi>")

    assert "<" not in inside
    assert inside.isascii() or "<bdi>" in shown
    assert inside == Markup("{}").format(clean_foreign(text))
    assert not re.search("[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", inside)


@given(st.text())
def test_foreign_text_in_plain_places_is_isolated(text: str) -> None:
    """In a title the text cannot turn its neighbours either: isolating characters stand around it, none inside."""
    shown = load_catalogue("en").plain("code.alt", link=text)
    inside = shown.removeprefix("QR code that leads to ").removeprefix("\u2068").removesuffix("\u2069")

    assert inside == clean_foreign(text)
    assert inside.isascii() or "\u2068" in shown
    assert "\u2069" not in inside


def test_a_word_that_nobody_knows_is_shown_as_it_is() -> None:
    """A later ruleset's word appears, marked as code, rather than breaking the page or being translated wrongly."""
    assert "<code>re-born</code>" == load_catalogue("de").term("status", "re-born")
