"""The trial of a network: founded, run, used, one member killed and back again, and a proof that needs none of them."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cellvow.core.contracts.battery import RegisterModel
from cellvow.core.primitives.errors import OperationalError, ensure
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.member import MemberHome
from cellvow.node.cometbft.supervisor import read_report
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.verify.archive import write_archive as write_verifier
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.network import (
    Network,
    NetworkPlan,
    RunningNetwork,
    await_condition,
    clear_network,
    common_hashes,
    describe_member,
    found_network,
    split_app_hash,
    stored_height,
)
from cellvow.workspace.sharing import Wanted, export_bundle
from cellvow.workspace.workspace import Workspace

Report = Callable[[str], None]
"""Takes one line for the person who watches."""
Act = Callable[[LedgerSession, Workspace], Receipted]
"""Signs and submits one statement."""

MEMBERS_MIN = 4
"""Fewer validators cannot do without one: with three, two are not more than two thirds."""
GTIN = "09506000134376"
BATTERY = f"01/{GTIN}/21/TRIAL-0001"
HANDED_OVER = ("custody", "ownership", "responsibility")
BUNDLE_FILE, VERIFIER_FILE = "proof.cvb", "cellvow-verify.pyz"
CATCH_UP_S_MAX = 30.0
"""How long a member that was away may take to be where the others are."""
GONE_S_MAX = 10.0
"""How long the processes of a killed member may take to be gone."""


@dataclass
class Trial:
    """What came of it: the files for a verifier, and the figures that were measured."""

    folder: Path
    network: Network
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def bundle(self) -> Path:
        """The proof that the network gave."""
        return self.folder / BUNDLE_FILE

    @property
    def verifier(self) -> Path:
        """The offline verifier as one file."""
        return self.folder / VERIFIER_FILE


def clear_trial(folder: Path) -> None:
    """Delete an earlier trial; refuses any other folder."""
    clear_network(folder, (BUNDLE_FILE, VERIFIER_FILE))


def run_trial(folder: Path, plan: NetworkPlan, environ: Mapping[str, str], report: Report) -> Trial:
    """Run the whole trial into an empty folder and stop every member; what it made is left there to be looked at."""
    if plan.members < MEMBERS_MIN:
        raise OperationalError(
            f"a trial kills a member, and goes on with {MEMBERS_MIN} or more: not with {plan.members}"
        )
    program = find_engine(environ)
    began_s = time.monotonic()
    trial = Trial(folder, found_network(folder, plan, program))
    _tell_founding(trial, report)
    with RunningNetwork(trial.network, environ) as running:
        report(f"2  Each runs an application and an engine of its own (cometbft {program.version_text}).")
        running.start_all()
        _tell_states(trial, report)
        with_battery = _use(trial, report)
        _kill_one(trial, running, report)
        _come_back(trial, running, report)
        _prove(trial, with_battery, report)
    report("7  All members are stopped.")
    trial.figures["seconds"] = round(time.monotonic() - began_s)
    return trial


def _tell_founding(trial: Trial, report: Report) -> None:
    genesis, count = trial.network.genesis, len(trial.network.members)
    report(f"1  {count} invented organisations make their keys; one genesis names their validators.")
    for home in trial.network.members:
        report(f"     {home.label}: {home.membership.name} ({home.membership.organisation})")
    report(f"     Their ledger {genesis.chain_id} starts with genesis {genesis.digest.hex()[:16]}...")
    report("     Organisations are invented for this trial. On one machine: mechanism, not independence.")


def _tell_states(trial: Trial, report: Report) -> None:
    height, hashes = common_hashes(trial.network)
    _require_agreement(hashes)
    leaves, root = split_app_hash(next(iter(hashes.values())))
    report(f"     At height {height} all {len(hashes)} have the same log: {leaves} long, root {root[:16]}...")


def _use(trial: Trial, report: Report) -> Receipted:
    """Keys, a model, a battery and a hand-over: each statement by way of its signer's own member."""
    report("3  Each registers its working key, signed by its root key, through its own member.")
    for home in trial.network.members:
        _through(home, commands.enrol)
    maker, buyer = trial.network.members[:2]
    model = RegisterModel(
        gtin=GTIN,
        category="ev",
        model="Trial cell",
        chemistry="LMO/LNO-graphite",
        rated_capacity_mah=33_100,
        nominal_voltage_mv=3_750,
        voltage_min_mv=3_000,
        voltage_max_mv=4_200,
        mass_g=800,
    )
    _through(maker, lambda session, workspace: commands.register_model(session, workspace, model))
    began_s = time.monotonic()
    registered = _through(
        maker,
        lambda session, workspace: commands.register_battery(
            session, workspace, BATTERY, "2026-05-17", "Invented plant 1"
        ),
    )
    trial.figures["commit_ms"] = round((time.monotonic() - began_s) * 1000)
    report(f"     {maker.membership.organisation} registers {BATTERY}: committed in block {registered.height}.")
    _hand_over(maker, buyer)
    report(f"     {maker.membership.organisation} hands it over to {buyer.membership.organisation}; both sides sign.")
    _tell_states(trial, report)
    return registered


