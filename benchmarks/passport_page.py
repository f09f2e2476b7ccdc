"""`passport.page`: passports a second from the real server, beside a hello-world of the same server."""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledgers import clock_ms
from benchmarks.measured import Found, Part, at_least, at_most, ratio_of, spread_of
from benchmarks.members import KEYS_A_BATTERY, battery_id
from benchmarks.sampling import alternate, percentile
from benchmarks.servers import CELLVOW, Load, Request, load, serving

NAME = "passport.page"
RATIO_MIN, TAIL_MAX = 0.5, 3
CONCURRENCY = 8
SHOWN = 200
"""Different batteries asked for in turn."""
P99 = 0.99


def measure(bench: Bench) -> list[Found]:
    """The row; both servers are up the whole time, and only one is asked at a time."""
    home, _ = bench.filled().copy(bench.folder("pages"))
    with home.open_session(clock_ms) as session:
        session.publish()
    requests = [Request("GET", f"/{battery_id(number)}") for number in range(bench.size(SHOWN, 20))]
    lasting_s = 0.5 if bench.is_quick else 3.0
    pages: list[Load] = []
    hellos: list[Load] = []
    with (
        serving(*CELLVOW, "serve", "--ledger", str(home.folder), "--json") as url,
        serving("-m", "benchmarks.hello") as other,
    ):

        def subject() -> float:
            pages.append(load(url, requests, CONCURRENCY, lasting_s))
            bench.say(f"{pages[-1].per_s:,.0f} pages/s")
            return pages[-1].per_s

        def peer() -> float:
            hellos.append(load(other, [Request("GET", "/")], CONCURRENCY, lasting_s))
            return hellos[-1].per_s

        load(url, requests, 1, 0)
        ours, theirs = alternate(subject, peer, bench.runs)
    ratio = ratio_of(ours, theirs)
    page_p99, hello_p99 = _p99_ms(pages), _p99_ms(hellos)
    tail = page_p99 / hello_p99
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="requests/s",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            peer=Part("hello-world on the same server", median(theirs), "requests/s"),
            parts=(Part("p99 of a page", page_p99, "ms"), Part("p99 of a hello-world", hello_p99, "ms")),
            goals=(
                at_least("ratio", ratio, RATIO_MIN),
                at_most("p99 of a page / p99 of a hello-world", tail, TAIL_MAX),
            ),
            setting=(
                f"`cellvow serve` on a ledger with at least {KEYS_A_BATTERY} records for each battery, registered in "
                f"batches; {len(requests)} passports in turn over {CONCURRENCY} connections, the client on the same "
                "two cores; each was asked for once before"
            ),
        )
    ]


def _p99_ms(loads: list[Load]) -> float:
    return median(1e3 * percentile(one.latencies_s, P99) for one in loads)
