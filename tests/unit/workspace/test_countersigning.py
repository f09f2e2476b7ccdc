"""What waits for a second signature is nowhere shown as done; with it, it is, and the passport says that two signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cellvow.api.problems import derive_refusal
from cellvow.core.contracts.attestation import IssueAttestation, Method
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.passport.view import OWNER, Passport
from cellvow.verify import verify_bundle
from cellvow.web import Problem
from cellvow.workspace import commands, countersigning, rotation
from cellvow.workspace.countersigning import Waiting
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.export_package import Wish, make_package, verify_package
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.sharing import Wanted, export_bundle, read_message
from cellvow.workspace.workspace import Workspace
from tests.unit.workspace.deal import BATTERY, CAPACITY_MAH, Deal, attest_to, strike_deal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULE = ("AcceptHandover", "IssueAttestation", "OfferHandover")


@pytest.fixture
def deal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deal]:
    """The laboratory and the buyer have a second key each, and want attestations and hand-overs signed twice."""
    struck = strike_deal(tmp_path, monkeypatch, NEWEST)
    for workspace in (struck.laboratory, struck.buyer):
        workspace.keystore.new_key("operational", "second")
        with struck.session() as session:
            commands.enrol(session, workspace, "second")
            countersigning.set_rule(session, workspace, RULE)
    yield struck
    struck.close()


def hold(deal: Deal) -> KeptForSecond:
    """The laboratory attests anew with one signature."""
    with deal.session() as session, pytest.raises(KeptForSecond) as caught:
        attest_to(session, deal.laboratory, "CERT-2")
    return caught.value


def passport_of(deal: Deal, workspace: Workspace) -> Passport:
    """The battery as the organisation of a workspace sees it."""
    viewed = PassportReader(deal.home, workspace).view(BATTERY, OWNER)
    assert viewed is not None
    return viewed.passport


def waits(deal: Deal, workspace: Workspace, key_name: str | None = None) -> list[Waiting]:
    """What waits in an organisation."""
    store = deal.home.open_reader()
    try:
        return countersigning.waiting(store, workspace.organisation, workspace.key(key_name).kid)
    finally:
        store.close()


def test_what_waits_is_no_part_of_the_passport(deal: Deal) -> None:
    """Neither an attestation nor a step of its life; no proof of it is given out."""
    before = passport_of(deal, deal.laboratory)
    held = hold(deal)
    store = deal.home.open_reader()
    try:
        with pytest.raises(OperationalError, match="waits for a second signature"):
            read_message(store, bytes.fromhex(held.statement), 0)
    finally:
        store.close()

    after = passport_of(deal, deal.laboratory)
    assert [one.reference for one in after.attestations] == ["DECL-1", "CERT-1"]
    assert after.life == before.life


def test_a_second_signature_puts_it_into_the_passport_with_its_values(deal: Deal) -> None:
    """The laboratory sees its values, and the source says that two keys signed; what one signed says nothing."""
    held = hold(deal)
    with deal.session() as session:
        receipted = countersigning.give_second(session, deal.laboratory, held.statement, key_name="second")
        session.publish()
    passport = passport_of(deal, deal.laboratory)
    attested = {one.reference: one for one in passport.attestations}

    assert attested["CERT-2"].source.statement == receipted.digest.hex()
    assert attested["CERT-2"].source.countersigned
    assert not attested["CERT-1"].source.countersigned
    assert [one.value for one in attested["CERT-2"].measured if one.quantity == "capacity"] == [CAPACITY_MAH]


def test_a_claim_under_a_second_signature_says_that_two_signed_it(deal: Deal) -> None:
    """What waits is no step; confirmed, it is contested: a step by two keys, whose proof says kept and not accepted."""
    with deal.session() as session:
        with pytest.raises(KeptForSecond) as caught:
            commands.offer_handover(session, deal.laboratory, BATTERY, "maker", ("custody",), claim=True)
        session.publish()
        held = export_bundle(session.store, None, Wanted(bytes.fromhex(caught.value.statement), 0))
    waiting_life = passport_of(deal, deal.buyer).life
    with deal.session() as session:
        with pytest.raises(KeptAsClaim):
            countersigning.give_second(session, deal.laboratory, caught.value.statement, key_name="second")
        session.publish()
    (step,) = [one for one in passport_of(deal, deal.buyer).life if one.claimed is not None]
    data = PassportReader(deal.home, deal.buyer).bundle(BATTERY, step.source.statement, step.source.index, OWNER)
    verified = verify_bundle(data or b"", deal.home.trust, is_valid, kept=True)

    assert [None] * len(waiting_life) == [one.claimed for one in waiting_life]
    assert "held" == verify_bundle(held, deal.home.trust, is_valid, kept=True).outcome
    assert ("OfferHandover", "DisputeOpened", "lab") == (step.claimed, step.event, step.source.organisation)
    assert step.source.countersigned
    assert ("contested", "OfferHandover") == (verified.outcome, verified.ordered["type"])


def test_its_bundle_discloses_the_values_to_the_buyer(deal: Deal) -> None:
    """The proof is that of the second signature, which carries the attestation word for word."""
    held = hold(deal)
    with deal.session() as session:
        receipted = countersigning.give_second(session, deal.laboratory, held.statement, key_name="second")
        session.publish()
        wanted = Wanted(receipted.digest, 0, None, session.engine.state)
        data = export_bundle(session.store, deal.laboratory, wanted)
    verified = verify_bundle(data, deal.home.trust, is_valid)

    assert (verified.message["type"], verified.ordered["type"]) == ("Countersign", "IssueAttestation")
    assert len(verified.disclosures) == 2
    assert verified.standing == "in force"


@pytest.mark.slow
def test_a_hand_over_signed_twice_on_both_sides_is_exported_as_one_of_both(deal: Deal) -> None:
    """The package shows whose orders they were; that they came by a second signature hides neither side."""
    giver, taker = deal.buyer, deal.laboratory
    with deal.session() as session:
        with pytest.raises(KeptForSecond) as offered:
            commands.offer_handover(session, giver, BATTERY, taker.organisation, ("custody",))
        countersigning.give_second(session, giver, offered.value.statement, key_name="second")
        with pytest.raises(KeptForSecond) as accepted:
            commands.answer_handover(session, taker, BATTERY, "accept")
        countersigning.give_second(session, taker, accepted.value.statement, key_name="second")
        session.publish()
    package = make_package(PassportReader(deal.home, giver), BATTERY, Wish())
    registers: Any = verify_package(package.data, deal.home.trust, is_valid).index["registers"]

    signed = [(one["offered_by"], one["accepted_by"]) for one in registers if one["register"] == "custody"]
    assert signed == [(giver.organisation, taker.organisation)]


def test_the_list_says_what_who_and_for_whom(deal: Deal) -> None:
    """Readable before it is signed: the message, the battery, the first key, and whether one's own key can."""
    held = hold(deal)
    own, other = waits(deal, deal.laboratory), waits(deal, deal.laboratory, "second")

    (one,) = other
    assert (one.name, one.message, one.about) == (f"{held.statement}/0", "IssueAttestation", BATTERY)
    assert one.first_kid == deal.laboratory.key().kid.hex()
    assert one.order["reference"] == "CERT-2"
    assert (one.refusal, one.first_ended) == (None, False)
    assert [r.reason for r in (one.refusal for one in own) if r is not None] == [Reason.SAME_SIGNER]
    assert waits(deal, deal.maker) == []


