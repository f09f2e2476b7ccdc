"""Recovery of lost keys from the side of people: the request, the guardians' part, the veto - and how it all stands."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.organisation import possession_bytes
from cellvow.core.contracts.recovery import (
    ATTEMPT_MS,
    OPEN,
    PENDING,
    AppointGuardians,
    Appointment,
    ApproveRecovery,
    CompleteRecovery,
    GuardiansRecord,
    OpenRecovery,
    RecoveryRecord,
    VetoRecovery,
    derive_appointment,
    derive_recovery_state,
    guardians_key,
    recovery_key,
)
from cellvow.core.ledger.key import ROOT, KeyRecord, may_sign, parse_key_record
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.workspace.commands import submit_message
from cellvow.workspace.rotation import find_key
from cellvow.workspace.workspace import Workspace

_REQUEST_FIELDS = ("chain_id", "organisation", "possession", "public_key")
REQUEST_BYTES_MAX = 4_096
_STEPS = {"approve": ApproveRecovery, "veto": VetoRecovery, "complete": CompleteRecovery}


@dataclass(frozen=True, slots=True)
class RecoveryRequest:
    """What somebody who lost his keys hands to a guardian: his new root key, with its own signature; no secret."""

    chain_id: str
    organisation: str
    public_key: str
    possession: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryView:
    """The latest recovery of an organisation; `ends_ms` is when it lapses unless the next step comes before."""

    organisation: str
    attempt: int
    state: str
    approvals: tuple[str, ...]
    guardians: tuple[str, ...]
    threshold: int
    opened_ms: int
    unlocks_ms: int | None
    ends_ms: int
    public_keys: tuple[str, ...]

    @property
    def is_under_way(self) -> bool:
        """Whether it still can end in new keys."""
        return self.state in (OPEN, PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCare:
    """How an organisation's keys are cared for: `following` is an appointment that does not hold yet."""

    organisation: str
    root_keys: tuple[KeyRecord, ...]
    working_keys: tuple[KeyRecord, ...]
    device_keys: tuple[KeyRecord, ...]
    appointment: Appointment | None
    following: Appointment | None
    recovery: RecoveryView | None
    chain_id: str
    ruleset: int


# What a member does


def appoint_guardians(
    session: LedgerSession, workspace: Workspace, guardians: Sequence[str], threshold: int, delay_ms: int
) -> Receipted:
    """Name who may together replace the organisation's lost keys, and how long everybody can see it coming."""
    message = AppointGuardians(
        organisation=workspace.organisation, guardians=tuple(guardians), threshold=threshold, delay_ms=delay_ms
    )
    return submit_message(session, workspace, message, workspace.root_key)


def make_request(workspace: Workspace, chain_id: str) -> bytes:
    """The request of a workspace made anew: its root key, and that it holds it."""
    key = workspace.key(workspace.root_key)
    public_key = key.public_key.hex()
    possession = key.sign(possession_bytes(chain_id, workspace.organisation, public_key)).hex()
    document = {"chain_id": chain_id, "organisation": workspace.organisation, "public_key": public_key}
    return encode_document({**document, "possession": possession}) + b"\n"


def parse_request(data: bytes) -> RecoveryRequest:
    """The request of a file's bytes; raises `Malformed`."""
    document = parse_object(data.strip(), bytes_max=REQUEST_BYTES_MAX)
    texts = {name: str(value) for name, value in document.items() if isinstance(value, str)}
    if tuple(sorted(document)) != _REQUEST_FIELDS or len(texts) != len(_REQUEST_FIELDS):
        raise Malformed("this is no request for a recovery: `cellvow key recover request` writes one")
    return RecoveryRequest(**texts)


