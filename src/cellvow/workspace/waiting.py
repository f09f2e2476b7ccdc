"""What waits for an organisation: one list of several kinds, to which whoever knows of another kind adds a source."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.register import RESPONSIBILITY, RegisterRecord, register_key
from cellvow.core.contracts.takeover import OPEN as OPEN_NOTICE
from cellvow.core.contracts.takeover import TakeoverRecord, derive_takeover_state, takeover_key
from cellvow.core.primitives.identifier import BATTERY_PATTERN
from cellvow.node.store import LedgerStore
from cellvow.workspace.bulk_jobs import BulkJobs
from cellvow.workspace.bulk_records import JUDGING, RUNNING, STOPPED
from cellvow.workspace.countersigning import waiting as list_held_messages
from cellvow.workspace.desk_handovers import find_name
from cellvow.workspace.holdings_index import HoldingsIndex
from cellvow.workspace.holdings_pages import RECEIVED
from cellvow.workspace.workspace import Workspace

KINDS = ("notice", "second", "offer", "respond", "arbitrate", "complete", "dispute", "sheet")
"""In the order of the list: a notice of a take-over to object to, a message that a colleague has signed first, an offer
to answer, a dispute to answer or to decide; a take-over to complete, a dispute of one's own, a sheet to go on with.

Another kind is a word here, its texts `waits.KIND` and `waits_more.KIND`, and a source of the desk.
"""
SHOWN_A_KIND = 10
SHEETS_READ = 50
NOTICES_READ = 10_000
"""Notices of take-overs that are looked through: they are rare, and each holds one unit."""
_KIND_OF_PART = {"respondent": "respond", "arbiter": "arbitrate", "opener": "dispute"}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits: its kind, the unit it is about, who waits, and what else names it.

    `names` fills the parameters of its text; `number` and `parameters` end the address where it is dealt with.
    """

    kind: str
    battery: str = ""
    by: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    number: str = ""


Source = Callable[[int], Iterable[Waiting]]
"""Given a moment (ms): what waits, the most urgent first; only the first of each kind are read."""


@dataclass(frozen=True, slots=True)
class WaitingList:
    """What is shown, and the kinds of which there is more."""

    waiting: tuple[Waiting, ...]
    more: tuple[str, ...] = ()


def gather(sources: Iterable[Source], now_ms: int) -> WaitingList:
    """All sources in one list, in the order of the kinds."""
    found: dict[str, list[Waiting]] = {kind: [] for kind in KINDS}
    for source in sources:
        for one in islice(source(now_ms), (SHOWN_A_KIND + 1) * len(KINDS)):
            found[one.kind].append(one)
    more = tuple(kind for kind in KINDS if len(found[kind]) > SHOWN_A_KIND)
    return WaitingList(tuple(one for kind in KINDS for one in found[kind][:SHOWN_A_KIND]), more)


class LedgerWaiting:
    """What waits by the ledger's records: offers received, and open disputes with a part in them."""

    def __init__(self, workspace: Workspace, index: HoldingsIndex | None = None) -> None:
        """`index` is one that a site shares."""
        self._workspace = workspace
        self._index = index or HoldingsIndex(workspace.home, workspace.folder)

    def __call__(self, now_ms: int) -> list[Waiting]:
        """As of a moment."""
        own = self._workspace.organisation
        with self._index.opened() as (store, holdings):
            offers = holdings.offers(own, RECEIVED, "", SHOWN_A_KIND + 1)
            disputes = holdings.disputes(own, now_ms, SHOWN_A_KIND + 1)
            waiting = [Waiting("offer", one.battery, find_name(store, one.offerer).name) for one in offers]
            waiting += [
                Waiting(
                    _KIND_OF_PART[one.part],
                    one.battery,
                    find_name(store, one.opener).name,
                    {"reference": one.reference},
                    number=f"{one.opener}/{one.reference}",
                )
                for one in disputes
            ]
        return waiting


class SecondWaiting:
    """Messages of the own organisation that wait for a second signature."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __call__(self, _now_ms: int) -> list[Waiting]:
        """The oldest first."""
        store = self._workspace.home().open_reader()
        try:
            held = list_held_messages(store, self._workspace.organisation)
        finally:
            store.close()
        return [
            Waiting(
                "second",
                one.about if re.match(BATTERY_PATTERN, one.about) else "",
                names={"message": one.message, "about": one.about, "statement": one.statement[:16]},
                number=one.statement,
            )
            for one in held
        ]


class NoticeWaiting:
    """Take-overs that are announced of units one stands behind, and one's own that can be completed."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __call__(self, now_ms: int) -> list[Waiting]:
        """As of a moment; the order is that of the units."""
        own = self._workspace.organisation
        store = self._workspace.home().open_reader()
        try:
            read = islice(store.records(takeover_key("")), NOTICES_READ)
            notices = [decode_record(TakeoverRecord, value) for _, value in read]
            return [
                Waiting(
                    "complete" if one.by == own else "notice",
                    one.battery,
                    find_name(store, one.by).name,
                    number=one.battery,
                )
                for one in notices
                if self._concerns(store, one, now_ms)
            ]
        finally:
            store.close()

    def _concerns(self, store: LedgerStore, notice: TakeoverRecord, now_ms: int) -> bool:
        value = store.get(register_key(RESPONSIBILITY, notice.battery))
        own = self._workspace.organisation
        if value is None or own not in (notice.by, notice.respondent):
            return False
        is_open = derive_takeover_state(notice, decode_record(RegisterRecord, value), now_ms) == OPEN_NOTICE
        return is_open and (own == notice.respondent or now_ms >= notice.ends_ms)


class SheetWaiting:
    """What waits by the workspace's own file: sheets that are judged or under way, or stopped before their end."""

    def __init__(self, jobs: BulkJobs) -> None:
        self._jobs = jobs

    def __call__(self, _now_ms: int) -> list[Waiting]:
        """The newest first."""
        begun = [one for one in self._jobs.sheets(SHEETS_READ) if one.state in (JUDGING, RUNNING, STOPPED)]
        return [Waiting("sheet", names={"file": one.file}, number=one.sheet) for one in begun]
