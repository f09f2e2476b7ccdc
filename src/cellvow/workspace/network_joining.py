"""A member that comes later, or comes back after it lost its disk: its bootstrap file, and a home made from it.

A bootstrap file is JSON, and holds no secret: both genesis documents, the members to connect to, two engines
that tell about blocks, one block to trust, the snapshot to begin with, and who validates now. Whoever joins takes the
genesis in it as given: so it comes from a member one trusts, by a way one trusts.

On a ledger that goes on from another, the records it began with lie in a second file beside it.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cellvow.core.ledger.genesis import Genesis, encode_genesis, parse_genesis
from cellvow.core.ledger.validator import VALIDATORS_KEY, parse_validators
from cellvow.core.primitives.encoding import encode_document
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.node.archive_format import encode_inherited, parse_inherited
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.member import (
    APP_STATE_FIELD,
    CONFIG,
    ENGINE,
    ENGINE_GENESIS_FILE,
    LEDGER,
    LOGS,
    MEMBER_FILE,
    NODE_KEY_FILE,
    SEED_LENGTH,
    STATUS_FILE,
    WORKSPACE,
    EngineKeys,
    MemberHome,
    Membership,
    read_membership,
)
from cellvow.node.cometbft.profile import PROFILE, Setting, StateSync, fetch_defaults, render_settings
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.cometbft.statesync import KEEP, SNAPSHOTS_FOLDER
from cellvow.node.cometbft.supervisor import is_supervised
from cellvow.node.durability import translated, write_whole
from cellvow.node.home import NodeHome
from cellvow.node.inheritance import read_inherited
from cellvow.node.snapshot import SnapshotReader, prune_snapshots
from cellvow.node.store import LedgerStore
from cellvow.workspace.network import PORTS_PER_MEMBER, RPC_TIMEOUT_S, choose_ports
from cellvow.workspace.settings import write_settings
from cellvow.workspace.workspace import Workspace

FORMAT = "cellvow-bootstrap/1"
INHERITED_SUFFIX = ".inherited"
BLOCKS_AFTER_SNAPSHOT = 2
"""A newcomer's engine asks for this many headers after the snapshot's block before it takes it."""
RPC_SERVERS_MIN = 2
"""One engine alone could tell a newcomer of another chain."""
SET_ASIDE = "before"
"""What is left of a member that is replaced lies in `before-1`, `before-2` and so on."""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a newcomer begins with."""

    genesis: Genesis
    engine_genesis: Mapping[str, object]
    peers: tuple[str, ...]
    """As `node-id@host:port`."""
    rpc_servers: tuple[str, ...]
    """As `http://host:port`; reached once, while the newcomer takes the snapshot."""
    trust_height: int
    trust_hash: str
    snapshot_height: int
    validators: tuple[tuple[str, str], ...]
    """(organisation, public key) of those that validated when it was written."""
    inherited_sha256: str | None = None
    """Of the file beside it, on a ledger that goes on from another."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the new member is reached: the host by which others know it, and the first of its two ports, 0 any."""

    host: str
    base_port: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A home made for a newcomer; it validates once the members have voted its key in."""

    home: MemberHome
    snapshot_height: int | None
    """The block that it begins with; None where it replays every block."""
    former_keys: tuple[str, ...]
    """Keys with which its organisation validates already: to be voted out where they are lost."""
    set_aside: Path | None = None


# The member that invites


def write_bootstrap(home: MemberHome, path: Path, rpc_servers: Sequence[str] = ()) -> Bootstrap:
    """Make a snapshot of the running member's ledger, and the bootstrap file that names it; return that.

    Without `rpc_servers` they are this member's engine and that of another member in the same folder. Raises
    `OperationalError` where the member does not run or only one engine is known.
    """
    servers = tuple(rpc_servers) or _servers(home)
    if len(servers) < RPC_SERVERS_MIN:
        raise OperationalError(
            "a newcomer asks two engines, so that none alone can deceive it: name the address of another member's with "
            "--rpc, as the newcomer reaches it"
        )
    rpc = EngineRpc(home.membership.addresses.rpc_url, RPC_TIMEOUT_S)
    try:
        status = rpc.status()
    finally:
        rpc.close()
    if status.is_catching_up:
        raise OperationalError(f"{home.label} is catching up: invite when it is where the others are")
    snapshots = home.ledger / SNAPSHOTS_FOLDER
    with SnapshotReader.pin(home.ledger) as reader:
        snapshot = reader.write(snapshots)
    prune_snapshots(snapshots, KEEP)
    store = NodeHome(home.ledger).open_reader()
    try:
        genesis, inherited, validators = store.genesis(), read_inherited(store), _validators(store)
    finally:
        store.close()
    records = None if inherited is None else encode_inherited(inherited)
    bootstrap = Bootstrap(
        genesis,
        json.loads((home.engine / CONFIG / ENGINE_GENESIS_FILE).read_bytes()),
        _peers(home),
        servers,
        status.height,
        status.block_hash.hex(),
        snapshot.height,
        validators,
        None if records is None else hashlib.sha256(records).hexdigest(),
    )
    with translated(f"the bootstrap file cannot be written to {path}"):
        if records is not None:
            write_whole(_inherited_path(path), records)
        write_whole(path, encode_bootstrap(bootstrap))
    return bootstrap


def read_validator_keys(home: MemberHome, organisation: str) -> tuple[str, ...]:
    """The keys with which an organisation validates now, as the member's ledger has it; none where it does not."""
    store = NodeHome(home.ledger).open_reader()
    try:
        return tuple(key for name, key in _validators(store) if name == organisation)
    finally:
        store.close()


