"""What can be decided: each change with its bounds, what it writes, and what the engine is told."""

from __future__ import annotations

from dataclasses import replace as replace_genesis

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.change import (
    Accredit,
    ActivateRuleset,
    AdmitMember,
    AdmitValidator,
    Change,
    Distrust,
    RemoveMember,
    RemoveValidator,
    Scope,
    SetParameter,
)
from cellvow.core.contracts.electorate import ROLL_KEY, RollRecord
from cellvow.core.contracts.organisation import MembershipRecord, is_member, membership_key, organisation_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import is_suspect, key_record_key, parse_key_record
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.validator import parse_validators
from cellvow.core.primitives.errors import InvalidBlock
from cellvow.core.primitives.limits import (
    ACCREDITATIONS_MAX,
    ACCREDITED_QUANTITIES_MAX,
    PROPOSALS_OPEN_MAX,
    ROOT_KEYS_MAX,
    VALIDATOR_POWER_MAX,
)
from tests import messages
from tests.decisions import adopt, approve, enact, pass_block, proposal_of, propose
from tests.world import (
    AUTHORITY,
    BUYER,
    CARMAKER,
    DAY_MS,
    LABORATORY,
    MAKER,
    World,
    make_genesis,
    make_member,
    make_signer,
    make_validator,
    require_invalid,
)

VALIDATORS = (CARMAKER, LABORATORY, MAKER, BUYER)


def consortium() -> World:
    """Four of the five run a validator; the authority is a member that does not vote."""
    return World(make_genesis(validators=VALIDATORS))


def test_an_admitted_member_registers_keys_and_works() -> None:
    """Its root key is registered by the vote; the rest it does itself."""
    world = consortium()
    newcomer = make_member(messages.NEWCOMER)
    enact(world, messages.admission(), voters=VALIDATORS[:3])
    world.accept(newcomer.root.sign(newcomer.register_key(newcomer.key)))

    assert world.submit(newcomer.key.sign(messages.anchor())).is_accepted
    assert parse_organisation(world.state.records[organisation_key(messages.NEWCOMER)]).name == "Newcomer (invented)"


def test_a_removed_member_comes_back_with_new_keys_only() -> None:
    """Its old ones have ended for good."""
    world = consortium()
    enact(world, RemoveMember(organisation=BUYER), "OUT", voters=VALIDATORS[:3])
    old = world.submit(world[MAKER].key.sign(messages.proposal(MAKER, messages.admission(BUYER), "OLD")))
    enact(world, messages.admission(BUYER, "second root"), "BACK", voters=VALIDATORS[:3])

    assert old.reason is Reason.KEY_EXISTS
    assert is_member(world.state.get, BUYER)
    assert world.record(MembershipRecord, membership_key(BUYER)).version == 2


def test_members_are_counted_through_admission_and_removal() -> None:
    """Where all vote, the number they are decides."""
    world = World()
    enact(world, messages.admission(), "IN")
    enact(world, RemoveMember(organisation=BUYER), "OUT", voters=(AUTHORITY, CARMAKER, LABORATORY, MAKER, BUYER))
    newcomer = make_member(messages.NEWCOMER)
    world.accept(newcomer.root.sign(newcomer.register_key(newcomer.key)))

    assert world.record(RollRecord, ROLL_KEY).members == 5
    assert proposal_of(world, "OUT").electorate == 6


def test_the_last_member_is_not_removed() -> None:
    """A ledger of nobody could never change again."""
    genesis = make_genesis()
    alone = replace_genesis(genesis, organisations=tuple(m for m in genesis.organisations if m.organisation == MAKER))
    world = World(alone)
    message = messages.proposal(MAKER, RemoveMember(organisation=MAKER))

    assert world.submit(world[MAKER].key.sign(message)).reason is Reason.LAST_OF_THE_ELECTORATE


def test_validators_are_admitted_weighed_and_removed() -> None:
    """The engine is told the whole set in the block that changes it, and nothing in others."""
    world = consortium()
    second = make_validator(AUTHORITY, power=7)
    told = []
    changes: list[Change] = [
        AdmitValidator(organisation=AUTHORITY, public_key=second.public_key, power=7),
        AdmitValidator(organisation=AUTHORITY, public_key=second.public_key, power=9),
        RemoveValidator(public_key=second.public_key),
    ]
    for number, change in enumerate(changes):
        adopt(world, change, f"V-{number}", voters=VALIDATORS[: 3 if number == 0 else 4])
        pass_block(world)
        told.append([one.power for one in world.applied[-1].validators or () if one.organisation == AUTHORITY])

    assert told == [[7], [9], []]
    assert parse_validators(world.state.records["validators"]) == make_genesis(validators=VALIDATORS).validators
    assert [one.validators for one in world.applied[:2]] == [None, None]


