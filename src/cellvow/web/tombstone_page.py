"""What is left of a passport that has ceased: what the battery was, how it ended, and who says so."""

import msgspec

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import ensure, fail
from cellvow.passport.view import Ended, Passport
from cellvow.web import answers
from cellvow.web.catalogue import LOCALES, clean_foreign
from cellvow.web.links import PageLinks
from cellvow.web.rendering import PLAIN, render_page


def render_tombstone(passport: Passport, *, locale: str = "en", links: PageLinks) -> str:
    """One self-contained HTML document, the same for everybody but the owner."""
    ensure(locale in LOCALES, f"there is no catalogue {locale}")
    fact = answers.find_fact(passport, "model")
    return render_page(
        "tombstone.html",
        locale,
        PLAIN,
        passport=passport,
        ended=_ended(passport),
        links=links,
        ask=answers,
        model=passport.serial if fact is None else clean_foreign(str(fact.value)),
    )


def tombstone_document(passport: Passport, links: PageLinks) -> dict[str, Json]:
    """The same content for programs."""
    ended = _ended(passport)
    return {
        "battery": passport.battery,
        "ended": ended.how,
        "ended_ms": ended.source.time_ms,
        "signed_by": ended.source.organisation,
        "statement": ended.source.statement,
        "bundle": links.bundle_of(ended.source.statement, ended.source.index),
        "successors": [one.battery for one in passport.relatives.successors],
        "successors_all": passport.relatives.successors_all,
        "disputes": [msgspec.to_builtins(one) for one in passport.disputes],
    }


def _ended(passport: Passport) -> Ended:
    if passport.ended is None:
        fail(f"battery {passport.battery} has not ended")
    return passport.ended
