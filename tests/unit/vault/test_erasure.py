"""Erasure leaves a tombstone and no trace of the record in any file of the vault."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.ledger.commitment import verify_disclosure
from cellvow.core.primitives.errors import OperationalError
from cellvow.vault import RecordErased, UnknownRecord, Vault, private_database
from tests.unit.vault.traces import alter, stored_bytes, traces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.core.primitives.encoding import Json

MASTER_KEY = bytes(range(32))
LARGE = bytes(range(256)) * 200
SMALL: list[dict[str, Json]] = [{"quantity": "capacity_mah", "value": value} for value in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the vault lies."""
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    """A vault with records before and after those that will be erased."""
    vault = Vault.open(path, MASTER_KEY)
    vault.put_record("report", LARGE)
    yield vault
    vault.close()


@pytest.mark.slow
def test_no_file_holds_a_trace_of_an_erased_payload(vault: Vault, path: Path) -> None:
    """Ciphertext and wrapped key are in no file: not in the database, not in its log."""
    record_id = vault.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    vault.put_record("report", LARGE)
    vault.erase_record(record_id)

    assert [] == traces(path.parent, stored)
    with pytest.raises(RecordErased):
        vault.get_record(record_id)


def test_no_file_holds_a_trace_of_erased_fields(vault: Vault, path: Path) -> None:
    """Salts and values are gone, and so is the link from a commitment on the ledger to the record."""
    sealed = vault.commit_fields("attestation", SMALL)
    disclosures = vault.disclose(sealed.record_id, range(3))
    stored = stored_bytes(path, sealed.record_id)
    vault.erase_record(sealed.record_id)

    assert [] == traces(path.parent, [*stored, *(part for one in disclosures for part in (one.salt, one.field))])
    assert vault.find_by_commitment(sealed.commitments[0]) is None
    with closing(apsw.Connection(str(path))) as connection:
        assert [] == connection.execute("SELECT * FROM commitment").fetchall()


def test_control_before_erasure_the_search_finds_the_record(vault: Vault, path: Path) -> None:
    """What is searched for is in the file while the record is there, before and after the log is taken in."""
    record_id = vault.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    found = traces(path.parent, [stored.sealed]), traces(path.parent, [stored.wrapped])
    vault.close()

    assert (["vault.db-wal"], ["vault.db-wal"]) == found
    assert [["vault.db"], ["vault.db"]] == [traces(path.parent, [each]) for each in stored]


def test_control_deleting_alone_leaves_traces(vault: Vault, path: Path) -> None:
    """Taking the row out with SQLite's defaults leaves the ciphertext where it was."""
    record_id = vault.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    vault.close()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA secure_delete=OFF").fetchall()
        connection.execute("DELETE FROM wrapped_key; UPDATE record SET sealed = NULL")
        assert [(None,)] == connection.execute("SELECT DISTINCT sealed FROM record").fetchall()

    assert ["vault.db"] == traces(path.parent, stored)


def test_an_erasure_also_removes_what_another_program_left_behind(vault: Vault, path: Path) -> None:
    """The file is rewritten whole: what was deleted without overwriting it goes too, and its space is given back."""
    careless = vault.put_record("report", LARGE[::-1])
    erased = vault.put_record("report", b"small")
    stored = stored_bytes(path, careless)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA secure_delete=OFF").fetchall()
        connection.execute("UPDATE record SET sealed = NULL WHERE id = ?", (careless,))
        connection.execute("DELETE FROM wrapped_key WHERE record = ?", (careless,))
    vault.close()
    before = path.stat().st_size
    reopened = Vault.open(path, MASTER_KEY)
    reopened.erase_record(erased)
    reopened.close()

    assert [] == traces(path.parent, stored)
    assert path.stat().st_size < before - len(LARGE) // 2


def test_control_without_the_sweep_the_log_still_holds_the_record(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secure deletion alone is not enough: the write-ahead log keeps what was written before."""
    record_id = vault.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    monkeypatch.setattr(Vault, "_sweep", lambda _: None)
    vault.erase_record(record_id)

    assert ["vault.db-wal"] == traces(path.parent, stored)


def test_the_other_records_stay(vault: Vault) -> None:
    """Neighbours of what was erased read as before."""
    before = vault.put_record("report", b"before")
    gone = [vault.put_record("report", LARGE[::-1]), vault.commit_fields("attestation", SMALL).record_id]
    after = vault.commit_fields("attestation", SMALL)
    vault.erase_records(gone)

    assert b"before" == vault.get_record(before).payload
    opened = vault.disclose(after.record_id, [2])[0]
    assert SMALL[2] == verify_disclosure(opened, after.commitments[2])
    assert (after.record_id, 2) == vault.find_by_commitment(after.commitments[2])


def test_a_list_with_an_unknown_record_erases_nothing(vault: Vault) -> None:
    """All of the list or none of it."""
    record_id = vault.put_record("report", b"payload")

    with pytest.raises(UnknownRecord):
        vault.erase_records([record_id, "beef"])
    assert b"payload" == vault.get_record(record_id).payload


def test_an_interrupted_erasure_is_finished_when_the_vault_is_opened(
    vault: Vault, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends between the deletion and the sweep leaves a note of it in the file."""
    record_id = vault.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    with monkeypatch.context() as patch:
        patch.setattr(Vault, "_sweep", lambda _: None)
        vault.erase_record(record_id)
    other = Vault.open(path, MASTER_KEY)

    assert [] == traces(path.parent, stored)
    other.close()


@pytest.mark.slow
def test_a_reader_that_hinders_the_erasure_is_named_and_the_erasure_can_be_repeated(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is called erased while the log of a reader still holds it."""
    monkeypatch.setattr(private_database, "BUSY_MS_MAX", 1)
    other = Vault.open(path, MASTER_KEY)
    record_id = other.put_record("report", LARGE[::-1])
    stored = stored_bytes(path, record_id)
    with closing(apsw.Connection(str(path))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM record").fetchall()
        with pytest.raises(OperationalError, match="another process is reading the vault"):
            other.erase_record(record_id)
        hindered = traces(path.parent, stored)
        reader.execute("COMMIT")
    other.erase_record(record_id)

    assert ["vault.db-wal"] == hindered
    assert [] == traces(path.parent, stored)
    other.close()


def test_a_tombstone_tells_kind_and_identifier_only(vault: Vault, path: Path) -> None:
    """What stays says that there was something, not what."""
    record_id = vault.commit_fields("attestation", SMALL).record_id
    vault.erase_record(record_id)
    with closing(apsw.Connection(str(path))) as connection:
        rows = connection.execute("SELECT * FROM record WHERE id = ?", (record_id,)).fetchall()

    assert [(record_id, "attestation", "fields", None)] == rows


def test_a_tombstone_is_not_undone_by_the_old_key(vault: Vault, path: Path) -> None:
    """Somebody who kept the wrapped key has nothing to open with it."""
    record_id = vault.put_record("report", b"payload")
    wrapped = stored_bytes(path, record_id).wrapped
    vault.erase_record(record_id)
    alter(path, "INSERT INTO wrapped_key VALUES(?, '@owner', 'A256GCM', ?, NULL, NULL)", (record_id, wrapped))

    with pytest.raises(RecordErased):
        vault.get_record(record_id)
