"""`growth.desk`: whether the desk's list of units is slower with a hundred thousand of them than with a thousand."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledgers import ORIGIN, clock_ms, enrol, feed
from benchmarks.measured import Found, Part, at_most, ratio_of, spread_of
from benchmarks.members import GTIN, MAKER, Maker, battery_id, birth, make_genesis
from benchmarks.sampling import alternate, percentile, seconds
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import ensure
from cellvow.node.home import NodeHome
from cellvow.web.desk_pages import Frame
from cellvow.web.desk_units import render_units
from cellvow.workspace.desk_units import Units
from cellvow.workspace.holdings_pages import Wish
from cellvow.workspace.workspace import Workspace

NAME = "growth.desk"
SMALL, LARGE = 1_000, 100_000
REQUESTS = 200
SHARE, RATIO_MAX = 0.95, 2.0
RANDOM_SEED = 20_261_130

Ask = Callable[["Shelf", random.Random], None]


@dataclass
class Shelf:
    """A maker with so many units, and its desk's list."""

    units: Units
    size: int
    filled_s: float
    reading_ms: list[float] = field(default_factory=list)

    @classmethod
    def fill(cls, bench: Bench, folder: Path, size: int) -> "Shelf":
        """Register the units through the engine, and let the index follow."""
        maker = Maker()
        home = NodeHome.create(folder / "node", make_genesis(), ORIGIN, sha256(b"benchmark log"))
        with home.open_session(clock_ms) as session:
            enrol(session, maker)
            feed(session, maker, map(birth, range(size)), lambda text: bench.say(f"{size:,} units: {text}"))
        workspace = Workspace.create(folder / "workspace", MAKER, "Maker (invented)", ["manufacturer"])
        workspace.join(home.folder)
        units = Units(workspace, clock_ms)
        taken = seconds(lambda: units.page(Wish(), ""))
        return cls(units, size, taken)

    def ask(self, wish: Wish, after: str = "") -> None:
        """One page, read and written as the browser gets it."""
        start = time.perf_counter()
        shown = self.units.page(wish, after)
        self.reading_ms.append(1_000 * (time.perf_counter() - start))
        ensure(bool(shown.page.units), "the benchmark's own question finds nothing")
        render_units(Frame("en", "/desk/units", "0" * 43), shown, wish, {}, after)

    def p95_ms(self, chance: random.Random) -> float:
        """The slowest of most requests: pages from anywhere, serials looked for, and filters, in turn."""
        times = []
        for number in range(REQUESTS):
            ask = _ASKED[number % len(_ASKED)]
            times.append(1_000 * seconds(lambda: ask(self, chance)))  # noqa: B023 - called at once
        return percentile(times, SHARE)


def _any_page(shelf: Shelf, chance: random.Random) -> None:
    shelf.ask(Wish(), battery_id(chance.randrange(shelf.size - 1)))


def _serial(shelf: Shelf, chance: random.Random) -> None:
    shelf.ask(Wish(serial=f"{chance.randrange(shelf.size):05d}"))


def _filtered(shelf: Shelf, chance: random.Random) -> None:
    after = battery_id(chance.randrange(shelf.size - 1))
    shelf.ask(Wish(register="custody", status="original", model=GTIN[:8]), after)


_ASKED: tuple[Ask, ...] = (_any_page, _serial, _any_page, _filtered)


def measure(bench: Bench) -> list[Found]:
    """The row, small and large in turn."""
    chance = random.Random(RANDOM_SEED)  # noqa: S311 - which page is read need not be a secret
    small = Shelf.fill(bench, bench.folder("desk-small"), bench.size(SMALL, 200))
    large = Shelf.fill(bench, bench.folder("desk-large"), bench.size(LARGE, 2_000))
    ours, theirs = alternate(lambda: large.p95_ms(chance), lambda: small.p95_ms(chance), bench.runs)
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="ms",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            peer=Part(f"the same requests at {small.size:,} units", median(theirs), "ms"),
            parts=(
                Part(f"reading alone at {large.size:,} units", percentile(large.reading_ms, SHARE), "ms"),
                Part(f"reading alone at {small.size:,} units", percentile(small.reading_ms, SHARE), "ms"),
                Part(f"the index of {large.size:,} units filled from the records, once", large.filled_s, "s"),
            ),
            goals=(at_most("ratio", ratio, RATIO_MAX),),
            setting=(
                f"the desk's page of units of one maker with {large.size:,} of them: 95th percentile of {REQUESTS} "
                "requests in this process, index opened, page of 50 read and written as HTML; half of them begin "
                "anywhere, a quarter look for five digits of a serial, a quarter filter by register, status and model"
            ),
        )
    ]
