"""Templates with escaping on, the stylesheet each page carries, and the policy under which a browser may show it."""

from base64 import b64encode
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cellvow.web.catalogue import LANGUAGE_NAMES, isolate_foreign
from cellvow.web.wording import Wording

AREAS = ("desk", "explorer", "field", "index", "network", "tour", "verdict", "verify")
"""Groups of pages with a stylesheet of their own (`templates/AREA.css`) behind the one that all pages have."""
WORKER_POLICY = "cellvow-field"
"""The name under which the phone's page names its worker to the browser (Trusted Types)."""
SITE_PLACES = ("passports", "verify", "blocks", "network", "tour", "about")
"""What the foot of a page leads to: the texts are `nav.PLACE`."""
SITE_ADDRESSES = {
    "passports": "/",
    "verify": "/verify",
    "blocks": "/blocks",
    "network": "/network",
    "tour": "/tour",
    "about": "/about",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What a page may do beside showing itself.

    `area` adds that area's stylesheet; `scripts` are module names under `/static/`; with `forms` it may submit to
    the site it came from, and tells that site, and no other, where a form comes from.
    """

    area: str | None = None
    scripts: tuple[str, ...] = ()
    forms: bool = False


PLAIN = Look()
"""A page that only shows."""


def render_page(template: str, language: str, look: Look = PLAIN, **context: object) -> str:
    """One complete HTML document in `language`; `context` holds what the template shows.

    `home` (an address or None) and `languages` are always asked for; with a `home` the foot leads to the rest of the
    site, without one the page stands alone.
    """
    wording = Wording(language)
    catalogue = wording.catalogue
    page = (
        _environment()
        .get_template(template)
        .render(
            context,
            w=wording,
            t=catalogue.text,
            plain=catalogue.plain,
            term=catalogue.term,
            tag=catalogue.tag,
            style=load_style(look.area),
            policy=page_policy(look),
            scripts=look.scripts,
            has_forms=look.forms,
            site=tuple((place, SITE_ADDRESSES[place]) for place in SITE_PLACES),
            language_names=LANGUAGE_NAMES,
        )
    )
    return "\n".join(stripped for line in page.splitlines() if (stripped := line.strip())) + "\n"


@cache
def load_style(area: str | None = None) -> Markup:
    """The stylesheet of an area's pages, without indentation and line breaks."""
    folder = files("cellvow.web").joinpath("templates")
    names = ("style.css",) if area is None else ("style.css", f"{area}.css")
    text = "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
    lines = (line.strip() for line in text.splitlines())
    return Markup("".join(line for line in lines if not line.startswith("/*")))  # noqa: S704 - our own file


@cache
def page_policy(look: Look = PLAIN) -> str:
    """The content security policy of a page: its stylesheet, known by its hash, the icon, and what its look allows."""
    allowed = [f"style-src {_style_source(look.area)}", "img-src 'self'"]
    if look.scripts:
        allowed += ["script-src 'self'", "connect-src 'self'"]
    form_action = "'self'" if look.forms else "'none'"
    return "; ".join(("default-src 'none'", *allowed, "base-uri 'none'", f"form-action {form_action}"))


@cache
def site_policy(*, worker: bool = False) -> str:
    """The policy in the header of every answer: what some page of ours may do; each page narrows it to its own.

    With `worker` the page may name the one script of ours that keeps it on a phone, and no other.
    """
    styles = " ".join(_style_source(area) for area in (None, *AREAS))
    trusted = WORKER_POLICY if worker else "'none'"
    return (
        f"default-src 'none'; style-src {styles}; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        f"trusted-types {trusted}"
    )


def _style_source(area: str | None) -> str:
    return f"'sha256-{b64encode(sha256(load_style(area).encode()).digest()).decode()}'"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cellvow.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["isolate"] = isolate_foreign
    return environment
