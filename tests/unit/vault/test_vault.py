"""The vault gives back what it was given to its key alone, and says whose fault it is when it cannot."""

from __future__ import annotations

import stat
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.ledger.commitment import verify_disclosure
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvariantBroken, Malformed, OperationalError, VerificationError
from cellvow.core.primitives.limits import MESSAGE_BYTES_MAX
from cellvow.vault import FIELDS_MAX, PAYLOAD_BYTES_MAX, RecordErased, UnknownRecord, Vault
from cellvow.vault.cipher import derive_vault_keys, open_sealed
from tests.unit.vault.traces import alter, stored_bytes, traces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.core.primitives.encoding import Json

MASTER_KEY = bytes(range(32))
FIELDS: list[dict[str, Json]] = [
    {"quantity": "capacity_mah", "unit": "mAh", "value": 30335},
    {"quantity": "resistance_uohm", "unit": "uOhm", "value": 2030},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the vault lies."""
    return tmp_path / "vault.db"


@pytest.fixture
def vault(path: Path) -> Iterator[Vault]:
    """A new vault."""
    vault = Vault.open(path, MASTER_KEY)
    yield vault
    vault.close()


def test_a_record_is_there_after_the_vault_was_closed(vault: Vault, path: Path) -> None:
    """What was put is what is got, by a later process too."""
    record_id = vault.put_record("report", b"payload")
    vault.close()
    reopened = Vault.open(path, MASTER_KEY)
    record = reopened.get_record(record_id)
    reopened.close()

    assert (record_id, "report", b"payload") == (record.record_id, record.kind, record.payload)


def test_two_processes_share_one_vault(vault: Vault, path: Path) -> None:
    """What one connection puts another one reads, both ways."""
    other = Vault.open(path, MASTER_KEY)
    first, second = vault.put_record("report", b"first"), other.put_record("report", b"second")

    assert [b"first", b"second"] == [other.get_record(first).payload, vault.get_record(second).payload]
    other.close()


def test_the_file_is_its_owners_alone(vault: Vault, path: Path) -> None:
    """The database and what SQLite puts beside it have mode 0600."""
    vault.put_record("report", b"payload")
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}

    assert dict.fromkeys(["vault.db", "vault.db-shm", "vault.db-wal"], 0o600) == modes


def test_a_vault_open_to_others_is_refused(vault: Vault, path: Path) -> None:
    """The remedy is part of the refusal."""
    vault.close()
    path.chmod(0o644)

    with pytest.raises(OperationalError, match="chmod 600"):
        Vault.open(path, MASTER_KEY)


def test_no_file_shows_a_payload_a_salt_or_a_commitment(vault: Vault, tmp_path: Path) -> None:
    """Whoever copies the disk learns neither the values nor which commitments on the ledger are ours."""
    payload = b"the lender is a private person"
    vault.put_record("report", payload)
    sealed = vault.commit_fields("attestation", FIELDS)
    disclosures = vault.disclose(sealed.record_id, [0, 1])
    secrets = [payload, *sealed.commitments]
    secrets += [part for one in disclosures for part in (one.salt, one.field)]

    assert [] == traces(tmp_path, [*secrets, MASTER_KEY])


def test_control_a_payload_in_the_open_is_found(vault: Vault, tmp_path: Path) -> None:
    """The search sees what the file holds: here a kind, which is stored in the open."""
    vault.put_record("kind-in-the-open", b"payload")

    assert ["vault.db-wal"] == traces(tmp_path, [b"kind-in-the-open"])


def test_commitments_open_with_the_disclosures_of_the_vault(vault: Vault) -> None:
    """Each field verifies against the commitment that went to the ledger, in its order."""
    sealed = vault.commit_fields("attestation", FIELDS)
    opened = vault.disclose(sealed.record_id, range(2))

    assert FIELDS == [verify_disclosure(*pair) for pair in zip(opened, sealed.commitments, strict=True)]


def test_equal_fields_have_unequal_commitments(vault: Vault) -> None:
    """A salt is used once, so nobody sees that two values are the same."""
    sealed = [vault.commit_fields("attestation", [FIELDS[0], FIELDS[0]]) for _ in range(2)]

    assert 4 == len({commitment for one in sealed for commitment in one.commitments})


def test_a_disclosure_gives_away_no_other_field(vault: Vault) -> None:
    """The fields asked for are returned, in the order asked for, and no others."""
    sealed = vault.commit_fields("attestation", FIELDS)
    (second,) = vault.disclose(sealed.record_id, [1])

    assert FIELDS[1] == verify_disclosure(second, sealed.commitments[1])
    with pytest.raises(VerificationError):
        verify_disclosure(second, sealed.commitments[0])


def test_a_commitment_on_the_ledger_is_found_in_the_vault(vault: Vault) -> None:
    """The place is the record and the index; a foreign commitment has none."""
    vault.commit_fields("attestation", FIELDS)
    sealed = vault.commit_fields("attestation", FIELDS)

    assert (sealed.record_id, 1) == vault.find_by_commitment(sealed.commitments[1])
    assert vault.find_by_commitment(Digest(bytes(32))) is None


@pytest.mark.parametrize("index", [-1, 2])
def test_a_field_that_is_not_there_is_refused(vault: Vault, index: int) -> None:
    """A negative index does not count from the end."""
    sealed = vault.commit_fields("attestation", FIELDS)

    with pytest.raises(OperationalError, match=f"fields 0 to 1: there is no field {index}"):
        vault.disclose(sealed.record_id, [index])


def test_a_record_is_not_read_as_what_it_is_not(vault: Vault) -> None:
    """Payloads are got, fields are disclosed."""
    payload, fields = vault.put_record("report", b"payload"), vault.commit_fields("attestation", FIELDS).record_id

    with pytest.raises(OperationalError, match="holds payload, not fields"):
        vault.disclose(payload, [0])
    with pytest.raises(OperationalError, match="holds fields, not payload"):
        vault.get_record(fields)


def test_an_unknown_record_is_named(vault: Vault) -> None:
    """Reading and erasing say so alike."""
    for ask in (vault.get_record, vault.erase_record):
        with pytest.raises(UnknownRecord, match="no record 'beef'"):
            ask("beef")


@pytest.mark.parametrize("kind", ["", "Report", "re port", "report\n", "a" * 41, "1st"])
def test_a_kind_has_one_spelling(vault: Vault, kind: str) -> None:
    """A kind is part of what the ciphertext is bound to, so it holds no separator."""
    with pytest.raises(Malformed, match="not a kind of record"):
        vault.put_record(kind, b"")


@pytest.mark.slow
def test_a_payload_of_the_largest_size_fits_and_one_byte_more_does_not(vault: Vault) -> None:
    """16 MB are taken and given back."""
    largest = bytes(PAYLOAD_BYTES_MAX)

    assert largest == vault.get_record(vault.put_record("report", largest)).payload
    with pytest.raises(Malformed, match="16000001 bytes"):
        vault.put_record("report", largest + b"\0")


def test_as_many_fields_as_a_bundle_takes_fit_and_one_more_does_not(vault: Vault) -> None:
    """Nothing can be committed to that could not be disclosed."""
    sealed = vault.commit_fields("attestation", FIELDS[:1] * FIELDS_MAX)

    assert FIELDS_MAX == len(vault.disclose(sealed.record_id, range(FIELDS_MAX)))
    for count in (0, FIELDS_MAX + 1):
        with pytest.raises(Malformed, match=f"{count} fields"):
            vault.commit_fields("attestation", FIELDS[:1] * count)


def test_a_field_that_no_verifier_would_take_is_not_committed_to(vault: Vault) -> None:
    """Size and profile of a field document are checked before the ledger binds them; the field is named."""
    envelope = len('{"note":""}')
    sealed = vault.commit_fields("attestation", [{"note": "x" * (MESSAGE_BYTES_MAX - envelope)}])
    verify_disclosure(vault.disclose(sealed.record_id, [0])[0], sealed.commitments[0])

    with pytest.raises(Malformed, match="field 1 has 64001 bytes"):
        vault.commit_fields("attestation", [{}, {"note": "x" * (MESSAGE_BYTES_MAX - envelope + 1)}])
    with pytest.raises(Malformed, match="field 1: a float"):
        vault.commit_fields("attestation", [{}, {"value": 1.5}])  # type: ignore[dict-item]  # what must be refused


def test_the_wrong_master_key_is_called_that(vault: Vault, path: Path) -> None:
    """It is not mistaken for damage, and the file stays usable for the right key."""
    record_id = vault.put_record("report", b"payload")
    vault.close()

    with pytest.raises(OperationalError, match="wrong master key"):
        Vault.open(path, MASTER_KEY[::-1])
    assert b"payload" == Vault.open(path, MASTER_KEY).get_record(record_id).payload


def test_a_master_key_of_another_length_is_a_bug(path: Path) -> None:
    """It is refused before a file is made."""
    with pytest.raises(InvariantBroken, match="master key of 16 bytes"):
        Vault.open(path, bytes(16))
    assert not path.exists()


def test_two_vaults_under_one_master_key_share_no_key(tmp_path: Path) -> None:
    """A record carried into another vault does not open there."""
    vaults = [Vault.open(tmp_path / name, MASTER_KEY) for name in ("a.db", "b.db")]
    record_id = vaults[0].put_record("report", b"payload")
    sealed, wrapped = stored_bytes(tmp_path / "a.db", record_id)
    alter(tmp_path / "b.db", "INSERT INTO record VALUES(?, 'report', 'payload', ?)", (record_id, sealed))
    row = "INSERT INTO wrapped_key VALUES(?, '@owner', 'A256GCM', ?, NULL, NULL)"
    alter(tmp_path / "b.db", row, (record_id, wrapped))

    with pytest.raises(VerificationError, match="was altered"):
        vaults[1].get_record(record_id)


TAMPERING = {
    "ciphertext": "UPDATE record SET sealed = CAST(sealed || x'00' AS BLOB) WHERE id = :first",
    "ciphertext cut": "UPDATE record SET sealed = substr(sealed, 1, 5) WHERE id = :first",
    "ciphertext of another record": "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = :second)",
    "key of another record": "UPDATE wrapped_key SET wrapped = "
    "(SELECT wrapped FROM wrapped_key WHERE record = :second) WHERE record = :first",
    "ciphertext and key of another record": "UPDATE record SET sealed = (SELECT sealed FROM record WHERE id = :second);"
    "UPDATE wrapped_key SET wrapped = (SELECT wrapped FROM wrapped_key WHERE record = :second)",
    "kind": "UPDATE record SET kind = 'certificate'",
    "key deleted": "DELETE FROM wrapped_key WHERE record = :first",
    "algorithm": "UPDATE wrapped_key SET algorithm = 'none'",
    "recipient": "UPDATE wrapped_key SET recipient = 'nordpack'",
}


@pytest.mark.parametrize("tampering", TAMPERING.values(), ids=TAMPERING)
def test_a_record_altered_in_the_file_is_not_believed(vault: Vault, path: Path, tampering: str) -> None:
    """Ciphertext, key, identifier and kind belong together, or the record is refused and named."""
    first, second = vault.put_record("report", b"one"), vault.put_record("report", b"two")
    alter(path, tampering.replace(":first", f"'{first}'").replace(":second", f"'{second}'"))

    with pytest.raises(VerificationError, match=f"{first} was altered in the vault's file"):
        vault.get_record(first)


def test_control_an_alteration_of_nothing_secret_leaves_the_record_readable(vault: Vault, path: Path) -> None:
    """The expiry is not part of what is bound, so it is the tampering above that is noticed, not any writing."""
    record_id = vault.put_record("report", b"one")
    alter(path, "UPDATE wrapped_key SET expires_ms = 1")

    assert b"one" == vault.get_record(record_id).payload


def test_fields_are_not_turned_into_a_payload(vault: Vault, path: Path) -> None:
    """The form of a record is bound too: otherwise salts would come out as somebody's report."""
    record_id = vault.commit_fields("attestation", FIELDS).record_id
    alter(path, "UPDATE record SET form = 'payload'")

    with pytest.raises(VerificationError, match="was altered"):
        vault.get_record(record_id)


def test_an_index_that_names_another_field_is_not_believed(vault: Vault, path: Path) -> None:
    """What is found for a commitment is opened and compared."""
    sealed = vault.commit_fields("attestation", FIELDS)
    alter(path, "UPDATE commitment SET field = 1 - field")

    with pytest.raises(VerificationError, match="not the one committed to"):
        vault.find_by_commitment(sealed.commitments[0])


def test_a_record_that_is_a_tombstone_says_so(vault: Vault) -> None:
    """Erased is not the same as never there; erasing again changes nothing."""
    record_id = vault.put_record("report", b"payload")
    vault.erase_record(record_id)
    vault.erase_record(record_id)

    with pytest.raises(RecordErased, match=r"\(report\) was erased"):
        vault.get_record(record_id)


def test_the_key_of_a_record_is_wrapped_for_a_recipient(vault: Vault, path: Path) -> None:
    """The owner is a recipient like those to come: another row for another one needs no new column."""
    record_id = vault.put_record("report", b"payload")
    row = "INSERT INTO wrapped_key VALUES(?, 'nordpack', 'another algorithm', x'00', 1796000000000, 'voltera')"
    alter(path, row, (record_id,))

    assert b"payload" == vault.get_record(record_id).payload


def test_random_bytes_that_are_given_decide_everything(tmp_path: Path) -> None:
    """Nothing else in a vault is drawn: the same bytes give the same commitments."""
    sealed = []
    for name in ("a.db", "b.db"):
        vault = Vault.open(tmp_path / name, MASTER_KEY, lambda length: bytes([7]) * length)
        sealed.append(vault.commit_fields("attestation", FIELDS))
        vault.close()

    assert sealed[0] == sealed[1]


def test_the_payload_does_not_show_in_a_log(vault: Vault) -> None:
    """The text form of a record names it and no more."""
    record = vault.get_record(vault.put_record("report", b"payload"))

    assert f"Record(record_id='{record.record_id}', kind='report')" == repr(record)


def test_the_owners_wrapped_key_opens_as_the_page_says(vault: Vault, path: Path) -> None:
    """Somebody with the master key and the documentation alone can recover a record."""
    record_id = vault.put_record("report", b"payload")
    vault.close()
    sealed, wrapped = stored_bytes(path, record_id)
    keys = derive_vault_keys(MASTER_KEY, _vault_id(path))
    data_key = open_sealed(keys.wrap, wrapped, f"cellvow/vault/wrapped-key/v1\0{record_id}\0@owner\0A256GCM".encode())
    context = f"cellvow/vault/record/v1\0{record_id}\0report\0payload".encode()

    assert b"payload" == open_sealed(data_key, sealed, context)


def _vault_id(path: Path) -> bytes:
    with closing(apsw.Connection(str(path))) as connection:
        (vault_id,) = connection.execute("SELECT id FROM vault").fetchone() or (None,)
    assert isinstance(vault_id, bytes)
    return vault_id
