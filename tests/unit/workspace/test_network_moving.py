"""A ledger of one writer goes on as a consortium: state and keys carry over, and the old one is closed."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import apsw
import pytest

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.ledger.genesis import Genesis, encode_genesis, parse_genesis
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.fsck import check_ledger
from cellvow.node.home import NodeHome
from cellvow.node.store import LEDGER_FILE, LedgerLocked, LedgerStore
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.network import NetworkPlan
from cellvow.workspace.network_moving import Moved, move_ledger
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.engine_stand_in import make_stand_in
from tests.world import BUYER, MAKER

OLD, NEW = "packs-2026", "packs-2027"
PLAN = NetworkPlan(0, 26_600, NEW)
pytestmark = pytest.mark.slow


@pytest.fixture
def program(tmp_path: Path) -> EngineProgram:
    """What writes the engine's settings."""
    return make_stand_in(tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of one writer with two members and a battery."""
    workspaces = [
        Workspace.create(tmp_path / name, name, f"Invented {name}", (role,))
        for name, role in ((MAKER, "manufacturer"), (BUYER, "operator"))
    ]
    members = tuple(sorted((one.member() for one in workspaces), key=lambda one: one.organisation))
    genesis = parse_genesis(encode_genesis(Genesis(OLD, now_ms(), 1, members)))
    home = NodeHome.create(tmp_path / "node", genesis, "maker.example/log", secrets.token_bytes(32))
    with home.open_session(now_ms) as session:
        for one in workspaces:
            one.join(home.folder)
            commands.enrol(session, one)
        commands.submit_message(session, workspaces[0], messages.model())
        commands.submit_message(session, workspaces[0], messages.battery())
    for one in workspaces:
        one.close()
    return home.folder


def move(ledger: Path, program: EngineProgram, *validators: str, plan: NetworkPlan = PLAN) -> Moved:
    """The network that goes on from it."""
    return move_ledger(ledger.parent / "network", ledger, plan, validators, program)


def test_state_and_keys_carry_over(tmp_path: Path, ledger: Path, program: EngineProgram) -> None:
    """The maker's working key signs on where it stopped counting, and the battery that it registered is handed over."""
    old = LedgerStore.open_reader(ledger)
    height, records = old.head().height, dict(old.records())
    old.close()
    moved = move(ledger, program, MAKER, BUYER)
    folder = moved.network.members[0].ledger
    chain = ReplicatedChain(LedgerStore.open_writer(folder))
    maker = Workspace(tmp_path / MAKER)
    try:
        before = dict(chain.store.records())
        offer = maker.sign(NEW, messages.offer(BUYER), now_ms())
        chain.check(offer.data, now_ms())
        finalized = chain.finalize(height + 1, now_ms(), [offer.data], [])
        chain.commit()

        assert (0,) == finalized.codes
        assert records == {key: before[key] for key in records}
        assert MAKER == decode_record(BatteryRecord, before[battery_key(messages.BATTERY)]).organisation
        assert parse_key_record(before[key_record_key(maker.key().kid)]).public_key == maker.key().public_key.hex()
        assert 1 == check_ledger(chain.store).blocks
    finally:
        maker.close()
        chain.store.close()


def test_the_engines_count_on_from_the_old_ledger(ledger: Path, program: EngineProgram) -> None:
    """Records hold heights: the first block of the new ledger follows the last one of the old."""
    moved = move(ledger, program)
    engine = json.loads((moved.network.members[0].engine / "config" / "genesis.json").read_bytes())

    assert str(moved.predecessor.height + 1) == engine["initial_height"]
    assert moved.network.genesis.predecessor == moved.predecessor
    assert sorted((BUYER, MAKER)) == [home.membership.organisation for home in moved.network.members]
    assert moved.network.trust.read_bytes() == (moved.network.members[1].ledger / "trust.json").read_bytes()


def test_the_old_ledger_is_published_and_closed(ledger: Path, program: EngineProgram) -> None:
    """Its last checkpoint covers all of it; it is read on, written no more, and moved once."""
    moved = move(ledger, program, MAKER)
    home = NodeHome(ledger)
    store = home.open_reader()
    try:
        checked = check_ledger(store)
    finally:
        store.close()

    assert checked.leaves == checked.checkpoint_size == moved.predecessor.log_size
    with pytest.raises(OperationalError, match=f"closed: {NEW} goes on from it"):
        home.open_session(now_ms)
    with pytest.raises(OperationalError, match=f"closed: {NEW} goes on from it"):
        move_ledger(ledger.parent / "twice", ledger, PLAN, (), program)
    assert not (ledger.parent / "twice").exists()


def refused(ledger: Path) -> None:
    """Nothing was made, and the old ledger is open."""
    assert not (ledger.parent / "network").exists()
    NodeHome(ledger).require_open()


def test_a_ledger_that_somebody_writes_is_not_moved(ledger: Path, program: EngineProgram) -> None:
    """What comes after the last state would be lost."""
    with NodeHome(ledger).open_session(now_ms), pytest.raises(LedgerLocked):
        move(ledger, program)
    refused(ledger)


def test_an_altered_record_is_not_carried_over(ledger: Path, program: EngineProgram) -> None:
    """The old ledger is replayed first: a new genesis would make the forgery true."""
    connection = apsw.Connection(str(ledger / LEDGER_FILE))
    altered = "CAST(replace(CAST(value AS TEXT), 'NP-33', 'NP-34') AS BLOB)"
    connection.execute(f"UPDATE record SET value = {altered} WHERE key LIKE 'model/%'")  # noqa: S608 - our own text
    changed = connection.changes()
    connection.close()

    assert changed
    with pytest.raises(VerificationError):
        move(ledger, program)
    refused(ledger)


@pytest.mark.parametrize(
    ("plan", "validators", "reason"),
    [
        (NetworkPlan(0, 26_600, OLD), (), "another"),
        (PLAN, ("stranger",), "stranger cannot validate"),
        (PLAN, (MAKER, MAKER), "named twice"),
        (NetworkPlan(0, 26_600, NEW, ("one",)), (), "1 hosts are named for 2"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(
    ledger: Path, program: EngineProgram, plan: NetworkPlan, validators: tuple[str, ...], reason: str
) -> None:
    """Neither the new ledger nor the old."""
    with pytest.raises(Malformed, match=reason):
        move(ledger, program, *validators, plan=plan)
    refused(ledger)
