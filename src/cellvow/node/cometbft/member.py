"""The home of one member of a consortium: its ledger, its engine's folder with the keys of both, its addresses.

member-1/member.json      whose it is, its addresses, its peers
         workspace/       the organisation's keys and vault
         ledger/          what `NodeHome` opens: the application's store
         engine/          the engine's home: config/ with genesis, settings and keys, data/
         logs/            engine.log and application.log, bounded
         status.json      what the supervisor does
"""

import base64
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cellvow.core.ledger.genesis import Genesis
from cellvow.core.primitives.errors import Malformed, OperationalError, ensure
from cellvow.core.primitives.signature import derive_public_key
from cellvow.node.cometbft.profile import CONSENSUS_PARAMETERS, EngineAddresses
from cellvow.node.home import NodeHome

MEMBER_FILE, STATUS_FILE, LOCK_FILE = "member.json", "status.json", "member.lock"
WORKSPACE, LEDGER, ENGINE, LOGS = "workspace", "ledger", "engine", "logs"
CONFIG, ENGINE_GENESIS_FILE, SETTINGS_FILE = "config", "genesis.json", "config.toml"
VALIDATOR_KEY_FILE, NODE_KEY_FILE = "priv_validator_key.json", "node_key.json"
"""The engine's own names, below its home."""
APP_STATE_FIELD = "cellvow_genesis"
"""In the engine's genesis: the digest of ours, so that no member can start with another."""
SOCKET_FILE = "application.sock"
SOCKET_PATH_BYTES_MAX = 107
"""What the kernel takes as the address of a unix socket, without its final zero."""
SEED_LENGTH = 32

_FIELDS = ("host", "moniker", "name", "node_id", "organisation", "p2p_port", "peers", "rpc_port")


@dataclass(frozen=True, slots=True)
class EngineKeys:
    """Two Ed25519 seeds: the validator's, which signs blocks, and the node's, which names it to its peers."""

    validator: bytes = field(repr=False)
    node: bytes = field(repr=False)

    def __post_init__(self) -> None:
        ensure(len(self.validator) == len(self.node) == SEED_LENGTH, "a seed has 32 bytes")

    @property
    def validator_key(self) -> str:
        """The validator's public key in hexadecimal, as genesis names it."""
        return derive_public_key(self.validator).hex()

    @property
    def node_id(self) -> str:
        """The node's name among engines: the address of its key."""
        return derive_address(derive_public_key(self.node)).hex()


@dataclass(frozen=True, slots=True)
class Membership:
    """What `member.json` holds: the organisation, where its engine is reached, and the peers it keeps to."""

    organisation: str
    name: str
    node_id: str
    moniker: str
    host: str
    p2p_port: int
    rpc_port: int
    peers: tuple[str, ...]

    @property
    def addresses(self) -> EngineAddresses:
        """As the engine's settings need them."""
        return EngineAddresses(self.moniker, self.host, self.p2p_port, self.rpc_port, self.peers)


class MemberHome:
    """A member's folder, opened; it holds secrets and hands out none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.membership = read_membership(folder)

    @classmethod
    def create(
        cls,
        folder: Path,
        membership: Membership,
        keys: EngineKeys,
        genesis: Genesis,
        settings: str,
        inherited: Mapping[str, bytes] | None = None,
    ) -> "MemberHome":
        """Make ledger and engine home of one member; `settings` is the text of the engine's `config.toml`.

        `inherited` are the records of the predecessor that genesis names, if it names one. The folder may hold the
        member's workspace already; raises `OperationalError` where it holds a member.
        """
        if (folder / MEMBER_FILE).exists():
            raise OperationalError(f"{folder} holds a member already: nothing was changed")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        NodeHome.create_member(folder / LEDGER, genesis, membership.addresses.rpc_url, inherited)
        _make_engine_home(folder / ENGINE, keys, genesis, settings)
        (folder / MEMBER_FILE).write_text(json.dumps(asdict(membership), indent=2) + "\n", encoding="utf-8")
        return cls(folder)

    @property
    def label(self) -> str:
        """The folder's name, for sentences and tables."""
        return self.folder.name

    @property
    def validator_key(self) -> str:
        """The public key that its validator signs blocks with, in hexadecimal."""
        return _read_public_key(self.engine / CONFIG / VALIDATOR_KEY_FILE)

    @property
    def workspace(self) -> Path:
        """The organisation's workspace."""
        return self.folder / WORKSPACE

    @property
    def ledger(self) -> Path:
        """What `NodeHome` opens."""
        return self.folder / LEDGER

    @property
    def engine(self) -> Path:
        """The engine's home."""
        return self.folder / ENGINE

    @property
    def engine_log(self) -> Path:
        """What the engine said; older parts beside it."""
        return self.folder / LOGS / "engine.log"

    @property
    def application_log(self) -> Path:
        """What the application said; older parts beside it."""
        return self.folder / LOGS / "application.log"

    @property
    def socket(self) -> Path:
        """Where application and engine meet: in the folder, or in a short private place if that path is too long."""
        own = self.folder / SOCKET_FILE
        if len(os.fsencode(own)) <= SOCKET_PATH_BYTES_MAX:
            return own
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"cellvow-{os.getuid()}" / f"{digest}.sock"

    def prepare_socket(self) -> Path:
        """The socket's path, its folder made sure of: whoever could replace the socket could feed the ledger blocks."""
        place = self.socket
        place.parent.mkdir(mode=0o700, exist_ok=True)
        found = place.parent.lstat()
        is_private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        if not is_private:
            raise OperationalError(f"{place.parent} can be changed by others: run `chmod 700 {place.parent}`")
        return place


