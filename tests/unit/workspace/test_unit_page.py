"""One page for a unit: two companies, hand-over, use, a clone, a danger, a second life, an end; for each reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from cellvow.api.passports import bundle_addresses
from cellvow.cli.answer import Table
from cellvow.cli.passport_text import describe_passport
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.identifier import parse_battery_id
from cellvow.core.primitives.signature import is_valid
from cellvow.passport.sources import list_sources
from cellvow.passport.use import DOCUMENTS_SHOWN_MAX
from cellvow.passport.view import Passport, Source
from cellvow.verify import verify_bundle
from cellvow.web import PageLinks, cut_excerpt, passport_document, render_passport, render_tombstone, tombstone_document
from cellvow.workspace.passports import PassportReader
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.workspace.unit_life import (
    DEAD,
    FOURTH,
    HEIR,
    PARTS,
    READERS,
    THIRD,
    UNIT,
    Lives,
    alarm,
    assess,
    found,
    lose,
    quarrel,
    recycle,
    succeed,
    use,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.workspace.passports import Viewed


class Told:
    """What every reader was shown at each stage of the story, told once."""

    def __init__(self, lives: Lives) -> None:
        self.views: dict[tuple[str, str, str], Viewed] = {}
        self.lives = lives
        for stage, happen in (("used", use), ("assessed", assess), ("succeeded", succeed), ("recycled", recycle)):
            happen(lives)
            for unit in (UNIT, DEAD) if stage in ("used", "assessed") else (UNIT, DEAD, HEIR):
                for name, reader in READERS.items():
                    self.views[stage, unit, name] = lives.view(unit, reader)
        quarrel(lives)
        for unit in (THIRD, FOURTH, PARTS[0], PARTS[1]):
            for name, reader in READERS.items():
                self.views["quarrel", unit, name] = lives.view(unit, reader)
        for stage, happen in (("alarmed", alarm), ("lost", lose)):
            happen(lives)
            for name, reader in READERS.items():
                self.views[stage, PARTS[0], name] = lives.view(PARTS[0], reader)

    def bundle(self, unit: str, reader: str, place: tuple[str, int]) -> bytes | None:
        """The proof of a statement as the story stands at its end, for whoever may take it."""
        source = PassportReader(self.lives.home, self.lives.workspaces["reuser"])
        return source.bundle(unit, *place, READERS[reader])

    def passport(self, stage: str, reader: str, unit: str = UNIT) -> Passport:
        """The passport as it stood."""
        return self.views[stage, unit, reader].passport

    def page(self, stage: str, reader: str, unit: str = UNIT, see: str = "") -> Page:
        """The page, as the site links it."""
        viewed = self.views[stage, unit, reader]
        links = PageLinks(
            bundle_of=bundle_addresses(parse_battery_id(unit), viewed), passport_of=lambda other: f"/{other}"
        )
        page = Page(render_passport(viewed.passport, links=links, excerpt=cut_excerpt(viewed.passport, see=see)))
        assert [] == shape_faults(page)
        return page

    def text(self, stage: str, reader: str, unit: str = UNIT, see: str = "") -> str:
        """The words of the page."""
        return " ".join(self.page(stage, reader, unit, see).text.replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The whole story."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        lives = found(tmp_path_factory.mktemp("lives"), monkeypatch)
        yield Told(lives)
    lives.close()


@pytest.mark.parametrize("reader", READERS)
def test_a_cloned_serial_is_shown_as_contested_to_whoever_scans_it(told: Told, reader: str) -> None:
    """Before the first question; who claims it against whom is for the owner and those he lets see the history."""
    text = told.text("used", reader)

    assert text.index("Contested. Two claim to have made a battery with this number") < text.index("Is it safe?")
    assert "It is in doubt whether the battery before you is the one of this page." in text
    knows = "Rival (invented) (CLAIM-1) against Maker (invented)" in text
    assert knows is (reader != "stranger")


@pytest.mark.parametrize("reader", READERS)
def test_whoever_comes_first_a_cloned_serial_is_contested(told: Told, reader: str) -> None:
    """Claimed before its maker registered it: he is who the record names, and the claim stands on the page."""
    text = told.text("quarrel", reader, FOURTH)

    assert "Contested. Two claim to have made a battery with this number" in text
    assert "Answers for it: Maker (invented)" in text


def test_a_stranger_is_told_of_no_party(told: Told) -> None:
    """Neither in words nor in the document for programs: no name, no reference, no statement of a dispute."""
    passport = told.passport("used", "stranger")

    assert [None] == [one.parties for one in passport.disputes]
    assert all(one.parties is not None for one in told.passport("used", "owner").disputes)


@pytest.mark.parametrize("stage", ["used", "succeeded"])
def test_a_strangers_view_holds_nothing_of_the_use(told: Told, stage: str) -> None:
    """Not only is it not drawn: programs get none of it either. Control: a purchaser with the history does."""
    stranger, purchaser = (told.passport(stage, reader) for reader in ("stranger", "purchaser"))

    assert ((), (), None) == (stranger.use, stranger.life, stranger.coverage)
    assert purchaser.use
    assert told.passport("quarrel", "stranger", THIRD).parts is None
    assert told.passport("quarrel", "purchaser", THIRD).parts is not None


def test_a_claim_changes_nothing_that_the_record_says(told: Told) -> None:
    """The maker stays who he is; what somebody claims is no second birth, and no stage of the life."""
    passport = told.passport("used", "owner")

    assert "Maker (invented)" in [fact.value for fact in passport.identity]
    assert ["Reuser (invented)"] * 3 == [one.name for one in passport.registers]
    assert 1 == sum(step.event == "BatteryRegistered" for step in passport.life)
    assert passport.coverage is not None
    assert [1] == [stage.count for stage in passport.coverage.stages if stage.name == "birth"]


@pytest.mark.parametrize("reader", READERS)
def test_a_claim_is_a_step_that_says_by_whose_word_and_that_it_is_contested(told: Told, reader: str) -> None:
    """In its place among the steps, on the page and in the terminal, for who may see the life; never as accepted."""
    passport, text = told.passport("used", reader), told.text("used", reader)
    claims = [step for step in passport.life if step.claimed is not None]
    times = [step.source.time_ms for step in passport.life]
    said = "Signed by Rival (invented) against the record: “Battery registered”."
    lines = [one for one in describe_passport(passport) if isinstance(one, str)]

    assert times == sorted(times)
    assert ([] if reader == "stranger" else ["RegisterBattery"]) == [step.claimed for step in claims]
    assert (said in text) is (reader != "stranger")
    assert ("Kept as claim CLAIM-1 contested, not accepted" in text) is (reader != "stranger")
    assert any("[contested, not accepted]" in line for line in lines) is (reader != "stranger")


@pytest.mark.parametrize("reader", READERS)
def test_the_proof_of_a_claim_says_that_it_was_kept(told: Told, reader: str) -> None:
    """Who is shown the claim may take its proof; a verifier finds it contested, and refuses it as an acceptance."""
    claims = [step.source for step in told.passport("used", reader).life if step.claimed is not None]
    bundles = [told.bundle(UNIT, reader, (one.statement, one.index)) for one in claims]

    assert (0 if reader == "stranger" else 1) == len(bundles)
    for data in bundles:
        assert "contested" == verify_bundle(data or b"", told.lives.home.trust, is_valid, kept=True).outcome
        with pytest.raises(VerificationError, match="check 9"):
            verify_bundle(data or b"", told.lives.home.trust, is_valid)


def test_a_stranger_takes_no_proof_of_a_claim(told: Told) -> None:
    """He is told that there is one, and of no party: nor does he get the statement that names one."""
    (claim,) = [step.source for step in told.passport("used", "owner").life if step.claimed is not None]

    assert told.bundle(UNIT, "stranger", (claim.statement, claim.index)) is None


@pytest.mark.parametrize("reader", READERS)
def test_the_safety_state_is_everybodys_to_know(told: Told, reader: str) -> None:
    """Reported, then assessed: the state, since when, by whom, and the open incident; neither day nor report of it."""
    reported, assessed = told.text("used", reader), told.text("assessed", reader)

    assert "Caution since 23 December 2026, says Rival (invented)" in reported
    assert "nobody who has looked at it has lowered it since" in reported
    assert "Danger since 23 December 2026, says Lab (invented)" in assessed
    assert "nobody who has looked at it" not in assessed
    assert "1 open incident:" in reported
    assert "(danger), reported by Rival (invented), 23 December 2026" in reported
    if reader == "stranger":
        assert "I-1" not in reported
        assert "30 December" not in reported


def test_where_nothing_is_recorded_the_page_does_not_call_a_unit_safe(told: Told) -> None:
    """Nobody has reported anything about the other unit, and nobody has looked at it."""
    assert "this page cannot tell you that it is safe" in told.text("used", "stranger", DEAD)
    assert "this page cannot tell you that it is safe" not in told.text("used", "stranger")


def test_a_void_certificate_says_why(told: Told) -> None:
    """And who signed that; before, it was in force."""
    assert "Yes: 1 certificate is in force." in told.text("used", "stranger")
    text = told.text("assessed", "stranger")

    assert "invalidated by a later event" in text
    assert "Void: it was found to be dangerous, Lab (invented), 23 December 2026" in text


@pytest.mark.parametrize("reader", ["purchaser", "owner"])
def test_who_holds_owns_and_answers_is_on_the_same_page(told: Told, reader: str) -> None:
    """Since when, and signed by both sides; a stranger sees who answers."""
    text, stranger = told.text("used", reader), told.text("used", "stranger")
    day = "Reuser (invented) since 23 December 2026, signed by both sides"

    assert [f"{word}: {day}" in text for word in ("Holds it", "Owns it", "Answers for it")] == [True] * 3
    assert [f"{word}: {day}" in stranger for word in ("Holds it", "Owns it", "Answers for it")] == [False, False, True]


USED = (
    "Built into a vehicle since 1 December 2025",
    "Next service by 1 June 2027, set by Reuser (invented)",
    "Last work with its holder’s consent: maintenance on 24 December 2025 (W-1)",
    "Reset to software 2.0.0 (battery management system)",
    "Its maker does not answer for software uploaded after the reset by Reuser (invented) (Regulation (EU) 2023/1542",
    "Grade B for a second use; allowed in backup power, home storage",
    "MANUAL-1, version 2: Replacing a module (for workshop, second-life operator)",
)


@pytest.mark.parametrize("sentence", USED)
def test_a_unit_in_use_is_told_to_who_may_see_its_history(told: Told, sentence: str) -> None:
    """Where it is built in, its service, software, grade and papers; nothing of it to a stranger."""
    assert sentence in told.text("used", "purchaser", see="use")
    assert sentence in told.text("used", "owner", see="use")
    assert sentence not in told.text("used", "stranger", see="use")
    assert (sentence in told.text("used", "owner")) is (sentence != USED[-1])


def test_a_unit_that_is_built_in_again_is_not_said_to_be_out_of_use(told: Told) -> None:
    """It was taken out of use before that: its history says so, and what it is now does not."""
    assert "Taken out of use by Reuser (invented)" in told.text("used", "owner", see="life")
    assert "Taken out of use:" not in told.text("used", "owner", see="use")
    assert "Taken out of use: " in told.text("succeeded", "owner", see="use")


def test_documents_for_others_than_workshops_are_the_owners(told: Told) -> None:
    """A grant of history tells of the papers with which a unit is serviced, and of no others."""
    assert "DISMANTLE-1" in told.text("used", "owner", see="use")
    assert "DISMANTLE-1" not in told.text("used", "purchaser", see="use")


@pytest.mark.parametrize("reader", READERS)
def test_a_second_life_in_another_company_keeps_its_link(told: Told, reader: str) -> None:
    """From what it was to what it became and back, for everybody; the old number stays readable, and says so."""
    before, after = told.page("succeeded", reader), told.page("succeeded", reader, HEIR)
    links = [{one.attributes.get("href") for one in page.all("a")} for page in (before, after)]

    assert f"/{HEIR}" in links[0]
    assert f"/{UNIT}" in links[1]
    assert "It is no more under this number: it continues as SECOND-0001" in " ".join(before.text.split())
    assert "It was made of PACK-0001, repurposed Reuser (invented)" in " ".join(after.text.split())
    assert not told.passport("succeeded", reader).has_ceased


def test_what_was_contested_stays_contested_after_its_second_life(told: Told) -> None:
    """Nobody washes a number by making something of what bears it."""
    assert "Two claim to have made a battery with this number" in told.text("succeeded", "stranger")


@pytest.mark.parametrize("reader", READERS)
def test_a_dead_identifier_that_returned_is_contested_on_its_tombstone(told: Told, reader: str) -> None:
    """Whoever scans it reads that it ended, and that something with its number was seen since."""
    viewed = told.views["recycled", DEAD, reader]
    links = PageLinks(bundle_of=bundle_addresses(parse_battery_id(DEAD), viewed))
    text = " ".join(Page(render_tombstone(viewed.passport, links=links)).text.split())
    document = tombstone_document(viewed.passport, links)

    assert viewed.passport.has_ceased
    assert "It was recycled." in text
    assert "Contested. A battery with this number appeared after its end" in text
    assert isinstance(document["disputes"], list)
    assert {"dead_identifier"} == {one["topic"] for one in document["disputes"] if isinstance(one, dict)}


def test_a_certificate_of_what_is_dead_is_none(told: Told) -> None:
    """What a laboratory claims to have tested after its end is contested, and stands not among its tests."""
    passport = told.passport("recycled", "owner", DEAD)

    assert () == passport.attestations
    assert ["Lab (invented)", "Rival (invented)"] == [
        one.parties.opener for one in passport.disputes if one.parties is not None
    ]


@pytest.mark.parametrize("unit", [UNIT, HEIR, DEAD])
@pytest.mark.parametrize("reader", READERS)
def test_every_source_can_be_proven_to_who_may_take_it(told: Told, reader: str, unit: str) -> None:
    """An owner may take the proof of everything that his page shows; a stranger's page links what he may take."""
    viewed = told.views["recycled", unit, reader]
    places = {(one.statement, one.index) for one in list_sources(viewed.passport)}

    assert viewed.proofs <= places
    assert viewed.proofs == places or reader != "owner"


