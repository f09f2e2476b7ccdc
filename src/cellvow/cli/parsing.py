"""Values as people type them: days, standards, predicates, declarations, identifiers."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.cli.failures import WrongUsage
from cellvow.core.primitives.identifier import BatteryId, parse_battery_id
from cellvow.core.primitives.quantity import DOCUMENTS, UNITS

if TYPE_CHECKING:
    from cellvow.core.ledger.genesis import Accreditation
    from cellvow.passport.acceptance import Span

_PREDICATE = re.compile(r"^([a-z][a-z0-9_]*)\s*(>=|<=)\s*(-?[0-9]{1,15})\Z")
_DECLARATION = re.compile(r"^([a-z][a-z0-9_]*)=(-?[0-9]{1,15})\Z")
_SPAN = re.compile(r"^([0-9]{1,7}(?:\.[0-9]{1,2})?)(?:-([0-9]{1,7}(?:\.[0-9]{1,2})?))?\Z")
_SHARE = re.compile(r"^(.+?)(?:=([1-9][0-9]{0,14})(?:,([0-9]{1,15}))?)?\Z")
_DIGEST = re.compile(r"^[0-9a-f]{64}\Z")
COMPARISONS = {">=": "at_least", "<=": "at_most"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """What is to be public about a quantity: that it is `at_least` or `at_most` a number of its unit."""

    quantity: str
    comparison: str
    threshold: int


def parse_battery(text: str) -> BatteryId:
    """The battery of an identifier or a GS1 Digital Link; raises `Malformed`."""
    if text.startswith(("http://", "https://", "/")):
        from cellvow.passport.digital_link import parse_digital_link

        return parse_digital_link(text)
    return parse_battery_id(text)


def parse_interval_ms(text: str) -> int:
    """Milliseconds of a time like `30s`, `10m`, `1h` or `1d`; raises `WrongUsage`."""
    units = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
    if not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
        raise WrongUsage(f"{text!r} is not a time: write it like 30s, 10m, 1h or 1d")
    return int(text[:-1]) * units[text[-1]]


def parse_last_moment(day: str) -> int:
    """The last millisecond (since 1970, UTC) of a day `YYYY-MM-DD`."""
    try:
        parsed = date.fromisoformat(day)
    except ValueError as error:
        raise WrongUsage(f"{day!r} is not a day: write YYYY-MM-DD") from error
    if day != parsed.isoformat():
        raise WrongUsage(f"{day!r} is not a day: write YYYY-MM-DD")
    midnight = datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC)
    return int((midnight + timedelta(days=1)).timestamp()) * 1000 - 1


def parse_moment(text: str) -> int:
    """Milliseconds since 1970 of `YYYY-MM-DD` (its first moment) or `YYYY-MM-DDTHH:MM`, in UTC."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        try:
            parsed = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if parsed.strftime(form) == text:
            return int(parsed.timestamp()) * 1000
    raise WrongUsage(f"{text[:40]!r} is not a moment: write YYYY-MM-DD or YYYY-MM-DDTHH:MM, in UTC")


def parse_accreditation(text: str) -> "Accreditation":
    """`STANDARD:EDITION:QUANTITY,QUANTITY:YYYY-MM-DD`; the name of a standard may hold colons."""
    from cellvow.core.ledger.genesis import Accreditation

    parts = text.rsplit(":", 3)
    if len(parts) != 4 or not all(parts):
        raise WrongUsage(f"{text!r} is not an accreditation: write STANDARD:EDITION:QUANTITY,QUANTITY:YYYY-MM-DD")
    standard, edition, quantities, until = parts
    return Accreditation(standard, edition, tuple(quantities.split(",")), parse_last_moment(until))


def parse_standard(text: str) -> tuple[str, str]:
    """(name, edition) of `NAME:EDITION`; the name may hold colons."""
    name, _, edition = text.rpartition(":")
    if not name or not edition:
        raise WrongUsage(f"{text!r} is not a standard: write NAME:EDITION")
    return name, edition


def parse_threshold(text: str) -> Threshold:
    """`capacity>=26000` or `resistance_10s<=3000`, in the quantity's unit."""
    match = _PREDICATE.match(text)
    if match is None:
        raise WrongUsage(f"{text!r} is not a predicate: write QUANTITY>=NUMBER or QUANTITY<=NUMBER, in whole units")
    return Threshold(match[1], COMPARISONS[match[2]], int(match[3]))


