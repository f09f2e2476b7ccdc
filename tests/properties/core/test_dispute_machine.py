"""Disputes, claims, hand-overs and take-overs in any order, against a model of plain values.

The model says of each message whether it is accepted, contested or rejected. At every instant each register names one
party whom nobody outside moved there; where a course ends, each open dispute has a way out, which is found by trying.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute_file import UnitDisputes, unit_disputes_key
from cellvow.core.contracts.register import REGISTERS, RegisterName
from cellvow.core.contracts.takeover import TakeoverRecord, takeover_key
from tests import disputing, messages
from tests.world import AUTHORITY, BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER

PLAYERS = (MAKER, BUYER, CARMAKER, LABORATORY, AUTHORITY)
OPERATORS = (MAKER, BUYER)
"""Those of the players whose roles let them take a unit over."""
HALF_A_YEAR, YEAR, NINETY, MONTH = 180 * DAY_MS, 365 * DAY_MS, 90 * DAY_MS, 30 * DAY_MS

players = st.sampled_from(PLAYERS)
anybody = st.sampled_from((None, None, None, *PLAYERS))
"""None stands for whoever is registered, so that most steps lead somewhere."""
names: st.SearchStrategy[RegisterName] = st.sampled_from(["custody", "ownership", "responsibility"])
topics = st.sampled_from(["custody", "ownership", "responsibility", "custody", "certificate"])
pauses = st.sampled_from([1, 1, 1, 1, DAY_MS, MONTH, NINETY, HALF_A_YEAR])
picks = st.integers(0, 5)


@dataclass
class Entry:
    """Who stands in a register, and how often it has changed."""

    holder: str = MAKER
    version: int = 1


@dataclass
class Case:
    """What the model knows of one dispute."""

    opener: str
    reference: str
    topic: str
    respondent: str | None
    opened_ms: int
    holds: str | None
    positions: int
    is_claim: bool = False
    named: dict[str, str] = field(default_factory=dict)
    proposal: tuple[str, tuple[tuple[RegisterName, str], ...]] | None = None
    version: int = 1
    end: str = ""

    @property
    def parties(self) -> tuple[str | None, str | None]:
        """The two sides."""
        return self.opener, self.respondent


@dataclass
class Notice:
    """What the model knows of the latest notice of a take-over."""

    by: str
    entry: int
    ends_ms: int
    version: int
    state: str = "open"
    objected_ms: int = 0


class DisputeMachine(RuleBasedStateMachine):
    """Every rule predicts from the model what becomes of a message, and then changes both."""

    searches = True
    """Whether ways out are searched for at the end of each course."""

    @initialize()
    def begin(self) -> None:
        """The maker holds, owns and answers for one battery."""
        self.world = disputing.settled()
        self.entries: dict[str, Entry] = {name: Entry() for name in REGISTERS}
        self.cases: list[Case] = []
        self.offer: tuple[str, str, str] | None = None
        self.offers = 0
        self.notice: Notice | None = None
        self.held: dict[tuple[str, str], int] = {}
        self.dismissed: dict[str, list[int]] = {}

    # What the model thinks

    def is_open(self, case: Case, time_ms: int) -> bool:
        """Whether nobody has ended it, and its year has not passed."""
        return not case.end and time_ms <= case.opened_ms + YEAR

    def is_held(self, name: str, time_ms: int) -> bool:
        """Whether an open dispute holds the register still."""
        return any(case.holds == name and self.is_open(case, time_ms) for case in self.cases)

    def has_room(self, who: str, time_ms: int) -> bool:
        """Whether the quota lets a member open another dispute."""
        own = sum(case.opener == who and self.is_open(case, time_ms) for case in self.cases)
        recent = sum(time_ms < when + NINETY for when in self.dismissed.get(who, []))
        over = sum(self.is_open(case, time_ms) for case in self.cases)
        is_concerned = who == MAKER or who in [entry.holder for entry in self.entries.values()]
        return own < 4 and own + recent < 16 and over < (32 if is_concerned else 16)

    def agreed(self, case: Case, time_ms: int) -> str | None:
        """Whom both sides want, while he has the case to himself."""
        both = [case.named.get(str(side)) for side in case.parties]
        return both[0] if both[0] == both[1] and time_ms <= case.opened_ms + HALF_A_YEAR else None

    def may_decide(self, case: Case, who: str, time_ms: int) -> bool:
        """The one both named; an authority where there is none, or he let it lie; never a party."""
        is_named = all(case.named.get(str(side)) == who for side in case.parties)
        by_office = who == AUTHORITY and self.agreed(case, time_ms) is None
        return who not in case.parties and (is_named or by_office)

    def may_move(self, case: Case, moves: tuple[tuple[RegisterName, str], ...]) -> bool:
        """From one party to another."""
        return all(self.entries[name].holder in case.parties and to in case.parties for name, to in moves)

    def is_running(self, time_ms: int) -> bool:
        """Whether a notice is open, of the entry that stands, and not past its time."""
        notice = self.notice
        if notice is None or notice.state != "open" or notice.entry != self.entries["responsibility"].version:
            return False
        return time_ms <= notice.ends_ms + MONTH

    def move(self, name: str, to: str) -> None:
        """A register names somebody else."""
        entry = self.entries[name]
        if entry.holder != to:
            self.entries[name] = Entry(to, entry.version + 1)

    # What happens

    def submit(self, who: str, message: Message, pause_ms: int) -> tuple[str, int]:
        """What became of the message in a block after a pause, and that block's time."""
        time_ms = self.world.head.time_ms + pause_ms
        kept = self.world.submit(self.world[who].key.sign(message), time_ms=time_ms)
        result = "contested" if kept.is_contested else "accepted" if kept.is_accepted else "rejected"
        return result, time_ms

    def case_of(self, pick: int) -> Case | None:
        """One of the latest disputes."""
        return self.cases[-1 - pick % len(self.cases)] if self.cases else None

    @rule(who=players, against=anybody, topic=topics, pause=pauses)
    def open(self, who: str, against: str | None, topic: str, pause: int) -> None:
        """Against another member, within the quota; it holds what two that are concerned dispute, an entry once."""
        other = against or self.entries.get(topic, Entry()).holder
        reference = f"D-{len(self.cases)}"
        result, time_ms = self.submit(who, disputing.opening(other, topic, reference), pause)  # type: ignore[arg-type]  # a topic
        accepted = who != other and self.has_room(who, time_ms)

        assert (result == "accepted") is accepted
        if accepted:
            holds = topic if self._holds(who, other, topic) else None
            if holds:
                self.held[who, topic] = self.entries[topic].version
            self.cases.append(Case(who, reference, topic, other, time_ms, holds, 1))

    def _holds(self, who: str, other: str, topic: str) -> bool:
        entry = self.entries.get(topic)
        may = who in [one.holder for one in self.entries.values()] or (who, topic) == (MAKER, "responsibility")
        if entry is None or not may or entry.holder not in (who, other):
            return False
        return self.held.get((who, topic)) != entry.version

    @rule(who=players, pick=picks, pause=pauses)
    def state_position(self, who: str, pick: int, pause: int) -> None:
        """A party, while it is open, eight times."""
        case = self.case_of(pick)
        if case is None:
            return
        result, time_ms = self.submit(who, disputing.position(case.opener, case.reference), pause)

        assert (result == "accepted") is (self.is_open(case, time_ms) and who in case.parties)
        if result == "accepted":
            case.positions, case.version = case.positions + 1, case.version + 1

    @rule(who=players, arbiter=players, pick=picks, pause=pauses)
    def nominate(self, who: str, arbiter: str, pick: int, pause: int) -> None:
        """A party names somebody who is none, until both have named the same."""
        case = self.case_of(pick)
        if case is None:
            return
        result, time_ms = self.submit(who, disputing.nomination(arbiter, case.opener, case.reference), pause)
        fit = who in case.parties and arbiter not in case.parties and self.agreed(case, time_ms) is None

        assert (result == "accepted") is (self.is_open(case, time_ms) and fit)
        if result == "accepted":
            case.named[who], case.version = arbiter, case.version + 1

    @rule(who=players, pick=picks, pause=pauses)
    def withdraw(self, who: str, pick: int, pause: int) -> None:
        """Only its opener."""
        case = self.case_of(pick)
        if case is None:
            return
        result, time_ms = self.submit(who, disputing.withdrawal(case.opener, case.reference), pause)

        assert (result == "accepted") is (self.is_open(case, time_ms) and who == case.opener)
        if result == "accepted":
            case.end = "withdrawn"

    @rule(who=players, pick=picks, name=names, to=players, pause=pauses)
    def propose(self, who: str, pick: int, name: RegisterName, to: str, pause: int) -> None:
        """A party, to the other one."""
        case = self.case_of(pick)
        if case is None:
            return
        wanted = ((name, to),)
        message = disputing.settlement(disputing.moves(*wanted), case.opener, case.reference)
        result, time_ms = self.submit(who, message, pause)
        fit = who in case.parties and self.may_move(case, wanted)

        assert (result == "accepted") is (self.is_open(case, time_ms) and fit)
        if result == "accepted":
            case.proposal, case.version = (who, wanted), case.version + 1

    @rule(who=players, pick=picks, pause=pauses)
    def consent(self, who: str, pick: int, pause: int) -> None:
        """The other party: then the registers move, unless another dispute holds them."""
        case = self.case_of(pick)
        if case is None:
            return
        result, time_ms = self.submit(who, disputing.consent(case.version, case.opener, case.reference), pause)
        proposal = case.proposal
        expected = self.is_open(case, time_ms) and who in case.parties and proposal is not None and proposal[0] != who
        expected = expected and proposal is not None and self._moves_go(case, proposal[1], time_ms)

        assert (result == "accepted") is expected
        if result == "accepted" and proposal is not None:
            self._end(case, "settled", proposal[1])

    def _moves_go(self, case: Case, moves: tuple[tuple[RegisterName, str], ...], time_ms: int) -> bool:
        others = [one for one in self.cases if one is not case and self.is_open(one, time_ms)]
        return self.may_move(case, moves) and not any(one.holds == name for one in others for name, _ in moves)

    def _end(self, case: Case, end: str, moves: tuple[tuple[RegisterName, str], ...]) -> None:
        case.end = end
        for name, to in moves:
            self.move(name, to)

    @rule(
        who=st.sampled_from([AUTHORITY, AUTHORITY, LABORATORY, CARMAKER, BUYER]),
        pick=picks,
        verdict=st.sampled_from(["upheld", "dismissed"]),
        name=names,
        to=players,
        pause=pauses,
    )
    def decide(self, who: str, pick: int, verdict: str, name: RegisterName, to: str, pause: int) -> None:
        """Whoever may decide, on all that was stated: what he moves, moves between the parties."""
        case = self.case_of(pick)
        if case is None:
            return
        wanted = ((name, to),) if verdict == "upheld" else ()
        message = disputing.decision(
            verdict, disputing.moves(*wanted), case.opener, case.reference, positions=case.positions
        )
        result, time_ms = self.submit(who, message, pause)
        fit = self.may_decide(case, who, time_ms) and self._moves_go(case, wanted, time_ms)

        assert (result == "accepted") is (self.is_open(case, time_ms) and fit)
        if result == "accepted":
            self._end(case, verdict, wanted)
            if verdict == "dismissed":
                self.dismissed.setdefault(case.opener, []).append(time_ms)

    @rule(giver=anybody, to=players, name=names, pause=pauses)
    def hand_over(self, giver: str | None, to: str, name: RegisterName, pause: int) -> None:
        """Who stands in a register that is free offers it; anybody else who names its entry claims it."""
        entry = self.entries[name]
        who = giver or entry.holder
        result, time_ms = self.submit(who, messages.offer(to, (name,), (entry.version,)), pause)
        if who == to:
            expected = "rejected"
        elif who != entry.holder:
            expected = "contested" if self._may_claim(who, time_ms) else "rejected"
        else:
            expected = "rejected" if self.is_held(name, time_ms) or self._offer_stands() else "accepted"

        assert result == expected
        if result == "contested":
            number = 1 + sum(case.opener == who and case.is_claim for case in self.cases)
            self.cases.append(Case(who, f"CLAIM-{number}", "not_held", entry.holder, time_ms, None, 0, is_claim=True))
        if result == "accepted":
            self.offer, self.offers = (who, to, name), self.offers + 1

    def _may_claim(self, who: str, time_ms: int) -> bool:
        same = any(case.is_claim and case.opener == who and self.is_open(case, time_ms) for case in self.cases)
        return not same and self.has_room(who, time_ms)

    def _offer_stands(self) -> bool:
        return self.offer is not None and self.entries[self.offer[2]].holder == self.offer[0]

    @rule(taker=anybody, pause=pauses)
    def take(self, taker: str | None, pause: int) -> None:
        """The addressee of an offer that stands, while nothing holds the register."""
        who = taker or (self.offer[1] if self.offer else MAKER)
        result, time_ms = self.submit(who, messages.accept(self.offers), pause)
        offer = self.offer
        expected = (
            offer is not None and offer[1] == who and self._offer_stands() and not self.is_held(offer[2], time_ms)
        )

        assert (result == "accepted") is expected
        if result == "accepted" and offer is not None:
            self.move(offer[2], who)
            self.offer, self.offers = None, self.offers + 1

    @rule(claimant=anybody, pause=pauses)
    def give_notice(self, claimant: str | None, pause: int) -> None:
        """An operator, of what somebody else answers for who has not objected of late."""
        who = claimant or BUYER
        answers = self.entries["responsibility"]
        result, time_ms = self.submit(who, disputing.notice(answers.version), pause)
        notice = self.notice
        answered = (
            notice is not None
            and (notice.state, notice.entry) == ("objected", answers.version)
            and time_ms < notice.objected_ms + NINETY
        )
        expected = who in OPERATORS and answers.holder != who and not answered and not self.is_running(time_ms)

        assert (result == "accepted") is (expected and not self._is_taking_held(time_ms))
        if result == "accepted":
            number = 1 if notice is None else notice.version + 1
            self.notice = Notice(who, answers.version, time_ms + MONTH, number)

    def _taken(self) -> tuple[RegisterName, ...]:
        same = self.entries["custody"].holder == self.entries["responsibility"].holder
        return ("custody", "responsibility") if same else ("responsibility",)

    def _is_taking_held(self, time_ms: int) -> bool:
        return any(self.is_held(name, time_ms) for name in self._taken())

    @rule(who=players, pause=pauses)
    def object(self, who: str, pause: int) -> None:
        """Whoever stands in a register, but the claimant."""
        notice = self.notice
        if notice is None:
            return
        result, time_ms = self.submit(who, disputing.objection(notice.version), pause)
        is_registered = who in [entry.holder for entry in self.entries.values()] and who != notice.by
        assert (result == "accepted") is (self.is_running(time_ms) and is_registered)
        if result == "accepted":
            notice.state, notice.objected_ms, notice.version = "objected", time_ms, notice.version + 1

    @rule(giver=anybody, pause=pauses)
    def complete(self, giver: str | None, pause: int) -> None:
        """Its giver, once the notice has ended, while nothing holds what it moves."""
        notice = self.notice
        if notice is None:
            return
        who = giver or notice.by
        result, time_ms = self.submit(who, disputing.completion(notice.version), pause)
        expected = self.is_running(time_ms) and who == notice.by and self.is_unlocked(notice, time_ms)

        assert (result == "accepted") is (expected and not self._is_taking_held(time_ms))
        if result == "accepted":
            for name in self._taken():
                self.move(name, who)
            notice.state, notice.version = "completed", notice.version + 1

    def is_unlocked(self, notice: Notice, time_ms: int) -> bool:
        """Whether there was time to object."""
        return time_ms >= notice.ends_ms

    # What always holds

    @invariant()
    def each_register_names_the_party_of_the_model(self) -> None:
        """Exactly one; and it is the one whom signatures of both, a decision or a take-over put there."""
        if not hasattr(self, "world"):
            return
        for name, entry in self.entries.items():
            record = disputing.register(self.world, name)
            assert (record.organisation, record.version) == (entry.holder, entry.version)

    @invariant()
    def the_unit_lists_every_open_dispute(self) -> None:
        """Whoever scans it finds all of them; those that lapsed may still stand there."""
        if not hasattr(self, "world") or not self.cases:
            return
        time_ms = self.world.head.time_ms
        listed = self.world.record(UnitDisputes, unit_disputes_key(messages.BATTERY)).disputes
        found = [(one.organisation, one.reference) for one in listed]
        expected = [(case.opener, case.reference) for case in self.cases if self.is_open(case, time_ms)]
        assert [one for one in found if one in expected] == expected

    def teardown(self) -> None:
        """From where the course ended, everything that is open has a way out."""
        if not hasattr(self, "world") or not self.searches:
            return
        for case in self.cases:
            if self.is_open(case, self.world.head.time_ms + 1):
                self._find_ways_out(case)
        self._find_way_past_time()

    def _find_ways_out(self, case: Case) -> None:
        """Its opener withdraws; without him somebody decides, if need be after half a year."""
        alone = copy.deepcopy(self.world)
        assert disputing.submit(alone, case.opener, disputing.withdrawal(case.opener, case.reference)) is None
        if AUTHORITY in case.parties:
            return
        dismissal = disputing.decision("dismissed", (), case.opener, case.reference, positions=case.positions)
        tried = []
        for who in PLAYERS:
            for wait in (1, max(1, case.opened_ms + HALF_A_YEAR + 1 - self.world.head.time_ms)):
                elsewhere = copy.deepcopy(self.world)
                tried.append(disputing.submit(elsewhere, who, dismissal, time_ms=elsewhere.head.time_ms + wait))
        assert None in tried, f"{case} has no way out without {case.opener}"

    def _find_way_past_time(self) -> None:
        """After a year everybody who is registered can hand over what he has, whatever others left open."""
        later = copy.deepcopy(self.world)
        time_ms = later.head.time_ms + YEAR + 1
        for name, entry in self.entries.items():
            taker = BUYER if entry.holder != BUYER else MAKER
            if offer_key(messages.BATTERY) in later.state.records:
                offer = later.record(OfferRecord, offer_key(messages.BATTERY))
                if offer.state == "open":
                    disputing.submit(later, offer.offerer, messages.withdraw(offer.version), time_ms=time_ms)
            offered = disputing.outcome(
                later,
                entry.holder,
                messages.offer(taker, (name,), (entry.version,)),  # type: ignore[arg-type]  # a register
                time_ms=max(time_ms, later.next_ms),
            )
            assert offered.is_accepted, f"{name} does not move any more: {offered}"
            assert disputing.submit(later, taker, messages.accept(int(str(offered.events[0]["version"])))) is None
        if takeover_key(messages.BATTERY) in later.state.records:
            assert later.record(TakeoverRecord, takeover_key(messages.BATTERY)).ends_ms < later.head.time_ms


