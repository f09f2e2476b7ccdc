"""What waits for an organisation: one list of several kinds, to which whoever knows of another kind adds a source."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from cellvow.workspace.bulk_jobs import BulkJobs
from cellvow.workspace.bulk_records import RUNNING, STOPPED
from cellvow.workspace.desk_handovers import find_name
from cellvow.workspace.holdings import followed_holdings
from cellvow.workspace.holdings_pages import RECEIVED
from cellvow.workspace.workspace import Workspace

KINDS = ("offer", "respond", "arbitrate", "dispute", "sheet")
"""In the order of the list: an offer to answer; a dispute to answer, to decide, or one's own; a sheet to go on with.

Another kind is a word here, its texts `waits.KIND` and `waits_more.KIND`, and a source of the desk.
"""
SHOWN_A_KIND = 10
SHEETS_READ = 50
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

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def __call__(self, now_ms: int) -> list[Waiting]:
        """As of a moment."""
        own = self._workspace.organisation
        with followed_holdings(self._workspace.home(), self._workspace.folder) as (store, holdings):
            offers = holdings.offers(own, RECEIVED, "", SHOWN_A_KIND + 1)
            disputes = holdings.disputes(own, now_ms, SHOWN_A_KIND + 1)
            waiting = [Waiting("offer", one.battery, find_name(store, one.offerer).name) for one in offers]
            waiting += [
                Waiting(
                    _KIND_OF_PART[one.part],
                    one.battery,
                    find_name(store, one.opener).name,
                    {"reference": one.reference},
                    {"opener": one.opener, "reference": one.reference},
                )
                for one in disputes
            ]
        return waiting


class SheetWaiting:
    """What waits by the workspace's own file: sheets that are under way, or stopped before their end."""

    def __init__(self, jobs: BulkJobs) -> None:
        self._jobs = jobs

    def __call__(self, _now_ms: int) -> list[Waiting]:
        """The newest first."""
        begun = [one for one in self._jobs.sheets(SHEETS_READ) if one.state in (RUNNING, STOPPED)]
        return [Waiting("sheet", names={"file": one.file}, number=one.sheet) for one in begun]
