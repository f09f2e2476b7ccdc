"""From an import to a signature: what is wished, what speaks against it, what would be signed, and the signing once."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from cellvow.core.contracts.attestation import AttestationRecord, Predicate, Standard, attestation_key
from cellvow.core.contracts.battery import ModelRecord, battery_key, model_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.ledger.genesis import Accreditation, Organisation, parse_organisation
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId, derive_model_id, parse_battery_id
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.passport.derivation import CURVE
from cellvow.workspace.desk_records import DeskRecords, Signing
from cellvow.workspace.laboratory import Certification, Imported, attest_import, declarations_of, predicates_of
from cellvow.workspace.workspace import Workspace

CAPACITY = "capacity"
FAULTS = (
    "battery",
    "battery_unknown",
    "capacity_unknown",
    "capacity_unsupported",
    "certificate_class",
    "certificate_standard",
    "expired",
    "no_result",
    "not_covered",
    "percent",
    "reference",
    "reference_used",
    "standard",
    "valid_until",
)
"""What can speak against a signature before it is made; each is a sentence of the pages."""
PERCENT_MAX = 200
_REFERENCE_LENGTH_MAX = 32


@dataclass(frozen=True, slots=True)
class Wish:
    """What a form asks for, as it was typed. `standard` is NAME:EDITION or empty; `percent` of the rated capacity."""

    battery: str = ""
    reference: str = ""
    standard: str = ""
    is_certificate: bool = False
    valid_until: str = ""
    percent: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be signed, or the `faults` that speak against it.

    `signed` is the import with those results alone that are signed; a certificate leaves out (`left_out`) what the
    accreditation does not cover.
    """

    wish: Wish
    certification: Certification | None
    signed: Imported
    left_out: tuple[str, ...]
    rated_mah: int | None
    accreditations: tuple[Accreditation, ...]
    faults: tuple[str, ...]


class Signer:
    """Signs with the organisation's own key, in its own workspace."""

    def __init__(
        self, workspace: Workspace, records: DeskRecords, turn: Callable[[], AbstractContextManager[LedgerSession]]
    ) -> None:
        """`turn` opens the ledger for one act."""
        self._workspace = workspace
        self._records = records
        self._turn = turn
        self._one_at_a_time = threading.Lock()

    def plan(self, imported: Imported, wish: Wish, now_ms: int) -> Plan:
        """What a wish comes to now."""
        store = self._workspace.home().open_reader()
        try:
            return _Planning(store, self._workspace.organisation, imported, wish, now_ms).plan()
        finally:
            store.close()

    def sign(self, imported: Imported, wish: Wish, now_ms: int) -> str:
        """Sign what the wish comes to and return its statement; the same wish again finds the same statement.

        Raises `Malformed` where faults speak against it, the ledger's `Rejected` where its rules do.
        """
        with self._one_at_a_time:
            found = self._find_signed(imported, wish)
            if found is None:
                found = self._sign_anew(imported, wish, now_ms)
            self._records.add_signing(imported.number, Signing(found, wish.battery, wish.reference, now_ms))
        return found

    def _sign_anew(self, imported: Imported, wish: Wish, now_ms: int) -> str:
        plan = self.plan(imported, wish, now_ms)
        if plan.certification is None:
            raise Malformed(f"nothing was signed: {', '.join(plan.faults)}")
        try:
            with self._turn() as session:
                return attest_import(session, self._workspace, plan.signed, plan.certification).digest.hex()
        except Rejected as error:
            found = self._find_signed(imported, wish) if error.reason is Reason.ATTESTATION_EXISTS else None
            if found is None:
                raise
            return found

    def _find_signed(self, imported: Imported, wish: Wish) -> str | None:
        """The statement in which this very import was attested to under this number, if it was."""
        store = self._workspace.home().open_reader()
        try:
            record = _attestation(store, self._workspace.organisation, wish.reference)
        finally:
            store.close()
        if record is None or (record.input_root, record.battery) != (imported.root, wish.battery):
            return None
        return record.provenance.statement


def suggest_reference(imported: Imported) -> str:
    """A number of one's own that nobody used yet: the day of the import and the start of its number."""
    day = datetime.fromtimestamp(imported.imported_ms / 1000, UTC)
    return f"TEST-{day:%Y%m%d}-{imported.number[:6].upper()}"


def parse_last_moment(day: str) -> int:
    """The last millisecond (since 1970, UTC) of a day `YYYY-MM-DD`, or `Malformed`."""
    try:
        parsed = date.fromisoformat(day)
        if parsed.isoformat() != day:
            raise ValueError(day)
        midnight = datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"{day[:20]!r} is not a day: write YYYY-MM-DD") from error
    return int(midnight.timestamp()) * 1000 - 1


