"""Inviting a partner to record what is missing of a battery's life: who may, what is asked, and whether it was done.

That it was done is never told: it is read from the ledger, from the first record of that stage by that partner above
the height at which he was asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.custody import OPEN, OfferRecord, offer_key
from cellvow.core.contracts.organisation import is_member, organisation_key
from cellvow.core.contracts.register import CUSTODY, REGISTERS
from cellvow.core.contracts.whole import derive_registered
from cellvow.core.ledger.genesis import Genesis, Organisation, parse_organisation
from cellvow.core.ledger.key import ROOT, KeyRecord, parse_key_record
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import Malformed, OperationalError, fail
from cellvow.core.primitives.identifier import parse_battery_id
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.passport.coverage import STAGES, Stage
from cellvow.passport.recorded import Recorded
from cellvow.passport.view import OWNER, PUBLIC, Coverage, Passport
from cellvow.vault import GrantOrder, Invitation, InvitationOrder, InvitationRefused, Invited
from cellvow.workspace.clock import now_ms
from cellvow.workspace.granting import issue_grant
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace

INVITATION_PATH = "/invite/"
NOT_ASKED = ("materials", "birth")
"""Stages nobody is invited to record: no record of a lot exists yet, and what has no birth is not on the ledger."""
ASKED = tuple(stage.name for stage in STAGES if stage.name not in NOT_ASKED)
HELD_STAGES = ("cells", "use", "second_life")
"""Only who holds the unit can record these."""

Step = Literal["apply", "vote", "enrol", "take", "sign", "done"]
"""What comes next: his application, the members' vote, his key, taking the unit over, his record; or nothing."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whom to invite, for which stage of which battery, until when; `show` are scopes of a purchaser link, or none."""

    battery: str
    stage: str
    partner: str
    expires_ms: int
    show: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Answered:
    """The partner's record: where it stands."""

    organisation: str
    message: str
    statement: str
    index: int
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Standing:
    """An invitation as the ledger shows it now. `coverage` is the whole life's; `partner` is a member's entry, if any.

    `keys` are the partner's that were not revoked. `is_holder` says whether he has custody, `offer_version` names the
    open offer by which he may take it.
    """

    invitation: Invitation
    state: str
    next_step: Step
    coverage: Coverage
    partner: Organisation | None
    keys: tuple[KeyRecord, ...] = ()
    is_holder: bool = False
    offer_version: int | None = None
    answered: Answered | None = None

    @property
    def stage(self) -> Stage:
        """What is asked for."""
        return find_stage(self.invitation.stage)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page of an invitation is made of: no more of the battery than a stranger sees, and what is asked."""

    standing: Standing
    inviter: str
    inviter_name: str
    passport: Passport
    genesis: Genesis


def find_stage(name: str) -> Stage:
    """A stage that somebody can be invited to record; raises `Malformed`."""
    found = next((stage for stage in STAGES if stage.name == name and name in ASKED), None)
    if found is None:
        raise Malformed(f"{name[:40]!r} is no stage to invite to: one of {', '.join(ASKED)}")
    return found


def stands_in_register(store: LedgerStore, organisation: str, battery: str) -> bool:
    """Whether an organisation holds, owns or answers for a unit now; a part goes with its whole."""
    if store.get(battery_key(battery)) is None:
        return False
    return any(derive_registered(store.get, one, battery).organisation == organisation for one in REGISTERS)


class Inviting:
    """The invitations of one organisation, against the ledger as it is. Blocks; shared by threads."""

    def __init__(self, workspace: Workspace, reader: PassportReader, clock: Callable[[], int] = now_ms) -> None:
        """`reader` opens this workspace's own view; `clock` gives milliseconds since 1970."""
        self._workspace = workspace
        self._reader = reader
        self._clock = clock

    @property
    def home(self) -> NodeHome:
        """The node whose ledger is read."""
        return self._reader.home

    def make(self, wish: Wish) -> Invited:
        """Invite; raises `Rejected` for an unknown battery, `Malformed`, or `OperationalError` where one may not."""
        battery, stage = parse_battery_id(wish.battery), find_stage(wish.stage)
        store = self.home.open_reader()
        try:
            height = store.head().height
            if store.get(battery_key(battery)) is None:
                raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
            if not stands_in_register(store, self._workspace.organisation, battery):
                raise OperationalError(
                    f"{self._workspace.organisation} neither holds nor owns {battery} nor answers for it: "
                    "who does invites to complete its life"
                )
            member = read_member_entry(store, wish.partner)
        finally:
            store.close()
        coverage = self._coverage(battery)
        seen = next(one for one in coverage.stages if one.name == stage.name)
        if seen.state == "recorded":
            raise OperationalError(f"{stage.name} of {battery} is recorded already: nobody need be asked for it")
        partner, name = ("", wish.partner) if member is None else (member.organisation, member.name[:80])
        recorded, due = coverage.recorded, coverage.due
        order = InvitationOrder(battery, stage.name, partner, name, wish.expires_ms, height, recorded, due)
        moment_ms = self._clock()

        def give(token: str) -> str:
            granted = GrantOrder(battery, wish.show, wish.expires_ms, f"invitation: {name}"[:80])
            return issue_grant(self._workspace, self.home, granted, moment_ms, token).grant.grant_id

        return self._workspace.invitations.make(order, moment_ms, give if wish.show else None)

    def revoke(self, invitation_id: str) -> Invitation:
        """End an invitation, and what it showed; raises `UnknownInvitation`."""
        ended = self._workspace.invitations.revoke(invitation_id, self._clock())
        if ended.grant_id:
            self._workspace.grants.revoke(ended.grant_id, self._clock())
        return ended

    def standings(self, battery: str | None = None, limit: int = 50) -> list[Standing]:
        """How the newest invitations stand, of one battery or of all."""
        return [self.standing(one) for one in self._workspace.invitations.invitations(battery, limit)]

    def enter(self, token: str) -> Shown:
        """What the bearer of a link is shown; raises `InvitationRefused`, the same whatever the cause."""
        invitation = self._workspace.invitations.open_invitation(token, self._clock(), self._still_stands)
        viewed = self._reader.view(invitation.battery, PUBLIC)
        if viewed is None:
            raise InvitationRefused
        store = self.home.open_reader()
        try:
            inviter = read_member_entry(store, self._workspace.organisation)
            genesis = store.genesis()
        finally:
            store.close()
        name = self._workspace.organisation if inviter is None else inviter.name
        standing = self.standing(invitation)
        return Shown(standing, self._workspace.organisation, name, viewed.passport, genesis)

    def standing(self, invitation: Invitation) -> Standing:
        """How an invitation stands now."""
        answered = self._find_answer(invitation)
        state = invitation.state(self._clock())
        store = self.home.open_reader()
        try:
            partner = read_member_entry(store, invitation.partner)
            keys = () if partner is None else _keys_of(store, partner.organisation)
            is_holder = derive_registered(store.get, CUSTODY, invitation.battery).organisation == invitation.partner
            offer = _offer_to(store, invitation)
        finally:
            store.close()
        return Standing(
            invitation=invitation,
            state="done" if answered is not None else state,
            next_step=_next_step(invitation, partner, keys, is_holder=is_holder, is_done=answered is not None),
            coverage=self._coverage(invitation.battery),
            partner=partner,
            keys=keys,
            is_holder=is_holder,
            offer_version=offer,
            answered=answered,
        )

    def _coverage(self, battery: str) -> Coverage:
        passport = self._reader.passport(battery, OWNER)
        if passport is None or passport.coverage is None:
            fail(f"{battery} is on the ledger, and has no coverage")
        return passport.coverage

    def _find_answer(self, invitation: Invitation) -> Answered | None:
        messages = find_stage(invitation.stage).messages
        found = self._reader.recorded(invitation.battery) if invitation.partner else []
        return next((_answered(one) for one in found if _answers(one, invitation, messages)), None)

    def _still_stands(self, invitation: Invitation) -> bool:
        """Who invited may have handed the unit to whom he invited; to anybody else, and it is his no more to ask."""
        store = self.home.open_reader()
        try:
            asking = (self._workspace.organisation, invitation.partner)
            return any(stands_in_register(store, one, invitation.battery) for one in asking if one)
        finally:
            store.close()


