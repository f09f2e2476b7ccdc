"""What strangers and broken disks hand to members: refused or diagnosed in words, and nothing lost."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import CellvowError
from cellvow.core.primitives.limits import STATEMENT_BYTES_MAX
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.home import NodeHome
from cellvow.node.store import LEDGER_FILE
from cellvow.workspace.network import describe_member
from tests.fire.network import FireNetwork
from tests.fire.scenarios import make_engine_home, truncate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cellvow.node.cometbft.member import MemberHome
    from tests.fire.namespaces import Fabric

    Tell = Callable[[str, object], None]

pytestmark = [pytest.mark.cometbft, pytest.mark.network, pytest.mark.explore]
FLOOD_S = 10.0
COMMIT_S_MAX = 5.0
"""Within what honest statements are committed while strangers flood a member; the figure is the benchmark's."""
SETTLED_S_MAX = 60.0


@contextmanager
def flooding(home: MemberHome, transactions: Sequence[bytes], threads: int = 2) -> Iterator[list[int]]:
    """Threads that offer these and random bytes to a member, as fast as it answers; how often, in the list's place."""
    ending, sent = threading.Event(), [0] * threads

    def flood(place: int) -> None:
        rpc, chance = EngineRpc(home.membership.addresses.rpc_url, 5.0), random.Random(place)
        while not ending.is_set():
            with suppress(CellvowError):
                rpc.broadcast_tx_sync(chance.choice([*transactions, chance.randbytes(700)]))
            sent[place] += 1
        rpc.close()

    running = [threading.Thread(target=flood, args=(place,), daemon=True) for place in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield sent
    finally:
        ending.set()
        for thread in running:
            thread.join()


def test_garbage_oversize_and_replays_hold_up_no_honest_statement(fire: FireNetwork, record_property: Tell) -> None:
    """Honest statements are committed within a bound meanwhile, none is lost, and none of the replayed counts twice."""
    fire.await_(lambda: len(fire.acknowledged) > 20, "some statements to replay")
    store = NodeHome(fire.members[0].ledger).open_reader()
    known = [store.statement_of_txid(one.receipted.txid) for one in fire.acknowledged[:20]]
    store.close()
    replays = [one.statement.data for one in known if one is not None]
    oversized = bytes(STATEMENT_BYTES_MAX + 1)
    began_s = time.monotonic()
    with flooding(fire.members[0], [*replays, oversized]) as sent:
        fire.last(FLOOD_S)
        waits = sorted(one.at_s - one.offered_s for one in fire.acknowledged if one.offered_s >= began_s)
    fire.judge()
    median, most = waits[len(waits) // 2], waits[-1]
    record_property(
        "measured", f"under fire: {sum(sent)} bad ones in {FLOOD_S:.0f} s: honest {median:.2f} s, most {most:.2f} s"
    )
    assert COMMIT_S_MAX > most


def test_a_peer_of_another_chain_is_turned_away(fire: FireNetwork, fabric: Fabric, tmp_path: Path) -> None:
    """Its engine may knock as often as it likes."""
    with FireNetwork(tmp_path / "other", fabric, members=1) as other:
        stranger = other.members[0]
        document = json.loads((stranger.engine / "config" / "genesis.json").read_bytes())
        (stranger.engine / "config" / "genesis.json").write_text(json.dumps({**document, "chain_id": "other-2026"}))
        _introduce(stranger, fire)
        other.start(stranger)
        fire.await_(lambda: bool(other.reason(stranger)), "the stranger to be told", SETTLED_S_MAX)
        assert "genesis" in other.reason(stranger)
    fire.judge()
    assert [3] * 4 == [describe_member(home).peers for home in fire.members]


def test_a_genesis_of_ones_own_makes_nobody_a_member(fire: FireNetwork, fabric: Fabric, tmp_path: Path) -> None:
    """Same name, other founders: it connects, follows nothing of ours, and changes nothing."""
    with FireNetwork(tmp_path / "other", fabric, members=1) as other:
        impostor = other.members[0]
        _introduce(impostor, fire)
        other.start(impostor)
        fire.await_(lambda: (describe_member(impostor).height or 0) > 0, "its own first block", SETTLED_S_MAX)
        fire.go_on()
        fire.last(5.0)
        fire.judge()
        ours = {describe_member(home).app_hash for home in fire.members}
        assert describe_member(impostor).app_hash not in ours


def _introduce(stranger: MemberHome, fire: FireNetwork) -> None:
    """Let a stranger's engine call our members."""
    peers = ",".join(
        f"{one.membership.node_id}@{fire.places[one.label].address}:{one.membership.p2p_port}" for one in fire.members
    )
    path = stranger.engine / "config" / "config.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('persistent_peers = ""', f'persistent_peers = "{peers}"'), encoding="utf-8")


def test_an_engine_with_another_genesis_file_than_its_ledger_is_refused_in_words(fire: FireNetwork) -> None:
    """Two members cannot hold the genesis differently and not notice."""
    odd = make_engine_home(fire, fire.members[3], "odd")
    path = odd.engine / "config" / "genesis.json"
    document = json.loads(path.read_bytes())
    document["app_state"]["cellvow_genesis"] = "00" * 32
    path.write_text(json.dumps(document), encoding="ascii")
    fire.start(odd)
    fire.await_(lambda: bool(fire.reason(odd)), "a sentence", SETTLED_S_MAX)

    said = odd.application_log.read_text(encoding="utf-8")
    assert "the engine's genesis is of another ledger" in said
    fire.stop(odd)
    fire.judge()


def test_a_truncated_log_or_database_is_mended_or_named(fire: FireNetwork, record_property: Tell) -> None:
    """Cut at a sample of bytes: the member is back with all it had, or stays down with a sentence; others go on."""
    victim, aside = fire.members[3], fire.members[3].folder / "aside"
    files = (victim.engine / "data" / "cs.wal" / "wal", victim.ledger / LEDGER_FILE)
    told: dict[str, list[str]] = {"mended": [], "named": []}
    for path in files:
        for share in (0, 10, 50, 90, 99):
            fire.become_still()
            fire.stop(victim)
            for part in (victim.engine, victim.ledger):
                shutil.copytree(part, aside / part.name)
            truncate(path, path.stat().st_size * share // 100)
            fire.start(victim)
            fire.left_alone.add(victim.label)
            fire.go_on()
            fire.await_(lambda: has_settled(fire, victim), f"{path.name} cut at {share} %", SETTLED_S_MAX)
            reason = fire.reason(victim)
            told["named" if reason else "mended"].append(f"{path.name} {share} %")
            assert reason or fire.is_back(0.0)
            if reason:
                fire.stop(victim)
                for part in (victim.engine, victim.ledger):
                    shutil.rmtree(part)
                    shutil.copytree(aside / part.name, part)
                fire.start(victim)
            fire.left_alone.clear()
            shutil.rmtree(aside)
            fire.judge()
    record_property("measured", f"under fire: truncated and mended: {told['mended']}; named: {told['named']}")


def has_settled(fire: FireNetwork, victim: MemberHome) -> bool:
    """Whether a member is where the others are, or has said why not."""
    state = describe_member(victim)
    others = [describe_member(home).height or 0 for home in fire.members[:3]]
    is_up = state.app_hash is not None and not state.is_catching_up and (state.height or 0) >= min(others)
    return bool(state.reason) or is_up
