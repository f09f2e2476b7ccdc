"""Disputes, take-overs and second signatures conducted from the desk: each with two clicks, by whoever may."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.takeover import NOTICE_MS
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.countersigning import set_rule
from cellvow.workspace.desk_disputes import DeskDisputes
from tests.unit.desk_acting import confirm, dry_run, order, seen_in, sign
from tests.unit.desk_world import BATTERY, DeskSite, DeskWorld
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

DISPUTE = "/desk/disputes/maker/D-1"
UNIT = f"/desk/units/{BATTERY}"
FORM_FAULTS = {"<form>", "<script>"}
WORDS = "We never\nhanded it over. <script>alert(1)</script>\u202e"
NOTE = ("note <b>.pdf", b"%PDF a delivery note")


@dataclass
class Three:
    """The desks of the maker, the buyer who holds the battery, and the laboratory."""

    world: DeskWorld
    maker: DeskSite
    buyer: DeskSite
    lab: DeskSite


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    """The buyer holds the maker's battery; the maker has opened a dispute over that, with a document."""
    world = DeskWorld.found(tmp_path / "world", NEWEST)
    world.hand_over("custody")
    made = Three(world, *(DeskSite(world.desk(name)).enter() for name in ("maker", "buyer", "lab")))
    opening = {"battery": BATTERY, "topic": "custody", "respondent": "buyer", "arbiter": "lab", "text": WORDS}
    sign(made.maker, order(made.maker, "dispute_open", NOTE, **opening))
    yield made
    world.close()


def text_of(site: DeskSite, address: str, **headers: str) -> str:
    """What a page says; its shape is sound."""
    answer = site.get(address, None, **headers)
    page = Page(answer.text)
    assert 200 == answer.status_code, page.text
    assert set(shape_faults(page)) <= FORM_FAULTS
    return page.text


def forms_on(site: DeskSite, address: str) -> set[str]:
    """The acts that a page offers."""
    return set(re.findall(r'name="act" value="(\w+)"', site.get(address).text))


def registers_of(site: DeskSite) -> dict[str, str]:
    """Who stands where, by the unit's page for programs."""
    seen = site.get(UNIT, accept="application/json").json()
    return {one["register"]: one["organisation"] for one in seen["registers"]}


def test_a_dispute_is_led_to_its_decision_from_three_desks(three: Three) -> None:
    """Stated by both, an arbiter named by both, decided: the register moves, and each reads the same file."""
    assert {"dispute_state", "dispute_nominate", "dispute_propose"} == forms_on(three.buyer, DISPUTE)
    sign(three.buyer, order(three.buyer, "dispute_state", dispute="maker/D-1", text="The note is signed."))
    assert set() == forms_on(three.lab, DISPUTE)
    sign(three.buyer, order(three.buyer, "dispute_nominate", dispute="maker/D-1", arbiter="lab"))
    assert {"dispute_decide"} == forms_on(three.lab, DISPUTE)
    decision = {"dispute": "maker/D-1", "positions": "2", "outcome": "upheld", "text": "No return is shown."}
    decided = order(three.lab, "dispute_decide", **decision, move_custody="maker", voids_tests="yes")
    told = Page(dry_run(three.lab, decided).text).text
    assert "Custody of PACK-0001: from" in told
    assert "Earlier tests and certificates of PACK-0001 are void" in told
    assert "buyer" == registers_of(three.lab)["custody"]
    sign(three.lab, decided)

    assert "maker" == registers_of(three.lab)["custody"]
    for site in (three.maker, three.buyer, three.lab):
        assert "The Laboratory (lab) decided on" in text_of(site, DISPUTE)
        assert set() == forms_on(site, DISPUTE)
    assert "No return is shown." in text_of(three.lab, DISPUTE)
    assert "No return is shown." not in text_of(three.maker, DISPUTE)


def test_a_settlement_moves_registers_once_both_have_signed(three: Three) -> None:
    """Proposed on one desk, shown with its effect and accepted on the other."""
    sign(three.buyer, order(three.buyer, "dispute_propose", dispute="maker/D-1", move_custody="maker"))
    assert "dispute_accept" not in forms_on(three.buyer, DISPUTE)
    version = re.search(r'name="version" value="(\d+)"', three.maker.get(DISPUTE).text)
    assert version is not None
    accepted = sign(three.maker, order(three.maker, "dispute_accept", dispute="maker/D-1", version=version[1]))

    assert "Signed and recorded." in accepted.text
    assert "maker" == registers_of(three.maker)["custody"]
    assert "settled by both sides" in text_of(three.buyer, DISPUTE)