def proven(told: Told, unit: str, reader: str, source: Source | None) -> str | None:
    """The message that the proof of a fact is of, verified by somebody who was given it; None where he gets none."""
    assert source is not None
    data = told.bundle(unit, reader, (source.statement, source.index))
    if data is None:
        return None
    verified = verify_bundle(data, told.lives.home.trust, is_valid)
    assert [] == verified.disclosures
    return str(verified.message["type"])


@pytest.mark.parametrize("reader", READERS)
def test_everybody_gets_the_proof_of_the_safety_state_and_of_the_origin(told: Told, reader: str) -> None:
    """Who assessed it, what it was made of, what it became, and that it was born so: each with its link on the page."""
    assessed, heir = told.views["assessed", UNIT, reader], told.views["succeeded", HEIR, reader]
    became = told.views["succeeded", UNIT, reader].passport.relatives.successors
    safety = assessed.passport.safety
    assert safety is not None
    sources = {
        "AssessSafety": (UNIT, safety.source),
        "BeginSecondLife": (HEIR, heir.passport.relatives.originals[0].source),
    }

    assert list(sources) == [proven(told, unit, reader, source) for unit, source in sources.values()]
    assert "BeginSecondLife" == proven(told, UNIT, reader, became[0].source)
    assert "BeginSecondLife" == proven(told, HEIR, reader, heir.passport.identity[0].source)
    links = told.page("succeeded", reader, HEIR).addresses
    assert any("/bundle/" in address for address in links)


