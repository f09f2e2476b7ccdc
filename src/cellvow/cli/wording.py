"""Numbers, moments and results in words: with unit, interval and class."""

from collections.abc import Mapping
from datetime import UTC, datetime

_SHOWN = {"mAh": (1000, 3, "Ah"), "mWh": (1000, 2, "Wh"), "uohm": (1000, 3, "mOhm"), "permille": (10, 1, "%")}
_SHOWN_LIKEWISE = {"ppm": (10_000, 4, "%"), "mV": (1000, 3, "V"), "g": (1000, 3, "kg"), "uA": (1_000_000, 3, "A")}
_SCALES = {**_SHOWN, **_SHOWN_LIKEWISE}
NAMES = {
    "capacity": "Capacity",
    "coulombic_efficiency": "Coulombic efficiency",
    "discharge_curve": "Discharge curve",
    "energy": "Energy",
    "resistance_10s": "Resistance after 10 s",
    "state_of_charge": "State of charge",
    "state_of_health": "State of health",
    "state_of_health_energy": "Health by energy",
    "state_of_health_first": "Health against the first discharge",
    "state_of_health_resistance": "Health by resistance",
    "test_summary": "Test summary",
}


def moment(time_ms: int | None) -> str:
    """A moment in UTC, to the minute."""
    if time_ms is None:
        return "no end"
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


def day(time_ms: int | None) -> str:
    """A day in UTC."""
    return "no end" if time_ms is None else datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def amount(value: int, unit: str | None) -> str:
    """A scaled integer in the unit people use: `30335` mAh is `30.335 Ah`."""
    number, shown = scaled(value, unit)
    return f"{number} {shown}".rstrip()


def scaled(value: int, unit: str | None) -> tuple[str, str]:
    """The number and the unit people use; what has no scale stays as it is."""
    if unit not in _SCALES:
        return str(value), unit or ""
    factor, decimals, shown = _SCALES[unit]
    return f"{value / factor:.{decimals}f}", shown


def interval(low: int | None, high: int | None, unit: str | None) -> str:
    """`[30.15, 30.45]`, or nothing where there is none."""
    if low is None or high is None:
        return ""
    return f"[{scaled(low, unit)[0]}, {scaled(high, unit)[0]}]"


def quantity_name(quantity: str) -> str:
    """A quantity as a heading."""
    return NAMES.get(quantity, quantity.replace("_", " "))


def conditions_text(conditions: Mapping[str, object]) -> str:
    """The conditions of a result, in one phrase."""
    parts = []
    over, current, rate = (conditions.get(name) for name in ("averaged_over", "current_ua", "c_rate_permille"))
    if over is not None:
        parts.append(f"mean of {over}")
    if isinstance(current, int):
        parts.append(f"at {amount(current, 'uA')}")
    if isinstance(rate, int):
        parts.append(f"{rate / 1000:.2f} C")
    if isinstance(temperature := conditions.get("temperature_mc"), int):
        parts.append(f"{temperature / 1000:.1f} degC")
    return ", ".join(parts)
