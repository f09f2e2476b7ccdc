"""`ledger.http`: events a second through the HTTP API in batches of 500, each answered once it is durable."""

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledger_single import seconds_to_commit
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from benchmarks.members import life_events
from benchmarks.sampling import alternate
from benchmarks.servers import CELLVOW, Request, load, serving
from cellvow.core.contracts.contract import Message
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.home import NodeHome

NAME = "ledger.http"
PATH, MEDIA_TYPE = "/api/v1/statements", "application/cose"
CONCURRENCY = 8
WARMING = 1
"""Batches sent before the clock starts: the first opens the ledger."""
RATIO_MIN = 0.5


def measure(bench: Bench) -> list[Found]:
    """The row, with the same batches handed to the engine directly in turn with it."""
    filled, count = bench.filled(), bench.size(20_000, 2_000)
    events = list(life_events(filled.batteries, count))

    def subject() -> float:
        home, maker = filled.copy(bench.folder("http"))
        rate = send(home, maker.batches(events, BATCH_MESSAGES_MAX), events)
        bench.say(f"{rate:,.0f} events/s")
        return rate

    def peer() -> float:
        home, maker = filled.copy(bench.folder("http"))
        return count / seconds_to_commit(home, maker.batches(events, BATCH_MESSAGES_MAX))

    ours, theirs = alternate(subject, peer, bench.runs)
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="events/s",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            peer=Part("the same batches given to the engine directly", median(theirs), "events/s"),
            goals=(at_least("ratio", ratio, RATIO_MIN),),
            setting=(
                f"{count:,} events of the same mix in batches of {BATCH_MESSAGES_MAX}, POSTed over {CONCURRENCY} "
                "connections to `cellvow serve --accept` in a process of its own, on loopback; the client "
                "shares the two cores. The task sets no ratio for this row; half of the engine is our own aim"
            ),
        )
    ]


def send(home: NodeHome, statements: Sequence[bytes], events: Sequence[Message]) -> float:
    """Events a second, from the first batch sent until the last answer; every batch must have been recorded."""
    requests = [Request("POST", PATH, one, MEDIA_TYPE, unwanted=b'"rejected"') for one in statements]
    with serving(*CELLVOW, "serve", "--accept", "--ledger", str(home.folder), "--json") as url:
        load(url, requests[:WARMING], 1, 0)
        before = _recorded(home)
        done = load(url, requests[WARMING:], CONCURRENCY, 0)
        recorded = _recorded(home) - before
    ensure(recorded == len(requests) - WARMING, f"{recorded} batches were recorded of {len(requests) - WARMING}")
    return (len(events) - WARMING * BATCH_MESSAGES_MAX) / done.taken_s


def _recorded(home: NodeHome) -> int:
    """Statements on the ledger: what is not a leaf of a block, nor genesis."""
    store = home.open_reader()
    try:
        return store.head().log.size - store.count_blocks() - 1
    finally:
        store.close()
