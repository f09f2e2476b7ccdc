"""What a message claims against the registers: it changes none of them, and is kept as a dispute with its evidence."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.change import RemoveMember
from cellvow.core.contracts.contract import Message, encode_record
from cellvow.core.contracts.dispute_file import (
    MemberDisputes,
    UnitDisputes,
    dispute_key,
    member_disputes_key,
    unit_disputes_key,
)
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.outcome import Outcome, encode_outcome, parse_outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import DISPUTES_OPEN_MAX
from tests import messages
from tests.decisions import adopt
from tests.disputing import decision, dispute, hand_over, holders, opening, outcome, settled, submit, withdrawal
from tests.world import BUYER, CARMAKER, MAKER, World, make_genesis, without_sequences

CLAIM = "CLAIM-1"
NEW = f"01/{messages.GTIN}/21/PACK-0009"


def reasons(kept: list[list[Outcome]]) -> list[str]:
    """`accepted`, `contested` or the name of the reason, of every message."""
    return [
        "contested" if one.is_contested else "accepted" if one.reason is None else one.reason.name
        for outcomes in kept
        for one in outcomes
    ]


def records_but_disputes(world: World) -> dict[str, bytes]:
    """What a claim must not change."""
    kept = without_sequences(world.state.records)
    return {key: value for key, value in kept.items() if not key.startswith(("dispute", "disput"))}


def stale(who: str, version: int) -> Message:
    """A hand-over of custody by somebody who names this version of the register."""
    return messages.offer(who, ("custody",), (version,))


@pytest.mark.parametrize("own_first", [True, False], ids=["its maker first", "the other first"])
@pytest.mark.parametrize("one_block", [True, False], ids=["one block", "two blocks"])
def test_a_serial_claimed_by_two_is_contested_in_either_order(own_first: bool, one_block: bool) -> None:
    """The maker's battery is registered, the other's claim is kept against him, and both orders leave the same."""
    world = settled()
    own, other = world[MAKER].key.sign(messages.battery(NEW)), world[CARMAKER].key.sign(messages.battery(NEW))
    order = (own, other) if own_first else (other, own)
    kept = world.include(*order) if one_block else [world.include(one)[0] for one in order]

    assert sorted(reasons(kept)) == ["accepted", "contested"]
    assert holders(world, NEW) == dict.fromkeys(REGISTERS, MAKER)
    file = dispute(world, CARMAKER, CLAIM)
    assert (file.topic, file.respondent, file.is_claim, file.state) == ("cloned_serial", MAKER, True, "open")
    assert file.provenance.statement == other.envelope.digest.hex()
    assert file.holds == ()


def test_a_serial_of_a_model_that_the_first_has_squatted_is_contested_by_the_second() -> None:
    """Whoever is registered is the respondent: the other way round, the real maker's claim is kept."""
    world = World(make_genesis(ruleset=3))
    world.accept(world[CARMAKER].key.sign(messages.model()), world[CARMAKER].key.sign(messages.battery()))
    claimed = outcome(world, MAKER, messages.battery())

    assert claimed.is_contested
    assert (dispute(world, MAKER, CLAIM).respondent, holders(world)["custody"]) == (CARMAKER, CARMAKER)


def test_a_claim_changes_no_register_and_names_its_dispute() -> None:
    """All it writes are the dispute and the two lists that count it; its event says where to find it."""
    world = settled()
    before = records_but_disputes(world)
    claimed = outcome(world, BUYER, stale(CARMAKER, 1))

    assert claimed.is_contested
    assert (claimed.is_accepted, claimed.reason) == (False, None)
    assert claimed.events == (
        {
            "type": "DisputeOpened",
            "battery": messages.BATTERY,
            "opener": BUYER,
            "reference": CLAIM,
            "topic": "not_held",
        },
    )
    assert records_but_disputes(world) == before
    assert sorted(key for key in world.state.records if key.startswith("disput")) == [
        dispute_key(BUYER, CLAIM),
        unit_disputes_key(messages.BATTERY),
        member_disputes_key(BUYER),
    ]