def _validators(store: LedgerStore) -> tuple[tuple[str, str], ...]:
    return tuple((one.organisation, one.public_key) for one in parse_validators(store.get(VALIDATORS_KEY) or b""))


def _siblings(home: MemberHome) -> list[MemberHome]:
    """The other members whose homes lie beside this one: those of a trial."""
    found = sorted(home.folder.parent.glob(f"member-*/{MEMBER_FILE}"))
    return [MemberHome(path.parent) for path in found if path.parent.name != home.label]


def _servers(home: MemberHome) -> tuple[str, ...]:
    running = [one for one in _siblings(home) if is_supervised(one.folder)]
    return tuple(one.membership.addresses.rpc_url for one in (home, *running[:1]))


def _peers(home: MemberHome) -> tuple[str, ...]:
    """This member and all it knows; of members beside it their present names, since a replaced one has another."""
    known = {peer.partition("@")[2]: peer for peer in home.membership.peers}
    for one in (home, *_siblings(home)):
        address = f"{one.membership.host}:{one.membership.p2p_port}"
        known[address] = f"{one.membership.node_id}@{address}"
    return tuple(known.values())


def encode_bootstrap(bootstrap: Bootstrap) -> bytes:
    """The file, to be read by people too."""
    document = asdict(bootstrap)
    document["genesis"] = json.loads(encode_genesis(bootstrap.genesis))
    return json.dumps({"format": FORMAT, **document}, indent=2).encode("ascii") + b"\n"


