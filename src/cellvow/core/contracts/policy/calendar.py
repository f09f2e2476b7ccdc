"""Days of the Gregorian calendar as integers, years 1000 to 2999."""

import re

_DATE = re.compile(r"([12][0-9]{3})-([0-9]{2})-([0-9]{2})\Z")
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse_day(text: str) -> int | None:
    """Days from 0001-01-01 (day 1) to the date `YYYY-MM-DD`; None where no such day exists."""
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day = (int(part) for part in found.groups())
    if not (1 <= month <= 12 and 1 <= day <= _length(year, month)):
        return None
    return _before(year) + sum(_length(year, earlier) for earlier in range(1, month)) + day


def render_day(number: int) -> str:
    """The date `YYYY-MM-DD` of a day between `DAY_MIN` and `DAY_MAX`."""
    year = number // 366 + 1
    while _before(year + 1) < number:
        year += 1
    day, month = number - _before(year), 1
    while day > _length(year, month):
        day -= _length(year, month)
        month += 1
    return f"{year:04}-{month:02}-{day:02}"


def _before(year: int) -> int:
    past = year - 1
    return past * 365 + past // 4 - past // 100 + past // 400


def _length(year: int, month: int) -> int:
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and is_leap else _MONTHS[month - 1]


DAY_MIN = _before(1000) + 1
"""1000-01-01."""
DAY_MAX = _before(3000)
"""2999-12-31."""
