"""Disputes and take-overs as one organisation sees them at its desk: the file, whose turn it is, and what it may do."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.dispute import AGREED_MS, AUTHORITY
from cellvow.core.contracts.organisation import find_organisation
from cellvow.core.contracts.register import REGISTERS, RESPONSIBILITY, RegisterRecord, register_key
from cellvow.core.contracts.takeover import COMPLETION_MS, OPEN, OPERATORS
from cellvow.core.contracts.whole import derive_root
from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import ORGANISATION_PATTERN, REFERENCE_PATTERN
from cellvow.node.durability import translated, write_whole
from cellvow.node.store import LedgerStore
from cellvow.passport.disputes import DisputeView, TakeoverView, derive_dispute, derive_disputes, derive_takeover
from cellvow.vault import RecordErased, UnknownRecord
from cellvow.workspace.desk_acts import find_names
from cellvow.workspace.disputes import (
    Opened,
    commitments_of,
    encode_disclosures,
    encode_statements,
    open_file,
    open_own,
    parse_statements,
)
from cellvow.workspace.holdings_index import HoldingsIndex
from cellvow.workspace.holdings_pages import PartySeen
from cellvow.workspace.workspace import Workspace

PAGE_DISPUTES = 30
MINE, ANYBODY = "mine", "authority"
SIDES = (MINE, ANYBODY)
"""Which disputes are listed: those with a part in them, or those of anybody that an authority may have to decide."""
PARTIES = ("opener", "respondent")


@dataclass(frozen=True, slots=True)
class DisputesPage:
    """A page of disputes; `after` is where the next one begins, None at the end."""

    disputes: tuple[PartySeen, ...]
    after: str | None
    side: str
    is_authority: bool
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """Who stands in a register, since when (ms), by which version of it."""

    register: str
    organisation: str
    since_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeAtDesk:
    """A dispute whole: what of it this organisation can open, which documents it holds, and what it may do now.

    `part` is opener, respondent, arbiter, authority or empty; `bears_on` are the registers it is about. While both
    sides' arbiter has the case to himself, `agreed_until_ms` is when an authority may step in. `has_own`: this
    organisation has stated something that it can hand over.
    """

    view: DisputeView
    opened: Opened
    held: tuple[str, ...]
    part: str
    may: tuple[str, ...]
    bears_on: tuple[str, ...]
    registers: tuple[Standing, ...]
    agreed_until_ms: int
    has_own: bool
    names: Mapping[str, str]

    @property
    def has_unread(self) -> bool:
        """Whether somebody stated something that was not handed over."""
        return any(one not in self.opened for one in commitments_of(self.view))


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSeen:
    """A unit at the desk: its registers, its disputes, the latest notice of a take-over, and what one may do now."""

    battery: str
    is_registered: bool
    registers: tuple[Standing, ...]
    disputes: tuple[DisputeView, ...]
    takeover: TakeoverView | None
    opened: Opened
    may: tuple[str, ...]
    names: Mapping[str, str]

    @property
    def answers_version(self) -> int:
        """The version of the register that says who answers for it."""
        return next((one.version for one in self.registers if one.register == RESPONSIBILITY), 0)

    @property
    def complete_until_ms(self) -> int:
        """Until when a notice can be completed."""
        return 0 if self.takeover is None else self.takeover.ends_ms + COMPLETION_MS


class DeskDisputes:
    """Reads disputes and take-overs for one organisation, and keeps what others hand over. Blocks."""

    def __init__(self, workspace: Workspace, clock: Callable[[], int], index: HoldingsIndex | None = None) -> None:
        """`clock` gives milliseconds; `index` is the desk's, which is filled ahead of its pages."""
        self._index = index or HoldingsIndex(workspace.home, workspace.folder)
        self._workspace = workspace
        self._clock = clock

    def page(self, side: str, after: str) -> DisputesPage:
        """One page of the list; only an authority is shown disputes in which it has no part."""
        own, now_ms = self._workspace.organisation, self._clock()
        with self._index.opened() as (store, holdings):
            is_authority = AUTHORITY in _roles(store, own)
            shown = side if side in SIDES and is_authority else MINE
            if shown == MINE:
                found = holdings.parties(own, now_ms, after, PAGE_DISPUTES + 1)
            else:
                found = holdings.open_to_authorities(now_ms, after, PAGE_DISPUTES + 1)
            names = find_names(store, [one.opener for one in found])
        rows = tuple(found[:PAGE_DISPUTES])
        return DisputesPage(rows, rows[-1].cursor if len(found) > PAGE_DISPUTES else None, shown, is_authority, names)

    def file(self, opener: str, reference: str) -> DisputeAtDesk | None:
        """A dispute whole, or None where there is none of that name."""
        with closing(self._workspace.home().open_reader()) as store:
            view = self._view(store, opener, reference)
            if view is None:
                return None
            own = self._workspace.organisation
            part = _part(view, own, AUTHORITY in _roles(store, own))
            opened = open_file(self._workspace, view, self._handed(view)).opened
            registers = _registers(store, view.battery)
            told = (view.opener, view.respondent, view.named_by_opener, view.named_by_respondent)
            decided = () if view.decision is None else (view.decision.arbiter, *(to for _, to in view.decision.moves))
            moved = (to for _, to in view.proposed)
            standing = (one.organisation for one in registers)
            names = find_names(store, [one for one in (*told, *decided, *moved, *standing) if one is not None])
        topic = (view.summary.topic,) if view.summary.topic in REGISTERS else ()
        return DisputeAtDesk(
            view=view,
            opened=opened,
            held=tuple(one for one, told in opened.items() if self._holds(told)),
            part=part,
            may=_may(view, own, part),
            bears_on=tuple(dict.fromkeys((*view.summary.holds, *topic))),
            registers=registers,
            agreed_until_ms=view.summary.opened_ms + AGREED_MS,
            has_own=any(one.organisation == own for one in view.positions)
            or (view.decision is not None and view.decision.arbiter == own),
            names=names,
        )

    def unit(self, battery: str) -> UnitSeen | None:
        """A unit that is registered or disputed, or None."""
        now_ms, own = self._clock(), self._workspace.organisation
        with closing(self._workspace.home().open_reader()) as store:
            value = store.get(battery_key(battery))
            disputes = derive_disputes(store.get, battery, now_ms)
            if value is None and not disputes:
                return None
            takeover = derive_takeover(store.get, battery, now_ms)
            registers = _registers(store, battery)
            may: tuple[str, ...] = ()
            if value is not None:
                record = decode_record(BatteryRecord, value)
                may = ("dispute_open",)
                if record.ceased is None and record.part_of is None:
                    may += _may_take_over(takeover, registers, own, _roles(store, own), now_ms)
            told = [one.organisation for one in registers]
            told += [one for view in disputes for one in (view.opener, view.respondent) if one is not None]
            told += [] if takeover is None else [takeover.by, takeover.respondent, takeover.objected_by or ""]
            names = find_names(store, told)
        return UnitSeen(
            battery=battery,
            is_registered=value is not None,
            registers=registers,
            disputes=disputes,
            takeover=takeover,
            opened={} if takeover is None else open_own(self._workspace, takeover.evidence),
            may=may,
            names=names,
        )

    def own_statements(self, opener: str, reference: str) -> bytes | None:
        """The file that opens one's own statements in a dispute, for the other side and the arbiter."""
        with closing(self._workspace.home().open_reader()) as store:
            view = self._view(store, opener, reference)
        if view is None:
            return None
        data, count = encode_statements(self._workspace, view)
        return data if count else None

    def keep_statements(self, opener: str, reference: str, data: bytes) -> int | None:
        """Keep what another side handed over; how many statements of this dispute it opens, None without a dispute.

        Raises `VerificationError` where it holds other words than were committed to, `Malformed` where it is no file
        of statements, or of none in this dispute; nothing is kept then.
        """
        with closing(self._workspace.home().open_reader()) as store:
            view = self._view(store, opener, reference)
        if view is None:
            return None
        stated = commitments_of(view)
        told = {name: one for name, one in parse_statements(data, "the file").items() if name in stated}
        for commitment, disclosure in told.items():
            verify_disclosure(disclosure, Digest(bytes.fromhex(commitment)))
        if not told:
            raise Malformed("the file opens no statement of this dispute: ask the other side to write it anew")
        path = self._path(view)
        known: dict[str, Disclosure] = parse_statements(path.read_bytes(), str(path)) if path.is_file() else {}
        with translated(f"{path} cannot be written"):
            write_whole(path, encode_disclosures(view.name, {**known, **told}), mode=0o600)
        return len(told)

    def document(self, opener: str, reference: str, commitment: str) -> tuple[str, bytes] | None:
        """Name and content of a document that was stated in a dispute, where this organisation holds it."""
        with closing(self._workspace.home().open_reader()) as store:
            view = self._view(store, opener, reference)
        if view is None or commitment not in commitments_of(view):
            return None
        told = open_file(self._workspace, view).opened.get(commitment)
        if told is None or not self._holds(told):
            return None
        return str(told["name"]), self._workspace.vault.get_record(str(told["record"])).payload

    def _view(self, store: LedgerStore, opener: str, reference: str) -> DisputeView | None:
        if re.match(ORGANISATION_PATTERN, opener) is None or re.match(REFERENCE_PATTERN, reference) is None:
            return None
        return derive_dispute(store.get, opener, reference, self._clock())

    def _path(self, view: DisputeView) -> Path:
        return self._workspace.received / f"dispute-{view.opener}-{view.reference}.json"

    def _handed(self, view: DisputeView) -> Sequence[Path]:
        path = self._path(view)
        return (path,) if path.is_file() else ()

    def _holds(self, told: Mapping[str, object]) -> bool:
        """Whether the vault has the document itself, and not its name and digest alone."""
        record = told.get("record")
        if not isinstance(record, str):
            return False
        try:
            self._workspace.vault.get_record(record)
        except (Malformed, RecordErased, UnknownRecord):
            return False
        return True