@pytest.mark.slow
def test_any_course_of_disputes_follows_the_model() -> None:
    """Five members act in any order, with any pauses."""
    run_state_machine_as_test(DisputeMachine, settings=settings(max_examples=40, stateful_step_count=40))


def _finds(mutant: type[DisputeMachine]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            mutant, settings=settings(max_examples=400, phases=[Phase.generate], print_blob=False)
        )


@pytest.mark.slow
def test_a_model_in_which_disputes_hold_nothing_is_found_wrong() -> None:
    """Control: the machine whose registers always move disagrees with the ledger."""

    class Mutant(DisputeMachine):
        searches = False

        def is_held(self, name: str, time_ms: int) -> bool:
            return super().is_held(name, time_ms) and name == "nothing"

    _finds(Mutant)


@pytest.mark.slow
def test_a_model_in_which_strangers_settle_is_found_wrong() -> None:
    """Control: the machine that moves what a third party holds disagrees with the ledger."""

    class Mutant(DisputeMachine):
        searches = False

        def may_move(self, case: Case, moves: tuple[tuple[RegisterName, str], ...]) -> bool:
            return all(to in case.parties for _, to in moves)

    _finds(Mutant)


@pytest.mark.slow
def test_a_model_that_skips_the_notice_is_found_wrong() -> None:
    """Control: the machine that takes units over at once disagrees with the ledger."""

    class Mutant(DisputeMachine):
        searches = False

        def is_unlocked(self, notice: Notice, time_ms: int) -> bool:
            return time_ms <= notice.ends_ms or super().is_unlocked(notice, time_ms)

    _finds(Mutant)
