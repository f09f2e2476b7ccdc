"""Votes: who may, when enough is enough, what takes effect from which height, and what a removal leaves as it was."""

from __future__ import annotations

from dataclasses import replace as replace_genesis

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.change import (
    Change,
    Distrust,
    RemoveMember,
    RemoveValidator,
    SetParameter,
)
from cellvow.core.contracts.contract import Context, Provenance
from cellvow.core.contracts.electorate import ROLL_KEY, RollRecord, count_electorate
from cellvow.core.contracts.governance import (
    CONTRACT,
    PENDING_KEY,
    PendingChanges,
    Propose,
    derive_proposal_state,
)
from cellvow.core.contracts.organisation import MembershipRecord, is_member, membership_key, organisation_key
from cellvow.core.ledger.genesis import Genesis, parse_organisation
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.ledger.validator import order_validators
from cellvow.core.primitives.limits import EFFECTIVE_AHEAD_MAX, ELECTORATE_MAX, PENDING_MAX
from tests import messages
from tests.decisions import EVERYBODY, adopt, approve, enact, pass_block, proposal_of, propose
from tests.world import (
    AUTHORITY,
    BUYER,
    CARMAKER,
    LABORATORY,
    MAKER,
    World,
    make_genesis,
    make_signer,
    make_validator,
    require_invalid,
)

VALIDATORS = (CARMAKER, LABORATORY, MAKER, BUYER)


def consortium() -> World:
    """Four of the five run a validator; the authority is a member that does not vote."""
    return World(make_genesis(validators=VALIDATORS))


def roles(world: World, organisation: str) -> tuple[str, ...]:
    """What the records say a member is."""
    return parse_organisation(world.state.records[organisation_key(organisation)]).roles


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        pytest.param(RemoveMember(organisation=BUYER), 3, id="more than two thirds of four"),
        pytest.param(messages.roles_of(BUYER), 3, id="more than half of four"),
        pytest.param(Distrust(kid=make_signer(BUYER, "root").kid.hex(), since_ms=0), 3, id="distrust"),
    ],
)
def test_a_consortium_adopts_with_enough_and_not_with_one_fewer(change: Change, needed: int) -> None:
    """One vote for each organisation that runs a validator, counted as soon as it is cast."""
    world = consortium()
    propose(world, change)
    states = []
    for voter in VALIDATORS[:needed]:
        approve(world, [voter])
        states.append(proposal_of(world).state)

    assert states == ["open"] * (needed - 1) + ["adopted"]
    assert (proposal_of(world).electorate, proposal_of(world).approvals) == (4, VALIDATORS[:needed])


def test_every_member_votes_where_there_is_no_validator() -> None:
    """A ledger of one writer: four of five for a membership, and they are counted."""
    world = World()
    adopt(world, RemoveMember(organisation=BUYER))

    assert proposal_of(world).electorate == 5
    assert world.record(RollRecord, ROLL_KEY).members == 5


def test_a_proposal_is_refused_as_soon_as_enough_cannot_approve() -> None:
    """Two of four against a change that needs three: nobody need wait for the rest."""
    world = consortium()
    propose(world, messages.roles_of(BUYER))
    world.accept(world[BUYER].key.sign(messages.vote(MAKER, approve=False)))
    ((outcome,),) = world.accept(world[CARMAKER].key.sign(messages.vote(MAKER, approve=False)))

    assert [event["type"] for event in outcome.events] == ["VoteCast", "ProposalRefused"]
    assert proposal_of(world).state == "refused"


def test_a_vote_may_change_until_it_is_decided_and_counts_once() -> None:
    """The same organisation stands on one side only."""
    world = consortium()
    propose(world, messages.roles_of(BUYER))
    approve(world, [BUYER])
    world.accept(world[BUYER].key.sign(messages.vote(MAKER, approve=False)))
    approve(world, [BUYER])

    assert (proposal_of(world).approvals, proposal_of(world).refusals) == ((BUYER,), ())
    assert proposal_of(world).state == "open"


def test_a_member_without_a_validator_proposes_and_does_not_vote() -> None:
    """Anybody may ask; those who run the ledger answer."""
    world = consortium()
    propose(world, messages.roles_of(AUTHORITY), proposer=AUTHORITY)
    outcome = world.submit(world[AUTHORITY].key.sign(messages.vote(AUTHORITY)))

    assert outcome.reason is Reason.NOT_IN_THE_ELECTORATE


def test_whoever_left_the_electorate_is_not_counted_any_more() -> None:
    """Votes are counted over those who may vote when the last is cast."""
    world = consortium()
    propose(world, messages.roles_of(BUYER, "recycler"), "LATE")
    approve(world, [BUYER, CARMAKER], "LATE")
    enact(world, RemoveValidator(public_key=make_validator(BUYER).public_key), "OUT", voters=VALIDATORS[:3])
    approve(world, [LABORATORY], "LATE")

    assert (proposal_of(world, "LATE").state, proposal_of(world, "LATE").electorate) == ("adopted", 3)