@pytest.mark.parametrize("reader", READERS)
def test_the_report_of_an_incident_is_proven_to_its_owner_alone(told: Told, reader: str) -> None:
    """Its day is the members': the page says so of a report, and links no proof of it."""
    safety = told.passport("used", reader).safety
    assert safety is not None

    assert ("ReportIncident" if reader == "owner" else None) == proven(told, UNIT, reader, safety.source)


def test_programs_are_told_the_same(told: Told) -> None:
    """The document has each part of the page, field by field."""
    viewed = told.views["used", UNIT, "owner"]
    excerpt = cut_excerpt(viewed.passport)
    assert excerpt is not None
    document = msgspec.json.decode(msgspec.json.encode(passport_document(excerpt, PageLinks())))["passport"]

    assert "caution" == document["safety"]["state"]
    assert len(viewed.passport.use) == len(document["use"])
    assert ["cloned_serial"] == [one["topic"] for one in document["disputes"]]


@pytest.mark.parametrize("reader", READERS)
def test_the_terminal_tells_the_same(told: Told, reader: str) -> None:
    """In the words of the page, and no more to a stranger."""
    lines = describe_passport(told.passport("used", reader))
    text = "\n".join(line for line in lines if not isinstance(line, Table))

    assert "CONTESTED. Two claim to have made a battery with this number" in text
    assert "Caution since 23 December 2026, says Rival (invented)" in text
    assert [sentence in text for sentence in USED] == [reader != "stranger"] * len(USED)
    succeeded = describe_passport(told.passport("succeeded", reader, HEIR))
    assert f"    {UNIT}, repurposed (Reuser (invented), 23 December 2026)" in succeeded