def _kill_one(trial: Trial, running: RunningNetwork, report: Report) -> None:
    victim, (first, second) = trial.network.members[-1], trial.network.members[:2]
    known = read_report(victim.folder)
    running.kill(victim)
    pids = [] if known is None else [pid for pid in (known.application, known.engine) if pid is not None]
    await_condition(
        lambda: not any(_is_alive(pid) for pid in pids), f"the processes of {victim.label} to be gone", GONE_S_MAX
    )
    report(f"4  {victim.label} is killed ({signal.SIGKILL.name}); the others go on.")
    began_s = time.monotonic()
    _hand_over(second, first)
    trial.figures["without_one_ms"] = round((time.monotonic() - began_s) * 1000)
    height, hashes = common_hashes(trial.network)
    ensure(victim.label not in hashes, f"{victim.label} was killed, and answers")
    report(
        f"     The battery is handed back meanwhile: height {height}, {len(hashes)} of {_count(trial)} members agree."
    )


def _come_back(trial: Trial, running: RunningNetwork, report: Report) -> None:
    victim = trial.network.members[-1]
    target = max(state.height or 0 for state in map(describe_member, trial.network.members))
    began_s = time.monotonic()
    running.start(victim)

    def has_caught_up() -> bool:
        if running.ended(victim):
            raise OperationalError(f"{victim.label} did not come back: see its logs in {victim.engine_log.parent}")
        height, hashes = common_hashes(trial.network)
        return len(hashes) == _count(trial) and height >= target

    await_condition(has_caught_up, f"{victim.label} to be at height {target}", CATCH_UP_S_MAX)
    trial.figures["caught_up_ms"] = round((time.monotonic() - began_s) * 1000)
    report(f"5  {victim.label} is started again, and is where the others are after {trial.figures['caught_up_ms']} ms.")
    _tell_states(trial, report)


def _prove(trial: Trial, registered: Receipted, report: Report) -> None:
    """The bundle comes from the member that was away: any of them can give it."""
    giver = trial.network.members[-1]
    with _opened(giver) as (session, _):
        session.publish()
        wanted = Wanted(registered.digest, 0, (), session.engine.state)
        trial.bundle.write_bytes(export_bundle(session.store, None, wanted))
    write_verifier(trial.verifier)
    size = trial.bundle.stat().st_size
    trial.figures["bundle_bytes"] = size
    report(f"6  {giver.label} gives the proof of the battery's registration: {size} bytes, vouched for by validators.")


def _hand_over(giver: MemberHome, taker: MemberHome) -> None:
    """Offered through the one's member, accepted through the other's, once that has the offer."""
    to = taker.membership.organisation
    offered = _through(
        giver,
        lambda session, workspace: commands.offer_handover(session, workspace, BATTERY, to, HANDED_OVER),
    )
    await_condition(
        lambda: (stored_height(taker) or 0) >= offered.height,
        f"{taker.label} to have block {offered.height}",
        CATCH_UP_S_MAX,
    )
    _through(taker, lambda session, workspace: commands.answer_handover(session, workspace, BATTERY, "accept"))


def _through(home: MemberHome, act: Act) -> Receipted:
    """Do one thing with a member's own workspace, through its own engine."""
    with _opened(home) as (session, workspace):
        return act(session, workspace)


@contextmanager
def _opened(home: MemberHome) -> Iterator[tuple[LedgerSession, Workspace]]:
    """A member's session and workspace for the length of a block."""
    workspace = Workspace(home.workspace)
    try:
        with workspace.home().open_session(now_ms) as session:
            yield session, workspace
    finally:
        workspace.close()


def _require_agreement(hashes: Mapping[str, str]) -> None:
    if len(set(hashes.values())) > 1:
        said = ", ".join(f"{label} {value[:16]}" for label, value in hashes.items())
        raise OperationalError(f"the members do not agree at one height: {said}")


def _count(trial: Trial) -> int:
    return len(trial.network.members)


def _is_alive(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
