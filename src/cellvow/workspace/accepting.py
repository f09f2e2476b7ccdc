"""Accepting an invitation on the partner's own machine: his keys, his application, his first signed record.

Which ledger it is he decides himself: the digest of its genesis, learned by another way than the link, is kept with
the workspace the first time, and every later answer of the host must name the same.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import AcceptHandover
from cellvow.core.ledger.genesis import parse_genesis
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.node.engine import Receipted
from cellvow.node.home import NodeHome
from cellvow.workspace import service
from cellvow.workspace.commands import make_enrolment, require_accepted
from cellvow.workspace.invitation_document import InvitationDocument, encode_application
from cellvow.workspace.invitation_host import InvitationHost, NotTaken
from cellvow.workspace.sending import list_waiting, sign_offline
from cellvow.workspace.settings import SETTINGS_FILE, read_settings
from cellvow.workspace.workspace import Workspace

GENESIS_FILE = "genesis.digest"
"""In the workspace: the digest of the genesis that its owner confirmed, in hexadecimal."""
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class NotConfirmed(OperationalError):
    """The partner has not said yet that the ledger is the one he means."""


class WordsMissing(OperationalError):
    """The record needs something that only the partner can say."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Under what name somebody without a workspace wants to become a member."""

    organisation: str
    name: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecordWords:
    """What only the partner can say of his record; which of it is needed depends on the stage."""

    day: str
    into: str | None = None
    place: str | None = None
    reference: str | None = None
    kind: str | None = None
    text: str | None = None


def confirm_genesis(folder: Path, asked: InvitationDocument, confirmed: str | None) -> None:
    """Require that the ledger is the one the partner means; raises `NotConfirmed`, or `VerificationError` if not."""
    path = folder / GENESIS_FILE
    kept = path.read_text(encoding="ascii").strip() if path.is_file() else _joined_genesis(folder)
    if _DIGEST.match(asked.genesis) is None or (confirmed is not None and _DIGEST.match(confirmed) is None):
        raise Malformed("the digest of a genesis is 64 digits and letters from a to f")
    if kept is None and confirmed is None:
        raise NotConfirmed(
            f"the link names the ledger {asked.chain_id} with genesis {asked.genesis}: ask {asked.inviter.name} by "
            f"another way than the link whether that is right, then add --genesis {asked.genesis}"
        )
    genesis = parse_genesis(bytes(asked.genesis_document))
    if genesis.digest.hex() != asked.genesis or genesis.chain_id != asked.chain_id:
        raise VerificationError("the host names a ledger and gives the genesis of another: nothing was signed or sent")
    for known in (kept, confirmed):
        if known not in (None, asked.genesis):
            raise VerificationError(
                f"the link leads to a ledger with genesis {asked.genesis}, and not to the one you confirmed, {known}: "
                "nothing was signed or sent"
            )


def _joined_genesis(folder: Path) -> str | None:
    """The digest of the genesis of the node that a workspace has joined, if it is in reach."""
    ledger = read_settings(folder).ledger if (folder / SETTINGS_FILE).is_file() else None
    return None if ledger is None or not ledger.is_dir() else NodeHome(ledger).trust.genesis.hex()


def open_or_make(folder: Path, asked: InvitationDocument, newcomer: Newcomer | None) -> Workspace:
    """The partner's workspace, made with new keys where there is none; it signs for the invitation's ledger."""
    if (folder / SETTINGS_FILE).is_file():
        workspace = Workspace(folder)
    elif asked.partner.organisation:  # whoever applied has the keys: new ones would open nothing
        raise OperationalError(
            f"this invitation is for {asked.partner.organisation}: name its workspace with --workspace"
        )
    elif newcomer is None:
        raise OperationalError(
            f"{folder} is no workspace yet: name yourself with --organisation ID --role ROLE, and new keys are made. "
            f"This record is usually signed by: {', '.join(asked.roles)}"
        )
    else:
        workspace = Workspace.create(folder, newcomer.organisation, newcomer.name, newcomer.roles)
    try:
        if asked.partner.organisation not in ("", workspace.organisation):
            raise OperationalError(
                f"this invitation is for {asked.partner.organisation}, and {folder} is of {workspace.organisation}"
            )
        workspace.expect(asked.chain_id)
        (folder / GENESIS_FILE).write_text(f"{asked.genesis}\n", encoding="ascii")
    except BaseException:
        workspace.close()
        raise
    return workspace


