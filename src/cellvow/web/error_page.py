"""Pages for what could not be shown: whose fault it is and what to do next."""

from enum import Enum

from cellvow.web.catalogue import load_catalogue
from cellvow.web.rendering import Look, render_page


class Problem(Enum):
    """What can go wrong with a page; the value is the HTTP status. 410 is kept for passports that are withdrawn."""

    NOT_A_BATTERY = ("not_a_battery", 404)
    CLAIMED = ("claimed", 404)
    CHECK_DIGIT = ("check_digit", 404)
    IDENTIFIER = ("identifier", 404)
    SHORT_CODE = ("short_code", 404)
    NO_CODE = ("no_code", 404)
    CURSOR = ("cursor", 404)
    NO_PROOF = ("no_proof", 404)
    NO_PAGE = ("no_page", 404)
    NO_BLOCK = ("no_block", 404)
    NO_STATEMENT = ("no_statement", 404)
    READ_ONLY = ("read_only", 405)
    BODY = ("read_only", 413)
    TOO_LONG = ("too_long", 414)
    HEADERS = ("headers", 431)
    SIGN_IN = ("sign_in", 401)
    FORM = ("form", 403)
    BAD_REQUEST = ("bad_request", 400)
    REJECTED = ("rejected", 409)
    TOO_LARGE = ("too_large", 413)
    MEDIA_TYPE = ("media_type", 415)
    TOO_MANY = ("too_many", 429)
    SLOW = ("slow", 408)
    BROKEN = ("broken", 500)
    EVIDENCE = ("evidence", 500)
    BUSY = ("busy", 503)
    UNAVAILABLE = ("unavailable", 503)
    PREPARING = ("preparing", 503)
    UNKNOWN = ("unknown", 503)

    @property
    def text(self) -> str:
        """The name of its texts in the catalogues: `problem.NAME.title`, `.text`, `.next`."""
        return self.value[0]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[1]


def render_problem(problem: Problem, *, locale: str = "en", home: str | None = None, **parameters: str) -> str:
    """The page for a problem; `home` leads to the list of batteries, `parameters` fill its sentence."""
    return render_page(
        "problem.html",
        locale,
        name=problem.text,
        status=problem.status,
        home=home,
        languages=(),
        said=load_catalogue(locale).text(f"problem.{problem.text}.text", **parameters),
    )


def render_preparing(permille: int, *, locale: str, home: str, here: str) -> str:
    """The page for what is being made, and how far that is; `here` is its own address."""
    return render_page(
        "preparing.html",
        locale,
        Look(area="desk", scripts=("desk.js",), forms=True),
        permille=permille,
        home=home,
        here=here,
        languages=(),
    )


def problem_document(problem: Problem, *, locale: str = "en", instance: str, **parameters: str) -> dict[str, str | int]:
    """The same for programs: problem details (RFC 9457) about the request to `instance`, a path without secrets.

    The parameters of its sentence stand beside it as members of their own (RFC 9457, 3.2).
    """
    catalogue = load_catalogue(locale)
    detail = catalogue.plain(f"problem.{problem.text}.text", **parameters)
    remedy = catalogue.plain(f"problem.{problem.text}.next")
    return {
        **parameters,
        "type": f"urn:cellvow:problem:{problem.text.replace('_', '-')}",
        "title": catalogue.plain(f"problem.{problem.text}.title"),
        "status": problem.status,
        "detail": f"{detail} {remedy}",
        "instance": instance,
    }
