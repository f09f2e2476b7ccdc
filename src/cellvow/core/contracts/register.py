"""The three registers of a battery: who holds it, who owns it, who answers for it in law."""

from typing import Literal

from cellvow.core.contracts.contract import Battery, Context, Count, Record
from cellvow.core.primitives.errors import fail

RegisterName = Literal["custody", "ownership", "responsibility"]
CUSTODY, OWNERSHIP, RESPONSIBILITY = "custody", "ownership", "responsibility"
REGISTERS = (CUSTODY, OWNERSHIP, RESPONSIBILITY)
"""Three different things: a carrier holds, a bank owns, a producer answers."""


class RegisterRecord(Record, frozen=True, kw_only=True):
    """`custody/ID`, `ownership/ID`, `responsibility/ID`: the organisation in that register, and since when."""

    battery: Battery
    organisation: str
    since_ms: Count


def register_key(register: str, battery: str) -> str:
    """Where a register of a battery lies in the state map."""
    return f"{register}/{battery}"


def get_register(context: Context, register: str, battery: str) -> RegisterRecord:
    """A register of a registered battery: there is one from its birth on."""
    record = context.get(RegisterRecord, register_key(register, battery))
    if record is None:
        fail(f"battery {battery} is registered without a {register} record")
    return record


def put_register(context: Context, register: str, battery: str, organisation: str, *, is_return: bool = False) -> None:
    """Let a register name an organisation from this block on; one that names it already stays as it is.

    `is_return`: the organisation had given it away in between, so that it has it anew.
    """
    key = register_key(register, battery)
    known = context.get(RegisterRecord, key)
    if known is not None and known.organisation == organisation and not is_return:
        return
    record = RegisterRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=battery,
        organisation=organisation,
        since_ms=context.time_ms,
    )
    context.put(key, record)
