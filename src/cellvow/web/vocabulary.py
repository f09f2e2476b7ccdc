"""The closed vocabularies that pages put into words: each word of each has a text in every catalogue."""

from cellvow.core.contracts.battery import CATEGORIES, STATUSES
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.safety import SAFETY_STATES
from cellvow.core.primitives.quantity import CLASSES, UNITS
from cellvow.web.desk_words import DESK_WORDS
from cellvow.web.network_words import NETWORK_WORDS
from cellvow.web.verdict_vocabulary import VERDICT_WORDS

CURVE_QUANTITY = "discharge_curve"
STATES = ("issued", "superseded", "revoked", "invalidated", "expired")
EVENTS = (
    "AttestationIssued",
    "AttestationRevoked",
    "AttestationSuperseded",
    "BatteryInstalled",
    "BatteryRegistered",
    "BatteryUninstalled",
    "CertificateIssued",
    "DocumentPublished",
    "HandoverAccepted",
    "HandoverDeclined",
    "HandoverOffered",
    "HandoverWithdrawn",
    "IncidentReported",
    "ModelRegistered",
    "SafetyAssessed",
    "SoftwareReset",
    "SoftwareUpdated",
    "StatementCorrected",
    "VerdictRecorded",
    "WorkOrderWithdrawn",
    "WorkOrdered",
    "WorkRecorded",
)
"""Recorded events that can be a step of a battery's life or change what its page shows."""
MESSAGES = (
    "AcceptHandover",
    "Anchor",
    "AppointGuardians",
    "ApproveRecovery",
    "AssessSafety",
    "CastVote",
    "CompleteRecovery",
    "CorrectStatement",
    "DeclineHandover",
    "InstallBattery",
    "IssueAttestation",
    "OfferHandover",
    "OpenRecovery",
    "OrderWork",
    "Propose",
    "PublishDocument",
    "RaiseFloor",
    "RecordVerdict",
    "RecordWork",
    "RegisterBattery",
    "RegisterKey",
    "RegisterModel",
    "ReportIncident",
    "ResetSoftware",
    "RevokeAttestation",
    "RevokeKey",
    "RotateRootKey",
    "UninstallBattery",
    "UpdateSoftware",
    "VetoRecovery",
    "WithdrawHandover",
    "WithdrawOrder",
    "WithdrawProposal",
)
"""Messages that a proof can be of."""

VOCABULARIES: dict[str, tuple[str, ...]] = {
    "basis": ("rated capacity", "measured capacity", "recorded in the file", "declared, not recorded"),
    "category": CATEGORIES,
    "cause": ("typing_error", "wrong_unit", "wrong_document", "wrong_value", "other"),
    "class": CLASSES,
    "event": EVENTS,
    "fact": (
        "category",
        "chemistry",
        "facility",
        "maker",
        "manufactured_on",
        "mass_g",
        "model",
        "nominal_voltage_mv",
        "rated_capacity_mah",
        "voltage_max_mv",
        "voltage_min_mv",
    ),
    "message": MESSAGES,
    "note": ("one_demo",),
    "predicate": ("at_least", "at_most"),
    "quantity": (*UNITS, CURVE_QUANTITY),
    "register": REGISTERS,
    "registers": REGISTERS,
    "safety": SAFETY_STATES,
    "state": STATES,
    "status": STATUSES,
    **DESK_WORDS,
    **NETWORK_WORDS,
    **VERDICT_WORDS,
}
"""Kind -> its words; the catalogue's key is `KIND.WORD`, with underscores for what is no letter or digit."""
