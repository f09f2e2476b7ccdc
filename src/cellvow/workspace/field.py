"""Rows that an organisation's own phones signed without network: what opens their commitments, and what became of them.

An upload is CBOR, `[statement, [[salt, field document], ...], made_ms]`. The signature of the organisation's own key is
its authority. What it opens goes into the vault before the statement is submitted, or nothing of it does.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Literal

from cellvow.core.contracts.organisation import name_of
from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.ledger.key import key_record_key, parse_key_record, parse_sequence_record, sequence_record_key
from cellvow.core.ledger.rejection import NotIncludable, Reason, Rejected
from cellvow.core.ledger.statement import Statement, is_hex, parse_statement
from cellvow.core.primitives.cbor import parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.identifier import BATTERY_PATTERN
from cellvow.core.primitives.limits import MESSAGE_BYTES_MAX
from cellvow.core.protocol.transition import read_sequences, require_fresh
from cellvow.node.engine import Clock, Receipted
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.passport.recorded import Recorded
from cellvow.workspace.disclosing import list_committed
from cellvow.workspace.intake import Intake, Taken
from cellvow.workspace.passports import TIMELINE_FILE
from cellvow.workspace.second_life import LIFE_KIND
from cellvow.workspace.sending import Fate as FateOfStatement
from cellvow.workspace.sending import judge
from cellvow.workspace.service import PLACE_CHARACTERS_MAX, PLACE_KIND, TEXT_KIND
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace

OPENINGS_MAX = 4
"""Commitments of one row: the messages a phone signs have one at most."""
UPLOAD_BYTES_MAX = 2 * MESSAGE_BYTES_MAX + 8_000
"""One row: a message, and the longest text it can be about."""
STEPS_MAX = 20
"""Steps of a unit told with a conflict."""
LAST_STEPS = 3
"""Where nothing was recorded since the row was made: how much of what stood before is told."""

Fate = FateOfStatement | Literal["elsewhere"]
Standing = Literal["unknown", "in_force", "ended"]


@dataclass(frozen=True, slots=True)
class Upload:
    """One row as a phone sends it; `made_ms` is by the phone's own clock."""

    statement: Statement
    openings: tuple[Disclosure, ...]
    made_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """One step recorded of a unit: by whom, what, when."""

    organisation: str
    name: str
    message: str
    time_ms: int
    statement: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a row; `was_known` where the ledger held it already, from a turn whose answer was lost.

    `elsewhere` was signed for another organisation or ledger: it is not for this site to say what becomes of it.
    A refusal comes with its `code` and `rule`, a conflict also with the steps `since` the row was made, or with the
    `last` ones where nothing was recorded since. `top` is the highest sequence the ledger has seen of the key.
    """

    fate: Fate
    was_known: bool = False
    digest: str | None = None
    height: int | None = None
    time_ms: int | None = None
    code: int | None = None
    rule: str | None = None
    since: tuple[Step, ...] = ()
    last: tuple[Step, ...] = ()
    top: int | None = None


class FieldIntake:
    """Takes what the phones of one organisation send, and tells a phone whether it was admitted."""

    def __init__(self, workspace: Workspace, home: NodeHome, intake: Intake, clock: Clock) -> None:
        """`intake` hands to the ledger's one writer; `clock` gives milliseconds."""
        self.organisation = workspace.organisation
        store = home.open_reader()
        self.chain_id = store.genesis().chain_id
        store.close()
        self._workspace = workspace
        self._home = home
        self._intake = intake
        self._clock = clock

    async def take(self, data: bytes) -> Answer:
        """Record a row once, however often it is sent; raises `Malformed` where nothing of it was kept.

        Raises `OperationalError` where its fate is unknown: the phone sends it again.
        """
        upload = parse_upload(data)
        envelope = upload.statement.envelope
        if (envelope.organisation, envelope.chain_id) != (self.organisation, self.chain_id):
            return Answer("elsewhere")
        try:
            taken = self._intake.examine(upload.statement.data)
            if taken is not None:
                return await asyncio.to_thread(self._tell, upload, taken, was_known=True)
            await asyncio.to_thread(self._keep, upload)
            taken = await self._intake.submit(upload.statement.data)
        except NotIncludable as refusal:
            # The same row may have come twice at once, and its twin was recorded in between.
            twin = self._intake.find(upload.statement.envelope.digest, by_txid=False)
            if twin is None:
                return await asyncio.to_thread(self._refuse, upload, refusal)
            return await asyncio.to_thread(self._tell, upload, twin, was_known=True)
        return await asyncio.to_thread(self._tell, upload, taken, was_known=False)

    def standing(self, kid: bytes) -> Standing:
        """Whether a key may sign for this organisation now."""
        store = self._home.open_reader()
        try:
            value = store.get(key_record_key(kid))
            record = None if value is None else parse_key_record(value)
            if record is None or record.organisation != self.organisation:
                return "unknown"
            head = store.head()
            return "in_force" if record.is_in_force(head.height + 1, max(head.time_ms, self._clock())) else "ended"
        finally:
            store.close()

    def _keep(self, upload: Upload) -> None:
        """Put what opens the message's commitments into the vault.

        Raises `Malformed`, or `NotIncludable` for a sequence that was used, before anything is kept.
        """
        store = self._home.open_reader()
        try:
            require_fresh(read_sequences(store.get, upload.statement.envelope.kid), upload.statement.envelope)
        finally:
            store.close()
        opened = {}
        listed = list_committed(parse_object(upload.statement.messages[0]))
        committed = {one.commitment for one in listed if is_hex(one.commitment, 32)}
        for opening in upload.openings:
            commitment = next((one for one in committed if _opens(opening, one)), None)
            if commitment is None:
                raise Malformed("the row opens what its message does not commit to: nothing was recorded")
            opened[commitment] = (kind_of(parse_object(opening.field)), opening)
        vault = self._workspace.vault
        lost = [one for one in committed - opened.keys() if vault.find_by_commitment(bytes.fromhex(one)) is None]
        if lost:
            raise Malformed("the row does not open what its message commits to: nothing was recorded")
        for kind, opening in opened.values():
            vault.keep_disclosure(kind, opening)

    def _refuse(self, upload: Upload, refusal: NotIncludable) -> Answer:
        """Why a statement leaves no trace; only who shows a sequence of his own key learns how far that has come."""
        is_own = refusal.reason in (Reason.SEQUENCE_USED, Reason.SEQUENCE_OUT_OF_WINDOW)
        top = self._top(upload.statement.envelope.kid) if is_own else None
        return Answer("not_included", code=int(refusal.reason), rule=str(refusal), top=top)

    def _top(self, kid: bytes) -> int | None:
        store = self._home.open_reader()
        try:
            value = store.get(sequence_record_key(kid))
            return None if value is None else parse_sequence_record(value).top
        finally:
            store.close()

    def _tell(self, upload: Upload, taken: Taken, *, was_known: bool) -> Answer:
        """What became of a statement that stands in the ledger."""
        receipted = taken.receipted
        fate, why = judge(receipted)
        since, last = ((), ()) if fate in ("recorded", "held") else self._steps(upload, receipted)
        return Answer(
            fate,
            was_known,
            receipted.digest.hex(),
            receipted.height,
            receipted.time_ms,
            int(why.reason) if isinstance(why, Rejected) else None,
            None if why is None else str(why),
            since,
            last,
        )

    def _steps(self, upload: Upload, receipted: Receipted) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """(what was recorded of the unit since the row was made, or else what stands last), oldest first."""
        subject = upload.statement.envelope.subject
        if re.match(BATTERY_PATTERN, subject) is None:
            return (), ()
        store = self._home.open_reader()
        try:
            timeline = Timeline.open(self._workspace.folder / TIMELINE_FILE, self._home.trust.genesis)
            try:
                timeline.follow(store)
                recorded = timeline.recorded(store, subject)
            finally:
                timeline.close()
            before = [one for one in recorded if one.leaf < receipted.leaf]
            since = [one for one in before if one.time_ms >= upload.made_ms]
            return (
                tuple(_step(store, one) for one in since[-STEPS_MAX:]),
                () if since else tuple(_step(store, one) for one in before[-LAST_STEPS:]),
            )
        finally:
            store.close()


