"""A producer responsibility organisation has a role since ruleset 3, and answers for waste by its signature."""

from __future__ import annotations

from dataclasses import replace as replace_genesis

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.contract import encode_message
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.ledger.genesis import (
    FIRST_ROLES,
    LATER_ROLES_SINCE,
    PRODUCERS_ORGANISATION,
    ROLES,
    Organisation,
    encode_genesis,
    parse_genesis,
    parse_organisation,
)
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from tests import messages
from tests.decisions import enact
from tests.disputing import completion, notice
from tests.lives import ALL_REGISTERS, RECYCLER, hand_over, holders, refused
from tests.world import BUYER, LABORATORY, MAKER, World, make_genesis, make_signer

EARLIER = tuple(version for version in RULESETS if version < LATER_ROLES_SINCE)
PRO = (PRODUCERS_ORGANISATION,)


def unit_world(*roles: str) -> World:
    """A unit of the maker, a recycler, and a second member with these roles."""
    genesis = make_genesis(ruleset=NEWEST)
    known = (replace_genesis(one, roles=roles) if one.organisation == BUYER else one for one in genesis.organisations)
    root = make_signer(RECYCLER, "root").public_key.hex()
    members = (*known, Organisation(RECYCLER, "Rohstoff (invented)", ("recycler",), (root,)))
    world = World(replace_genesis(genesis, organisations=tuple(sorted(members, key=lambda one: one.organisation))))
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    return world


def waste_world(*roles: str) -> World:
    """A unit of the maker that is waste, and a second member with these roles."""
    world = unit_world(*roles)
    world.accept(world[MAKER].key.sign(messages.waste()))
    return world


def proposed(roles: tuple[str, ...], ruleset: int, *, scope: tuple[str, ...] | None = None) -> Outcome:
    """What became of the proposal to give a member these words as roles, signed by a key of that scope."""
    world = World(make_genesis(ruleset=ruleset))
    signer = world[MAKER].key
    if scope is not None:
        signer = make_signer(MAKER, "narrow")
        world.accept(world[MAKER].root.sign(world[MAKER].register_key(signer, scope=scope)))
    sound = messages.proposal(MAKER, messages.roles_of(BUYER))
    document = parse_object(encode_message(sound))
    change = document["change"]
    assert isinstance(change, dict)
    change["roles"] = list[Json](roles)
    return world.submit(signer.sign(document, subject=sound.subject))


def test_it_takes_the_responsibility_for_waste_by_its_signature() -> None:
    """The maker offers, it accepts: both have signed, and not before that does it answer."""
    world = waste_world(PRODUCERS_ORGANISATION)
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, ("responsibility",), (1,))))
    offered = holders(world)
    world.accept(world[BUYER].key.sign(messages.accept()))

    assert (offered, holders(world)) == ((MAKER,) * 3, (MAKER, MAKER, BUYER))


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("manufacturer", "importer", "recycler")])
def test_no_other_role_takes_it(role: str) -> None:
    """The same offer to the same member, role by role."""
    world = waste_world(role)
    expected = None if role == PRODUCERS_ORGANISATION else Reason.NOT_FOR_WASTE

    assert refused(world, MAKER, messages.offer(BUYER, ("responsibility",), (1,))) is expected


def test_it_hands_the_waste_on_to_a_recycler_and_to_nobody_unfit() -> None:
    """Out of its hands the rule is the same as into them."""
    world = waste_world(PRODUCERS_ORGANISATION)
    hand_over(world, MAKER, BUYER)

    assert refused(world, BUYER, messages.offer(LABORATORY, ALL_REGISTERS, (2, 2, 2))) is Reason.NOT_FOR_WASTE
    hand_over(world, BUYER, RECYCLER)
    assert refused(world, RECYCLER, messages.recycling(2)) is None


def test_who_loses_the_role_before_accepting_takes_nothing() -> None:
    """The role is asked for when the offer is accepted too."""
    world = waste_world(PRODUCERS_ORGANISATION)
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, ("responsibility",), (1,))))
    enact(world, messages.roles_of(BUYER, "buyer"))

    assert refused(world, BUYER, messages.accept()) is Reason.NOT_FOR_WASTE
    assert holders(world) == (MAKER,) * 3