@pytest.mark.parametrize("reader", READERS)
def test_a_disputed_register_says_so_and_so_does_a_notice(told: Told, reader: str) -> None:
    """One named party or an open dispute: who reads of the register reads that it is held, and what is announced."""
    text = told.text("quarrel", reader, THIRD)
    knows = reader != "stranger"

    assert "Disputed. Who owns it is disputed. Open since 23 December 2026." in text
    assert "Take-over announced. Since 23 December 2026 another operator has wanted to answer for it" in text
    assert ("Owns it: Maker (invented) since 23 December 2026 held still by an open dispute" in text) is knows
    assert ("Maker (invented) (D-1) against Rival (invented). Positions stated: 1" in text) is knows
    assert ("Recycler (invented) takes it over from Maker (invented)" in text) is knows
    assert "signed by both sides" not in text


@pytest.mark.parametrize("reader", READERS)
def test_the_parts_are_listed_in_their_places_with_what_came_out(told: Told, reader: str) -> None:
    """By position as people count, linked to their own passports; a part says what it is in, while it is."""
    page, part, gone = (told.page("quarrel", reader, unit) for unit in (THIRD, PARTS[0], PARTS[1]))
    text, knows = " ".join(page.text.split()), reader != "stranger"

    assert ("2 parts in it now CELL-3, slot 2 CELL-1, slot 10" in text) is knows
    assert ("CELL-2 came out (replaced), in its place: CELL-3 Maker (invented)" in text) is knows
    assert (f"/{PARTS[0]}" in {one.attributes.get("href") for one in page.all("a")}) is knows
    assert ("It is built into PACK-0003" in " ".join(part.text.split())) is knows
    assert "It is built into" not in gone.text


