"""Second life: new units linked to what they were made of, across two companies, and never more than was there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import Message, Provenance, encode_record
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute import OpenDispute
from cellvow.core.contracts.lineage import (
    EndRecord,
    Operation,
    OriginRecord,
    SuccessionRecord,
    end_key,
    origin_key,
    succession_key,
)
from cellvow.core.contracts.second_life import (
    APPLICATIONS_MAX,
    Application,
    BeginSecondLife,
    GradeRecord,
    derive_grade_state,
    grade_key,
)
from cellvow.core.ledger.rejection import ARTICLES, Reason
from cellvow.core.primitives.limits import SUCCESSORS_MAX, UNITS_NAMED_MAX
from tests import messages
from tests.lives import (
    RECYCLER,
    SECOND_GTIN,
    claimed,
    hand_over,
    holders,
    installed,
    lives_world,
    order,
    recycle,
    refused,
    second_unit,
    unit_of,
    with_parts,
)
from tests.world import BUYER, CARMAKER, DAY_MS, GENESIS_MS, LABORATORY, MAKER, World, without_sequences

UNIT, OTHER = messages.BATTERY, messages.OTHER_BATTERY
MASS_G = 787
NONE = Provenance(statement="00" * 32, index=0)


def handed_over(*batteries: str) -> World:
    """The units stand with the second-life operator: offered by their maker, accepted by him."""
    world = lives_world()
    for battery in batteries or (UNIT, OTHER):
        hand_over(world, MAKER, BUYER, battery)
    return world


def repurposed(
    masses: dict[str, int] | None = None, *, out: tuple[int, ...] = (MASS_G,), first: int = 1, version: int = 1
) -> BeginSecondLife:
    """The originals give these masses, and as many successors as there are numbers in `out` take them."""
    given = {UNIT: MASS_G} if masses is None else masses
    return messages.second_life(
        "repurpose",
        tuple(messages.draw(battery, version=version, mass_g=mass_g) for battery, mass_g in given.items()),
        tuple(messages.successor(second_unit(first + number), mass_g=mass_g) for number, mass_g in enumerate(out)),
    )


@pytest.mark.parametrize(
    ("operation", "status"),
    [("repurpose", "repurposed"), ("reuse", "re-used"), ("remanufacture", "remanufactured")],
)
def test_a_unit_begins_its_second_life_in_another_company_and_keeps_its_link(operation: Operation, status: str) -> None:
    """Signed by both sides at the hand-over; then a new identity, of his model, linked both ways."""
    world = handed_over(UNIT)
    message = replace(repurposed(), operation=operation)
    statement = world[BUYER].key.sign(message)
    world.accept(statement)
    new, old = unit_of(world, second_unit()), unit_of(world)
    origin = world.record(OriginRecord, origin_key(second_unit()))
    became = world.record(SuccessionRecord, succession_key(UNIT))

    assert (new.status, new.epoch, new.organisation, new.gtin) == (status, 0, BUYER, SECOND_GTIN)
    assert holders(world, second_unit()) == (BUYER,) * 3
    assert (origin.operation, origin.originals, origin.organisation) == (operation, (UNIT,), BUYER)
    assert (origin.mass_g, origin.cells, origin.waste) == (MASS_G, 0, False)
    assert (became.successors, became.mass_left_g) == ((second_unit(),), 0)
    assert (old.status, old.ceased) == (status, "succeeded")
    assert new.provenance.statement == statement.envelope.digest.hex()
    assert message.concerns == (UNIT, second_unit())


@pytest.mark.parametrize("role_holder", [CARMAKER, RECYCLER, LABORATORY])
def test_a_second_life_is_begun_by_a_second_life_operator(role_holder: str) -> None:
    """Others may hold, own and answer for a unit; that alone does not let them."""
    world = lives_world()
    hand_over(world, MAKER, role_holder)

    assert refused(world, role_holder, repurposed()) is Reason.ROLE_MISSING


def test_a_manufacturer_remanufactures_and_does_not_repurpose() -> None:
    """The table says which role does which."""
    world = lives_world()

    assert refused(world, MAKER, messages.second_life("repurpose")) is Reason.ROLE_MISSING
    assert refused(world, MAKER, messages.second_life("reuse")) is Reason.ROLE_MISSING
    assert refused(world, MAKER, messages.second_life("remanufacture")) is None


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("custody", Reason.NOT_THE_HOLDER),
        ("ownership", Reason.NOT_THE_OWNER),
        ("responsibility", Reason.NOT_RESPONSIBLE),
    ],
)
def test_the_operator_stands_in_all_three_registers_of_every_original(missing: str, reason: Reason) -> None:
    """Two originals, one of them with one register still elsewhere: nothing happens to either."""
    world = handed_over(UNIT)
    names = tuple(name for name in ("custody", "ownership", "responsibility") if name != missing)
    hand_over(world, MAKER, BUYER, OTHER, names)  # type: ignore[arg-type]  # names of registers
    before = without_sequences(world.state.records)

    assert refused(world, BUYER, repurposed({UNIT: MASS_G, OTHER: MASS_G})) is reason
    assert without_sequences(world.state.records) == before


def test_the_operation_voids_the_tests_of_the_originals_and_says_why() -> None:
    """The certificate stays readable, invalidated; the reason of its epoch's end is on record."""
    world = lives_world()
    world.accept(world[LABORATORY].key.sign(messages.anchor()), world[LABORATORY].key.sign(messages.certificate()))
    hand_over(world, MAKER, BUYER)
    world.accept(world[BUYER].key.sign(repurposed()))
    test = world.record(AttestationRecord, attestation_key(LABORATORY, messages.REFERENCE))

    assert derive_state(test, unit_of(world), world.head.time_ms) == "invalidated"
    assert world.record(VoidingRecord, voiding_key(UNIT, 0)).cause == "repurposed"
    assert world.record(EndRecord, end_key(UNIT)).how == "succeeded"


