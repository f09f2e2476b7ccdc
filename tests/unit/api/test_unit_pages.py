"""The pages of one unit over HTTP: sections by themselves, links between passports, and the tombstone as 410."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.passport.view import Ended
from tests.unit.api.test_passports import JSON, PATH, Shelf, client_of
from tests.unit.web.page_reading import Page
from tests.unit.web.samples import BECAME, CLAIMED, CLONED, FULL, STRANGER

EVERYTHING = Shelf(public=FULL)


@pytest.mark.parametrize(
    ("section", "told"),
    [("tests", "Discharge curve"), ("use", "How to open it"), ("parts", "CELL-0072"), ("", "Its life so far")],
)
def test_a_section_is_asked_for_by_name_and_leads_back(section: str, told: str) -> None:
    """Every page links the others in the language that was asked for; none holds another's section."""
    client = client_of(EVERYTHING)
    others = {"Discharge curve", "How to open it", "CELL-0072", "Its life so far"} - {told}
    page = Page(client.get(f"{PATH}?see={section}&lang=en").text)

    assert told in page.text
    assert not any(other in page.text for other in others)
    assert ("Back to the whole page" in page.text) is bool(section)
    assert f"{PATH}?lang=en" in page.addresses
    assert any(f"see={section}&lang=de" in address for address in page.addresses) is bool(section)


@pytest.mark.parametrize("section", ["life", "TESTS", "tests,parts", "%00"])
def test_a_section_of_nothing_is_explained(section: str) -> None:
    """A section that a passport does not have is no empty page."""
    answer = client_of(EVERYTHING).get(f"{PATH}?see={section}")

    assert 404 == answer.status_code
    assert "There is no such page of this passport" in answer.text


def test_the_first_page_links_its_sections_and_the_passports_around() -> None:
    """Whatever is linked opens here, or is the passport of another unit."""
    page = Page(client_of(EVERYTHING).get(PATH).text)

    assert {f"{PATH}?see=tests", f"{PATH}?see=use", f"{PATH}?see=parts", "/01/04012345678901/21/OLD-0001"} <= set(
        page.addresses
    )


def test_a_passport_that_has_ceased_is_gone_and_still_warns() -> None:
    """410 for people and for programs, with what is contested about the number, and what was made of it."""
    dead = replace(CLONED, ended=Ended("destroyed", CLAIMED), relatives=BECAME)
    client = client_of(Shelf(public=dead))
    page, document = client.get(PATH), client.get(PATH, headers=JSON)

    assert [410, 410] == [page.status_code, document.status_code]
    assert "Two claim to have made a battery with this number" in page.text
    assert 'href="/01/04012345678901/21/NEW-0001"' in page.text
    assert "cloned_serial" == document.json()["disputes"][0]["topic"]
    assert ["01/04012345678901/21/NEW-0001"] == document.json()["successors"]


def test_what_became_another_unit_is_not_gone() -> None:
    """It is answered with 200, and so is a unit that is contested."""
    for passport in (replace(STRANGER, ended=Ended("succeeded", CLAIMED), relatives=BECAME), CLONED):
        assert 200 == client_of(Shelf(public=passport)).get(PATH).status_code
