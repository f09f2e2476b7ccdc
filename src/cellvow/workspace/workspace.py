"""One organisation's installation: its keys, its vault, its archive, its links, and the node it submits to."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.ledger.genesis import (
    Accreditation,
    Organisation,
    encode_organisation,
    parse_genesis,
    parse_organisation,
)
from cellvow.core.ledger.key import ROOT
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    BATCH_SUBJECT,
    SINGLE_CONTENT,
    batch_root,
    encode_batch,
    encode_envelope,
    encode_payload,
    encode_protected,
)
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.identifier import parse_organisation_id
from cellvow.node.home import GENESIS_FILE, NodeHome
from cellvow.vault import Grants, Invitations, Vault
from cellvow.workspace.keystore import Keystore, SigningKey
from cellvow.workspace.sequences import Sequences
from cellvow.workspace.settings import ROOT_KEY, WORKING_KEY, Settings, read_settings, write_settings

MEMBER_FILE = "member.json"
VAULT_FILE, SEQUENCES_FILE = "vault.db", "sequences.db"
GRANTS_FILE = "grants.db"
"""Made when links are first used: where there is none, none was ever given, and lost links open nothing."""
INVITATIONS_FILE = "invitations.db"
"""Likewise."""
_REMEDIES = {
    VAULT_FILE: "restore it from a backup; without it what was sealed can no longer be shown",
    SEQUENCES_FILE: "restore it from a backup, or run `cellvow key recount`",
}
"""Files that are made once with the workspace: one that is missing was lost, and is never silently made anew."""
SIGNING_WINDOW_MS = 3_600_000
"""Our clients do not want a statement applied later than an hour after signing."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement ready to be submitted, with the key and sequence it used."""

    data: bytes
    kid: bytes
    sequence: int