@pytest.mark.parametrize(
    ("given", "out", "holds"),
    [
        ({UNIT: 787}, (787,), True),
        ({UNIT: 787}, (788,), False),
        ({UNIT: 788}, (787,), False),
        ({UNIT: 787}, (400, 387), True),
        ({UNIT: 787}, (400, 388), False),
        ({UNIT: 787, OTHER: 787}, (1574,), True),
        ({UNIT: 787, OTHER: 787}, (1575,), False),
        ({UNIT: 1, OTHER: 787}, (700, 88), True),
        ({UNIT: 1, OTHER: 788}, (1,), False),
    ],
)
def test_no_more_mass_comes_out_than_the_originals_gave_and_had(
    given: dict[str, int], out: tuple[int, ...], holds: bool
) -> None:
    """One into several, several into one, several into several; at the bound and one gram past it."""
    world = handed_over()

    assert refused(world, BUYER, repurposed(given, out=out)) is (None if holds else Reason.BALANCE_EXCEEDED)
    assert ARTICLES[Reason.BALANCE_EXCEEDED].endswith("Article 77(6)")


def test_what_was_drawn_once_is_not_drawn_again_at_a_later_time() -> None:
    """One unit becomes several in two operations; the second finds what the first has left, and its fence."""
    world = handed_over(UNIT)
    world.accept(world[BUYER].key.sign(repurposed({UNIT: 500}, out=(500,))))
    version = unit_of(world).version
    stale = repurposed({UNIT: 287}, out=(287,), first=2)
    more = repurposed({UNIT: 288}, out=(288,), first=2, version=version)
    rest = repurposed({UNIT: 287}, out=(287,), first=2, version=version)

    assert refused(world, BUYER, stale) is Reason.STALE_VERSION
    assert refused(world, BUYER, more) is Reason.BALANCE_EXCEEDED
    assert refused(world, BUYER, rest) is None
    became = world.record(SuccessionRecord, succession_key(UNIT))
    assert (became.successors, became.mass_left_g) == ((second_unit(1), second_unit(2)), 0)
    assert (unit_of(world).epoch, unit_of(world).version) == (1, version + 1)


