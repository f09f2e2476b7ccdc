"""The folder of one node: its ledger, the key its log signs with, its witnesses, and the trust file it gives out."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    encode_note,
    encode_vkey,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
)
from cellvow.core.ledger.genesis import Genesis, encode_genesis
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.core.primitives.merkle import consistency_path
from cellvow.core.primitives.signature import derive_public_key, is_valid, sign
from cellvow.core.protocol.transition import Applied, Head, begin_chain
from cellvow.node.archive_format import INHERITED_FILE, encode_inherited
from cellvow.node.cometbft.engine import ConsortiumEngine
from cellvow.node.cometbft.proof import fetch_proof
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.durability import translated, write_whole
from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.engine import Clock, Level, Receipted
from cellvow.node.publication import HttpWitness, Publication, Publisher, WitnessEndpoint
from cellvow.node.records import MemoryState, ReadableState
from cellvow.node.replaying_witness import open_witness
from cellvow.node.store import PROOF_FILE, LedgerStore, has_ledger
from cellvow.node.witness import LocalWitness
from cellvow.node.witness_protocol import Response
from cellvow.verify.trust import Trust, encode_trust, parse_trust

LOG_KEY_FILE = "log.key"
TRUST_FILE = "trust.json"
GENESIS_FILE = "genesis.json"
WITNESSES_FILE = "witnesses.json"
ENGINE_FILE = "engine.json"
"""Where a member of a consortium reaches its engine; a ledger of one writer has none."""
CLOSED_FILE = "closed.json"
"""Names the ledger that goes on from this one, which is written no more."""
QUORUM = 2
"""Cosignatures that make a checkpoint *witnessed*, of three or more witnesses."""


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness is reached: its verifier key, and the URL of its service or the folder it lies in."""

    vkey: str
    place: str


def quorum_of(witnesses: int) -> int:
    """How many of so many witnesses must cosign: 2, or all where there are fewer."""
    return min(QUORUM, witnesses)


