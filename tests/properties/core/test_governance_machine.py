"""Proposals made, voted on and put into effect in any order, against a model of plain dicts."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cellvow.core.contracts.change import (
    AdmitMember,
    AdmitValidator,
    Change,
    ChangeRoles,
    RemoveMember,
    RemoveValidator,
    SetParameter,
)
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.governance import ProposalRecord, proposal_key
from cellvow.core.contracts.organisation import is_member, organisation_key
from cellvow.core.contracts.parameter import DEFAULTS
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.validator import VALIDATORS_KEY, parse_validators
from cellvow.core.primitives.errors import InvalidBlock
from tests import messages
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis, make_signer, make_validator

PLAYERS = (CARMAKER, LABORATORY, MAKER, BUYER)
NUMBER_OF_KEYS = 3
KINDS = {
    AdmitMember: "member",
    RemoveMember: "member",
    ChangeRoles: "role",
    AdmitValidator: "validator",
    RemoveValidator: "validator",
    SetParameter: "parameter",
}

players = st.sampled_from(PLAYERS)
subjects = st.sampled_from((*PLAYERS, "newcomer"))
references = st.integers(1, 3).map(lambda number: f"P-{number}")


def admission(organisation: str, number: int) -> AdmitMember:
    """An admission with one of a few root keys, so that some are taken already."""
    return messages.admission(organisation, f"root {number}")


changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(admission, subjects, st.integers(1, NUMBER_OF_KEYS)),
    st.builds(RemoveMember, organisation=subjects),
    st.builds(messages.roles_of, subjects, st.sampled_from(["workshop", "recycler"])),
    st.builds(
        lambda who, name, power: AdmitValidator(
            organisation=who, public_key=make_validator(who, name).public_key, power=power
        ),
        subjects,
        st.sampled_from(["validator", "second"]),
        st.integers(1, 2),
    ),
    st.builds(lambda who: RemoveValidator(public_key=make_validator(who).public_key), players),
    st.builds(
        lambda kind, parts: SetParameter(name=f"threshold.{kind}", amount=parts[0], out_of=parts[1]),  # type: ignore[arg-type]  # a known name
        st.sampled_from(["member", "role", "validator"]),
        st.sampled_from([(1, 2), (2, 3), (3, 4), (1, 3)]),
    ),
)


@dataclass
class Asked:
    """What the model knows of one proposal."""

    change: Change
    height: int
    votes: dict[str, bool] = field(default_factory=dict)
    state: str = "open"


class GovernanceMachine(RuleBasedStateMachine):
    """Every rule predicts from the model whether the ledger accepts, and then changes both."""

    @initialize(has_validators=st.booleans())
    def begin(self, has_validators: bool) -> None:
        """Five members, of whom four run a validator, or nobody does and all vote."""
        genesis = make_genesis(validators=PLAYERS if has_validators else ())
        self.world = World(genesis)
        self.members = [one.organisation for one in genesis.organisations]
        self.speaking = list(PLAYERS)
        self.roles = {one.organisation: one.roles for one in genesis.organisations}
        self.validators = {one.public_key: (one.organisation, one.power) for one in genesis.validators}
        self.keys = [key for one in genesis.organisations for key in one.root_keys]
        self.thresholds = {name: Fraction(*parts) for name, parts in DEFAULTS.items() if parts[1] is not None}
        self.asked: dict[tuple[str, str], Asked] = {}
        self.waiting: list[tuple[int, tuple[str, str]]] = []

    # What the model thinks

    def electorate(self) -> list[str]:
        """Who may vote now."""
        return sorted({who for who, _ in self.validators.values()}) if self.validators else sorted(self.members)

    def count(self, asked: Asked, approve: bool) -> int:
        """How many of those who may vote said so."""
        return sum(asked.votes.get(who) is approve for who in self.electorate())

    def is_applicable(self, change: Change) -> bool:
        """Whether the change could take effect as the model stands."""
        if isinstance(change, AdmitMember):
            return change.organisation not in self.members and not any(key in self.keys for key in change.root_keys)
        if isinstance(change, RemoveValidator):
            return change.public_key in self.validators and len(self.validators) > 1
        if isinstance(change, SetParameter):
            return 2 * change.amount >= (change.out_of or 0)
        if getattr(change, "organisation", None) not in self.members:
            return False
        if isinstance(change, RemoveMember):
            others = [who for who, _ in self.validators.values() if who != change.organisation]
            return bool(others) if self.validators else len(self.members) > 1
        if isinstance(change, AdmitValidator):
            known = self.validators.get(change.public_key)
            changes = known is None or (known[0] == change.organisation and known[1] != change.power)
            return bool(self.validators) and changes
        return True

    def apply(self, change: Change) -> None:
        """Let the change hold in the model."""
        if isinstance(change, AdmitMember):
            self.members.append(change.organisation)
            self.roles[change.organisation] = change.roles
            self.keys += change.root_keys
        elif isinstance(change, RemoveMember):
            self.members.remove(change.organisation)
            self.speaking = [who for who in self.speaking if who != change.organisation]
            self.validators = {k: v for k, v in self.validators.items() if v[0] != change.organisation}
        elif isinstance(change, ChangeRoles):
            self.roles[change.organisation] = change.roles
        elif isinstance(change, AdmitValidator):
            self.validators[change.public_key] = (change.organisation, change.power)
        elif isinstance(change, RemoveValidator):
            del self.validators[change.public_key]
        elif isinstance(change, SetParameter):
            self.thresholds[change.name] = Fraction(change.amount, change.out_of or 1)

    def take_effect(self, height: int) -> None:
        """Let everything hold whose height has come, in order."""
        due = [one for one in self.waiting if one[0] <= height]
        self.waiting = [one for one in self.waiting if one[0] > height]
        for _, key in sorted(due, key=lambda one: one[0]):
            asked = self.asked[key]
            asked.state = "effective" if self.is_applicable(asked.change) else "lapsed"
            if asked.state == "effective":
                asked.height = height
                self.apply(asked.change)

    # What happens

    def submit(self, who: str, message: Message) -> bool | None:
        """Put the message into the next block, after what is due there; None where the signer's key has ended."""
        if who not in self.speaking:
            self.refuse(who, message)
            return None
        self.take_effect(self.world.head.height + 1)
        return self.world.submit(self.world[who].key.sign(message)).is_accepted

    def refuse(self, who: str, message: Message) -> None:
        """Whoever was removed signs nothing: a block that holds it is invalid."""
        before = self.world.snapshot()
        with pytest.raises(InvalidBlock):
            self.world.submit(self.world[who].key.sign(message))

        assert self.world.snapshot() == before

    @rule(who=players, reference=references, change=changes, ahead=st.integers(0, 6))
    def propose(self, who: str, reference: str, change: Change, ahead: int) -> None:
        """A member proposes what could take effect now, under a reference of its own."""
        height = self.world.head.height + ahead
        accepted = self.submit(who, messages.proposal(who, change, reference, effective_height=height))
        if accepted is None:
            return
        free, speaks = (who, reference) not in self.asked, who in self.speaking

        assert accepted is (speaks and free and self.is_applicable(change))
        if accepted:
            self.asked[who, reference] = Asked(change, height)

    @rule(who=players, proposer=players, reference=references, approve=st.sampled_from([True, True, True, False]))
    def vote(self, who: str, proposer: str, reference: str, approve: bool) -> None:
        """Whoever may vote does, once on each side; the proposal is decided as soon as it can be."""
        accepted = self.submit(who, messages.vote(proposer, reference, approve=approve))
        asked = self.asked.get((proposer, reference))
        if accepted is None:
            return
        is_new = asked is not None and asked.state == "open" and asked.votes.get(who) is not approve

        assert accepted is (is_new and who in self.speaking and who in self.electorate())
        if accepted and asked is not None:
            asked.votes[who] = approve
            self.decide((proposer, reference), asked)

    def decide(self, key: tuple[str, str], asked: Asked) -> None:
        """Adopted with more than the threshold, refused once that cannot be reached."""
        needed = self.thresholds[f"threshold.{KINDS[type(asked.change)]}"] * len(self.electorate())
        if self.count(asked, True) > needed:
            asked.state = "adopted"
            asked.height = max(asked.height, self.world.head.height + 1)
            self.waiting.append((asked.height, key))
        elif len(self.electorate()) - self.count(asked, False) <= needed:
            asked.state = "refused"

    @rule(proposer=players, reference=references)
    def everybody_approves(self, proposer: str, reference: str) -> None:
        """Most proposals lead somewhere."""
        for who in list(self.speaking):
            self.vote(who, proposer, reference, True)

    @rule(who=players, reference=references)
    def withdraw(self, who: str, reference: str) -> None:
        """Only one's own, and only while it is open."""
        accepted = self.submit(who, messages.withdrawal(who, reference))
        asked = self.asked.get((who, reference))
        if accepted is None:
            return

        assert accepted is (who in self.speaking and asked is not None and asked.state == "open")
        if accepted and asked is not None:
            asked.state = "withdrawn"

    @rule(count=st.integers(1, 4), is_empty=st.booleans())
    def pass_blocks(self, count: int, is_empty: bool) -> None:
        """Blocks that say nothing of anybody; in empty ones nothing takes effect either."""
        for _ in range(count):
            evidence = () if is_empty else (b"double vote",)
            if not is_empty:
                self.take_effect(self.world.head.height + 1)
            self.world.apply(self.world.next_block(evidence=evidence))

    # What always holds

    @invariant()
    def somebody_votes(self) -> None:
        """No sequence of decisions leaves an electorate of nobody."""
        if hasattr(self, "world"):
            assert self.electorate()

    @invariant()
    def members_and_validators_are_those_of_the_model(self) -> None:
        """Roles, powers and memberships, after as many votes."""
        if not hasattr(self, "world"):
            return
        records = self.world.state.records
        for organisation, roles in self.roles.items():
            assert is_member(records.get, organisation) is (organisation in self.members)
            assert parse_organisation(records[organisation_key(organisation)]).roles == roles
        if VALIDATORS_KEY in records:
            known = {one.public_key: (one.organisation, one.power) for one in parse_validators(records[VALIDATORS_KEY])}
            assert known == self.validators

    @invariant()
    def proposals_stand_as_the_model_says(self) -> None:
        """State, votes, and no effect before its height."""
        for (proposer, reference), asked in getattr(self, "asked", {}).items():
            record = self.world.record(ProposalRecord, proposal_key(proposer, reference))
            assert (record.state, record.effective_height) == (asked.state, asked.height)
            assert record.approvals == tuple(sorted(who for who, approve in asked.votes.items() if approve))
            assert record.refusals == tuple(sorted(who for who, approve in asked.votes.items() if not approve))
            assert record.state != "adopted" or record.effective_height > self.world.head.height or self.is_resting()

    def is_resting(self) -> bool:
        """Whether empty blocks have passed since: what is due waits for one that is not."""
        return self.world.blocks[-1].is_empty

    def teardown(self) -> None:
        """At the end every outcome is what it was when it was recorded: the same blocks give the same ledger."""
        if not hasattr(self, "world"):
            return
        again = World(self.world.genesis, with_keys=False)
        for block in self.world.blocks:
            again.apply(block)

        assert [one.outcomes for one in again.applied] == [one.outcomes for one in self.world.applied]
        assert again.head == self.world.head


