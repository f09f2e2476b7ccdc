"""Days that messages name, held against a unit's birth and the block's time: whole days in UTC, exactly."""

from typing import Protocol

from cellvow.core.contracts.contract import Context, require
from cellvow.core.contracts.policy.calendar import parse_day
from cellvow.core.ledger.rejection import Reason, Rejected

DAY_MS = 86_400_000
EAST_MS = 14 * 3_600_000
"""How far ahead of UTC the first place is where a day begins: a plant there dates its units by its own calendar."""
_EPOCH_DAY = parse_day("1970-01-01") or 0


class Born(Protocol):
    """What has a day of birth."""

    @property
    def manufactured_on(self) -> str:
        """`YYYY-MM-DD`."""


def derive_day_number(time_ms: int) -> int:
    """The day of a moment (ms since 1970), counted as `parse_day` counts them: from 0001-01-01, which is 1."""
    return _EPOCH_DAY + time_ms // DAY_MS


def number_day(day: str) -> int:
    """The number of a day that the calendar has, or `Rejected`."""
    number = parse_day(day)
    if number is None:
        raise Rejected(Reason.DAY_OUT_OF_RANGE, day=day)
    return number


def require_begun_day(context: Context, day: str) -> None:
    """Raise `Rejected` unless the day has begun somewhere on earth."""
    require(number_day(day) <= derive_day_number(context.time_ms + EAST_MS), Reason.DAY_OUT_OF_RANGE, day=day)


def require_lived_day(context: Context, unit: Born, day: str, *, not_before: str | None = None) -> None:
    """Raise `Rejected` unless the unit existed on the day and it is not after the block's; nor before `not_before`."""
    first = unit.manufactured_on if not_before is None else max(unit.manufactured_on, not_before)
    is_past = number_day(day) <= derive_day_number(context.time_ms)
    require(is_past and day >= first, Reason.DAY_OUT_OF_RANGE, day=day)
