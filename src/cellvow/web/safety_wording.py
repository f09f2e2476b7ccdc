"""Whether a unit is safe, in words: what the record says, who said it, and what waits for an assessment."""

from markupsafe import Markup

from cellvow.passport.view import Safety
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.wording import Wording


def word_safety(safety: Safety | None, wording: Wording) -> tuple[Markup, ...]:
    """The answer, and the sentences under it. Where nothing is on record, nothing is claimed."""
    text = wording.catalogue.text
    if safety is None:
        return text("safe.answer"), text("safe.why")
    waiting = (wording.count("safe.open", len(safety.incidents)),) if safety.incidents else ()
    if not safety.name:
        return text("safe.unassessed"), *waiting
    said = text("safe.by", name=isolate_foreign(safety.name), day=wording.day(safety.since_ms))
    return wording.catalogue.term("safety", safety.state), said, *waiting