def test_the_last_validator_does_not_lapse_away_with_its_member() -> None:
    """Two removals adopted at once: the second would leave nobody to validate, and lapses."""
    world = World(make_genesis(validators=(BUYER, CARMAKER)))
    for reference, organisation in (("ONE", BUYER), ("TWO", CARMAKER)):
        adopt(world, RemoveMember(organisation=organisation), reference, voters=(BUYER, CARMAKER), effective_height=20)
    world.apply(replace_genesis(world.next_block(evidence=(b"tick",)), height=20))

    assert proposal_of(world, "ONE").state == "effective"
    assert proposal_of(world, "TWO").cause == int(Reason.LAST_OF_THE_ELECTORATE)
    assert [one.organisation for one in parse_validators(world.state.records["validators"])] == [CARMAKER]


def test_an_accreditation_by_vote_lets_a_laboratory_certify() -> None:
    """And replaces what it had."""
    world = consortium()
    scope = Scope(
        standard="IEC 62660-1", edition="2018", quantities=("capacity",), valid_until_ms=world.head.time_ms + DAY_MS
    )
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    enact(world, Accredit(organisation=AUTHORITY, accreditations=(scope,)), "SCOPE", voters=VALIDATORS[:3])
    enact(world, Accredit(organisation=LABORATORY, accreditations=()), "NONE", voters=VALIDATORS[:3])
    reasons = []
    for organisation in (AUTHORITY, LABORATORY):
        key = world[organisation].key
        world.accept(key.sign(messages.anchor()))
        reasons.append(world.submit(key.sign(messages.certificate())).reason)

    assert reasons == [None, Reason.OUTSIDE_ACCREDITATION]


def test_a_threshold_is_data_and_changes_by_vote() -> None:
    """From more than half to more than three quarters: three of four are not enough any more."""
    world = consortium()
    enact(world, SetParameter(name="threshold.role", amount=3, out_of=4), "RULE", voters=VALIDATORS[:3])
    propose(world, messages.roles_of(BUYER))
    approve(world, VALIDATORS[:3])
    three = proposal_of(world).state
    approve(world, VALIDATORS[3:])

    assert (three, proposal_of(world).state) == ("open", "adopted")


@pytest.mark.parametrize(
    ("name", "amount", "out_of", "is_allowed"),
    [
        ("threshold.member", 1, 2, True),
        ("threshold.member", 499, 1_000, False),
        ("threshold.member", 999, 1_000, True),
        ("threshold.member", 2, 2, False),
        ("threshold.member", 600, 1_001, False),
        ("threshold.member", 2, None, False),
        ("proposals_open_max", PROPOSALS_OPEN_MAX, None, True),
        ("proposals_open_max", PROPOSALS_OPEN_MAX + 1, None, False),
        ("proposals_open_max", 0, None, False),
        ("proposals_open_max", 1, 2, False),
        ("voting_ms_max", 3_600_000, None, True),
        ("voting_ms_max", 3_599_999, None, False),
    ],
)
def test_a_parameter_stays_within_its_bounds(name: str, amount: int, out_of: int | None, is_allowed: bool) -> None:
    """A threshold is at least a half and less than all; numbers have a least and a most."""
    world = consortium()
    change = SetParameter(name=name, amount=amount, out_of=out_of)  # type: ignore[arg-type]  # a name of the table
    outcome = world.submit(world[MAKER].key.sign(messages.proposal(MAKER, change)))

    assert outcome.is_accepted is is_allowed
    assert is_allowed or outcome.reason is Reason.WRONG_PARAMETER


def test_a_ruleset_is_activated_at_its_height_and_judges_that_block() -> None:
    """Recovery is unknown before, known in the very block, and the block document says so."""
    world = consortium()
    adopt(world, ActivateRuleset(ruleset=2), voters=VALIDATORS[:3], effective_height=10)
    appoint = messages.appointment(MAKER, (BUYER, CARMAKER))
    early = world.submit(world[MAKER].root.sign(appoint))
    block = replace_genesis(world.next_block(world[MAKER].root.sign(appoint)), height=10)
    applied = world.apply(block)

    assert early.reason is Reason.MALFORMED_MESSAGE
    assert b"accepted" in applied.outcomes[0][0]
    assert (applied.head.ruleset, b'"ruleset":2' in applied.block_leaf) == (2, True)
    again = messages.proposal(MAKER, ActivateRuleset(ruleset=2), "P-2")
    assert world.submit(world[MAKER].key.sign(again)).facts == (("current", 2),)


def test_software_that_does_not_know_the_ruleset_stops_and_says_so() -> None:
    """At its height, not before, and nothing has changed."""
    world = consortium()
    adopt(world, ActivateRuleset(ruleset=99), voters=VALIDATORS[:3], effective_height=10)
    pass_block(world)
    error = require_invalid(world, replace_genesis(world.next_block(evidence=(b"tick",)), height=10))

    assert isinstance(error, InvalidBlock)
    assert str(error) == "ruleset 99 is unknown to this version of the software: upgrade it"


