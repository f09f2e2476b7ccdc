"""Who may invite for what, what the bearer is shown, and that only the ledger says whether it was done."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from cellvow.core.ledger.genesis import Organisation, encode_genesis, parse_genesis
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.passport.view import Audience
from cellvow.vault import InvitationRefused
from cellvow.workspace.accepting import Newcomer, NotConfirmed, confirm_genesis, enrol_over, open_or_make
from cellvow.workspace.granting import PurchaserLinks
from cellvow.workspace.invitation_document import (
    APPLICATION_BYTES_MAX,
    InvitationDocument,
    describe_invitation,
    encode_application,
    verify_application,
)
from cellvow.workspace.invitation_host import InvitationHost, parse_link
from cellvow.workspace.inviting import ASKED, Inviting, Wish
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.unit.cli.service_world import BATTERY, hand_over, make_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.engine import Receipted
    from tests.unit.cli.deciding_world import Deciding

DAY_MS = 86_400_000


@dataclass
class Party:
    """A member and its invitations."""

    world: Deciding
    workspace: Workspace
    inviting: Inviting

    def wish(self, stage: str = "service", partner: str = "workshop", show: tuple[str, ...] = ()) -> Wish:
        """For thirty days."""
        return Wish(BATTERY, stage, partner, self.world.now_ms + 30 * DAY_MS, frozenset(show))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A battery that its maker holds."""
    return make_service(tmp_path, monkeypatch)


@pytest.fixture
def maker(world: Deciding) -> Iterator[Party]:
    """The maker's own."""
    with closing(Workspace(world.folder / "maker")) as workspace:
        reader = PassportReader(workspace.home(), workspace)
        yield Party(world, workspace, Inviting(workspace, reader, lambda: world.now_ms))


def record_work(world: Deciding, reference: str, who: str = "workshop") -> None:
    """The stage that is asked for."""
    words = ("--kind", "maintenance", "--reference", reference, "--text", "Coolant changed")
    world.do("service", "work", BATTERY, *words, who=who)


def asked_of(maker: Party, token: str) -> InvitationDocument:
    """What the bearer's program reads."""
    return describe_invitation(maker.inviting.enter(token))


@pytest.mark.slow
def test_that_it_is_done_is_read_from_the_ledger(world: Deciding, maker: Party) -> None:
    """The partner's record answers it, with its statement; the coverage before and after stand side by side."""
    invited = maker.inviting.make(maker.wish())
    before = maker.inviting.standing(invited.invitation)
    record_work(world, "W-1")
    after = maker.inviting.standing(invited.invitation)

    assert ("in_force", "sign", None) == (before.state, before.next_step, before.answered)
    assert ("done", "done", "RecordWork") == (after.state, after.next_step, after.answered and after.answered.message)
    assert after.invitation.recorded + 1 == after.coverage.recorded


@pytest.mark.slow
def test_neither_another_members_record_nor_an_older_one_answers_it(world: Deciding, maker: Party) -> None:
    """Both orders: what stood before he was asked, and what somebody else signs afterwards."""
    record_work(world, "W-0", who="maker")
    with pytest.raises(OperationalError, match="recorded already"):
        maker.inviting.make(maker.wish())
    invited = maker.inviting.make(maker.wish("test", "lab"))
    declared = ("--declare", "state_of_health=960", "--reference", "D-1")
    world.do("attest", BATTERY, *declared, who="maker")
    standing = maker.inviting.standing(invited.invitation)

    assert ("in_force", None) == (standing.state, standing.answered)
    assert standing.invitation.recorded < standing.coverage.recorded


def test_the_bearer_sees_what_a_stranger_sees_unless_the_inviter_says_more(world: Deciding, maker: Party) -> None:
    """Without `show` no purchaser link opens by the token; with it one does, and ends with the invitation."""
    plain, more = (maker.inviting.make(maker.wish(show=show)) for show in ((), ("health",)))
    links = PurchaserLinks(maker.workspace.home(), maker.workspace, lambda: world.now_ms)
    shown = maker.inviting.enter(plain.token)
    opened = links.enter(more.token)
    maker.inviting.revoke(more.invitation.invitation_id)

    assert Audience.PUBLIC is shown.passport.audience
    assert links.enter(plain.token) is None
    assert opened is not None
    assert links.enter(more.token) is None


@pytest.mark.slow
def test_only_who_stands_in_a_register_invites(world: Deciding, maker: Party) -> None:
    """And only an owner lets the link show more."""
    hand_over(world, "maker", "second")
    with closing(Workspace(world.folder / "lab")) as stranger, closing(Workspace(world.folder / "second")) as holder:
        outside, inside = (
            Inviting(one, PassportReader(one.home(), one), lambda: world.now_ms) for one in (stranger, holder)
        )
        with pytest.raises(OperationalError, match="neither holds nor owns"):
            outside.make(maker.wish())
        with pytest.raises(OperationalError, match="only the owner gives links"):
            inside.make(maker.wish(show=("health",)))

        assert "in_force" == inside.standing(inside.make(maker.wish()).invitation).state


