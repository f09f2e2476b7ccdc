"""The desk of one organisation: what waits for it, its imports, its papers, what it hands over."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cellvow.core.contracts.battery import ModelRecord, model_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.organisation import find_organisation
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.identifier import derive_model_id, parse_battery_id
from cellvow.node.engine import Level
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.passport.view import Attested, Audience, Passport
from cellvow.vault import UnknownRecord
from cellvow.workspace.bulk_jobs import BulkJobs
from cellvow.workspace.clock import now_ms
from cellvow.workspace.desk_acts import Acts
from cellvow.workspace.desk_disputes import DeskDisputes
from cellvow.workspace.desk_exchange import Exchange
from cellvow.workspace.desk_handovers import Handovers, Standing
from cellvow.workspace.desk_jobs import ImportJobs, JobSeen
from cellvow.workspace.desk_records import DeskRecords, ImportRecord
from cellvow.workspace.desk_seconds import Seconds
from cellvow.workspace.desk_signing import Signer
from cellvow.workspace.desk_units import Units
from cellvow.workspace.export_package import Wish, make_package
from cellvow.workspace.holdings_index import HoldingsIndex
from cellvow.workspace.inviting import Inviting
from cellvow.workspace.laboratory import Imported, load_import
from cellvow.workspace.ledger_writer import LedgerWriter
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.sharing import attestation_in, read_message
from cellvow.workspace.waiting import (
    LedgerWaiting,
    NoticeWaiting,
    SecondWaiting,
    SheetWaiting,
    Source,
    WaitingList,
    gather,
)
from cellvow.workspace.workspace import Workspace

IMPORTS_SHOWN = 50
JOBS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class DeskView:
    """What waits by the ledger, unsigned imports, jobs that have not ended well, and the first units."""

    organisation: str
    name: str
    roles: tuple[str, ...]
    imports: tuple[ImportRecord, ...]
    jobs: tuple[JobSeen, ...]
    standing: Standing
    waiting: WaitingList

    @property
    def unsigned(self) -> tuple[ImportRecord, ...]:
        """Imports nothing was signed for yet."""
        return tuple(one for one in self.imports if not one.signings)


@dataclass(frozen=True, slots=True)
class ImportSeen:
    """An import with what the desk knows of it."""

    imported: Imported
    record: ImportRecord


@dataclass(frozen=True, slots=True)
class Paper:
    """An attestation as its paper shows it; `level` is committed or witnessed."""

    passport: Passport
    attested: Attested
    level: Level


class Desk:
    """Everything the desk's pages ask for. Blocks; shared by threads."""

    def __init__(
        self,
        workspace: Workspace,
        reader: PassportReader,
        writer: LedgerWriter,
        clock: Callable[[], int] = now_ms,
        index: HoldingsIndex | None = None,
    ) -> None:
        """`reader` opens this workspace's own view; `writer` is the turn at its ledger; `clock` gives milliseconds.

        The index of its units is filled from now on.
        """
        self.index = index or HoldingsIndex(workspace.home, workspace.folder)
        self.index.begin()
        self.workspace = workspace
        self.clock = clock
        self._reader = reader
        self._writer = writer
        self._records = DeskRecords.open(workspace.folder)
        self.jobs = ImportJobs(workspace.folder, self._records, clock)
        self.handovers = Handovers(workspace, clock, self.index)
        self.acts = Acts(workspace, self.write, clock)
        self.disputes = DeskDisputes(workspace, clock, self.index)
        self.seconds = Seconds(workspace)
        self.units = Units(workspace, clock, self.index)
        self.sheets = BulkJobs(workspace, writer.turn, clock, self._publish)
        self.waiting: list[Source] = [
            NoticeWaiting(workspace),
            SecondWaiting(workspace),
            LedgerWaiting(workspace, self.index),
            SheetWaiting(self.sheets),
        ]
        """What waits is gathered from these: whoever knows of another kind adds a source."""
        self.exchange = Exchange(workspace, self.write, clock)
        self.inviting = Inviting(workspace, reader, clock)
        self.signer = Signer(workspace, self._records, self.write)

    def close(self) -> None:
        """End the jobs and release the file."""
        self.index.close()
        self.jobs.close()
        self.sheets.close()
        self._records.close()

    def view(self) -> DeskView:
        """What the first page shows."""
        with self._reading() as store:
            member = find_organisation(store.get, self.workspace.organisation)
        return DeskView(
            self.workspace.organisation,
            self.workspace.organisation if member is None else member.name,
            () if member is None else member.roles,
            tuple(self._records.imports(IMPORTS_SHOWN)),
            tuple(self.jobs.jobs(JOBS_SHOWN)),
            self.handovers.standing(),
            gather(self.waiting, self.clock()),
        )

    def find_import(self, number: str) -> ImportSeen | None:
        """An import of this workspace, whichever way it came in; None where there is none of that number."""
        try:
            imported = load_import(self.workspace, number)
        except (Malformed, UnknownRecord):
            return None
        record = self._records.find_import(number)
        if record is None:  # taken in by the command line
            signings = self._records.signings(number)
            record = ImportRecord(number, imported.source, None, imported.imported_ms, signings=signings)
        return ImportSeen(imported, record)

    def rating(self, battery: str) -> tuple[int, int]:
        """Rated capacity (mAh) and nominal voltage (mV) of a battery's model; raises `Malformed` for an unknown one."""
        model = self.find_model(parse_battery_id(battery))
        if model is None:
            raise Malformed(f"the ledger knows no model {derive_model_id(battery)}: give the rated capacity instead")
        return model.rated_capacity_mah, model.nominal_voltage_mv

    def find_model(self, battery: str) -> ModelRecord | None:
        """The model of a battery's number."""
        with self._reading() as store:
            value = store.get(model_key(derive_model_id(battery)))
        return None if value is None else decode_record(ModelRecord, value)

    def paper(self, statement: str) -> Paper | None:
        """The attestation in a statement with every value this organisation knows; None where there is none."""
        with self._reading() as store:
            found = store.statement_of_digest(bytes.fromhex(statement))
            if found is None:
                return None
            try:
                attestation = attestation_in(read_message(store, bytes.fromhex(statement), 0))
            except OperationalError:  # rejected: no paper says what the ledger did not take
                return None
            level = self.workspace.home().level_of(store, found.leaf)
        passport = None if attestation is None else self._reader.passport(attestation.battery, Audience.OWNER)
        if passport is None:
            return None
        attested = next((one for one in passport.attestations if one.source.statement == statement), None)
        return None if attested is None else Paper(passport, attested, level)

    def passport(self, battery: str) -> Passport | None:
        """A battery as this organisation sees it."""
        return self._reader.passport(battery, Audience.OWNER)

    def bundle(self, battery: str, statement: str) -> bytes | None:
        """The proof of a statement about a battery, with every value this organisation knows."""
        return self._reader.bundle(battery, statement, 0, Audience.OWNER)

    def package(self, battery: str, language: str, *, opens_values: bool) -> bytes | None:
        """The export package with every value this organisation knows, or with none; None for an unknown battery."""
        if self.passport(battery) is None:
            return None
        return make_package(self._reader, battery, Wish(disclose=None if opens_values else (), language=language)).data

    @contextmanager
    def write(self) -> Iterator[LedgerSession]:
        """A turn at the ledger, published at its end; also after a rejection, which stands in the ledger too."""
        try:
            with self._writer.turn() as session:
                yield session
        finally:
            self._publish()

    def _publish(self) -> None:
        """Ask the witnesses. What is committed stays so if that fails: a paper says how far its statement has come."""
        try:
            self._writer.publish()
        except (Malformed, OperationalError, VerificationError):
            return

    @contextmanager
    def _reading(self) -> Iterator[LedgerStore]:
        store = self.workspace.home().open_reader()
        try:
            yield store
        finally:
            store.close()
