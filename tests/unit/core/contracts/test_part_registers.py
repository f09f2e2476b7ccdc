"""Parts: whose a part is while it is built in and afterwards, a part in two packs, and whose tests a change voids."""

from __future__ import annotations

import msgspec
import pytest

from cellvow.core.contracts.assembly import assembly_key
from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import BatteryRecord, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import Committed, Message, encode_record
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute import OpenDispute
from cellvow.core.contracts.dispute_file import DisputeRecord, dispute_key
from cellvow.core.contracts.register import REGISTERS, RegisterName
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from tests import messages
from tests.assembly import (
    answering,
    assembled,
    cell,
    epoch,
    hand_over,
    module,
    pack,
    part_of,
    refused,
    standing,
    submit,
    workshop,
)
from tests.lives import installed
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World, without_sequences


def dispute(battery: str, topic: str = "ownership", respondent: str = MAKER) -> OpenDispute:
    """A dispute over a unit."""
    text = Committed(commitment="ab" * 32)
    return OpenDispute(battery=battery, reference="D-1", topic=topic, respondent=respondent, text=text)  # type: ignore[arg-type]  # words of tests


# Whose it is


def test_who_does_not_hold_the_whole_changes_none_of_its_parts() -> None:
    """Neither a stranger, nor the owner who has lent it: custody is what counts."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER, ("custody",))

    for who in (MAKER, CARMAKER):
        for message in (
            messages.part_in(module(3), pack(1)),
            messages.part_out(module(1), pack(1)),
            messages.part_out(cell(1), module(1), pack(1)),
            messages.replacement(module(1), module(3), pack(1)),
        ):
            assert refused(world, who, message) is Reason.NOT_THE_HOLDER
    assert refused(world, BUYER, messages.part_out(module(1), pack(1))) is None


def test_nobody_builds_in_what_another_holds() -> None:
    """The part has to be in the signer's hands as well."""
    world = assembled()
    hand_over(world, cell(3), MAKER, BUYER, ("custody",))

    assert refused(world, MAKER, messages.part_in(cell(3), module(3))) is Reason.NOT_THE_HOLDER


@pytest.mark.parametrize("register", ["ownership", "responsibility"])
def test_nobody_is_given_title_or_duty_by_way_of_an_assembly(register: str) -> None:
    """Threat: a workshop builds in somebody's module and takes it out as its own, or leaves its waste with another."""
    world = assembled()
    hand_over(world, cell(3), MAKER, CARMAKER, (register,))  # type: ignore[arg-type]  # words of tests
    outcome = submit(world, MAKER, messages.part_in(cell(3), module(3)))

    assert (outcome.reason, outcome.facts) == (Reason.REGISTERS_DIFFER, (("register", register),))


def test_a_part_goes_where_its_whole_goes_and_stays_there() -> None:
    """Handed over with the pack; taken out by its new holder, it names those who then stood for the pack."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)
    hand_over(world, pack(1), BUYER, CARMAKER, ("ownership",))
    expected = {"custody": BUYER, "ownership": CARMAKER, "responsibility": BUYER}

    assert answering(world, cell(1)) == answering(world, module(1)) == answering(world, pack(1)) == expected
    assert standing(world, module(1)) == dict.fromkeys(REGISTERS, MAKER)
    assert refused(world, BUYER, messages.part_out(module(1), pack(1))) is None
    assert standing(world, module(1)) == answering(world, module(1)) == answering(world, cell(1)) == expected


def test_a_part_is_not_offered_by_itself() -> None:
    """Neither by who stood in its registers once, nor by who holds the whole."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)

    for who in (MAKER, BUYER):
        message = messages.offer(CARMAKER, ("custody",), (1,), identifier=module(1))
        assert refused(world, who, message) is Reason.PART_OF_ANOTHER


