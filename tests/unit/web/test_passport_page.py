"""The passport page: questions in their order, nothing it may not show, small, inert, and honest about its proofs."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import InvariantBroken
from cellvow.passport.view import Audience, Passport
from cellvow.web import LOCALES, PageLinks, passport_document, render_passport
from cellvow.web.answers import STEPS_OPEN_MAX, came_by_handover, health_rows
from tests.unit.web.page_reading import Page, acting_faults, shape_faults
from tests.unit.web.samples import (
    BATTERY,
    CORRECTION,
    DIGITAL_LINK,
    ENDED,
    HOSTILE,
    HOSTILE_PASSPORT,
    KEY,
    MANY_STEPS,
    NEWBORN,
    OWNER,
    SAMPLES,
    SERIAL,
    SIMULATED,
    STRANGER,
    TESTED,
    links_for,
)

PAGE_BYTES_MAX = 25_000


def page_of(passport: Passport, language: str = "en", links: PageLinks | None = None) -> Page:
    """The page, read."""
    return Page(render_passport(passport, locale=language, links=links or links_for(passport)))


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_page_is_well_formed_and_inert(name: str, language: str) -> None:
    """Whatever a passport holds: balanced, one heading, unique names, and nothing that runs, loads or restyles."""
    page = page_of(SAMPLES[name], language)

    assert [] == shape_faults(page)
    assert language.replace("_", "-") == page.all("html")[0].attributes["lang"]


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("name", ["bare", "ended", "newborn", "owner", "simulated", "stranger"])
def test_a_page_is_small(name: str, language: str) -> None:
    """What a phone opens has at most 25 kB, style, code and curve included."""
    page = render_passport(SAMPLES[name], locale=language, links=links_for(SAMPLES[name]))

    assert len(page.encode()) <= PAGE_BYTES_MAX


def test_a_stranger_reads_the_answers_in_the_order_of_his_questions() -> None:
    """Safety, what it is, who answers for it, whether a certificate is valid, whether the page is genuine."""
    asked = [heading.text for heading in page_of(STRANGER).all("h2")]

    assert [
        "Is it safe?",
        "What is it?",
        "Who answers for it?",
        "Is there a valid certificate?",
        "Is this page genuine?",
    ] == asked


@pytest.mark.parametrize(
    "sentence",
    [
        "Nothing is recorded. Incidents cannot be recorded on this ledger yet.",
        "Status of the battery: original (first life)",
        "Answers for it: Secondlife (invented) since 15 November 2026, signed by both sides",
        "Yes: 1 certificate is in force.",
        "capacity: at least 26.48 Ah",
        "The values are shown to the owner and those he lets see them.",
        "Rated capacity 33.1 Ah",
        "Manufactured on 17 May 2013 (corrected; before: 17 May 2031)",
        "Committed, and cosigned by 1 witness: witness.example/north",
        "One demonstration started these witnesses: they show the mechanism, not independence.",
        "python3 cellvow-verify.pyz PACK-0001-00000000-0.cvb --trust trust.json",
        "Where no proof is linked, members of the ledger alone may read the signed statement.",
        "As of 24 November 2026, 12:00 UTC, block 9. Public view.",
    ],
)
def test_a_stranger_is_told(sentence: str) -> None:
    """Each answer stands on the public page in plain words."""
    assert sentence in page_of(STRANGER).text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    "sentence",
    [
        "state of health declared 96.0 % no interval stated",
        "state of health measured 91.5 % 91.1 % to 92.0 %, coverage 95 %",
        "capacity measured 30.30 Ah 30.15 Ah to 30.45 Ah, coverage 95 %",
        "Capacity at 1C against a rating at another rate is not a certified state of health.",
        "Voltage while discharging: from 4.18 V",
        "The 60 points behind the picture",
        "Registered, manufactured on 17 May 2031 this was wrong and is corrected below",
        "An earlier statement is corrected (typing error). It now says: manufactured on 17 May 2013.",
        "Offered to Secondlife (invented): who holds it, who owns it, who answers for it",
        "Hand-over accepted by Secondlife (invented): both sides have signed",
        "Holds it: Secondlife (invented)",
        "Owns it: Secondlife (invented)",
        "Plant Demo plant 1",
    ],
)
def test_an_owner_is_told_more(sentence: str) -> None:
    """Declared beside measured, the curve, the life with its corrections, all three registers."""
    assert sentence in page_of(OWNER).text.replace("\u00a0", " ")


def test_a_page_for_strangers_never_shows_what_an_owner_sees() -> None:
    """The same battery as a stranger's view: no measured value, no conditions, no step of its life."""
    text = page_of(STRANGER).text

    for hidden in ("30.30", "30.15", "91.5", "112.4", "Discharge curve", "Its life so far", "Holds it", "Demo plant"):
        assert hidden not in text
        assert hidden in page_of(OWNER).text


def test_declared_and_measured_stand_together() -> None:
    """Values of one quantity follow each other, the declared one first, health before all."""
    rows = [(row.measured.quantity, row.attested.evidence_class) for row in health_rows(OWNER)]

    assert [("state_of_health", "declared"), ("state_of_health", "measured"), ("capacity", "measured")] == rows[:3]


def test_conditions_are_told_once() -> None:
    """A value found under the very conditions of the one above it says so instead of repeating them."""
    text = page_of(OWNER).text

    assert 2 == text.count("conditions as above")
    assert 1 == text.count("rows 120 to 9,310 of the file")


def test_an_ended_certificate_is_named_with_what_ended_it() -> None:
    """No longer, and why: each certificate says its state."""
    text = page_of(ENDED).text

    assert "No longer: none of its certificates is in force." in text
    assert "Certificate TEST-1 by Cellab (invented) revoked" in text
    assert "Certificate TEST-0 by Cellab (invented) invalidated by a later event" in text


