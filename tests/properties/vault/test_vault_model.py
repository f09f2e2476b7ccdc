"""Whatever is put, committed, disclosed, erased and reopened in any order: the vault behaves like a plain dict."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from cellvow.core.ledger.commitment import verify_disclosure
from cellvow.vault import RecordErased, RecordId, Vault
from tests.unit.vault.traces import stored_bytes, traces

if TYPE_CHECKING:
    from cellvow.core.primitives.digest import Digest

MASTER_KEY = bytes(range(32))
SIZES = st.sampled_from([0, 1, 40, 900, 4_090, 9_000, 70_000])


class VaultMachine(RuleBasedStateMachine):
    """A vault beside a dict of what it should hold and a list of what no file may hold any more."""

    payloads: Bundle[RecordId] = Bundle("payloads")
    committed: Bundle[RecordId] = Bundle("committed")

    @initialize()
    def create(self) -> None:
        """Start with an empty vault in a folder of its own."""
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "vault.db"
        self.vault = Vault.open(self.path, MASTER_KEY)
        self.held: dict[RecordId, bytes] = {}
        self.fields: dict[RecordId, dict[Digest, int]] = {}
        self.erased: list[RecordId] = []
        self.destroyed: list[bytes] = []

    @rule(target=payloads, size=SIZES, fill=st.integers(0, 255))
    def put(self, size: int, fill: int) -> RecordId:
        """Keep a payload of some size around SQLite's page size."""
        record_id = self.vault.put_record("report", bytes([fill]) * size)
        self.held[record_id] = bytes([fill]) * size
        return record_id

    @rule(target=committed, values=st.lists(st.integers(0, 9), min_size=1, max_size=5))
    def commit(self, values: list[int]) -> RecordId:
        """Commit to some fields."""
        sealed = self.vault.commit_fields("attestation", [{"value": value} for value in values])
        self.fields[sealed.record_id] = dict(zip(sealed.commitments, values, strict=True))
        return sealed.record_id

    @rule(record_id=payloads)
    def get(self, record_id: RecordId) -> None:
        """A payload comes back as it was put."""
        assert self.held[record_id] == self.vault.get_record(record_id).payload

    @rule(record_id=committed)
    def disclose(self, record_id: RecordId) -> None:
        """Every commitment is found, and opens to its value."""
        for index, (commitment, value) in enumerate(self.fields[record_id].items()):
            assert (record_id, index) == self.vault.find_by_commitment(commitment)
            (disclosure,) = self.vault.disclose(record_id, [index])
            assert {"value": value} == verify_disclosure(disclosure, commitment)

    @rule(record_id=consumes(payloads))
    def erase_payload(self, record_id: RecordId) -> None:
        """Erase a payload."""
        self._erase(record_id)
        del self.held[record_id]

    @rule(record_id=consumes(committed))
    def erase_fields(self, record_id: RecordId) -> None:
        """Erase fields; their commitments are then nobody's."""
        self._erase(record_id)
        for commitment in self.fields.pop(record_id):
            assert self.vault.find_by_commitment(commitment) is None

    @rule()
    def reopen(self) -> None:
        """Close and open."""
        self.vault.close()
        self.vault = Vault.open(self.path, MASTER_KEY)

    @invariant()
    def nothing_erased_is_left(self) -> None:
        """No file of the folder holds a piece of an erased ciphertext or wrapped key."""
        assert [] == traces(self.folder, self.destroyed)
        for record_id in self.erased:
            with pytest.raises(RecordErased):
                self.vault.get_record(record_id)

    def teardown(self) -> None:
        """Remove the folder."""
        self.vault.close()
        shutil.rmtree(self.folder)

    def _erase(self, record_id: RecordId) -> None:
        stored = stored_bytes(self.path, record_id)
        self.vault.erase_record(record_id)
        self.destroyed += stored
        self.erased.append(record_id)


TestVault = pytest.mark.slow(VaultMachine.TestCase)
TestVault.settings = settings(max_examples=settings().max_examples // 5, stateful_step_count=15)