def parse_declaration(text: str) -> tuple[str, str, int]:
    """(quantity, unit, value) of `QUANTITY=NUMBER`."""
    match = _DECLARATION.match(text)
    if match is None:
        raise WrongUsage(f"{text!r} is not a declaration: write QUANTITY=NUMBER, in whole units")
    if match[1] not in UNITS:
        known = ", ".join(f"{quantity} ({unit})" for quantity, unit in UNITS.items())
        raise WrongUsage(f"{match[1]} is not a quantity of this version; known are {known}")
    return match[1], UNITS[match[1]], int(match[2])


def parse_document_file(text: str) -> tuple[str, Path]:
    """(kind, file) of `KIND=FILE`."""
    kind, _, file = text.partition("=")
    if kind not in DOCUMENTS or not file:
        raise WrongUsage(f"{text[:60]!r} is not a document: write KIND=FILE; known kinds are {', '.join(DOCUMENTS)}")
    path = Path(file)
    if not path.is_file():
        raise WrongUsage(f"{file} is not a file")
    return kind, path


def parse_statement_digest(text: str) -> bytes:
    """A statement's digest: 64 hexadecimal digits in lower case."""
    if _DIGEST.match(text) is None:
        raise WrongUsage(f"{text[:70]!r} is not a statement: 64 hexadecimal digits in lower case name one")
    return bytes.fromhex(text)


def parse_attestation(text: str) -> tuple[str, str]:
    """(organisation, reference) of `ORGANISATION/REF`."""
    organisation, _, reference = text.partition("/")
    if not organisation or not reference:
        raise WrongUsage(f"{text[:60]!r} is not an attestation: write ORGANISATION/REF")
    return organisation, reference


def parse_share(text: str) -> tuple[BatteryId, int | None, int | None]:
    """(battery, g, cells) of `BATTERY`, `BATTERY=G` or `BATTERY=G,CELLS`."""
    match = _SHARE.match(text)
    if match is None or "=" in match[1]:
        raise WrongUsage(f"{text[:70]!r} is not a unit with its share: write BATTERY=G or BATTERY=G,CELLS")
    mass_g, cells = (None if one is None else int(one) for one in (match[2], match[3]))
    return parse_battery(match[1]), mass_g, cells


def parse_reference(text: str) -> tuple[str, str]:
    """(organisation, reference) of a proposal `ORGANISATION/REF`."""
    organisation, _, reference = text.partition("/")
    if not organisation or not reference:
        raise WrongUsage(f"{text[:60]!r} is not a proposal: write ORGANISATION/REF, as `cellvow vote list` does")
    return organisation, reference


def parse_dispute(text: str) -> tuple[str, str]:
    """(opener, reference) of a dispute `ORGANISATION/REF`."""
    opener, _, reference = text.partition("/")
    if not opener or not reference:
        raise WrongUsage(f"{text[:60]!r} is not a dispute: write ORGANISATION/REF, as `cellvow dispute list` does")
    return opener, reference


def parse_move(text: str) -> tuple[str, str]:
    """(register, organisation) of `REGISTER=ORGANISATION`."""
    register, _, organisation = text.partition("=")
    if register not in ("custody", "ownership", "responsibility") or not organisation:
        raise WrongUsage(
            f"{text[:60]!r} moves nothing: write custody=, ownership= or responsibility= and the organisation"
        )
    return register, organisation


def parse_span(text: str, parts: int, what: str) -> "Span":
    """The range of `LOW-HIGH`, or of one number, in whole parts of a unit (minutes of hours, cents of euros)."""
    from cellvow.passport.acceptance import Span

    match = _SPAN.match(text)
    if match is None:
        raise WrongUsage(f"{text[:40]!r} is no range of {what}: write 6-10 or 8, with at most two decimals")
    low, high = (round(float(number) * parts) for number in (match[1], match[2] or match[1]))
    return Span(low, high)


def parse_rated_mah(rated_ah: float | None) -> int | None:
    """A rated capacity in mAh from Ah."""
    if rated_ah is None:
        return None
    if not 0.001 <= rated_ah <= 1_000_000:
        raise WrongUsage(f"a rated capacity of {rated_ah:g} Ah: give it in ampere-hours, above 0")
    return round(rated_ah * 1000)
