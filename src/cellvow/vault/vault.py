"""The confidential payloads of one organisation: encrypted per record, committed per field, disclosed, erased.

What is encrypted how, and what erasure does and does not do: docs/reference/vault.md.
"""

import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NewType

import apsw

from cellvow.core.ledger.commitment import SALT_LENGTH, Disclosure, commit, verify_disclosure
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest, keyed_digest
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError, fail
from cellvow.core.primitives.limits import DISCLOSURES_MAX, MESSAGE_BYTES_MAX
from cellvow.vault.cipher import KEY_LENGTH, RandomBytes, VaultKeys, derive_vault_keys, open_sealed, seal
from cellvow.vault.private_database import Layout, PrivateDatabase

RecordId = NewType("RecordId", str)
"""32 hexadecimal characters, drawn at random: it says nothing about the record."""

PAYLOAD_BYTES_MAX = 16_000_000
"""One record: a scanned report fits, a measurement belongs in the archive."""
FIELDS_MAX = DISCLOSURES_MAX
"""Fields of one record: all of them fit in one bundle."""
OWNER = "@owner"
"""The recipient that is the organisation itself; the sign keeps it apart from every organisation's identifier."""
WRAP_ALGORITHM = "A256GCM"
"""How the owner's copy of a data key is wrapped; other recipients will have other algorithms."""
KIND_PATTERN = r"^[a-z][a-z0-9-]{0,39}\Z"

_ID_LENGTH = 16
_PAYLOAD, _FIELDS = "payload", "fields"
_INDEX_DOMAIN = "cellvow/vault/commitment/v1"
_LAYOUT = Layout(
    noun="vault",
    application_id=0x4356564C,  # "CVVL"
    tables="""
    CREATE TABLE vault(id BLOB NOT NULL, key_check BLOB NOT NULL,
        erasures INTEGER NOT NULL, swept INTEGER NOT NULL) STRICT;
    CREATE TABLE record(id TEXT PRIMARY KEY, kind TEXT NOT NULL, form TEXT NOT NULL, sealed BLOB) STRICT;
    CREATE TABLE wrapped_key(record TEXT NOT NULL REFERENCES record, recipient TEXT NOT NULL,
        algorithm TEXT NOT NULL, wrapped BLOB NOT NULL, expires_ms INTEGER, granted_by TEXT,
        PRIMARY KEY(record, recipient)) STRICT, WITHOUT ROWID;
    CREATE TABLE commitment(tag BLOB PRIMARY KEY, record TEXT NOT NULL REFERENCES record, field INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    CREATE INDEX commitment_record ON commitment(record);
    """,
)


class UnknownRecord(OperationalError):
    """The vault holds no record of that identifier, and never did."""


class RecordErased(OperationalError):
    """The record was erased: what it held cannot be had again, from this vault or by trying later."""


@dataclass(frozen=True, slots=True)
class Record:
    """A payload and what it was filed as; the payload does not show in its `repr`."""

    record_id: RecordId
    kind: str
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SealedFields:
    """Where committed fields lie, and their commitments in the order given."""

    record_id: RecordId
    commitments: tuple[Digest, ...]


class FieldPlace(NamedTuple):
    """Which field of which record, counted from 0."""

    record_id: RecordId
    field_index: int


