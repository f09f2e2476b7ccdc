"""A consortium under a seed: members, clients, a network that parts, proposers that lie, and an audit that looks on.

run_seed(63)                  the story of seed 63; raises `Violation` where a promise is broken
run_seed(63).chronicle.last   what happened, in order
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from contextlib import ExitStack
from functools import lru_cache, partial
from pathlib import Path
from random import Random
from statistics import median_low
from typing import TYPE_CHECKING

from cellvow.core.protocol.transition import begin_chain
from cellvow.node.records import MemoryState
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.simulation.consortium import dishonest
from tests.simulation.consortium.audit import Audit
from tests.simulation.consortium.clients import Client
from tests.simulation.consortium.engine_model import RECHECKS, Decided
from tests.simulation.consortium.joining import join_by_snapshot
from tests.simulation.consortium.member import Cast, Member, Surroundings, init_request
from tests.simulation.consortium.options import ACT_TICKS, HEAL_TICKS_MAX, Options, derive_options, may
from tests.simulation.consortium.record import Chronicle, Died, Violation
from tests.simulation.consortium.workload import HOSTS, Order, make_workload, validator_key
from tests.world import GENESIS_MS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellvow.node.cometbft.messages import Message

NEWCOMER = "newcomer"
REST_BLOCKS_MAX = 6
"""Blocks that may still come once all is answered: what hostile clients left, and one after each of them."""


class World:
    """One story; use as a context manager. `cast` says whether mutants play in it."""

    def __init__(self, options: Options, folder: Path, cast: Cast) -> None:
        self.options = options
        self.rng = Random(options.seed * 7_919 + 1)
        self.chronicle = Chronicle()
        self.workload = make_workload()
        self.now = GENESIS_MS + 500
        self.is_calm = False
        self.round = 0
        self.groups: tuple[tuple[str, ...], ...] = ()
        self._folder = folder
        self._cast = cast
        self._skews = {name: self.rng.randint(-options.clock_skew_ms, options.clock_skew_ms) for name in HOSTS}
        self.powers = dict.fromkeys(HOSTS, 1)
        self._locked: tuple[str, Decided] | None = None
        around = Surroundings(genesis_request(), self._clock_of, self._strike, self._breaks, self._between)
        self._around = around
        honest = [host for host in HOSTS if host != options.byzantine]
        self.members = {host: self._make_member(host) for host in honest}
        store = next(iter(self.members.values())).gateway.store
        self.audit = Audit(self.chronicle, store.head().app_hash)
        self.has_votes = options.seed % 8 == 0
        acting = HOSTS if self.has_votes else self.rng.sample(HOSTS, options.clients)
        self.clients = [self._make_client(host) for host in acting]
        self.watch = cast.watch(folder / "witness", self.chronicle) if options.has_witness else None

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members.values():
            member.close()
        if self.watch is not None:
            self.watch.close()

    def play(self) -> World:
        """Faults for a while, then none: everything must be answered, come to rest and agree."""
        for name in self.members:
            self._guarded(name, self.members[name].start)
        for tick in range(ACT_TICKS):
            self._tick()
            if self.options.has_newcomer and tick >= ACT_TICKS // 2:
                self._let_newcomer_join()
        self.is_calm = True
        self.groups = ()
        for tick in range(HEAL_TICKS_MAX):
            if not any(client.unanswered for client in self.clients):
                break
            if tick == HEAL_TICKS_MAX // 2 and not RECHECKS:
                self._clear_mempools()
            self._tick()
        for client in self.clients:
            if client.unanswered:
                raise Violation(f"5: no answer within {HEAL_TICKS_MAX} ticks to {client.unanswered[0].kind}")
        self._come_to_rest()
        self._require_promises()
        return self

    # What happens in a tick.

    def _tick(self) -> None:
        self.now += self.rng.choice((60, 150, 400, 400, 12_000 if self.rng.random() < 0.1 else 200))
        self._disturb()
        for name, member in self.members.items():
            if not member.is_running and (self.is_calm or self.rng.random() < 0.4):
                self._guarded(name, partial(self._restart, member))
        self._send()
        self._gossip()
        self._catch_up()
        self._decide()
        self._answer()
        if self.watch is not None:
            self.watch.look(self.rng, list(self.members.values()), self.now, is_calm=self.is_calm)

    def _restart(self, member: Member) -> None:
        member.start()
        self.chronicle.note("restart", member.name, member.engine.replayed)
        self.chronicle.reached["block played again"] += member.engine.replayed
        self.audit.require_kept(member)

    def _disturb(self) -> None:
        if self.is_calm:
            return
        if self.groups and self.rng.random() < 0.3:
            self.groups = ()
            self.chronicle.note("the network heals")
        elif may(self.rng, self.options.partition_percent):
            names = [*HOSTS, NEWCOMER]
            self.rng.shuffle(names)
            cut = self.rng.randrange(1, len(names))
            self.groups = (tuple(names[:cut]), tuple(names[cut:]))
            self.chronicle.note("the network parts", self.groups)
        for name, member in self.members.items():
            if member.is_running and self.rng.randrange(300) < self.options.crash_permille:
                self._fall(name, Died(self.rng.choice(("application", "engine", "both")), "idle"))

    def _send(self) -> None:
        reachable = [member for name, member in self.members.items() if name != NEWCOMER or self.rng.random() < 0.3]
        for client in self.clients:
            if client.unanswered and self.rng.random() < 0.8:
                member = self.rng.choice(reachable)
                self._guarded(member.name, partial(client.send, [member], is_calm=self.is_calm))
        if not self.is_calm and may(self.rng, self.options.hostile_percent):
            member = self.rng.choice(reachable)
            self._guarded(member.name, partial(self._offer, member, self._hostile_statement(member)))
            self.chronicle.note("hostile statement", member.name)

    def _hostile_statement(self, member: Member) -> bytes:
        below = self.workload.below_floor
        rising = [below[data] for data in member.engine.mempool if data in below]
        return self.rng.choice(rising or (*self.workload.twins, *self.workload.strange))

    def _gossip(self) -> None:
        """Mempools tell each other, in any order, late, and more than once."""
        for name, member in self.members.items():
            for data in list(member.engine.mempool):
                for peer in self._reachable_from(name):
                    if self.rng.random() < (0.9 if self.is_calm else 0.5):
                        self._guarded(peer.name, partial(self._offer, peer, data))

    def _offer(self, member: Member, data: bytes) -> None:
        if member.is_running and not member.broadcast_tx_sync(data).code:
            self.chronicle.reached["gossiped"] += 1

    def _catch_up(self) -> None:
        for name, member in self.members.items():
            while member.is_running and member.height < self.audit.height:
                block = self.audit.decided[member.height + 1]
                holders = [peer for peer in self._reachable_from(name) if block.height in peer.disk.blocks]
                if not holders and not self._is_with(name, self.options.byzantine):
                    if member not in self._majority():
                        break
                    self.chronicle.note("decided again, as all who had it fell")
                self.chronicle.note("caught up", name, block.height)
                self._apply(member, block)

    # How a block is decided.

    def _decide(self) -> None:
        """One round in the part of the network that may have two thirds, if there is any reason for a block."""
        height = self.audit.height + 1
        voters = [member for member in self._majority() if member.height == height - 1]
        if not voters or not self._has_reason(voters, height):
            return
        self.round += 1
        self.chronicle.reached["round"] += 1
        proposer = sorted(self.powers)[(height + self.round) % len(self.powers)]
        author = self._locked[0] if self._locked is not None else proposer
        blocks = self._propose(proposer, voters, height)
        if blocks is None:
            self.chronicle.note("a round without proposal", proposer)
            return
        accepting = [voter for voter in voters if self._votes_for(voter, author, blocks[voter.name])]
        shown = {blocks[voter.name] for voter in voters}
        for block in sorted(shown):
            for_it = [voter for voter in accepting if blocks[voter.name] == block]
            if self._is_enough([voter.name for voter in for_it]):
                self._conclude(author, block, [voter for voter in for_it if voter.is_running])

    def _conclude(self, author: str, block: Decided, holders: list[Member]) -> None:
        lost = not self.is_calm and may(self.rng, self.options.lost_votes_percent)
        if lost or not holders:
            self.chronicle.note("a round without decision", author)
            if self.rng.random() < 0.5:
                self._locked = (author, block)
            return
        self.chronicle.note("decided", block.height, block.time_ms, len(block.statements), self.round)
        self.chronicle.reached[f"decided in round {min(self.round, 4)}"] += 1
        self.round, self._locked = 0, None
        self.audit.decide(block, holders[0])
        for member in self.rng.sample(holders, len(holders)):
            if self.is_calm or self.rng.random() < 0.85:
                self._apply(member, block)

    def _propose(self, proposer: str, voters: list[Member], height: int) -> dict[str, Decided] | None:
        """The block that each voter is shown, or None."""
        time_ms = max(self._median_time(voters), self.audit.decided[height - 1].time_ms + 1 if height > 1 else self.now)
        app_hash = self.audit.app_hash(height - 1)
        if self._locked is not None:
            self.chronicle.note("a locked block is proposed again")
            return {voter.name: self._locked[1] for voter in voters}
        if proposer == self.options.byzantine:
            return self._propose_badly(voters, Decided(height, time_ms, (), app_hash))
        author = self.members[proposer]
        if author not in voters:
            return None
        chosen: list[tuple[bytes, ...]] = []
        self._guarded(proposer, lambda: chosen.append(author.engine.propose(height, time_ms, self.options.block_bytes)))
        if not chosen:
            return None
        left_out = len(author.engine.mempool) - len(chosen[0])
        if left_out > 0:
            self.chronicle.reached["statements left for later or stale"] += 1
        block = Decided(height, time_ms, chosen[0], app_hash, self._offence(height))
        return {voter.name: block for voter in voters}

    def _offence(self, height: int) -> int:
        """Now and then evidence of the dishonest validator's double vote comes along."""
        has_evidence = bool(self.options.byzantine) and not self.is_calm and self.rng.random() < 0.05
        if has_evidence:
            self.chronicle.note("evidence of a double vote")
        return height if has_evidence else 0

    def _propose_badly(self, voters: list[Member], empty: Decided) -> dict[str, Decided] | None:
        kind = self.rng.choice(dishonest.KINDS)
        self.chronicle.note(f"dishonest proposal: {kind}")
        if kind == "silence":
            return None
        pending = list(dict.fromkeys(data for voter in voters for data in voter.engine.mempool))
        decided = [data for block in self.audit.decided.values() for data in block.statements]

        def made() -> Decided:
            statements = dishonest.propose(self.rng, kind, pending, decided, self.workload)
            return empty._replace(statements=statements)

        if kind == "two faces":
            return {voter.name: made() for voter in voters}
        block = made()
        return {voter.name: block for voter in voters}

    def _votes_for(self, voter: Member, author: str, block: Decided) -> bool:
        votes: list[bool] = []
        self._guarded(
            voter.name, lambda: votes.append(voter.engine.accepts(block.height, block.time_ms, block.statements))
        )
        if votes == [False]:
            self.chronicle.note("proposal refused", voter.name)
            if author != self.options.byzantine:
                raise Violation(f"4: {voter.name} refuses the honest proposal of {author} at height {block.height}")
        return votes == [True] and voter.is_running

    def _has_reason(self, voters: list[Member], height: int) -> bool:
        """Without a waiting statement, a first block or a changed app hash no engine makes a block."""
        if height == 1 or any(voter.engine.mempool for voter in voters):
            return True
        changed = self.audit.app_hash(height - 1) != self.audit.app_hash(height - 2)
        return changed or (bool(self.options.byzantine) and not self.is_calm and self.rng.random() < 0.2)

    def _apply(self, member: Member, block: Decided) -> None:
        self._guarded(member.name, lambda: member.engine.take(block))

    def _agree(self, member: Member) -> None:
        """Compare what a member has made of blocks since it was last looked at."""
        for height in range(member.compared + 1, member.height + 1):
            member.compared = height
            result = member.disk.results.get(height)
            if result is None:
                continue  # it joined by a snapshot of a later height
            is_first = height not in self.audit.results
            self.audit.compare(member.name, self.audit.decided[height], result)
            if is_first and result.updates:
                self.chronicle.note("validators change", height)
                for key, power in result.updates:
                    self.powers.update({host: power for host in HOSTS if validator_key(host) == key.hex()})

    def _median_time(self, voters: list[Member]) -> int:
        return median_low(self._clock_of(voter.name) for voter in voters)

    def _majority(self) -> list[Member]:
        """Running members that reach each other and have more than two thirds."""
        for group in self.groups or ((*HOSTS, NEWCOMER),):
            running = [self.members[name] for name in group if name in self.members and self.members[name].is_running]
            if self._is_enough([member.name for member in running]):
                return running
        self.chronicle.reached["no part of the network has two thirds"] += 1
        return []

    def _is_enough(self, names: list[str]) -> bool:
        """Whether these have more than two thirds, with the dishonest one, who votes for everything everywhere."""
        power = sum(self.powers.get(name, 0) for name in (*names, self.options.byzantine))
        return 3 * power > 2 * sum(self.powers.values())

    def _is_with(self, name: str, other: str) -> bool:
        return bool(other) and any(name in group and other in group for group in self.groups or ((*HOSTS, NEWCOMER),))

    def _reachable_from(self, name: str) -> list[Member]:
        others = [peer for peer in self.members.values() if peer.is_running and peer.name != name]
        return [peer for peer in others if self._is_with(name, peer.name)]

    # Who learns what.

    def _answer(self) -> None:
        for member in self.members.values():
            member.gateway.look()
        for client in self.clients:
            client.hear()

    def _let_newcomer_join(self) -> None:
        newcomer = self.members.get(NEWCOMER)
        if newcomer is not None and newcomer.height:
            return
        peers = [peer for peer in self.members.values() if peer.is_running and peer.name != NEWCOMER]
        if newcomer is None:
            newcomer = self._make_member(NEWCOMER)
        joined = join_by_snapshot(self.rng, newcomer, peers, self.audit, self.chronicle)
        if joined:
            self.members[NEWCOMER] = newcomer
        else:
            newcomer.close()
            shutil.rmtree(newcomer.folder)

    def _come_to_rest(self) -> None:
        """Once all is answered no block comes, unless something that cannot be included waits in a mempool."""
        before, stuck = self.audit.height, 0
        for _ in range(2):
            self._tick()
        while self.audit.height > before and stuck < REST_BLOCKS_MAX:
            before, stuck = self.audit.height, stuck + 1
            self._tick()
        if not RECHECKS and any(member.engine.mempool for member in self.members.values()):
            self.chronicle.note("kept awake by a statement that cannot be included")
        elif self.audit.height > before:
            raise Violation("7: the chain does not come to rest")
        else:
            self.chronicle.note("at rest")

    def _clear_mempools(self) -> None:
        """Without rechecks what can never be included waits in every mempool, and a restart alone removes it."""
        for name, member in self.members.items():
            if member.is_running and member.engine.mempool:
                self._fall(name, Died("engine", "for an operator, to clear its mempool"))

    def _require_promises(self) -> None:
        self._catch_up()
        for member in self.members.values():
            if member.height != self.audit.height:
                raise Violation(f"5: {member.name} stays behind at {member.height} of {self.audit.height}")
            self.audit.require_kept(member)
            self.audit.require_whole(member)
            self.audit.require_one_check(member)
        if self.watch is not None:
            self.watch.require_one_history()

    # Deaths.

    def _guarded(self, name: str, act: Callable[[], object]) -> None:
        """Let something happen at a member, who may die of it."""
        try:
            act()
        except Died as died:
            self._fall(name, died)
        self._agree(self.members[name])

    def _fall(self, name: str, died: Died) -> None:
        self.chronicle.note(f"{died.what} dies {died.where}", name)
        self.members[name].fall(died.what)

    def _strike(self, where: str) -> None:
        if not self.is_calm and self.rng.randrange(1_000) < self.options.crash_permille:
            raise Died(self.rng.choice(("application", "engine", "both")), where)

    def _breaks(self, name: str) -> str:
        if name in HOSTS and not self.is_calm and may(self.rng, self.options.storage_percent):
            return self.rng.choice(("commit", "middle"))
        return ""

    def _between(self, name: str) -> None:
        """Between FinalizeBlock and Commit the mempool's connection is open: clients and peers may come."""
        member = self.members.get(name)
        if member is None or not member.is_running or self.rng.random() > 0.15:
            return
        client = self.rng.choice(self.clients)
        if client.unanswered:
            self.chronicle.note("sent between FinalizeBlock and Commit", name)
            client.send_between(member)

    def _clock_of(self, name: str) -> int:
        return self.now + self._skews.get(name, 0)

    # Making of.

    def _make_member(self, name: str) -> Member:
        folder = self._folder / name
        folder.mkdir()
        shutil.copyfile(template_folder() / LEDGER_FILE, folder / LEDGER_FILE)
        return Member(name, folder, self._around, self._cast, snapshots=self.options.has_newcomer)

    def _make_client(self, host: str) -> Client:
        orders = list(self.workload.orders[host])
        votes = [order for order in orders if order.kind in ("vote", "proposal")]
        chosen = self.rng.sample(orders, min(self.options.orders, len(orders)))
        if self.options.hostile_percent:
            chosen += [order for order in orders if order.kind == "floor" and order not in chosen]
        if self.has_votes:  # the votes need each other to become a change
            chosen += [order for order in votes if order not in chosen]
        registrations = [host, "short"] if any(order.key == "short" for order in chosen) else [host]
        first = [Order("registration", "root", self.workload.registrations[name]) for name in registrations]
        return Client([*first, *chosen], self.rng, self.chronicle, self.audit)


@lru_cache(maxsize=1)
def template_folder() -> Path:
    """A ledger at genesis, made once and copied for every member."""
    folder = Path(tempfile.mkdtemp(prefix="cellvow-template-", dir=memory_folder()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    genesis = make_workload().genesis
    LedgerStore.create(folder, genesis, begin_chain(genesis, MemoryState())).close()
    return folder


@lru_cache(maxsize=1)
def genesis_request() -> Message:
    """InitChain of the workload's genesis."""
    return init_request(make_workload().genesis)


def memory_folder() -> Path | None:
    """Where files cost no disk, if there is such a place."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
    return shared if shared.is_dir() else None


def run_seed(seed: int, cast: Cast | None = None, options: Options | None = None) -> World:
    """Tell the story of a seed; raises `Violation` with the seed and its options in words."""
    chosen = options or derive_options(seed, HOSTS)
    with ExitStack() as undo:
        folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="cellvow-", dir=memory_folder())))
        world = undo.enter_context(World(chosen, folder, cast or Cast()))
        try:
            return world.play()
        except Violation as violation:
            raise Violation(f"seed {seed}: {violation}; run_seed({seed}) with {chosen}") from violation
