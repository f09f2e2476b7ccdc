"""Who votes: the organisations that run a validator, and every member of a ledger that has none."""

from cellvow.core.contracts.contract import Context, Count, Record
from cellvow.core.contracts.organisation import is_member
from cellvow.core.ledger.validator import VALIDATORS_KEY, Validator, parse_validators

ROLL_KEY = "roll"
"""Where the number of members lies in the state map, once a vote was called or has changed it."""


# Records


class RollRecord(Record, frozen=True, kw_only=True):
    """`roll`: how many members there are."""

    members: Count


# Rules


def get_validators(context: Context) -> tuple[Validator, ...]:
    """The validators as of now; none on a ledger of one writer."""
    value = context.get_bytes(VALIDATORS_KEY)
    return () if value is None else parse_validators(value)


def count_members(context: Context) -> int:
    """How many members there are. Until a vote changes that, genesis named them all."""
    roll = context.get(RollRecord, ROLL_KEY)
    return len(context.keys("organisation/")) if roll is None else roll.members


def put_roll(context: Context, members: int) -> None:
    """Write how many members there are."""
    roll = context.get(RollRecord, ROLL_KEY)
    version = 1 if roll is None else roll.version + 1
    context.put(ROLL_KEY, RollRecord(provenance=context.provenance, version=version, members=members))


def list_electors(validators: tuple[Validator, ...]) -> list[str]:
    """The organisations that run these validators, each once."""
    return sorted(dict.fromkeys(validator.organisation for validator in validators))


def count_electorate(context: Context) -> int:
    """How many organisations may vote now."""
    validators = get_validators(context)
    return len(list_electors(validators)) if validators else count_members(context)


def select_electors(context: Context, organisations: tuple[str, ...]) -> list[str]:
    """Those of the organisations that may vote now."""
    validators = get_validators(context)
    if not validators:
        return [one for one in organisations if is_member(context.get_bytes, one)]
    electors = dict.fromkeys(list_electors(validators))
    return [one for one in organisations if one in electors]
