"""Export packages: what a battery needs at a border, as one file with its proofs - made here, verified anywhere.

All but the bundles is derived from the bundles, so a package has one form: its verifier makes it anew and compares.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cellvow.core.contracts.acceptance import RecordVerdict
from cellvow.core.contracts.attestation import ISSUED
from cellvow.core.contracts.battery import BatteryRecord, battery_key, model_key
from cellvow.core.contracts.contract import RecordType, decode_record
from cellvow.core.contracts.custody import AcceptHandover, OfferHandover
from cellvow.core.contracts.dispute_file import unit_disputes_key
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError, fail
from cellvow.core.primitives.signature import is_valid
from cellvow.passport.access import may_take_package
from cellvow.passport.view import Attested, Audience, Reader, as_reader
from cellvow.verify import Trust, Verified, verify_bundle
from cellvow.workspace.export_archive import MEMBER_BYTES_MAX, encode_archive, parse_archive
from cellvow.workspace.export_index import (
    CERTIFICATE,
    PAPERS,
    STATE_OF_CHARGE,
    STATE_OF_CHARGE_QUANTITY,
    UN38_3,
    UN38_3_STANDARD,
    VERDICT,
    Component,
    derive_index,
    offer_file,
    paper_file,
    register_file,
)
from cellvow.workspace.export_sheet import draw_sheet
from cellvow.workspace.export_words import LANGUAGES, load_words
from cellvow.workspace.passports import Opened, PassportReader
from cellvow.workspace.sharing import BUNDLE_SUFFIX, attestation_in

INDEX, SHEET, README_FILE = "index.json", "passport.html", "README.txt"
Named = tuple[str, str]
"""(organisation, reference) of an attestation or a verdict."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an exporter wants in his package: papers by name (else the newest that holds), and the values to open.

    `disclose` names quantities; None stands for every value that is known. `language` is that of the texts beside the
    proofs.
    """

    named: Mapping[str, Named] = field(default_factory=dict)
    disclose: Sequence[str] | None = ()
    language: str = LANGUAGES[0]


@dataclass(frozen=True, slots=True)
class Package:
    """A package that holds: its bytes, its index, and what each of its bundles proves."""

    data: bytes
    index: dict[str, Json]
    verified: Mapping[str, Verified]

    @property
    def missing(self) -> list[dict[str, Json]]:
        """The papers it lacks, or that may not be relied on."""
        missing = self.index["missing"]
        return [one for one in missing if isinstance(one, dict)] if isinstance(missing, list) else []


def make_package(source: PassportReader, battery: str, wish: Wish, who: Audience | Reader = Audience.OWNER) -> Package:
    """The package of a battery as the ledger stands; the same ledger and wish give the same bytes.

    Raises `Rejected` for an unknown battery and for a part, which goes with the unit it is in; `OperationalError` for
    a reader who may not take a package, a paper that was named and is not there, and a value that nobody can open.
    """
    if not may_take_package(as_reader(who)):
        raise OperationalError("an export package shows what members alone may see: only an owner may take it")
    with source.opened(battery, who) as opened:
        if opened is None:
            raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
        whole = _read(opened, BatteryRecord, battery_key(battery)).part_of
        if whole is not None:
            raise Rejected(Reason.PART_OF_ANOTHER, battery=whole)
        bundles = {**_registers(opened, battery), **_papers(opened, source, wish)}
    package = derive_package(bundles, source.home.trust, is_valid, wish.language)
    _require_opened(package, wish)
    return package


def verify_package(data: bytes, trust: Trust | None, check: SignatureCheck) -> Package:
    """What a package proves; raises `VerificationError` for any byte that its bundles do not vouch for.

    Needs no network and no ledger. With `trust` None it is consistent in itself, and anchored to nothing.
    """
    try:
        members = parse_archive(data)
        bundles = {name: content for name, content in members.items() if name.endswith(BUNDLE_SUFFIX)}
        package = derive_package(bundles, trust, check, _language_of(members))
    except Malformed as error:
        raise VerificationError(str(error)) from error
    if package.data != data:
        ours = parse_archive(package.data)
        wrong = sorted(name for name in {**ours, **members} if ours.get(name) != members.get(name))
        raise VerificationError(f"{', '.join(wrong)}: not what the proofs in the package say")
    return package


def derive_package(
    bundles: Mapping[str, bytes], trust: Trust | None, check: SignatureCheck, language: str = LANGUAGES[0]
) -> Package:
    """The package of these bundles in a language, each verified.

    Raises `VerificationError` naming the file that does not hold.
    """
    verified = {name: _verify(name, data, trust, check) for name, data in sorted(bundles.items())}
    index = derive_index([Component(name, bundles[name], verified[name]) for name in verified], language)
    words = load_words(language)
    members = {
        **bundles,
        INDEX: encode_document(index),
        README_FILE: words.readme.encode("utf-8"),
        SHEET: draw_sheet(index, words).encode("utf-8"),
    }
    return Package(encode_archive(members), index, verified)


def read_index(data: bytes) -> tuple[dict[str, Json], dict[str, bytes]]:
    """What a package says of itself, and its members; nothing is checked but its form. Raises `Malformed`."""
    members = parse_archive(data)
    return _parse_index(members), members


def unpack(package: Package, folder: Path) -> list[Path]:
    """Write the members of a package that holds into a new folder; their names are words, and lead nowhere else."""
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise OperationalError(f"{folder} exists: name a folder to be made") from error
    paths = []
    for name, content in parse_archive(package.data).items():
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    return paths


def _language_of(members: Mapping[str, bytes]) -> str:
    """The language that a package says it is in; whether its texts are those of this language the comparison shows."""
    language = _parse_index(members).get("language")
    if not isinstance(language, str) or language not in LANGUAGES:
        raise VerificationError(f"{INDEX}: names none of the languages {', '.join(LANGUAGES)}")
    return language


def _parse_index(members: Mapping[str, bytes]) -> dict[str, Json]:
    if INDEX not in members:
        raise Malformed("an export package: it has no index")
    try:
        return parse_object(members[INDEX], bytes_max=MEMBER_BYTES_MAX)
    except Malformed as error:
        raise Malformed(f"{INDEX}: {error}") from error


def _verify(name: str, data: bytes, trust: Trust | None, check: SignatureCheck) -> Verified:
    try:
        return verify_bundle(data, trust, check)
    except VerificationError as error:
        raise VerificationError(f"{name}: {error}", check=error.check) from error


# The registers and their signatures


def _registers(opened: Opened, battery: str) -> dict[str, bytes]:
    """The statements by which the registers got their names, with the offers that were accepted, each once."""
    records = [_read(opened, RegisterRecord, register_key(register, battery)) for register in REGISTERS]
    places = dict.fromkeys((one.provenance.statement, one.provenance.index) for one in records)
    shown = _records_of(opened, battery, records)
    bundles: dict[str, bytes] = {}
    for number, place in enumerate(places, start=1):
        bundles[register_file(number)] = opened.prove(place, (), shown if number == 1 else ())
        offer = _offer_before(opened, place)
        if offer is not None:
            bundles[offer_file(number)] = opened.prove(offer, ())
    return bundles


def _records_of(opened: Opened, battery: str, registers: Sequence[RegisterRecord]) -> list[str]:
    """What the first of the bundles proves: what the unit is, and who stands in its registers by which name."""
    unit = _read(opened, BatteryRecord, battery_key(battery))
    named = [organisation_key(one) for one in (unit.organisation, *(register.organisation for register in registers))]
    keys = [register_key(register, battery) for register in REGISTERS]
    return [*keys, battery_key(battery), model_key(unit.gtin), unit_disputes_key(battery), *dict.fromkeys(named)]


def _offer_before(opened: Opened, place: tuple[str, int]) -> tuple[str, int] | None:
    """The offer that the hand-over accepted at `place` answers: the last before it; None for any other statement."""
    offer = None
    for one in opened.recorded:
        if (one.statement, one.index) == place:
            return offer if isinstance(one.message, AcceptHandover) else None
        if isinstance(one.message, OfferHandover):
            offer = (one.statement, one.index)
    return None


def _read(opened: Opened, kind: type[RecordType], key: str) -> RecordType:
    value = opened.store.get(key)
    if value is None:
        fail(f"a battery on the ledger has no record {key}")
    return decode_record(kind, value)


# The papers


def _papers(opened: Opened, source: PassportReader, wish: Wish) -> dict[str, bytes]:
    bundles = {}
    for paper in PAPERS:
        place = _find_verdict(opened, source, wish) if paper == VERDICT else _find_attested(opened, paper, wish)
        if place is not None:
            statement, index, issuer = place
            bundles[paper_file(paper)] = opened.prove((statement, index), wish.disclose, [organisation_key(issuer)])
    return bundles


def _find_attested(opened: Opened, paper: str, wish: Wish) -> tuple[str, int, str] | None:
    fitting = [one for one in opened.passport.attestations if _fits(opened, one, paper)]
    named = wish.named.get(paper)
    if named is not None:
        fitting = [one for one in fitting if (one.source.organisation, one.reference) == named]
        if not fitting:
            raise OperationalError(f"{'/'.join(named)} is no {paper} of this battery on this ledger")
    if not fitting:
        return None
    best = max(fitting, key=lambda one: (one.state == ISSUED, one.source.time_ms, one.tested_until_ms))
    return _find_issue(opened, best)


def _find_issue(opened: Opened, attested: Attested) -> tuple[str, int, str]:
    """The last statement that says what the attestation says: a revocation, which its record stems from, says nothing.

    Shown beside the record as it stands, it is known for revoked.
    """
    name = (attested.source.organisation, attested.reference)
    said = [(one, attestation_in(one.message)) for one in reversed(opened.recorded)]
    found = next((one for one, it in said if it is not None and (one.organisation, it.reference) == name), None)
    if found is None:
        fail(f"attestation {'/'.join(name)} is in the passport, and nobody issued it")
    return found.statement, found.index, found.organisation


def _fits(opened: Opened, one: Attested, paper: str) -> bool:
    is_reference = one.standard == UN38_3_STANDARD
    says_charge = any(measured.quantity == STATE_OF_CHARGE_QUANTITY for measured in one.measured)
    if paper == UN38_3:
        return is_reference and _may_refer(opened, one.source.organisation)
    if paper == STATE_OF_CHARGE:
        return says_charge
    return paper == CERTIFICATE and one.is_certificate and not is_reference and len(one.measured) > int(says_charge)


def _may_refer(opened: Opened, issuer: str) -> bool:
    """Whether a reference to a transport test comes from whom it can come from: the maker, or a laboratory."""
    unit = _read(opened, BatteryRecord, battery_key(opened.passport.battery))
    value = opened.store.get(organisation_key(issuer))
    return issuer == unit.organisation or (value is not None and "laboratory" in parse_organisation(value).roles)


def _find_verdict(opened: Opened, source: PassportReader, wish: Wish) -> tuple[str, int, str] | None:
    found = [one for one in opened.recorded if isinstance(one.message, RecordVerdict)]
    named = wish.named.get(VERDICT)
    if named is not None:
        found = [one for one in found if (one.organisation, getattr(one.message, "reference", "")) == named]
        if not found:
            raise OperationalError(f"{'/'.join(named)} is no verdict on this battery on this ledger")
    if not found:
        return None
    own = "" if source.workspace is None else source.workspace.organisation
    best = max(found, key=lambda one: (one.organisation == own, one.leaf, one.index))
    return best.statement, best.index, best.organisation


def _require_opened(package: Package, wish: Wish) -> None:
    """Refuse a wish that names a value which none of the papers opens: the exporter believes it is shown."""
    documents = [one for verified in package.verified.values() for one in verified.disclosures]
    opened = [one.get("quantity") for one in documents if isinstance(one, dict)]
    for quantity in wish.disclose or ():
        if quantity not in opened:
            raise OperationalError(f"no value of {quantity} is known here, or no paper in the package is about it")