def read_member_entry(store: LedgerStore, organisation: str) -> Organisation | None:
    """A member's entry, or None for whoever is none now."""
    if not organisation or not is_member(store.get, organisation):
        return None
    value = store.get(organisation_key(organisation))
    return None if value is None else parse_organisation(value)


def _keys_of(store: LedgerStore, organisation: str) -> tuple[KeyRecord, ...]:
    records = [parse_key_record(value) for _, value in store.records("key/")]
    return tuple(one for one in records if one.organisation == organisation and one.revoked_height is None)


def _offer_to(store: LedgerStore, invitation: Invitation) -> int | None:
    """The version of an open offer of the unit to the partner."""
    value = store.get(offer_key(invitation.battery))
    offer = None if value is None else decode_record(OfferRecord, value)
    is_his = offer is not None and offer.state == OPEN and offer.addressee == invitation.partner
    return offer.version if offer is not None and is_his else None


def _next_step(
    invitation: Invitation, partner: Organisation | None, keys: tuple[KeyRecord, ...], *, is_holder: bool, is_done: bool
) -> Step:
    if is_done:
        return "done"
    if partner is None:
        return "vote" if invitation.partner else "apply"
    if all(key.kind == ROOT for key in keys):
        return "enrol"
    return "take" if invitation.stage in HELD_STAGES and not is_holder else "sign"


def _answers(one: Recorded, invitation: Invitation, messages: tuple[str, ...]) -> bool:
    is_his = one.organisation == invitation.partner and type(one.message).__name__ in messages
    return is_his and one.height > invitation.height


def _answered(one: Recorded) -> Answered:
    message = type(one.message).__name__
    return Answered(one.organisation, message, one.statement, one.index, one.height, one.time_ms)
