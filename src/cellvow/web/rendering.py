"""Templates with escaping on, the one stylesheet they carry, and the policy under which a browser may show them."""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cellvow.web.catalogue import LANGUAGE_NAMES, isolate_foreign
from cellvow.web.wording import Wording


def render_page(template: str, language: str, **context: object) -> str:
    """One complete HTML document in `language`; `context` holds what the template shows."""
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
            style=load_style(),
            policy=page_policy(),
            language_names=LANGUAGE_NAMES,
        )
    )
    return "\n".join(stripped for line in page.splitlines() if (stripped := line.strip())) + "\n"


@cache
def load_style() -> Markup:
    """The stylesheet, without indentation and line breaks."""
    text = files("cellvow.web").joinpath("templates", "style.css").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return Markup("".join(line for line in lines if not line.startswith("/*")))  # noqa: S704 - our own file


@cache
def page_policy() -> str:
    """The content security policy of every page: nothing but our stylesheet, known by its hash, and the icon."""
    digest = b64encode(sha256(load_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; base-uri 'none'; form-action 'none'"


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
