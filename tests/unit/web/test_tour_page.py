"""The tour: every stop answers from the passport alone, says what it cannot, and leads to what checks it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.passport.view import Passport
from cellvow.web import LOCALES, TourLinks, render_stop, render_tour, tour_document
from cellvow.web.catalogue import load_catalogue
from cellvow.web.rendering import SITE_ADDRESSES
from cellvow.web.tour_page import CHECKS, Other, StopView, find_elsewhere, find_open, view_stops
from cellvow.web.tour_stops import (
    BUILT_PARTS,
    STOP_PARTS,
    STOPS,
    UNBUILT_PARTS,
    Answer,
    State,
    derive_answer,
    find_stop,
)
from cellvow.web.wording import Wording
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import (
    ACCEPTED,
    BARE,
    BATTERY,
    BIRTH,
    BOUGHT,
    CORRECTION,
    ENDED,
    HOSTILE,
    NEWBORN,
    OWNER,
    RECONSTRUCTED,
    SAMPLES,
    SIMULATED,
    STRANGER,
    TESTED,
)
from tests.unit.web.tour_samples import BEGUN_BY, RECYCLED, RECYCLED_BY, SERVED, SERVICED_BY, SUCCEEDED, as_stranger

PAGE_BYTES_MAX = 25_000
NAMES = [stop.name for stop in STOPS]
BUILT = [stop.name for stop in STOPS if stop.is_built]
RARE = [stop.name for stop in STOPS if stop.is_rare]
UNBUILT = [stop.name for stop in STOPS if not stop.is_built]
ENGLISH = Wording("en")


def links_for(*, closed: tuple[str, ...] = (), has_verdicts: bool = True) -> TourLinks:
    """Links as a server gives them."""
    return TourLinks(
        home="/",
        languages=(("en", "?lang=en"), ("de", "?lang=de")),
        to=lambda path: path,
        bundle_of=lambda statement, index: None if statement in closed else f"/{BATTERY}/bundle/{statement}/{index}",
        witness_note="one_demo",
        has_verdicts=has_verdicts,
    )


def answer_of(name: str, passport: Passport | None) -> Answer:
    """What one stop says in English."""
    stop = find_stop(name)
    assert stop is not None
    return derive_answer(stop, passport, ENGLISH)


def said_at(name: str, passport: Passport | None) -> str:
    """Its sentences."""
    return " ".join(sentence.striptags() for sentence in answer_of(name, passport).sentences)


def page_of(name: str, passport: Passport | None, language: str = "en") -> Page:
    """The page of one stop, read."""
    stop = find_stop(name)
    assert stop is not None
    return Page(render_stop(stop, passport, locale=language, links=links_for()))


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("sample", [*sorted(SAMPLES), None], ids=str)
def test_the_tour_is_well_formed_inert_and_small(sample: str | None, language: str) -> None:
    """Whatever a passport holds, and without one: nothing runs, and a phone gets it quickly."""
    html = render_tour(None if sample is None else SAMPLES[sample], locale=language, links=links_for())

    assert [] == shape_faults(Page(html))
    assert len(html.encode()) <= PAGE_BYTES_MAX


@pytest.mark.parametrize("sample", ["hostile", "owner", "stranger", None], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_stop_is_well_formed_inert_and_small(name: str, sample: str | None) -> None:
    """Each stop by itself, in the longest of the languages too."""
    stop = find_stop(name)
    assert stop is not None
    for language in LOCALES:
        html = render_stop(stop, None if sample is None else SAMPLES[sample], locale=language, links=links_for())
        assert [] == shape_faults(Page(html))
        assert len(html.encode()) <= PAGE_BYTES_MAX


@pytest.mark.parametrize("language", LOCALES)
def test_every_stop_has_its_texts_and_its_picture(language: str) -> None:
    """Adding a stop means saying who asks what, and what could be a lie or what is missing, in each language."""
    catalogue = load_catalogue(language)
    for stop in STOPS:
        for part in (*STOP_PARTS, *(BUILT_PARTS if stop.is_built else UNBUILT_PARTS)):
            assert catalogue.text(f"stop.{stop.name}.{part}")
    for name in CHECKS:
        assert catalogue.text(f"tour.check.{name}")
    for state in State:
        assert catalogue.text(f"tour.state.{state.value}")
    pictures = Page(render_tour(OWNER, locale=language, links=links_for())).all("svg")
    assert len(STOPS) == len({one.text for one in pictures})
    assert all("img" == one.attributes["role"] for one in pictures)


def test_the_owner_gets_an_answer_at_every_stop_that_is_built() -> None:
    """A life with test and hand-over answers all but what few have lived; the others say that they are not built."""
    states = {view.name: view.answer.state for view in view_stops(OWNER, ENGLISH, links_for())}
    expected = dict.fromkeys(BUILT, State.ANSWERED) | dict.fromkeys(RARE, State.OPEN)

    assert states == expected | dict.fromkeys(UNBUILT, State.UNBUILT)
    assert ["serviced", "stored", "recycled"] == RARE


def test_service_is_answered_by_what_was_done_to_it() -> None:
    """The newest work first, then its software, what happened, and who looked at it; signed by the workshop."""
    assert said_at("serviced", SERVED) == (
        "Garage (invented) worked on it (WORK-1, recorded on 16 November 2026). "
        "Garage (invented) put the software 2.1 on it. 1 incident is on record. "
        "Garage (invented) looked at it and recorded its state of safety."
    )
    assert SERVICED_BY == answer_of("serviced", SERVED).source
    assert State.OPEN is answer_of("serviced", OWNER).state


def test_service_is_not_told_to_a_stranger() -> None:
    """Nor is whether there was any."""
    assert State.WITHHELD is answer_of("serviced", STRANGER).state
    assert answer_of("serviced", as_stranger(SERVED)) == answer_of("serviced", STRANGER)


def test_a_second_life_is_told_of_both_its_ends() -> None:
    """Of the unit that became another, of that other one while it lives, and by a grading alone."""
    living = replace(RECYCLED, status="repurposed", life=RECYCLED.life[:2], ended=None)
    graded = replace(OWNER, life=(*OWNER.life, RECYCLED.life[1]))

    for passport in (SUCCEEDED, as_stranger(SUCCEEDED)):
        assert "It has become STORE-0001: Secondlife (invented) began its second life" in said_at("stored", passport)
        assert BEGUN_BY == answer_of("stored", passport).source
    assert "It lives a second life (repurposed), begun by Secondlife (invented)." in said_at("stored", living)
    assert "Its second life, begun by Secondlife (invented), is over." in said_at("stored", RECYCLED)
    assert "Secondlife (invented) graded it. Grade B no longer holds: void by what" in said_at("stored", living)
    assert "graded it" not in said_at("stored", as_stranger(living))
    assert "Secondlife (invented) graded it for a second use." == said_at("stored", graded)
    assert "No second life is recorded for this battery." == said_at("stored", OWNER)


def test_what_it_became_is_named_with_its_grade() -> None:
    """The grade for those who may know it; of many units as many as the view holds, and how many there are."""
    grade = "STORE-0001: Grade B for a second use; allowed in grid storage, home storage."
    assert grade in said_at("stored", SUCCEEDED)
    assert "Grade" not in said_at("stored", as_stranger(SUCCEEDED))
    one = SUCCEEDED.relatives.successors[0]
    two = (one, replace(one, battery=f"{one.battery[:-1]}2", grading=None))
    many = replace(SUCCEEDED, relatives=replace(SUCCEEDED.relatives, successors=two, successors_all=9))

    assert "It has become 9 batteries (STORE-0001, STORE-0002, …): " in said_at("stored", many)


def test_of_waste_a_stranger_is_not_told_whether_it_had_a_second_life() -> None:
    """Its status no longer says so, and its history is not his."""
    once, never = (replace(as_stranger(RECYCLED), ended=None), replace(STRANGER, status="waste"))

    assert State.WITHHELD is answer_of("stored", once).state
    assert answer_of("stored", once) == answer_of("stored", never)


def test_the_end_is_told_step_by_step() -> None:
    """Out of use, waste, recycled, destroyed: each is said, with who signed it; before that nothing is made up."""
    resting = replace(OWNER, life=(*OWNER.life, replace(OWNER.life[0], event="UnitDecommissioned")))
    waste = replace(STRANGER, status="waste")
    destroyed = replace(RECYCLED, ended=replace(RECYCLED.ended, how="destroyed"))  # type: ignore[type-var] # it has ended

    assert "has taken it out of use. By its model: " in said_at("recycled", resting)
    assert "It is waste, and Secondlife (invented) answers for it." in said_at("recycled", waste)
    assert "that it was recycled. Its passport has ceased" in said_at("recycled", RECYCLED)
    assert "It is gone: so Recycler (invented) recorded" in said_at("recycled", destroyed)
    assert RECYCLED_BY == answer_of("recycled", RECYCLED).source
    assert {State.OPEN} == {answer_of("recycled", one).state for one in (OWNER, STRANGER, SUCCEEDED)}


def test_of_a_ceased_battery_a_stranger_is_told_its_end_alone() -> None:
    """As on its tombstone; its owner still reads all of it."""
    states = {name: answer_of(name, as_stranger(RECYCLED)).state for name in BUILT}

    told = {name for name, state in states.items() if state is State.ANSWERED}
    assert {"recycled", "checked"} == told
    assert {State.WITHHELD} == {states[name] for name in BUILT if name not in told}
    assert State.ANSWERED is answer_of("tested", RECYCLED).state


def elsewhere_of(others: list[Passport], passport: Passport = OWNER) -> dict[str, StopView]:
    """The stops of a tour whose open ones are answered on other batteries."""
    found: dict[str, Other] = {}
    for number, one in enumerate(others):
        other = Other(replace(one, battery=f"{BATTERY[:-1]}{number + 2}"), links_for().bundle_of)
        missing = [stop for stop in find_open(passport, ENGLISH) if stop.name not in found]
        found |= find_elsewhere(missing, other, ENGLISH)
    return {view.name: view for view in view_stops(passport, ENGLISH, links_for(), found)}


def test_what_a_battery_has_not_lived_is_shown_on_another_that_is_named() -> None:
    """Every rare stop is answered, says first of which battery, and leads to that one's passport."""
    views = elsewhere_of([SERVED, SUCCEEDED, RECYCLED])

    for name, serial in (("serviced", "PACK-0002"), ("stored", "PACK-0003"), ("recycled", "PACK-0004")):
        view = views[name]
        assert State.ELSEWHERE is view.answer.state
        assert view.answer.sentences[0].startswith(f"Of {serial}, not of this battery: ")
        assert f"/{view.answer.battery}" == view.checks[-1].address
    assert {State.ANSWERED} == {views[name].answer.state for name in BUILT if name not in RARE}