def test_a_hand_over_by_somebody_who_does_not_hold() -> None:
    """Who names the entry that stands disputes it; who names an older one lost a race, and is told so."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("custody",))

    assert submit(world, MAKER, stale(CARMAKER, 1)) is Reason.NOT_IN_THE_REGISTER
    assert submit(world, BUYER, stale(CARMAKER, 1)) is Reason.STALE_VERSION
    assert outcome(world, MAKER, stale(CARMAKER, 2)).is_contested
    assert (dispute(world, MAKER, CLAIM).respondent, holders(world)["custody"]) == (BUYER, BUYER)


def test_two_hand_overs_of_one_custody_in_one_block_in_either_order() -> None:
    """The one who holds offers; the one who does not is kept as a claim; neither order changes that."""
    for mine_first in (True, False):
        world = settled()
        mine, other = world[MAKER].key.sign(stale(BUYER, 1)), world[CARMAKER].key.sign(stale(BUYER, 1))
        kept = world.include(*((mine, other) if mine_first else (other, mine)))
        assert reasons(kept) == (["accepted", "contested"] if mine_first else ["contested", "accepted"])


@pytest.mark.parametrize("ceased", ["recycled", "destroyed"])
def test_a_dead_identifier_that_comes_back_is_contested(ceased: str) -> None:
    """Whoever does something with a unit that ended raises the alarm, and does nothing else."""
    world = settled()
    record = replace(world.record(BatteryRecord, battery_key(messages.BATTERY)), ceased=ceased)
    world.state.update({battery_key(messages.BATTERY): encode_record(record)})
    claimed = outcome(world, BUYER, messages.declaration())

    assert claimed.is_contested
    assert (dispute(world, BUYER, CLAIM).topic, dispute(world, BUYER, CLAIM).respondent) == ("dead_identifier", MAKER)


def test_nobody_is_a_party_against_himself() -> None:
    """Who answers for the dead unit comes with it himself: the claim has no other side."""
    world = settled()
    record = replace(world.record(BatteryRecord, battery_key(messages.BATTERY)), ceased="recycled")
    world.state.update({battery_key(messages.BATTERY): encode_record(record)})

    assert outcome(world, MAKER, messages.declaration()).is_contested
    assert dispute(world, MAKER, CLAIM).respondent is None


def test_a_claim_is_kept_while_its_atomic_batch_is_aborted() -> None:
    """The others did nothing, whether they stood before or after; the evidence is not lost with them."""
    world = settled()
    before = records_but_disputes(world)
    batch = [messages.anchor(), stale(CARMAKER, 1), messages.declaration()]
    kept = world.include(world[BUYER].key.sign_batch(batch))

    assert reasons(kept) == ["BATCH_ABORTED", "contested", "BATCH_ABORTED"]
    assert records_but_disputes(world) == before
    assert dispute(world, BUYER, CLAIM).provenance.index == 1


def test_what_a_batch_undid_does_not_show_in_the_claim_it_leaves() -> None:
    """Threat: withdraw a dispute and raise a claim in one batch. The batch is aborted, and the dispute still holds."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    submit(world, BUYER, opening(MAKER))
    kept = world.include(world[BUYER].key.sign_batch([withdrawal(), stale(CARMAKER, 1)]))

    assert reasons(kept) == ["BATCH_ABORTED", "contested"]
    assert dispute(world, BUYER).state == "open"
    listed = world.record(UnitDisputes, unit_disputes_key(messages.BATTERY)).disputes
    assert [one.reference for one in listed] == ["D-1", CLAIM]
    assert len(world.record(MemberDisputes, member_disputes_key(BUYER)).disputes) == 2
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is Reason.REGISTER_DISPUTED


def test_in_a_batch_of_single_messages_the_others_go_through() -> None:
    """`each`: one is a claim, and what stands beside it is done."""
    world = settled()
    batch = [messages.anchor(), stale(CARMAKER, 1), messages.declaration()]

    assert reasons(world.include(world[BUYER].key.sign_batch(batch, mode="each"))) == [
        "accepted",
        "contested",
        "accepted",
    ]


