"""Recorded verdicts: what an organisation may record about a battery, and on which test."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.acceptance import AttestationReference, RecordVerdict, VerdictRecord, verdict_key
from cellvow.core.contracts.attestation import Result
from cellvow.core.ledger.rejection import Reason
from cellvow.passport.access import may_take_bundle
from cellvow.passport.view import OWNER, PUBLIC
from tests import messages
from tests.world import AUTHORITY, BUYER, DAY_MS, GENESIS_MS, LABORATORY, MAKER, World


@pytest.fixture
def world() -> World:
    """A battery with a certificate."""
    world = World()
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    world.accept(maker.sign(messages.battery(messages.OTHER_BATTERY)))
    world.accept(laboratory.sign(messages.anchor()), laboratory.sign(messages.certificate()))
    return world


def refused(world: World, message: RecordVerdict) -> Reason | None:
    """Why the buyer may not record this."""
    return world.submit(world[BUYER].key.sign(message)).reason


def test_anybody_among_the_members_records_a_verdict_of_his_own(world: World) -> None:
    """It says who, of what, on which test; two may come to two verdicts under the same number."""
    refusing = replace(messages.verdict(), verdict="re_test")
    world.accept(world[BUYER].key.sign(messages.verdict()), world[AUTHORITY].key.sign(refusing))
    recorded = world.record(VerdictRecord, verdict_key(BUYER, "V-1"))

    assert (BUYER, "accept", messages.verdict().attestation) == (
        recorded.organisation,
        recorded.verdict,
        recorded.attestation,
    )
    assert "re_test" == world.record(VerdictRecord, verdict_key(AUTHORITY, "V-1")).verdict


def test_a_verdict_changes_no_other_record(world: World) -> None:
    """Nobody's battery or certificate is worth less because a rival said re-test."""
    before = dict(world.state.records)
    world.accept(world[BUYER].key.sign(replace(messages.verdict(), verdict="re_test")))
    changed = {key for key, value in world.state.records.items() if before.get(key) != value}

    assert {verdict_key(BUYER, "V-1")} == {key for key in changed if not key.startswith("sequence/")}


def test_nobody_accepts_a_test_that_is_no_longer_in_force(world: World) -> None:
    """Revoked: an accept is refused, a re-test may name it as what fell short."""
    world.accept(world[LABORATORY].key.sign(messages.revocation()))

    assert Reason.NOT_IN_FORCE is refused(world, messages.verdict())
    assert refused(world, replace(messages.verdict(), verdict="re_test")) is None


def test_an_expired_certificate_is_not_accepted_from_its_first_moment_on() -> None:
    """The last millisecond of its validity counts, the next does not."""
    world = World()
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    until = GENESIS_MS + DAY_MS
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    certificate = replace(messages.certificate(), valid_until_ms=until)
    world.accept(laboratory.sign(messages.anchor()), laboratory.sign(certificate))
    world.accept(world[BUYER].key.sign(messages.verdict()), time_ms=until)
    late = world.submit(world[BUYER].key.sign(messages.verdict("V-2")), time_ms=until + 1)

    assert Reason.NOT_IN_FORCE is late.reason


def test_a_verdict_names_a_test_that_exists(world: World) -> None:
    """One nobody issued is no ground, whatever the verdict."""
    invented = AttestationReference(organisation=LABORATORY, reference="CERT-9")

    for verdict in ("accept", "re_test", "cannot_tell"):
        message = replace(messages.verdict(), verdict=verdict, attestation=invented)
        assert Reason.UNKNOWN_ATTESTATION is refused(world, message)


@pytest.mark.parametrize("day", ["2026-02-30", "2026-01-02", "2999-12-31"])
def test_a_verdict_is_of_a_day_that_has_come(world: World, day: str) -> None:
    """The day of the block, in UTC, is the last one; the calendar must have it."""
    assert Reason.WRONG_DAY is refused(world, replace(messages.verdict(), as_of=day))


def test_a_verdict_commits_to_its_evaluation_and_to_nothing_else(world: World) -> None:
    """The one result is called so: verifiers find it by that name."""
    other = (Result(quantity="capacity", commitment="e0" * 32),)

    assert Reason.MALFORMED_MESSAGE is refused(world, replace(messages.verdict(), results=other))
    assert Reason.MALFORMED_MESSAGE is refused(world, replace(messages.verdict(), results=()))


def test_a_stranger_cannot_take_the_bundle_of_a_verdict() -> None:
    """Under a known policy a verdict tells something of the health: members see it, others by being handed it."""
    assert not may_take_bundle(messages.verdict(), PUBLIC)
    assert may_take_bundle(messages.verdict(), OWNER)
