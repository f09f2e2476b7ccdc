"""The folder of one node: its ledger, the key its log signs with, its witnesses, and the trust file it gives out."""

import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

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
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.merkle import consistency_path
from cellvow.core.primitives.signature import derive_public_key, is_valid, sign
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.engine import Clock, Level, Receipted
from cellvow.node.publication import HttpWitness, Publication, Publisher, WitnessEndpoint
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from cellvow.node.witness import LocalWitness, Witness
from cellvow.node.witness_protocol import Response
from cellvow.verify.trust import Trust, encode_trust, parse_trust

LOG_KEY_FILE = "log.key"
TRUST_FILE = "trust.json"
GENESIS_FILE = "genesis.json"
WITNESSES_FILE = "witnesses.json"
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
        self._seed = _read_seed(folder / LOG_KEY_FILE)

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, origin: str, seed: bytes) -> "NodeHome":
        """Make the ledger of a genesis, without witnesses; raises `OperationalError` where one is already."""
        key = NoteKey(origin, KeyAlgorithm.LOG, derive_public_key(seed))
        encode_vkey(key)  # refuses a bad origin before anything is written
        applied = begin_chain(genesis, MemoryState())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = LedgerStore.create(folder, genesis, applied)
        _write_secret(folder / LOG_KEY_FILE, seed)
        (folder / GENESIS_FILE).write_bytes(encode_genesis(genesis))
        (folder / TRUST_FILE).write_bytes(encode_trust(Trust(genesis.digest, key, (), 0)))
        (folder / WITNESSES_FILE).write_text("[]\n", encoding="utf-8")
        store.close()
        return cls(folder)

    @property
    def log_key(self) -> NoteKey:
        """The key that signs this log's checkpoints."""
        return self.trust.log

    def add_witness(self, address: WitnessAddress) -> None:
        """Publish to one more witness from now on, and name it in the trust file."""
        key = parse_vkey(address.vkey)
        addresses = self.witnesses()
        if any(known.vkey == address.vkey for known in addresses):
            raise OperationalError(f"the witness {key.name} is named already")
        listed = [{"place": one.place, "vkey": one.vkey} for one in (*addresses, address)]
        (self.folder / WITNESSES_FILE).write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
        keys = (*self.trust.witnesses, key)
        self.trust = Trust(self.trust.genesis, self.trust.log, keys, quorum_of(len(keys)))
        (self.folder / TRUST_FILE).write_bytes(encode_trust(self.trust))

    def witnesses(self) -> list[WitnessAddress]:
        """The witnesses this log publishes to."""
        listed = json.loads(_read(self.folder / WITNESSES_FILE))
        return [WitnessAddress(one["vkey"], one["place"]) for one in listed]

    def level_of(self, store: LedgerStore, leaf: int) -> Level:
        """How far a statement's leaf has come: committed, or witnessed by as many as the trust file asks for."""
        note = store.checkpoint()
        if note is None or not self.trust.witnesses:
            return Level.COMMITTED
        verified = verify_checkpoint(note, self.trust.log, self.trust.witnesses, 0, is_valid)
        enough = len(verified.cosigned_by) >= self.trust.quorum and leaf < verified.checkpoint.size
        return Level.WITNESSED if enough else Level.COMMITTED

    def sign_head(self, size: int, root: Digest) -> bytes:
        """The note of a log of `size` leaves with `root`, signed by the log alone."""
        checkpoint = Checkpoint(self.log_key.name, size, root)
        signature = sign_checkpoint(checkpoint, self.log_key, lambda message: sign(self._seed, message))
        return encode_note(checkpoint, [signature])

    def open_reader(self) -> LedgerStore:
        """The ledger, for reading."""
        return LedgerStore.open_reader(self.folder)

    def open_session(self, clock: Clock) -> "LedgerSession":
        """The ledger, for writing: raises `LedgerLocked` while another process does."""
        return LedgerSession(self, clock)

    def describe(self) -> dict[str, str]:
        """What may be told of this node."""
        return {"folder": str(self.folder), "log": encode_vkey(self.log_key), "genesis": self.trust.genesis.hex()}


class LedgerSession:
    """One process's turn at writing a ledger: submit statements, then publish a checkpoint. A context manager."""

    def __init__(self, home: NodeHome, clock: Clock) -> None:
        self.home = home
        self._clock = clock
        self.store = LedgerStore.open_writer(home.folder)
        self.engine = EmbeddedEngine(self.store, clock)

    def __enter__(self) -> "LedgerSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Queue a statement; see `EmbeddedEngine.submit`."""
        return self.engine.submit(data)

    def publish(self) -> Publication:
        """Sign the head and ask the witnesses; keeps the note with whatever cosignatures came.

        Before signing, the root is recomputed from what the store holds: a damaged file is not vouched for.
        """
        head = self.engine.head
        stored = self.store.frontier(head.log.size)
        if stored.root() != head.log.root():
            raise OperationalError("the ledger on disk is not the one in memory: nothing is signed; run `cellvow fsck`")
        note = self.home.sign_head(head.log.size, head.log.root())
        endpoints = [_endpoint(address, self._clock) for address in self.home.witnesses()]
        with _Prover(self.home) as prove:
            publication = Publisher(self.home.log_key, endpoints, prove).publish(note)
        self.store.put_checkpoint(head.log.size, publication.note)
        return publication

    def close(self) -> None:
        """Commit what waits and end the turn."""
        self.engine.close()


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
        witness = Witness.open(self._folder, self._name)
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


def _write_secret(path: Path, seed: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(seed.hex() + "\n")


def _read_seed(path: Path) -> bytes:
    text = _read(path).decode("ascii", "replace").strip()
    if path.stat().st_mode & 0o077:
        raise OperationalError(f"{path} can be read by others: run `chmod 600 {path}`")
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Malformed(f"{path} holds no key") from error