def test_where_no_battery_can_answer_the_stop_says_that_nothing_is_recorded() -> None:
    """Another battery that has lived no more is not named."""
    views = elsewhere_of([NEWBORN, replace(OWNER)])

    assert {State.OPEN} == {views[name].answer.state for name in RARE}
    assert "Nothing of this kind is recorded" in str(views["serviced"].answer.sentences[0])


def test_what_is_withheld_here_is_not_looked_for_elsewhere() -> None:
    """A stranger gets the world's part of another's life, and of service nothing."""
    views = elsewhere_of([as_stranger(SERVED), as_stranger(SUCCEEDED), as_stranger(RECYCLED)], STRANGER)

    assert State.WITHHELD is views["serviced"].answer.state
    assert [State.ELSEWHERE, State.ELSEWHERE] == [views[name].answer.state for name in ("stored", "recycled")]


@pytest.mark.parametrize("language", LOCALES)
def test_an_answer_of_another_battery_is_marked_as_one(language: str) -> None:
    """In words and in the line, on the way and at the stop, and for programs."""
    other = {"recycled": Other(replace(RECYCLED, battery=f"{BATTERY[:-1]}2"), links_for().bundle_of)}
    stop = find_stop("recycled")
    assert stop is not None
    way = Page(render_tour(OWNER, locale=language, links=links_for(), elsewhere=other))
    page = Page(render_stop(stop, OWNER, locale=language, links=links_for(), elsewhere=other))
    stops = tour_document(OWNER, locale=language, links=links_for(), elsewhere=other)["stops"]
    assert isinstance(stops, list)
    told = {one["name"]: (one["state"], one["battery"]) for one in stops if isinstance(one, dict)}

    for shown in (way, page):
        assert [] == shape_faults(shown)
        assert "PACK-0002" in shown.text
        assert any("elsewhere" in one.attributes.get("class", "") for one in (*shown.all("li"), *shown.all("section")))
    assert load_catalogue(language).plain("tour.state.elsewhere") in page.text
    assert ("elsewhere", f"{BATTERY[:-1]}2") == told["recycled"]
    assert ("open", None) == told["stored"]


