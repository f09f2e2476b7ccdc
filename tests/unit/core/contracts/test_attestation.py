"""Attestations and certificates: under whose accreditation, on what input, and how they end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import (
    AttestationRecord,
    IssueAttestation,
    Predicate,
    Result,
    attestation_key,
    derive_state,
)
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.ledger.rejection import Reason
from tests import messages
from tests.world import ACCREDITED_UNTIL_MS, BUYER, DAY_MS, GENESIS_MS, LABORATORY, MAKER, World


def settled() -> World:
    """A ledger with two batteries and the root of the laboratory's measurement."""
    world = World()
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    world.accept(maker.sign(messages.model()))
    world.accept(*(maker.sign(messages.battery(one)) for one in (messages.BATTERY, messages.OTHER_BATTERY)))
    world.accept(laboratory.sign(messages.anchor()))
    return world


def submit(
    world: World, message: Message, organisation: str = LABORATORY, *, time_ms: int | None = None
) -> Reason | None:
    """What became of the message: None if it was accepted."""
    return world.submit(world[organisation].key.sign(message), time_ms=time_ms).reason


def record(world: World, reference: str = messages.REFERENCE, organisation: str = LABORATORY) -> AttestationRecord:
    """An attestation on the ledger."""
    return world.record(AttestationRecord, attestation_key(organisation, reference))


def state(world: World, reference: str = messages.REFERENCE, *, time_ms: int | None = None) -> str:
    """What the laboratory's attestation is worth now."""
    attested = record(world, reference)
    battery = world.record(BatteryRecord, battery_key(attested.battery))
    return derive_state(attested, battery, world.head.time_ms if time_ms is None else time_ms)


def test_a_certificate_keeps_what_was_signed() -> None:
    """Every field of the message but the reference to what it supersedes, with issuer, time and epoch."""
    world = settled()
    statement = world[LABORATORY].key.sign(messages.certificate())
    world.accept(statement)
    kept = record(world)
    names = [name for name in messages.certificate().__struct_fields__ if name != "supersedes"]

    assert {name: getattr(kept, name) for name in names} == {
        name: getattr(messages.certificate(), name) for name in names
    }
    assert (kept.organisation, kept.issued_ms, kept.epoch, kept.state) == (
        LABORATORY,
        world.head.time_ms,
        0,
        "issued",
    )
    assert kept.provenance.statement == statement.envelope.digest.hex()


@pytest.mark.parametrize(("late_ms", "reason"), [(0, None), (1, Reason.OUTSIDE_ACCREDITATION), (-1, None)])
def test_a_certificate_is_issued_until_the_accreditation_ends(late_ms: int, reason: Reason | None) -> None:
    """At its last millisecond yes, one later no."""
    world = settled()

    assert submit(world, messages.certificate(), time_ms=ACCREDITED_UNTIL_MS + late_ms) is reason


CERTIFICATE = messages.certificate()
OUTSIDE = [
    pytest.param(replace(CERTIFICATE, standard=replace(messages.STANDARD, name="IEC 62660-2")), id="standard"),
    pytest.param(replace(CERTIFICATE, standard=replace(messages.STANDARD, edition="2010")), id="edition"),
    pytest.param(
        replace(CERTIFICATE, results=(Result(quantity="state_of_health", commitment="c0" * 32),)), id="quantity"
    ),
    pytest.param(
        replace(
            CERTIFICATE,
            results=(*CERTIFICATE.results, Result(quantity="state_of_health", commitment="c0" * 32)),
        ),
        id="one quantity of two",
    ),
    pytest.param(
        replace(
            CERTIFICATE,
            predicates=(Predicate(quantity="state_of_health", comparison="at_least", threshold=800),),
        ),
        id="quantity of a predicate",
    ),
]


@pytest.mark.parametrize("message", OUTSIDE)
def test_nothing_outside_the_accreditation_is_certified(message: IssueAttestation) -> None:
    """Another standard, edition or quantity; as a plain attestation the same is welcome."""
    world = settled()

    assert submit(world, message) is Reason.OUTSIDE_ACCREDITATION
    assert submit(world, replace(message, is_certificate=False)) is None