def test_a_unit_under_an_offer_is_not_built_in() -> None:
    """Threat: an offer made before could be accepted while the unit is a part, and nobody would know whose it is."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, identifier=module(3))))
    world.accept(world[MAKER].key.sign(messages.part_out(module(2), pack(1))))

    assert refused(world, MAKER, messages.part_in(module(3), pack(1))) is Reason.OFFER_OPEN
    assert refused(world, MAKER, messages.replacement(module(1), module(3), pack(1))) is Reason.OFFER_OPEN
    assert refused(world, MAKER, messages.withdraw(identifier=module(3))) is None
    assert refused(world, MAKER, messages.part_in(module(3), pack(1))) is None


@pytest.mark.parametrize("is_offer_first", [True, False])
def test_an_offer_and_an_assembly_in_one_block_exclude_each_other(is_offer_first: bool) -> None:
    """In either order: the first is done, the second refused."""
    world = workshop(pack(1), module(1))
    key = world[MAKER].key
    pair: list[Message] = [messages.offer(BUYER, identifier=module(1)), messages.part_in(module(1), pack(1))]
    ordered = pair if is_offer_first else pair[::-1]
    reasons = [outcome.reason for (outcome,) in world.include(*(key.sign(one) for one in ordered))]

    assert reasons == [None, Reason.OFFER_OPEN if is_offer_first else Reason.PART_OF_ANOTHER]
    offered = offer_key(module(1)) in world.state.records
    assert offered is is_offer_first
    assert (part_of(world, module(1)) is None) is is_offer_first
    assert not offered or world.record(OfferRecord, offer_key(module(1))).state == "open"


@pytest.mark.parametrize("disputed", [module(1), pack(1), module(3)], ids=["part", "whole", "new part"])
def test_what_is_disputed_is_neither_built_in_nor_taken_out(disputed: str) -> None:
    """Threat: who is about to lose a unit strips it of its parts, or hides the part in another."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER, ("ownership",))
    hand_over(world, module(3), MAKER, BUYER, ("ownership",))
    signer = BUYER if disputed == module(3) else MAKER  # of a part of his pack the maker is concerned as its maker
    respondent = MAKER if signer == BUYER else BUYER
    world.accept(world[signer].key.sign(dispute(disputed, respondent=respondent)))

    assert refused(world, MAKER, messages.replacement(module(1), module(3), pack(1))) is Reason.REGISTER_DISPUTED
    if disputed != module(3):
        assert refused(world, MAKER, messages.part_out(module(1), pack(1))) is Reason.REGISTER_DISPUTED


def test_what_is_in_a_vehicle_by_itself_does_not_become_a_part() -> None:
    """An installation on record that has not ended stands in the way; one that has does not."""
    world = workshop(pack(1), module(1))
    put = world.state.update
    put({f"installation/{module(1)}": installed(module(1))})
    assert refused(world, MAKER, messages.part_in(module(1), pack(1))) is Reason.STILL_INSTALLED
    put({f"installation/{module(1)}": installed(module(1), "removed")})
    assert refused(world, MAKER, messages.part_in(module(1), pack(1))) is None


def ceased(world: World, battery: str, how: str) -> None:
    """End a unit on the record, as the contracts about the end of life do."""
    record = world.record(BatteryRecord, battery_key(battery))
    world.state.update({battery_key(battery): encode_record(msgspec.structs.replace(record, ceased=how))})


def test_what_has_ceased_is_neither_whole_nor_part() -> None:
    """Recycled units come back as contested claims, those with successors are refused."""
    world = workshop(pack(1), module(1), module(2))
    ceased(world, module(1), "recycled")
    ceased(world, module(2), "succeeded")

    assert submit(world, MAKER, messages.part_in(module(1), pack(1))).is_contested
    assert refused(world, MAKER, messages.part_in(module(2), pack(1))) is Reason.UNIT_SUCCEEDED


# A part in two packs


def rivals() -> World:
    """The maker and the buyer each hold a pack; the module is the maker's."""
    world = workshop(pack(1), pack(2), module(1))
    hand_over(world, pack(2), MAKER, BUYER)
    return world