def test_two_operations_on_one_unit_in_one_block_do_not_both_take_it() -> None:
    """In either order: the second was signed for a record that has changed."""
    for turned in (False, True):
        world = handed_over(UNIT)
        both = [world[BUYER].key.sign(repurposed(first=number)) for number in (1, 2)]
        outcomes = world.include(*(reversed(both) if turned else both))

        assert [outcome.reason for (outcome,) in outcomes] == [None, Reason.STALE_VERSION]
        assert world.record(SuccessionRecord, succession_key(UNIT)).successors == (second_unit(2 if turned else 1),)


def test_a_second_unit_counts_with_what_it_took_and_not_with_its_model() -> None:
    """Else a gram would grow to the mass of any model in its third life."""
    world = handed_over(UNIT)
    world.accept(world[BUYER].key.sign(repurposed({UNIT: 100}, out=(100,))))
    third = messages.successor(second_unit(2), mass_g=100)

    def again(mass_g: int) -> BeginSecondLife:
        return messages.second_life("reuse", (messages.draw(second_unit(), mass_g=mass_g),), (third,))

    assert refused(world, BUYER, again(101)) is Reason.BALANCE_EXCEEDED
    assert refused(world, BUYER, again(100)) is None


def test_cells_are_balanced_where_the_model_describes_them() -> None:
    """12 cells in, 12 out; 13 not. A model that does not say has none to give."""
    world = handed_over(UNIT)

    def split(drawn: int, *out: int) -> BeginSecondLife:
        return messages.second_life(
            "repurpose",
            (messages.draw(cells=drawn),),
            tuple(messages.successor(second_unit(n), mass_g=100, cells=cells) for n, cells in enumerate(out)),
        )

    assert refused(world, BUYER, split(1, 1)) is Reason.BALANCE_EXCEEDED
    world.accept(world[MAKER].key.sign(messages.description(level="module", cells=12)))
    assert refused(world, BUYER, split(13, 13)) is Reason.BALANCE_EXCEEDED
    assert refused(world, BUYER, split(12, 6, 7)) is Reason.BALANCE_EXCEEDED
    assert refused(world, BUYER, split(11, 6, 5)) is None
    assert world.record(SuccessionRecord, succession_key(UNIT)).cells_left == 1


def test_a_part_that_was_taken_out_takes_its_mass_and_cells_along() -> None:
    """It has its own identity: the empty case does not give the mass of what was in it."""
    world = handed_over(UNIT)
    world.accept(world[MAKER].key.sign(messages.description(cells=12)))
    world.state.update(with_parts(cells_peak=8, mass_peak_g=700))

    assert refused(world, BUYER, repurposed({UNIT: 88}, out=(88,))) is Reason.BALANCE_EXCEEDED
    assert refused(world, BUYER, repurposed({UNIT: 87}, out=(87,))) is None
    assert world.record(SuccessionRecord, succession_key(UNIT)).cells_left == 4


def test_a_unit_is_named_once() -> None:
    """Twice among the originals, twice among the successors, or on both sides."""
    world = handed_over()
    draw, heir = messages.draw(), messages.successor(second_unit())
    doubled = (
        messages.second_life("reuse", (draw, draw), (heir,)),
        messages.second_life("reuse", (draw,), (replace(heir, mass_g=1), replace(heir, mass_g=2))),
        messages.second_life("reuse", (draw,), (messages.successor(UNIT),)),
    )

    assert [refused(world, BUYER, one) for one in doubled] == [Reason.NAMED_TWICE] * 3