class _Planning:
    """One wish held against the ledger; collects what speaks against it."""

    def __init__(self, store: LedgerStore, organisation: str, imported: Imported, wish: Wish, now_ms: int) -> None:
        self._store = store
        self._organisation = organisation
        self._imported = imported
        self._wish = wish
        self._now_ms = now_ms
        self._faults: list[str] = []

    def plan(self) -> Plan:
        member = self._member()
        known = () if member is None else member.accreditations
        accreditations = tuple(one for one in known if self._now_ms <= one.valid_until_ms)
        self._require(bool(self._imported.results), "no_result")
        battery = self._battery()
        rated_mah = None if battery is None else self._rated(battery)
        self._check_reference()
        accreditation = self._accreditation(accreditations)
        signed = self._signed(accreditation)
        predicates = self._predicates(signed, rated_mah)
        valid_until_ms = self._valid_until()
        certification = None
        if not self._faults and battery is not None:
            certification = Certification(
                battery=battery,
                reference=self._wish.reference,
                standard=None if accreditation is None else _standard(accreditation),
                is_certificate=self._wish.is_certificate,
                valid_until_ms=valid_until_ms,
                predicates=predicates,
            )
        kept = _quantities(signed)
        left_out = tuple(one for one in _quantities(self._imported) if one not in kept)
        return Plan(self._wish, certification, signed, left_out, rated_mah, accreditations, tuple(self._faults))

    def _require(self, condition: bool, fault: str) -> bool:
        if not condition:
            self._faults.append(fault)
        return condition

    def _member(self) -> Organisation | None:
        value = self._store.get(organisation_key(self._organisation))
        return None if value is None else parse_organisation(value)

    def _battery(self) -> BatteryId | None:
        try:
            battery = parse_battery_id(self._wish.battery)
        except Malformed:
            self._faults.append("battery")
            return None
        return battery if self._require(self._store.get(battery_key(battery)) is not None, "battery_unknown") else None

    def _rated(self, battery: str) -> int | None:
        value = self._store.get(model_key(derive_model_id(battery)))
        return None if value is None else decode_record(ModelRecord, value).rated_capacity_mah

    def _check_reference(self) -> None:
        reference = self._wish.reference
        allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
        is_sound = 1 <= len(reference) <= _REFERENCE_LENGTH_MAX and set(reference) <= allowed
        if self._require(is_sound and reference[0] not in ".-", "reference"):
            used = _attestation(self._store, self._organisation, reference)
            self._require(used is None, "reference_used")

    def _predicates(self, signed: Imported, rated_mah: int | None) -> tuple[Predicate, ...]:
        text = self._wish.percent
        if not text:
            return ()
        is_number = text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= PERCENT_MAX
        if not self._require(is_number, "percent") or rated_mah is None:
            return ()
        if not self._require(any(one["quantity"] == CAPACITY for one in signed.results), "capacity_unknown"):
            return ()
        threshold = -(-rated_mah * int(text) // 100)
        predicates = predicates_of(signed, CAPACITY, threshold)
        self._require(bool(predicates), "capacity_unsupported")
        return predicates

    def _accreditation(self, accreditations: Sequence[Accreditation]) -> Accreditation | None:
        """The accreditation whose standard the wish names; a certificate needs one."""
        wish = self._wish
        if not wish.standard:
            self._require(not wish.is_certificate, "certificate_standard")
            return None
        name, _, edition = wish.standard.rpartition(":")
        found = next((one for one in accreditations if (one.standard, one.edition) == (name, edition)), None)
        self._require(found is not None, "standard")
        return found

    def _signed(self, accreditation: Accreditation | None) -> Imported:
        """The results that are signed: all of them, or what a certificate may cover."""
        imported = self._imported
        if not self._wish.is_certificate or accreditation is None:
            return imported
        self._require(imported.evidence_class in ("measured", "estimated"), "certificate_class")
        covered = accreditation.quantities
        results = tuple(one for one in imported.results if one["quantity"] in covered)
        self._require(bool(results), "not_covered")
        return replace(imported, results=results, curve=imported.curve if CURVE in covered else ())

    def _valid_until(self) -> int | None:
        if not self._wish.valid_until:
            return None
        try:
            moment_ms = parse_last_moment(self._wish.valid_until)
        except Malformed:
            self._faults.append("valid_until")
            return None
        self._require(moment_ms > self._now_ms, "expired")
        return moment_ms


def _attestation(store: LedgerStore, organisation: str, reference: str) -> AttestationRecord | None:
    value = store.get(attestation_key(organisation, reference))
    return None if value is None else decode_record(AttestationRecord, value)


def _standard(accreditation: Accreditation) -> Standard:
    return Standard(name=accreditation.standard, edition=accreditation.edition)


def _quantities(imported: Imported) -> tuple[str, ...]:
    return tuple(one.quantity for one in declarations_of(imported))
