"""The desk's pages: one frame for all of them, and what a template needs beside what the workspace says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup

from cellvow.passport.digital_link import draw_qr
from cellvow.passport.view import Attested, Curve, Measured, Source
from cellvow.web.answers import unit_of
from cellvow.web.catalogue import LOCALES, load_catalogue
from cellvow.web.conditions import phrase_conditions
from cellvow.web.curve import CurvePicture, draw_curve
from cellvow.web.desk_words import DESK_PLACES
from cellvow.web.rendering import Look, render_page
from cellvow.web.wording import Wording
from cellvow.workspace.laboratory import Imported
from cellvow.workspace.waiting import Waiting

FORM_LOOK = Look(area="desk", scripts=("desk.js",), forms=True)
DESK = "/desk"
DESK_ADDRESSES = {
    "desk": DESK,
    "units": f"{DESK}/units",
    "disputes": f"{DESK}/disputes",
    "seconds": f"{DESK}/seconds",
    "sheets": f"{DESK}/sheets",
    "import": f"{DESK}/import",
    "receive": f"{DESK}/receive",
    "handovers": f"{DESK}/handovers",
    "batteries": f"{DESK}/batteries/new",
    "links": f"{DESK}/links",
    "invitations": f"{DESK}/invitations",
}
WAITING_PLACES = {
    "arbitrate": f"{DESK}/disputes",
    "complete": f"{DESK}/units",
    "dispute": f"{DESK}/disputes",
    "notice": f"{DESK}/units",
    "offer": f"{DESK}/handovers",
    "respond": f"{DESK}/disputes",
    "second": f"{DESK}/seconds",
    "sheet": f"{DESK}/sheets",
}
"""Kind of what waits -> where it is dealt with; without an entry that is the page of the unit."""
PAGE_BYTES_MAX = 25_000
"""A page of the desk in any language, whatever the names on it."""
ROWS_MAX = 100
"""Rows of one list on a page: no source gives more."""
_BARE = 60
"""Percent of a page's bytes that one without rows is taken for, before any was drawn."""
_ROWS = ("<li>", "<article>", "<tr>")
"""How the rows of a list begin."""
_NOBODY = Source("", "", "", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """What every page of the desk shows around its content; `here` is its address, `lang` what `?lang=` asked for."""

    language: str
    here: str
    form_token: str
    lang: str = ""

    def to(self, path: str, **parameters: str) -> str:
        """An address of this site that keeps the language that was asked for."""
        kept = {name: value for name, value in (*parameters.items(), ("lang", self.lang)) if value}
        return f"{path}?{urlencode(kept)}" if kept else path

    @property
    def languages(self) -> tuple[tuple[str, str], ...]:
        """(catalogue, address) of the page in each language."""
        joint = "&" if "?" in self.here else "?"
        return tuple((language, f"{self.here}{joint}lang={language}") for language in LOCALES)


def render_desk_page(template: str, frame: Frame, **context: object) -> str:
    """One page of the desk; `context` is what its template shows.

    A template shows `rows` of each of its lists: as many as there are, or as many as a small page has room for where
    names are long. What it leaves out it says, or leads on to.
    """
    return fit_page(lambda rows: _render(template, frame, {**context, "rows": rows}))


def fit_page(render: Callable[[int], str], rows_max: int = ROWS_MAX, bytes_max: int = PAGE_BYTES_MAX) -> str:
    """A page of at most so many bytes that shows about as many rows as fit; one at least, however long that is."""
    page = render(rows_max)
    most = len(page.encode())
    if most <= bytes_max:
        return page
    # Rows are about alike: how many fit is guessed, at first from what a usual page is without any.
    few, many, cap, least = 0, rows_max, rows_max - 1, bytes_max * _BARE // 100
    drawn = min(max(page.count(one) for one in _ROWS) or many, many)
    while few + 1 < many and (few == 0 or least * 10 < bytes_max * 9):
        guessed = few + (bytes_max - least) * (drawn - few) // (most - least)
        rows = max(few + 1, min(guessed, cap))
        tried = render(rows)
        size = len(tried.encode())
        if size <= bytes_max or rows == 1:
            page, few, least = tried, rows, size
        else:
            many, most = rows, size
        cap = (few + many) // 2  # lists may end before `many`: a second guess never goes past the middle
        drawn = many
    return page


def _render(template: str, frame: Frame, context: Mapping[str, object]) -> str:
    wording = Wording(frame.language)
    return render_page(
        template,
        frame.language,
        FORM_LOOK,
        home=frame.to("/"),
        languages=frame.languages,
        frame=frame,
        form_token=frame.form_token,
        desk_places=tuple((place, frame.to(DESK_ADDRESSES[place])) for place in DESK_PLACES),
        unit_of=unit_of,
        waiting_place=lambda one: frame.to(_waiting_place(one), **one.parameters),
        qr_of=lambda link: draw_qr(link, title=load_catalogue(frame.language).plain("code.alt", link=link)),
        phrases=lambda measured: phrase_conditions(measured, wording),
        **context,
    )


def measured_of(imported: Imported) -> tuple[Measured, ...]:
    """The results of an import as a passport would show them."""
    return tuple(_measured(result) for result in imported.results)


def curve_of(imported: Imported, language: str) -> CurvePicture | None:
    """The picture of an import's discharge curve, if it has one."""
    return draw_curve(Curve(imported.curve, _NOBODY), Wording(language)) if imported.curve else None


def curve_of_paper(curve: Curve | None, attested: Attested, language: str) -> CurvePicture | None:
    """The picture of the curve that an attestation disclosed itself."""
    if curve is None or curve.source != attested.source:
        return None
    return draw_curve(curve, Wording(language))


def shown_values(measured: Measured, wording: Wording) -> tuple[Markup, Markup, Markup]:
    """Value, lower and upper bound of a disclosed quantity, in one unit; those unknown are empty."""
    numbers = (measured.value, measured.low, measured.high)
    known = tuple(number for number in numbers if number is not None)
    words = iter(wording.span(known, measured.unit)) if known else iter(())
    value, low, high = (Markup() if number is None else next(words) for number in numbers)
    return value, low, high


def _waiting_place(one: Waiting) -> str:
    place = WAITING_PLACES.get(one.kind, f"/{one.battery}" if one.battery else DESK)
    return f"{place}/{one.number}" if one.number else place


def _measured(result: Mapping[str, object]) -> Measured:
    conditions = result.get("conditions")
    stated = conditions.items() if isinstance(conditions, dict) else ()
    caveats = result.get("caveats")
    said = [("caveat", str(one)) for one in caveats] if isinstance(caveats, list) else []
    return Measured(
        quantity=str(result["quantity"]),
        unit=str(result["unit"]),
        value=_whole(result.get("value")),
        low=_whole(result.get("low")),
        high=_whole(result.get("high")),
        coverage_permille=_whole(result.get("coverage_permille")),
        conditions=(*((name, str(value)) for name, value in stated), *said),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None
