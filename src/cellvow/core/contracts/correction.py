"""Corrections: a statement that points at an earlier one of the same signer and says how it should have read.

Nothing is deleted: the record names the statement it corrects, and views show both.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.assembly import BuildRecord, assembled_key, build_key
from cellvow.core.contracts.attestation import (
    AttestationRecord,
    IssueAttestation,
    attestation_key,
    derive_attestation,
    drop_signs,
    require_consistent,
    require_sound,
)
from cellvow.core.contracts.battery import (
    BatteryRecord,
    ModelRecord,
    RegisterBattery,
    RegisterModel,
    battery_key,
    derive_model,
    find_battery,
    model_key,
    require_birthday,
    require_plausible,
)
from cellvow.core.contracts.contract import (
    WORLD,
    Context,
    Contract,
    Count,
    Hash,
    Message,
    Record,
    RecordType,
    Schema,
    require,
)
from cellvow.core.contracts.part import DescribeModel, derive_build, require_sound_build
from cellvow.core.contracts.second_life import require_successor_day
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected

DESCRIPTIONS_SINCE = 3
"""The first ruleset that has descriptions of models, and corrects them."""


# Messages


class StatementReference(Schema, frozen=True, kw_only=True):
    """Message `index` of the statement with this digest."""

    statement: Annotated[Hash, WORLD]
    index: Annotated[Count, WORLD]


class CorrectStatement(Message, frozen=True, kw_only=True):
    """Replace what one's own earlier statement said; the identifier it is about cannot change."""

    corrects: Annotated[StatementReference, WORLD]
    cause: Annotated[Literal["typing_error", "wrong_unit", "wrong_document", "wrong_value", "other"], WORLD]
    replacement: Annotated[RegisterModel | RegisterBattery | IssueAttestation | DescribeModel, WORLD]

    @property
    def subject(self) -> str:
        """What the corrected statement is about."""
        return self.replacement.subject

    @property
    def since(self) -> int:
        """The first ruleset that corrects such a statement."""
        return DESCRIPTIONS_SINCE if isinstance(self.replacement, DescribeModel) else 1


# Rules


def _get_corrected(context: Context, message: CorrectStatement, record_type: type[RecordType], key: str) -> RecordType:
    record = context.get(record_type, key)
    named = message.corrects
    if record is None:
        raise Rejected(Reason.NOT_THE_CURRENT_STATEMENT)
    require(_owner(record) == context.organisation, Reason.NOT_YOUR_STATEMENT)
    stated = getattr(record, "born", None) or record.provenance
    stems = (stated.statement, stated.index) == (named.statement, named.index)
    require(stems, Reason.NOT_THE_CURRENT_STATEMENT, statement=named.statement)
    return record


def _owner(record: Record) -> str:
    return str(getattr(record, "organisation", ""))


# Handlers


def _correct(context: Context, message: CorrectStatement) -> list[Event]:
    replacement = message.replacement
    if isinstance(replacement, RegisterModel):
        _correct_model(context, message, replacement)
    elif isinstance(replacement, RegisterBattery):
        _correct_battery(context, message, replacement)
    elif isinstance(replacement, DescribeModel):
        _correct_description(context, message, replacement)
    else:
        _correct_attestation(context, message, replacement)
    return [
        {
            "type": "StatementCorrected",
            "statement": message.corrects.statement,
            "index": message.corrects.index,
            "subject": message.subject,
        }
    ]


def _correct_model(context: Context, message: CorrectStatement, replacement: RegisterModel) -> None:
    require_plausible(replacement)
    key = model_key(replacement.gtin)
    old = _get_corrected(context, message, ModelRecord, key)
    new = msgspec.structs.replace(derive_model(context, replacement), version=old.version + 1, corrects=old.provenance)
    _put_if_changed(context, key, old, new)


def _correct_description(context: Context, message: CorrectStatement, replacement: DescribeModel) -> None:
    """The number of cells as the mass of a model at any time; the level until a unit of it is in a tree of parts.

    What is built in already counts in the sums of its whole as it did; how deep a tree may be rests on the levels.
    """
    require_sound_build(replacement)
    key = build_key(replacement.gtin)
    old = _get_corrected(context, message, BuildRecord, key)
    is_free = old.level == replacement.level or context.get_bytes(assembled_key(replacement.gtin)) is None
    require(is_free, Reason.MODEL_ASSEMBLED, gtin=replacement.gtin)
    new = msgspec.structs.replace(derive_build(context, replacement), version=old.version + 1, corrects=old.provenance)
    _put_if_changed(context, key, old, new)


def _correct_battery(context: Context, message: CorrectStatement, replacement: RegisterBattery) -> None:
    key = battery_key(replacement.battery)
    old = _get_corrected(context, message, BatteryRecord, key)
    require_birthday(context, replacement.manufactured_on)
    require_successor_day(context, replacement.battery, replacement.manufactured_on)
    # What was reconstructed is never made to look as if it had been recorded when it happened.
    is_kept = old.backfill is None or replacement.backfill is not None
    require(is_kept, Reason.MALFORMED_MESSAGE, field="backfill")
    new = msgspec.structs.replace(
        old,
        manufactured_on=replacement.manufactured_on,
        facility=replacement.facility,
        backfill=replacement.backfill,
        provenance=context.provenance,
        version=old.version + 1,
        epoch=old.epoch + 1,  # certificates rest on the registration as it stood: they are invalidated
        born=None,
        corrects=old.born or old.provenance,
    )
    stated = ("manufactured_on", "facility", "backfill")
    require(any(getattr(new, name) != getattr(old, name) for name in stated), Reason.NOTHING_CHANGES)
    context.put(key, new)


def _correct_attestation(context: Context, message: CorrectStatement, replacement: IssueAttestation) -> None:
    key = attestation_key(context.organisation, replacement.reference)
    old = _get_corrected(context, message, AttestationRecord, key)
    require(old.state == "issued", Reason.NOT_IN_FORCE, reference=old.reference)
    require(old.battery == replacement.battery, Reason.OTHER_BATTERY, reference=old.reference)
    require(replacement.supersedes is None, Reason.MALFORMED_MESSAGE, field="supersedes")
    require_sound(context, replacement)
    drop_signs(context, old)
    require_consistent(context, replacement, old.epoch)
    new = msgspec.structs.replace(
        derive_attestation(context, replacement, find_battery(context, replacement.battery)),
        epoch=old.epoch,  # a correction does not bring back what a later event invalidated
        version=old.version + 1,
        corrects=old.provenance,
    )
    _put_if_changed(context, key, old, new)


def _put_if_changed(context: Context, key: str, old: RecordType, new: RecordType) -> None:
    same = msgspec.structs.replace(
        new, provenance=old.provenance, version=old.version, corrects=getattr(old, "corrects", None)
    )
    require(_content(same) != _content(old), Reason.NOTHING_CHANGES)
    context.put(key, new)


def _content(record: Record) -> dict[str, object]:
    ignored = ("issued_ms", "epoch")  # set by the block that carries it, not by the signer
    return {name: value for name, value in msgspec.structs.asdict(record).items() if name not in ignored}


CONTRACT = Contract("correction", {CorrectStatement: _correct})