@pytest.mark.parametrize("name", UNBUILT)
def test_what_is_not_built_is_never_answered(name: str) -> None:
    """Whatever the passport holds: the stop says what is missing, names no signer and offers nothing to check."""
    for passport in SAMPLES.values():
        answer = answer_of(name, passport)
        assert (State.UNBUILT, None) == (answer.state, answer.source)
    page = page_of(name, OWNER)
    assert "not built yet" in page.text
    assert "Check it" not in page.text
    assert all("answered" not in one.attributes.get("class", "").split() for one in page.all("section"))


def test_every_answer_of_an_event_names_who_signed_it() -> None:
    """Birth, test, hand-over and responsibility lead to the statement they stem from."""
    sources = {name: answer_of(name, OWNER).source for name in ("made", "tested", "sold", "border", "bought")}

    assert sources == {"made": CORRECTION, "tested": TESTED, "sold": BOUGHT, "border": TESTED, "bought": ACCEPTED}


def test_a_stranger_is_told_what_is_withheld_and_not_whether_it_exists() -> None:
    """A hand-over and a value are not shown; the same is said of a battery that never changed hands."""
    never_sold = replace(STRANGER, registers=NEWBORN.registers[2:])

    assert State.WITHHELD is answer_of("sold", STRANGER).state
    assert answer_of("sold", STRANGER) == answer_of("sold", never_sold)
    assert "30." not in said_at("tested", STRANGER)
    assert "The exact values are shown to the owner" in said_at("tested", STRANGER)


