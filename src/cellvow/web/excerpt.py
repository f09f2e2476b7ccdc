"""A part of a long passport, small enough for one page: the newest steps and tests first, earlier ones by a cursor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellvow.passport.view import Attested, Passport, Source

STEPS_MAX = 8
"""Steps of a life on one page."""
ATTESTATIONS_MAX = 2
"""Attestations on one page: with their values they are the heaviest part of it."""
STEPS_MAX_BESIDE = 4
"""The same on the page of a unit of which more is told than a life and tests."""
PARTS_MAX = 6
"""Parts listed on the first page; a page of their own has all that the view holds."""
USE_MAX = 6
"""The same of what is recorded of its use."""
SECTIONS = ("tests", "use", "parts")
"""What can be asked for as a page of its own (`?see=`)."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """`shown` is the passport with only the steps and attestations of this page; `whole` is all of it.

    `first_step` is the number of the first step shown; the cursors name where the next page begins, None at the end:
    steps keep their number for ever, attestations are named by their statement.
    `is_later` tells that the page does not begin with the newest. The last six say what stands on this page: the
    tests, the life, what else is told of the unit, and how much of its use and of its parts; `see` is the section that
    was asked for.
    """

    whole: Passport
    shown: Passport
    first_step: int = 1
    steps_cursor: str | None = None
    attestations_left: int = 0
    attestations_cursor: str | None = None
    is_later: bool = False
    with_tests: bool = True
    with_life: bool = True
    with_unit: bool = True
    use_max: int | None = None
    parts_max: int | None = None
    see: str = ""

    @property
    def steps_left(self) -> int:
        """How many steps came before the first one shown."""
        return self.first_step - 1 if self.steps_cursor is not None else 0


def whole_excerpt(passport: Passport) -> Excerpt:
    """All of a passport on one page, for a page that stands alone."""
    return Excerpt(passport, replace(passport, attestations=order_attestations(passport)))


def cut_excerpt(
    passport: Passport, steps_before: str = "", attestations_after: str = "", see: str = ""
) -> Excerpt | None:
    """One page of a passport; the cursors are those of an excerpt before. None where one names nothing of it.

    Of a unit that was used, disputed or made of others so much is told that its tests have a page of their own.
    """
    is_wide = _is_wide(passport)
    steps, attestations = passport.life, order_attestations(passport)
    end = _end_of(len(steps), steps_before)
    start = _place([one.source for one in attestations], attestations_after)
    if end is None or start is None or see not in ("", *SECTIONS):
        return None
    first, start = max(0, end - (STEPS_MAX_BESIDE if is_wide else STEPS_MAX)), start + 1
    on_page = attestations[start : start + ATTESTATIONS_MAX]
    left = len(attestations) - start - len(on_page)
    is_turned = bool(steps_before or attestations_after)
    return Excerpt(
        whole=passport,
        shown=replace(passport, life=steps[first:end], attestations=on_page),
        first_step=first + 1,
        steps_cursor=str(first + 1) if first else None,
        attestations_left=left,
        attestations_cursor=write_cursor(on_page[-1].source) if left else None,
        is_later=is_turned or bool(see),
        with_tests=see == "tests" or (see == "" and (not is_wide or bool(attestations_after))),
        with_life=see == "",
        with_unit=not (is_turned or see),
        use_max=None if see == "use" else USE_MAX,
        parts_max=None if see == "parts" else PARTS_MAX,
        see=see,
    )


def _is_wide(passport: Passport) -> bool:
    told = (passport.disputes, passport.notice, passport.use, passport.parts, passport.relatives.originals)
    return any(told) or bool(passport.relatives.successors)


def order_attestations(passport: Passport) -> tuple[Attested, ...]:
    """The newest in force of each class first, then the others in force, then what has ended; newest first in each."""
    newest: dict[str, Attested] = {}
    ordered = sorted(passport.attestations, key=lambda one: (one.state != "issued", -one.source.height))
    for one in ordered:
        newest.setdefault(one.evidence_class, one)
    return tuple(sorted(ordered, key=lambda one: newest[one.evidence_class] is not one or one.state != "issued"))


def write_cursor(source: Source) -> str:
    """The statement and the place in it, as an address carries them."""
    return f"{source.statement}.{source.index}"


def _end_of(steps: int, before: str) -> int | None:
    """How many steps come before the one with this number."""
    if not before:
        return steps
    is_number = before.isascii() and before.isdigit() and len(before) <= 9 and before[0] != "0"
    return int(before) - 1 if is_number and int(before) <= steps else None


def _place(sources: Sequence[Source], cursor: str) -> int | None:
    if not cursor:
        return -1
    return next((place for place, source in enumerate(sources) if write_cursor(source) == cursor), None)
