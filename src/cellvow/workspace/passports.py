"""Passports from a ledger on disk: as a stranger, a purchaser or the workspace's organisation sees them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from cellvow.core.contracts.acceptance import RecordVerdict
from cellvow.core.contracts.attestation import IssueAttestation
from cellvow.core.contracts.contract import Message, decode_record
from cellvow.core.contracts.lineage import EndRecord, end_key
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.whole import derive_registered, derive_wholes
from cellvow.core.ledger.checkpoint import parse_note, verify_checkpoint
from cellvow.core.ledger.commitment import Disclosure, commit
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import OperationalError, fail
from cellvow.core.primitives.identifier import BatteryId, derive_model_id, parse_battery_id
from cellvow.core.primitives.signature import is_valid
from cellvow.node.home import NodeHome
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore
from cellvow.passport.access import may_take_bundle, sees_values
from cellvow.passport.claimed import Claimed, derive_claimed
from cellvow.passport.derivation import derive_passport
from cellvow.passport.recorded import Ledger, Recorded, RecordedClaim
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Anchoring, Audience, Consented, Passport, Reader, as_reader
from cellvow.verify import Disclosed, encode_bundle, parse_bundle
from cellvow.workspace.clock import now_ms
from cellvow.workspace.consent import ConsentView, read_consent
from cellvow.workspace.received import ReceivedBundles
from cellvow.workspace.sharing import Wanted, committing_in, export_bundle, find_disclosures
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace

TIMELINE_FILE = "timeline.db"
BATTERY_PREFIX = "01/"

Known = Mapping[str, Disclosure]
"""Commitment (hexadecimal) -> what opens it, of the values this organisation knows."""


@dataclass(frozen=True, slots=True)
class Viewed:
    """A passport, and the (statement, index) pairs that it names and whose bundle the same reader may take."""

    passport: Passport
    proofs: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Opened:
    """A battery's whole file as of one moment, for one reader: what was recorded, and the proofs he may take of it."""

    store: LedgerStore
    passport: Passport
    recorded: Sequence[Recorded]
    known: Known
    state: StoredState

    def prove(self, place: tuple[str, int], disclose: Collection[str] | None, records: Sequence[str] = ()) -> bytes:
        """The bundle of a message with `records` proven, and those of its values opened that are known and wanted.

        `disclose` names quantities; None stands for all. Raises `OperationalError` for what this reader may not take.
        """
        found = _find(self.recorded, *place)
        if found is None or not may_take_bundle(found.message, self.passport.reader):
            raise OperationalError(f"the proof of message {place[1]} of statement {place[0]} is not this reader's")
        bundle = export_bundle(self.store, None, Wanted(bytes.fromhex(place[0]), place[1], (), self.state, records))
        return _open_values(bundle, found.message, self.known, disclose)