def test_a_part_in_two_packs_is_a_contested_claim() -> None:
    """It stays where it is; who claims otherwise has opened a dispute with who holds it, and it counts against him."""
    world = rivals()
    world.accept(world[MAKER].key.sign(messages.part_in(module(1), pack(1))))
    records = [battery_key(module(1)), battery_key(pack(2)), battery_key(pack(1))]
    before = {key: world.state.records[key] for key in records}
    outcome = submit(world, BUYER, messages.part_in(module(1), pack(2)))
    file = world.record(DisputeRecord, dispute_key(BUYER, "CLAIM-1"))

    assert outcome.is_contested
    assert (file.topic, file.battery, file.respondent, file.is_claim) == ("part_elsewhere", module(1), MAKER, True)
    assert before == {key: world.state.records[key] for key in records}
    assert assembly_key(pack(2)) not in world.state.records


def test_who_holds_no_pack_claims_no_part_for_it() -> None:
    """Control: a claim costs nothing but a pack of one's own; without one it is refused."""
    world = rivals()
    world.accept(world[MAKER].key.sign(messages.part_in(module(1), pack(1))))

    assert refused(world, CARMAKER, messages.part_in(module(1), pack(2))) is Reason.NOT_THE_HOLDER


@pytest.mark.parametrize("first", [MAKER, BUYER])
def test_two_claim_a_part_in_one_block_and_one_has_it(first: str) -> None:
    """In either order it is in the pack of who held it; the other claim is kept, or refused while it was nowhere yet.

    Who repeats a refused one finds the part elsewhere, and his claim is kept.
    """
    world = rivals()
    own, other = messages.part_in(module(1), pack(1)), messages.part_in(module(1), pack(2))
    statements: dict[str, Statement] = {MAKER: world[MAKER].key.sign(own), BUYER: world[BUYER].key.sign(other)}
    order = [first, BUYER if first == MAKER else MAKER]
    outcomes = dict(zip(order, (one for (one,) in world.include(*(statements[who] for who in order))), strict=True))

    assert outcomes[MAKER].is_accepted
    assert part_of(world, module(1)) == pack(1)
    if first == MAKER:
        assert outcomes[BUYER].is_contested
    else:
        assert outcomes[BUYER].reason is Reason.NOT_THE_HOLDER
        assert submit(world, BUYER, other).is_contested
    assert part_of(world, module(1)) == pack(1)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_cell_in_two_modules_of_one_holder_is_refused(order: tuple[int, int]) -> None:
    """In one block, in both orders: he contradicts himself, and the first statement stands."""
    world = workshop(module(1), module(2), cell(1))
    key = world[MAKER].key
    statements = [key.sign(messages.part_in(cell(1), module(number))) for number in order]
    reasons = [outcome.reason for (outcome,) in world.include(*statements)]

    assert reasons == [None, Reason.PART_OF_ANOTHER]
    assert part_of(world, cell(1)) == module(order[0])
    assert assembly_key(module(order[1])) not in world.state.records


@pytest.mark.parametrize("is_removal_first", [True, False])
def test_a_removal_and_a_replacement_in_one_block(is_removal_first: bool) -> None:
    """Of one part, in either order: only the first finds it in its place."""
    world = assembled()
    pair: list[Message] = [messages.part_out(module(1), pack(1)), messages.replacement(module(1), module(3), pack(1))]
    ordered = pair if is_removal_first else pair[::-1]
    reasons = [one.reason for (one,) in world.include(*(world[MAKER].key.sign(message) for message in ordered))]

    assert reasons == [None, Reason.NOT_ITS_PART]
    assert (part_of(world, module(3)) is None) is is_removal_first