def test_its_opener_alone_withdraws_a_dispute(three: Three) -> None:
    """The other side is offered no such form; the opener's ends it."""
    assert "dispute_withdraw" not in forms_on(three.buyer, DISPUTE)
    sign(three.maker, order(three.maker, "dispute_withdraw", dispute="maker/D-1"))

    assert "withdrawn" in text_of(three.buyer, DISPUTE)


def test_the_file_says_until_when_who_decides_and_what_it_bears_on(three: Three) -> None:
    """Both sides see the same; the arbiter that one side has named is told as named by that side."""
    for site in (three.maker, three.buyer):
        told = text_of(site, DISPUTE)
        assert "may act until" in told
        assert "names The Laboratory (lab)" in told
        assert "Bears on Custody" in told
        assert "held still by this dispute" in told
    assert "beide Seiten und die entscheidende Stelle" in text_of(three.maker, DISPUTE, accept_language="de")


def test_what_was_stated_is_read_by_the_other_side_once_it_is_handed_over(three: Three) -> None:
    """The file of one's statements is checked against the ledger and kept; a changed word is refused."""
    assert "was not handed to you" in text_of(three.buyer, DISPUTE)
    given = three.maker.get(f"{DISPUTE}/statements.json")
    changed = given.content.replace(b"We never", b"We often")
    refused = three.buyer.send(f"{DISPUTE}/statements", changed, "statements.json")
    nothing = three.buyer.send(f"{DISPUTE}/statements", b'{"statements": {}}', "statements.json")
    assert (422, 422) == (refused.status_code, nothing.status_code)
    assert "was not handed to you" in text_of(three.buyer, DISPUTE)
    assert 303 == three.buyer.send(f"{DISPUTE}/statements", given.content, "statements.json").status_code

    told = text_of(three.buyer, DISPUTE)
    assert "handed it over." in told
    assert "note _b_.pdf" in told
    assert 404 == three.lab.get(f"{DISPUTE}/statements.json").status_code


def test_a_document_opens_where_it_is_held(three: Three) -> None:
    """As a file of no type, under a harmless name; nobody else is given it, though he knows its name and digest."""
    link = re.search(rf'href="({DISPUTE}/documents/[0-9a-f]{{64}})"', three.maker.get(DISPUTE).text)
    assert link is not None
    document = three.maker.get(link[1])
    assert NOTE[1] == document.content
    assert "application/octet-stream" == document.headers["content-type"]
    assert 'attachment; filename="note__b_.pdf"' == document.headers["content-disposition"]
    three.buyer.send(f"{DISPUTE}/statements", three.maker.get(f"{DISPUTE}/statements.json").content, "s.json")

    assert 404 == three.buyer.get(link[1]).status_code
    assert link[1] not in three.buyer.get(DISPUTE).text
    assert 404 == three.maker.get(f"{DISPUTE}/documents/{'0' * 64}").status_code


def test_a_document_is_added_to_a_dry_run_before_it_is_signed(three: Three) -> None:
    """It is listed by name and digest, and is part of what the second click brings back."""
    ordered = order(three.buyer, "dispute_state", dispute="maker/D-1", text="Here it is.")
    bare = seen_in(dry_run(three.buyer, ordered))
    address = ordered.headers["location"]
    assert 303 == three.buyer.send(address, b"paper", "a.txt", {"do": "attach"}).status_code
    assert 409 == confirm(three.buyer, ordered, bare).status_code
    sign(three.buyer, ordered)

    assert "a.txt" in text_of(three.buyer, DISPUTE)


def test_disputes_are_listed_for_whom_they_concern(three: Three) -> None:
    """Opener and respondent find it, a stranger does not; once he has decided, the arbiter does."""
    for site, part in ((three.maker, "you opened it"), (three.buyer, "you are the other side")):
        told = text_of(site, "/desk/disputes")
        assert part in told
        assert DISPUTE in site.get("/desk/disputes").text
    assert "There is none." in text_of(three.lab, "/desk/disputes")
    assert [] == three.lab.get("/desk/disputes?side=authority", accept="application/json").json()["disputes"]