class Workspace:
    """An opened workspace. Signing happens here, where the keys are; what is confidential stays in the vault."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = read_settings(folder)
        self.keystore = Keystore.open(folder / "keys")
        for name, remedy in _REMEDIES.items():
            if not (folder / name).is_file():
                raise OperationalError(f"{folder / name} is missing: {remedy}")
        self.sequences = Sequences.open(folder / SEQUENCES_FILE)
        self.vault = Vault.open(folder / VAULT_FILE, self.keystore.vault_key())
        self._grants: Grants | None = None
        self._invitations: Invitations | None = None
        self._grants_guard = threading.Lock()

    @classmethod
    def create(
        cls,
        folder: Path,
        organisation: str,
        name: str,
        roles: Sequence[str],
        accreditations: Sequence[Accreditation] = (),
    ) -> "Workspace":
        """Make the workspace of an organisation with new keys; `member.json` is its entry for a genesis."""
        parse_organisation_id(organisation)
        if folder.exists() and any(folder.iterdir()):
            raise OperationalError(f"{folder} is not empty: nothing was changed")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keystore = Keystore.create(folder / "keys")
        root = keystore.new_key("root", ROOT_KEY)
        keystore.new_key("operational", WORKING_KEY)
        member = Organisation(organisation, name, tuple(roles), (root.public_key.hex(),), tuple(accreditations))
        document = encode_organisation(member)
        parse_organisation(document)
        (folder / MEMBER_FILE).write_bytes(document)
        for part in ("archive", "received"):
            (folder / part).mkdir()
        write_settings(folder, Settings(organisation, None))
        Sequences.open(folder / SEQUENCES_FILE).close()
        Vault.open(folder / VAULT_FILE, keystore.vault_key()).close()
        return cls(folder)

    @staticmethod
    def replace_lost_counters(folder: Path) -> None:
        """Make the file of counters anew where it was lost; what it counted must then be learned from the ledger."""
        read_settings(folder)
        Sequences.open(folder / SEQUENCES_FILE).close()

    @property
    def organisation(self) -> str:
        """Whose workspace it is."""
        return self.settings.organisation

    @property
    def archive(self) -> Path:
        """Where measurements lie as Parquet."""
        return self.folder / "archive"

    @property
    def received(self) -> Path:
        """Where bundles from others lie."""
        return self.folder / "received"

    @property
    def grants(self) -> Grants:
        """The purchaser links this organisation has given; their file is opened, or made, with the first use."""
        with self._grants_guard:
            if self._grants is None:
                self._grants = Grants.open(self.folder / GRANTS_FILE)
            return self._grants

    @property
    def invitations(self) -> Invitations:
        """Whom this organisation has asked for a record; the file is opened, or made, with the first use."""
        with self._grants_guard:
            if self._invitations is None:
                self._invitations = Invitations.open(self.folder / INVITATIONS_FILE)
            return self._invitations

    def expect(self, chain_id: str) -> None:
        """Sign for this ledger from now on, without its node in reach; raises `OperationalError` for another one."""
        known = self.settings.chain
        if known not in (None, chain_id):
            raise OperationalError(f"{self.folder} signs for the ledger {known}, not for {chain_id}")
        write_settings(self.folder, replace(self.settings, chain=chain_id))
        self.settings = read_settings(self.folder)

    def join(self, ledger: Path) -> None:
        """Submit to the node in this folder from now on."""
        chain = _read_chain(ledger)
        write_settings(self.folder, replace(self.settings, ledger=ledger.resolve(), chain=chain))
        self.settings = read_settings(self.folder)

    @property
    def root_key(self) -> str:
        """The name of the key that manages the others."""
        return self.settings.root

    def work_with(self, key_name: str) -> None:
        """Sign with this key from now on, or manage keys with it if it is a root key; raises `OperationalError`."""
        is_root = self.keystore.key(key_name).kind == ROOT
        settings = self.settings
        changed = replace(settings, root=key_name) if is_root else replace(settings, key=key_name)
        write_settings(self.folder, changed)
        self.settings = read_settings(self.folder)

    def home(self) -> NodeHome:
        """The node this workspace submits to."""
        if self.settings.ledger is None:
            raise OperationalError(f"{self.folder} has joined no ledger: `cellvow init join` does that")
        return NodeHome(self.settings.ledger)

    @property
    def chain_id(self) -> str:
        """The ledger that this workspace signs for, known without reaching its node; raises `OperationalError`."""
        known = self.settings.chain
        if known is None and self.settings.ledger is not None:
            known = _read_chain(self.settings.ledger)  # joined before the settings named it
        if known is None:
            raise OperationalError(f"{self.folder} knows no ledger: `cellvow init join`, once with the node in reach")
        return known

    def member(self) -> Organisation:
        """This organisation's entry for a genesis."""
        return parse_organisation((self.folder / MEMBER_FILE).read_bytes())

    def key(self, name: str | None = None) -> SigningKey:
        """One of its keys; without a name the one it works with."""
        return self.keystore.key(name or self.settings.key)

    def sign(self, chain_id: str, message: Message, now_ms: int | None, key_name: str | None = None) -> Signed:
        """A single statement; its sequence is persisted before it is signed, its bytes until it is resolved.

        Without a moment it may be applied however late: for what is signed out of reach of the ledger.
        """
        body: dict[str, Json] = {"message": parse_object(encode_checked(message))}
        return self._sign(chain_id, message.subject, SINGLE_CONTENT, body, now_ms, key_name)

    def sign_batch(
        self,
        chain_id: str,
        messages: Sequence[Message],
        seed: bytes,
        now_ms: int,
        mode: str = "atomic",
        key_name: str | None = None,
    ) -> Signed:
        """A batch under one signature; `seed` is 32 secret random bytes, used once."""
        carried = tuple(encode_checked(message) for message in messages)
        root = batch_root(seed, carried).hex()
        body: dict[str, Json] = {"count": len(carried), "mode": mode, "root": root}
        signed = self._sign(chain_id, BATCH_SUBJECT, BATCH_CONTENT, body, now_ms, key_name)
        data = encode_batch(signed.data, seed, carried)
        self.sequences.keep(signed.kid, signed.sequence, data)
        return Signed(data, signed.kid, signed.sequence)

    def close(self) -> None:
        """Close what is open."""
        with self._grants_guard:
            if self._grants is not None:
                self._grants.close()
            if self._invitations is not None:
                self._invitations.close()
        self.vault.close()
        self.sequences.close()

    def _sign(
        self, chain_id: str, subject: str, content: str, body: dict[str, Json], now_ms: int | None, key_name: str | None
    ) -> Signed:
        key = self.key(key_name)
        sequence = self.sequences.allocate(key.kid)
        protected = encode_protected(key.kid, self.organisation, subject, content)
        not_after_ms = None if now_ms is None else now_ms + SIGNING_WINDOW_MS
        payload = encode_payload(chain_id, sequence, body, not_after_ms)
        signature = key.sign(encode_cbor(["Signature1", protected, b"", payload]))
        data = encode_envelope(protected, payload, signature)
        if content == SINGLE_CONTENT:
            self.sequences.keep(key.kid, sequence, data)
        return Signed(data, key.kid, sequence)


def encode_checked(message: Message) -> bytes:
    """The bytes of a message; raises `Malformed` naming the field that the ledger would refuse, before it is signed."""
    data = encode_message(message)
    try:
        msgspec.json.decode(data, type=type(message))
    except msgspec.ValidationError as error:
        _, _, field = str(error).partition(" - at `$.")
        named = field.rstrip("`") or "a field"
        raise Malformed(
            f"{type(message).__name__}: {named} does not have the form that the ledger takes "
            "(docs/reference/circles.md lists the fields); nothing was signed"
        ) from error
    return data


def _read_chain(ledger: Path) -> str | None:
    """The identifier of the ledger of a node's folder, or None where it cannot be read now."""
    try:
        return parse_genesis((ledger / GENESIS_FILE).read_bytes()).chain_id
    except OSError:
        return None


def read_member(path: Path) -> Organisation:
    """A member's entry from its file; raises `Malformed` or `OperationalError`."""
    try:
        return parse_organisation(path.read_bytes())
    except FileNotFoundError as error:
        raise OperationalError(f"{path} is missing: `cellvow init workspace` writes it") from error