@pytest.mark.parametrize("is_sale_first", [True, False])
def test_an_accepted_sale_and_a_removal_in_one_block(is_sale_first: bool) -> None:
    """Threat: the seller strips the pack before the buyer's signature arrives. In either order it goes as offered."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, identifier=pack(1))))
    sale = world[BUYER].key.sign(messages.accept(identifier=pack(1)))
    removal = world[MAKER].key.sign(messages.part_out(module(1), pack(1)))
    reasons = [one.reason for (one,) in world.include(*((sale, removal) if is_sale_first else (removal, sale)))]

    assert reasons == ([None, Reason.NOT_THE_HOLDER] if is_sale_first else [Reason.OFFER_OPEN, None])
    assert part_of(world, module(1)) == pack(1)
    assert answering(world, module(1)) == dict.fromkeys(REGISTERS, BUYER)


@pytest.mark.parametrize("registers", [("custody",), ("ownership",), ("responsibility",)])
def test_parts_of_a_unit_stay_while_it_is_offered(registers: tuple[RegisterName, ...]) -> None:
    """Deep in it too, and until the offer ends; who is offered the duty alone does not stop a workshop."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, registers, (1,), identifier=pack(1))))
    reason = None if registers == ("responsibility",) else Reason.OFFER_OPEN

    assert refused(world, MAKER, messages.replacement(cell(1), cell(3), module(1), pack(1))) is reason
    world.accept(world[MAKER].key.sign(messages.withdraw(identifier=pack(1))))
    assert refused(world, MAKER, messages.part_out(module(1), pack(1))) is None


# Tests


def certified(world: World, *units: str) -> None:
    """A certificate of each unit."""
    laboratory = world[LABORATORY].key
    world.accept(laboratory.sign(messages.anchor()))
    for number, unit in enumerate(units):
        world.accept(laboratory.sign(messages.certificate(f"CERT-{number}", identifier=unit)))


def validity(world: World, number: int) -> str:
    """What the certificate is worth now."""
    record = world.record(AttestationRecord, attestation_key(LABORATORY, f"CERT-{number}"))
    battery = world.record(BatteryRecord, battery_key(record.battery))
    return derive_state(record, battery, world.head.time_ms)


@pytest.mark.parametrize(
    "message",
    [
        messages.part_in(cell(3), module(1), pack(1)),
        messages.part_out(cell(1), module(1), pack(1)),
        messages.replacement(cell(1), cell(3), module(1), pack(1)),
    ],
    ids=["install", "remove", "replace"],
)
def test_a_change_of_parts_voids_the_tests_of_every_unit_around_and_no_other(message: Message) -> None:
    """The module was tested with the cells it had, and so was its pack; the cells themselves, and the module beside."""
    world = assembled()
    certified(world, module(1), pack(1), cell(1), cell(3), module(2))
    before = epoch(world, pack(1))
    world.accept(world[MAKER].key.sign(message))

    assert [validity(world, number) for number in range(5)] == ["invalidated"] * 2 + ["issued"] * 3
    assert epoch(world, pack(1)) == before + 1
    for unit in (module(1), pack(1)):
        ended = world.record(VoidingRecord, voiding_key(unit, epoch(world, unit) - 1))
        assert ended.cause == "parts_changed"
        assert ended.provenance == world.record(BatteryRecord, battery_key(unit)).provenance


def test_every_record_that_changes_belongs_to_a_unit_that_the_message_concerns() -> None:
    """The index and the sources of passports rest on it: whose record stems from a message, its history names it."""
    world = assembled()
    message = messages.replacement(cell(1), cell(3), module(1), pack(1))
    before = without_sequences(world.state.records)
    world.accept(world[MAKER].key.sign(message))
    changed = [key for key, value in without_sequences(world.state.records).items() if before.get(key) != value]

    assert changed
    for key in changed:
        assert any(unit in key for unit in message.concerns), key
    assert {cell(1), cell(3), module(1), pack(1)} == dict.fromkeys(message.concerns).keys()


def test_a_dispute_over_a_part_is_a_party_s_if_he_stands_for_its_whole() -> None:
    """Who bought the pack may hold its module still; who sold it no longer, though the module's register has him."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)
    hand_over(world, pack(1), BUYER, CARMAKER)
    for who, held in ((CARMAKER, ("ownership",)), (BUYER, ())):
        world.accept(world[who].key.sign(dispute(module(1), respondent=LABORATORY)))
        assert world.record(DisputeRecord, dispute_key(who, "D-1")).holds == held
