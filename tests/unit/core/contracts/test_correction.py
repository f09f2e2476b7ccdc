"""Corrections: of one's own current statement, with the history named and nothing deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import (
    AttestationRecord,
    IssueAttestation,
    attestation_key,
    derive_state,
)
from cellvow.core.contracts.battery import (
    BatteryRecord,
    ModelRecord,
    RegisterBattery,
    RegisterModel,
    battery_key,
    model_key,
)
from cellvow.core.contracts.contract import Message
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from tests import messages
from tests.world import ACCREDITED_UNTIL_MS, BUYER, LABORATORY, MAKER, World


class Told:
    """A ledger with a model, a battery and a certificate, and the statements that made them."""

    def __init__(self) -> None:
        """Make them."""
        self.world = World()
        maker, laboratory = self.world[MAKER].key, self.world[LABORATORY].key
        self.model = maker.sign(messages.model())
        self.battery = maker.sign(messages.battery())
        self.certificate = laboratory.sign(messages.certificate())
        self.world.accept(self.model, self.battery, laboratory.sign(messages.anchor()), self.certificate)

    def submit(self, organisation: str, message: Message, *, time_ms: int | None = None) -> Reason | None:
        """What became of the message: None if it was accepted."""
        return self.world.submit(self.world[organisation].key.sign(message), time_ms=time_ms).reason

    def correct(self, corrected: Statement, replacement: Message, organisation: str = MAKER) -> Statement:
        """The correction, which must be accepted."""
        assert isinstance(replacement, RegisterModel | RegisterBattery | IssueAttestation)
        statement = self.world[organisation].key.sign(messages.correction(corrected, replacement))
        self.world.accept(statement)
        return statement

    @property
    def certificate_record(self) -> AttestationRecord:
        """The certificate as it stands."""
        return self.world.record(AttestationRecord, attestation_key(LABORATORY, messages.REFERENCE))

    @property
    def battery_record(self) -> BatteryRecord:
        """The battery as it stands."""
        return self.world.record(BatteryRecord, battery_key(messages.BATTERY))

    @property
    def model_record(self) -> ModelRecord:
        """The model as it stands."""
        return self.world.record(ModelRecord, model_key(messages.GTIN))


HEAVIER = replace(messages.model(), mass_g=790)
MOVED = replace(messages.battery(), facility="Plant 2")
LOWER = replace(
    messages.certificate(),
    predicates=(replace(messages.certificate().predicates[0], threshold=29_000),),
)


def test_a_corrected_model_shows_the_new_value_and_names_the_old_statement() -> None:
    """The record says what it corrects; everything else of it stays."""
    told = Told()
    before = told.model_record
    correction = told.correct(told.model, HEAVIER)
    after = told.model_record

    assert (before.mass_g, after.mass_g) == (787, 790)
    assert after.corrects == before.provenance
    assert (after.provenance.statement, after.version) == (correction.envelope.digest.hex(), 2)
    assert (after.organisation, after.chemistry) == (before.organisation, before.chemistry)


def test_a_corrected_birth_keeps_life_and_registers() -> None:
    """Status and registers stand; the epoch has grown, for tests that rested on the old words."""
    told = Told()
    before = told.battery_record
    registers = {k: v for k, v in told.world.state.records.items() if k.startswith("custody/")}
    told.correct(told.battery, MOVED)
    after = told.battery_record

    assert (after.facility, after.manufactured_on) == ("Plant 2", before.manufactured_on)
    assert (after.epoch, after.version, after.corrects) == (1, 2, before.provenance)
    assert registers == {k: v for k, v in told.world.state.records.items() if k.startswith("custody/")}


def test_a_birth_can_be_marked_as_reconstructed_later() -> None:
    """Who forgot the mark adds it; who mistyped what it rests on mends that. Certificates are invalidated each time."""
    told = Told()
    marked = told.correct(told.battery, replace(messages.battery(), backfill=messages.reconstructed().backfill))
    first = told.battery_record
    told.correct(marked, replace(messages.battery(), backfill=messages.reconstructed(basis="invoice").backfill))
    second = told.battery_record

    assert first.backfill is not None
    assert second.backfill is not None
    assert (first.backfill.basis, second.backfill.basis) == ("type plate", "invoice")
    assert (first.epoch, second.epoch) == (1, 2)


def test_the_mark_of_a_reconstructed_birth_is_never_taken_away() -> None:
    """A correction does not launder an old battery into one that was recorded when it was made."""
    told = Told()
    marked = told.correct(told.battery, replace(messages.battery(), backfill=messages.reconstructed().backfill))
    outcome = told.world.submit(told.world[MAKER].key.sign(messages.correction(marked, MOVED)))

    assert (outcome.reason, dict(outcome.facts)) == (Reason.MALFORMED_MESSAGE, {"field": "backfill"})
    assert told.battery_record.backfill is not None


def test_a_corrected_certificate_keeps_its_reference() -> None:
    """The threshold is the corrected one, the number the issuer's."""
    told = Told()
    told.correct(told.certificate, LOWER, LABORATORY)
    record = told.certificate_record

    assert (record.predicates[0].threshold, record.reference, record.version) == (29_000, messages.REFERENCE, 2)
    assert derive_state(record, told.battery_record, told.world.head.time_ms) == "issued"


