"""The closed vocabularies of how a unit stands: its safety, what is disputed, what it became, how it is used."""

from typing import get_args

from cellvow.core.contracts.assembly import Level
from cellvow.core.contracts.battery import VoidingCause
from cellvow.core.contracts.contract import Contest
from cellvow.core.contracts.dispute_file import DisputeState, Topic, Verdict
from cellvow.core.contracts.life import RestCause, WasteCause
from cellvow.core.contracts.lineage import Operation
from cellvow.core.contracts.safety import SAFETY_STATES, IncidentKind, Severity
from cellvow.core.contracts.second_life import Application
from cellvow.core.contracts.software import Component
from cellvow.core.contracts.takeover import Cause
from cellvow.core.contracts.use import Purpose, WorkKind

UNIT_WORDS: dict[str, tuple[str, ...]] = {
    "application": get_args(Application),
    "component": get_args(Component),
    "dispute_outcome": get_args(Verdict),
    "dispute_state": (*(one for one in get_args(DisputeState) if one not in ("open", "decided")), "lapsed"),
    "grade_state": ("invalidated", "expired"),
    "incident": get_args(IncidentKind),
    "into": get_args(Purpose),
    "level": get_args(Level),
    "operation": get_args(Operation),
    "rest": tuple(dict.fromkeys((*get_args(WasteCause), *get_args(RestCause)))),
    "safety_advice": SAFETY_STATES,
    "safety_state": SAFETY_STATES,
    "severity": get_args(Severity),
    "takeover_cause": get_args(Cause),
    "topic": (*get_args(Contest), *get_args(Topic)),
    "use": (
        "installed",
        "removed",
        "decommissioned",
        "waste",
        "next_service",
        "work",
        "software",
        "software_reset",
        "maker_released",
        "grade",
        "grade_unfit",
        "grade_over",
        "document",
    ),
    "voiding": (*get_args(VoidingCause), "corrected"),
    "work": get_args(WorkKind),
}
"""Kind -> its words, as `VOCABULARIES` has them."""
