"""What the members may set by vote, with the values that hold until they do, and the ruleset they activated."""

from typing import Literal, NamedTuple

from cellvow.core.contracts.contract import Context, Count, Record, require
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import PROPOSALS_OPEN_MAX

HOUR_MS = 3_600_000
YEAR_MS = 365 * 24 * HOUR_MS
RULESET_KEY = "ruleset"
"""Where the ruleset that a vote activated lies in the state map."""
_PARTS_MAX = 1_000

ParameterName = Literal[
    "proposals_open_max",
    "threshold.accreditation",
    "threshold.distrust",
    "threshold.member",
    "threshold.parameter",
    "threshold.role",
    "threshold.ruleset",
    "threshold.validator",
    "voting_ms_max",
]


class Setting(NamedTuple):
    """The value of a parameter; of a threshold, more than `amount` parts out of `out_of` must approve."""

    amount: int
    out_of: int | None = None


DEFAULTS: dict[str, Setting] = {
    "proposals_open_max": Setting(8),
    "threshold.accreditation": Setting(1, 2),
    "threshold.distrust": Setting(1, 2),
    "threshold.member": Setting(2, 3),
    "threshold.parameter": Setting(2, 3),
    "threshold.role": Setting(1, 2),
    "threshold.ruleset": Setting(2, 3),
    "threshold.validator": Setting(2, 3),
    "voting_ms_max": Setting(90 * 24 * HOUR_MS),
}
"""What holds until a vote sets it. Who belongs, who validates and by which rules takes more than two thirds."""
BOUNDS = {"proposals_open_max": (1, PROPOSALS_OPEN_MAX), "voting_ms_max": (HOUR_MS, YEAR_MS)}
"""The least and the most of what is no threshold."""


# Records


class ParameterRecord(Record, frozen=True, kw_only=True):
    """`parameter/NAME`: what a vote has set."""

    name: ParameterName
    amount: Count
    out_of: Count | None = None


class RulesetRecord(Record, frozen=True, kw_only=True):
    """`ruleset`: the rules a vote has activated, and the first block they judged."""

    ruleset: Count
    since_height: Count


# Rules


def parameter_key(name: str) -> str:
    """Where a parameter lies in the state map."""
    return f"parameter/{name}"


def get_parameter(context: Context, name: str) -> Setting:
    """The value of a parameter in force."""
    record = context.get(ParameterRecord, parameter_key(name))
    return DEFAULTS[name] if record is None else Setting(record.amount, record.out_of)


def get_ruleset_version(context: Context) -> int:
    """The ruleset in force, what took effect in this block included."""
    record = context.get(RulesetRecord, RULESET_KEY)
    return context.ruleset if record is None else max(record.ruleset, context.ruleset)


def require_setting(name: str, setting: Setting) -> None:
    """Raise `Rejected` unless the parameter may have this value.

    A threshold is at least a half, so that no two opposite decisions pass, and less than all, so that it can be passed.
    """
    amount, out_of = setting
    if name in BOUNDS:
        least, most = BOUNDS[name]
        require(out_of is None and least <= amount <= most, Reason.WRONG_PARAMETER, name=name)
    else:
        is_part = out_of is not None and out_of <= _PARTS_MAX and amount < out_of <= 2 * amount
        require(is_part, Reason.WRONG_PARAMETER, name=name)