Reference = Callable[[Told], Statement]


@pytest.mark.parametrize(
    ("corrected", "replacement"),
    [(lambda told: told.model, HEAVIER), (lambda told: told.battery, MOVED)],
    ids=["model", "battery"],
)
def test_nobody_corrects_the_statement_of_another(
    corrected: Reference, replacement: RegisterModel | RegisterBattery
) -> None:
    """Not the buyer, though the battery be his."""
    told = Told()
    told.submit(MAKER, messages.offer(BUYER))
    told.submit(BUYER, messages.accept())

    assert told.submit(BUYER, messages.correction(corrected(told), replacement)) is Reason.NOT_YOUR_STATEMENT


def test_nobody_corrects_the_certificate_of_another() -> None:
    """Under the maker's name there is no certificate of that number."""
    told = Told()
    outcome = told.submit(MAKER, messages.correction(told.certificate, LOWER))

    assert outcome is Reason.NOT_THE_CURRENT_STATEMENT


def test_only_the_current_statement_is_corrected() -> None:
    """The first correction stands between: the second must name it, or it was signed without knowing."""
    told = Told()
    first = told.correct(told.model, HEAVIER)
    lighter = replace(messages.model(), mass_g=780)
    late = told.submit(MAKER, messages.correction(told.model, lighter))

    assert late is Reason.NOT_THE_CURRENT_STATEMENT
    told.correct(first, lighter)
    assert told.model_record.mass_g == 780


@pytest.mark.parametrize(
    ("corrected", "replacement", "index"),
    [
        (lambda told: told.battery, HEAVIER, 0),
        (lambda told: told.model, HEAVIER, 1),
        (lambda told: told.model, replace(messages.model(messages.OTHER_GTIN), mass_g=1), 0),
        (lambda told: told.battery, messages.battery(messages.OTHER_BATTERY), 0),
    ],
    ids=["another statement", "another index", "another model", "another battery"],
)
def test_a_correction_is_about_what_the_statement_said(
    corrected: Reference, replacement: RegisterModel | RegisterBattery, index: int
) -> None:
    """The identifier cannot change, nor can a statement be claimed to have said something else."""
    told = Told()
    message = messages.correction(corrected(told), replacement, index=index)

    assert told.submit(MAKER, message) is Reason.NOT_THE_CURRENT_STATEMENT


@pytest.mark.parametrize(
    ("corrected", "replacement", "organisation"),
    [
        (lambda told: told.model, messages.model(), MAKER),
        (lambda told: told.battery, messages.battery(), MAKER),
        (lambda told: told.certificate, messages.certificate(), LABORATORY),
    ],
    ids=["model", "battery", "certificate"],
)
def test_a_correction_that_changes_nothing_is_rejected(
    corrected: Reference,
    replacement: RegisterModel | RegisterBattery | IssueAttestation,
    organisation: str,
) -> None:
    """Nor does it void certificates or count versions."""
    told = Told()
    outcome = told.submit(organisation, messages.correction(corrected(told), replacement))

    assert outcome is Reason.NOTHING_CHANGES
    assert (told.battery_record.epoch, told.model_record.version) == (0, 1)


