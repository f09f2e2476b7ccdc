"""The passport page: questions in their order, nothing it may not show, small, inert, and honest about its proofs."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import InvariantBroken
from cellvow.passport.coverage import STAGES, Signed, derive_coverage
from cellvow.passport.view import Attested, Audience, LifeStep, Passport
from cellvow.web import LOCALES, PageLinks, cut_excerpt, passport_document, render_passport
from cellvow.web.answers import STEPS_OPEN_MAX, came_by_handover, health_headline, health_rows
from cellvow.web.excerpt import ATTESTATIONS_MAX, STEPS_MAX, order_attestations, write_cursor
from cellvow.web.rendering import SITE_ADDRESSES
from tests.unit.web.page_reading import Page, acting_faults, shape_faults
from tests.unit.web.samples import (
    BATTERY,
    CORRECTION,
    DECLARATION,
    DIGITAL_LINK,
    ENDED,
    HEALTH_ONLY,
    HOSTILE,
    HOSTILE_PASSPORT,
    MANY_STEPS,
    MANY_TESTS,
    NEWBORN,
    OWNER,
    PURCHASER,
    RECONSTRUCTED,
    SAMPLES,
    SERIAL,
    SIMULATED,
    STRANGER,
    TESTED,
    TWO_DEFINITIONS,
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
@pytest.mark.parametrize("name", sorted(SAMPLES.keys() - {"hostile", "long_names"}))
def test_a_page_is_small(name: str, language: str) -> None:
    """What a phone opens has at most 25 kB, style, code and curve included, with many tests and steps as with few."""
    passport, links = SAMPLES[name], links_for(SAMPLES[name])
    excerpt = cut_excerpt(passport)
    assert excerpt is not None
    if excerpt.steps_cursor or excerpt.attestations_cursor:
        address = f"/{BATTERY}?before=50&lang={language}"
        links = replace(links, earlier_steps=address, more_attestations=f"{address}&after={'0' * 64}.0")
    page = render_passport(passport, locale=language, links=links, excerpt=excerpt)

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
        "Nothing is recorded. No incident is reported and nobody has assessed it: this page cannot tell you",
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
        "96.0 % state of health, declared, no interval stated proof Nordpack (invented), 21 October 2025",
        "91.5 % state of health, measured, 91.1 % to 92.0 % proof Cellab (invented), 4 November 2026 (3 weeks ago)",
        "capacity 30.30 Ah 30.15 Ah to 30.45 Ah, coverage 95 %",
        "state of health 96.0 %, no interval stated",
        "Capacity at 1C against a rating at another rate is not a certified state of health.",
        "one full discharge only: how well it repeats is not known",
        "Voltage while discharging: from 4.18 V",
        "25 of the 60 points behind the picture",
        "Registered, manufactured on 17 May 2031 this was wrong and is corrected below",
        "An earlier statement is corrected (typing error). It now says: manufactured on 17 May 2013.",
        "Offered to Secondlife (invented): who holds it, who owns it, who answers for it",
        "Hand-over accepted by Secondlife (invented): both sides have signed",
        "Holds it: Secondlife (invented)",
        "Owns it: Secondlife (invented)",
    ],
)
@pytest.mark.parametrize("passport", [PURCHASER, OWNER], ids=["purchaser", "owner"])
def test_an_owner_and_a_purchaser_are_told_more(passport: Passport, sentence: str) -> None:
    """Declared beside measured, the curve, the life with its corrections, all three registers."""
    assert sentence in page_of(passport).text.replace("\u00a0", " ")


def test_where_it_was_made_is_for_the_owner() -> None:
    """A purchaser sees no plant, and is told that his view is one of a purchaser."""
    assert "Plant Demo plant 1" in page_of(OWNER).text
    assert "Demo plant" not in page_of(PURCHASER).text
    assert "Purchaser’s view" in page_of(PURCHASER).text


def test_a_purchaser_without_history_sees_no_life() -> None:
    """Each scope opens its part and no other."""
    page = page_of(HEALTH_ONLY)

    assert "Its life so far" not in page.text
    assert "Every value, and the curve" in page.text


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
    """Values of one attestation under the same conditions share one line about them."""
    text = page_of(replace(OWNER, attestations=OWNER.attestations[:2])).text

    assert 1 == text.count("rows 120 to 9,310 of the file")


def test_definitions_of_health_stand_together_with_their_spread() -> None:
    """Two definitions in one test: both in the answer, and how far they lie apart."""
    text = page_of(TWO_DEFINITIONS).text.replace("\u00a0", " ")

    assert 3 == len(health_headline(TWO_DEFINITIONS))
    assert "These 2 definitions of health lie 1.2 percentage points apart" in text
    assert "definitions of health lie" not in page_of(OWNER).text


def test_a_reconstructed_battery_says_so_in_every_view() -> None:
    """Before the first question: that its birth was entered afterwards, how well that is known, from what, by whom."""
    for passport in (RECONSTRUCTED, replace(OWNER, backfill=RECONSTRUCTED.backfill)):
        text = page_of(passport).text
        assert text.index("Reconstructed.") < text.index("Is it safe?")
        assert "Nordpack (invented) entered its birth afterwards (estimated), from: serial plate" in text
    assert "Reconstructed." not in page_of(OWNER).text


def test_the_newest_in_force_of_each_class_comes_first() -> None:
    """Of twelve tests the page opens with the one in force, beside the declaration it can be compared with."""
    ordered = order_attestations(MANY_TESTS)

    assert {"TEST-12", "DECLARED-1"} == {one.reference for one in ordered[:2]}
    assert {one.reference for one in MANY_TESTS.attestations} == {one.reference for one in ordered}


def test_the_pages_of_a_passport_hold_everything_once() -> None:
    """Turning by the cursors shows every step and every test exactly once, whatever the lengths."""
    steps: list[LifeStep] = []
    tests: list[Attested] = []
    before = after = ""
    while True:
        excerpt = cut_excerpt(MANY_TESTS, steps_before=before)
        assert excerpt is not None
        assert len(excerpt.shown.life) <= STEPS_MAX
        steps = [*excerpt.shown.life, *steps]
        assert excerpt.first_step == len(MANY_TESTS.life) - len(steps) + 1
        if excerpt.steps_cursor is None:
            break
        before = excerpt.steps_cursor
    while True:
        excerpt = cut_excerpt(MANY_TESTS, attestations_after=after)
        assert excerpt is not None
        assert len(excerpt.shown.attestations) <= ATTESTATIONS_MAX
        tests += excerpt.shown.attestations
        assert excerpt.attestations_left == len(MANY_TESTS.attestations) - len(tests)
        if excerpt.attestations_cursor is None:
            break
        after = excerpt.attestations_cursor

    assert MANY_TESTS.life == tuple(steps)
    assert order_attestations(MANY_TESTS) == tuple(tests)


@pytest.mark.parametrize("cursor", ["x", "0" * 64, f"{'0' * 64}.0", write_cursor(DECLARATION.source) + "0"])
def test_a_cursor_of_nothing_is_no_page_of_tests(cursor: str) -> None:
    """What names no test of this view opens nothing."""
    assert cut_excerpt(OWNER, attestations_after=cursor) is None


@pytest.mark.parametrize("cursor", ["x", "0", "-1", "01", "²", "1.0", "9" * 30, str(len(OWNER.life) + 1)])
def test_a_number_of_no_step_is_no_page_of_steps(cursor: str) -> None:
    """One spelling each, and no number beyond the last."""
    assert cut_excerpt(OWNER, steps_before=cursor) is None


def test_the_answer_counts_certificates_that_are_on_other_pages() -> None:
    """How many are in force does not depend on how many are shown."""
    whole = replace(MANY_TESTS, attestations=tuple(replace(one, state="issued") for one in MANY_TESTS.attestations))
    page = Page(render_passport(whole, links=links_for(whole), excerpt=cut_excerpt(whole)))

    assert "Yes: 12 certificates are in force." in page.text


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
    assert "simulated" in page.all("tbody")[-1].text


def test_a_register_that_returned_to_the_maker_was_still_handed_over() -> None:
    """By what put him there, and not by who he is: both sides signed, whoever the holder is."""
    back = replace(OWNER.registers[0], organisation="nordpack")

    assert came_by_handover(back)
    assert not came_by_handover(replace(back, came_by="BatteryRegistered"))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("HandoverAccepted", "since 15 November 2026, signed by both sides"),
        ("DisputeSettled", "by a settlement that both sides signed"),
        ("DisputeDecided", "by an arbiter’s decision"),
        ("TakeoverCompleted", "taken over after notice"),
    ],
)
def test_a_register_says_by_whose_word_it_names_its_holder(event: str, said: str) -> None:
    """A take-over and a decision are not signed by both sides, and the page does not say so."""
    held = replace(STRANGER, registers=tuple(replace(one, came_by=event) for one in STRANGER.registers))
    text = page_of(held).text

    assert said in text
    assert ("since 15 November 2026, signed by both sides" in text) is (event == "HandoverAccepted")


def test_early_steps_of_a_long_life_are_folded_away() -> None:
    """Two hundred steps: the latest at once, the others one tap away, all numbered."""
    page = page_of(MANY_STEPS)
    steps = [one for one in page.all("li") if "value" in one.attributes]

    assert [str(number) for number in range(1, 201)] == [one.attributes["value"] for one in steps]
    assert f"{200 - STEPS_OPEN_MAX} earlier steps" in page.text


def test_every_link_of_a_page_is_one_it_was_given() -> None:
    """Proofs, other languages, the rest of the site, the short code, the verdict, our script; no other address."""
    proof = re.compile(rf"{SERIAL}/bundle/[0-9a-f]{{16}}/0")
    links = links_for(OWNER)
    given = {"/", links.short, links.verdict, *(address for _, address in links.languages), *SITE_ADDRESSES.values()}
    others = {address for address in page_of(OWNER).addresses if not proof.fullmatch(address)}

    assert given | {"#main", "#q5", "/static/check.js"} == others


def test_a_proof_that_the_reader_may_not_take_is_not_linked() -> None:
    """A stranger finds the certificate's proof and no link to a statement for members."""
    addresses = page_of(STRANGER).addresses

    assert any(TESTED.statement[:16] in address for address in addresses)
    assert not any(CORRECTION.statement[:16] in address for address in addresses)
    assert any(CORRECTION.statement[:16] in address for address in page_of(OWNER).addresses)


