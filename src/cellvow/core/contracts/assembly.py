"""What units are built of: the build of a model, and the sums over the parts of a unit.

Both are written by `part` and read where a unit becomes others, so they stand below both.
"""

from typing import Literal

from cellvow.core.contracts.contract import Battery, Context, Count, Gtin, Provenance, Record
from cellvow.core.ledger.rejection import Reason, Rejected

Level = Literal["cell", "module", "pack"]


# Records


class BuildRecord(Record, frozen=True, kw_only=True):
    """`build/GTIN`: what units of a model are - cell, module or pack - and how many cells they have."""

    gtin: Gtin
    organisation: str
    level: Level
    cells: Count
    corrects: Provenance | None = None


class AssemblyRecord(Record, frozen=True, kw_only=True):
    """`assembly/WHOLE`: how many direct parts a unit has, how many of them are packs, their mass and their cells.

    The peaks are the most that it ever had at once: what has left it since is no more in it.
    """

    battery: Battery
    parts: Count = 0
    packs: Count = 0
    mass_g: Count = 0
    cells: Count = 0
    mass_peak_g: Count = 0
    cells_peak: Count = 0


class AssembledRecord(Record, frozen=True, kw_only=True):
    """`assembled/GTIN`: that a unit of the model has been a part, or has had one: its level rests in a tree by now."""

    gtin: Gtin


# Rules


def build_key(gtin: str) -> str:
    """Where the build of a model lies in the state map."""
    return f"build/{gtin}"


def assembly_key(battery: str) -> str:
    """Where the sums over the parts of a unit lie in the state map."""
    return f"assembly/{battery}"


def assembled_key(gtin: str) -> str:
    """Where it lies in the state map that a unit of the model has been a part, or has had one."""
    return f"assembled/{gtin}"


def find_build(context: Context, gtin: str) -> BuildRecord | None:
    """What units of the model are, or None where nobody has said."""
    return context.get(BuildRecord, build_key(gtin))


def get_build(context: Context, gtin: str) -> BuildRecord:
    """What units of the model are, or `Rejected`."""
    record = find_build(context, gtin)
    if record is None:
        raise Rejected(Reason.MODEL_NOT_DESCRIBED, gtin=gtin)
    return record


def get_assembly(context: Context, battery: str) -> AssemblyRecord:
    """The sums over the parts of a unit: nothing where it never had any."""
    known = context.get(AssemblyRecord, assembly_key(battery))
    return AssemblyRecord(provenance=context.provenance, version=0, battery=battery) if known is None else known


def put_assembled(context: Context, gtin: str) -> None:
    """Note that a unit of the model is a part now, or has one; once is enough."""
    key = assembled_key(gtin)
    if context.get_bytes(key) is None:
        context.put(key, AssembledRecord(provenance=context.provenance, gtin=gtin))