def write_application(workspace: Workspace, asked: InvitationDocument, path: Path) -> None:
    """The file that goes back to whoever invited; an earlier one of ours is replaced."""
    path.write_bytes(encode_application(workspace, asked))


def enrol_over(host: InvitationHost, workspace: Workspace, asked: InvitationDocument) -> bool:
    """Register the working key where it is not yet, once the ledger holds our root key; whether it was registered now.

    Raises `VerificationError` where another root key stands under our name.
    """
    root, working = workspace.key(workspace.root_key), workspace.key()
    if root.kid.hex() not in asked.partner.kids:
        raise VerificationError(
            f"{asked.partner.organisation} on this ledger has another root key than this workspace: "
            "somebody else was admitted under that name"
        )
    if working.kid.hex() in asked.partner.kids:
        return False
    if any("RegisterKey" in one.messages for one in list_waiting(workspace)):
        return bool(send_over(host, workspace))  # signed before, when the host took nothing
    message = make_enrolment(workspace, workspace.chain_id)
    workspace.sign(workspace.chain_id, message, None, workspace.root_key)
    return bool(send_over(host, workspace))


def describe_record(asked: InvitationDocument, words: RecordWords) -> list[tuple[str, str]]:
    """What the record would say, as (name, value); raises `WordsMissing` naming what the partner must add."""
    if asked.stage == "use":
        into = _one_of(words.into, ("vehicle", "storage_system"), "--into")
        place = _need(words.place, "--place with the vehicle's number or the site; it stays in your vault")
        return [("into", into), ("place", place), ("installed on", words.day)]
    if asked.stage == "service":
        kind = _one_of(words.kind, ("maintenance", "repair", "inspection", "calibration"), "--kind")
        reference = _need(words.reference, "--reference with your own number for the work")
        text = _need(words.text, "--text with the report; it stays in your vault")
        return [("kind", kind), ("reference", reference), ("report", text), ("done on", words.day)]
    if asked.stage == "handover":
        return [("offer", f"version {take_over(asked).version}")]
    raise OperationalError(
        f"a record of the stage {asked.stage} is not made by this command: the page behind the link shows which does, "
        f"once this workspace has joined the ledger (it signs {' or '.join(asked.messages)})"
    )


def prepare_record(workspace: Workspace, asked: InvitationDocument, words: RecordWords) -> Message:
    """The record that answers the invitation, unsigned; raises as `describe_record` does."""
    describe_record(asked, words)
    if asked.stage == "use":
        return service.make_installation(workspace, asked.battery, words.into or "", words.place or "", words.day)
    if asked.stage == "service":
        work = service.Work(asked.battery, words.reference or "", words.kind or "", words.day)
        return service.make_work(work, service.commit_text(workspace, words.text or ""))
    return take_over(asked)


def sign_record(host: InvitationHost, workspace: Workspace, message: Message) -> Receipted:
    """Sign the record and send it; raises the ledger's `Rejected`. What cannot be sent waits in the workspace."""
    signed = sign_offline(workspace, message)
    sent = send_over(host, workspace)
    return sent[(signed.kid, signed.sequence)]


def send_over(host: InvitationHost, workspace: Workspace) -> dict[tuple[bytes, int], Receipted]:
    """Send what waits, each as it was signed, so that none takes effect twice; raises the first refusal."""
    sent: dict[tuple[bytes, int], Receipted] = {}
    for waiting in list_waiting(workspace):
        place = (waiting.kid, waiting.sequence)
        try:
            sent[place] = host.submit(waiting.statement.data)
        except NotTaken:
            workspace.sequences.resolve(*place)
            raise
        workspace.sequences.resolve(*place)
        require_accepted(sent[place])
    return sent


def take_over(asked: InvitationDocument) -> AcceptHandover:
    """The answer to the open offer of the unit; raises `OperationalError` where nothing is offered."""
    if asked.offer_version is None:
        raise OperationalError(
            f"{asked.battery} is not offered to you yet: ask {asked.inviter.name} to run "
            f"`cellvow handover offer {asked.battery} --to {asked.partner.organisation}`"
        )
    return AcceptHandover(battery=asked.battery, version=asked.offer_version)


def _need(value: str | None, what: str) -> str:
    if not value:
        raise WordsMissing(f"to prepare the record add {what}")
    return value


def _one_of(value: str | None, words: tuple[str, ...], option: str) -> str:
    if value not in words:
        raise WordsMissing(f"to prepare the record add {option} with one of {', '.join(words)}")
    return value
