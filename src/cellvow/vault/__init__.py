"""Confidential payloads of one organisation: encrypted, committed, disclosed, erased; and private files."""

from cellvow.vault.cipher import RandomBytes
from cellvow.vault.private_database import Layout, PrivateDatabase
from cellvow.vault.private_file import (
    FOLDER_MODE,
    AlreadyThere,
    create_private_file,
    read_private_file,
    require_private,
)
from cellvow.vault.vault import (
    FIELDS_MAX,
    OWNER,
    PAYLOAD_BYTES_MAX,
    FieldPlace,
    Record,
    RecordErased,
    RecordId,
    SealedFields,
    UnknownRecord,
    Vault,
)

__all__ = [
    "AlreadyThere",
    "FIELDS_MAX",
    "FOLDER_MODE",
    "FieldPlace",
    "Layout",
    "OWNER",
    "PAYLOAD_BYTES_MAX",
    "PrivateDatabase",
    "RandomBytes",
    "Record",
    "RecordErased",
    "RecordId",
    "SealedFields",
    "UnknownRecord",
    "Vault",
    "create_private_file",
    "read_private_file",
    "require_private",
]
