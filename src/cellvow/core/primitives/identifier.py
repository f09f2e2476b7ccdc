"""Identifiers: ASCII only, one spelling each, so that two that look alike are the same or refused.

A battery is named by the path of its GS1 Digital Link, `01/{gtin14}/21/{serial}`, whose GTIN names its
model (GS1 Digital Link URI Syntax; GTIN check digit: GS1 General Specifications).
"""

import re
from typing import NewType

from cellvow.core.primitives.errors import Malformed

BatteryId = NewType("BatteryId", str)
OrganisationId = NewType("OrganisationId", str)
ModelId = NewType("ModelId", str)

GTIN_PATTERN = r"^[0-9]{14}\Z"
BATTERY_PATTERN = r"^01/[0-9]{14}/21/[A-Z0-9][A-Z0-9.-]{0,19}\Z"
ORGANISATION_PATTERN = r"^[a-z0-9][a-z0-9-]{1,31}\Z"
CHAIN_PATTERN = r"^[a-z0-9][a-z0-9.-]{2,47}\Z"
REFERENCE_PATTERN = r"^[A-Z0-9][A-Z0-9.-]{0,31}\Z"
SUBJECT_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9./:-]{0,127}\Z"


def is_gtin(text: str) -> bool:
    """Whether the text is 14 digits with a right check digit."""
    if re.match(GTIN_PATTERN, text) is None:
        return False
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(text[:13]))
    return (10 - weighted % 10) % 10 == int(text[13])


def parse_battery_id(text: str) -> BatteryId:
    """The identifier, or `Malformed` with what is wrong about it."""
    if re.match(BATTERY_PATTERN, text) is None:
        raise Malformed(
            f"{text[:60]!r} is not a battery identifier: write 01/GTIN/21/SERIAL with 14 digits and a serial of "
            "1 to 20 characters from A-Z, 0-9, '.' and '-'"
        )
    if not is_gtin(text[3:17]):
        raise Malformed(f"the check digit of GTIN {text[3:17]} is wrong")
    return BatteryId(text)


def derive_model_id(battery: str) -> ModelId:
    """The GTIN inside a battery's identifier `01/{gtin14}/21/{serial}`: the model it belongs to."""
    return ModelId(battery[3:17])


def parse_organisation_id(text: str) -> OrganisationId:
    """The identifier, or `Malformed` with what is wrong about it."""
    if re.match(ORGANISATION_PATTERN, text) is None:
        raise Malformed(f"{text[:60]!r} is not an organisation: 2 to 32 characters from a-z, 0-9 and '-'")
    return OrganisationId(text)


def parse_chain_id(text: str) -> str:
    """The identifier of a ledger, or `Malformed`."""
    if re.match(CHAIN_PATTERN, text) is None:
        raise Malformed(f"{text[:60]!r} is not a chain identifier: 3 to 48 characters from a-z, 0-9, '.' and '-'")
    return text


def parse_subject(text: str) -> str:
    """What a statement is about, or `Malformed`."""
    if re.match(SUBJECT_PATTERN, text) is None:
        raise Malformed(f"{text[:60]!r} is not a subject: ASCII letters, digits, '.', '/', ':' and '-' only")
    return text