def test_two_claims_of_one_atomic_batch_are_both_kept() -> None:
    """Each under its own number."""
    world = settled()
    other = messages.offer(CARMAKER, ("custody",), (1,), identifier=messages.OTHER_BATTERY)

    assert reasons(world.include(world[BUYER].key.sign_batch([stale(CARMAKER, 1), other]))) == ["contested"] * 2
    assert dispute(world, BUYER, "CLAIM-2").battery == messages.OTHER_BATTERY


def test_a_repeated_claim_is_pointed_to_the_one_that_is_open() -> None:
    """By the reference of the dispute; another's claim is his own, and once it ended it may be raised again."""
    world = settled()
    outcome(world, BUYER, stale(CARMAKER, 1))
    again = outcome(world, BUYER, stale(CARMAKER, 1))

    assert (again.reason, again.facts) == (Reason.DISPUTE_EXISTS, (("reference", CLAIM),))
    assert outcome(world, CARMAKER, stale(BUYER, 1)).is_contested
    submit(world, BUYER, withdrawal(reference=CLAIM))
    assert outcome(world, BUYER, stale(CARMAKER, 1)).is_contested
    assert dispute(world, BUYER, "CLAIM-2").state == "open"


def test_claims_past_the_quota_are_rejected() -> None:
    """Threat: a smear of many units by one member; each claim of it bears his name, and the seventeenth is none."""
    world = settled()
    units = [f"01/{messages.GTIN}/21/OWN-{number}" for number in range(DISPUTES_OPEN_MAX + 1)]
    for unit in units[:-1]:
        assert outcome(world, CARMAKER, messages.battery(unit)).is_contested
    before = without_sequences(world.state.records)

    assert submit(world, CARMAKER, messages.battery(units[-1])) is Reason.TOO_MANY_DISPUTES
    assert without_sequences(world.state.records) == before
    batch = [messages.anchor(), messages.battery(units[-1])]
    assert reasons(world.include(world[CARMAKER].key.sign_batch(batch))) == ["BATCH_ABORTED", "TOO_MANY_DISPUTES"]


def test_a_claim_on_a_unit_that_was_never_registered_can_be_decided() -> None:
    """Nothing there could move, and nothing must keep the claim from ending."""
    world = settled()
    assert outcome(world, CARMAKER, messages.battery(NEW)).is_contested
    ended = replace(decision("dismissed", opener=CARMAKER, reference=CLAIM, positions=0), battery=NEW)

    assert submit(world, "marktamt", ended) is None


def test_a_claim_against_who_left_is_kept_too() -> None:
    """He is registered still."""
    world = settled()
    adopt(world, RemoveMember(organisation=MAKER), voters=("marktamt", BUYER, CARMAKER, "cellab"))

    assert outcome(world, BUYER, stale(CARMAKER, 1)).is_contested
    assert dispute(world, BUYER, CLAIM).respondent == MAKER


@pytest.mark.parametrize("ruleset", [1, 2])
def test_earlier_rules_reject_what_is_a_claim_since(ruleset: int) -> None:
    """A shipped rule never changes: what they did with it, they do."""
    world = World(make_genesis(ruleset=ruleset))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))

    assert submit(world, CARMAKER, messages.battery()) is Reason.NOT_YOUR_MODEL
    assert submit(world, BUYER, stale(CARMAKER, 1)) is Reason.NOT_IN_THE_REGISTER
    assert not any(key.startswith("disput") for key in world.state.records)


def test_the_bytes_of_a_contested_outcome() -> None:
    """The third result: with events, without a code, and read back as what it is."""
    kept = Outcome(events=({"type": "DisputeOpened", "reference": CLAIM},), is_contested=True)
    data = encode_outcome(kept)

    assert data == b'{"events":[{"reference":"CLAIM-1","type":"DisputeOpened"}],"result":"contested"}'
    assert parse_outcome(data) == kept
    assert parse_outcome(data) != replace_result(data)


def replace_result(data: bytes) -> Outcome:
    """The same events, as an acceptance."""
    return parse_outcome(data.replace(b'"contested"', b'"accepted"'))
