"""A laboratory, a maker and a buyer on a ledger of their own, with a desk for any of them and a site around it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.desk_areas import desk_areas
from cellvow.api.passports import PassportPages
from cellvow.core.contracts.battery import RegisterModel
from cellvow.core.ledger.genesis import Accreditation, Genesis
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.desk import Desk
from cellvow.workspace.ledger_writer import LedgerWriter
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.evidence.sheets import full_test

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import httpx

    from cellvow.workspace.desk_jobs import JobSeen
    from cellvow.workspace.holdings_index import HoldingsIndex

GTIN = "09506000134376"
BATTERY = f"01/{GTIN}/21/PACK-0001"
STANDARD = "cellvow:dc-discharge"
TOKEN = "the-key-of-the-owner"
ORIGIN = "http://passports.example"
COVERED = ("capacity", "energy", "resistance_10s", "state_of_health")
MEMBERS = {
    "lab": "The Laboratory",
    "maker": "The Maker <script>alert(1)</script>",
    "buyer": "=1+1 \u05d0\u05d1",
}
_FAR_MS = 32_503_679_999_999
_SECONDS_MAX = 60


def measurement() -> bytes:
    """Two full discharges of a cell of about 10 Ah, as a Bitrode writes them."""
    return full_test(2).bitrode()


def wait_for_end(desk: Desk, job: str) -> JobSeen:
    """The job once it has ended."""
    desk.jobs.wait_until_idle(_SECONDS_MAX)
    seen = desk.jobs.job(job)
    if seen is not None and seen.record.has_ended:
        return seen
    raise AssertionError(f"{job} does not end")


@dataclass
class DeskWorld:
    """The ledger's folder, the workspaces, and the desks that were opened."""

    folder: Path
    desks: dict[str, Desk] = field(default_factory=dict)
    writer: LedgerWriter | None = None

    @classmethod
    def found(cls, folder: Path, ruleset: int = 1, importers: Sequence[str] = (), authority: str = "") -> DeskWorld:
        """Members, keys, a model and a battery of it.

        `importers` may register batteries besides what they are; `authority` is the member that is one besides.
        """
        accreditation = Accreditation(STANDARD, "1", COVERED, _FAR_MS)
        roles = {"lab": ["laboratory"], "maker": ["manufacturer"], "buyer": ["buyer"]}
        more = {"importer": importers, "authority": (authority,)}
        for role, names in more.items():
            roles = {name: sorted({*held, role} if name in names else held) for name, held in roles.items()}
        spaces = {
            name: Workspace.create(folder / name, name, MEMBERS[name], roles[name], [accreditation] * (name == "lab"))
            for name in sorted(roles)
        }
        members = tuple(space.member() for space in spaces.values())
        home = NodeHome.create(
            folder / "node", Genesis("cellvow-unit", 1_000, ruleset, members), "cellvow.test/unit", bytes(range(32))
        )
        with home.open_session(now_ms) as session:
            for space in spaces.values():
                space.join(folder / "node")
                commands.enrol(session, space)
            commands.register_model(session, spaces["maker"], model())
            commands.register_battery(session, spaces["maker"], BATTERY, "2026-05-17", "Plant 1")
            session.publish()
        for space in spaces.values():
            space.close()
        return cls(folder)

    def desk(self, name: str, clock: Callable[[], int] = now_ms, index: HoldingsIndex | None = None) -> Desk:
        """A member's desk."""
        if name not in self.desks:
            workspace = Workspace(self.folder / name)
            home = workspace.home()
            self.writer = self.writer or LedgerWriter(home, now_ms)
            self.desks[name] = Desk(workspace, PassportReader(home, workspace), self.writer, clock, index)
            if index is None:
                self.desks[name].index.require_filled(_SECONDS_MAX)
        return self.desks[name]

    def offer(self, *registers: str) -> None:
        """The maker offers registers of the battery to the buyer."""
        maker = self.desk("maker")
        with maker.write() as session:
            commands.offer_handover(session, maker.workspace, BATTERY, "buyer", registers)

    def hand_over(self, *registers: str) -> None:
        """The same, and the buyer accepts."""
        self.offer(*registers)
        buyer = self.desk("buyer")
        with buyer.write() as session:
            commands.answer_handover(session, buyer.workspace, BATTERY, "accept")

    def close(self) -> None:
        """Close the desks, and give the turn at the ledger back, which they share."""
        for desk in self.desks.values():
            desk.close()
        if self.writer is not None:
            self.writer.close()
        for desk in self.desks.values():
            desk.workspace.close()


def model() -> RegisterModel:
    """Ten ampere-hours."""
    return RegisterModel(
        gtin=GTIN,
        category="ev",
        model="Pouch 10",
        chemistry="LMO-graphite",
        rated_capacity_mah=10_500,
        nominal_voltage_mv=3_750,
        voltage_min_mv=3_000,
        voltage_max_mv=4_200,
        mass_g=800,
    )


@dataclass
class DeskSite:
    """A desk behind its site, and the owner's browser."""

    desk: Desk
    cookie: str = ""
    form: str = ""

    def __post_init__(self) -> None:
        opened_ms = now_ms()

        def clock() -> int:
            """The moment the site was opened: no allowance refills because the machine is slow."""
            return opened_ms

        access = Access(TOKEN, clock)
        reader = PassportReader(self.desk.workspace.home(), self.desk.workspace)
        areas = desk_areas(self.desk, access, clock)
        self.app = create_application(Site(access, PassportPages(reader, access), areas))
        self.client = AsgiClient(self.app, ORIGIN)

    def enter(self) -> DeskSite:
        """Open the owner's session."""
        self.cookie = self.client.get(f"/enter/{TOKEN}").headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="form" value="([^"]+)"', self.get("/desk/import").text)
        self.form = found[1] if found else ""
        return self

    def _headers(self, named: Mapping[str, str]) -> dict[str, str]:
        """The session's cookie and further headers, whose names are written with underscores."""
        return {"cookie": self.cookie, **{name.replace("_", "-"): value for name, value in named.items()}}

    def get(self, address: str, params: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        """Ask with the session, if there is one."""
        return self.client.get(address, params=params, headers=self._headers(headers))

    def post(self, address: str, fields: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Send a form with the session's token."""
        body = {"form": self.form, **fields}
        return self.client.request("POST", address, data=body, headers=self._headers(headers))

    def send(
        self,
        address: str,
        content: bytes,
        name: str = "cell.csv",
        fields: Mapping[str, str] | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send a form with a file."""
        return self.client.request(
            "POST",
            address,
            data={"form": self.form, **(fields or {})},
            files={"file": (name, content, "image/png")},
            headers=self._headers(headers),
        )