def test_a_change_holds_from_its_height_and_not_before() -> None:
    """It stands in the open until then, in a record that anybody can be shown."""
    world = consortium()
    adopt(world, messages.roles_of(BUYER), voters=VALIDATORS[:3], effective_height=10)
    waiting = world.record(PendingChanges, PENDING_KEY).changes
    seen = {}
    while world.head.height < 11:
        pass_block(world)
        seen[world.head.height] = roles(world, BUYER)

    assert [(one.organisation, one.reference, one.height) for one in waiting] == [(MAKER, "P-1", 10)]
    assert seen[9] == ("buyer", "second_life_operator")
    assert (seen[10], seen[11]) == (("workshop",), ("workshop",))
    assert (proposal_of(world).state, proposal_of(world).effective_height) == ("effective", 10)
    assert world.record(PendingChanges, PENDING_KEY).changes == ()


def test_nothing_takes_effect_in_an_empty_block() -> None:
    """An empty block changes nothing at all; the change comes with the next one that is not."""
    world = consortium()
    adopt(world, messages.roles_of(BUYER), voters=VALIDATORS[:3])
    before = world.head.app_hash
    applied = world.apply(world.next_block())
    pass_block(world)

    assert (applied.head.app_hash, applied.writes, applied.validators) == (before, {}, None)
    assert roles(world, BUYER) == ("workshop",)
    assert proposal_of(world).effective_height == world.head.height


def test_what_is_due_together_takes_effect_in_order() -> None:
    """By height, then by adoption: the last word stands."""
    world = consortium()
    adopt(world, messages.roles_of(BUYER, "recycler"), "SECOND", voters=VALIDATORS[:3], effective_height=21)
    adopt(world, messages.roles_of(BUYER, "insurer"), "THIRD", voters=VALIDATORS[:3], effective_height=21)
    adopt(world, messages.roles_of(BUYER, "operator"), "FIRST", voters=VALIDATORS[:3], effective_height=20)
    order = [one.reference for one in world.record(PendingChanges, PENDING_KEY).changes]
    world.apply(replace_genesis(world.next_block(evidence=(b"tick",)), height=30))

    assert order == ["FIRST", "SECOND", "THIRD"]
    assert roles(world, BUYER) == ("insurer",)


def test_a_change_that_cannot_be_applied_any_more_lapses_and_says_why() -> None:
    """Its member was removed by a vote that came first; the block stands."""
    world = consortium()
    adopt(world, messages.roles_of(BUYER), "ROLES", voters=VALIDATORS[:3], effective_height=20)
    enact(world, RemoveMember(organisation=BUYER), "OUT", voters=VALIDATORS[:3])
    world.apply(replace_genesis(world.next_block(evidence=(b"tick",)), height=20))

    record = proposal_of(world, "ROLES")
    assert (record.state, record.cause) == ("lapsed", int(Reason.UNKNOWN_ORGANISATION))


def test_a_removed_member_signs_nothing_more_and_its_past_stays() -> None:
    """Its keys end, its validator goes, its battery and outcomes are what they were."""
    world = consortium()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    battery, outcomes = world.state.records[battery_key(messages.BATTERY)], list(world.applied[-1].outcomes)
    height = world.head.height
    adopt(world, RemoveMember(organisation=MAKER), voters=VALIDATORS[:3])
    applied = world.apply(world.next_block(evidence=(b"tick",)))

    assert not is_member(world.state.get, MAKER)
    assert world.record(MembershipRecord, membership_key(MAKER)).since_height == world.head.height
    assert [one.organisation for one in applied.validators or ()] == [CARMAKER, LABORATORY, BUYER]
    for signer in (world[MAKER].key, world[MAKER].root):
        record = parse_key_record(world.state.records[key_record_key(signer.kid)])
        assert record.revoked_height == world.head.height
        assert "the key is revoked" in str(require_invalid(world, world.next_block(signer.sign(messages.model()))))
    assert world.state.records[battery_key(messages.BATTERY)] == battery
    assert world.record(BatteryRecord, battery_key(messages.BATTERY)).organisation == MAKER
    assert list(world.applied[height - 1].outcomes) == outcomes


def test_in_the_block_that_removes_a_member_its_statements_are_kept_and_rejected() -> None:
    """They were authentic when the block was proposed; a root key slips no new key in."""
    world = consortium()
    member = world[BUYER]
    adopt(world, RemoveMember(organisation=BUYER), voters=VALIDATORS[:3])
    late = make_signer(BUYER, "late")
    outcomes = world.include(
        member.root.sign(member.register_key(late)),
        member.key.sign(messages.anchor()),
        world[MAKER].key.sign(messages.model()),
    )

    assert [one.reason for (one,) in outcomes] == [Reason.KEY_HAS_ENDED, Reason.KEY_HAS_ENDED, None]
    assert key_record_key(late.kid) not in world.state.records


def test_nothing_is_offered_to_a_removed_member() -> None:
    """It could never accept."""
    world = consortium()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    enact(world, RemoveMember(organisation=BUYER), voters=VALIDATORS[:3])

    assert world.submit(world[MAKER].key.sign(messages.offer(BUYER))).reason is Reason.UNKNOWN_ORGANISATION


