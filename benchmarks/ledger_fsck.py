"""`fsck`: how fast a whole ledger is replayed and compared, in events a second."""

from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledgers import Filled, clock_ms, enrol, require_accepted
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from benchmarks.members import KEYS_A_BATTERY, Maker, fill_battery, life_events, make_genesis
from benchmarks.sampling import alternate, seconds
from benchmarks.single_bound import measure_bound
from cellvow.core.primitives.digest import sha256
from cellvow.node.fsck import check_ledger
from cellvow.node.home import NodeHome

NAME = "fsck"
RATIO_MIN = 0.6


def measure(bench: Bench) -> list[Found]:
    """The row, against the bound of `ledger.single` measured in turn with it."""
    filled, batteries, count = bench.filled(), bench.size(750, 75), bench.size(6_000, 600)
    home, events = _singles_only(bench.folder("fsck"), batteries)

    def subject() -> float:
        store = home.open_reader()
        try:
            rate = events / seconds(lambda: check_ledger(store))
        finally:
            store.close()
        bench.say(f"{rate:,.0f} events/s")
        return rate

    def bound() -> float:
        return _bound(bench, filled, count)

    ours, theirs = alternate(subject, bound, bench.runs)
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="events/s",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            bound=Part("the bound of ledger.single", median(theirs), "events/s"),
            goals=(at_least("ratio", ratio, RATIO_MIN),),
            setting=(
                f"a ledger of {events:,} events, each signed on its own, that leave {KEYS_A_BATTERY} records for each "
                f"of {batteries:,} batteries; every block applied again, every signature, leaf and record checked"
            ),
        )
    ]


def _bound(bench: Bench, filled: Filled, count: int) -> float:
    _, maker = filled.copy(bench.folder("single"))
    statements = maker.singles(life_events(filled.batteries, count))
    return measure_bound(filled, bench.folder("bound"), statements).events_per_s


def _singles_only(folder: Path, batteries: int) -> tuple[NodeHome, int]:
    maker = Maker()
    home = NodeHome.create(folder, make_genesis(), "bench.cellvow.example/fsck", sha256(b"benchmark log"))
    with home.open_session(clock_ms) as session:
        enrol(session, maker)
        statements = maker.singles(message for number in range(batteries) for message in fill_battery(number))
        require_accepted([session.submit(one) for one in statements])
    return home, len(statements)