@pytest.mark.slow
def test_who_parts_with_the_unit_asks_for_it_no_more_but_of_whom_he_gave_it_to(world: Deciding, maker: Party) -> None:
    """The link to the new holder goes on; a link to anybody else is refused."""
    to_workshop, to_second = (maker.inviting.make(maker.wish("use", one)) for one in ("workshop", "second"))
    world.do("handover", "offer", BATTERY, "--to", "second", who="maker")
    assert asked_of(maker, to_second.token).offer_version is not None
    world.do("handover", "accept", BATTERY, who="second")

    assert ("sign", None) == (
        asked_of(maker, to_second.token).next_step,
        asked_of(maker, to_second.token).offer_version,
    )
    with pytest.raises(InvitationRefused):
        maker.inviting.enter(to_workshop.token)


@pytest.mark.slow
def test_what_only_the_holder_can_record_waits_until_the_partner_holds_it(world: Deciding, maker: Party) -> None:
    """Then he can sign."""
    invited = maker.inviting.make(maker.wish("use", "second"))
    before = maker.inviting.standing(invited.invitation)
    hand_over(world, "maker", "second")

    assert ("take", "sign") == (before.next_step, maker.inviting.standing(invited.invitation).next_step)


@pytest.mark.parametrize("stage", ["materials", "birth", "everything", ""])
def test_nobody_is_invited_to_what_cannot_be_recorded(maker: Party, stage: str) -> None:
    """The stages there are, are named."""
    with pytest.raises(Malformed, match=ASKED[0]):
        maker.inviting.make(maker.wish(stage))


def test_an_unknown_battery_is_refused(maker: Party) -> None:
    """By the ledger's own reason."""
    wish = maker.wish()
    with pytest.raises(Rejected):
        maker.inviting.make(Wish(f"{BATTERY}X", wish.stage, wish.partner, wish.expires_ms))


# The application


@pytest.fixture
def newcomer(world: Deciding) -> Iterator[Workspace]:
    """Somebody with keys, and no member."""
    folder = world.folder / "garage"
    with closing(Workspace.create(folder, "garage", "Garage Nord", ("workshop",))) as workspace:
        yield workspace


def spoilt(application: bytes, **changed: object) -> bytes:
    """With other values."""
    return encode_document({**parse_object(application), **changed})  # type: ignore[dict-item]  # JSON, as the tests write it


def test_an_application_names_who_applies_and_shows_that_he_has_the_key(maker: Party, newcomer: Workspace) -> None:
    """What it says comes back."""
    asked = asked_of(maker, maker.inviting.make(maker.wish(partner="Garage Nord")).token)
    number, member = verify_application(encode_application(newcomer, asked), asked.genesis)

    assert asked.invitation == number
    assert Organisation("garage", "Garage Nord", ("workshop",), newcomer.member().root_keys) == member


def test_threat_somebody_applies_with_a_key_he_does_not_have(maker: Party, newcomer: Workspace) -> None:
    """Or sends one application in answer to another invitation, for another ledger, or under another name."""
    asked = asked_of(maker, maker.inviting.make(maker.wish(partner="Garage Nord")).token)
    application = encode_application(newcomer, asked)
    member = parse_object(application)["member"]
    assert isinstance(member, dict)
    stolen = maker.workspace.member().root_keys[0]
    for data, genesis, error in (
        (spoilt(application, invitation="0" * 12), asked.genesis, VerificationError),
        (spoilt(application, member={**member, "root_keys": [stolen]}), asked.genesis, VerificationError),
        (spoilt(application, member={**member, "name": "Somebody"}), asked.genesis, VerificationError),
        (spoilt(application, member={**member, "root_keys": [stolen, stolen]}), asked.genesis, CellvowError),
        (spoilt(application, possession="zz"), asked.genesis, Malformed),
        (spoilt(application, more=1), asked.genesis, Malformed),
        (application, "0" * 64, VerificationError),
        (b" " * (APPLICATION_BYTES_MAX + 1), asked.genesis, Malformed),
    ):
        with pytest.raises(error):
            verify_application(data, genesis)


# The ledger the partner means


def test_threat_a_link_leads_to_another_ledger(world: Deciding, maker: Party) -> None:
    """Nothing happens before its genesis is confirmed, and nothing where it is not the one that was."""
    asked = asked_of(maker, maker.inviting.make(maker.wish(partner="Garage Nord")).token)
    folder = world.folder / "fresh"
    with pytest.raises(NotConfirmed, match=asked.genesis):
        confirm_genesis(folder, asked, None)
    with pytest.raises(VerificationError, match="not to the one you confirmed"):
        confirm_genesis(folder, asked, "0" * 64)
    with pytest.raises(Malformed):
        confirm_genesis(folder, asked, "yes")
    confirm_genesis(folder, asked, asked.genesis)

    assert not folder.exists()