def test_a_page_that_stands_alone_links_nothing() -> None:
    """Without any links the page still answers everything, and its code names the battery."""
    page = page_of(OWNER, links=PageLinks())

    assert ["#main", "#q5"] == page.addresses
    assert [] == page.all("script")
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
    excerpt = cut_excerpt(STRANGER)
    assert excerpt is not None
    document = msgspec.json.decode(msgspec.json.encode(passport_document(excerpt, links_for(STRANGER))))

    assert DIGITAL_LINK == document["digital_link"]
    assert Audience.PUBLIC.value == document["passport"]["audience"]
    assert {"life": None, "attestations": None} == document["more"]
    assert STRANGER == msgspec.convert(document["passport"], Passport)
    assert CORRECTION.statement not in [bundle["statement"] for bundle in document["bundles"]]
    assert TESTED.statement in [bundle["statement"] for bundle in document["bundles"]]


def test_the_owner_sees_which_stages_are_on_record_and_who_could_supply_the_others() -> None:
    """Every stage has its place on the line; a missing one names the roles that could sign it."""
    signed = [Signed(kind, OWNER.life[0].source) for kind in ("RegisterBattery", "AcceptHandover", "InstallBattery")]
    page = render_passport(replace(OWNER, coverage=derive_coverage(signed)), links=links_for(OWNER))

    assert "3 of 6 expected stages: 50 %." in " ".join(Page(page).text.split())
    assert "Could be supplied by: laboratory, manufacturer" in Page(page).text
    assert len(STAGES) == page.count('<li class="recorded">') + page.count('<li class="missing">') + page.count(
        '<li class="not_due">'
    )
    assert "stages" not in Page(render_passport(STRANGER, links=links_for(STRANGER))).text
