"""The closed vocabularies of the desk: states, causes, faults and verdicts that its pages put into words."""

from cellvow.core.contracts.battery import STATUSES
from cellvow.core.contracts.register import REGISTERS
from cellvow.workspace.bulk import ALREADY, FAULTS, READY
from cellvow.workspace.bulk import KINDS as SHEET_KINDS
from cellvow.workspace.bulk_records import RESULTS, SHEET_STATES, SHOWS
from cellvow.workspace.holdings_pages import OFFERS
from cellvow.workspace.waiting import KINDS

UNIT_STATUSES = (*STATUSES, "succeeded", "recycled", "destroyed")
"""What a unit of the desk can be: a status of the law, or how it ended."""
DESK_PLACES = (
    "desk",
    "units",
    "disputes",
    "seconds",
    "sheets",
    "import",
    "receive",
    "handovers",
    "batteries",
    "links",
    "invitations",
)
"""What the head of a desk's page leads to, in this order."""
DESK_WORDS: dict[str, tuple[str, ...]] = {
    "desk_cause": ("crash", "deadline", "interrupted", "memory", "stopped", "workspace"),
    "desk_fault": (
        "battery",
        "battery_unknown",
        "capacity_unknown",
        "capacity_unsupported",
        "certificate_class",
        "certificate_standard",
        "expired",
        "no_result",
        "not_covered",
        "percent",
        "reference",
        "reference_used",
        "standard",
        "valid_until",
    ),
    "desk_place": DESK_PLACES,
    "sheet_fault": tuple(FAULTS),
    "sheet_kind": SHEET_KINDS,
    "sheet_row": (READY, ALREADY, *RESULTS),
    "sheet_show": SHOWS,
    "sheet_state": SHEET_STATES,
    "unit_offer": OFFERS,
    "unit_register": REGISTERS,
    "unit_status": UNIT_STATUSES,
    "waits": KINDS,
    "waits_more": KINDS,
    "desk_state": ("waiting", "running", "done", "refused", "failed"),
    "desk_step": ("reading", "evaluating", "archiving"),
    "invitation_state": ("in_force", "done", "revoked", "expired"),
    "invitation_step": ("apply", "vote", "enrol", "take", "sign"),
    "link_scope": ("health", "history"),
    "link_state": ("in_force", "revoked", "expired"),
    "link_verdict": ("opened", "unknown", "other_battery", "revoked", "expired", "not_owner"),
}
"""Kind -> its words, as `VOCABULARIES` has them."""