@pytest.mark.parametrize("reader", READERS)
def test_threat_a_part_of_a_dangerous_unit_looks_as_if_nothing_was_known(told: Told, reader: str) -> None:
    """Whoever scans the module is told what was found of the pack that it is in, by whom and since when."""
    before = told.passport("quarrel", reader, PARTS[0])
    safety = told.passport("alarmed", reader, PARTS[0]).safety

    assert before.safety is None
    assert safety is not None
    assert (safety.state, safety.name, safety.is_assessed) == ("danger", "Lab (invented)", True)


@pytest.mark.parametrize("reader", READERS)
def test_threat_a_part_of_what_burnt_has_a_passport_still(told: Told, reader: str) -> None:
    """It is gone with the unit it was in: the same tombstone, by the same statement."""
    viewed = told.views["lost", PARTS[0], reader]
    ended = viewed.passport.ended

    assert told.passport("alarmed", reader, PARTS[0]).ended is None
    assert ended is not None
    assert (ended.how, ended.source.name, viewed.passport.has_ceased) == ("destroyed", "Maker (invented)", True)
    page = render_tombstone(viewed.passport, links=PageLinks(passport_of=lambda other: f"/{other}"))
    assert "It was destroyed." in page


def test_threat_a_strangers_papers_hide_the_makers(told: Told) -> None:
    """Ten newer ones of a rival leave the maker's manual where it is: first."""
    papers = [fact for fact in told.passport("quarrel", "owner", THIRD).use if fact.name == "document"]

    assert len(papers) == DOCUMENTS_SHOWN_MAX
    assert ("reference", "MANUAL-3") in papers[0].detail
    assert ("reference", "FLOOD-9") in papers[1].detail