class NodeHome:
    """A node's folder, opened; it holds secrets and hands out none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trust = parse_trust(_read(folder / TRUST_FILE))
        self.engine_url = _read_engine(folder / ENGINE_FILE)
        self._seed = _read_seed(folder / LOG_KEY_FILE) if self.is_signer else b""

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, origin: str, seed: bytes) -> "NodeHome":
        """Make the ledger of a genesis, without witnesses; raises `OperationalError` where one is already."""
        key = NoteKey(origin, KeyAlgorithm.LOG, derive_public_key(seed))
        encode_vkey(key)  # refuses a bad origin before anything is written
        applied = begin_chain(genesis, MemoryState())
        trust = encode_trust(Trust(genesis.digest, key, (), 0))
        return cls._found(folder, genesis, applied, {LOG_KEY_FILE: f"{seed.hex()}\n".encode(), TRUST_FILE: trust})

    @classmethod
    def create_member(
        cls, folder: Path, genesis: Genesis, engine_url: str, inherited: Mapping[str, bytes] | None = None
    ) -> "NodeHome":
        """Make one member's ledger of a consortium's genesis; its engine is reached at `http://host:port`.

        No key signs this log: the validators vouch for it, and whoever trusts the genesis can check that. `inherited`
        are the records of the predecessor that genesis names, if it names one.
        """
        if not genesis.validators:
            raise OperationalError("the genesis names no validators: a consortium has at least one")
        EngineRpc(engine_url).close()  # refuses a bad address before anything is written
        applied = begin_chain(genesis, MemoryState(), inherited)
        engine = {"engine": "cometbft", "rpc": engine_url}
        files = {
            TRUST_FILE: encode_trust(Trust(genesis.digest, None, (), 0)),
            ENGINE_FILE: (json.dumps(engine, indent=2) + "\n").encode(),
        }
        if inherited is not None:
            files[INHERITED_FILE] = encode_inherited(inherited)
        return cls._found(folder, genesis, applied, files)

    @classmethod
    def _found(cls, folder: Path, genesis: Genesis, applied: Applied, files: Mapping[str, bytes]) -> "NodeHome":
        """Write the files on disk, and the ledger last: what an interrupted attempt left, the next one replaces."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if has_ledger(folder):
            raise OperationalError(f"{folder} holds a ledger already; nothing was changed")
        common = {GENESIS_FILE: encode_genesis(genesis), WITNESSES_FILE: b"[]\n"}
        with translated(f"the ledger in {folder} cannot be made"):
            for name, content in {**common, **files}.items():
                write_whole(folder / name, content, mode=0o600 if name == LOG_KEY_FILE else 0o644)
        LedgerStore.create(folder, genesis, applied).close()
        return cls(folder)

    @property
    def is_member(self) -> bool:
        """Whether an engine shared with others orders this ledger's statements."""
        return self.engine_url is not None

    @property
    def is_signer(self) -> bool:
        """Whether the log's key is here; where it is not, and no engine either, the folder is a read-only replica."""
        return not self.is_member and (self.folder / LOG_KEY_FILE).exists()

    @property
    def log_key(self) -> NoteKey:
        """The key that signs this log's checkpoints; raises `OperationalError` where validators vouch for it."""
        return self.trust.log_key

    def add_witness(self, address: WitnessAddress, *, replaying: bool = False) -> None:
        """Publish to one more witness from now on, and name it in the trust file.

        With `replaying` the file says that this witness executes every block: of one that is named already, too, once
        it does. Raises `OperationalError` for a witness of which there is nothing new to say.
        """
        log_key, trust = self.log_key, self.trust
        key = parse_vkey(address.vkey)
        others = [known for known in self.witnesses() if known.vkey != address.vkey]
        is_known = len(others) < len(self.witnesses())
        is_news = replaying and key.name not in trust.replaying
        if is_known and not is_news:
            raise OperationalError(f"the witness {key.name} is named already")
        listed = [{"place": one.place, "vkey": one.vkey} for one in (*others, address)]
        (self.folder / WITNESSES_FILE).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
        if key not in trust.witnesses:  # a restored trust file names them already, and their quorum
            keys = (*trust.witnesses, key)
            trust = Trust(trust.genesis, log_key, keys, quorum_of(len(keys)), trust.replaying)
        if is_news:
            trust = replace(trust, replaying=(*trust.replaying, key.name))
        if trust != self.trust:
            self.trust = trust
            (self.folder / TRUST_FILE).write_bytes(encode_trust(trust))

    def witnesses(self) -> list[WitnessAddress]:
        """The witnesses this log publishes to."""
        listed = json.loads(_read(self.folder / WITNESSES_FILE))
        return [WitnessAddress(one["vkey"], one["place"]) for one in listed]

    def level_of(self, store: LedgerStore, leaf: int) -> Level:
        """How far a statement's leaf has come: committed, or witnessed by as many as the trust file asks for."""
        note = store.checkpoint()
        if note is None or not self.trust.witnesses:
            return Level.COMMITTED
        verified = verify_checkpoint(note, self.log_key, self.trust.witnesses, 0, is_valid)
        enough = len(verified.cosigned_by) >= self.trust.quorum and leaf < verified.checkpoint.size
        return Level.WITNESSED if enough else Level.COMMITTED

    def sign_head(self, size: int, root: Digest) -> bytes:
        """The note of a log of `size` leaves with `root`, signed by the log alone."""
        checkpoint = Checkpoint(self.log_key.name, size, root)
        signature = sign_checkpoint(checkpoint, self.log_key, lambda message: sign(self._seed, message))
        return encode_note(checkpoint, [signature])

    def close_for(self, successor: Genesis) -> None:
        """Write this ledger no more: `successor` goes on from it. Reading, and proofs of what is in it, stay."""
        named = {"chain_id": successor.chain_id, "genesis": successor.digest.hex()}
        with translated(f"the ledger in {self.folder} cannot be closed"):
            write_whole(self.folder / CLOSED_FILE, (json.dumps(named, indent=2) + "\n").encode())

    def require_open(self) -> None:
        """Raise `OperationalError` where another ledger goes on from this one: what is written here would be a fork."""
        path = self.folder / CLOSED_FILE
        if path.exists():
            named = json.loads(path.read_bytes())
            raise OperationalError(
                f"the ledger in {self.folder} is closed: {named['chain_id']} goes on from it (genesis "
                f"{named['genesis'][:16]}..). It can be read; write there: `cellvow init join` names the new ledger"
            )

    def open_reader(self) -> LedgerStore:
        """The ledger, for reading."""
        return LedgerStore.open_reader(self.folder)

    def open_session(self, clock: Clock) -> "LedgerSession":
        """The ledger, for writing: raises `LedgerLocked` while another process does.

        Raises `OperationalError` for a replica: what it wrote would be another history than the log's; and for a ledger
        that another goes on from.
        """
        self.require_open()
        if not self.is_member and not self.is_signer:
            raise OperationalError(
                f"{self.folder} is a read-only replica: {LOG_KEY_FILE} is not here. To go on writing here, stop every "
                f"other copy of this ledger and bring {LOG_KEY_FILE} from its own backup"
            )
        return LedgerSession(self, clock)

    def describe(self) -> dict[str, str]:
        """What may be told of this node."""
        vouching = {"engine": self.engine_url} if self.engine_url else {"log": encode_vkey(self.log_key)}
        return {"folder": str(self.folder), "genesis": self.trust.genesis.hex(), **vouching}