def parse_upload(data: bytes) -> Upload:
    """One row of its bytes; raises `Malformed`."""
    if len(data) > UPLOAD_BYTES_MAX:
        raise Malformed(f"a row of {len(data)} bytes: at most {UPLOAD_BYTES_MAX} are allowed")
    match parse_cbor(data):
        case [bytes(signed), [*pairs], int(made_ms)] if len(pairs) <= OPENINGS_MAX and made_ms >= 0:
            openings = tuple(_parse_opening(pair) for pair in pairs)
        case _:
            raise Malformed(f"a row is a statement, at most {OPENINGS_MAX} openings and the moment it was made")
    statement = parse_statement(signed)
    if statement.is_batch:
        raise Malformed("a phone signs each row by itself")
    return Upload(statement, openings, made_ms)


def kind_of(document: dict[str, Json]) -> str:
    """As what a field document is filed in the vault; raises `Malformed` for one that no form of a phone makes."""
    match document:
        case {"into": "vehicle" | "storage_system", "place": str(place), "quantity": "place"} if len(document) == 3:
            kind, text, length_max = PLACE_KIND, place, PLACE_CHARACTERS_MAX
        case {"quantity": "text", "text": str(text)} if len(document) == 2:
            kind, length_max = TEXT_KIND, MESSAGE_BYTES_MAX
        case {"name": "place", "text": str(text)} if len(document) == 2:
            kind, length_max = LIFE_KIND, PLACE_CHARACTERS_MAX
        case _:
            raise Malformed("the row opens a document of a kind that phones do not write: nothing was recorded")
    if not text.strip() or len(text) > length_max:
        raise Malformed("the row opens an empty or endless text: nothing was recorded")
    return kind


def _parse_opening(pair: object) -> Disclosure:
    match pair:
        case [bytes(salt), bytes(document)]:
            return Disclosure(salt, document)
    raise Malformed("an opening is a salt and a field document")


def _opens(opening: Disclosure, commitment: str) -> bool:
    try:
        verify_disclosure(opening, Digest(bytes.fromhex(commitment)))
    except VerificationError:
        return False
    return True


def _step(store: LedgerStore, one: Recorded) -> Step:
    name = name_of(store.get, one.organisation)
    return Step(one.organisation, name, type(one.message).__name__, one.time_ms, one.statement)
