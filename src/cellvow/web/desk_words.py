"""The closed vocabularies of the desk: states, causes, faults and verdicts that its pages put into words."""

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
    "desk_place": ("desk", "import", "receive", "handovers", "batteries", "links", "invitations"),
    "desk_state": ("waiting", "running", "done", "refused", "failed"),
    "desk_step": ("reading", "evaluating", "archiving"),
    "invitation_state": ("in_force", "done", "revoked", "expired"),
    "invitation_step": ("apply", "vote", "enrol", "take", "sign"),
    "link_scope": ("health", "history"),
    "link_state": ("in_force", "revoked", "expired"),
    "link_verdict": ("opened", "unknown", "other_battery", "revoked", "expired", "not_owner"),
}
"""Kind -> its words, as `VOCABULARIES` has them."""
