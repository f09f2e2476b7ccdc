"""An invitation as programs read it, and the application by which somebody who is no member yet answers it.

`GET /invite/TOKEN` with `Accept: application/json` gives the first. The second is a file that travels back by whatever
way the two trust; it holds no secret, and shows that its sender has the root key it names.
"""

from typing import Literal

import msgspec

from cellvow.core.ledger.genesis import Organisation, encode_genesis, encode_organisation, parse_organisation
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.workspace.inviting import Shown, Step
from cellvow.workspace.workspace import Workspace

FORMAT: Literal["cellvow-record-invitation/1"] = "cellvow-record-invitation/1"
APPLICATION_FORMAT = "cellvow-application/1"
APPLICATION_BYTES_MAX = 16_384
"""Of an application, which has one member's entry: names, roles, keys."""


class InvitingParty(msgspec.Struct, frozen=True, kw_only=True):
    """Who invites."""

    organisation: str
    name: str


class InvitedParty(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it is for: an identifier once he has one, his root keys and the identifiers of all his keys as registered.

    A working key is one that is not a root key.
    """

    organisation: str
    name: str
    root_keys: list[str]
    kids: list[str]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the stages that are due are recorded."""

    recorded: int
    due: int


class AnswerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The record that answered the invitation."""

    message: str
    statement: str
    index: int
    height: int
    time_ms: int


class InvitationDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of whom, on which ledger, and what comes next.

    `genesis` is the digest of `genesis_document`, from which a program learns for which chain it would sign.
    """

    format: Literal["cellvow-record-invitation/1"]
    invitation: str
    inviter: InvitingParty
    partner: InvitedParty
    battery: str
    stage: str
    messages: list[str]
    roles: list[str]
    chain_id: str
    genesis: str
    genesis_document: msgspec.Raw
    expires_ms: int
    next_step: Step
    offer_version: int | None
    before: Share
    now: Share
    answered: AnswerPlace | None


class _Application(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: Literal["cellvow-application/1"]
    invitation: str
    chain_id: str
    genesis: str
    member: msgspec.Raw
    possession: str


def describe_invitation(shown: Shown) -> InvitationDocument:
    """The document of what the bearer of a link is shown."""
    standing, invitation = shown.standing, shown.standing.invitation
    partner = standing.partner
    answered = standing.answered
    return InvitationDocument(
        format=FORMAT,
        invitation=invitation.invitation_id,
        inviter=InvitingParty(organisation=shown.inviter, name=shown.inviter_name),
        partner=InvitedParty(
            organisation=invitation.partner,
            name=invitation.name,
            root_keys=[] if partner is None else list(partner.root_keys),
            kids=[key.kid for key in standing.keys],
        ),
        battery=invitation.battery,
        stage=invitation.stage,
        messages=list(standing.stage.messages),
        roles=list(standing.stage.suppliers),
        chain_id=shown.genesis.chain_id,
        genesis=shown.genesis.digest.hex(),
        genesis_document=msgspec.Raw(encode_genesis(shown.genesis)),
        expires_ms=invitation.expires_ms,
        next_step=standing.next_step,
        offer_version=standing.offer_version,
        before=Share(recorded=invitation.recorded, due=invitation.due),
        now=Share(recorded=standing.coverage.recorded, due=standing.coverage.due),
        answered=None
        if answered is None
        else AnswerPlace(
            message=answered.message,
            statement=answered.statement,
            index=answered.index,
            height=answered.height,
            time_ms=answered.time_ms,
        ),
    )


def encode_application(workspace: Workspace, asked: InvitationDocument) -> bytes:
    """The application of a workspace's organisation in answer to an invitation, signed by its root key."""
    member = encode_organisation(workspace.member())
    signature = workspace.key(workspace.root_key).sign(_signed_bytes(asked.genesis, asked.invitation, member))
    return encode_document(
        {
            "format": APPLICATION_FORMAT,
            "invitation": asked.invitation,
            "chain_id": asked.chain_id,
            "genesis": asked.genesis,
            "member": parse_object(member),
            "possession": signature.hex(),
        }
    )


def verify_application(data: bytes, genesis: str) -> tuple[str, Organisation]:
    """The invitation it answers, and who applies; the root key it names has signed it for this ledger.

    Raises `Malformed` for anything else than an application, `VerificationError` where it does not hold.
    """
    if len(data) > APPLICATION_BYTES_MAX:
        raise Malformed(f"an application has at most {APPLICATION_BYTES_MAX} bytes")
    parse_object(data)
    try:
        read = msgspec.json.decode(data, type=_Application)
        signature = bytes.fromhex(read.possession)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Malformed(f"this is no application of an invited partner: {error}") from error
    member = parse_organisation(bytes(read.member))
    if len(member.root_keys) != 1 or member.accreditations:
        raise Malformed("an application names one root key, and no accreditation: members vote on those by themselves")
    if read.genesis != genesis:
        raise VerificationError("this application is for another ledger: its genesis is not this one's")
    signed = _signed_bytes(read.genesis, read.invitation, bytes(read.member))
    if not is_valid(bytes.fromhex(member.root_keys[0]), signed, signature):
        raise VerificationError("the root key in this application has not signed it: whoever sent it may not have it")
    return read.invitation, member


def _signed_bytes(genesis: str, invitation: str, member: bytes) -> bytes:
    """Begins unlike everything else that a key signs."""
    return b"cellvow/application/v1\n" + f"{genesis}\n{invitation}\n".encode() + member