@pytest.mark.slow
def test_any_course_of_votes_follows_the_model() -> None:
    """Four organisations propose, vote and withdraw in any order, on either kind of ledger."""
    run_state_machine_as_test(GovernanceMachine, settings=settings(max_examples=40, stateful_step_count=30))


@pytest.mark.slow
def test_a_model_that_counts_one_vote_twice_is_found_wrong() -> None:
    """Control: the machine with one vote too many disagrees with the ledger."""

    class Mutant(GovernanceMachine):
        def count(self, asked: Asked, approve: bool) -> int:
            return super().count(asked, approve) + (approve and asked.votes.get(MAKER) is True)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant, settings=settings(max_examples=200, phases=[Phase.generate], print_blob=False)
        )


@pytest.mark.slow
def test_a_model_that_lets_changes_hold_a_block_early_is_found_wrong() -> None:
    """Control: an effect before its height would be seen."""

    class Mutant(GovernanceMachine):
        def take_effect(self, height: int) -> None:
            super().take_effect(height + 1)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant, settings=settings(max_examples=200, phases=[Phase.generate], print_blob=False)
        )


def test_the_newcomer_of_the_machine_is_none_of_its_players() -> None:
    """Control: an admission is of somebody genesis does not name."""
    assert messages.NEWCOMER not in [one.organisation for one in make_genesis().organisations]
    assert make_signer(messages.NEWCOMER, "root").organisation == messages.NEWCOMER
