"""Signs of tampering that certificates show together, without any value: only what their issuers let be known.

A counter never goes backwards: where one test found at least N, no later test finds less. Health does not rise by
itself: where one test found at most X, no later one in the same epoch of the unit finds clearly more. Either of two
that contradict each other may be recorded first; the second is kept as a claim, and an arbiter decides between them.
"""

from typing import Literal

from cellvow.core.contracts.battery import CONTESTS_SINCE
from cellvow.core.contracts.contract import Battery, Contest, Contested, Context, Count, Integer, Record, Schema
from cellvow.core.primitives.limits import BOUNDS_MAX

COUNTERS = ("capacity_throughput", "deep_discharge_count", "energy_throughput", "full_cycles")
"""What only ever grows (Annex VII B and XIII point 4 of Regulation (EU) 2023/1542)."""
HEALTH = ("state_of_health",)
"""What only falls, until something with a recorded cause is done to the unit; in permille."""
HEALTH_TOLERANCE_PERMILLE = 20
"""By how much one test may find more than an earlier one: two laboratories do not measure alike to the permille."""


# Records


class Bound(Schema, frozen=True, kw_only=True):
    """That a certificate found at least, or at most, this much in a test between these times."""

    organisation: str
    reference: str
    comparison: Literal["at_least", "at_most"]
    threshold: Integer
    from_ms: Count
    until_ms: Count
    epoch: Count


class BoundsRecord(Record, frozen=True, kw_only=True):
    """`bound/BATTERY/QUANTITY`: the latest bounds that certificates in force put on a quantity, oldest test first."""

    battery: Battery
    bounds: tuple[Bound, ...] = ()


# Rules


def bounds_key(battery: str, quantity: str) -> str:
    """Where the bounds of a quantity of a unit lie in the state map."""
    return f"bound/{battery}/{quantity}"


def is_watched(quantity: str) -> bool:
    """Whether certificates of this quantity can show a sign of tampering."""
    return quantity in COUNTERS or quantity in HEALTH


def require_no_sign(context: Context, battery: str, quantity: str, bound: Bound) -> None:
    """Raise `Contested` where a bound contradicts one that is known; otherwise it is known from now on.

    Rulesets before disputes know no signs. What the same certificate said before its correction does not count.
    """
    if context.ruleset < CONTESTS_SINCE or not is_watched(quantity):
        return
    key = bounds_key(battery, quantity)
    known = context.get(BoundsRecord, key) or BoundsRecord(provenance=context.provenance, version=0, battery=battery)
    for other in known.bounds:
        about = _contradiction(quantity, bound, other)
        if about is not None:
            raise Contested(about, battery, other.organisation)
    _put(context, key, known, _keep((*known.bounds, bound), quantity))


def drop_bounds(context: Context, battery: str, quantities: list[str], organisation: str, reference: str) -> None:
    """Forget what a certificate said that is revoked or corrected: it shall not speak against a true one."""
    for quantity in dict.fromkeys(quantities):
        key = bounds_key(battery, quantity)
        known = context.get(BoundsRecord, key)
        if known is None:
            continue
        kept = tuple(one for one in known.bounds if (one.organisation, one.reference) != (organisation, reference))
        if kept != known.bounds:
            _put(context, key, known, kept)


def forget_bounds(context: Context, battery: str) -> None:
    """Forget what all certificates of a unit said: an authority has found that they cannot be relied on."""
    for quantity in (*COUNTERS, *HEALTH):
        key = bounds_key(battery, quantity)
        known = context.get(BoundsRecord, key)
        if known is not None and known.bounds:
            _put(context, key, known, ())


def _contradiction(quantity: str, one: Bound, other: Bound) -> Contest | None:
    """What two bounds show together: only tests of which one was certainly over when the other began."""
    if one.comparison == other.comparison:
        return None
    least, most = (one, other) if one.comparison == "at_least" else (other, one)
    if quantity in COUNTERS:
        return "counter_backwards" if least.until_ms <= most.from_ms and most.threshold < least.threshold else None
    risen = least.threshold > most.threshold + HEALTH_TOLERANCE_PERMILLE
    same = least.epoch == most.epoch and most.until_ms <= least.from_ms
    return "health_risen" if same and risen else None


def _keep(bounds: tuple[Bound, ...], quantity: str) -> tuple[Bound, ...]:
    """At most so many bounds: one that another makes superfluous goes first, else that of the oldest test."""
    ordered = tuple(sorted(bounds, key=lambda one: (one.until_ms, one.from_ms, one.organisation, one.reference)))
    if len(ordered) <= BOUNDS_MAX:
        return ordered
    spare = next((one for one in ordered if any(_implies(quantity, other, one) for other in ordered)), ordered[0])
    return tuple(one for one in ordered if one is not spare)


def _implies(quantity: str, strong: Bound, weak: Bound) -> bool:
    """Whether whatever contradicts the weak bound contradicts the strong one too."""
    if strong is weak or strong.comparison != weak.comparison:
        return False
    if quantity in HEALTH and strong.epoch != weak.epoch:
        return False
    is_floor = strong.comparison == "at_least"
    tighter = strong.threshold >= weak.threshold if is_floor else strong.threshold <= weak.threshold
    # A floor of a counter holds from its test on, and a floor of health until its test; ceilings the other way round.
    if is_floor is (quantity in COUNTERS):
        return tighter and strong.until_ms <= weak.until_ms and strong != weak
    return tighter and strong.from_ms >= weak.from_ms and strong != weak


def _put(context: Context, key: str, known: BoundsRecord, bounds: tuple[Bound, ...]) -> None:
    battery, version = known.battery, known.version + 1
    context.put(key, BoundsRecord(provenance=context.provenance, version=version, battery=battery, bounds=bounds))
