"""Passports from a ledger on disk: as a stranger sees them, and as the workspace's organisation does."""

from cellvow.core.ledger.checkpoint import parse_note, verify_checkpoint
from cellvow.core.primitives.identifier import BatteryId, derive_model_id, parse_battery_id
from cellvow.core.primitives.signature import is_valid
from cellvow.node.home import NodeHome
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore
from cellvow.passport.access import may_take_bundle
from cellvow.passport.derivation import Ledger, Recorded, derive_passport
from cellvow.passport.view import Anchoring, Audience, Passport
from cellvow.workspace.clock import now_ms
from cellvow.workspace.sharing import Wanted, export_bundle, shown_fields
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace

TIMELINE_FILE = "timeline.db"
BATTERY_PREFIX = "01/"


class PassportReader:
    """Reads passports of one ledger; with a workspace it can also show that organisation its own view."""

    def __init__(self, home: NodeHome, workspace: Workspace | None = None) -> None:
        self.home = home
        self.workspace = workspace
        self._state: tuple[int, StoredState] | None = None

    def batteries(self, after: str = "", limit: int = 50) -> list[BatteryId]:
        """A page of batteries above `after`."""
        with _Reading(self) as (_, timeline):
            return [BatteryId(one) for one in timeline.subjects(BATTERY_PREFIX, after, limit)]

    def passport(self, battery: str, audience: Audience) -> Passport | None:
        """The passport, or None where the ledger knows no such battery. Raises `Malformed` for a bad identifier."""
        identifier = parse_battery_id(battery)
        with _Reading(self) as (store, timeline):
            return self._derive(store, timeline, identifier, audience)

    def proofs(self, battery: str, audience: Audience) -> frozenset[tuple[str, int]]:
        """The (statement, index) pairs that this audience's passport names and whose bundle it may take."""
        identifier = parse_battery_id(battery)
        with _Reading(self) as (store, timeline):
            passport = self._derive(store, timeline, identifier, audience)
            recorded = timeline.recorded(store, identifier, derive_model_id(identifier))
        named = frozenset() if passport is None else _sources(passport)
        return frozenset(
            (one.statement, one.index)
            for one in recorded
            if (one.statement, one.index) in named and may_take_bundle(one.message, audience)
        )

    def bundle(self, battery: str, statement: str, index: int, audience: Audience) -> bytes | None:
        """The proof of a statement that this audience's passport of the battery names, if it may have it."""
        identifier = parse_battery_id(battery)
        with _Reading(self) as (store, timeline):
            passport = self._derive(store, timeline, identifier, audience)
            if passport is None or (statement, index) not in _sources(passport):
                return None
            recorded = _find(timeline.recorded(store, identifier, derive_model_id(identifier)), statement, index)
            if recorded is None or not may_take_bundle(recorded.message, audience):
                return None
            workspace = self.workspace if audience is Audience.OWNER else None
            disclose = None if workspace is not None else ()
            state = self._state_at(store)
            return export_bundle(store, workspace, Wanted(bytes.fromhex(statement), index, disclose, state))

    def _state_at(self, store: LedgerStore) -> StoredState:
        """The authenticated map as of the head; built once per height, since it reads every record."""
        height = store.head().height
        if self._state is None or self._state[0] != height:
            self._state = (height, StoredState(store))
        return self._state[1]

    def _derive(
        self, store: LedgerStore, timeline: Timeline, battery: BatteryId, audience: Audience
    ) -> Passport | None:
        recorded = timeline.recorded(store, battery, derive_model_id(battery))
        fields = {}
        if audience is Audience.OWNER and self.workspace is not None:
            messages = [(one.organisation, one.message) for one in recorded]
            fields = dict(shown_fields(self.workspace, messages))
        ledger = Ledger(store.get, recorded, read_anchoring(self.home, store))
        return derive_passport(ledger, battery, audience, fields, now_ms())


class _Reading:
    """A reading connection to the ledger, with the index brought up to its head."""

    def __init__(self, reader: PassportReader) -> None:
        home = reader.home
        self._store = home.open_reader()
        folder = home.folder if reader.workspace is None else reader.workspace.folder
        self._timeline = Timeline.open(folder / TIMELINE_FILE, home.trust.genesis)

    def __enter__(self) -> tuple[LedgerStore, Timeline]:
        self._timeline.follow(self._store)
        return self._store, self._timeline

    def __exit__(self, *_: object) -> None:
        self._timeline.close()
        self._store.close()


def read_anchoring(home: NodeHome, store: LedgerStore) -> Anchoring:
    """Under which checkpoint the ledger stands now, and who has cosigned it; every signature is checked."""
    head, note, trust = store.head(), store.checkpoint(), home.trust
    if note is None:
        return Anchoring(head.chain_id, trust.log.name, 0, (), head.height, head.time_ms)
    verified = verify_checkpoint(note, trust.log, trust.witnesses, 0, is_valid)
    names = tuple(name for name, _ in verified.cosigned_by)
    size = parse_note(note).checkpoint.size
    return Anchoring(head.chain_id, trust.log.name, size, names, head.height, head.time_ms)


def _sources(passport: Passport) -> frozenset[tuple[str, int]]:
    facts = [fact.source for fact in (*passport.model, *passport.identity)]
    facts += [one.source for one in passport.attestations]
    facts += [one.source for one in passport.registers]
    facts += [one.source for one in passport.life]
    return frozenset((source.statement, source.index) for source in facts)


def _find(recorded: list[Recorded], statement: str, index: int) -> Recorded | None:
    return next((one for one in recorded if (one.statement, one.index) == (statement, index)), None)