def test_a_vote_gives_the_role_and_with_it_the_responsibility() -> None:
    """Refused before, taken after."""
    world = waste_world("buyer")
    offer = messages.offer(BUYER, ("responsibility",), (1,))
    before = refused(world, MAKER, offer)
    enact(world, messages.roles_of(BUYER, PRODUCERS_ORGANISATION))

    assert (before, refused(world, MAKER, offer)) == (Reason.NOT_FOR_WASTE, None)
    assert parse_organisation(world.state.records[organisation_key(BUYER)]).roles == PRO


@pytest.mark.parametrize("is_waste", [False, True])
def test_it_takes_over_an_orphaned_unit_that_is_waste_and_no_other(is_waste: bool) -> None:
    """What is in use needs an operator; what is waste needs somebody who answers for it."""
    world = unit_world(PRODUCERS_ORGANISATION)
    if is_waste:
        world.accept(world[MAKER].key.sign(messages.waste()))
    given = refused(world, BUYER, notice())

    assert given is (None if is_waste else Reason.ROLE_MISSING)
    if is_waste:
        end_ms = world.head.time_ms + 30 * 86_400_000
        world.accept(world[BUYER].key.sign(completion()), time_ms=end_ms)
        assert holders(world) == (BUYER, MAKER, BUYER)


def test_a_carrier_takes_over_no_waste() -> None:
    """The control: without the role the notice is refused, waste or not."""
    assert refused(waste_world("buyer"), BUYER, notice()) is Reason.ROLE_MISSING
    assert refused(waste_world("operator"), BUYER, notice()) is Reason.NOT_FOR_WASTE


def test_the_role_alone_lets_nobody_make_test_or_recycle() -> None:
    """It answers for waste; whoever recycles has that role too."""
    world = waste_world(PRODUCERS_ORGANISATION)
    hand_over(world, MAKER, BUYER)

    assert refused(world, BUYER, messages.recycling(2)) is Reason.ROLE_MISSING
    assert refused(world, BUYER, messages.model("04012345123463")) is Reason.ROLE_MISSING


@pytest.mark.parametrize("ruleset", EARLIER)
@pytest.mark.parametrize("words", [PRO, ("buyer", *PRO), ("buyer",) * 12], ids=["role", "beside", "twelve"])
def test_an_earlier_ruleset_answers_as_the_software_that_shipped_it(ruleset: int, words: tuple[str, ...]) -> None:
    """Bit for bit what becomes of a word it never knew, whatever else is wrong with the statement."""
    unknown = proposed(("no_such_role",), ruleset)
    outside = proposed(words, ruleset, scope=("Anchor",))

    assert proposed(words, ruleset) == unknown
    assert (outside, unknown.reason) == (unknown, Reason.MALFORMED_MESSAGE)


def test_the_newest_ruleset_has_the_role_and_still_none_that_is_made_up() -> None:
    """The control of the test above: there the word is one."""
    assert proposed(PRO, NEWEST).is_accepted
    assert proposed(("no_such_role",), NEWEST).reason is Reason.MALFORMED_MESSAGE
    assert proposed(PRO, NEWEST, scope=("Anchor",)).reason is Reason.OUT_OF_SCOPE


@pytest.mark.parametrize("version", RULESETS)
def test_a_ruleset_reads_no_message_with_words_that_came_later(version: int) -> None:
    """`since` is the gate: of admissions and changes of roles, with the new role and without."""
    admission = messages.proposal(MAKER, replace(messages.admission(), roles=PRO))
    plain = messages.proposal(MAKER, messages.roles_of(BUYER, *FIRST_ROLES))

    assert (RULESETS[version].find_message(encode_message(admission)) is None) is (version < LATER_ROLES_SINCE)
    assert RULESETS[version].find_message(encode_message(plain)) == plain


@pytest.mark.parametrize("ruleset", RULESETS)
def test_a_ledger_of_an_earlier_ruleset_begins_without_the_role(ruleset: int) -> None:
    """Its genesis is refused with the way out: older software could not read it."""
    genesis = make_genesis(ruleset=ruleset)
    members = tuple(
        replace_genesis(one, roles=PRO) if one.organisation == BUYER else one for one in genesis.organisations
    )
    document = encode_genesis(replace_genesis(genesis, organisations=members))

    if ruleset >= LATER_ROLES_SINCE:
        assert parse_genesis(document).organisations == members
    else:
        with pytest.raises(Malformed, match="from ruleset 3 on"):
            parse_genesis(document)