class PassportReader:
    """Reads passports of one ledger; with a workspace it can also show what that organisation knows.

    Shared by threads. `who` is whose view is wanted: whether somebody is who he says was decided before.
    """

    def __init__(self, home: NodeHome, workspace: Workspace | None = None) -> None:
        self.home = home
        self.workspace = workspace
        self._received = None if workspace is None else ReceivedBundles(workspace.received)
        self._state: tuple[int, StoredState] | None = None
        self._watch = home.open_reader()

    def version(self) -> int:
        """A number that changes with the ledger and its checkpoints: while it stays, so does every public view.

        Cheap enough to be asked at every request.
        """
        return self._watch.changes()

    def batteries(self, after: str = "", limit: int = 50) -> list[BatteryId]:
        """A page of batteries above `after`."""
        with _Reading(self) as (_, timeline):
            return [BatteryId(one) for one in timeline.subjects(BATTERY_PREFIX, after, limit)]

    def batteries_of_code(self, code: str, limit: int = 50) -> list[BatteryId]:
        """The batteries with a short code, without hyphens and in capitals."""
        with _Reading(self) as (_, timeline):
            return timeline.batteries_of_code(code, limit)

    def view(self, battery: str, who: Audience | Reader) -> Viewed | None:
        """The passport with its proofs, derived once; None where the ledger knows no such battery.

        Raises `Malformed` for a bad identifier, `VerificationError` where a received bundle no longer verifies.
        """
        reader = as_reader(who)
        with _Reading(self) as (store, timeline):
            recorded, claims = _recorded(store, timeline, battery), timeline.claims(store, battery)
            passport = self._derive(store, recorded, claims, battery, reader)
        if passport is None:
            return None
        named = _sources(passport)
        said = (*recorded, *(claim.said for claim in claims))
        places = ((one, (one.statement, one.index)) for one in said)
        proofs = frozenset(place for one, place in places if place in named and may_take_bundle(one.message, reader))
        return Viewed(passport, proofs)

    def claimed(self, battery: str) -> Claimed | None:
        """Who claims a number that nobody has registered; None where it is registered, or nobody claims it now."""
        identifier = parse_battery_id(battery)
        with closing(self.home.open_reader()) as store:

            def height_of(statement: str) -> int:
                found = store.statement_of_digest(bytes.fromhex(statement))
                return (
                    fail(f"a claim names statement {statement}, which is not there") if found is None else found.height
                )

            return derive_claimed(store.get, height_of, identifier, now_ms())

    def recorded(self, battery: str) -> list[Recorded]:
        """The accepted messages about a battery and its model, in the order of the log, with who signed each."""
        with _Reading(self) as (store, timeline):
            return _recorded(store, timeline, battery)

    def passport(self, battery: str, who: Audience | Reader) -> Passport | None:
        """The passport of `view`."""
        viewed = self.view(battery, who)
        return None if viewed is None else viewed.passport

    def proofs(self, battery: str, who: Audience | Reader) -> frozenset[tuple[str, int]]:
        """The proofs of `view`: none where the ledger knows no such battery."""
        viewed = self.view(battery, who)
        return frozenset() if viewed is None else viewed.proofs

    def bundle(self, battery: str, statement: str, index: int, who: Audience | Reader) -> bytes | None:
        """The proof of a statement that this reader's passport of the battery names, if he may have it.

        Of an attestation it opens the values that he is shown, where they are known; of a claim that was kept, none.
        """
        reader = as_reader(who)
        with _Reading(self) as (store, timeline):
            recorded, claims = _recorded(store, timeline, battery), timeline.claims(store, battery)
            passport = self._derive(store, recorded, claims, battery, reader)
            if passport is None or (statement, index) not in _sources(passport):
                return None
            found = _find([*recorded, *(claim.said for claim in claims)], statement, index)
            if found is None or not may_take_bundle(found.message, reader):
                return None
            if found not in recorded:
                wanted = Wanted(bytes.fromhex(statement), index, (), self._state_at(store))
                return export_bundle(store, None, wanted)
            workspace = self.workspace if reader.audience is Audience.OWNER else None
            disclose = None if workspace is not None else ()
            wanted = Wanted(bytes.fromhex(statement), index, disclose, self._state_at(store))
            bundle = export_bundle(store, workspace, wanted)
            if _attestation_in(found.message) is None or not sees_values(reader):
                return bundle
            return _open_values(bundle, found.message, self._known(recorded), None)

    @contextmanager
    def opened(self, battery: str, who: Audience | Reader) -> Iterator[Opened | None]:
        """The battery's file, standing still for the length of the block; None where the ledger knows no such battery.

        A verdict's reasons are known to whom they belong, and to whom they were shown.
        """
        reader = as_reader(who)
        with _Reading(self) as (store, timeline), store.unchanging():
            timeline.follow(store)
            recorded, claims = _recorded(store, timeline, battery), timeline.claims(store, battery)
            passport = self._derive(store, recorded, claims, battery, reader)
            if passport is None:
                yield None
                return
            known = {**self._known(recorded), **self._reasons(recorded)} if sees_values(reader) else {}
            yield Opened(store, passport, recorded, known, self._state_at(store))

    def _reasons(self, recorded: Sequence[Recorded]) -> Known:
        """What opens the reasons of this organisation's own verdicts."""
        if self.workspace is None:
            return {}
        own = [one.message for one in recorded if one.organisation == self.workspace.organisation]
        verdicts = [message for message in own if isinstance(message, RecordVerdict)]
        opened = [one for verdict in verdicts for one in find_disclosures(self.workspace, verdict, None)]
        return {commit(one.salt, one.field).hex(): one for one in opened}

    def _state_at(self, store: LedgerStore) -> StoredState:
        """The authenticated map as of the head; built once per height, since it reads every record."""
        height = store.head().height
        if self._state is None or self._state[0] != height:
            self._state = (height, StoredState(store))
        return self._state[1]

    def _derive(
        self,
        store: LedgerStore,
        recorded: Sequence[Recorded],
        claims: Sequence[RecordedClaim],
        battery: str,
        reader: Reader,
    ) -> Passport | None:
        known = self._known(recorded) if sees_values(reader) else {}
        fields = {commitment: parse_object(one.field) for commitment, one in known.items()}
        ledger = Ledger(
            read=store.get,
            recorded=recorded,
            anchoring=read_anchoring(self.home, store),
            around=_around(store, battery),
            find_keys=lambda prefix: [key for key, _ in store.records(prefix)],
            claims=claims,
        )
        return derive_passport(ledger, battery, reader, fields, now_ms())

    def _known(self, recorded: Sequence[Recorded]) -> Known:
        """The values this organisation can open, of these messages and no others: its own, and those shown to it.

        Somebody could attest one battery with the commitments of another, to see its values on the first one's page.
        """
        if self.workspace is None or self._received is None:
            return {}
        places = {(one.statement, one.index) for one in recorded}
        bundles = [one for one in self._received.read(self.home.trust) if (one.statement, one.index) in places]
        disclosures = [disclosure for one in bundles for disclosure in one.disclosures]
        for one in recorded:
            attestation = _attestation_in(one.message)
            if attestation is not None and one.organisation == self.workspace.organisation:
                disclosures += find_disclosures(self.workspace, attestation, None)
        return {commit(one.salt, one.field).hex(): one for one in disclosures}


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
    """What vouches for the ledger now: a checkpoint and its cosigners, or validators; every signature is checked."""
    head, note, log = store.head(), store.checkpoint(), home.trust.log
    if log is None:
        consent = read_consent(store)
        size = 0 if consent is None else consent.size
        return Anchoring(head.chain_id, head.chain_id, size, (), head.height, head.time_ms, _consented(consent))
    if note is None:
        return Anchoring(head.chain_id, log.name, 0, (), head.height, head.time_ms)
    verified = verify_checkpoint(note, log, home.trust.witnesses, 0, is_valid)
    names = tuple(name for name, _ in verified.cosigned_by)
    size = parse_note(note).checkpoint.size
    return Anchoring(head.chain_id, log.name, size, names, head.height, head.time_ms)


