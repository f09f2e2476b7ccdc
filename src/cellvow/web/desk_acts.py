"""What the pages of acts, disputes and second signatures show beside what the workspace says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.rejection import RULES
from cellvow.core.primitives.encoding import Json
from cellvow.web.desk_pages import DESK
from cellvow.web.message_words import MessageTeller, Told, tell_lines
from cellvow.web.wording import Wording
from cellvow.workspace.desk_acts import ActSeen
from cellvow.workspace.desk_disputes import DisputeAtDesk, UnitSeen
from cellvow.workspace.desk_handovers import Member
from cellvow.workspace.desk_seconds import SecondSeen
from cellvow.workspace.drafts import Composed
from cellvow.workspace.orders import CAUSES, DISPUTE_PLACE, SECOND_PLACE, TOPICS, UNIT_PLACE
from cellvow.workspace.rehearsal import Rehearsal

ACTS, DISPUTES, SECONDS, UNITS = f"{DESK}/acts", f"{DESK}/disputes", f"{DESK}/seconds", f"{DESK}/units"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a dry run ends in nothing: the broken rule, its code, and what exactly breaks it."""

    rule: str
    code: int
    facts: tuple[Told, ...]


def place_of(composed: Composed) -> str:
    """The address where an act is dealt with."""
    known = {
        DISPUTE_PLACE: f"{DISPUTES}/{composed.name}",
        UNIT_PLACE: f"{UNITS}/{composed.name}",
        SECOND_PLACE: SECONDS,
    }
    return known.get(composed.place, f"{DESK}/handovers")


def outcome_of(rehearsal: Rehearsal) -> str:
    """What a dry run comes to, as a word."""
    if rehearsal.refused is not None:
        return "refused"
    if rehearsal.rejection is not None:
        return "rejected"
    return "held" if rehearsal.is_held else "contested" if rehearsal.is_contested else "sound"


def act_context(seen: ActSeen, language: str) -> dict[str, object]:
    """What the page of an act shows."""
    teller = MessageTeller(Wording(language), seen.names, seen.opened)
    context: dict[str, object] = {
        "act": seen,
        "teller": teller,
        "lines": tell_lines,
        "place": place_of(seen.draft.composed),
    }
    if seen.rehearsal is not None:
        moving = any(one.kind in REGISTERS for one in seen.rehearsal.changes)
        context |= {"outcome": outcome_of(seen.rehearsal), "moves_a_register": moving}
        context["rejection"] = _refused(seen.rehearsal, teller)
    return context


def _refused(rehearsal: Rehearsal, teller: MessageTeller) -> Refused | None:
    if rehearsal.refused is not None:
        return Refused(rehearsal.refused.rule, int(rehearsal.refused.reason), teller.tell(rehearsal.refused.facts))
    rejection = rehearsal.rejection
    if rejection is None or rejection.reason is None:
        return None
    facts: Mapping[str, Json] = dict(rejection.facts)
    return Refused(RULES[rejection.reason], int(rejection.reason), teller.tell(facts))


def dispute_context(seen: DisputeAtDesk, members: list[Member], language: str) -> dict[str, object]:
    """What the page of a dispute shows; `fit` are those who can be named as arbiter."""
    parties = (seen.view.opener, seen.view.respondent)
    fit = [one for one in members if one.organisation not in parties]
    return {"seen": seen, "fit": fit, "lines": tell_lines, "name_of": naming(seen.names, language)}


def unit_context(seen: UnitSeen, members: list[Member], language: str) -> dict[str, object]:
    """What the page of a unit shows."""
    return {
        "causes": CAUSES,
        "members": members,
        "name_of": naming(seen.names, language),
        "seen": seen,
        "topics": TOPICS,
    }


def seconds_context(seen: tuple[SecondSeen, ...], language: str) -> dict[str, object]:
    """What the pages of second signatures show."""
    names = {name: called for one in seen for name, called in one.names.items()}
    opened = {commitment: told for one in seen for commitment, told in one.opened.items()}
    return {
        "seconds": seen,
        "teller": MessageTeller(Wording(language), names, opened),
    }


def naming(names: Mapping[str, str], language: str) -> Callable[[str], Markup]:
    """Puts an organisation into words."""
    return MessageTeller(Wording(language), names, {}).organisation
