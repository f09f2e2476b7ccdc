"""`ledger.single`: events a second through the engine, each signed on its own, durable."""

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledgers import clock_ms, require_accepted
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from benchmarks.members import life_events
from benchmarks.sampling import alternate, seconds
from benchmarks.single_bound import SingleBound, measure_bound
from cellvow.node.home import LedgerSession, NodeHome

NAME = "ledger.single"
RATIO_MIN = 0.6


def measure(bench: Bench) -> list[Found]:
    """The row, with the bound measured in turn with it."""
    filled, count = bench.filled(), bench.size(6_000, 600)
    bounds: list[SingleBound] = []

    def subject() -> float:
        home, maker = filled.copy(bench.folder("single"))
        statements = maker.singles(life_events(filled.batteries, count))
        rate = count / seconds_to_commit(home, statements)
        bench.say(f"{rate:,.0f} events/s")
        return rate

    def bound() -> float:
        _, maker = filled.copy(bench.folder("single"))
        statements = maker.singles(life_events(filled.batteries, count))
        bounds.append(measure_bound(filled, bench.folder("bound"), statements))
        return bounds[-1].events_per_s

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
            bound=Part("2 cores / (one signature check + the rest of one event)", median(theirs), "events/s"),
            parts=(
                Part("one signature check", 1e6 * median(one.check_s for one in bounds), "us"),
                Part("the rest of one event, processor time", 1e6 * median(one.rest_s for one in bounds), "us"),
            ),
            goals=(at_least("ratio", ratio, RATIO_MIN),),
            setting=(
                f"{count:,} events of a mix of births, offers, withdrawals and declared values, signed by four keys in "
                f"turn, submitted by one thread to the embedded engine on a ledger of {filled.batteries:,} batteries; "
                "each is answered only once its block is synced to disk"
            ),
        )
    ]


def seconds_to_commit(home: NodeHome, statements: Sequence[bytes]) -> float:
    """From the first statement handed over until the last answer; every message must have been accepted."""
    with home.open_session(clock_ms) as session:
        return _submit_all(session, statements)


def _submit_all(session: LedgerSession, statements: Sequence[bytes]) -> float:
    futures = []

    def work() -> None:
        futures.extend([session.submit(one) for one in statements])
        for future in futures:
            future.result()

    taken = seconds(work)
    require_accepted(futures)
    return taken