def parse_bootstrap(content: bytes) -> Bootstrap:
    """A bootstrap file's content; raises `Malformed`, also where it names two ledgers."""
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise Malformed("the file is no bootstrap file that this version knows: ask the member for a new one")
        bootstrap = _read_fields(document)
        stated = document["engine_genesis"]["app_state"][APP_STATE_FIELD], document["engine_genesis"]["chain_id"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed("the file is no bootstrap file: `cellvow network invite` writes one") from error
    if stated != (bootstrap.genesis.digest.hex(), bootstrap.genesis.chain_id):
        raise Malformed("the bootstrap file names two ledgers: its engine's genesis is not of the genesis beside it")
    if min(bootstrap.trust_height, bootstrap.snapshot_height) < 1 or len(bootstrap.rpc_servers) < RPC_SERVERS_MIN:
        raise Malformed("the bootstrap file names no block to trust, or fewer than two engines: ask for a new one")
    return bootstrap


def _read_fields(document: Mapping[str, Any]) -> Bootstrap:
    inherited = document["inherited_sha256"]
    return Bootstrap(
        genesis=parse_genesis(encode_document(document["genesis"])),
        engine_genesis=document["engine_genesis"],
        peers=tuple(map(str, document["peers"])),
        rpc_servers=tuple(map(str, document["rpc_servers"])),
        trust_height=int(document["trust_height"]),
        trust_hash=str(document["trust_hash"]),
        snapshot_height=int(document["snapshot_height"]),
        validators=tuple((str(name), str(key)) for name, key in document["validators"]),
        inherited_sha256=None if inherited is None else str(inherited),
    )


# The member that comes


def join_network(
    folder: Path, file: Path, place: Place, program: EngineProgram, *, with_history: bool = False
) -> Joined:
    """Make a member's home, with keys of its own, beside the workspace that is in the folder already.

    It begins with the snapshot; `with_history` it replays every block since genesis instead, which takes longer, and
    then it can export archives. Raises `OperationalError` where there is no workspace, a member already, or the
    snapshot cannot be taken yet; `Malformed` or `VerificationError` for a bad bootstrap file.
    """
    if (folder / MEMBER_FILE).exists():
        raise OperationalError(
            f"{folder} holds a member already: `cellvow network replace` gives it a new home and key"
        )
    return _make_home(folder, file, place, program, (_new_keys(), with_history))


def replace_member(
    folder: Path, file: Path, place: Place | None, program: EngineProgram, *, with_history: bool = False
) -> Joined:
    """Make a member's home anew with a new validator key, as `join_network` does; what is left of the old is set aside.

    A validator that may have forgotten what it signed must never sign on with the same key. Without `place` it keeps
    the addresses it had, if its folder still says so. Raises `OperationalError` while the member runs.
    """
    if folder.exists() and is_supervised(folder):
        raise OperationalError(f"{folder.name} is running: stop it first (`cellvow network stop {folder}`)")
    parse_bootstrap(_read(file))  # before anything is moved
    known: Membership | None = None
    with suppress(CellvowError):
        known = read_membership(folder)
    node_seed = _read_node_seed(folder)
    keys = _new_keys() if node_seed is None else replace(_new_keys(), node=node_seed)
    if place is None:
        place = Place("127.0.0.1", 0) if known is None else Place(known.host, known.p2p_port)
    aside = _set_aside(folder)
    try:
        joined = _make_home(folder, file, place, program, (keys, with_history))
    except CellvowError as error:
        if aside is not None:
            error.add_note(f"What was there before is in {aside}; mend the cause, then replace the member again.")
        raise
    return replace(joined, set_aside=aside)


def _make_home(
    folder: Path, file: Path, place: Place, program: EngineProgram, choice: tuple[EngineKeys, bool]
) -> Joined:
    keys, with_history = choice
    bootstrap = parse_bootstrap(_read(file))
    inherited = _read_inherited(bootstrap, file)
    if not with_history:
        _require_usable(bootstrap)
    workspace = Workspace(folder / WORKSPACE)
    try:
        organisation, name = workspace.organisation, workspace.member().name
        write_settings(workspace.folder, replace(workspace.settings, ledger=Path("..") / LEDGER))
    finally:
        workspace.close()
    membership = _membership((organisation, name), keys, place, bootstrap)
    sync: tuple[Setting, ...] = ()
    if not with_history:
        sync = StateSync(bootstrap.rpc_servers, bootstrap.trust_height, bootstrap.trust_hash).settings()
    settings = render_settings(fetch_defaults(program), (*PROFILE, *membership.addresses.settings(), *sync))
    home = MemberHome.create(folder, membership, keys, bootstrap.genesis, settings, inherited)
    # The engine's own genesis is taken from the others: another version of this software might write it otherwise.
    engine_genesis = json.dumps(bootstrap.engine_genesis, indent=2).encode("ascii") + b"\n"
    with translated(f"the genesis of the engine in {folder} cannot be written"):
        write_whole(home.engine / CONFIG / ENGINE_GENESIS_FILE, engine_genesis)
    former = tuple(key for name, key in bootstrap.validators if name == organisation)
    return Joined(home, None if with_history else bootstrap.snapshot_height, former)


def _membership(named: tuple[str, str], keys: EngineKeys, place: Place, bootstrap: Bootstrap) -> Membership:
    p2p_port, rpc_port = choose_ports(PORTS_PER_MEMBER, place.base_port)
    own = f"{place.host}:{p2p_port}"
    return Membership(
        organisation=named[0],
        name=named[1],
        node_id=keys.node_id,
        moniker=named[0],
        host=place.host,
        p2p_port=p2p_port,
        rpc_port=rpc_port,
        peers=tuple(peer for peer in bootstrap.peers if peer.partition("@")[2] != own),
    )


def _require_usable(bootstrap: Bootstrap) -> None:
    """The snapshot can be taken only once the chain has gone on; it rests where nobody says anything."""
    rpc = EngineRpc(bootstrap.rpc_servers[0], RPC_TIMEOUT_S)
    try:
        height = rpc.status().height
    finally:
        rpc.close()
    needed = bootstrap.snapshot_height + BLOCKS_AFTER_SNAPSHOT
    if height < needed:
        raise OperationalError(
            f"the snapshot is of block {bootstrap.snapshot_height}, and the ledger stands at {height}: it can be "
            f"taken from block {needed} on. Wait for the members' votes, which make blocks, then do the same again"
        )


def _new_keys() -> EngineKeys:
    return EngineKeys(secrets.token_bytes(SEED_LENGTH), secrets.token_bytes(SEED_LENGTH))


def _read_node_seed(folder: Path) -> bytes | None:
    """The key that names the node to its peers, if it is left: it votes on nothing, and the others know it."""
    path = folder / ENGINE / CONFIG / NODE_KEY_FILE
    try:
        seed = base64.b64decode(json.loads(path.read_bytes())["priv_key"]["value"])[:SEED_LENGTH]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return seed if len(seed) == SEED_LENGTH else None


def _set_aside(folder: Path) -> Path | None:
    left = [folder / name for name in (MEMBER_FILE, LEDGER, ENGINE, LOGS, STATUS_FILE) if (folder / name).exists()]
    if not left:
        return None
    number = 1
    while (folder / f"{SET_ASIDE}-{number}").exists():
        number += 1
    aside = folder / f"{SET_ASIDE}-{number}"
    with translated(f"what is left in {folder} cannot be set aside"):
        aside.mkdir(mode=0o700)
        for path in left:
            path.rename(aside / path.name)
    return aside


def _read_inherited(bootstrap: Bootstrap, file: Path) -> dict[str, bytes] | None:
    if bootstrap.inherited_sha256 is None:
        return None
    content = _read(_inherited_path(file))
    if hashlib.sha256(content).hexdigest() != bootstrap.inherited_sha256:
        raise VerificationError(
            f"{_inherited_path(file)} is not the file that the bootstrap file names: ask for both again"
        )
    return parse_inherited(content)


def _inherited_path(file: Path) -> Path:
    return file.with_name(file.name + INHERITED_SUFFIX)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise OperationalError(f"{path} is missing: `cellvow network invite` writes it") from error
