"""Parts of a unit: described, built in, taken out, replaced, shown as a tree; each change signed by its holder."""

from cellvow.core.contracts.assembly import BuildRecord, build_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.part import (
    DescribeModel,
    InstallPart,
    RemovePart,
    ReplacePart,
)
from cellvow.core.contracts.whole import derive_wholes
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.protocol.transition import Read
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.passport.parts import Tree, derive_tree
from cellvow.workspace.commands import correct, submit_message
from cellvow.workspace.workspace import Workspace


def describe_model(session: LedgerSession, workspace: Workspace, gtin: str, level: str, cells: int) -> Receipted:
    """Say of one's own model what its units are - cell, module or pack - and how many cells they have."""
    message = DescribeModel(gtin=gtin, level=level, cells=cells)  # type: ignore[arg-type]  # the CLI offers the levels
    return submit_message(session, workspace, message)


def correct_description(
    session: LedgerSession, workspace: Workspace, gtin: str, level: str | None, cells: int | None, cause: str
) -> Receipted:
    """Correct what one said of one's own model; what is not given stays as it stands."""
    value = session.engine.state.get(build_key(gtin))
    if value is None:
        raise Rejected(Reason.MODEL_NOT_DESCRIBED, gtin=gtin)
    build = decode_record(BuildRecord, value)
    replacement = DescribeModel(gtin=gtin, level=level or build.level, cells=cells or build.cells)  # type: ignore[arg-type]  # the CLI offers the levels
    return correct(session, workspace, build.provenance, replacement, cause)


def install_part(
    session: LedgerSession,
    workspace: Workspace,
    whole: str,
    part: str,
    position: str | None = None,
    *,
    claim: bool = False,
) -> Receipted:
    """Build a part into a unit one holds.

    Where another organisation has it in a unit of its own nothing is signed, unless one wants to `claim` before all
    that it is in this one.
    """
    read = session.engine.state.get
    elsewhere = _get_unit(read, part).part_of
    if elsewhere is not None and not claim:
        raise Rejected(Reason.PART_OF_ANOTHER, battery=elsewhere)
    _get_unit(read, whole)
    message = InstallPart(battery=whole, part=part, above=derive_wholes(read, whole), position=position)
    return submit_message(session, workspace, message)


def remove_part(session: LedgerSession, workspace: Workspace, part: str, cause: str) -> Receipted:
    """Take a part out of the unit that it is in."""
    whole, above = _get_whole(session.engine.state.get, part)
    message = RemovePart(battery=whole, part=part, above=above, cause=cause)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message)


def replace_part(
    session: LedgerSession,
    workspace: Workspace,
    removed: str,
    installed: str,
    cause: str,
    position: str | None = None,
) -> Receipted:
    """Put one part in the place of another, in the unit that the other is in."""
    whole, above = _get_whole(session.engine.state.get, removed)
    message = ReplacePart(
        battery=whole,
        removed=removed,
        installed=installed,
        above=above,
        position=position,
        cause=cause,  # type: ignore[arg-type]  # the CLI offers the causes
    )
    return submit_message(session, workspace, message)


def read_tree(home: NodeHome, battery: str) -> Tree:
    """The parts of a unit as the ledger has them now, or `Rejected` where it knows no such unit."""
    store = home.open_reader()
    try:
        tree = derive_tree(store.get, lambda prefix: [key for key, _ in store.records(prefix)], battery)
    finally:
        store.close()
    if tree is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return tree


def _get_unit(read: Read, battery: str) -> BatteryRecord:
    value = read(battery_key(battery))
    if value is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return decode_record(BatteryRecord, value)


def _get_whole(read: Read, part: str) -> tuple[str, tuple[str, ...]]:
    """The unit that a part is in, and the units around that one."""
    _get_unit(read, part)
    wholes = derive_wholes(read, part)
    if not wholes:
        raise Rejected(Reason.NOT_ITS_PART, battery=part)
    return wholes[0], wholes[1:]
