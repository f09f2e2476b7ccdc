"""What a unit is built into, and the registers that count for it: a part goes where the outermost unit around it goes.

A part's own registers rest while it is built in. Whoever stood there when it was joined may long have sold the whole.
"""

from collections.abc import Callable

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Context, decode_record
from cellvow.core.contracts.register import RegisterRecord, register_key
from cellvow.core.primitives.errors import ensure, fail
from cellvow.core.primitives.limits import PART_LEVELS_MAX

Read = Callable[[str], bytes | None]


def derive_wholes(read: Read, battery: str) -> tuple[str, ...]:
    """The units that a unit is built into, the nearest first; none if it stands by itself, or is unknown."""
    wholes: list[str] = []
    whole = _find_whole(read, battery)
    while whole is not None:
        wholes.append(whole)
        ensure(len(wholes) < PART_LEVELS_MAX, f"{battery} lies deeper than {PART_LEVELS_MAX} levels")
        whole = _find_whole(read, whole)
    return tuple(wholes)


def _find_whole(read: Read, battery: str) -> str | None:
    value = read(battery_key(battery))
    return None if value is None else decode_record(BatteryRecord, value).part_of


def derive_root(read: Read, battery: str) -> str:
    """The outermost unit that a unit is built into; the unit itself where it stands by itself."""
    return (battery, *derive_wholes(read, battery))[-1]


def derive_registered(read: Read, register: str, battery: str) -> RegisterRecord:
    """The register that counts for a unit: that of the outermost unit it is built into, or its own."""
    root = derive_root(read, battery)
    value = read(register_key(register, root))
    if value is None:
        fail(f"battery {root} is registered without a {register} record")
    return decode_record(RegisterRecord, value)


def stands(context: Context, register: str, battery: str) -> bool:
    """Whether the signer is who counts as registered for a unit."""
    return derive_registered(context.get_bytes, register, battery).organisation == context.organisation