@pytest.mark.parametrize("organisation", [MAKER, BUYER])
def test_who_is_not_accredited_certifies_nothing(organisation: str) -> None:
    """Not even the maker, on his own battery with his own measurement."""
    world = settled()
    submit(world, messages.anchor(), organisation)

    assert submit(world, messages.certificate(), organisation) is Reason.OUTSIDE_ACCREDITATION
    assert submit(world, replace(messages.certificate(), is_certificate=False), organisation) is None


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(replace(CERTIFICATE, standard=None), id="no standard"),
        pytest.param(replace(CERTIFICATE, input_root=None), id="no measurement"),
        pytest.param(replace(CERTIFICATE, evidence_class="simulated"), id="simulated"),
        pytest.param(replace(CERTIFICATE, evidence_class="declared"), id="declared"),
    ],
)
def test_a_certificate_rests_on_a_standard_and_a_measurement(message: IssueAttestation) -> None:
    """What was simulated or only declared is never certified."""
    assert submit(settled(), message) is Reason.INCOMPLETE_CERTIFICATE


def test_an_estimate_may_be_certified() -> None:
    """Measured and estimated are evidence; their class stays visible."""
    world = settled()

    assert submit(world, replace(CERTIFICATE, evidence_class="estimated")) is None
    assert record(world).evidence_class == "estimated"


def test_a_measurement_anchored_by_somebody_else_is_no_input() -> None:
    """The issuer answers for his own rows."""
    world = settled()

    assert submit(world, replace(messages.declaration(), input_root=messages.ROWS_ROOT), MAKER) is (
        Reason.INPUT_NOT_ANCHORED
    )


def test_an_anchor_in_the_same_block_counts() -> None:
    """Anchor and certificate travel together, in this order and in no other."""
    anchored = messages.anchor("77" * 32)
    message = replace(CERTIFICATE, input_root=anchored.root)
    orders = []
    for batch in ([anchored, message], [message, anchored]):
        (outcomes,) = settled().include(World()[LABORATORY].key.sign_batch(batch, mode="each", sequence=50))
        orders.append([one.reason for one in outcomes])

    assert orders == [[None, None], [Reason.INPUT_NOT_ANCHORED, None]]


@pytest.mark.parametrize(
    ("start", "end", "valid", "reason"),
    [
        (0, 0, None, None),
        (1, 0, None, Reason.WRONG_PERIOD),
        (0, 1, None, Reason.WRONG_PERIOD),
        (-DAY_MS, 0, 1, None),
        (-DAY_MS, 0, 0, Reason.WRONG_PERIOD),
        (-DAY_MS, 0, -1, Reason.WRONG_PERIOD),
    ],
)
def test_a_test_ends_after_it_began_and_before_now(
    start: int, end: int, valid: int | None, reason: Reason | None
) -> None:
    """Times relative to the block: neither backwards nor in the future, and validity ends after it."""
    world = settled()
    now = world.next_ms
    message = replace(
        CERTIFICATE,
        tested_from_ms=now + start,
        tested_until_ms=now + end,
        valid_until_ms=None if valid is None else now + valid,
    )

    assert submit(world, message, time_ms=now) is reason


def test_a_reference_is_used_once_per_issuer() -> None:
    """The laboratory's number is the laboratory's; the maker may have one that reads the same."""
    world = settled()
    submit(world, messages.certificate())

    assert submit(world, messages.certificate(identifier=messages.OTHER_BATTERY)) is Reason.ATTESTATION_EXISTS
    assert submit(world, messages.declaration(messages.REFERENCE), MAKER) is None


def test_a_superseded_certificate_names_its_successor() -> None:
    """Old and new both stand; the old one says what replaced it and is over."""
    world = settled()
    submit(world, messages.certificate())
    assert submit(world, replace(messages.certificate("CERT-2"), supersedes=messages.REFERENCE)) is None

    assert (state(world), record(world).superseded_by) == ("superseded", "CERT-2")
    assert state(world, "CERT-2") == "issued"
    assert submit(world, messages.revocation()) is Reason.NOT_IN_FORCE
    again = replace(messages.certificate("CERT-3"), supersedes=messages.REFERENCE)
    assert submit(world, again) is Reason.NOT_IN_FORCE


@pytest.mark.parametrize(
    ("identifier", "supersedes", "reason"),
    [
        (messages.OTHER_BATTERY, messages.REFERENCE, Reason.OTHER_BATTERY),
        (messages.BATTERY, "CERT-9", Reason.UNKNOWN_ATTESTATION),
        (messages.BATTERY, "CERT-2", Reason.UNKNOWN_ATTESTATION),
    ],
    ids=["of another battery", "unknown", "itself"],
)
def test_only_an_own_certificate_of_the_same_battery_is_superseded(
    identifier: str, supersedes: str, reason: Reason
) -> None:
    """Nothing else, and a refused successor leaves no record."""
    world = settled()
    submit(world, messages.certificate())
    message = replace(messages.certificate("CERT-2", identifier=identifier), supersedes=supersedes)

    assert submit(world, message) is reason
    assert attestation_key(LABORATORY, "CERT-2") not in world.state.records
    assert state(world) == "issued"


