"""`consortium.settings`: what each setting of the profile is worth, found by leaving it out."""

import os
import tomllib
from dataclasses import dataclass
from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_contest import middle
from benchmarks.consortium_load import Loaded, NotCommitted, Pace, load
from benchmarks.consortium_sides import LEDGER, MEMBERS, Plan, Side, without
from benchmarks.consortium_statements import Sayings, prepare
from benchmarks.measured import Found, Part, Table, ratio_of, spread_of
from benchmarks.rendering import number
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import EngineProgram, find_engine
from cellvow.node.cometbft.profile import MAX_PROCS, PROFILE, Setting, SettingValue, fetch_defaults, read_setting

NAME = "consortium.settings"
PER_S, WINDOW_S = 500, 2.0
WINDOWS = 3
"""Runs of each choice, in one life of its members."""
TOGETHER = (
    ("consensus.timeout_commit",),
    ("consensus.skip_timeout_commit",),
    ("consensus.peer_gossip_sleep_duration",),
    ("p2p.flush_throttle_timeout",),
    ("p2p.max_packet_msg_payload_size",),
    ("p2p.send_rate", "p2p.recv_rate"),
    ("tx_index.indexer",),
    ("consensus.timeout_propose",),
)
"""The settings that could matter under load, each left to the engine; rates belong together."""
ONE_PEER = "mempool.experimental_max_gossip_connections_to_persistent_peers"
"""The engine's own value is ours, so its opposite is tried: each engine passes transactions on to one peer only."""
RECHECK = "mempool.recheck"
"""Here too: the opposite never asks again about what waits."""
THREADS = "GOMAXPROCS"


@dataclass(frozen=True, slots=True)
class Choice:
    """The profile but for some settings, and how they read in the table."""

    names: tuple[str, ...]
    ours: str
    other: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class Tried:
    """A choice and its runs; none where the load was not carried."""

    choice: Choice
    loads: tuple[Loaded, ...]


def measure(bench: Bench) -> list[Found]:
    """The row with its table: the profile first and last, each choice between."""
    program = find_engine(os.environ)
    choices = derive_choices(fetch_defaults(program))
    profile = Choice(("the profile",), "", "", Plan(LEDGER))
    tried = [_try(bench, program, choice) for choice in (profile, *choices, profile)]
    kept = [*tried[0].loads, *tried[-1].loads]
    return [_row(kept, Tried(profile, tuple(kept)), tried[1:-1])]


def derive_choices(defaults: str) -> list[Choice]:
    """Every choice that is compared with the profile; `defaults` is the engine's own `config.toml`."""
    document = tomllib.loads(defaults)
    ours = {one.name: one.value for one in PROFILE}
    choices = []
    for names in TOGETHER:
        settings: tuple[Setting, ...] = PROFILE
        for name in names:
            settings = without(settings, name, _own(document, name))
        other = _own(document, names[0])
        choices.append(Choice(names, _text(ours[names[0]]), _text(other), Plan(LEDGER, settings=settings)))
    for name, opposite in ((ONE_PEER, 1), (RECHECK, False)):
        plan = Plan(LEDGER, settings=without(PROFILE, name, opposite))
        choices.append(Choice((name,), _text(ours[name]), _text(opposite), plan))
    choices.append(Choice((THREADS,), str(MAX_PROCS), "the machine's cores", Plan(LEDGER, threads=None)))
    return choices


def find_disagreements(table: Table) -> list[str]:
    """Settings whose value in the table is no longer the profile's: the table is then of another profile."""
    ours = {one.name: _text(one.value) for one in PROFILE} | {THREADS: str(MAX_PROCS)}
    lines = [(cells[0].replace("`", "").split(" and "), cells[1]) for cells in table.lines[1:]]
    return [names[0] for names, value in lines if ours.get(names[0]) != value]


def _own(document: dict[str, object], name: str) -> SettingValue:
    value = read_setting(document, name)
    if not isinstance(value, str | int | bool):
        raise OperationalError(f"this engine has no setting {name}: it is of another line than 0.38")
    return value


def _try(bench: Bench, program: EngineProgram, choice: Choice) -> Tried:
    bench.say(f"{choice.names[0]} {choice.other}")
    sayings, count = Sayings(), bench.size(int(PER_S * WINDOW_S), PER_S // 2)
    with Side(bench.folder("settings"), program, choice.plan) as side:
        try:
            prepare(side, sayings)
            return Tried(choice, tuple(load(side, sayings.singles(count), Pace(PER_S)) for _ in range(WINDOWS)))
        except NotCommitted as late:
            bench.say(str(late))
            return Tried(choice, ())


def _row(kept: list[Loaded], profile: Tried, tried: list[Tried]) -> Found:
    ours = [one.p95_ms for one in kept]
    worst = max((one for one in tried if one.loads), key=_p95)
    return Found(
        name=NAME,
        value=median(ours),
        unit="ms",
        n=len(ours),
        spread=spread_of(ours),
        ratio=ratio_of(ours, [one.p95_ms for one in worst.loads]),
        peer=Part(f"p95 with {worst.choice.names[0]} at {worst.choice.other}, the worst choice", _p95(worst), "ms"),
        goals=(),
        table=Table(
            ("setting", "profile", "tried instead", "p50 ms", "p95 ms", "p95 against the profile", "CPU ms/tx"),
            tuple(_line(one, _p95(profile)) for one in (profile, *tried)),
        ),
        setting=(
            f"p95 from due to committed, {PER_S} statements a second offered to {MEMBERS} members, {WINDOWS} runs of "
            f"{WINDOW_S:g} s for each choice and twice as many for the profile, which is measured first and last; one "
            "setting at a time is given the engine's own value, or the one named, and nothing else changes; `stalled` "
            "is a choice with which statements were left waiting. No goal is set"
        ),
    )


def _line(tried: Tried, profile_ms: float) -> tuple[str, ...]:
    choice = tried.choice
    measured = (
        (
            number(middle(lambda one: one.p50_ms, tried.loads)),
            number(_p95(tried)),
            f"{_p95(tried) / profile_ms:.2f}",
            number(middle(lambda one: one.cpu_ms_each, tried.loads)),
        )
        if tried.loads
        else ("stalled", "-", "-", "-")
    )
    return (
        " and ".join(f"`{name}`" if choice.ours else name for name in choice.names),
        choice.ours or "as it is",
        choice.other or "-",
        *measured,
    )


def _p95(tried: Tried) -> float:
    return middle(lambda one: one.p95_ms, tried.loads)


def _text(value: SettingValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