def test_a_successor_is_born_like_any_battery() -> None:
    """Of the operator's own model, under a free identifier with a sound check digit."""
    world = handed_over()

    def into(battery: str) -> BeginSecondLife:
        return messages.second_life("reuse", successors=(messages.successor(battery),))

    assert refused(world, BUYER, into("01/04012345123450/21/X")) is Reason.BAD_IDENTIFIER
    assert refused(world, BUYER, into("01/00000000000000/21/X")) is Reason.UNKNOWN_MODEL
    assert claimed(order(world, BUYER, into(f"01/{messages.GTIN}/21/X"))) == "cloned_serial"
    assert claimed(order(world, BUYER, into(OTHER))) == "cloned_serial"
    world.accept(world[BUYER].key.sign(messages.battery(second_unit())))
    assert refused(world, BUYER, into(second_unit())) is Reason.BATTERY_EXISTS
    assert unit_of(world).ceased is None


def test_a_recycled_unit_has_no_second_life_and_gives_its_identifier_to_none() -> None:
    """As an original and as a successor: a claim of a dead identifier."""
    world = lives_world()
    recycle(world)
    hand_over(world, MAKER, BUYER, OTHER)
    taken = messages.second_life("reuse", (messages.draw(OTHER),), (messages.successor(UNIT),))
    version = unit_of(world).version
    revived = messages.second_life("reuse", (messages.draw(version=version),), (messages.successor(second_unit()),))

    assert claimed(order(world, BUYER, taken)) == "dead_identifier"
    assert claimed(order(world, CARMAKER, revived)) == "dead_identifier"
    assert unit_of(world, OTHER).ceased is None


@pytest.mark.parametrize("day", ["2025-06-29", "2026-01-02", "2026-02-30"])
def test_a_successor_is_not_older_than_its_originals_nor_of_a_day_to_come(day: str) -> None:
    """Born on 30 June 2025; the block is of 1 January 2026; and the calendar has the day."""
    world = handed_over(UNIT)
    message = messages.second_life(
        "reuse", successors=(replace(messages.successor(second_unit()), manufactured_on=day),)
    )
    expected = Reason.MALFORMED_MESSAGE if day == "2026-02-30" else Reason.DAY_OUT_OF_RANGE

    assert refused(world, BUYER, message) is expected


@pytest.mark.parametrize(
    ("roles", "reason"), [((), Reason.NOT_FOR_WASTE), (("recycler", "second_life_operator"), None)]
)
def test_an_operator_prepares_waste_if_he_is_a_waste_operator_too(
    roles: tuple[str, ...], reason: Reason | None
) -> None:
    """Article 73: also what he declared waste himself, with all three registers naming him."""
    world = lives_world(*roles)
    hand_over(world, MAKER, BUYER)
    world.accept(world[BUYER].key.sign(messages.waste()))

    assert refused(world, BUYER, repurposed(version=2)) is reason