def _consented(consent: ConsentView | None) -> Consented:
    """Without a proof fetched yet, that nobody can be named."""
    if consent is None:
        return Consented(0, 0, 0, ())
    return Consented(consent.height, consent.signers, consent.validators, consent.names)


def _sources(passport: Passport) -> frozenset[tuple[str, int]]:
    return frozenset((source.statement, source.index) for source in list_sources(passport))


def _recorded(store: LedgerStore, timeline: Timeline, battery: str) -> list[Recorded]:
    identifier = parse_battery_id(battery)
    return timeline.recorded(store, identifier, derive_model_id(identifier))


def _around(store: LedgerStore, battery: str) -> list[Recorded]:
    """Of a part: the messages that the registers of the unit around it stem from, and its end where it went with it."""
    wholes = derive_wholes(store.get, battery)
    if not wholes:
        return []
    stated = [derive_registered(store.get, register, battery).provenance for register in REGISTERS]
    ends = (store.get(end_key(one)) for one in wholes)
    stated += [decode_record(EndRecord, one).provenance for one in ends if one is not None]
    places = dict.fromkeys((one.statement, one.index) for one in stated)
    return [Timeline.find(store, statement, index) for statement, index in places]


def _attestation_in(message: Message) -> IssueAttestation | None:
    """Verdicts commit to values too: those are their signer's to show, and part of no grant."""
    committing = committing_in(message)
    return committing if isinstance(committing, IssueAttestation) else None


def _open_values(data: bytes, message: Message, known: Known, disclose: Collection[str] | None) -> bytes:
    """The bundle with every value in it that is known and wanted (None: all), in the order of its results."""
    committing = committing_in(message)
    results = () if committing is None else committing.results
    wanted = [one.commitment for one in results if disclose is None or one.quantity in disclose]
    if not results:
        return data
    opened = [known[commitment] for commitment in wanted if commitment in known]
    disclosed = tuple(Disclosed(one.salt, one.field) for one in opened)
    return encode_bundle(replace(parse_bundle(data), disclosures=disclosed))


def _find(recorded: Sequence[Recorded], statement: str, index: int) -> Recorded | None:
    return next((one for one in recorded if (one.statement, one.index) == (statement, index)), None)