def _roles(store: LedgerStore, organisation: str) -> tuple[str, ...]:
    found = find_organisation(store.get, organisation)
    return () if found is None else found.roles


def _registers(store: LedgerStore, battery: str) -> tuple[Standing, ...]:
    """Who counts as registered for a unit: of a part, whoever stands there for what it is built into."""
    found, root = [], derive_root(store.get, battery)
    for register in REGISTERS:
        value = store.get(register_key(register, root))
        if value is not None:
            record = decode_record(RegisterRecord, value)
            found.append(Standing(register, record.organisation, record.since_ms, record.version))
    return tuple(found)


def _part(view: DisputeView, own: str, is_authority: bool) -> str:
    """Which part the organisation has in a dispute now, or had at its end."""
    if own == view.opener:
        return "opener"
    if own == view.respondent:
        return "respondent"
    both = view.named_by_opener == view.named_by_respondent == own
    if both or (view.decision is not None and view.decision.arbiter == own):
        return "arbiter"
    return AUTHORITY if is_authority and view.arbiter is None else ""


def _may(view: DisputeView, own: str, part: str) -> tuple[str, ...]:
    """What the organisation may do; the ledger has the last word, in the dry run already."""
    if not view.summary.is_open:
        return ()
    if part not in PARTIES:
        return ("dispute_decide",) if part else ()
    may = ["dispute_state"]
    if view.proposed_by is not None and view.proposed_by != own:
        may.insert(0, "dispute_accept")
    if view.arbiter is None:
        may.append("dispute_nominate")
    if view.respondent is not None:
        may.append("dispute_propose")
    if part == "opener":
        may.append("dispute_withdraw")
    return tuple(may)


def _may_take_over(
    takeover: TakeoverView | None,
    registers: Sequence[Standing],
    own: str,
    roles: Sequence[str],
    now_ms: int,
) -> tuple[str, ...]:
    if takeover is not None and takeover.state == OPEN:
        if takeover.by == own:
            return ("takeover_complete", "takeover_withdraw") if now_ms >= takeover.ends_ms else ("takeover_withdraw",)
        return ("takeover_object",) if any(one.organisation == own for one in registers) else ()
    answers = next((one.organisation for one in registers if one.register == RESPONSIBILITY), own)
    is_operator = any(one in OPERATORS for one in roles)
    return ("takeover_notice",) if is_operator and answers != own else ()
