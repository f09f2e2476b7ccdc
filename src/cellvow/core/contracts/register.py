"""The three registers of a battery: who holds it, who owns it, who answers for it in law."""

from cellvow.core.contracts.contract import Battery, Count, Record

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
