"""What a key may sign, by the work of whoever holds it: named sets of messages, so that nobody has to list them."""

from collections.abc import Sequence

from cellvow.workspace.commands import ALL_SCOPE

_OF_EVERYBODY = ("RaiseFloor", "Countersign", "WithdrawHeld")
"""His own counter; and a second signature, which reaches no further than what the key may sign itself."""

WORK: dict[str, tuple[str, ...]] = {
    "tester": (
        *("Anchor", "IssueAttestation", "RevokeAttestation", "CorrectStatement"),
        *("AssessSafety", "GradeUnit", "ReportIncident", "ReportSighting", *_OF_EVERYBODY),
    ),
    "dispatcher": (
        *("OfferHandover", "AcceptHandover", "DeclineHandover", "WithdrawHandover", "ReportSighting", *_OF_EVERYBODY),
    ),
    "clerk": (
        *("RegisterModel", "RegisterBattery", "DescribeModel", "CorrectStatement", "PublishDocument", *_OF_EVERYBODY),
    ),
    "technician": (
        *("InstallBattery", "UninstallBattery", "OrderWork", "WithdrawOrder", "RecordWork"),
        *("InstallPart", "RemovePart", "ReplacePart", "UpdateSoftware", "ResetSoftware"),
        *("ReportIncident", "ReportSighting", *_OF_EVERYBODY),
    ),
    "recycler": (
        *("BeginSecondLife", "Decommission", "DeclareWaste", "RecordRecycling", "RecordDestruction", *_OF_EVERYBODY),
    ),
    "counsel": (
        *("OpenDispute", "StatePosition", "NominateArbiter", "WithdrawDispute", "DecideDispute"),
        *("ProposeSettlement", "AcceptSettlement"),
        *("GiveNotice", "ObjectToTakeover", "CompleteTakeover", "WithdrawNotice", *_OF_EVERYBODY),
    ),
    "purchaser": ("RecordVerdict", "AcceptHandover", "DeclineHandover", *_OF_EVERYBODY),
    "delegate": ("Propose", "CastVote", "WithdrawProposal", *_OF_EVERYBODY),
    "signatory": ALL_SCOPE,
}
"""role -> the messages its keys may sign: tests, hand-overs, births, work on units, ends, disputes, or all of it."""

_WHOLE = ("RegisterBattery", "OfferHandover", "IssueAttestation", "CorrectStatement", "RecordVerdict")
"""What only a key for everything may sign together, of whatever release it is."""


def role_of(scope: Sequence[str]) -> str | None:
    """The role whose messages a scope lists, in any order; None for a selection of one's own."""
    return next((role for role, names in WORK.items() if sorted(names) == sorted(scope)), None)


def successor_scope(scope: Sequence[str]) -> tuple[str, ...]:
    """What the key that takes another's place may sign: what a newer release added too, if that was for everything.

    A key for one kind of work stays one: rotation makes no tester a dispatcher.
    """
    is_whole = not scope or all(name in scope for name in _WHOLE)
    return tuple(dict.fromkeys((*scope, *ALL_SCOPE))) if is_whole else tuple(scope)