def test_a_corrected_birth_date_is_a_day_of_the_calendar() -> None:
    """What registration refuses, correction does not let in."""
    told = Told()
    replacement = replace(messages.battery(), manufactured_on="2025-02-30")

    assert told.submit(MAKER, messages.correction(told.battery, replacement)) is Reason.MALFORMED_MESSAGE


def test_a_correction_does_not_revive_an_invalidated_certificate() -> None:
    """Corrected after the battery's birth was corrected, it is still invalidated."""
    told = Told()
    told.correct(told.battery, MOVED)
    told.correct(told.certificate, LOWER, LABORATORY)
    state = derive_state(told.certificate_record, told.battery_record, told.world.head.time_ms)

    assert state == "invalidated"


def test_a_correction_does_not_revive_a_revoked_certificate() -> None:
    """What is over stays over."""
    told = Told()
    revocation = told.world[LABORATORY].key.sign(messages.revocation())
    told.world.accept(revocation)
    for named in (told.certificate, revocation):
        outcome = told.submit(LABORATORY, messages.correction(named, LOWER))
        assert outcome in (Reason.NOT_THE_CURRENT_STATEMENT, Reason.NOT_IN_FORCE)

    assert told.certificate_record.state == "revoked"


def test_a_correction_obeys_the_rules_of_what_it_corrects() -> None:
    """After the accreditation ended, and outside it, a certificate is not corrected into being."""
    told = Told()
    late = messages.correction(told.certificate, LOWER)
    foreign = replace(LOWER, standard=replace(messages.STANDARD, edition="2010"))

    assert told.submit(LABORATORY, messages.correction(told.certificate, foreign)) is Reason.OUTSIDE_ACCREDITATION
    assert told.submit(LABORATORY, late, time_ms=ACCREDITED_UNTIL_MS + 1) is Reason.OUTSIDE_ACCREDITATION


def test_an_attestation_does_not_become_a_certificate_without_accreditation() -> None:
    """The maker's own test stays what it was."""
    told = Told()
    told.submit(MAKER, messages.anchor())
    plain = told.world[MAKER].key.sign(replace(messages.certificate("OWN-1"), is_certificate=False))
    told.world.accept(plain)
    raised = messages.certificate("OWN-1")

    assert told.submit(MAKER, messages.correction(plain, raised)) is Reason.OUTSIDE_ACCREDITATION


def test_a_correction_neither_moves_to_another_battery_nor_supersedes() -> None:
    """The battery is what the number stands for; superseding is a statement of its own."""
    told = Told()
    told.world.accept(told.world[MAKER].key.sign(messages.battery(messages.OTHER_BATTERY)))
    elsewhere = replace(LOWER, battery=messages.OTHER_BATTERY)
    superseding = replace(LOWER, supersedes="CERT-9")

    assert told.submit(LABORATORY, messages.correction(told.certificate, elsewhere)) is Reason.OTHER_BATTERY
    assert told.submit(LABORATORY, messages.correction(told.certificate, superseding)) is Reason.MALFORMED_MESSAGE


def test_a_message_of_a_batch_is_corrected_by_its_index() -> None:
    """Index 1 of the batch is the battery, and nothing else."""
    world = World()
    batch = world[MAKER].key.sign_batch([messages.model(), messages.battery()])
    world.accept(batch)
    wrong = world.submit(world[MAKER].key.sign(messages.correction(batch, MOVED)))
    right = world.submit(world[MAKER].key.sign(messages.correction(batch, MOVED, index=1)))

    assert (wrong.reason, right.reason) == (Reason.NOT_THE_CURRENT_STATEMENT, None)


def test_the_log_keeps_what_was_corrected() -> None:
    """The first statement and its outcome still have their leaf: history is added to, not edited."""
    told = Told()
    leaves = list(told.world.leaves)
    told.correct(told.model, HEAVIER)

    assert told.world.leaves[: len(leaves)] == leaves
