"""Which statements stand behind what a view shows: each can be proven to who may take it away."""

from collections.abc import Iterator

from cellvow.passport.view import Passport, Source


def list_sources(passport: Passport) -> list[Source]:
    """Who signed what the view shows, once for each fact."""
    return [source for source in _named(passport) if source is not None]


def _named(passport: Passport) -> Iterator[Source | None]:
    yield from (fact.source for fact in (*passport.model, *passport.identity))
    yield from (register.source for register in passport.registers)
    for attested in passport.attestations:
        yield attested.source
        yield attested.voided
    yield None if passport.ended is None else passport.ended.source
    yield from (step.source for step in passport.life)
    yield from _of_standing(passport)
    yield from (fact.source for fact in passport.use)
    yield from () if passport.parts is None else (one.source for one in passport.parts.left)


def _of_standing(passport: Passport) -> Iterator[Source | None]:
    if passport.safety is not None:
        yield passport.safety.source
        yield from (one.source for one in passport.safety.incidents)
    yield from (one.parties.source for one in passport.disputes if one.parties is not None)
    yield None if passport.notice is None else passport.notice.source
    relatives = passport.relatives
    yield from (one.source for one in (*relatives.originals, *relatives.successors))
