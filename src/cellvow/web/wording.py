"""Numbers with their unit, days, moments and ages as a language writes them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import format_decimal
from markupsafe import Markup

from cellvow.web.catalogue import LOCALES, Catalogue, isolate_foreign, load_catalogue

DISPLAY_UNITS: dict[str, tuple[str, int]] = {
    "mAh": ("Ah", 3),
    "mWh": ("Wh", 3),
    "uohm": ("mΩ", 3),
    "permille": ("%", 1),
    "ppm": ("%", 4),
    "mV": ("V", 3),
    "uA": ("A", 6),
    "mC": ("°C", 3),
    "c_rate_permille": ("C", 3),
    "share_permille": ("%", 1),
    "g": ("kg", 3),
}
"""Unit of a scaled integer -> the unit people read, and by how many decimal places the point moves."""
LEAST_DECIMALS = {"permille": 1}
"""Decimals shown even where they are zero: a health of 96.0 % was not stated as 96 %."""
_LAST_MOMENT_MS = 253_402_300_799_999
"""31 December 9999: the last moment a calendar page can show."""
_NO_BREAK = "\u00a0"


class Wording:
    """One language's way of writing things; everything it returns is safe to stand in a page."""

    def __init__(self, language: str) -> None:
        """`language` is one of `LOCALES`."""
        self.catalogue: Catalogue = load_catalogue(language)
        self._locale = Locale.parse(LOCALES[language])

    def count(self, key: str, number: int, **parameters: str) -> Markup:
        """A text that depends on a number: its key ends in `.one` or `.other`, as the language counts."""
        form = "one" if self._locale.plural_form(number) == "one" and number != 0 else "other"
        return self.catalogue.text(f"{key}.{form}", count=self.whole(number), **parameters)

    def whole(self, number: int) -> Markup:
        """A whole number without unit."""
        return Markup(format_decimal(number, "#,##0", self._locale))  # noqa: S704 - digits and separators

    def points(self, permille: int) -> Markup:
        """A difference of shares in percentage points, without their name."""
        return Markup(format_decimal(Decimal(permille) / 10, "#,##0.0", self._locale))  # noqa: S704 - digits and separators

    def quantity(self, number: int, unit: str | None) -> Markup:
        """A scaled integer in the unit people read, exact."""
        return self.span((number,), unit)[0]

    def span(self, numbers: tuple[int, ...], unit: str | None) -> tuple[Markup, ...]:
        """Several scaled integers of one unit, all with as many decimals as the finest of them needs."""
        if unit is None:
            return tuple(self.whole(number) for number in numbers)
        shown, places = DISPLAY_UNITS.get(unit, (unit, 0))
        decimals = max(needed_decimals(number, places) for number in numbers)
        decimals = max(decimals, LEAST_DECIMALS.get(unit, 0))
        gap = _NO_BREAK if shown else ""
        label = shown if unit in DISPLAY_UNITS else isolate_foreign(shown)
        return tuple(
            Markup("{}{}{}").format(self.decimal(Decimal(number).scaleb(-places), decimals), gap, label)
            for number in numbers
        )

    def share(self, permille: int) -> Markup:
        """A part of the whole in percent, without decimals that say nothing."""
        return self.quantity(permille, "share_permille")

    def decimal(self, number: Decimal, decimals: int) -> str:
        """A number with exactly so many decimals."""
        pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
        return format_decimal(number, pattern, self._locale)

    def day(self, time_ms: int) -> Markup:
        """The day (UTC) of a moment in milliseconds since 1970."""
        return Markup(format_date(_moment(time_ms), "long", self._locale))  # noqa: S704 - a date in words of the tables

    def moment(self, time_ms: int) -> Markup:
        """Day and minute (UTC)."""
        moment = _moment(time_ms)
        time = Markup(format_time(moment, "short", tzinfo=UTC, locale=self._locale))  # noqa: S704 - likewise
        return self.catalogue.text("time.moment", day=self.day(time_ms), time=time)

    def written_day(self, text: str) -> Markup:
        """A day given as `YYYY-MM-DD`; any other text stands as it was written."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return isolate_foreign(text)
        if day.isoformat() != text:
            return isolate_foreign(text)
        return Markup(format_date(day, "long", self._locale))  # noqa: S704 - likewise

    def age(self, time_ms: int, now_ms: int) -> Markup:
        """How long ago a moment was at `now_ms`, in days or more."""
        past = timedelta(milliseconds=now_ms - time_ms)
        if past < timedelta(days=1):
            return self.catalogue.text("age.today")
        written = format_timedelta(-past, granularity="day", add_direction=True, threshold=1.2, locale=self._locale)
        return Markup(written)  # noqa: S704 - a span of time in words of the locale tables

    def remaining(self, milliseconds: int) -> Markup:
        """How long it still takes, in hours, days or more."""
        written = format_timedelta(
            timedelta(milliseconds=milliseconds), granularity="hour", threshold=1.5, locale=self._locale
        )
        return Markup(written)  # noqa: S704 - likewise


def needed_decimals(number: int, places: int) -> int:
    """Decimals that the number needs once its point has moved: trailing zeros say nothing."""
    while places and number % 10 == 0:
        number, places = number // 10, places - 1
    return places


def _moment(time_ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(time_ms, 0), _LAST_MOMENT_MS) / 1000, UTC)
