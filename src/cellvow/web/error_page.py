"""Pages for what could not be shown: whose fault it is and what to do next."""

from enum import Enum

from cellvow.web.catalogue import load_catalogue
from cellvow.web.rendering import render_page


class Problem(Enum):
    """What can go wrong with a page; the value is the HTTP status. 410 is kept for passports that are withdrawn."""

    NOT_A_BATTERY = ("not_a_battery", 404)
    CHECK_DIGIT = ("check_digit", 404)
    IDENTIFIER = ("identifier", 404)
    NO_PROOF = ("no_proof", 404)
    NO_PAGE = ("no_page", 404)
    READ_ONLY = ("read_only", 405)
    BODY = ("read_only", 413)
    TOO_LONG = ("too_long", 414)
    BROKEN = ("broken", 500)
    EVIDENCE = ("evidence", 500)
    UNAVAILABLE = ("unavailable", 503)

    @property
    def text(self) -> str:
        """The name of its texts in the catalogues: `problem.NAME.title`, `.text`, `.next`."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[1]


def render_problem(problem: Problem, *, locale: str = "en", home: str | None = None) -> str:
    """The page for a problem; `home` leads to the list of batteries."""
    return render_page("problem.html", locale, name=problem.text, status=problem.status, home=home, languages=())


def problem_document(problem: Problem, *, locale: str = "en", instance: str) -> dict[str, str | int]:
    """The same for programs: problem details (RFC 9457) about the request to `instance`, a path without its query."""
    catalogue = load_catalogue(locale)
    detail, remedy = (catalogue.plain(f"problem.{problem.text}.{part}") for part in ("text", "next"))
    return {
        "type": f"urn:cellvow:problem:{problem.text.replace('_', '-')}",
        "title": catalogue.plain(f"problem.{problem.text}.title"),
        "status": problem.status,
        "detail": f"{detail} {remedy}",
        "instance": instance,
    }