def test_declared_and_measured_stand_side_by_side() -> None:
    """The owner reads the number with its interval, coverage and class, and what was only declared."""
    assert said_at("tested", OWNER) == (
        "Cellab (invented) certifies (TEST-1): capacity: at least 26.48 Ah. "
        "Found, measured: capacity 30.30 Ah (between 30.15 Ah and 30.45 Ah, coverage 95 %). "
        "Only declared, by Nordpack (invented): state of health 96.0 %. A declaration is somebody’s word."
    )


def test_a_value_without_interval_has_none_invented() -> None:
    """What was attested without interval, or without coverage, is shown so."""
    test = OWNER.attestations[1]
    bare = replace(test.measured[0], low=None, high=None)
    half = replace(test.measured[0], coverage_permille=None)

    for measured, shown in ((bare, "capacity 30.3 Ah."), (half, "(between 30.15 Ah and 30.45 Ah).")):
        passport = replace(OWNER, attestations=(replace(test, measured=(measured,)),))
        assert shown in said_at("tested", passport)


def test_a_correction_and_a_reconstruction_are_told() -> None:
    """The birth says what it said before, and from what it was reconstructed."""
    assert "It first said 17 May 2031." in said_at("made", OWNER)
    assert "It first said" not in said_at("made", NEWBORN)
    assert "reconstructed from serial plate and workshop file 7" in said_at("made", RECONSTRUCTED)
    assert BIRTH == answer_of("made", NEWBORN).source


def test_simulated_evidence_says_so_and_is_no_certificate() -> None:
    """The word stands at the stop and above the way; the border asks for a test."""
    assert "without a certificate" in said_at("tested", SIMULATED)
    assert "Simulated: computed by a program" in said_at("tested", SIMULATED)
    assert State.OPEN is answer_of("border", SIMULATED).state
    assert "Simulated." in Page(render_tour(SIMULATED, links=links_for())).text


def test_the_way_abroad_names_the_papers_and_those_that_are_missing() -> None:
    """A package of a battery with a certificate alone lacks two papers; with all of them nothing is called missing."""
    test = OWNER.attestations[1]
    charge = replace(
        test,
        reference="SOC-1",
        is_certificate=False,
        evidence_class="declared",
        standard=None,
        measured=(replace(test.measured[0], quantity="state_of_charge", unit="permille"),),
        predicates=(("state_of_charge", "at_most", 300),),
    )
    reference = replace(charge, reference="TS-1", standard="UN 38.3", edition="Rev.8", measured=(), predicates=())
    complete = replace(OWNER, attestations=(*OWNER.attestations, charge, reference))
    revoked = replace(complete, attestations=(*OWNER.attestations, charge, replace(reference, state="revoked")))

    assert "Missing, and said to be: a UN 38.3 reference, the state of charge for transport" in said_at(
        "exported", OWNER
    )
    assert "Missing" not in said_at("exported", complete)
    assert "state of charge: at most 30.0 %" in said_at("exported", complete)
    assert "Missing, and said to be: a UN 38.3 reference." in said_at("exported", revoked)


def test_which_papers_travel_is_not_told_to_a_stranger() -> None:
    """The same is said whatever there is."""
    assert State.WITHHELD is answer_of("exported", STRANGER).state
    assert answer_of("exported", STRANGER) == answer_of("exported", replace(STRANGER, attestations=()))
    assert State.OPEN is answer_of("exported", NEWBORN).state


def test_a_certificate_that_ended_does_not_hold_at_the_border() -> None:
    """The stop says which and why; one that still stands goes before it."""
    mixed = replace(ENDED, attestations=(*ENDED.attestations, STRANGER.attestations[0]))

    assert "the certificate TEST-1 is revoked" in said_at("border", ENDED)
    assert "Its certificate TEST-1 stands" in said_at("border", mixed)