def test_the_list_says_that_the_first_key_has_ended(deal: Deal) -> None:
    """A leaver's order can be confirmed, and whoever does so knows; a stolen key's cannot."""
    hold(deal)
    kid = deal.laboratory.key().kid.hex()
    with deal.session() as session:
        commands.revoke_key(session, deal.laboratory, kid, "leaver")
    (left,) = waits(deal, deal.laboratory, "second")
    with deal.session() as session:
        rotation.mark_compromised(session, deal.laboratory, kid, left.since_ms)
    (stolen,) = waits(deal, deal.laboratory, "second")

    assert (left.first_ended, left.refusal) == (True, None)
    assert stolen.refusal is not None
    assert stolen.refusal.reason is Reason.FIRST_KEY_COMPROMISED


def test_the_explorer_shows_a_hold_as_one(deal: Deal) -> None:
    """Not accepted, not rejected; the second signature is accepted."""
    held = hold(deal)
    with deal.session() as session:
        height = session.engine.head.height
        countersigning.give_second(session, deal.laboratory, held.statement, key_name="second")
    explorer = Explorer(deal.home)
    shown = []
    for one in (height, height + 1):
        store = deal.home.open_reader()
        block = store.block(one)
        store.close()
        assert block is not None
        page = explorer.block(one, block.first_leaf, bodies=True)
        assert page is not None
        statement = page.leaves[0].statement
        assert statement is not None
        shown.append(statement.messages[0])

    assert [(one.type, one.held, one.accepted) for one in shown] == [
        ("IssueAttestation", True, False),
        ("Countersign", False, True),
    ]
    assert shown[1].events == ("MessageCountersigned", "AttestationIssued")


def test_a_whole_statement_is_signed_or_withdrawn_at_once(deal: Deal) -> None:
    """Messages of one batch wait together, and are done together or not at all."""
    with deal.session() as session:
        prepared = [_declared(deal.laboratory, reference) for reference in ("D-1", "D-2")]
        with pytest.raises(KeptForSecond) as caught:
            commands.submit_batch(session, deal.laboratory, prepared)
        assert caught.value.indexes == (0, 1)
        with pytest.raises(Rejected, match="another key"):
            countersigning.give_second(session, deal.laboratory, caught.value.statement)
        done = countersigning.give_second(session, deal.laboratory, caught.value.statement, key_name="second")
        assert len(done.outcomes) == 2
        with pytest.raises(OperationalError, match="nothing of"):
            countersigning.withdraw_held(session, deal.laboratory, caught.value.statement)


def test_the_page_tells_a_client_that_it_waits() -> None:
    """A problem with a code of its own, not a fault of the server."""
    refusal = derive_refusal(KeptForSecond("ab" * 32, (0,)))

    assert refusal.problem is Problem.REJECTED
    assert refusal.parameters["code"] == "held"


def _declared(workspace: Workspace, reference: str) -> IssueAttestation:
    attestation = commands.Attestation(
        battery=BATTERY,
        reference=reference,
        evidence_class="declared",
        method=Method(name="declaration", version="1"),
        tested_from_ms=1_000,
        tested_until_ms=1_000,
        declarations=(commands.Declaration("state_of_health", {"quantity": "state_of_health", "value": 900}),),
    )
    return commands.commit_attestation(workspace, attestation)[0]
