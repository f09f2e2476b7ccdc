"""What each reader gets of one battery, with which proofs; and that what others showed is verified, once and anew."""

from __future__ import annotations

import itertools
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellvow.core.contracts.attestation import IssueAttestation
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.passport.view import OWNER, PUBLIC, Audience, Backfill, Passport, Reader, Scope
from cellvow.verify import Verified, verify_bundle
from cellvow.workspace import commands, received
from cellvow.workspace.passports import PassportReader, Viewed
from cellvow.workspace.sharing import read_message
from tests.unit.workspace.deal import BACKFILL, BATTERY, CAPACITY_MAH, HEALTH_PERMILLE, OTHER_BATTERY, strike_deal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.workspace.deal import Deal

HEALTH, HISTORY = (Reader(Audience.PURCHASER, frozenset({one})) for one in (Scope.HEALTH, Scope.HISTORY))
EVERYTHING = Reader(Audience.PURCHASER, frozenset(Scope))
NOTHING = Reader(Audience.PURCHASER)


def name_of(reader: Reader) -> str:
    """A name for a case that is the same in every process."""
    return "-".join((reader.audience.value, *sorted(reader.scope)))


@pytest.fixture(scope="module")
def deal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deal]:
    """One deal that nobody changes."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        struck = strike_deal(tmp_path_factory.mktemp("deal"), monkeypatch)
    yield struck
    struck.close()


@pytest.fixture
def reader(deal: Deal) -> PassportReader:
    """What the buyer's site reads with."""
    return PassportReader(deal.home, deal.buyer)


def view(reader: PassportReader, who: Audience | Reader) -> Viewed:
    """A view of the battery."""
    viewed = reader.view(BATTERY, who)
    assert viewed is not None
    return viewed


def values(passport: Passport) -> dict[str, int]:
    """Every value that is shown."""
    measured = [one for attested in passport.attestations for one in attested.measured]
    return {one.quantity: one.value for one in measured if one.value is not None}


def attestation_bundle(reader: PassportReader, deal: Deal, who: Reader, reference: str) -> Verified | None:
    """The proof of an attestation that a reader may take, verified."""
    shown = view(reader, OWNER).passport
    source = next(one.source for one in shown.attestations if one.reference == reference)
    data = reader.bundle(BATTERY, source.statement, source.index, who)
    return None if data is None else verify_bundle(data, deal.home.trust, is_valid)


def test_a_purchaser_with_health_sees_values_intervals_and_curve(reader: PassportReader) -> None:
    """Declared and measured, as the owner knows them; no step of life, no holder."""
    passport = view(reader, HEALTH).passport
    capacity = next(
        one for attested in passport.attestations for one in attested.measured if one.quantity == "capacity"
    )

    assert {"state_of_health": HEALTH_PERMILLE, "capacity": CAPACITY_MAH} == values(passport)
    assert (30_150, 30_450) == (capacity.low, capacity.high)
    assert passport.curve is not None
    assert ((), ["responsibility"]) == (passport.life, [one.register for one in passport.registers])


def test_a_purchaser_with_history_sees_life_and_registers(reader: PassportReader) -> None:
    """Who did what when, and who holds, owns and answers; no value."""
    passport = view(reader, HISTORY).passport

    assert ["custody", "ownership", "responsibility"] == [one.register for one in passport.registers]
    assert view(reader, OWNER).passport.life == passport.life
    assert {} == values(passport)
    assert passport.curve is None


def test_a_purchaser_without_scope_sees_what_the_public_sees(reader: PassportReader) -> None:
    """Nothing granted, nothing shown; so is a bare word for a purchaser."""
    public = {**asdict(view(reader, PUBLIC).passport), "audience": Audience.PURCHASER}

    assert public == asdict(view(reader, NOTHING).passport)
    assert view(reader, NOTHING) == view(reader, Audience.PURCHASER)


def test_the_facility_is_the_owners_alone(reader: PassportReader) -> None:
    """No link shows where a battery was made."""
    shown = {
        who.audience: "facility" in [fact.name for fact in view(reader, who).passport.identity]
        for who in (PUBLIC, EVERYTHING, OWNER)
    }

    assert {Audience.PUBLIC: False, Audience.PURCHASER: False, Audience.OWNER: True} == shown