def test_votes_end_in_time_and_a_lapsed_proposal_frees_its_place() -> None:
    """At the last millisecond yes, one later no; the maker's next proposal closes it."""
    world = consortium()
    enact(world, SetParameter(name="proposals_open_max", amount=1), "ONE", voters=VALIDATORS[:3])
    propose(world, messages.roles_of(BUYER))
    closes_ms = proposal_of(world).closes_ms
    in_time = world.submit(world[BUYER].key.sign(messages.vote(MAKER)), time_ms=closes_ms)
    late = world.submit(world[CARMAKER].key.sign(messages.vote(MAKER)), time_ms=closes_ms + 1)
    shown = derive_proposal_state(proposal_of(world), closes_ms + 1)
    propose(world, messages.roles_of(BUYER), "P-2")

    assert (in_time.reason, late.reason) == (None, Reason.PROPOSAL_NOT_OPEN)
    assert (late.facts, shown) == ((("state", "lapsed"),), "lapsed")
    assert (proposal_of(world).state, proposal_of(world, "P-2").state) == ("lapsed", "open")


@pytest.mark.parametrize(("ahead", "is_allowed"), [(EFFECTIVE_AHEAD_MAX, True), (EFFECTIVE_AHEAD_MAX + 1, False)])
def test_a_height_is_not_too_far_off(ahead: int, is_allowed: bool) -> None:
    """What nobody lives to see would only fill the record of what waits."""
    world = consortium()
    message = messages.proposal(MAKER, messages.roles_of(BUYER), effective_height=world.head.height + 1 + ahead)

    assert world.submit(world[MAKER].key.sign(message)).is_accepted is is_allowed


def test_only_the_maker_withdraws_and_only_what_is_open() -> None:
    """A withdrawn proposal is decided by nobody."""
    world = consortium()
    propose(world, messages.roles_of(BUYER))
    foreign = world.submit(world[BUYER].key.sign(messages.withdrawal(MAKER)))
    world.accept(world[MAKER].key.sign(messages.withdrawal(MAKER)))
    again = world.submit(world[MAKER].key.sign(messages.withdrawal(MAKER)))

    assert (foreign.reason, again.reason) == (Reason.NOT_YOUR_PROPOSAL, Reason.PROPOSAL_NOT_OPEN)


def test_what_a_vote_writes_names_the_vote_that_decided() -> None:
    """Every record of the state leads to a signed statement."""
    world = consortium()
    propose(world, messages.admission())
    approve(world, VALIDATORS[:2])
    deciding = world[MAKER].key.sign(messages.vote(MAKER))
    world.accept(deciding)
    pass_block(world)
    digest = deciding.envelope.digest.hex()

    assert world.record(MembershipRecord, membership_key(messages.NEWCOMER)).provenance.statement == digest
    root = make_signer(messages.NEWCOMER, "root")
    assert parse_key_record(world.state.records[key_record_key(root.kid)]).statement == digest


@pytest.mark.parametrize(("members", "is_allowed"), [(ELECTORATE_MAX, True), (ELECTORATE_MAX + 1, False)])
def test_a_ledger_of_too_many_members_does_not_vote_without_validators(members: int, is_allowed: bool) -> None:
    """Their votes would not fit one record."""
    world = World()
    roll = RollRecord(provenance=Provenance(statement="00" * 32, index=0), members=members)
    context = Context(
        read=world.state.get,
        organisation=MAKER,
        kid="00" * 16,
        height=2,
        time_ms=world.next_ms,
        chain_id="test",
        provenance=roll.provenance,
    )
    context.put(ROLL_KEY, roll)
    handler = CONTRACT.handlers[Propose]
    message = messages.proposal(MAKER, messages.roles_of(BUYER))

    assert count_electorate(context) == members
    if is_allowed:
        assert handler(context, message)
    else:
        with pytest.raises(Rejected, match="code 1009"):
            handler(context, message)


def test_the_control_world_without_votes_keeps_its_records() -> None:
    """Control: what these tests look for is not there by itself."""
    world = consortium()
    pass_block(world)

    assert [key for key in world.state.records if key.startswith(("proposal", "pending", "roll", "membership"))] == []
    assert PENDING_MAX * 200 < 64_000


def test_genesis_and_change_name_the_same_validators() -> None:
    """The order in which validators are written down is one."""
    genesis: Genesis = make_genesis(validators=VALIDATORS)

    assert genesis.validators == order_validators(tuple(map(make_validator, VALIDATORS)))


def test_a_message_of_a_change_that_nobody_knows_is_malformed() -> None:
    """The list of changes is closed."""
    world = consortium()
    sound = messages.proposal(MAKER, messages.roles_of(BUYER))
    hostile = replace(sound, change=messages.appointment(MAKER, (BUYER, CARMAKER)))

    assert world.submit(world[MAKER].key.sign(hostile)).reason is Reason.MALFORMED_MESSAGE


def test_everybody_is_in_order() -> None:
    """Control: the five of these tests are the five of genesis."""
    assert EVERYBODY == tuple(one.organisation for one in make_genesis().organisations)
