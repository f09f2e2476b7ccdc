"""The closed vocabularies that pages put into words: each word of each has a text in every catalogue."""

from typing import get_args

from cellvow.core.contracts.battery import CATEGORIES, STATUSES
from cellvow.core.contracts.contract import Contest
from cellvow.core.contracts.dispute_file import Topic
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.primitives.quantity import CLASSES, UNITS
from cellvow.web.desk_words import DESK_WORDS
from cellvow.web.network_words import NETWORK_WORDS
from cellvow.web.verdict_vocabulary import VERDICT_WORDS

CURVE_QUANTITY = "discharge_curve"
TOPICS: tuple[str, ...] = (*get_args(Contest), *get_args(Topic))
"""What a dispute can be about: claimed by a message, or opened in a member's own words."""
STATES = ("issued", "superseded", "revoked", "invalidated", "expired")
EVENTS = (
    "ArbiterNominated",
    "AttestationIssued",
    "AttestationRevoked",
    "AttestationSuperseded",
    "BatteryRegistered",
    "CertificateIssued",
    "DisputeDecided",
    "DisputeOpened",
    "DisputeSettled",
    "DisputeWithdrawn",
    "HandoverAccepted",
    "HandoverDeclined",
    "HandoverOffered",
    "HandoverWithdrawn",
    "ModelRegistered",
    "PositionStated",
    "SettlementProposed",
    "StatementCorrected",
    "TakeoverCompleted",
    "TakeoverNoticed",
    "TakeoverObjected",
    "TakeoverWithdrawn",
    "VerdictRecorded",
)
"""Recorded events that can be a step of a battery's life or change what its page shows."""
MESSAGES = (
    "AcceptHandover",
    "AcceptSettlement",
    "Anchor",
    "AppointGuardians",
    "ApproveRecovery",
    "CastVote",
    "CompleteRecovery",
    "CompleteTakeover",
    "CorrectStatement",
    "DecideDispute",
    "DeclineHandover",
    "GiveNotice",
    "IssueAttestation",
    "NominateArbiter",
    "ObjectToTakeover",
    "OfferHandover",
    "OpenDispute",
    "OpenRecovery",
    "Propose",
    "ProposeSettlement",
    "RaiseFloor",
    "RecordVerdict",
    "RegisterBattery",
    "RegisterKey",
    "RegisterModel",
    "RevokeAttestation",
    "RevokeKey",
    "RotateRootKey",
    "StatePosition",
    "VetoRecovery",
    "WithdrawDispute",
    "WithdrawHandover",
    "WithdrawNotice",
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
    "state": STATES,
    "status": STATUSES,
    "topic": TOPICS,
    **DESK_WORDS,
    **NETWORK_WORDS,
    **VERDICT_WORDS,
}
"""Kind -> its words; the catalogue's key is `KIND.WORD`, with underscores for what is no letter or digit."""