def test_who_has_joined_the_ledger_need_not_confirm_it_again(world: Deciding, maker: Party) -> None:
    """His own node knows its genesis; a link to another ledger is refused."""
    asked = asked_of(maker, maker.inviting.make(maker.wish()).token)
    genesis = parse_genesis(bytes(asked.genesis_document))
    other = replace(genesis, chain_id="other.example")
    lie = msgspec.structs.replace(
        asked,
        chain_id=other.chain_id,
        genesis=other.digest.hex(),
        genesis_document=msgspec.Raw(encode_genesis(other)),
    )
    confirm_genesis(world.folder / "workshop", asked, None)
    with pytest.raises(VerificationError, match="not to the one you confirmed"):
        confirm_genesis(world.folder / "workshop", lie, None)


def test_threat_the_host_names_a_chain_that_is_not_the_one_of_the_genesis(world: Deciding, maker: Party) -> None:
    """What is signed for it could be used on another ledger, where the same key is known."""
    asked = asked_of(maker, maker.inviting.make(maker.wish(partner="Garage Nord")).token)
    other = msgspec.Raw(bytes(asked.genesis_document).replace(b'"chain_id":"service', b'"chain_id":"servile'))
    for lie in (
        msgspec.structs.replace(asked, chain_id="other.example"),
        msgspec.structs.replace(asked, genesis_document=other),
        msgspec.structs.replace(asked, chain_id="servile.example", genesis_document=other),
    ):
        with pytest.raises(VerificationError, match="genesis of another"):
            confirm_genesis(world.folder / "fresh", lie, asked.genesis)


class DirectHost(InvitationHost):
    """A site without a wire: what is sent is committed at once, unless it takes nothing."""

    def __init__(self, maker: Party) -> None:
        super().__init__(parse_link(f"http://127.0.0.1/invite/{'t' * 43}"))
        self._maker = maker
        self.takes = True
        self.sent: list[bytes] = []

    def submit(self, statement: bytes) -> Receipted:
        """Commit."""
        if not self.takes:
            raise OperationalError("closed")
        self.sent.append(statement)
        self._maker.world.now_ms += 1_000
        with self._maker.workspace.home().open_session(lambda: self._maker.world.now_ms) as session:
            return session.submit(statement).result(30)


@pytest.mark.slow
def test_a_key_whose_registration_was_not_taken_is_registered_once_with_the_next_try(
    world: Deciding, maker: Party, newcomer: Workspace
) -> None:
    """As it was signed; and only under the root key that the members admitted."""
    invited, host = maker.inviting.make(maker.wish(partner="Garage Nord")), DirectHost(maker)
    application = world.folder / "application.json"
    asked = asked_of(maker, invited.token)
    newcomer.expect(asked.chain_id)
    application.write_bytes(encode_application(newcomer, asked))
    proposal = world.do("invite", "admit", str(application), who="maker")["proposal"]
    for member in ("maker", "lab", "second"):
        world.do("vote", "cast", proposal, "--approve", who=member)
    world.do("invite", "admit", str(application), who="maker")
    asked, host.takes = asked_of(maker, invited.token), False
    with pytest.raises(OperationalError, match="closed"):
        enrol_over(host, newcomer, asked)
    host.takes = True
    registered = enrol_over(host, newcomer, asked)
    after = asked_of(maker, invited.token)
    impostor = Workspace.create(world.folder / "impostor", "garage", "Garage", ("workshop",))
    with closing(impostor), pytest.raises(VerificationError, match="another root key"):
        enrol_over(host, impostor, after)

    assert ("enrol", "sign") == (asked.next_step, after.next_step)
    assert registered
    assert 1 == len(host.sent)
    assert not enrol_over(host, newcomer, after)


def test_nobody_makes_new_keys_for_an_application_that_was_sent(world: Deciding, maker: Party) -> None:
    """Who applied has them: a second workspace under the same name would wait for nothing."""
    invited = maker.inviting.make(maker.wish(partner="Garage Nord"))
    maker.workspace.invitations.name_partner(invited.invitation.invitation_id, "garage")
    asked, again = asked_of(maker, invited.token), world.folder / "again"
    with pytest.raises(OperationalError, match="is for garage"):
        open_or_make(again, asked, Newcomer("garage", "Garage Nord", ("workshop",)))

    assert "vote" == asked.next_step
    assert not again.exists()


def test_an_invitation_of_one_member_is_not_taken_by_another(world: Deciding, maker: Party) -> None:
    """Neither by a workspace of somebody else, nor by a new one."""
    asked = asked_of(maker, maker.inviting.make(maker.wish()).token)
    for folder in (world.folder / "lab", world.folder / "fresh"):
        with pytest.raises(OperationalError, match="is for workshop"):
            open_or_make(folder, asked, None)
