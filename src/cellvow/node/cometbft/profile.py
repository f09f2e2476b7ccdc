"""The one settings profile of all members: what we set of the engine, and why; as data.

Block pace and gossip are settings of each node, not of the chain: one member with others slows all down. So every
member writes the same file, but for its own name and addresses. The engine's own `init` gives the file with every
setting it knows; ours are put in their places, and one that it does not know is refused.
"""

import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, STATEMENT_BYTES_MAX
from cellvow.node.cometbft.binary import EngineProgram

INIT_S_MAX = 30.0
"""How long the engine may take to write its files."""
MAX_PROCS = 8
"""Threads for the engine's Go code on a machine of fewer cores.

Its ABCI client re-arms a flush timer every 20 nanoseconds (20 ms was meant) while the application works, and spins on
a core for it: at 500 transactions a second eight threads gave a p95 of 222-289 ms where two gave 404-518.
"""
DAY_NS = 86_400_000_000_000

SettingValue = str | int | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the engine, as `section.key`; what it is set to, and why."""

    name: str
    value: SettingValue
    reason: str


PROFILE = (
    Setting("db_backend", "goleveldb", "the only one that the engine is built with, and what was crashed in tests"),
    Setting("log_level", "error", "what it tells otherwise is several lines a block; errors are what is diagnosed"),
    Setting("log_format", "plain", "read by people, and by our supervisor, which knows its sentences"),
    Setting("abci", "socket", "the transport that our application speaks"),
    Setting("filter_peers", False, "who may connect is decided by keys, not by the application"),
    Setting("rpc.unsafe", False, "its commands empty the mempool and dial strangers"),
    Setting("rpc.pprof_laddr", "", "profiles of a running engine are nobody's business"),
    Setting("rpc.grpc_laddr", "", "nothing of ours uses it"),
    Setting("rpc.max_body_bytes", 1_000_000, "a statement of 512,000 bytes in base64, and room for the call around it"),
    Setting("rpc.max_request_batch_size", 10, "our client asks one thing at a time"),
    Setting("p2p.pex", False, "members are named in genesis and by votes: nobody is found by asking around"),
    Setting("p2p.seeds", "", "as above"),
    Setting("p2p.external_address", "", "told to nobody, and the engine does not start where it cannot look it up"),
    Setting("p2p.addr_book_strict", False, "members' machines may have private addresses"),
    Setting("p2p.allow_duplicate_ip", True, "several members on one machine for a trial, or behind one address"),
    Setting("p2p.flush_throttle_timeout", "10ms", "votes wait this long for company: 100 ms costs a block 0.2 s"),
    Setting("p2p.max_packet_msg_payload_size", 65_536, "1 kB packets bound batches of 400 kB to 3,500 events/s"),
    Setting("p2p.send_rate", 100_000_000, "bytes/s; 5 MB/s is the first thing that large statements meet"),
    Setting("p2p.recv_rate", 100_000_000, "as above"),
    Setting("mempool.type", "flood", "the other kind gossips nothing"),
    Setting("mempool.recheck", True, "what has become stale must not wait for ever, in front of all that is fresh"),
    Setting("mempool.broadcast", True, "whichever member proposes next carries a statement, not only its first"),
    Setting("mempool.size", 5_000, "statements that wait, at most; more is answered with backpressure"),
    Setting("mempool.max_txs_bytes", 64_000_000, "bytes that wait, at most: 1 GB would be a member's memory"),
    Setting("mempool.max_tx_bytes", STATEMENT_BYTES_MAX, "the largest statement there is"),
    Setting("mempool.keep-invalid-txs-in-cache", False, "too early today may be in time tomorrow"),
    Setting(
        "mempool.experimental_max_gossip_connections_to_persistent_peers",
        0,
        "no bound: 1 doubles the rate at saturation, and lets a frozen peer hold up a member's statements",
    ),
    Setting("statesync.discovery_time", "5s", "the engine's minimum; members answer at once"),
    Setting("statesync.trust_period", "168h0m0s", "a week: who was away longer takes a newer height as trusted"),
    Setting("consensus.timeout_propose", "300ms", "a dead proposer costs each of its turns this, not 3 s"),
    Setting("consensus.timeout_propose_delta", "200ms", "a slow block gets more time in each further round"),
    Setting("consensus.timeout_prevote", "200ms", "two round trips and a block's way, over a network of a country"),
    Setting("consensus.timeout_prevote_delta", "200ms", "as for proposals"),
    Setting("consensus.timeout_precommit", "200ms", "as for prevotes"),
    Setting("consensus.timeout_precommit_delta", "200ms", "as for proposals"),
    Setting("consensus.timeout_commit", "200ms", "the pace of blocks under load: 60 % fewer than without, p95 +80 ms"),
    Setting("consensus.skip_timeout_commit", False, "the pace is kept also where all votes are in"),
    Setting("consensus.double_sign_check_height", 0, "otherwise a validator that restarts at once refuses to"),
    Setting("consensus.create_empty_blocks", False, "a ledger where nothing happens comes to rest"),
    Setting("consensus.create_empty_blocks_interval", "0s", "as above"),
    Setting("consensus.peer_gossip_sleep_duration", "10ms", "100 ms here is 0.4 s in a block's latency"),
    Setting("tx_index.indexer", "null", "the ledger finds statements itself; an index would store them once more"),
    Setting("instrumentation.prometheus", False, "opened by whoever wants it"),
)
"""The same for every member. Figures: four validators on two cores, 700-byte statements, stock engine 0.38.25."""

CONSENSUS_PARAMETERS: Mapping[str, object] = {
    "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
    "evidence": {
        "max_age_num_blocks": "1000000",
        "max_age_duration": str(21 * DAY_NS),
        "max_bytes": "100000",
    },
    "validator": {"pub_key_types": ["ed25519"]},
    "version": {"app": "0"},
    "abci": {"vote_extensions_enable_height": "0"},
}
"""What genesis sets for the chain itself: blocks as large as ours, no gas, evidence of double signing for 3 weeks."""


@dataclass(frozen=True, slots=True)
class EngineAddresses:
    """What differs between members: name and addresses; peers as `node-id@host:port`."""

    moniker: str
    host: str
    p2p_port: int
    rpc_port: int
    peers: tuple[str, ...] = ()

    @property
    def rpc_url(self) -> str:
        """Where this member's own programs reach its engine; never open to other machines."""
        return f"http://127.0.0.1:{self.rpc_port}"

    def settings(self) -> tuple[Setting, ...]:
        """The settings that are this member's own."""
        is_local = self.host in ("127.0.0.1", "localhost")
        listening = f"tcp://{'127.0.0.1' if is_local else '0.0.0.0'}:{self.p2p_port}"  # noqa: S104 - members are elsewhere
        return (
            Setting("moniker", self.moniker, "shown to other members"),
            Setting("rpc.laddr", f"tcp://127.0.0.1:{self.rpc_port}", "for programs of this member alone"),
            Setting("p2p.laddr", listening, "for the other members; a trial's are on this machine"),
            Setting("p2p.persistent_peers", ",".join(self.peers), "every other member"),
        )


