"""What the desk gives out: the paper of an attestation, the label of a battery, and its package for a border."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from fastapi import APIRouter, Request, Response

from cellvow.api.desk_door import BATTERY_PATH, Door, no_page, send_file
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import choose_language, wants_json
from cellvow.api.passports import origin_of, parse_battery
from cellvow.api.problems import Refusal
from cellvow.passport.digital_link import encode_digital_link
from cellvow.passport.view import Passport
from cellvow.web import Problem, bundle_file_name
from cellvow.web.desk_documents import draw_label, set_certificate, set_label
from cellvow.web.desk_pages import DESK, curve_of_paper
from cellvow.workspace.desk import Paper
from cellvow.workspace.export_archive import MEDIA_TYPE, SUFFIX

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
PDF, SVG = "application/pdf", "image/svg+xml"


class PaperSource(Protocol):
    """Where papers get their content from; blocks."""

    @property
    def clock(self) -> Callable[[], int]:
        """Milliseconds since 1970."""
        ...

    def paper(self, statement: str) -> Paper | None:
        """The attestation in a statement, or None."""
        ...

    def passport(self, battery: str) -> Passport | None:
        """A battery, or None."""
        ...

    def package(self, battery: str, language: str, *, opens_values: bool) -> bytes | None:
        """The export package of a battery in a language, or None; with every value that is known, or with none."""
        ...


class PaperPages:
    """Certificates, labels and packages. `origin` is what their codes lead to, else the address a client used."""

    def __init__(self, source: PaperSource, door: Door, origin: str | None = None) -> None:
        self._source = source
        self._door = door
        self._origin = origin

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        label = f"{DESK}/labels/{BATTERY_PATH}"
        for path, endpoint in (
            (f"{DESK}/certificates/{{statement}}.pdf", self.certificate_pdf),
            (f"{DESK}/certificates/{{statement}}", self.certificate),
            (f"{label}/label.pdf", self.label_pdf),
            (f"{label}/label.svg", self.label_svg),
            (label, self.label),
            (f"{DESK}/exports/{BATTERY_PATH}/package.cvx", self.package),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: it only gives."""
        return ()

    def certificate(self, request: Request, statement: str) -> Response:
        """The paper as a page."""
        paper = self._paper(request, statement)
        passport, attested = paper.passport, paper.attested
        context = {
            "paper": paper,
            "attested": attested,
            "passport": passport,
            "curve": curve_of_paper(passport.curve, attested, choose_language(request)),
            "link": self._link(request, passport.battery),
            "bundle": f"/{passport.battery}/bundle/{statement}/{attested.source.index}",
            "bundle_name": bundle_file_name(passport.serial, statement, attested.source.index),
        }
        document = {"attestation": attested, "battery": passport.battery, "level": paper.level.value}
        return self._door.answer(request, "certificate.html", document, **context)

    def certificate_pdf(self, request: Request, statement: str) -> Response:
        """The paper as a file."""
        paper = self._paper(request, statement)
        link = self._link(request, paper.passport.battery)
        made = set_certificate(paper, link, choose_language(request), self._source.clock())
        return send_file(made, f"{paper.passport.serial}-{paper.attested.reference}.pdf", PDF)

    def label(self, request: Request, gtin: str, serial: str) -> Response:
        """The label as a page to look at and print."""
        passport = self._passport(request, gtin, serial)
        link = self._link(request, passport.battery)
        drawn = draw_label(passport, link, choose_language(request))
        if wants_json(request):
            return self._door.answer(request, "desk_label.html", {"battery": passport.battery, "link": link})
        return self._door.page(request, "desk_label.html", passport=passport, link=link, drawn=drawn)

    def label_svg(self, request: Request, gtin: str, serial: str) -> Response:
        """The label as a picture of 62 by 40 mm."""
        passport = self._passport(request, gtin, serial)
        drawn = draw_label(passport, self._link(request, passport.battery), choose_language(request))
        return send_file(drawn.encode(), f"{passport.serial}-label.svg", SVG)

    def label_pdf(self, request: Request, gtin: str, serial: str) -> Response:
        """The label as a PDF of 62 by 40 mm."""
        passport = self._passport(request, gtin, serial)
        link = self._link(request, passport.battery)
        made = set_label(passport, link, choose_language(request), self._source.clock())
        return send_file(made, f"{passport.serial}-label.pdf", PDF)

    def package(self, request: Request, gtin: str, serial: str) -> Response:
        """The export package; `?values=known` opens in it what this organisation knows."""
        self._door.require_session(request)
        battery = parse_battery(f"01/{gtin}/21/{serial}")
        opens_values = request.query_params.get("values") == "known"
        made = self._source.package(battery, choose_language(request), opens_values=opens_values)
        if made is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        return send_file(made, f"{battery[21:]}{SUFFIX}", MEDIA_TYPE)

    def _paper(self, request: Request, statement: str) -> Paper:
        self._door.require_session(request)
        paper = self._source.paper(statement) if _DIGEST.match(statement) else None
        if paper is None:
            raise no_page()
        return paper

    def _passport(self, request: Request, gtin: str, serial: str) -> Passport:
        self._door.require_session(request)
        passport = self._source.passport(parse_battery(f"01/{gtin}/21/{serial}"))
        if passport is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        return passport

    def _link(self, request: Request, battery: str) -> str:
        origin = self._origin or origin_of(request)
        return f"/{battery}" if origin is None else encode_digital_link(parse_battery(battery), origin)
