"""The changes that members decide by vote: what each says, when it can be applied, and what it does to the records.

A change is judged twice: when it is proposed, so that nobody votes in vain, and when it takes effect, because other
changes may have come first. There it lapses instead of applying; it never stops a block.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from cellvow.core.contracts.contract import WORLD, Context, Count, Hash, Member, Schema, Term, require
from cellvow.core.contracts.electorate import count_members, get_validators, put_roll
from cellvow.core.contracts.organisation import (
    KeyIdText,
    MembershipRecord,
    end_all_keys,
    get_organisation,
    is_member,
    mark_compromised,
    membership_key,
    put_organisation,
    put_root_key,
    require_new_key,
)
from cellvow.core.contracts.parameter import (
    RULESET_KEY,
    ParameterName,
    ParameterRecord,
    RulesetRecord,
    Setting,
    get_ruleset_version,
    parameter_key,
    require_setting,
)
from cellvow.core.ledger.genesis import (
    FIRST_ROLES,
    LATER_ROLES_SINCE,
    ROLES,
    Accreditation,
    Organisation,
    encode_organisation,
    parse_organisation,
    roles_since,
)
from cellvow.core.ledger.key import ROOT, KeyRecord, key_record_key, parse_key_record
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.ledger.validator import VALIDATORS_KEY, Validator, encode_validators, order_validators
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import (
    ACCREDITATIONS_MAX,
    ACCREDITED_QUANTITIES_MAX,
    ROOT_KEYS_MAX,
    VALIDATOR_POWER_MAX,
    VALIDATORS_MAX,
)
from cellvow.core.primitives.signature import is_valid_public_key

Role = Literal[
    "manufacturer",
    "vehicle_maker",
    "importer",
    "laboratory",
    "operator",
    "workshop",
    "second_life_operator",
    "recycler",
    "authority",
    "insurer",
    "buyer",
    "producer_responsibility_organisation",
]
Roles = Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, max_length=len(ROLES))]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{1,39}\Z")]
Power = Annotated[int, msgspec.Meta(ge=1, le=VALIDATOR_POWER_MAX)]


# Changes


class Scope(Schema, frozen=True, kw_only=True):
    """One accreditation: a standard, its edition, the quantities it covers, and its end."""

    standard: Annotated[Term, WORLD]
    edition: Annotated[Term, WORLD]
    quantities: Annotated[tuple[Quantity, ...], msgspec.Meta(min_length=1, max_length=ACCREDITED_QUANTITIES_MAX), WORLD]
    valid_until_ms: Annotated[Count, WORLD]


class _Change(Schema, frozen=True, tag=True, tag_field="type", kw_only=True):
    pass


class AdmitMember(_Change, frozen=True, kw_only=True):
    """Admit an organisation with its root keys, one that was removed included."""

    organisation: Annotated[Member, WORLD]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80), WORLD]
    roles: Annotated[Roles, WORLD]
    root_keys: Annotated[tuple[Hash, ...], msgspec.Meta(min_length=1, max_length=ROOT_KEYS_MAX), WORLD]


class RemoveMember(_Change, frozen=True, kw_only=True):
    """Remove a member: its keys end, its validators go; what it said stays."""

    organisation: Annotated[Member, WORLD]


class ChangeRoles(_Change, frozen=True, kw_only=True):
    """Give a member these roles, and no others."""

    organisation: Annotated[Member, WORLD]
    roles: Annotated[Roles, WORLD]


class Accredit(_Change, frozen=True, kw_only=True):
    """Record these accreditations of a member, and no others."""

    organisation: Annotated[Member, WORLD]
    accreditations: Annotated[tuple[Scope, ...], msgspec.Meta(max_length=ACCREDITATIONS_MAX), WORLD]


class AdmitValidator(_Change, frozen=True, kw_only=True):
    """Admit a validator of a member, or give the one it has another voting power."""

    organisation: Annotated[Member, WORLD]
    public_key: Annotated[Hash, WORLD]
    power: Annotated[Power, WORLD]


class RemoveValidator(_Change, frozen=True, kw_only=True):
    """Remove one validator; its organisation stays a member."""

    public_key: Annotated[Hash, WORLD]


class SetParameter(_Change, frozen=True, kw_only=True):
    """Set a parameter; of a threshold, more than `amount` parts out of `out_of` must approve."""

    name: Annotated[ParameterName, WORLD]
    amount: Annotated[Count, WORLD]
    out_of: Annotated[Count | None, WORLD] = None


class ActivateRuleset(_Change, frozen=True, kw_only=True):
    """Judge by a newer ruleset; software that does not know it stops there and asks to be upgraded."""

    ruleset: Annotated[Count, WORLD]


class Distrust(_Change, frozen=True, kw_only=True):
    """End a key of anybody, root keys included, at once, and mark what it signed since as suspect."""

    kid: Annotated[KeyIdText, WORLD]
    since_ms: Annotated[Count, WORLD]


Change: TypeAlias = (
    AdmitMember
    | RemoveMember
    | ChangeRoles
    | Accredit
    | AdmitValidator
    | RemoveValidator
    | SetParameter
    | ActivateRuleset
    | Distrust
)

THRESHOLDS: dict[type[Any], str] = {
    AdmitMember: "threshold.member",
    RemoveMember: "threshold.member",
    ChangeRoles: "threshold.role",
    Accredit: "threshold.accreditation",
    AdmitValidator: "threshold.validator",
    RemoveValidator: "threshold.validator",
    SetParameter: "threshold.parameter",
    ActivateRuleset: "threshold.ruleset",
    Distrust: "threshold.distrust",
}
"""By which parameter a change is decided."""


# Rules


def change_since(change: Change) -> int:
    """The first ruleset whose words the change is said in: a role that came later, or more than there were before."""
    if not isinstance(change, AdmitMember | ChangeRoles):
        return 1
    return LATER_ROLES_SINCE if len(change.roles) > len(FIRST_ROLES) else roles_since(change.roles)


def require_applicable(context: Context, change: Change) -> None:
    """Raise `Rejected` unless the change could take effect as things stand."""
    require_rule, _ = _RULES[type(change)]
    require_rule(context, change)


def apply_change(context: Context, change: Change) -> None:
    """Write what the change says into the records; raises `Rejected` where it cannot be applied any more."""
    require_rule, write = _RULES[type(change)]
    require_rule(context, change)
    write(context, change)


def _require_member(context: Context, organisation: str) -> Organisation:
    member = get_organisation(context, organisation)
    if member is None:
        raise Rejected(Reason.UNKNOWN_ORGANISATION, organisation=organisation)
    return member


def _require_distinct(words: tuple[str, ...], field: str) -> None:
    require(len(words) == len(dict.fromkeys(words)), Reason.MALFORMED_MESSAGE, field=field)


def _require_admissible(context: Context, change: AdmitMember) -> None:
    taken = is_member(context.get_bytes, change.organisation)
    require(not taken, Reason.ORGANISATION_EXISTS, organisation=change.organisation)
    _require_distinct(change.roles, "roles")
    _require_distinct(change.root_keys, "root_keys")
    for public_key in change.root_keys:
        require_new_key(context, public_key)
    try:
        parse_organisation(encode_organisation(_admitted(change)))
    except Malformed as error:
        raise Rejected(Reason.MALFORMED_MESSAGE, field="name") from error


def _admitted(change: AdmitMember) -> Organisation:
    return Organisation(change.organisation, change.name, change.roles, change.root_keys)


def _admit_member(context: Context, change: AdmitMember) -> None:
    put_roll(context, count_members(context) + 1)
    put_organisation(context, _admitted(change))
    for public_key in change.root_keys:
        put_root_key(context, change.organisation, public_key)
    _put_membership(context, change.organisation, "admitted")


def _put_membership(context: Context, organisation: str, state: Literal["admitted", "removed"]) -> None:
    key = membership_key(organisation)
    known = context.get(MembershipRecord, key)
    record = MembershipRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        organisation=organisation,
        state=state,
        since_height=context.height,
    )
    context.put(key, record)


def _require_removable(context: Context, change: RemoveMember) -> None:
    _require_member(context, change.organisation)
    validators = get_validators(context)
    others = [one for one in validators if one.organisation != change.organisation]
    left = len(others) if validators else count_members(context) - 1
    require(left > 0, Reason.LAST_OF_THE_ELECTORATE, organisation=change.organisation)


def _remove_member(context: Context, change: RemoveMember) -> None:
    put_roll(context, count_members(context) - 1)
    validators = get_validators(context)
    others = tuple(one for one in validators if one.organisation != change.organisation)
    if others != validators:
        _put_validators(context, others)
    end_all_keys(context, change.organisation)
    _put_membership(context, change.organisation, "removed")


def _require_roles(context: Context, change: ChangeRoles) -> None:
    _require_member(context, change.organisation)
    _require_distinct(change.roles, "roles")


def _change_roles(context: Context, change: ChangeRoles) -> None:
    member = _require_member(context, change.organisation)
    put_organisation(context, replace(member, roles=change.roles))


def _require_scopes(context: Context, change: Accredit) -> None:
    _require_member(context, change.organisation)
    for scope in change.accreditations:
        _require_distinct(scope.quantities, "quantities")


def _accredit(context: Context, change: Accredit) -> None:
    member = _require_member(context, change.organisation)
    accreditations = tuple(
        Accreditation(one.standard, one.edition, one.quantities, one.valid_until_ms) for one in change.accreditations
    )
    put_organisation(context, replace(member, accreditations=accreditations))


def _require_validator(context: Context, change: AdmitValidator) -> None:
    _require_member(context, change.organisation)
    validators = get_validators(context)
    require(len(validators) > 0, Reason.NOT_A_CONSORTIUM)
    require(is_valid_public_key(bytes.fromhex(change.public_key)), Reason.INVALID_PUBLIC_KEY)
    known = [one for one in validators if one.public_key == change.public_key]
    changes = all(one.organisation == change.organisation and one.power != change.power for one in known)
    require(changes, Reason.VALIDATOR_EXISTS)
    require(len(validators) - len(known) < VALIDATORS_MAX, Reason.TOO_MANY_VALIDATORS)


def _admit_validator(context: Context, change: AdmitValidator) -> None:
    others = tuple(one for one in get_validators(context) if one.public_key != change.public_key)
    _put_validators(context, (*others, Validator(change.organisation, change.public_key, change.power)))


def _put_validators(context: Context, validators: tuple[Validator, ...]) -> None:
    context.put_bytes(VALIDATORS_KEY, encode_validators(order_validators(validators)))


def _require_removable_validator(context: Context, change: RemoveValidator) -> None:
    validators = get_validators(context)
    others = [one for one in validators if one.public_key != change.public_key]
    require(len(others) < len(validators), Reason.UNKNOWN_VALIDATOR)
    require(len(others) > 0, Reason.LAST_OF_THE_ELECTORATE)


def _remove_validator(context: Context, change: RemoveValidator) -> None:
    others = tuple(one for one in get_validators(context) if one.public_key != change.public_key)
    _put_validators(context, others)


def _require_parameter(_context: Context, change: SetParameter) -> None:
    require_setting(change.name, Setting(change.amount, change.out_of))


def _set_parameter(context: Context, change: SetParameter) -> None:
    known = context.get(ParameterRecord, parameter_key(change.name))
    record = ParameterRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        name=change.name,
        amount=change.amount,
        out_of=change.out_of,
    )
    context.put(parameter_key(change.name), record)


def _require_newer(context: Context, change: ActivateRuleset) -> None:
    current = get_ruleset_version(context)
    require(change.ruleset > current, Reason.RULESET_NOT_NEWER, current=current)


def _activate_ruleset(context: Context, change: ActivateRuleset) -> None:
    known = context.get(RulesetRecord, RULESET_KEY)
    record = RulesetRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        ruleset=change.ruleset,
        since_height=context.height,
    )
    context.put(RULESET_KEY, record)


def _require_key(context: Context, change: Distrust) -> KeyRecord:
    value = context.get_bytes(key_record_key(bytes.fromhex(change.kid)))
    if value is None:
        raise Rejected(Reason.NO_SUCH_KEY, kid=change.kid)
    record = parse_key_record(value)
    # A key in force ends whatever its mark says; one that has ended is touched only to mark more of what it signed.
    is_moved = record.revoked_height is None or record.compromised_since_ms is None
    is_moved = is_moved or change.since_ms < (record.compromised_since_ms or 0)
    require(is_moved and change.since_ms <= context.time_ms, Reason.MARK_NOT_EARLIER, kid=change.kid)
    return record


def _distrust(context: Context, change: Distrust) -> None:
    record = _require_key(context, change)
    mark_compromised(context, record, change.since_ms)
    member = get_organisation(context, record.organisation)
    if record.kind == ROOT and member is not None:
        kept = tuple(key for key in member.root_keys if key != record.public_key)
        # The form of the record asks for one: where the last is distrusted, its key record says that it has ended.
        put_organisation(context, replace(member, root_keys=kept or member.root_keys))


_Rule = tuple[Callable[[Context, Any], object], Callable[[Context, Any], None]]
_RULES: dict[type[Any], _Rule] = {
    AdmitMember: (_require_admissible, _admit_member),
    RemoveMember: (_require_removable, _remove_member),
    ChangeRoles: (_require_roles, _change_roles),
    Accredit: (_require_scopes, _accredit),
    AdmitValidator: (_require_validator, _admit_validator),
    RemoveValidator: (_require_removable_validator, _remove_validator),
    SetParameter: (_require_parameter, _set_parameter),
    ActivateRuleset: (_require_newer, _activate_ruleset),
    Distrust: (_require_key, _distrust),
}