@dataclass(frozen=True, slots=True)
class StateSync:
    """From where a member without history takes a snapshot: two or more RPC addresses, and a block it trusts."""

    rpc_servers: tuple[str, ...]
    trust_height: int
    trust_hash: str

    def settings(self) -> tuple[Setting, ...]:
        """The settings that turn it on."""
        return (
            Setting("statesync.enable", True, "this member begins with a snapshot"),
            Setting("statesync.rpc_servers", ",".join(self.rpc_servers), "two, so that one alone cannot deceive"),
            Setting("statesync.trust_height", self.trust_height, "of the block that was told by somebody trusted"),
            Setting("statesync.trust_hash", self.trust_hash, "as above"),
        )


def fetch_defaults(program: EngineProgram) -> str:
    """The engine's own `config.toml`, with every setting it knows; raises `OperationalError`."""
    with tempfile.TemporaryDirectory(prefix="cellvow-engine-") as scratch:
        answer = subprocess.run(  # noqa: S603 - the engine that was examined
            [str(program.path), "init", "--home", scratch],
            capture_output=True,
            text=True,
            check=False,
            timeout=INIT_S_MAX,
            env={"HOME": scratch},
        )
        written = Path(scratch) / "config" / "config.toml"
        if answer.returncode != 0 or not written.is_file():
            raise OperationalError(f"{program.path} wrote no settings: {answer.stderr[-300:].strip()}")
        return written.read_text(encoding="utf-8")


def render_settings(defaults: str, settings: Iterable[Setting]) -> str:
    """The text of `config.toml`: the engine's, with these settings in their places.

    Raises `OperationalError` for a setting that the engine does not know, or of another kind than it has.
    """
    wanted = {setting.name: setting.value for setting in settings}
    lines, section, placed = [], "", set[str]()
    for line in defaults.splitlines():
        heading = re.fullmatch(r"\[([a-z0-9_]+)\]", line)
        section = heading[1] if heading else section
        assigned = re.match(r"([A-Za-z0-9_-]+) = ", line)
        name = f"{section}.{assigned[1]}" if assigned and section else assigned[1] if assigned else ""
        if assigned and name in wanted:
            placed.add(name)
            lines.append(f"{assigned[1]} = {_literal(wanted[name])}")
        else:
            lines.append(line)
    unknown = sorted(wanted.keys() - placed)
    if unknown:
        raise OperationalError(f"this engine has no setting {unknown[0]}: it is of another line than 0.38")
    text = "\n".join(lines) + "\n"
    _require_same_kinds(tomllib.loads(defaults), tomllib.loads(text), wanted)
    return text


def read_setting(document: Mapping[str, object], name: str) -> object:
    """One setting of a parsed `config.toml` by its name, or None."""
    section, _, key = name.rpartition(".")
    place = document.get(section, {}) if section else document
    return place.get(key) if isinstance(place, Mapping) else None


def _require_same_kinds(
    defaults: Mapping[str, object], rendered: Mapping[str, object], wanted: Mapping[str, SettingValue]
) -> None:
    for name, value in wanted.items():
        before, after = read_setting(defaults, name), read_setting(rendered, name)
        if type(before) is not type(value) or after != value:
            raise OperationalError(f"{name} = {value!r} is not what this engine takes there (its own is {before!r})")


def _literal(value: SettingValue) -> str:
    """A value in TOML; text as a basic string, whose escapes are those of JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, str) else str(value)
