"""Batteries registered, handed over, certified and corrected in any order, against a model of plain dicts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.ledger.state import reference_root
from cellvow.core.ledger.statement import Statement
from tests import messages
from tests.properties.core.test_state_map import entries_of
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World

BATTERIES = [f"01/{messages.GTIN}/21/PACK-{number}" for number in range(2)]
PLAYERS = (MAKER, CARMAKER, BUYER, LABORATORY)

batteries = st.sampled_from(BATTERIES)
players = st.sampled_from((None, None, None, *PLAYERS))
"""None stands for whoever may do it by the model, so that most steps lead somewhere."""
register_choices: st.SearchStrategy[tuple[RegisterName, ...]] = st.sampled_from(
    [("custody",), ("ownership",), ("custody", "ownership"), ("custody", "ownership", "responsibility")]
)
versions = st.integers(1, 4)
references = st.integers(1, 4).map(lambda number: f"T-{number}")


@dataclass
class Life:
    """What the model knows of one battery."""

    holders: dict[str, str] = field(default_factory=lambda: dict.fromkeys(REGISTERS, MAKER))
    moves: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REGISTERS, 1))
    offer: tuple[str, str, tuple[str, ...]] | None = None
    offer_version: int = 0
    epoch: int = 0
    birth: Statement | None = None
    facility: int = 1
    is_old: bool = False


@dataclass
class Attested:
    """What the model knows of one attestation."""

    battery: str
    is_certificate: bool
    epoch: int
    is_revoked: bool = False


class LifeMachine(RuleBasedStateMachine):
    """Every rule predicts from the model whether the ledger accepts, and then changes both."""

    def __init__(self) -> None:
        """An empty model; the ledger begins with `begin`."""
        super().__init__()
        self.lives: dict[str, Life] = {}
        self.tests: dict[tuple[str, str], Attested] = {}

    @initialize()
    def begin(self) -> None:
        """A model of batteries, and the same rows anchored by everybody."""
        self.world = World()
        self.world.accept(self.world[MAKER].key.sign(messages.model()))
        self.world.accept(*(self.world[name].key.sign(messages.anchor()) for name in PLAYERS))

        self.register(BATTERIES[0], None)

    def submit(self, organisation: str, message: Message, *, expected: bool) -> Statement:
        """Put the message into a block; its outcome must be what the model expects."""
        statement = self.world[organisation].key.sign(message)
        outcome = self.world.submit(statement)

        assert outcome.is_accepted is expected, outcome
        return statement

    @rule(battery=batteries, who=players, is_old=st.booleans())
    def register(self, battery: str, who: str | None, is_old: bool = False) -> None:
        """Only the maker, and only once, as it happened or reconstructed."""
        who = who or MAKER
        expected = who == MAKER and battery not in self.lives
        birth = messages.reconstructed(battery) if is_old else messages.battery(battery)
        statement = self.submit(who, birth, expected=expected)
        if expected:
            self.lives[battery] = Life(birth=statement, is_old=is_old)

    @rule(battery=batteries, who=players, to=players, names=register_choices, stale=st.integers(0, 5))
    def offer(self, battery: str, who: str | None, to: str | None, names: tuple[RegisterName, ...], stale: int) -> None:
        """Only what one stands in, to another, at the versions seen, with no offer open."""
        life = self.lives.get(battery)
        who = who or (life.holders[names[0]] if life else MAKER)
        to = to or (BUYER if who != BUYER else CARMAKER)
        seen = tuple((life.moves[name] if life else 1) + (stale == 0) for name in names)
        expected = (
            life is not None
            and who != to
            and life.offer is None
            and all(life.holders[name] == who for name in names)
            and stale != 0
        )
        self.submit(who, messages.offer(to, names, seen, identifier=battery), expected=expected)
        if expected and life is not None:
            life.offer, life.offer_version = (who, to, names), life.offer_version + 1

    def _is_open(self, battery: str, version: int) -> bool:
        life = self.lives.get(battery)
        return life is not None and life.offer is not None and life.offer_version == version

    @rule(battery=batteries, who=players, version=st.one_of(st.none(), versions))
    def accept(self, battery: str, who: str | None, version: int | None) -> None:
        """Only the addressee, only the offer of that version; then the registers move."""
        version = self._current(battery) if version is None else version
        life = self.lives.get(battery)
        offer = life.offer if life else None
        who = who or (offer[1] if offer else BUYER)
        expected = self._is_open(battery, version) and offer is not None and offer[1] == who
        self.submit(who, messages.accept(version, identifier=battery), expected=expected)
        if expected and life is not None and offer is not None:
            for name in offer[2]:
                life.holders[name], life.moves[name] = who, life.moves[name] + 1
            self._end(life)

    @rule(battery=batteries, who=players, version=st.one_of(st.none(), versions))
    def decline(self, battery: str, who: str | None, version: int | None) -> None:
        """Only the addressee; nothing moves."""
        version = self._current(battery) if version is None else version
        life = self.lives.get(battery)
        offer = life.offer if life else None
        who = who or (offer[1] if offer else BUYER)
        expected = self._is_open(battery, version) and offer is not None and offer[1] == who
        self.submit(who, messages.decline(version, identifier=battery), expected=expected)
        if expected and life is not None:
            self._end(life)

    @rule(battery=batteries, who=players, version=st.one_of(st.none(), versions))
    def withdraw(self, battery: str, who: str | None, version: int | None) -> None:
        """Only the offerer; nothing moves."""
        version = self._current(battery) if version is None else version
        life = self.lives.get(battery)
        offer = life.offer if life else None
        who = who or (offer[0] if offer else BUYER)
        expected = self._is_open(battery, version) and offer is not None and offer[0] == who
        self.submit(who, messages.withdraw(version, identifier=battery), expected=expected)
        if expected and life is not None:
            self._end(life)

    def _current(self, battery: str) -> int:
        life = self.lives.get(battery)
        return max(1, life.offer_version) if life else 1

    def _end(self, life: Life) -> None:
        life.offer, life.offer_version = None, life.offer_version + 1

    @rule(battery=batteries, who=players, reference=references, is_certificate=st.booleans())
    def attest(self, battery: str, who: str | None, reference: str, is_certificate: bool) -> None:
        """A certificate only by the laboratory, an attestation by anyone; a number once; a battery that is there."""
        life = self.lives.get(battery)
        who = who or LABORATORY
        expected = life is not None and (who, reference) not in self.tests and (who == LABORATORY or not is_certificate)
        message = replace(messages.certificate(reference, identifier=battery), is_certificate=is_certificate)
        self.submit(who, message, expected=expected)
        if expected and life is not None:
            self.tests[who, reference] = Attested(battery, is_certificate, life.epoch)

    @rule(battery=batteries, who=players, reference=references)
    def revoke(self, battery: str, who: str | None, reference: str) -> None:
        """Only one's own, only what is not over, only with its battery named."""
        who = who or LABORATORY
        test = self.tests.get((who, reference))
        expected = test is not None and test.battery == battery and not test.is_revoked
        self.submit(who, messages.revocation(reference, identifier=battery), expected=expected)
        if expected and test is not None:
            test.is_revoked = True

    @rule(battery=batteries, who=players, is_old=st.booleans())
    def correct_birth(self, battery: str, who: str | None, is_old: bool) -> None:
        """Only the maker, never from reconstructed to not; every test so far is invalidated."""
        who = who or MAKER
        life = self.lives.get(battery)
        named = life.birth if life and life.birth else self.world.blocks[1].statements[0]
        facility = f"Plant {life.facility + 1 if life else 1}"
        birth = messages.reconstructed(battery) if is_old else messages.battery(battery)
        message = messages.correction(named, replace(birth, facility=facility))
        expected = life is not None and who == MAKER and is_old >= life.is_old
        statement = self.submit(who, message, expected=expected)
        if expected and life is not None:
            life.birth, life.epoch, life.facility = statement, life.epoch + 1, life.facility + 1
            life.is_old = is_old

    @invariant()
    def a_reconstructed_birth_is_marked_and_no_other_is(self) -> None:
        """Whatever was corrected since."""
        for battery, life in self.lives.items():
            record = self.world.record(BatteryRecord, battery_key(battery))
            assert (record.backfill is not None) is life.is_old

    @invariant()
    def exactly_one_organisation_stands_in_each_register(self) -> None:
        """And it is the one the model says, after as many moves."""
        for battery, life in self.lives.items():
            for name in REGISTERS:
                record = self.world.record(RegisterRecord, register_key(name, battery))
                assert (record.organisation, record.version) == (life.holders[name], life.moves[name])

    @invariant()
    def an_unregistered_battery_has_no_records(self) -> None:
        """No register, offer or attestation names a battery that was never born."""
        records = self.world.state.records if hasattr(self, "world") else {}
        for battery in (one for one in BATTERIES if one not in self.lives):
            assert not [key for key in records if battery in key]
            assert not [key for key, value in records.items() if battery.encode() in value]

    @invariant()
    def no_certificate_comes_from_outside_its_accreditation(self) -> None:
        """Certificates on the ledger are the laboratory's; states are what the model says."""
        for (who, reference), test in self.tests.items():
            record = self.world.record(AttestationRecord, attestation_key(who, reference))
            battery = self.world.record(BatteryRecord, battery_key(test.battery))
            is_current = test.epoch == self.lives[test.battery].epoch
            state = "revoked" if test.is_revoked else "issued" if is_current else "invalidated"
            assert derive_state(record, battery, self.world.head.time_ms) == state
            assert not record.is_certificate or who == LABORATORY

    @invariant()
    def an_offer_is_open_when_the_model_says_so(self) -> None:
        """Its sides and version too."""
        for battery, life in self.lives.items():
            if life.offer is not None:
                record = self.world.record(OfferRecord, offer_key(battery))
                assert (record.state, record.version) == ("open", life.offer_version)
                assert (record.offerer, record.addressee, record.registers) == life.offer

    def teardown(self) -> None:
        """At the end the state root is that of the records, and every record names its statement."""
        if not hasattr(self, "world"):
            return
        records = self.world.state.records
        known = [s.envelope.digest.hex() for block in self.world.blocks for s in block.statements]
        named = [json.loads(value).get("provenance", {}).get("statement") for value in records.values()]

        assert self.world.state.root == reference_root(entries_of(records))
        assert all(one in known for one in named if one is not None)


@pytest.mark.slow
def test_any_life_of_two_batteries_follows_the_model() -> None:
    """Four organisations act in any order, rightly and wrongly."""
    run_state_machine_as_test(LifeMachine, settings=settings(max_examples=40, stateful_step_count=30))


@pytest.mark.slow
def test_a_model_that_ignores_the_version_of_an_offer_is_found_wrong() -> None:
    """Control: the machine with one rule mutated disagrees with the ledger."""

    class Mutant(LifeMachine):
        def _is_open(self, battery: str, version: int) -> bool:
            life = self.lives.get(battery)
            return life is not None and life.offer is not None and version >= 1

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant, settings=settings(max_examples=200, phases=[Phase.generate], print_blob=False)
        )