def test_waste_that_begins_a_second_life_says_that_it_was_waste() -> None:
    """Prepared by its producer; the new unit is none, and names where it comes from."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    message = messages.second_life(originals=(messages.draw(version=2),))

    assert refused(world, MAKER, message) is None
    assert unit_of(world, messages.HEIR).status == "remanufactured"
    assert world.record(OriginRecord, origin_key(messages.HEIR)).waste


def test_nothing_is_done_with_a_unit_that_has_become_another() -> None:
    """It names its successors; hand-over, test, waste and a second second life by others are refused."""
    world = handed_over(UNIT)
    world.accept(world[BUYER].key.sign(messages.offer(CARMAKER, versions=(2, 2, 2))))
    world.accept(world[BUYER].key.sign(repurposed({UNIT: 700}, out=(700,))))
    version = unit_of(world).version
    open_offer = world.record(OfferRecord, offer_key(UNIT)).version
    refusals = {
        "offer": refused(world, BUYER, messages.offer(CARMAKER, versions=(2, 2, 2))),
        "accept": refused(world, CARMAKER, messages.accept(open_offer)),
        "test": refused(world, LABORATORY, messages.declaration()),
        "waste": refused(world, BUYER, messages.waste(version)),
        "destruction": refused(world, BUYER, messages.destruction(version)),
    }

    assert refusals == dict.fromkeys(refusals, Reason.UNIT_SUCCEEDED)
    assert holders(world) == (BUYER,) * 3
    assert claimed(order(world, CARMAKER, messages.sighting())) == "dead_identifier"
    assert ARTICLES[Reason.UNIT_SUCCEEDED].endswith("Article 77(6)")


def test_a_disputed_installed_or_assembled_unit_does_not_become_another() -> None:
    """Each of these has to end first."""
    world = handed_over()
    world.state.update({f"installation/{UNIT}": installed()})
    assert refused(world, BUYER, repurposed()) is Reason.STILL_INSTALLED
    world.state.update({f"installation/{UNIT}": installed(state="removed"), **with_parts(parts=3)})
    assert refused(world, BUYER, repurposed()) is Reason.STILL_HAS_PARTS
    world.state.update(with_parts())
    world.state.update({battery_key(UNIT): encode_record(replace(unit_of(world), part_of=OTHER))})
    assert refused(world, BUYER, repurposed()) is Reason.PART_OF_ANOTHER
    world.state.update({battery_key(UNIT): encode_record(replace(unit_of(world), part_of=None))})
    dispute = OpenDispute(battery=UNIT, reference="D-1", topic="responsibility", respondent=BUYER, text=messages.PAPER)
    world.accept(world[MAKER].key.sign(dispute))
    assert refused(world, BUYER, repurposed()) is Reason.REGISTER_DISPUTED


def test_a_correction_of_birth_brings_back_neither_epoch_nor_status() -> None:
    """Of an original that has become another, and of a successor, whose day stays within its bounds."""
    world = lives_world()
    birth = world.blocks[1].statements[1]
    hand_over(world, MAKER, BUYER)
    begun = world[BUYER].key.sign(repurposed())
    world.accept(begun)
    before = unit_of(world)
    corrected = replace(messages.battery(), facility="Plant 9")
    assert refused(world, MAKER, messages.correction(birth, corrected)) is None
    old = unit_of(world)
    assert (old.status, old.ceased, old.epoch) == ("repurposed", "succeeded", before.epoch + 1)

    heir = replace(messages.battery(second_unit()), facility="Hall 3", manufactured_on="2026-01-01")
    too_old = replace(heir, manufactured_on="2025-06-29")
    assert refused(world, BUYER, messages.correction(begun, too_old)) is Reason.DAY_OUT_OF_RANGE
    assert refused(world, BUYER, messages.correction(begun, heir)) is None
    new = unit_of(world, second_unit())
    assert (new.status, new.ceased, new.epoch, new.facility) == ("repurposed", None, 1, "Hall 3")
    assert world.record(OriginRecord, origin_key(second_unit())).originals == (UNIT,)


def crowd(count: int) -> SuccessionRecord:
    """A unit that has become so many."""
    return SuccessionRecord(
        provenance=NONE,
        battery=UNIT,
        organisation=BUYER,
        successors=tuple(f"01/{SECOND_GTIN}/21/{number:020}" for number in range(count)),
        mass_left_g=MASS_G,
    )


@pytest.mark.parametrize("before", [SUCCESSORS_MAX - 1, SUCCESSORS_MAX])
def test_one_unit_becomes_at_most_so_many(before: int) -> None:
    """At the bound and one past it, with the longest names; the record stays within its size."""
    world = handed_over(UNIT)
    world.state.update({succession_key(UNIT): encode_record(crowd(before))})
    expected = None if before < SUCCESSORS_MAX else Reason.TOO_MANY_SUCCESSORS

    assert refused(world, BUYER, repurposed({UNIT: 1}, out=(1,))) is expected


@pytest.mark.parametrize("count", [UNITS_NAMED_MAX, UNITS_NAMED_MAX + 1])
@pytest.mark.parametrize("side", ["originals", "successors"])
def test_one_operation_names_at_most_so_many_units(side: str, count: int) -> None:
    """At the bound and one past it, on either side; the bound itself fits into message, outcome and records."""
    world = handed_over(UNIT)
    maker, buyer = world[MAKER].key, world[BUYER].key
    names = [f"01/{messages.GTIN}/21/MANY-{number:015}" for number in range(count)]
    if side == "originals":
        world.accept(maker.sign_batch([messages.battery(name) for name in names]))
        offers: list[Message] = [messages.offer(BUYER, identifier=name) for name in names]
        world.accept(maker.sign_batch(offers))
        world.accept(buyer.sign_batch([messages.accept(identifier=name) for name in names]))
        drawn = tuple(messages.draw(name) for name in names)
        message = messages.second_life("reuse", drawn, (messages.successor(second_unit(), mass_g=count * MASS_G),))
    else:
        message = repurposed({UNIT: MASS_G}, out=(1,) * count)

    assert refused(world, BUYER, message) is (None if count == UNITS_NAMED_MAX else Reason.MALFORMED_MESSAGE)


@pytest.mark.parametrize(
    ("who", "reason"), [(LABORATORY, None), (BUYER, Reason.NOT_THE_HOLDER), (CARMAKER, Reason.ROLE_MISSING)]
)
def test_a_unit_is_graded_by_a_laboratory_or_by_the_operator_who_holds_it(who: str, reason: Reason | None) -> None:
    """Neither anybody, nor an operator from afar."""
    world = lives_world()

    assert refused(world, who, messages.grading()) is reason
    hand_over(world, MAKER, BUYER, names=("custody",))
    assert refused(world, BUYER, messages.grading()) is None


def test_a_grading_holds_until_its_day_and_for_its_epoch() -> None:
    """What voids tests voids it too; the report stays a commitment."""
    world = lives_world()
    world.accept(world[LABORATORY].key.sign(messages.grading()))
    record = world.record(GradeRecord, grade_key(UNIT))
    last_day_ms = GENESIS_MS + 364 * DAY_MS

    assert (record.grade, record.applications, record.until) == ("B", ("backup_power", "home_storage"), "2026-12-31")
    assert derive_grade_state(record, unit_of(world), last_day_ms) == "in_force"
    assert derive_grade_state(record, unit_of(world), last_day_ms + DAY_MS) == "expired"
    hand_over(world, MAKER, BUYER)
    world.accept(world[BUYER].key.sign(repurposed()))
    assert derive_grade_state(record, unit_of(world), last_day_ms) == "invalidated"


def test_the_latest_grading_stands_and_counts_its_versions() -> None:
    """A grading is not deleted by the next: the statement of each stays in the unit's history."""
    world = lives_world()
    world.accept(world[LABORATORY].key.sign(messages.grading()))
    world.accept(world[LABORATORY].key.sign(replace(messages.grading("G-2"), grade="E", applications=(), until=None)))
    record = world.record(GradeRecord, grade_key(UNIT))

    assert (record.reference, record.grade, record.version) == ("G-2", "E", 2)


ORDERED: tuple[Application, ...] = (
    "backup_power",
    "grid_storage",
    "home_storage",
    "light_vehicle",
    "machine",
    "road_vehicle",
    "spare_parts",
    "vessel",
)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"until": "2025-12-31"}, Reason.WRONG_PERIOD),
        ({"until": "2026-02-30"}, Reason.WRONG_PERIOD),
        ({"applications": ("home_storage", "backup_power")}, Reason.MALFORMED_MESSAGE),
        ({"applications": ("vessel", "vessel")}, Reason.MALFORMED_MESSAGE),
        ({"applications": ORDERED}, None),
        ({"applications": (*ORDERED, "vessel")}, Reason.MALFORMED_MESSAGE),
    ],
)
def test_a_grading_that_ends_before_it_begins_or_names_a_use_twice_is_refused(
    changes: dict[str, object], reason: Reason | None
) -> None:
    """All uses there are can be named, in their order; one more cannot."""
    world = lives_world()
    assert len(ORDERED) == APPLICATIONS_MAX

    assert refused(world, LABORATORY, replace(messages.grading(), **changes)) is reason