def test_an_authority_finds_and_decides_what_nobody_else_may(tmp_path: Path) -> None:
    """While the sides have named nobody together, it is listed for every authority, and the form is there."""
    world = DeskWorld.found(tmp_path / "world", NEWEST, authority="lab")
    maker, lab = (DeskSite(world.desk(name)).enter() for name in ("maker", "lab"))
    sign(maker, order(maker, "dispute_open", battery=BATTERY, topic="safety", respondent="buyer", text="It is hot."))
    listed = text_of(lab, "/desk/disputes?side=authority")
    forms = forms_on(lab, DISPUTE)
    fields = {"dispute": "maker/D-1", "positions": "1", "outcome": "dismissed", "text": "It is not."}
    sign(lab, order(lab, "dispute_decide", **fields))
    own = text_of(lab, "/desk/disputes")
    world.close()

    assert "maker/D-1" in listed
    assert {"dispute_decide"} == forms
    assert "you are the arbiter" in own


def test_an_orphaned_unit_is_taken_over_from_its_desk_page(tmp_path: Path) -> None:
    """Notice with evidence, the other side is told and may object; once it has run out it is completed."""
    world = DeskWorld.found(tmp_path / "world", NEWEST)
    world.hand_over(*REGISTERS)
    maker, buyer = (DeskSite(world.desk(name)).enter() for name in ("maker", "buyer"))
    assert {"dispute_open", "takeover_notice"} == forms_on(maker, UNIT)
    version = re.search(r'name="version" value="(\d+)"', maker.get(UNIT).text)
    assert version is not None
    notice = {"battery": BATTERY, "version": version[1], "cause": "insolvent"}
    sign(maker, order(maker, "takeover_notice", NOTE, **notice))
    waiting = buyer.get("/desk").text
    forms = forms_on(maker, UNIT), forms_on(buyer, UNIT)
    told = text_of(maker, UNIT)
    later = DeskDisputes(world.desk("maker").workspace, lambda: now_ms() + NOTICE_MS + 60_000).unit(BATTERY)
    early = dry_run(maker, order(maker, "takeover_complete", battery=BATTERY, version="1"))
    sign(buyer, order(buyer, "takeover_object", battery=BATTERY, version="1"))
    objected = text_of(maker, UNIT)
    again = dry_run(maker, order(maker, "takeover_notice", **notice))
    world.close()

    assert f'href="{UNIT}"' in waiting
    assert ({"dispute_open", "takeover_withdraw"}, {"dispute_open", "takeover_object"}) == forms
    assert "note _b_.pdf" in told
    assert later is not None
    assert ("dispute_open", "takeover_complete", "takeover_withdraw") == later.may
    assert "code 514" in early.text
    assert "has objected" in objected
    assert "code 511" in again.text


def test_what_waits_for_a_colleague_is_read_whole_and_signed(three: Three) -> None:
    """Every message with its words; the first key is told that it is a colleague's turn, the second that it is his."""
    maker = three.world.desk("maker")
    with maker.write() as session:
        set_rule(session, maker.workspace, ["StatePosition"])
    held = sign(three.maker, order(three.maker, "dispute_state", dispute="maker/D-1", text="Nobody signed for us."))
    assert "second signature of a colleague" in held.text
    (address,) = set(re.findall(r"/desk/seconds/[0-9a-f]{64}", three.maker.get("/desk").text))
    first = text_of(three.maker, address)
    first_forms = forms_on(three.maker, address)
    maker.workspace.keystore.new_key("operational", "second")
    with maker.write() as session:
        commands.enrol(session, maker.workspace, "second")
    maker.workspace.work_with("second")
    second = text_of(three.maker, address)
    given = order(three.maker, "second_give", statement=address.rpartition("/")[2])
    assert "Nobody signed for us." in Page(dry_run(three.maker, given).text).text
    sign(three.maker, given)

    assert "Nobody signed for us." in first
    assert "a colleague’s turn" in first
    assert {"second_withdraw"} == first_forms
    assert "it is your turn" in second
    assert "with the key of this desk: second" in second
    assert 404 == three.maker.get(address).status_code
    assert 2 == len(three.maker.get(DISPUTE, accept="application/json").json()["view"]["positions"])
    assert "Nothing waits" in text_of(three.buyer, "/desk/seconds")


THEIRS: list[tuple[str, dict[str, str], str]] = [
    ("dispute_state", {"text": "We agree."}, "1504"),
    ("dispute_withdraw", {}, "1504"),
    ("dispute_propose", {"move_custody": "maker"}, "1504"),
    ("dispute_accept", {"version": "2"}, "1504"),
    ("dispute_nominate", {"arbiter": "maker"}, "1504"),
    ("dispute_decide", {"positions": "1", "outcome": "upheld", "text": "So be it.", "move_custody": "lab"}, "1505"),
]


