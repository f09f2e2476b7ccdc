"""First and second signatures, rules, rotations, leavers and thefts in any order, against a model of plain dicts (X03).

What the model holds to: nothing that the rule names takes effect with the signatures of fewer than two people.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from cellvow.core.contracts import countersigning
from cellvow.core.contracts.contract import Context, Message, require
from cellvow.core.contracts.countersigning import LAPSE_MS, HeldRecord
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.digest import sha256
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import BLOCK_MS, MAKER, Signer, World, make_genesis, make_signer

PEOPLE = 3
people = st.integers(0, PEOPLE - 1)
picks = st.integers(0, 7)
modes = st.sampled_from(["single", "atomic", "each"])


@dataclass
class Person:
    """Somebody with a key that may have followed another; `number` tells him from everybody else there ever was."""

    number: int
    key: Signer


@dataclass
class Order:
    """One signed order: who signed it first, whether it waits, and since when."""

    first: Statement
    index: int
    root: str
    person: int
    kid: str
    since_ms: int
    waits: bool


class CountersigningMachine(RuleBasedStateMachine):
    """Every rule predicts from the model what the ledger does, and then changes both."""

    @initialize()
    def begin(self) -> None:
        """Three people, the rule, and an order that waits."""
        self.world = World(make_genesis(ruleset=NEWEST))
        self.numbers = 0
        self.people = [self.employ() for _ in range(PEOPLE)]
        self.orders: list[Order] = []
        self.is_ruled = False
        self.stolen: dict[str, None] = {}
        self.signers: dict[str, dict[int, None]] = {}
        self.ruled_roots: dict[str, None] = {}
        self.done: dict[str, None] = {}
        self.set_rule(True)
        self.order(0, "single")

    def employ(self) -> Person:
        """Somebody new, with a key of his own."""
        self.numbers += 1
        key = make_signer(MAKER, f"person {self.numbers}")
        self.world.accept(self.world[MAKER].root.sign(self.world[MAKER].register_key(key)))
        return Person(self.numbers, key)

    def include(self, statement: Statement, pause_ms: int = 0) -> list[Outcome]:
        """The outcomes of a statement in the next block."""
        return self.world.include(statement, time_ms=self.world.next_ms + pause_ms)[0]

    def by_root(self, message: Message) -> None:
        """Something that the root key orders, and may."""
        self.world.accept(self.world[MAKER].root.sign(message))

    @rule(ruled=st.booleans())
    def set_rule(self, ruled: bool) -> None:
        """The root key asks for second signatures under anchors, or no longer; nobody else can."""
        switch = messages.signing_rule(MAKER, *([] if self.is_ruled else ["Anchor"]))
        assert not self.include(self.people[0].key.sign(switch))[0].is_accepted
        self.by_root(messages.signing_rule(MAKER, *(["Anchor"] if ruled else [])))
        self.is_ruled = ruled

    @rule(who=people, mode=modes)
    def order(self, who: int, mode: str) -> None:
        """One or two anchors, signed once: held under the rule, done without it."""
        person = self.people[who]
        count = 1 if mode == "single" else 2
        roots = [sha256(b"%d %d" % (len(self.orders), n)).hex() for n in range(count)]
        anchors = [messages.anchor(root) for root in roots]
        signed = person.key.sign(anchors[0]) if mode == "single" else person.key.sign_batch(anchors, mode=mode)
        for index, outcome in enumerate(self.include(signed)):
            assert (outcome.is_held, outcome.is_accepted) == (self.is_ruled, not self.is_ruled)
            known = (signed, index, roots[index], person.number, person.key.kid.hex(), self.world.head.time_ms)
            self.orders.append(Order(*known, waits=self.is_ruled))
            self.signers[roots[index]] = {person.number: None}
            if self.is_ruled:
                self.ruled_roots[roots[index]] = None
            else:
                self.done[roots[index]] = None

    @rule(who=people, pick=picks, late=st.sampled_from([False, False, False, True]))
    def countersign(self, who: int, pick: int, late: bool) -> None:
        """Anybody signs any order a second time, now or after it lapsed."""
        person, order = self.people[who], self.pick(pick)
        pause_ms = LAPSE_MS + BLOCK_MS if late else 0
        may = order.waits and not self.has_lapsed(order, pause_ms)
        may = may and order.person != person.number and order.kid not in self.stolen
        signed = person.key.sign(messages.second_signature(order.first, order.index))
        (outcome,) = self.include(signed, pause_ms)
        assert outcome.is_accepted is may
        self.signers[order.root][person.number] = None
        if may:
            order.waits = False
            self.done[order.root] = None

    def pick(self, number: int) -> Order:
        """An order, most often one that waits."""
        waiting = [order for order in self.orders if order.waits]
        among = waiting if waiting and number else self.orders
        return among[number % len(among)]

    def has_lapsed(self, order: Order, pause_ms: int) -> bool:
        """Whether the next block comes too late for it."""
        return self.world.next_ms + pause_ms > order.since_ms + LAPSE_MS

    @rule(who=people, pick=picks)
    def withdraw(self, who: int, pick: int) -> None:
        """Anybody withdraws what waits."""
        order = self.pick(pick)
        may = order.waits and not self.has_lapsed(order, 0)
        (outcome,) = self.include(self.people[who].key.sign(messages.withdraw_held(order.first, order.index)))
        assert outcome.is_accepted is may
        order.waits = order.waits and not may

    @rule(who=people)
    def rotate(self, who: int) -> None:
        """Somebody gets another key in the place of his own: he stays who he is."""
        person = self.people[who]
        successor = make_signer(MAKER, f"person {person.number} after {person.key.kid.hex()}")
        registration = self.world[MAKER].register_key(successor)
        self.by_root(replace(registration, replaces=person.key.kid.hex()))
        person.key = successor

    @rule(who=people, stolen=st.booleans())
    def leave(self, who: int, stolen: bool) -> None:
        """Somebody leaves, or his key was stolen; somebody else comes."""
        key = self.people[who].key
        self.by_root(messages.compromise(key, self.world.head.time_ms) if stolen else messages.revoke_key(key))
        if stolen:
            self.stolen[key.kid.hex()] = None
        self.people[who] = self.employ()

    @invariant()
    def what_is_done_is_what_the_model_says(self) -> None:
        """Every anchor recorded was either free, or signed by two people."""
        prefix = f"anchor/{MAKER}/"
        recorded = [key.removeprefix(prefix) for key in self.world.state.keys(prefix)]
        assert recorded == sorted(self.done)
        assert all(len(self.signers[root]) > 1 for root in recorded if root in self.ruled_roots)


SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.slow
def test_nothing_named_takes_effect_with_one_persons_signatures() -> None:
    """The rules of the machine, in any order."""
    run_state_machine_as_test(CountersigningMachine, settings=SETTINGS)


@pytest.mark.slow
@pytest.mark.parametrize("weakness", ["same signer", "stolen key"])
def test_the_machine_finds_a_weaker_rule(weakness: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the check of who signs, or of the stolen first key, it fails."""
    if weakness == "same signer":
        monkeypatch.setattr(countersigning, "_is_same_signer", lambda *_: False)
    else:
        monkeypatch.setattr(countersigning, "require_second", _require_another_key)
    once = settings(SETTINGS, max_examples=200, phases=[Phase.generate], database=None, print_blob=False)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(CountersigningMachine, settings=once)


def _require_another_key(context: Context, record: HeldRecord) -> None:
    """Only that it is another key, whatever became of the first."""
    key = countersigning._key(context, context.kid)
    require(not countersigning._is_same_signer(context, record, key), Reason.SAME_SIGNER)