class SessionEngine(Protocol):
    """What a turn at writing needs of an engine."""

    @property
    def head(self) -> Head:
        """Where the chain stands."""

    @property
    def state(self) -> ReadableState:
        """The state as of the head."""

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Queue a statement's bytes."""

    def close(self) -> None:
        """Commit what waits, or give it up, and close the ledger."""


class LedgerSession:
    """One process's turn at writing a ledger: submit statements, then publish a checkpoint. A context manager.

    A member of a consortium has no turns to take: it submits beside others, and its proof comes from the validators.
    """

    def __init__(self, home: NodeHome, clock: Clock) -> None:
        self.home = home
        self._clock = clock
        self._rpc = None if home.engine_url is None else EngineRpc(home.engine_url)
        self.store, self.engine = self._open()

    def __enter__(self) -> "LedgerSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> tuple[LedgerStore, SessionEngine]:
        if self._rpc is not None:
            shared = ConsortiumEngine(self.home.folder, self._rpc)
            return shared.store, shared
        store = LedgerStore.open_writer(self.home.folder)
        try:
            return store, EmbeddedEngine(store, self._clock)
        except CellvowError:
            store.close()  # else this process would hold the writer's lock until it ends
            raise

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Queue a statement; see `EmbeddedEngine.submit` and `ConsortiumEngine.submit`."""
        return self.engine.submit(data)

    def publish(self) -> Publication:
        """Have the head vouched for: sign it and ask the witnesses, or fetch what the validators have signed.

        Before signing, the root is recomputed from what the store holds: a damaged file is not vouched for.
        """
        head = self.engine.head
        stored = self.store.frontier(head.log.size)
        if stored.root() != head.log.root():
            raise OperationalError("the ledger on disk is not the one in memory: nothing is signed; run `cellvow fsck`")
        if self._rpc is not None:
            proof = fetch_proof(self._rpc, self.store, self.home.folder / PROOF_FILE)
            return Publication(proof, ())
        note = self.home.sign_head(head.log.size, head.log.root())
        endpoints = [_endpoint(address, self._clock) for address in self.home.witnesses()]
        with _Prover(self.home) as prove:
            publication = Publisher(self.home.log_key, endpoints, prove).publish(note)
        self.store.put_checkpoint(head.log.size, publication.note)
        return publication

    def close(self) -> None:
        """Commit what waits and end the turn."""
        self.engine.close()
        if self._rpc is not None:
            self._rpc.close()


class _Prover:
    """Consistency paths from a connection of its own: witnesses are asked from other threads than the writer's."""

    def __init__(self, home: NodeHome) -> None:
        self._store = home.open_reader()

    def __enter__(self) -> Callable[[int, int], list[Digest]]:
        return lambda old, size: consistency_path(self._store.node, old, size)

    def __exit__(self, *_: object) -> None:
        self._store.close()


class _WitnessInFolder:
    """A witness on this machine, opened only while it is asked: one that is broken is one that does not answer."""

    def __init__(self, folder: Path, name: str, clock: Clock) -> None:
        self._folder = folder
        self._name = name
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Response:
        """Its answer; raises `OperationalError` where the folder holds no whole witness."""
        witness = open_witness(self._folder, self._name)
        try:
            return LocalWitness(witness, lambda: self._clock() // 1000).add_checkpoint(body)
        finally:
            witness.close()


def _endpoint(address: WitnessAddress, clock: Clock) -> WitnessEndpoint:
    key = parse_vkey(address.vkey)
    if address.place.startswith(("http://", "https://")):
        return WitnessEndpoint(key, HttpWitness(address.place))
    return WitnessEndpoint(key, _WitnessInFolder(Path(address.place), key.name, clock))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise OperationalError(f"{path} is missing: `cellvow init ledger` makes a node") from error


def _read_engine(path: Path) -> str | None:
    """The address of the member's engine, or None where the ledger has one writer."""
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise Malformed(f"{path} is not JSON") from error
    if not isinstance(document, dict) or document.get("engine") != "cometbft" or not isinstance(document["rpc"], str):
        raise Malformed(f'{path} holds {{"engine": "cometbft", "rpc": "http://host:port"}}, or is not there')
    return document["rpc"]


def _read_seed(path: Path) -> bytes:
    text = _read(path).decode("ascii", "replace").strip()
    if path.stat().st_mode & 0o077:
        raise OperationalError(f"{path} can be read by others: run `chmod 600 {path}`")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Malformed(f"{path} holds no key") from error