def test_without_witnesses_the_page_says_so() -> None:
    """Nobody is said to have witnessed, and the note about witnesses is not shown either."""
    text = page_of(ENDED).text

    assert "Committed, 0 witnesses: so far the operator alone vouches for this ledger." in text
    assert "One demonstration" not in text


def test_a_newborn_battery_has_an_honest_page() -> None:
    """Nothing attested, nobody but the maker in its registers, no checkpoint: each is said, with what to do next."""
    text = page_of(NEWBORN).text

    assert "Nothing has been attested yet." in text
    assert "cellvow attest" in text
    assert "No: none has been issued." in text
    assert "signed by both sides" not in text
    assert "No checkpoint has been signed yet." in text


def test_simulated_evidence_is_labelled_before_everything_else() -> None:
    """The label comes before the first question, and stands on no other page."""
    page = page_of(SIMULATED)
    text = page.text

    assert text.index("Simulated.") < text.index("Is it safe?")
    assert "Simulated." not in page_of(OWNER).text
    assert "simulated" in page.all("tbody")[0].text


def test_a_register_that_returned_to_the_maker_was_still_handed_over() -> None:
    """Where the life shows the acceptance, both sides signed, whoever the holder is."""
    back = replace(OWNER.registers[0], organisation="nordpack")

    assert came_by_handover(OWNER, back)
    assert not came_by_handover(replace(OWNER, life=()), back)


def test_early_steps_of_a_long_life_are_folded_away() -> None:
    """Two hundred steps: the latest at once, the others one tap away, all numbered."""
    page = page_of(MANY_STEPS)
    steps = [one for one in page.all("li") if "value" in one.attributes]

    assert [str(number) for number in range(1, 201)] == [one.attributes["value"] for one in steps]
    assert f"{200 - STEPS_OPEN_MAX} earlier steps" in page.text


def test_every_link_of_a_page_is_one_it_was_given() -> None:
    """Proofs, other languages and the way home; no other address."""
    proof = re.compile(rf"{SERIAL}/bundle/[0-9a-f]{{64}}/0\?key={KEY}")
    others = {address for address in page_of(OWNER).addresses if not proof.fullmatch(address)}

    assert {"/", "?lang=en", "?lang=de", "?lang=pt_BR"} == others


def test_a_proof_that_the_reader_may_not_take_is_not_linked() -> None:
    """A stranger finds the certificate's proof and no link to a statement for members."""
    addresses = page_of(STRANGER).addresses

    assert any(TESTED.statement in address for address in addresses)
    assert not any(CORRECTION.statement in address for address in addresses)
    assert any(CORRECTION.statement in address for address in page_of(OWNER).addresses)


def test_a_page_that_stands_alone_links_nothing() -> None:
    """Without any links the page still answers everything, and its code names the battery."""
    page = page_of(OWNER, links=PageLinks())

    assert [] == page.addresses
    assert f"/{BATTERY}" in page.text
    assert "This view has no proof that you may take away." in page.text


def test_the_code_leads_to_the_digital_link() -> None:
    """The picture's text and the caption name the address."""
    page = page_of(STRANGER)

    assert f"QR code that leads to {DIGITAL_LINK}" == page.all("title")[1].text
    assert DIGITAL_LINK in page.all("figcaption")[-1].text


def test_hostile_text_stays_text() -> None:
    """An attack in every field: each is shown as what it is, with nothing that turns the line."""
    page = page_of(HOSTILE_PASSPORT)

    assert page.text.count("<script>alert(1)</script>") > 20
    assert not re.search("[\u202a-\u202e\x00-\x08]", "".join(page.all("html")[0].texts))


def test_control_an_unescaped_page_would_be_caught() -> None:
    """The check for inert pages finds an element, a handler, a style, a script and a foreign address."""
    found = acting_faults(Page(f"<p style='x' onclick='y'>{HOSTILE}</p><a href='javascript:x'>z</a>"))

    assert {"<script>", "<img>", "onclick", "style", "onerror", "leads to javascript:x"} == set(found)


@pytest.mark.slow
@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(sorted(LOCALES)))
def test_no_name_breaks_a_page(name: str, model: str, language: str) -> None:
    """Any name of an organisation and any name of a model: the page stays well-formed and inert."""
    passport = replace(
        STRANGER,
        model=tuple(
            replace(fact, value=model) if fact.name in ("model", "chemistry") else fact for fact in STRANGER.model
        ),
        registers=tuple(replace(one, name=name) for one in STRANGER.registers),
    )

    assert [] == shape_faults(page_of(passport, language))


def test_the_same_view_gives_the_same_page() -> None:
    """A page depends on nothing but its view, its language and its links."""
    assert render_passport(OWNER, links=links_for(OWNER)) == render_passport(OWNER, links=links_for(OWNER))


def test_an_unknown_catalogue_is_our_mistake() -> None:
    """No page falls back to another language in silence."""
    with pytest.raises(InvariantBroken, match="catalogue fr"):
        render_passport(OWNER, locale="fr", links=PageLinks())


def test_programs_get_the_same_content() -> None:
    """The document holds the whole view and the addresses of its proofs, and is plain JSON."""
    document = msgspec.json.decode(msgspec.json.encode(passport_document(STRANGER, links_for(STRANGER))))

    assert DIGITAL_LINK == document["digital_link"]
    assert Audience.PUBLIC.value == document["passport"]["audience"]
    assert STRANGER == msgspec.convert(document["passport"], Passport)
    assert CORRECTION.statement not in [bundle["statement"] for bundle in document["bundles"]]
    assert TESTED.statement in [bundle["statement"] for bundle in document["bundles"]]
