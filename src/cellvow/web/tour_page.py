"""The tour as pages: the whole way as a picture, and each stop by itself; the same for programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from cellvow.core.primitives.encoding import Json
from cellvow.passport.view import Passport, Source
from cellvow.web.catalogue import clean_foreign
from cellvow.web.rendering import Look, render_page
from cellvow.web.tour_stops import STOPS, Answer, State, Stop, derive_answer, derive_answer_elsewhere
from cellvow.web.wording import Wording

CHECKS = ("proof", "block", "verdict", "verify", "passport")
"""What a check can be: its texts are `tour.check.NAME`."""
VERDICT = "verdict"
_LOOK = Look(area="tour")


@dataclass(frozen=True, slots=True)
class TourLinks:
    """The addresses around the tour.

    `to(path)` is the address of another page of the site in the reader's language, on the tour with his battery.
    `bundle_of(statement, index)` is the address of a proof, or None where this reader may not take it. `witness_note`
    is that of `PageLinks`; without `has_verdicts` no stop leads to a verdict.
    """

    home: str
    languages: tuple[tuple[str, str], ...]
    to: Callable[[str], str]
    bundle_of: Callable[[str, int], str | None]
    witness_note: str | None = None
    has_verdicts: bool = False


@dataclass(frozen=True, slots=True)
class Other:
    """Another battery, as the reader may see it; `bundle_of` as in `TourLinks`."""

    passport: Passport
    bundle_of: Callable[[str, int], str | None]


Elsewhere = Mapping[str, Other]
"""Name of a stop that the tour's battery has no answer to -> the battery on which it is answered."""
NOWHERE: Elsewhere = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Check:
    """Something a reader can open to check an answer."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class StopView:
    """One stop as a page shows it."""

    stop: Stop
    number: int
    address: str
    answer: Answer
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        """The name in addresses, texts and pictures."""
        return self.stop.name

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer now, be it of another battery."""
        return self.answer.state in (State.ANSWERED, State.ELSEWHERE)


def render_tour(
    passport: Passport | None, *, locale: str = "en", links: TourLinks, elsewhere: Elsewhere = NOWHERE
) -> str:
    """The whole way; without a battery it explains itself and says how to make one."""
    return render_page(
        "tour.html",
        locale,
        _LOOK,
        stops=view_stops(passport, Wording(locale), links, elsewhere),
        **_frame(passport, links),
    )


def render_stop(
    stop: Stop, passport: Passport | None, *, locale: str = "en", links: TourLinks, elsewhere: Elsewhere = NOWHERE
) -> str:
    """One stop: its question, its answer, how to check it, and what could be a lie there."""
    views = view_stops(passport, Wording(locale), links, elsewhere)
    place = STOPS.index(stop)
    return render_page(
        "tour_stop.html",
        locale,
        _LOOK,
        stops=views,
        stop=views[place],
        before=views[place - 1] if place else None,
        after=views[place + 1] if place + 1 < len(views) else None,
        **_frame(passport, links),
    )


def view_stops(
    passport: Passport | None, wording: Wording, links: TourLinks, elsewhere: Elsewhere = NOWHERE
) -> tuple[StopView, ...]:
    """Every stop with its answer."""
    views = []
    for number, stop in enumerate(STOPS, start=1):
        told = None if passport is None else Other(passport, links.bundle_of)
        answer, other = derive_answer(stop, passport, wording), elsewhere.get(stop.name)
        instead = None if other is None else derive_answer_elsewhere(stop, other.passport, wording)
        if instead is not None:
            answer, told = instead, other
        checks = () if told is None else _checks(stop, answer, told, links)
        views.append(StopView(stop, number, links.to(f"/tour/{stop.name}"), answer, checks))
    return tuple(views)


def find_open(passport: Passport | None, wording: Wording) -> tuple[Stop, ...]:
    """The stops worth answering on another battery: this one has none to give, and few have."""
    if passport is None:
        return ()
    return tuple(stop for stop in STOPS if stop.is_rare and derive_answer(stop, passport, wording).state is State.OPEN)


def find_elsewhere(stops: Sequence[Stop], other: Other, wording: Wording) -> dict[str, Other]:
    """Which of these stops another battery answers."""
    answered = (stop for stop in stops if derive_answer_elsewhere(stop, other.passport, wording) is not None)
    return {stop.name: other for stop in answered}


def tour_document(
    passport: Passport | None, *, locale: str = "en", links: TourLinks, elsewhere: Elsewhere = NOWHERE
) -> dict[str, Json]:
    """The same for programs."""
    wording = Wording(locale)
    stops: list[Json] = [stop_document(view, wording) for view in view_stops(passport, wording, links, elsewhere)]
    battery = None if passport is None else passport.battery
    audience = None if passport is None else passport.audience.value
    return {"audience": audience, "battery": battery, "stops": stops}


def stop_document(view: StopView, wording: Wording) -> dict[str, Json]:
    """One stop for programs: its texts as a reader reads them, and who signed for the answer."""
    parts = ("lie", "notice") if view.stop.is_built else ()
    document: dict[str, Json] = {
        part: wording.catalogue.plain(f"stop.{view.name}.{part}") for part in ("who", "question", *parts)
    }
    said: list[Json] = [sentence.striptags() for sentence in view.answer.sentences]
    checks: list[Json] = [{"address": check.address, "name": check.name} for check in view.checks]
    return {
        **document,
        "address": view.address,
        "answer": said,
        "battery": view.answer.battery,
        "check": checks,
        "name": view.name,
        "signed": _signed(view.answer.source),
        "state": view.answer.state.value,
    }


def _signed(source: Source | None) -> Json:
    if source is None:
        return None
    return {
        "height": source.height,
        "index": source.index,
        "name": source.name,
        "organisation": source.organisation,
        "statement": source.statement,
        "time_ms": source.time_ms,
    }


def _checks(stop: Stop, answer: Answer, told: Other, links: TourLinks) -> tuple[Check, ...]:
    found, passport = [], told.passport
    if answer.source is not None:
        bundle = told.bundle_of(answer.source.statement, answer.source.index)
        if bundle is not None:
            found.append(Check("proof", bundle))
        found.append(Check("block", links.to(f"/blocks/{answer.source.height}")))
    name = "" if stop.leads_to is None else stop.leads_to.rpartition("/")[2]
    if stop.leads_to is not None and (links.has_verdicts or name != VERDICT):
        found.append(Check(name, links.to(stop.leads_to.format(battery=passport.battery))))
    if stop.is_built:
        found.append(Check("passport", links.to(f"/{passport.battery}")))
    return tuple(found)


def _frame(passport: Passport | None, links: TourLinks) -> dict[str, object]:
    return {
        "home": links.home,
        "languages": links.languages,
        "links": links,
        "now": 0 if passport is None else passport.anchoring.time_ms,
        "passport": passport,
        "serial": "" if passport is None else clean_foreign(passport.serial),
    }
