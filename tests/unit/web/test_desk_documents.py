"""Papers and labels: the same input gives the same bytes, foreign text is shown and never run, long text is cut."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.engine import Level
from cellvow.passport.label import LINE_LENGTH_MAX, Label, draw_label_svg
from cellvow.passport.view import Attested, Measured, Passport, Source
from cellvow.web.desk_documents import certificate_texts, draw_label, set_certificate, set_label
from cellvow.web.wording import Wording
from cellvow.workspace.desk import Paper
from cellvow.workspace.documents import compile_pdf
from tests.unit.web.page_reading import Page, acting_faults
from tests.unit.web.samples import SAMPLES

LINK = "https://passports.example/01/09506000134376/21/PACK-0001"
HOSTILE = '#panic("run") $x$ <script>alert(1)</script> \u202egnirts \\ =1+1 "] #import "@preview/x:1.0.0"'


def sample() -> Passport:
    """A passport with tests."""
    return next(one for one in SAMPLES.values() if one.attestations)


def paper(text: str = "Test Laboratory") -> Paper:
    """A certificate with one value, all foreign text of it given."""
    source = Source("lab", text, "ab" * 32, 0, 7, 1_790_000_000_000)
    measured = Measured("capacity", "mAh", 30_321, 30_266, 30_375, 950, (("note", text), ("caveat", text)))
    attested = Attested(
        reference="TEST-1",
        is_certificate=True,
        evidence_class="measured",
        standard=text,
        edition="1",
        method=text,
        tested_until_ms=1_790_000_000_000,
        valid_until_ms=None,
        state="issued",
        measured=(measured,),
        predicates=(("capacity", "at_least", 29_790),),
        source=source,
    )
    return Paper(replace(sample(), attestations=(attested,)), attested, Level.COMMITTED)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "de", "pt_BR"])
def test_a_paper_is_the_same_file_each_time(language: str) -> None:
    """Nothing in it depends on when or where it is set, but the moment it is given."""
    made = set_certificate(paper(), LINK, language, 1_790_000_000_000)

    assert made.startswith(b"%PDF-")
    assert made == set_certificate(paper(), LINK, language, 1_790_000_000_000)
    assert set_label(sample(), LINK, language, 1) == set_label(sample(), LINK, language, 1)


@pytest.mark.slow
def test_threat_a_name_is_code_of_the_typesetter() -> None:
    """It would stop the setting, or load a package; it is text, as it was written."""
    assert set_certificate(paper(HOSTILE), LINK, "en", 1).startswith(b"%PDF-")


@pytest.mark.slow
def test_control_code_in_the_source_itself_would_run() -> None:
    """The same text inside the source stops it: only where texts go makes the difference."""
    with pytest.raises(OperationalError, match="could not be set"):
        compile_pdf(HOSTILE, {}, 1)


@pytest.mark.slow
@given(st.text())
def test_no_text_of_a_paper_turns_its_neighbours(text: str) -> None:
    """Whatever a laboratory is called, no override and no control character reaches the document."""
    said = certificate_texts(paper(text), LINK, Wording("en"))
    shown = "".join(str(one) for name, one in said.items() if name != "qr")

    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\0\x1b")


def test_a_paper_says_value_interval_class_and_conditions() -> None:
    """As the page does, in the reader's way of writing numbers."""
    said = certificate_texts(paper(), LINK, Wording("de"))

    rows, public = said["rows"], said["public"]
    assert isinstance(rows, list)
    first = rows[0]
    assert isinstance(first, list)
    assert ["30,321\u00a0Ah (gemessen)", "30,266\u00a0Ah bis 30,375\u00a0Ah (Überdeckung 95\u00a0%)"] == first[1:3]
    assert public == ["Kapazität: mindestens 29,79\u00a0Ah"]


@pytest.mark.slow
@given(head=st.text(max_size=80), line=st.text(max_size=80))
def test_a_label_shows_any_text_and_acts_on_none(head: str, line: str) -> None:
    """Markup in a name is text; what does not fit is cut with a sign."""
    drawn = draw_label_svg(Label(LINK, "label", head, (line,), "Scan"))
    texts = [one.text for one in Page(f"<body>{drawn}</body>").all("text")]

    assert 3 == len(texts)
    assert all(len(one) <= LINE_LENGTH_MAX + 2 for one in texts)


def test_a_label_has_its_real_size_and_nothing_that_acts() -> None:
    """62 by 40 mm, no style, no handler, no address outside."""
    drawn = draw_label(sample(), LINK, "en")
    page = Page(f"<body>{drawn}</body>")

    assert ("62mm", "40mm") == (page.all("svg")[0].attributes["width"], page.all("svg")[0].attributes["height"])
    assert [] == acting_faults(page)
    assert LINK in drawn
