"""Bootstrap files, and the homes made from them: what is checked before anything is made, and what never comes back."""

from __future__ import annotations

import fcntl
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.member import LOCK_FILE, MEMBER_FILE, MemberHome
from cellvow.node.snapshot import list_snapshots
from cellvow.workspace.network import Network, NetworkPlan, found_network
from cellvow.workspace.network_joining import (
    FORMAT,
    Bootstrap,
    Joined,
    Place,
    encode_bootstrap,
    join_network,
    parse_bootstrap,
    read_validator_keys,
    replace_member,
    write_bootstrap,
)
from cellvow.workspace.workspace import Workspace
from tests.engine_stand_in import make_stand_in
from tests.unit.node.cometbft.test_rpc import RECORDED, ScriptedEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
ANY = Place("127.0.0.1", 0)


@pytest.fixture
def program(tmp_path: Path) -> EngineProgram:
    """What writes the engine's settings."""
    return make_stand_in(tmp_path)


@pytest.fixture
def network(tmp_path: Path, program: EngineProgram) -> Network:
    """Two members that do not run."""
    return found_network(tmp_path / "network", NetworkPlan(2, 26_600, "packs-2026"), program)


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    """An engine that says what a test has written down."""
    scripted = ScriptedEngine()
    yield scripted
    scripted.stop()


def status(height: int) -> dict[str, object]:
    """The answer of an engine that stands at this height."""
    recorded = json.loads(json.dumps(RECORDED["status"]))
    recorded["sync_info"]["latest_block_height"] = str(height)
    recorded["sync_info"]["catching_up"] = False
    return dict(recorded)


@pytest.fixture
def inviting(network: Network, engine: ScriptedEngine) -> MemberHome:
    """The first member, its engine being the scripted one."""
    home = network.members[0]
    document = json.loads((home.folder / MEMBER_FILE).read_bytes())
    document["rpc_port"] = engine.server.server_address[1]
    (home.folder / MEMBER_FILE).write_text(json.dumps(document), encoding="utf-8")
    return MemberHome(home.folder)


def invite(inviting: MemberHome, engine: ScriptedEngine, path: Path) -> Bootstrap:
    """The bootstrap file of a ledger whose engine stands at block 7; its snapshot is called one of block 5."""
    engine.will_answer(status(7))
    written = write_bootstrap(inviting, path, (engine.url, engine.url))
    path.write_bytes(encode_bootstrap(replace(written, snapshot_height=5)))
    return parse_bootstrap(path.read_bytes())


def newcomer(folder: Path) -> Path:
    """A folder with a workspace in it."""
    Workspace.create(folder / "workspace", "fleet", "Invented Fleet", ("operator",)).close()
    return folder


def test_a_bootstrap_file_names_all_a_newcomer_needs(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine
) -> None:
    """Genesis, peers, a block to trust, the validators, and a snapshot that lies ready."""
    bootstrap = invite(inviting, engine, tmp_path / "bootstrap.json")

    assert [0] == [one.height for one in list_snapshots(inviting.ledger / "snapshots")]
    assert (7, 2) == (bootstrap.trust_height, len(bootstrap.peers))
    assert f"{inviting.membership.node_id}@127.0.0.1:26600" in bootstrap.peers
    assert {("packmaker", inviting.validator_key)} < set(bootstrap.validators)
    assert (inviting.validator_key,) == read_validator_keys(inviting, "packmaker")
    assert () == read_validator_keys(inviting, "recycler")
    assert inviting.validator_key.encode() in (tmp_path / "bootstrap.json").read_bytes()


def test_a_bootstrap_file_names_two_engines(inviting: MemberHome) -> None:
    """One alone could tell the newcomer of another chain."""
    with pytest.raises(OperationalError, match="asks two engines"):
        write_bootstrap(inviting, inviting.folder / "bootstrap.json")


