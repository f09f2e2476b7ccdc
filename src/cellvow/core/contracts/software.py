"""Software of units: what runs on which component, and the reset that releases the original maker.

Regulation (EU) 2023/1542, Article 14(3): once the battery management system was reset, its maker is not liable for
what is uploaded to it later. That is recorded with the reset itself as its proof, and never taken back.
"""

from typing import Annotated, Literal

from cellvow.core.contracts.battery import BatteryRecord, get_battery
from cellvow.core.contracts.contract import (
    WORLD,
    Battery,
    Context,
    Contract,
    Count,
    Hash,
    OfUnit,
    Provenance,
    Record,
    Schema,
    Term,
    require,
)
from cellvow.core.contracts.organisation import require_role
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.use import (
    INSTALLED,
    SERVICE_ROLES,
    InstallationRecord,
    find_order,
    installation_key,
    require_holder,
)
from cellvow.core.contracts.whole import stands
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason

RESETTING_ROLES = ("second_life_operator",)
"""Who prepares units for re-use or another purpose, and may need other software for it."""
BMS = "bms"
Component = Literal["bms", "cell_monitor", "thermal_control", "charger"]


# Records


class Release(Schema, frozen=True, kw_only=True):
    """That the original maker does not answer for software uploaded from here on, by whose reset, and since when."""

    organisation: str
    provenance: Provenance
    since_ms: Count


class SoftwareRecord(Record, frozen=True, kw_only=True):
    """`software/BATTERY/COMPONENT`: what runs on a unit's component, who installed it, and how."""

    battery: Battery
    component: Component
    release: Term
    digest: Hash
    installed_by: str
    installed_as: Literal["update", "reset"]
    since_ms: Count
    maker_released: Release | None = None


# Messages


class _OfSoftware(OfUnit, frozen=True, kw_only=True):
    component: Annotated[Component, WORLD]
    release: Annotated[Term, WORLD]
    digest: Annotated[Hash, WORLD]


class UpdateSoftware(_OfSoftware, frozen=True, kw_only=True):
    """Record that this release runs on a unit's component now; `digest` is that of the published software.

    Custody is not needed, since it may come over the air; some tie to the unit is: others rely on what is said to run.
    """


class ResetSoftware(_OfSoftware, frozen=True, kw_only=True):
    """Record that a component was reset and given this software by who prepares a unit he holds for another use.

    Of the battery management system this releases the original maker from liability for software uploaded later.
    """


# Rules


def software_key(battery: str, component: str) -> str:
    """Where what runs on a unit's component lies in the state map."""
    return f"software/{battery}/{component}"


def _require_tie(context: Context, unit: BatteryRecord) -> None:
    """Raise `Rejected` unless the signer made the unit, stands in a register, built it in, or was ordered to work."""
    place = context.get(InstallationRecord, installation_key(unit.battery))
    has_built_it_in = place is not None and place.state == INSTALLED and place.organisation == context.organisation
    is_named = any(stands(context, register, unit.battery) for register in REGISTERS)
    is_tied = is_named or has_built_it_in or context.organisation == unit.organisation
    require(is_tied or find_order(context, unit.battery) is not None, Reason.NO_OPEN_ORDER, battery=unit.battery)


# Handlers


def _update_software(context: Context, message: UpdateSoftware) -> list[Event]:
    unit = get_battery(context, message.battery)
    require_role(context, *SERVICE_ROLES)
    _require_tie(context, unit)
    before = context.get(SoftwareRecord, software_key(message.battery, message.component))
    is_new = before is None or (before.release, before.digest) != (message.release, message.digest)
    require(is_new, Reason.SOFTWARE_UNCHANGED, release=message.release)
    _put_software(context, message, before, "update", None if before is None else before.maker_released)
    return [{"type": "SoftwareUpdated", **_told(message)}]


def _reset_software(context: Context, message: ResetSoftware) -> list[Event]:
    unit = get_battery(context, message.battery)
    require_role(context, *RESETTING_ROLES)
    require_holder(context, message.battery)
    before = context.get(SoftwareRecord, software_key(message.battery, message.component))
    is_same = before is not None and (before.release, before.digest) == (message.release, message.digest)
    is_repeated = is_same and before is not None and before.installed_as == "reset"
    require(not is_repeated, Reason.SOFTWARE_UNCHANGED, release=message.release)
    released = None if before is None else before.maker_released
    # Nobody releases himself: a maker who resets his own unit still answers for what he uploads to it.
    if released is None and message.component == BMS and context.organisation != unit.organisation:
        released = Release(organisation=context.organisation, provenance=context.provenance, since_ms=context.time_ms)
    _put_software(context, message, before, "reset", released)
    return [{"type": "SoftwareReset", **_told(message)}]


def _put_software(
    context: Context,
    message: _OfSoftware,
    before: SoftwareRecord | None,
    installed_as: Literal["update", "reset"],
    released: Release | None,
) -> None:
    record = SoftwareRecord(
        provenance=context.provenance,
        version=1 if before is None else before.version + 1,
        battery=message.battery,
        component=message.component,
        release=message.release,
        digest=message.digest,
        installed_by=context.organisation,
        installed_as=installed_as,
        since_ms=context.time_ms,
        maker_released=released,
    )
    context.put(software_key(message.battery, message.component), record)


def _told(message: _OfSoftware) -> Event:
    return {"battery": message.battery, "component": message.component, "release": message.release}


CONTRACT = Contract("software", {UpdateSoftware: _update_software, ResetSoftware: _reset_software})