def read_membership(folder: Path) -> Membership:
    """What a member's folder says of it; raises `OperationalError` where it is none, `Malformed` for a bad file."""
    path = folder / MEMBER_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OperationalError(
            f"{folder} holds no member: `cellvow network init` makes a network's, `cellvow network join` a newcomer's"
        ) from error
    except ValueError as error:
        raise Malformed(f"{path} is not JSON: restore it from a backup") from error
    if not isinstance(document, dict) or tuple(sorted(document)) != _FIELDS or not _is_typed(document):
        raise Malformed(f"{path} must hold exactly {', '.join(_FIELDS)}")
    return Membership(**{**document, "peers": tuple(document["peers"])})


def derive_address(public_key: bytes) -> bytes:
    """The 20 bytes by which the engine names a key."""
    return hashlib.sha256(public_key).digest()[:20]


def encode_engine_genesis(genesis: Genesis) -> bytes:
    """The engine's genesis file: chain, time and validators from ours, which it names by its digest."""
    first_height = 1 if genesis.predecessor is None else genesis.predecessor.height + 1
    document = {
        "genesis_time": encode_time(genesis.time_ms),
        "chain_id": genesis.chain_id,
        "initial_height": str(first_height),
        "consensus_params": CONSENSUS_PARAMETERS,
        "validators": [
            {
                "address": derive_address(bytes.fromhex(one.public_key)).hex().upper(),
                "pub_key": _public_key(bytes.fromhex(one.public_key)),
                "power": str(one.power),
                "name": one.organisation,
            }
            for one in genesis.validators
        ],
        "app_hash": "",
        "app_state": {APP_STATE_FIELD: genesis.digest.hex()},
    }
    return json.dumps(document, indent=2).encode("ascii") + b"\n"


def encode_time(time_ms: int) -> str:
    """A moment as RFC 3339 has it, exact to the millisecond."""
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def _make_engine_home(folder: Path, keys: EngineKeys, genesis: Genesis, settings: str) -> None:
    config = folder / CONFIG
    for part in (folder, config, folder / "data"):
        part.mkdir(mode=0o700)
    public_key = derive_public_key(keys.validator)
    signing = {
        "address": derive_address(public_key).hex().upper(),
        "pub_key": _public_key(public_key),
        "priv_key": _private_key(keys.validator),
    }
    _write_secret(config / VALIDATOR_KEY_FILE, signing)
    _write_secret(config / NODE_KEY_FILE, {"priv_key": _private_key(keys.node)})
    _write_secret(folder / "data" / "priv_validator_state.json", {"height": "0", "round": 0, "step": 0})
    (config / ENGINE_GENESIS_FILE).write_bytes(encode_engine_genesis(genesis))
    (config / SETTINGS_FILE).write_text(settings, encoding="utf-8")


def _public_key(key: bytes) -> dict[str, str]:
    return {"type": "tendermint/PubKeyEd25519", "value": base64.b64encode(key).decode("ascii")}


def _read_public_key(path: Path) -> str:
    try:
        document = json.loads(path.read_text(encoding="ascii"))
        return base64.b64decode(document["pub_key"]["value"], validate=True).hex()
    except FileNotFoundError as error:
        raise OperationalError(f"{path} is missing: the member needs a new key (`cellvow network replace`)") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"{path} is not what the engine keeps its key in") from error


def _private_key(seed: bytes) -> dict[str, str]:
    """The engine keeps the seed with the public key behind it."""
    whole = seed + derive_public_key(seed)
    return {"type": "tendermint/PrivKeyEd25519", "value": base64.b64encode(whole).decode("ascii")}


def _write_secret(path: Path, document: Mapping[str, object]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(json.dumps(document, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _is_typed(document: Mapping[str, object]) -> bool:
    texts = [document[name] for name in ("host", "moniker", "name", "node_id", "organisation")]
    ports, peers = [document["p2p_port"], document["rpc_port"]], document["peers"]
    are_ports = all(type(port) is int and 0 < port < 65_536 for port in ports)
    are_peers = isinstance(peers, list) and all(isinstance(peer, str) for peer in peers)
    return all(isinstance(text, str) for text in texts) and are_ports and are_peers