def test_every_view_says_whom_it_was_made_for(reader: PassportReader) -> None:
    """A page asks the view, not the request."""
    for who in (PUBLIC, HEALTH, HISTORY, EVERYTHING, OWNER):
        passport = view(reader, who).passport

        assert who == passport.reader
        assert (who.sees(Scope.HEALTH), who.sees(Scope.HISTORY)) == (passport.shows_health, passport.shows_history)


def test_more_is_granted_more_is_seen(reader: PassportReader) -> None:
    """Values, steps, registers and proofs grow along public, one scope, both, owner; none is lost on the way."""

    def seen(who: Reader) -> set[object]:
        viewed = view(reader, who)
        passport = viewed.passport
        return {*values(passport).items(), *passport.life, *passport.registers, *passport.identity, *viewed.proofs}

    for way in ((PUBLIC, NOTHING, HEALTH, EVERYTHING, OWNER), (PUBLIC, NOTHING, HISTORY, EVERYTHING, OWNER)):
        for less, more in itertools.pairwise(way):
            assert seen(less) <= seen(more)


def test_a_purchaser_takes_the_attestations_with_their_values(reader: PassportReader, deal: Deal) -> None:
    """Also those that others issued: he can check what he is shown without the owner."""
    certificate = attestation_bundle(reader, deal, HEALTH, "CERT-1")
    declaration = attestation_bundle(reader, deal, HEALTH, "DECL-1")

    assert certificate is not None
    assert declaration is not None
    assert 2 == len(certificate.disclosures)
    assert 1 == len(declaration.disclosures)


def test_without_health_no_value_is_taken(reader: PassportReader, deal: Deal) -> None:
    """With history he may take an attestation that his passport names: its frame is the world's, its values closed."""
    certificate = attestation_bundle(reader, deal, HISTORY, "CERT-1")

    assert certificate is not None
    assert [] == certificate.disclosures


def test_a_stranger_takes_no_attestation_that_his_passport_does_not_name(reader: PassportReader, deal: Deal) -> None:
    """The public view names certificates alone."""
    assert attestation_bundle(reader, deal, PUBLIC, "DECL-1") is None


def test_no_grant_reaches_what_members_alone_may_see(reader: PassportReader) -> None:
    """The hand-over is named to a purchaser and its own bytes stay with the members."""
    handover = view(reader, OWNER).passport.registers[0].source
    place = (handover.statement, handover.index)

    assert handover in [one.source for one in view(reader, EVERYTHING).passport.life]
    assert place not in view(reader, EVERYTHING).proofs
    assert reader.bundle(BATTERY, *place, EVERYTHING) is None
    assert place in view(reader, OWNER).proofs


@pytest.mark.parametrize("who", [PUBLIC, HEALTH, HISTORY, EVERYTHING, OWNER], ids=name_of)
def test_every_proof_that_is_offered_can_be_taken(who: Reader, reader: PassportReader, deal: Deal) -> None:
    """What a page links to is there and verifies; `proofs` and `passport` say what `view` says."""
    viewed = view(reader, who)

    assert (viewed.passport, viewed.proofs) == (reader.passport(BATTERY, who), reader.proofs(BATTERY, who))
    for statement, index in viewed.proofs:
        data = reader.bundle(BATTERY, statement, index, who)
        assert data is not None
        assert verify_bundle(data, deal.home.trust, is_valid).statement_digest == statement


@pytest.mark.parametrize("who", [PUBLIC, NOTHING, OWNER], ids=name_of)
def test_a_reconstructed_birth_is_marked_for_everybody(who: Reader, reader: PassportReader) -> None:
    """With its evidence class and what it rests on; one that was recorded as it happened is not."""
    viewed = reader.view(OTHER_BATTERY, who)
    assert viewed is not None
    backfill = viewed.passport.backfill

    assert isinstance(backfill, Backfill)
    assert (BACKFILL.evidence_class, BACKFILL.basis, "maker") == (
        backfill.evidence_class,
        backfill.basis,
        backfill.source.organisation,
    )
    assert view(reader, who).passport.backfill is None