def open_recovery(session: LedgerSession, workspace: Workspace, request: RecoveryRequest) -> Receipted:
    """Open the recovery of an organisation as one of its guardians; that counts as approval."""
    if request.chain_id != session.engine.head.chain_id:
        raise OperationalError(
            f"the request is for the ledger {request.chain_id}, and this one is {session.engine.head.chain_id}: "
            "ask for a request that names this ledger"
        )
    message = OpenRecovery(
        organisation=request.organisation, public_keys=(request.public_key,), possessions=(request.possession,)
    )
    return submit_message(session, workspace, message, _key_for(session, workspace, "OpenRecovery"))


def take_step(session: LedgerSession, workspace: Workspace, organisation: str, step: str) -> Receipted:
    """`approve`, `veto` or `complete` the latest recovery of an organisation."""
    value = session.engine.state.get(recovery_key(organisation))
    if value is None:
        raise OperationalError(f"no recovery of {organisation} was ever opened")
    attempt, kind = decode_record(RecoveryRecord, value).attempt, _STEPS[step]
    message = kind(organisation=organisation, attempt=attempt)
    return submit_message(session, workspace, message, _key_for(session, workspace, kind.__name__))


def _key_for(session: LedgerSession, workspace: Workspace, message: str) -> str | None:
    """The key to sign with: the working one, or the root key where only that one may."""
    working = find_key(session, workspace.key().kid)
    may_work = working is not None and working.revoked_height is None and may_sign(working, message)
    if may_work or workspace.root_key not in workspace.keystore.names():
        return None
    root = find_key(session, workspace.key(workspace.root_key).kid)
    return workspace.root_key if root is not None and may_sign(root, message) else None


# How it stands


def read_recoveries(store: LedgerStore, now_ms: int) -> list[RecoveryView]:
    """The recoveries under way, the one that ends first in front."""
    records = (decode_record(RecoveryRecord, value) for _, value in store.records("recovery/"))
    views = [_view(record, now_ms) for record in records]
    return sorted((one for one in views if one.is_under_way), key=lambda one: one.ends_ms)


def read_key_care(store: LedgerStore, organisation: str, now_ms: int) -> KeyCare:
    """How the keys of an organisation stand: those in force, its guardians, a recovery of its keys."""
    head = store.head()
    parsed = [parse_key_record(value) for _, value in store.records("key/")]
    keys = [one for one in parsed if one.organisation == organisation and one.revoked_height is None]
    appointed, recovering = store.get(guardians_key(organisation)), store.get(recovery_key(organisation))
    guardians = None if appointed is None else decode_record(GuardiansRecord, appointed)
    time_ms = max(now_ms, head.time_ms)
    current = None if guardians is None else derive_appointment(guardians, time_ms)
    following = None if guardians is None or guardians.following == current else guardians.following
    return KeyCare(
        organisation=organisation,
        root_keys=tuple(one for one in keys if one.kind == ROOT),
        working_keys=tuple(one for one in keys if one.kind == "operational"),
        device_keys=tuple(one for one in keys if one.kind == "device"),
        appointment=current,
        following=following,
        recovery=None if recovering is None else _view(decode_record(RecoveryRecord, recovering), now_ms),
        chain_id=head.chain_id,
        ruleset=head.ruleset,
    )


def list_wards(store: LedgerStore, organisation: str) -> list[str]:
    """The organisations whose guardian this one is."""
    records = (decode_record(GuardiansRecord, value) for _, value in store.records("guardians/"))
    return [one.organisation for one in records if organisation in one.current.guardians]


def _view(record: RecoveryRecord, now_ms: int) -> RecoveryView:
    since_ms = record.opened_ms if record.unlocks_ms is None else record.unlocks_ms
    return RecoveryView(
        organisation=record.organisation,
        attempt=record.attempt,
        state=derive_recovery_state(record, now_ms),
        approvals=record.approvals,
        guardians=record.appointment.guardians,
        threshold=record.appointment.threshold,
        opened_ms=record.opened_ms,
        unlocks_ms=record.unlocks_ms,
        ends_ms=since_ms + ATTEMPT_MS,
        public_keys=record.public_keys,
    )