class Vault:
    """One organisation's vault, opened with its master key; shared by threads, and by processes through the file."""

    def __init__(self, database: PrivateDatabase, keys: VaultKeys, random_bytes: RandomBytes) -> None:
        self._database = database
        self._keys = keys
        self._random_bytes = random_bytes

    @classmethod
    def open(cls, path: Path, master_key: bytes, random_bytes: RandomBytes = secrets.token_bytes) -> "Vault":
        """Open the vault, or create it where there is no file; finishes an erasure that was interrupted.

        Raises `OperationalError` if the master key (32 bytes) is another vault's, or the file is truncated,
        damaged or open to other users of the machine.
        """
        database = PrivateDatabase.open(path, _LAYOUT, lambda connection: _begin(connection, master_key, random_bytes))
        try:
            vault = cls(database, _unlock(database, master_key), random_bytes)
            vault._sweep()
        except CellvowError:
            database.close()
            raise
        return vault

    def close(self) -> None:
        """Release the file; the vault is not used afterwards."""
        self._database.close()

    def put_record(self, kind: str, payload: bytes) -> RecordId:
        """Keep a payload of at most 16 MB, on disk when this returns; `kind` is stored in the open."""
        return self._put(kind, _PAYLOAD, payload, ())

    def get_record(self, record_id: str) -> Record:
        """The payload of `put_record`; raises `UnknownRecord`, `RecordErased`, or `VerificationError` if altered."""
        with self._database.reading() as connection:
            return self._open(connection, record_id, _PAYLOAD)

    def commit_fields(self, kind: str, fields: Sequence[Mapping[str, Json]]) -> SealedFields:
        """Keep field documents, each with a new random salt, and return their commitments for the ledger.

        Call it before the commitments are submitted: a commitment whose salt is lost opens for nobody.
        """
        if not 1 <= len(fields) <= FIELDS_MAX:
            raise Malformed(f"{len(fields)} fields: 1 to {FIELDS_MAX} can be committed to at once")
        documents = [_encode_field(index, document) for index, document in enumerate(fields)]
        disclosures = [Disclosure(self._random_bytes(SALT_LENGTH), document) for document in documents]
        commitments = tuple(commit(disclosure.salt, disclosure.field) for disclosure in disclosures)
        payload = encode_cbor([[disclosure.salt, disclosure.field] for disclosure in disclosures])
        return SealedFields(self._put(kind, _FIELDS, payload, commitments), commitments)

    def keep_disclosure(self, kind: str, disclosure: Disclosure) -> RecordId:
        """Keep a field that one's own device has committed to, with the salt it drew; the same again changes nothing.

        The caller has checked what it opens: `verify_disclosure` and where the commitment stands.
        """
        payload = encode_cbor([[disclosure.salt, disclosure.field]])
        return self._put(kind, _FIELDS, payload, (commit(disclosure.salt, disclosure.field),))

    def disclose(self, record_id: str, indexes: Iterable[int]) -> list[Disclosure]:
        """What opens those fields of `commit_fields`, in the order asked for; whoever gets it can pass it on."""
        with self._database.reading() as connection:
            disclosures = self._disclosures(connection, record_id)
        return [_pick(disclosures, record_id, index) for index in indexes]

    def find_by_commitment(self, commitment: bytes) -> FieldPlace | None:
        """The field a commitment on the ledger is to, or None if it is not this vault's or was erased.

        The field is opened and compared; raises `VerificationError` if the file names another one.
        """
        with self._database.reading() as connection:
            query = "SELECT record, field FROM commitment WHERE tag = ?"
            row: tuple[str, int] | None = connection.execute(query, (self._tag(commitment),)).fetchone()
            if row is None:
                return None
            place = FieldPlace(RecordId(row[0]), row[1])
            disclosures = self._disclosures(connection, place.record_id)
        verify_disclosure(_pick(disclosures, *place), Digest(commitment))
        return place

    def erase_record(self, record_id: str) -> None:
        """Destroy one record; see `erase_records`."""
        self.erase_records([record_id])

    def erase_records(self, record_ids: Sequence[str]) -> None:
        """Destroy data keys, salts and ciphertext of the records, and every trace of them in the vault's files.

        Tombstones stay, which say that there was a record of that kind. Erasing again changes nothing. Raises
        `UnknownRecord` before anything is erased, or `OperationalError` if another process hinders the last step.
        """
        with self._database.writing() as connection:
            erased = [record_id for record_id in record_ids if _is_present(connection, record_id)]
            for record_id in erased:
                connection.execute("DELETE FROM wrapped_key WHERE record = ?", (record_id,))
                connection.execute("DELETE FROM commitment WHERE record = ?", (record_id,))
                connection.execute("UPDATE record SET sealed = NULL WHERE id = ?", (record_id,))
            connection.execute("UPDATE vault SET erasures = erasures + ?", (len(erased),))
        self._sweep()

    def _put(self, kind: str, form: str, payload: bytes, commitments: Sequence[Digest]) -> RecordId:
        if re.match(KIND_PATTERN, kind) is None:
            raise Malformed(f"{kind[:60]!r} is not a kind of record: 1 to 40 characters from a-z, 0-9 and '-'")
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise Malformed(f"a payload of {len(payload)} bytes: a record holds at most {PAYLOAD_BYTES_MAX}")
        record_id = RecordId(self._random_bytes(_ID_LENGTH).hex())
        data_key = self._random_bytes(KEY_LENGTH)
        sealed = seal(data_key, payload, _record_context(record_id, kind, form), self._random_bytes)
        context = _wrap_context(record_id, OWNER, WRAP_ALGORITHM)
        wrapped = seal(self._keys.wrap, data_key, context, self._random_bytes)
        tags = [(self._tag(commitment), record_id, index) for index, commitment in enumerate(commitments)]
        with self._database.writing() as connection:
            known = _find_tag(connection, [tag for tag, _, _ in tags])
            if known is not None:
                return known  # a second copy would outlive the erasure of the first
            connection.execute("INSERT INTO record VALUES(?, ?, ?, ?)", (record_id, kind, form, sealed))
            key_row = (record_id, OWNER, WRAP_ALGORITHM, wrapped)
            connection.execute("INSERT INTO wrapped_key VALUES(?, ?, ?, ?, NULL, NULL)", key_row)
            connection.executemany("INSERT INTO commitment VALUES(?, ?, ?)", tags)
        return record_id

    def _open(self, connection: apsw.Connection, record_id: str, form: str) -> Record:
        kind, found, sealed = _fetch_record(connection, record_id)
        if sealed is None:
            raise RecordErased(f"record {record_id} ({kind}) was erased: its content no longer exists in this vault")
        if found != form:
            raise OperationalError(f"record {record_id} holds {found}, not {form}")
        try:
            data_key = self._unwrap(connection, record_id)
            payload = open_sealed(data_key, sealed, _record_context(record_id, kind, form))
        except VerificationError as error:
            raise VerificationError(
                f"record {record_id} was altered in the vault's file ({error.reason}): restore it from a backup"
            ) from error
        return Record(RecordId(record_id), kind, payload)

    def _unwrap(self, connection: apsw.Connection, record_id: str) -> bytes:
        query = "SELECT algorithm, wrapped FROM wrapped_key WHERE record = ? AND recipient = ?"
        row: tuple[str, bytes] | None = connection.execute(query, (record_id, OWNER)).fetchone()
        if row is None:
            raise VerificationError("its key is gone though it was not erased")
        algorithm, wrapped = row
        if algorithm != WRAP_ALGORITHM:
            raise VerificationError(f"its key is wrapped by {algorithm[:40]!r}, which is unknown here")
        return open_sealed(self._keys.wrap, wrapped, _wrap_context(record_id, OWNER, algorithm))

    def _disclosures(self, connection: apsw.Connection, record_id: str) -> list[Disclosure]:
        return _parse_disclosures(self._open(connection, record_id, _FIELDS).payload)

    def _tag(self, commitment: bytes) -> Digest:
        return keyed_digest(self._keys.index, _INDEX_DOMAIN, commitment)

    def _sweep(self) -> None:
        """Count erasures, not a flag: one that another process makes meanwhile is still swept."""
        with self._database.reading() as connection:
            (erasures, swept) = connection.execute("SELECT erasures, swept FROM vault").fetchone() or (0, 0)
        if swept < erasures:
            self._database.sweep()
            with self._database.writing() as connection:
                connection.execute("UPDATE vault SET swept = max(swept, ?)", (erasures,))