def test_the_step_of_a_reconstructed_birth_says_so(reader: PassportReader) -> None:
    """The line of life names evidence class and basis beside the day."""
    viewed = reader.view(OTHER_BATTERY, HISTORY)
    assert viewed is not None

    assert (
        ("manufactured_on", "2019-03-01"),
        ("evidence_class", BACKFILL.evidence_class),
        ("basis", BACKFILL.basis),
    ) == viewed.passport.life[0].detail


def test_a_battery_that_is_not_there_has_no_view(reader: PassportReader) -> None:
    """None, and no proof."""
    nowhere = "01/09506000134376/21/NOWHERE"

    assert reader.view(nowhere, OWNER) is None
    assert frozenset() == reader.proofs(nowhere, OWNER)
    assert reader.bundle(nowhere, "00" * 32, 0, OWNER) is None


def test_commitments_of_one_battery_open_nothing_on_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who copies them into an attestation of his own makes no page show the values behind them."""
    deal = strike_deal(tmp_path, monkeypatch)
    reader = PassportReader(deal.home, deal.buyer)
    source = next(one.source for one in view(reader, OWNER).passport.attestations if one.reference == "CERT-1")
    with deal.session() as session:
        message = read_message(session.store, bytes.fromhex(source.statement), source.index)
        assert isinstance(message, IssueAttestation)
        copied = msgspec.structs.replace(message, battery=OTHER_BATTERY, reference="COPY-1")
        commands.submit_message(session, deal.laboratory, copied)
        session.publish()
    viewed = reader.view(OTHER_BATTERY, HEALTH)
    deal.close()
    assert viewed is not None

    assert ["COPY-1"] == [one.reference for one in viewed.passport.attestations]
    assert ({}, None) == (values(viewed.passport), viewed.passport.curve)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bundles that are verified, as they come."""
    seen: list[bytes] = []
    verify: Callable[..., Verified] = verify_bundle

    def count(data: bytes, *arguments: object) -> Verified:
        seen.append(data)
        return verify(data, *arguments)

    monkeypatch.setattr(received, "verify_bundle", count)
    return seen


def test_a_received_bundle_is_verified_once(reader: PassportReader, counted: list[bytes]) -> None:
    """Looking again costs no signature check; a stranger's look costs none at all."""
    view(reader, PUBLIC)
    assert [] == counted
    for _ in range(3):
        view(reader, OWNER)

    assert 2 == len(counted)


def test_a_received_bundle_that_changed_is_verified_anew(
    reader: PassportReader, deal: Deal, counted: list[bytes]
) -> None:
    """One flipped bit, same length, same dates: it is noticed at the next look. Put back, it holds again."""
    view(reader, OWNER)
    path = min(deal.buyer.received.iterdir())
    good, dates = path.read_bytes(), path.stat()
    place = len(good) // 2
    path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
    os.utime(path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    try:
        with pytest.raises(VerificationError, match=f"{path.name} no longer verifies"):
            view(reader, OWNER)
    finally:
        path.write_bytes(good)

    assert CAPACITY_MAH == values(view(reader, OWNER).passport)["capacity"]
    assert len(counted) > 2


def test_a_received_bundle_that_is_gone_shows_nothing_more(reader: PassportReader, deal: Deal) -> None:
    """What was remembered of it is forgotten."""
    kept = {path: path.read_bytes() for path in deal.buyer.received.iterdir()}
    view(reader, OWNER)
    try:
        for path in kept:
            path.unlink()
        assert {} == values(view(reader, OWNER).passport)
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def test_another_trust_is_asked_anew(deal: Deal, counted: list[bytes]) -> None:
    """What verified against one trust file says nothing about another."""
    shelf = received.ReceivedBundles(deal.buyer.received)
    shelf.read(deal.home.trust)
    with pytest.raises(VerificationError):
        shelf.read(replace(deal.home.trust, genesis=Digest(bytes(32))))

    assert 3 == len(counted)
