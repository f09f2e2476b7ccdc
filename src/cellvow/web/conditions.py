"""The conditions of a measured value as short phrases; what a laboratory wrote itself stands as it was written."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cellvow.passport.view import Measured
from cellvow.web.wording import Wording

NOT_STATED = "None"
"""How a condition reads that the measurement does not tell."""
CAVEAT = "caveat"
_HEALTH = "state_of_health"
_WHOLE = re.compile(r"-?[0-9]{1,16}\Z")
_NOT_CERTIFIED = "not a certified state of health"
_PHRASED = frozenset(
    {
        CAVEAT,
        "averaged_over",
        "first_row",
        "last_row",
        "current_ua",
        "c_rate_permille",
        "c_rate_basis",
        "temperature_mc",
        "temperature_basis",
        "soc_high_permille",
        "soc_low_permille",
        "v_max_mv",
        "v_min_mv",
    }
)


@dataclass(frozen=True, slots=True)
class Phrases:
    """`conditions` in the reader's language; `caveats` as the laboratory's program wrote them, in English."""

    conditions: tuple[Markup, ...]
    caveats: tuple[str, ...]
    is_uncertified_health: bool


@dataclass(frozen=True, slots=True)
class Told:
    """Of one attestation: (quantities, conditions) for those that share them; no quantities where all do."""

    groups: tuple[tuple[tuple[str, ...], tuple[Markup, ...]], ...]
    caveats: tuple[str, ...]
    is_uncertified_health: bool


def phrase_conditions(measured: Measured, wording: Wording) -> Phrases:
    """What is to be said beside a value about how it came about."""
    stated = [(name, text) for name, text in measured.conditions if text not in (NOT_STATED, "")]
    known = dict(stated)
    caveats = tuple(text for name, text in stated if name == CAVEAT)
    is_rated = measured.quantity == _HEALTH and "c_rate_permille" in known
    is_uncertified = is_rated or any(_NOT_CERTIFIED in text for _, text in stated)
    return Phrases(
        conditions=(*_known_phrases(known, wording), *_other_phrases(stated, wording)),
        caveats=tuple(text for text in caveats if _NOT_CERTIFIED not in text),
        is_uncertified_health=is_uncertified,
    )


def tell_conditions(values: Sequence[Measured], wording: Wording) -> Told:
    """What is to be said of all values of one attestation: conditions once for those that share them, caveats once."""
    shared: dict[tuple[Markup, ...], list[str]] = {}
    phrases = [phrase_conditions(one, wording) for one in values]
    for one, said in zip(values, phrases, strict=True):
        shared.setdefault(said.conditions, []).append(one.quantity)
    return Told(
        groups=tuple((tuple(names) if len(shared) > 1 else (), told) for told, names in shared.items()),
        caveats=tuple(dict.fromkeys(caveat for said in phrases for caveat in said.caveats)),
        is_uncertified_health=any(said.is_uncertified_health for said in phrases),
    )


def _known_phrases(known: Mapping[str, str], wording: Wording) -> Iterator[Markup]:
    for key, unit, name, basis in (
        ("condition.mean", None, "averaged_over", ""),
        ("condition.rate", "c_rate_permille", "c_rate_permille", "c_rate_basis"),
        ("condition.current", "uA", "current_ua", ""),
        ("condition.temperature", "mC", "temperature_mc", "temperature_basis"),
    ):
        if name in known:
            phrase = wording.catalogue.text(key, value=_scaled(known[name], unit, wording))
            said = known.get(basis)
            yield phrase if said is None else Markup("{} ({})").format(phrase, wording.catalogue.term("basis", said))
    yield from _ranges(known, wording)


def _ranges(known: Mapping[str, str], wording: Wording) -> Iterator[Markup]:
    text = wording.catalogue.text
    for key, unit, low, high in (
        ("condition.charge", "share_permille", "soc_low_permille", "soc_high_permille"),
        ("condition.window", "mV", "v_min_mv", "v_max_mv"),
        ("condition.rows", None, "first_row", "last_row"),
    ):
        if low in known and high in known:
            yield text(key, low=_scaled(known[low], unit, wording), high=_scaled(known[high], unit, wording))


def _other_phrases(stated: list[tuple[str, str]], wording: Wording) -> Iterator[Markup]:
    for name, said in stated:
        if name not in _PHRASED:
            yield wording.catalogue.text("condition.other", name=name, text=said)


def _scaled(text: str, unit: str | None, wording: Wording) -> str:
    """A whole number in the unit people read; what is no whole number stands as it was written."""
    return wording.quantity(int(text), unit) if _WHOLE.match(text) else text