@pytest.mark.parametrize(("word", "fields", "code"), THEIRS)
def test_threat_somebody_acts_for_a_party(three: Three, word: str, fields: dict[str, str], code: str) -> None:
    """A stranger's desk orders what only a side or the arbiter may: refused in the dry run, never signed."""
    forged: dict[str, str] = {"opener": "lab", "organisation": "maker", "dispute": "maker/D-1", **fields}
    ordered = order(three.lab, word, **forged)
    shown = dry_run(three.lab, ordered)
    before = three.maker.get(DISPUTE, accept="application/json").json()

    assert f"code {code}" in shown.text
    assert "" == seen_in(shown)
    assert 409 == confirm(three.lab, ordered, "0" * 64).status_code
    assert before == three.maker.get(DISPUTE, accept="application/json").json()


def test_threat_the_second_click_is_forged(three: Three) -> None:
    """Another site's form, another session's token or draft, a made-up number: nothing is signed."""
    ordered = order(three.maker, "dispute_withdraw", dispute="maker/D-1")
    address, seen = ordered.headers["location"], seen_in(dry_run(three.maker, ordered))
    click: dict[str, Any] = {"do": "sign", "seen": seen}
    colleague = DeskSite(three.maker.desk).enter()

    assert 403 == three.maker.send(address, b"", "", {**click, "form": "0" * 43}).status_code
    assert 403 == three.maker.send(address, b"", "", click, origin="https://elsewhere.example").status_code
    assert 403 == three.maker.send("/desk/acts", b"", "", {"form": "x", "act": "dispute_withdraw"}).status_code
    assert 403 == three.maker.send(f"{DISPUTE}/statements", b"{}", "s.json", {"form": "x"}).status_code
    assert 404 == colleague.send(address, b"", "", click).status_code
    assert 404 == three.maker.send(f"/desk/acts/{'0' * 32}", b"", "", click).status_code
    three.maker.cookie = ""
    assert 401 == three.maker.send(address, b"", "", click).status_code
    assert "open" in text_of(three.buyer, DISPUTE)


def test_a_draft_that_is_given_up_is_gone(three: Three) -> None:
    """Back to where it is dealt with; its page says that nothing was signed because of it."""
    ordered = order(three.maker, "dispute_withdraw", dispute="maker/D-1")
    dropped = three.maker.send(ordered.headers["location"], b"", "", {"do": "drop"})
    gone = three.maker.get(ordered.headers["location"])

    assert (303, DISPUTE) == (dropped.status_code, dropped.headers["location"])
    assert (404, True) == (gone.status_code, "dry run is over" in gone.text)


def test_a_form_with_a_fault_says_what_to_do(three: Three) -> None:
    """400 with the field; the ledger's own rule with 409, where nothing can be composed."""
    fault = order(three.maker, "dispute_open", battery=BATTERY, topic="custody", text="x")
    theirs = order(three.maker, "handover_offer", battery=BATTERY, addressee="lab", registers="custody")

    assert (400, True) == (fault.status_code, "respondent" in fault.text)
    assert (409, True) == (theirs.status_code, "code 501" in theirs.text)
    assert 413 == three.maker.send("/desk/acts", bytes(5_000_000), "a", {"act": "dispute_open"}).status_code


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
def test_pages_with_hostile_words_are_whole_in_every_language(three: Three, language: str) -> None:
    """What others wrote is text; no page is large; nobody keeps one."""
    ordered = order(three.maker, "dispute_state", NOTE, dispute="maker/D-1", text=WORDS)
    for address in (DISPUTE, UNIT, "/desk/disputes", "/desk/seconds", ordered.headers["location"]):
        answer = three.maker.get(address, accept_language=language)
        assert 200 == answer.status_code
        assert set(shape_faults(Page(answer.text))) <= FORM_FAULTS
        assert "<script>alert" not in answer.text
        assert "\u202e" not in answer.text
        assert "no-store" == answer.headers["cache-control"]
        assert len(answer.content) <= 25_000


@pytest.mark.parametrize(
    "address",
    [
        "/desk/disputes/maker/D-9",
        "/desk/disputes/Maker/D-1",
        "/desk/units/01/09506000134376/21/NONE",
        "/desk/seconds/x",
    ],
)
def test_an_address_of_nothing_is_none(three: Three, address: str) -> None:
    """404, with words."""
    assert 404 == three.maker.get(address).status_code


@pytest.mark.parametrize(
    "address",
    [DISPUTE, UNIT, "/desk/disputes", "/desk/seconds", f"{DISPUTE}/statements.json", f"/desk/acts/{'0' * 32}"],
)
def test_without_a_session_nothing_of_a_dispute_is_shown(three: Three, address: str) -> None:
    """401."""
    three.maker.cookie = ""

    assert 401 == three.maker.get(address).status_code
