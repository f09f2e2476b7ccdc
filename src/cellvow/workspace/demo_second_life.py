"""The demonstration's second act: a pack in service, its second life in another company, its end, and two that lie.

Everything is done by the use cases that the commands call, so what is shown here is what anybody can do.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cellvow.core.contracts.battery import RegisterModel
from cellvow.core.ledger.outcome import KeptAsClaim
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.primitives.errors import fail
from cellvow.node.home import LedgerSession
from cellvow.workspace import commands, parts, second_life, service
from cellvow.workspace.workspace import Workspace

PACK_GTIN, MODULE_GTIN, STORAGE_GTIN = "09506000134383", "09506000134390", "09506000134406"
PACK, COPIED = f"01/{PACK_GTIN}/21/DEMO-0002", f"01/{PACK_GTIN}/21/DEMO-0003"
MODULE, STORAGE = f"01/{MODULE_GTIN}/21/DEMO-M001", f"01/{STORAGE_GTIN}/21/STORE-0001"
MAKER, CARMAKER, BUYER = "packmaker", "carmaker", "buyer"
LABORATORY, AUTHORITY, RECYCLER = "laboratory", "authority", "recycling"
ALL_REGISTERS = ("custody", "ownership", "responsibility")
APPLICATIONS = ("grid_storage", "home_storage")
RELEASE = "2.1"
_VEHICLE = "an invented vehicle number, 0000"
_CABINET = "Cabinet 3, an invented solar park"
_LOOKED_AT = "A pump had failed; cells, busbars and insulation are sound. Pump replaced by the car's own workshop."


@dataclass(frozen=True, slots=True)
class Act:
    """What the act is played with: a turn at writing the ledger, the organisations, and who watches."""

    session: LedgerSession
    workspaces: Mapping[str, Workspace]
    report: Callable[[str], None]

    def hand_over(self, battery: str, giver: str, taker: str) -> None:
        """All three registers, signed by both sides."""
        commands.offer_handover(self.session, self.workspaces[giver], battery, taker, ALL_REGISTERS)
        commands.answer_handover(self.session, self.workspaces[taker], battery, "accept")
        self.report(f"     {giver} -> {taker}: who holds it, who owns it, who answers for it")


def play_second_act(act: Act, first: int) -> int:
    """Play it, with steps numbered from `first`; the number of the step after it."""
    steps = (_make, _put_to_use, _serve, _sell_again, _begin_again, _grade, _discard, _recycle, _meet_copies)
    for number, step in enumerate(steps, start=first):
        step(act, f"{number:<3}")
    return first + len(steps)


def _make(act: Act, number: str) -> None:
    act.report(f"{number}Another pack, DEMO-0002: its maker builds a module into it.")
    session, maker = act.session, act.workspaces[MAKER]
    commands.register_model(session, maker, _model(PACK_GTIN, "Demo pack", 300_000))
    commands.register_model(session, maker, _model(MODULE_GTIN, "Demo module", 24_000))
    parts.describe_model(session, maker, PACK_GTIN, "pack", 96)
    parts.describe_model(session, maker, MODULE_GTIN, "module", 8)
    commands.register_battery(session, maker, MODULE, "2016-02-11", "Demo plant 1")
    commands.register_battery(session, maker, PACK, "2016-03-01", "Demo plant 1")
    commands.register_battery(session, maker, COPIED, "2016-03-02", "Demo plant 1")
    parts.install_part(session, maker, PACK, MODULE, "row 1")
    act.report("     A pack of 96 cells, a module of 8: what does not fit is refused.")


def _put_to_use(act: Act, number: str) -> None:
    act.report(f"{number}The carmaker takes it over and builds it into a car.")
    act.hand_over(PACK, MAKER, CARMAKER)
    carmaker = act.workspaces[CARMAKER]
    message = service.make_installation(carmaker, PACK, "vehicle", _VEHICLE, "2016-04-12")
    commands.submit_message(act.session, carmaker, message)
    act.report("     Which car: only his vault says so. The ledger holds a commitment.")


def _serve(act: Act, number: str) -> None:
    act.report(f"{number}It runs hot. A workshop is ordered to look, without taking it over.")
    session, carmaker, workshop = act.session, act.workspaces[CARMAKER], act.workspaces[RECYCLER]
    happened = service.Happening(PACK, "HOT-1", "overheating", "danger", "2021-08-30")
    told = service.make_incident(happened, service.commit_text(carmaker, "Warning on the motorway; car stopped."))
    commands.submit_message(session, carmaker, told)
    act.report("     Incident HOT-1, overheating: its state goes to caution at once.")
    order = service.make_order(carmaker, PACK, RECYCLER, "maintenance", "Find out why it runs hot.")
    commands.submit_message(session, carmaker, order)
    found = service.commit_text(workshop, _LOOKED_AT)
    assessment = service.make_assessment(PACK, "safe", [(CARMAKER, "HOT-1")], found)
    commands.submit_message(session, workshop, assessment)
    digest = hashlib.sha256(b"the demonstration's battery management software, release 2.1").hexdigest()
    software = service.make_software(PACK, "bms", RELEASE, digest, is_reset=False)
    commands.submit_message(session, workshop, software)
    work = service.Work(PACK, "WORK-1", "maintenance", "2021-09-03", "2023-09-01")
    commands.submit_message(session, workshop, service.make_work(work, service.commit_text(workshop, _LOOKED_AT)))
    act.report(f"     Assessed safe, software {RELEASE}, next service 2023-09-01: WORK-1.")


def _sell_again(act: Act, number: str) -> None:
    act.report(f"{number}Out of the car, to a second-life company its maker never dealt with.")
    removal = service.make_removal(PACK, "end_of_use", "2024-01-20")
    commands.submit_message(act.session, act.workspaces[CARMAKER], removal)
    act.hand_over(PACK, CARMAKER, BUYER)


def _begin_again(act: Act, number: str) -> None:
    act.report(f"{number}Second life: pack and module become STORE-0001, of the buyer's model.")
    session, buyer = act.session, act.workspaces[BUYER]
    parts.remove_part(session, buyer, MODULE, "harvested")
    commands.register_model(session, buyer, _model(STORAGE_GTIN, "Demo storage unit", 320_000, "industrial"))
    originals = (second_life.Share(PACK), second_life.Share(MODULE))
    wanted = second_life.SecondLife(
        "repurpose", originals, (second_life.Share(STORAGE),), "2024-02-05", "Demo workshop 2"
    )
    second_life.begin_second_life(session, buyer, wanted)
    act.report("     It names both, and both name it. Cells and mass: no more than were there.")


def _grade(act: Act, number: str) -> None:
    act.report(f"{number}Graded B: for grid and home storage, for nothing else.")
    buyer = act.workspaces[BUYER]
    grading = (STORAGE, "GRADE-1", "B")
    second_life.grade_unit(act.session, buyer, grading, APPLICATIONS, None, "Sorted by resistance; invented.")
    installed = service.make_installation(buyer, STORAGE, "storage_system", _CABINET, "2024-03-01")
    commands.submit_message(act.session, buyer, installed)
    act.report("     It goes into a storage bank; which one stays in the buyer's vault.")


def _discard(act: Act, number: str) -> None:
    act.report(f"{number}Worn out: out of use, declared waste, given to a recycler.")
    session, buyer = act.session, act.workspaces[BUYER]
    commands.submit_message(session, buyer, service.make_removal(STORAGE, "end_of_use", "2026-01-15"))
    second_life.decommission(session, buyer, STORAGE, "out_of_service")
    second_life.declare_waste(session, buyer, STORAGE, "worn_out")
    try:
        commands.offer_handover(session, buyer, STORAGE, LABORATORY, ALL_REGISTERS)
        fail("responsibility for waste was meant to be refused to a laboratory")
    except Rejected as refused:
        act.report(f"     Offered to the laboratory: refused (rule {refused.reason.value}).")
        act.report("     Who may answer for waste: a producer or a recycler, nobody else.")
    act.hand_over(STORAGE, BUYER, RECYCLER)


def _recycle(act: Act, number: str) -> None:
    act.report(f"{number}Recycled: its passport has ceased (HTTP 410), its record has not.")
    recovered = "Invented: what a recycler of such packs might win back."
    second_life.record_recycling(act.session, act.workspaces[RECYCLER], STORAGE, "Demo recycling hall", recovered)
    act.report("     What was won back, and where: commitments, opened by the recycler alone.")


def _meet_copies(act: Act, number: str) -> None:
    act.report(f"{number}Two numbers turn up that cannot be: kept as claims, nothing is moved.")
    session, carmaker, authority = act.session, act.workspaces[CARMAKER], act.workspaces[AUTHORITY]
    cloned = _claim(lambda: commands.register_battery(session, carmaker, COPIED, "2016-03-02", "bought as new"))
    act.report("     A thief sold the carmaker a copy of DEMO-0003; he registers its number:")
    act.report(f"     contested, {cloned.opener}/{cloned.reference} ({cloned.topic}) against the maker's record.")
    dead = _claim(lambda: second_life.report_sighting(session, authority, STORAGE, "A market stall, invented."))
    act.report("     The authority sees STORE-0001 for sale, which was recycled:")
    act.report(f"     contested, {dead.opener}/{dead.reference} ({dead.topic}).")


def _claim(deed: Callable[[], object]) -> KeptAsClaim:
    """The claim that a deed against the registers is kept as."""
    try:
        deed()
    except KeptAsClaim as claim:
        return claim
    return fail("what the registers deny was meant to be kept as a claim")


def _model(gtin: str, name: str, mass_g: int, category: str = "ev") -> RegisterModel:
    return RegisterModel(
        gtin=gtin,
        category=category,  # type: ignore[arg-type]  # two of its words
        model=name,
        chemistry="LMO/LNO-graphite",
        rated_capacity_mah=66_200,
        nominal_voltage_mv=360_000,
        voltage_min_mv=288_000,
        voltage_max_mv=403_200,
        mass_g=mass_g,
    )
