"""`custody.handover`: what handing over costs the ledger, beside events of the usual mix."""

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledger_single import seconds_to_commit
from benchmarks.ledgers import Filled, clock_ms, require_accepted
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from benchmarks.members import BUYER, KEYS, SigningKey, life_events, offer, register_key
from benchmarks.sampling import alternate
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import AcceptHandover
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.home import NodeHome

NAME = "custody.handover"
RATIO_MIN = 0.7
OFFER_VERSION = 3
"""Of an offer of a filled battery: the first was made and withdrawn."""
_BUYER_SCOPE = ("AcceptHandover",)


class Buyer:
    """The buyer's keys, which sign in turn."""

    def __init__(self) -> None:
        self.root = SigningKey(BUYER, "root")
        self.keys = tuple(SigningKey(BUYER, f"operational {number}") for number in range(KEYS))
        self._turn = 0

    def key(self) -> SigningKey:
        """The key whose turn it is."""
        self._turn += 1
        return self.keys[self._turn % KEYS]

    def enrol(self, home: NodeHome) -> None:
        """Register the keys."""
        with home.open_session(clock_ms) as session:
            statements = [self.root.sign_single(register_key(key, _BUYER_SCOPE)) for key in self.keys]
            require_accepted([session.submit(one) for one in statements])


def acceptance(number: int) -> AcceptHandover:
    """The acceptance of the offer of a filled battery."""
    return AcceptHandover(battery=offer(number).battery, version=OFFER_VERSION)


def measure(bench: Bench) -> list[Found]:
    """The row, with the usual events in turn with it."""
    filled, count = bench.filled(), bench.size(2_000, 200)
    in_sheets: list[float] = []

    def subject() -> float:
        rate = _rate_of_singles(bench, filled, count)
        in_sheets.append(_rate_of_sheets(bench, filled, count))
        bench.say(f"{rate:,.0f} signed steps/s, {in_sheets[-1]:,.0f} hand-overs/s in sheets")
        return rate

    def single() -> float:
        home, maker = filled.copy(bench.folder("single"))
        return 2 * count / seconds_to_commit(home, maker.singles(life_events(filled.batteries, 2 * count)))

    ours, theirs = alternate(subject, single, bench.runs)
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="signed steps/s",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            bound=Part("events of the mix of ledger.single, in the same run", median(theirs), "events/s"),
            parts=(
                Part("whole hand-overs, two steps each, signed one by one", median(ours) / 2, "hand-overs/s"),
                Part("whole hand-overs from sheets of both sides", median(in_sheets), "hand-overs/s"),
            ),
            goals=(at_least("ratio", ratio, RATIO_MIN),),
            setting=(
                f"{count:,} offers of a battery's custody and their {count:,} acceptances by the other side, each a "
                "step signed on its own by one of four keys of its side, submitted in turn by one thread to the "
                f"embedded engine on a ledger of {filled.batteries:,} batteries, answered once synced to disk"
            ),
        )
    ]


def _rate_of_singles(bench: Bench, filled: Filled, count: int) -> float:
    home, maker = filled.copy(bench.folder("handover"))
    buyer = Buyer()
    buyer.enrol(home)
    statements: list[bytes] = []
    for number in range(count):
        statements.append(maker.key().sign_single(offer(number)))
        statements.append(buyer.key().sign_single(acceptance(number)))
    return len(statements) / seconds_to_commit(home, statements)


def _rate_of_sheets(bench: Bench, filled: Filled, count: int) -> float:
    """Whole hand-overs a second where both sides sign them in batches, as their desks do for a sheet."""
    home, maker = filled.copy(bench.folder("handover-sheets"))
    buyer = Buyer()
    buyer.enrol(home)
    offers: Sequence[Message] = [offer(number) for number in range(count)]
    answers: Sequence[Message] = [acceptance(number) for number in range(count)]
    statements: list[bytes] = []
    for at in range(0, count, BATCH_MESSAGES_MAX):
        statements.append(maker.key().sign_batch(offers[at : at + BATCH_MESSAGES_MAX], "each"))
        statements.append(buyer.key().sign_batch(answers[at : at + BATCH_MESSAGES_MAX], "each"))
    return count / seconds_to_commit(home, statements)