def test_a_distrusted_root_key_ends_with_the_next_block_and_its_statements_are_suspect() -> None:
    """Whatever height was asked for; the record of the last root key still names it."""
    world = consortium()
    root, since = world[BUYER].root, world.head.time_ms
    adopt(world, Distrust(kid=root.kid.hex(), since_ms=since), voters=VALIDATORS[:3], effective_height=9_999)
    adopted = world.head.height
    pass_block(world)
    record = parse_key_record(world.state.records[key_record_key(root.kid)])

    assert (record.revoked_height, record.compromised_since_ms) == (adopted + 1, since)
    assert [is_suspect(record, since - 1), is_suspect(record, since)] == [False, True]
    assert parse_organisation(world.state.records[organisation_key(BUYER)]).root_keys == (record.public_key,)


def test_a_distrusted_root_key_of_several_is_taken_off_the_record() -> None:
    """The organisation goes on with the others."""
    world = consortium()
    member, second = world[BUYER], make_signer(BUYER, "second root")
    world.accept(member.root.sign(member.rotate_root_key(second)))
    enact(world, Distrust(kid=member.root.kid.hex(), since_ms=0), voters=VALIDATORS[:3])

    assert parse_organisation(world.state.records[organisation_key(BUYER)]).root_keys == (second.public_key.hex(),)
    assert world.submit(second.sign(member.register_key(make_signer(BUYER, "next")))).is_accepted


def scopes(count: int, quantities: int) -> Accredit:
    """As many accreditations, each for as many quantities."""
    names = tuple(f"quantity_{number}" for number in range(quantities))
    one = Scope(standard="IEC 62660-1", edition="2018", quantities=names, valid_until_ms=0)
    return Accredit(organisation=LABORATORY, accreditations=(one,) * count)


def admission_with(root_keys: int) -> AdmitMember:
    """A newcomer with as many root keys."""
    keys = tuple(make_signer(messages.NEWCOMER, f"root {number}").public_key.hex() for number in range(root_keys))
    return AdmitMember(organisation=messages.NEWCOMER, name="Newcomer", roles=("operator",), root_keys=keys)


def validator_with(power: int) -> AdmitValidator:
    """A validator of as much power."""
    return AdmitValidator(organisation=AUTHORITY, public_key=make_validator(AUTHORITY).public_key, power=power)


@pytest.mark.parametrize(
    ("at", "past"),
    [
        pytest.param(scopes(ACCREDITATIONS_MAX, 1), scopes(ACCREDITATIONS_MAX + 1, 1), id="accreditations"),
        pytest.param(scopes(1, ACCREDITED_QUANTITIES_MAX), scopes(1, ACCREDITED_QUANTITIES_MAX + 1), id="quantities"),
        pytest.param(admission_with(ROOT_KEYS_MAX), admission_with(ROOT_KEYS_MAX + 1), id="root keys"),
        pytest.param(validator_with(VALIDATOR_POWER_MAX), validator_with(VALIDATOR_POWER_MAX + 1), id="power"),
    ],
)
def test_a_change_has_bounds(at: Change, past: Change) -> None:
    """What stands in one record stays small: at the bound yes, one past it no."""
    world = consortium()
    outcomes = [world.submit(world[MAKER].key.sign(messages.proposal(MAKER, change))) for change in (past, at)]

    assert [one.reason for one in outcomes] == [Reason.MALFORMED_MESSAGE, None]


@pytest.mark.slow
def test_the_largest_accreditation_fits_its_record() -> None:
    """With all that may be in it a member's record is written, not lapsed."""
    world = consortium()
    enact(world, scopes(ACCREDITATIONS_MAX, ACCREDITED_QUANTITIES_MAX), voters=VALIDATORS[:3])

    assert proposal_of(world).state == "effective"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (messages.roles_of(BUYER, "workshop", "workshop"), "roles"),
        (replace(messages.admission(), name="hidden\u202e"), "name"),
        (replace(messages.admission(), root_keys=messages.admission().root_keys * 2), "root_keys"),
        (
            replace(scopes(1, 1), accreditations=(replace(scopes(1, 1).accreditations[0], quantities=("a1", "a1")),)),
            "quantities",
        ),
    ],
)
def test_a_change_says_each_thing_once_and_legibly(change: Change, field: str) -> None:
    """Two spellings of one list, or a name that shows otherwise than it is, are refused when proposed."""
    world = consortium()
    outcome = world.submit(world[MAKER].key.sign(messages.proposal(MAKER, change)))

    assert (outcome.reason, outcome.facts) == (Reason.MALFORMED_MESSAGE, (("field", field),))


@pytest.mark.parametrize("public_key", ["01" + "00" * 31, "02" + "00" * 31], ids=["small order", "no point"])
def test_no_unfit_key_is_admitted(public_key: str) -> None:
    """Neither for a member nor for a validator."""
    world = consortium()
    changes: list[Change] = [
        replace(messages.admission(), root_keys=(public_key,)),
        AdmitValidator(organisation=AUTHORITY, public_key=public_key, power=1),
    ]
    reasons = [world.submit(world[MAKER].key.sign(messages.proposal(MAKER, one))).reason for one in changes]

    assert reasons == [Reason.INVALID_PUBLIC_KEY] * 2