@given(st.permutations(OWNER.attestations))
def test_the_order_of_attestations_changes_no_answer(attestations: list[object]) -> None:
    """The certificate about what people ask first leads, wherever it stands."""
    shuffled = replace(OWNER, attestations=tuple(attestations))  # type: ignore[arg-type] # permutations of the same

    assert TESTED == answer_of("tested", shuffled).source
    assert answer_of("border", OWNER) == answer_of("border", shuffled)


def test_a_newborn_has_stops_that_are_still_open() -> None:
    """No test, no hand-over, no witness: each is said, none is made up."""
    states = {name: answer_of(name, NEWBORN).state for name in BUILT}

    assert {State.OPEN} == {states[name] for name in ("tested", "sold", "border")}
    assert "0 witnesses" in said_at("checked", NEWBORN)
    assert "both sides" not in said_at("bought", NEWBORN)
    assert {State.OPEN} == {answer_of(name, BARE).state for name in ("made", "tested", "sold", "border", "bought")}


def test_further_hand_overs_are_counted() -> None:
    """The first is told, the rest counted."""
    assert "Autowerk (invented) took it over; both sides signed." in said_at("sold", OWNER)
    assert "handed over 1 time more" in said_at("sold", OWNER)


def test_without_a_battery_the_tour_says_how_to_make_one() -> None:
    """Questions stay, answers do not, and the command stands there."""
    page = Page(render_tour(None, links=links_for()))

    assert "cellvow demo" in page.text
    assert "How good is it still?" in page.text
    assert {State.OPEN, State.UNBUILT} == {view.answer.state for view in view_stops(None, ENGLISH, links_for())}
    assert "cellvow demo" in page_of("tested", None).text


def test_a_stop_leads_to_its_proof_its_block_and_its_neighbours() -> None:
    """One tap to each."""
    addresses = page_of("border", OWNER).addresses

    for address in (
        f"/{BATTERY}/bundle/{TESTED.statement}/0",
        f"/blocks/{TESTED.height}",
        f"/{BATTERY}/verdict",
        f"/{BATTERY}",
        "/tour/exported",
        "/tour",
        "/tour/driven",
    ):
        assert address in addresses


def test_a_proof_or_verdict_that_cannot_be_had_is_not_offered() -> None:
    """What the reader may not take, or the node does not give, has no link."""
    links = links_for(closed=(TESTED.statement,), has_verdicts=False)
    checks = {view.name: [check.name for check in view.checks] for view in view_stops(STRANGER, ENGLISH, links)}

    assert ["block", "passport"] == checks["border"]
    assert ["verify", "passport"] == checks["checked"]


def test_the_tour_leads_to_every_stop_in_order() -> None:
    """Each question is one link."""
    addresses = Page(render_tour(OWNER, links=links_for())).addresses

    assert [f"/tour/{name}" for name in NAMES] == [one for one in addresses if one.startswith("/tour/")]
    assert set(SITE_ADDRESSES.values()) <= set(addresses)


def test_witnesses_of_one_demonstration_are_called_that() -> None:
    """The last stop does not let three processes of one party pass for three parties."""
    assert "mechanism, not independence" in page_of("checked", OWNER).text
    assert "mechanism, not independence" not in page_of("checked", NEWBORN).text


def test_programs_get_the_same() -> None:
    """Answers, signers and addresses, as the page has them."""
    document = tour_document(OWNER, links=links_for())
    stops = document["stops"]
    assert isinstance(stops, list)
    tested = stops[NAMES.index("tested")]
    assert isinstance(tested, dict)
    signed = tested["signed"]
    assert isinstance(signed, dict)
    answer = tested["answer"]
    assert isinstance(answer, list)

    assert (BATTERY, "owner") == (document["battery"], document["audience"])
    assert said_at("tested", OWNER) == " ".join(str(one) for one in answer)
    assert (TESTED.statement, "cellab") == (signed["statement"], signed["organisation"])


def test_a_hostile_name_stays_text() -> None:
    """In a page it is escaped, for programs it is the text without its control characters."""
    page = page_of("tested", SAMPLES["hostile"])

    assert [] == shape_faults(page)
    assert "<script>alert(1)</script>" in page.text
    assert HOSTILE not in str(tour_document(SAMPLES["hostile"], links=links_for()))


def test_control_an_unbuilt_stop_with_an_answer_would_be_seen() -> None:
    """The state of a stop follows from whether it has a rule, and the page shows the state."""
    rule = find_stop("made")
    assert rule is not None
    pretended = replace(rule, name="driven")

    assert State.ANSWERED is derive_answer(pretended, OWNER, ENGLISH).state