def test_a_revoked_certificate_stays_readable_and_revoked() -> None:
    """Nothing is deleted, nothing is revoked twice, nothing comes back."""
    world = settled()
    submit(world, messages.certificate())
    assert submit(world, messages.revocation()) is None

    assert (state(world), record(world).results) == ("revoked", CERTIFICATE.results)
    assert submit(world, messages.revocation()) is Reason.NOT_IN_FORCE
    assert submit(world, messages.certificate()) is Reason.ATTESTATION_EXISTS


@pytest.mark.parametrize("organisation", [MAKER, BUYER])
def test_nobody_revokes_or_supersedes_the_certificate_of_another(organisation: str) -> None:
    """Not even who holds or made the battery."""
    world = settled()
    submit(world, messages.certificate())
    successor = replace(messages.declaration("OWN-1"), supersedes=messages.REFERENCE)

    assert submit(world, messages.revocation(), organisation) is Reason.UNKNOWN_ATTESTATION
    assert submit(world, successor, organisation) is Reason.UNKNOWN_ATTESTATION
    assert state(world) == "issued"


def test_a_certificate_expires_one_millisecond_after_its_validity() -> None:
    """Expiry is judged when somebody asks; no block has to come."""
    world = settled()
    until = GENESIS_MS + 30 * DAY_MS
    submit(world, replace(messages.certificate(), valid_until_ms=until))

    assert state(world, time_ms=until) == "issued"
    assert state(world, time_ms=until + 1) == "expired"


def test_a_correction_of_the_birth_invalidates_the_certificates_that_rest_on_it() -> None:
    """Those issued before are invalidated, one issued after is not; those of other batteries are not."""
    world = settled()
    other = messages.certificate("CERT-O", identifier=messages.OTHER_BATTERY)
    submit(world, messages.certificate())
    submit(world, other)
    birth = world.blocks[2].statements[0]
    corrected = replace(messages.battery(), facility="Plant 2")
    assert submit(world, messages.correction(birth, corrected), MAKER) is None
    submit(world, messages.certificate("CERT-2"))

    assert [state(world, reference) for reference in (messages.REFERENCE, "CERT-2", "CERT-O")] == [
        "invalidated",
        "issued",
        "issued",
    ]


def test_an_attestation_about_an_unregistered_battery_is_rejected() -> None:
    """There is nothing for it to be about."""
    world = settled()
    nothing = f"01/{messages.GTIN}/21/NONE"

    assert submit(world, messages.certificate(identifier=nothing)) is Reason.UNKNOWN_BATTERY
    assert submit(world, messages.revocation(identifier=nothing)) is Reason.UNKNOWN_ATTESTATION


def test_a_root_is_anchored_once_by_each() -> None:
    """The same root under two organisations is two anchors; twice under one is a mistake."""
    world = settled()

    assert submit(world, messages.anchor()) is Reason.ANCHOR_EXISTS
    assert submit(world, messages.anchor(), BUYER) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"results": ()},
        {"reference": "cert-1"},
        {"reference": "CERT 1"},
        {"reference": "C" * 33},
        {"evidence_class": "certain"},
        {"input_root": "5A" * 32},
        {"results": (Result(quantity="Capacity", commitment="c0" * 32),)},
        {"results": (Result(quantity="capacity", commitment="c0" * 31),)},
        {"predicates": (Predicate(quantity="capacity", comparison="equals", threshold=1),)},  # type: ignore[arg-type]  # hostile
        {"predicates": (Predicate(quantity="capacity", comparison="at_most", threshold=True),)},
    ],
)
def test_an_attestation_of_another_form_is_malformed(changed: dict[str, object]) -> None:
    """References, classes, roots, quantities and comparisons have one spelling."""
    assert submit(settled(), replace(messages.declaration(), **changed), MAKER) is Reason.MALFORMED_MESSAGE


def test_a_value_inside_a_message_is_malformed() -> None:
    """A granted value has no place on the ledger: a result with its value and salt is refused."""
    world = settled()
    document = {
        "type": "IssueAttestation",
        "battery": messages.BATTERY,
        "evidence_class": "declared",
        "is_certificate": False,
        "method": {"name": "rating", "version": "1"},
        "reference": "DECL-1",
        "results": [{"quantity": "state_of_health", "commitment": "d0" * 32, "salt": "00" * 32, "value": 960}],
        "tested_from_ms": GENESIS_MS,
        "tested_until_ms": GENESIS_MS,
    }
    outcome = world.submit(world[MAKER].key.sign(document, subject=messages.BATTERY))  # type: ignore[arg-type]  # nested

    assert outcome.reason is Reason.MALFORMED_MESSAGE