def _begin(connection: apsw.Connection, master_key: bytes, random_bytes: RandomBytes) -> None:
    vault_id = random_bytes(_ID_LENGTH)
    check = derive_vault_keys(master_key, vault_id).check
    connection.execute("INSERT INTO vault VALUES(?, ?, 0, 0)", (vault_id, check))


def _unlock(database: PrivateDatabase, master_key: bytes) -> VaultKeys:
    with database.reading() as connection:
        row: tuple[bytes, bytes] | None = connection.execute("SELECT id, key_check FROM vault").fetchone()
    if row is None:
        raise OperationalError(f"the vault {database.path} is damaged: restore it from a backup")
    vault_id, check = row
    keys = derive_vault_keys(master_key, vault_id)
    if not hmac.compare_digest(keys.check, check):
        raise OperationalError(
            f"this is the wrong master key for the vault {database.path}: put the vault.key back that it was made with"
        )
    return keys


def _fetch_record(connection: apsw.Connection, record_id: str) -> tuple[str, str, bytes | None]:
    query = "SELECT kind, form, sealed FROM record WHERE id = ?"
    row: tuple[str, str, bytes | None] | None = connection.execute(query, (record_id,)).fetchone()
    if row is None:
        raise UnknownRecord(f"the vault holds no record {record_id[:64]!r}")
    return row


def _find_tag(connection: apsw.Connection, tags: Sequence[bytes]) -> RecordId | None:
    """The record of the first of these commitments that the file names."""
    for tag in tags:
        row: tuple[str] | None = connection.execute("SELECT record FROM commitment WHERE tag = ?", (tag,)).fetchone()
        if row is not None:
            return RecordId(row[0])
    return None


def _is_present(connection: apsw.Connection, record_id: str) -> bool:
    _, _, sealed = _fetch_record(connection, record_id)
    return sealed is not None


def _record_context(record_id: str, kind: str, form: str) -> bytes:
    return f"cellvow/vault/record/v1\0{record_id}\0{kind}\0{form}".encode()


def _wrap_context(record_id: str, recipient: str, algorithm: str) -> bytes:
    return f"cellvow/vault/wrapped-key/v1\0{record_id}\0{recipient}\0{algorithm}".encode()


def _encode_field(index: int, document: Mapping[str, Json]) -> bytes:
    try:
        encoded = encode_document(dict(document))
    except Malformed as error:
        raise Malformed(f"field {index}: {error}") from error
    if len(encoded) > MESSAGE_BYTES_MAX:
        raise Malformed(f"field {index} has {len(encoded)} bytes: a field document has at most {MESSAGE_BYTES_MAX}")
    return encoded


def _parse_disclosures(payload: bytes) -> list[Disclosure]:
    pairs = parse_cbor(payload)
    disclosures = []
    for pair in pairs if isinstance(pairs, list) else ():
        match pair:
            case [bytes(salt), bytes(document)]:
                disclosures.append(Disclosure(salt, document))
            case _:
                fail("an authentic record of fields holds something else than salts and documents")
    return disclosures


def _pick(disclosures: Sequence[Disclosure], record_id: str, index: int) -> Disclosure:
    if not 0 <= index < len(disclosures):
        raise OperationalError(f"record {record_id} has fields 0 to {len(disclosures) - 1}: there is no field {index}")
    return disclosures[index]