def test_a_newcomer_has_keys_of_its_own_and_begins_with_the_snapshot(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """Its engine has the others' genesis and names the block to trust; its workspace works on its ledger."""
    bootstrap = invite(inviting, engine, tmp_path / "bootstrap.json")
    engine.will_answer(status(7))
    joined = join_network(newcomer(tmp_path / "member-3"), tmp_path / "bootstrap.json", ANY, program)
    settings = (joined.home.engine / "config" / "config.toml").read_text(encoding="utf-8")
    workspace = Workspace(joined.home.workspace)

    assert (5, ()) == (joined.snapshot_height, joined.former_keys)
    assert joined.home.validator_key not in dict(bootstrap.validators).values()
    assert f'trust_hash = "{bootstrap.trust_hash}"' in settings
    assert "trust_height = 7" in settings
    assert (inviting.engine / "config" / "genesis.json").read_bytes() == (
        joined.home.engine / "config" / "genesis.json"
    ).read_bytes()
    assert joined.home.ledger == workspace.home().folder
    workspace.close()


def test_a_snapshot_that_the_chain_has_not_passed_is_waited_for(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """The newcomer's engine would refuse it, and never ask for it again."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    engine.will_answer(status(6))
    with pytest.raises(OperationalError, match="from block 7 on"):
        join_network(newcomer(tmp_path / "member-3"), tmp_path / "bootstrap.json", ANY, program)

    assert not (tmp_path / "member-3" / MEMBER_FILE).exists()


def replaced(tmp_path: Path, home: MemberHome, program: EngineProgram) -> Joined:
    """The member in its folder, made anew with the history of all blocks."""
    return replace_member(home.folder, tmp_path / "bootstrap.json", None, program, with_history=True)


def test_a_replaced_member_never_has_its_old_validator_key(
    tmp_path: Path, network: Network, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """Nor what its validator remembered; its addresses and its name among peers stay."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    lost = network.members[1]
    old_key = lost.validator_key
    (lost.engine / "data" / "priv_validator_state.json").write_text('{"height": "9"}', encoding="ascii")
    joined = replaced(tmp_path, lost, program)
    state = json.loads((joined.home.engine / "data" / "priv_validator_state.json").read_bytes())

    assert (old_key,) == joined.former_keys
    assert old_key != joined.home.validator_key
    assert "0" == state["height"]
    assert replace(lost.membership, peers=()) == replace(joined.home.membership, peers=())
    assert joined.set_aside == lost.folder / "before-1"
    assert "enable = false" in (joined.home.engine / "config" / "config.toml").read_text(encoding="utf-8")
    assert replaced(tmp_path, lost, program).set_aside == lost.folder / "before-2"


def test_a_lost_folder_is_made_anew_around_a_restored_workspace(
    tmp_path: Path, network: Network, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """Nothing else of it has to be left."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    lost = network.members[1]
    shutil.copytree(lost.workspace, tmp_path / "backup")
    shutil.rmtree(lost.folder)
    shutil.copytree(tmp_path / "backup", lost.workspace)
    joined = replaced(tmp_path, lost, program)

    assert (None, "carmaker") == (joined.set_aside, joined.home.membership.organisation)
    assert lost.membership.node_id != joined.home.membership.node_id


def test_a_running_member_is_not_replaced(
    tmp_path: Path, network: Network, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """It is told to stop it first; nothing was moved."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    lost = network.members[1]
    with (lost.folder / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OperationalError, match="cellvow network stop"):
            replaced(tmp_path, lost, program)

    assert lost.membership == MemberHome(lost.folder).membership


def test_a_member_does_not_join_twice_and_none_joins_without_a_workspace(
    tmp_path: Path, network: Network, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """Both are told what to do."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    with pytest.raises(OperationalError, match="cellvow network replace"):
        join_network(network.members[1].folder, tmp_path / "bootstrap.json", ANY, program)
    with pytest.raises(OperationalError, match="cellvow init workspace"):
        join_network(tmp_path / "empty", tmp_path / "bootstrap.json", ANY, program, with_history=True)
    with pytest.raises(OperationalError, match="is missing"):
        join_network(tmp_path / "empty", tmp_path / "nowhere.json", ANY, program)


def test_a_bootstrap_file_to_two_ledgers_is_refused(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine
) -> None:
    """The engine would follow one, and the ledger begin with the other."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    document = json.loads((tmp_path / "bootstrap.json").read_bytes())
    other = json.loads(json.dumps(document))
    other["engine_genesis"]["app_state"]["cellvow_genesis"] = "00" * 32

    assert parse_bootstrap(json.dumps(document).encode()).genesis.chain_id == "packs-2026"
    with pytest.raises(Malformed, match="two ledgers"):
        parse_bootstrap(json.dumps(other).encode())


@pytest.mark.parametrize("lost", ["format", "genesis", "engine_genesis", "peers", "rpc_servers", "trust_hash"])
def test_an_incomplete_bootstrap_file_is_refused(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine, lost: str
) -> None:
    """Whatever is missing."""
    invite(inviting, engine, tmp_path / "bootstrap.json")
    document = json.loads((tmp_path / "bootstrap.json").read_bytes())
    del document[lost]
    with pytest.raises(Malformed, match="no bootstrap file"):
        parse_bootstrap(json.dumps(document).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"format": "another/1"}', b'{"format": "%s"}' % FORMAT.encode()]
)
def test_another_file_is_no_bootstrap_file(content: bytes) -> None:
    """In words."""
    with pytest.raises(Malformed, match="no bootstrap file"):
        parse_bootstrap(content)


def test_records_that_are_not_those_named_are_refused(
    tmp_path: Path, inviting: MemberHome, engine: ScriptedEngine, program: EngineProgram
) -> None:
    """On a ledger that goes on from another, a second file lies beside the bootstrap file."""
    named = replace(invite(inviting, engine, tmp_path / "bootstrap.json"), inherited_sha256="00" * 32)
    (tmp_path / "bootstrap.json").write_bytes(encode_bootstrap(named))
    (tmp_path / "bootstrap.json.inherited").write_bytes(b"")
    with pytest.raises(VerificationError, match="not the file that the bootstrap file names"):
        join_network(newcomer(tmp_path / "member-3"), tmp_path / "bootstrap.json", ANY, program, with_history=True)
