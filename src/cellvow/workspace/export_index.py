"""What an export package says, derived from its bundles alone: whatever a bundle does not prove is not said.

Maker and verifier derive it with the same function, so that an index that says anything else is noticed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.genesis import genesis_digest
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import VerificationError
from cellvow.verify import Verified, parse_bundle
from cellvow.verify.standing import attestation_in
from cellvow.workspace.export_words import LANGUAGES, load_words

FORMAT = "cellvow-export/1"
CERTIFICATE, VERDICT, UN38_3, STATE_OF_CHARGE = "certificate", "verdict", "un38_3", "state_of_charge"
PAPERS = (CERTIFICATE, VERDICT, UN38_3, STATE_OF_CHARGE)
"""What a package may hold beside the registers; which is missing is said."""
UN38_3_STANDARD = "UN 38.3"
"""Name of the standard by which an attestation is known as a reference to a transport test; its edition is data."""
STATE_OF_CHARGE_QUANTITY = "state_of_charge"
_INDEX_LANGUAGE = LANGUAGES[0]
"""The index is for programs: its words are the same whatever language the page is in."""
_IN_FORCE = "in force"
_DAY_MS = 86_400_000
_REGISTER_FILE, _OFFER_FILE = "register_", "offer_"


@dataclass(frozen=True, slots=True)
class Component:
    """A bundle of a package: its file, its bytes and what these prove."""

    file: str
    data: bytes
    verified: Verified

    @property
    def attestation(self) -> dict[str, Json]:
        """The attestation it carries, or nothing."""
        return attestation_in(self.verified.message) or {}

    @property
    def said(self) -> dict[str, Json]:
        """What its message orders: of a second signature, what that was given to."""
        return self.verified.ordered

    @property
    def place(self) -> tuple[str, int]:
        """Which message of which statement it proves."""
        return self.verified.statement_digest, self.verified.index


def register_file(number: int) -> str:
    """The file of the statement by which registers got their names."""
    return f"{_REGISTER_FILE}{number}.cvb"


def offer_file(number: int) -> str:
    """The file of the offer that was accepted in `register_file(number)`."""
    return f"{_OFFER_FILE}{number}.cvb"


def paper_file(paper: str) -> str:
    """The file of a certificate, verdict or reference."""
    return f"{paper}.cvb"


def derive_index(components: Iterable[Component], language: str) -> dict[str, Json]:
    """The index of these bundles, for a package in one of `LANGUAGES`.

    Raises `VerificationError` where they do not belong together.
    """
    ordered = sorted(components, key=lambda one: one.file)
    _require(bool(ordered), "it holds no bundle")
    _require_one_moment(ordered)
    records = {key: value for one in ordered for key, value in one.verified.records.items()}
    batteries = [key.partition("/")[2] for key in records if key.startswith(f"{REGISTERS[0]}/")]
    _require(len(batteries) == 1, "it shows the registers of no unit, or of several")
    battery, first = batteries[0], ordered[0].verified
    _require_by_itself(records, battery)
    registers = _registers(ordered, records, battery)
    named = {str(one["file"]) for one in registers} | {str(one["offer"]) for one in registers if one["offer"]}
    papers = [_paper(one, records, battery) for one in ordered if one.file not in named]
    return {
        "as_of": {"leaves": first.size, "time_ms": first.state_time_ms},
        "battery": battery,
        "disputes": _disputes(records, battery),
        "format": FORMAT,
        "language": language,
        "ledger": {"chain_id": first.chain_id, "genesis": genesis_digest(parse_bundle(ordered[0].data).genesis).hex()},
        "missing": [_missing(paper, papers) for paper in PAPERS if not _is_there(paper, papers)],
        "papers": list(papers),
        "registers": list(registers),
        "unit": _unit(records, battery),
    }


def _require_by_itself(records: Mapping[str, Json], battery: str) -> None:
    """A part's own registers rest: it goes with the unit it is in, which has a package of its own."""
    whole = _member(records.get(f"battery/{battery}")).get("part_of")
    _require(whole is None, f"the unit is a part of {whole}: its registers are those of that one")


def _require_one_moment(components: list[Component]) -> None:
    """All bundles stand under the same checkpoint of the same ledger, and show its state."""
    bundles = [parse_bundle(one.data) for one in components]
    first = bundles[0]
    for one, bundle in zip(components, bundles, strict=True):
        same = (bundle.genesis, bundle.checkpoint, bundle.consensus) == (
            first.genesis,
            first.checkpoint,
            first.consensus,
        )
        _require(same, f"{one.file} is of another moment or ledger than {components[0].file}")
        _require(one.verified.state_shown, f"{one.file} does not show the state")


def _registers(components: list[Component], records: Mapping[str, Json], battery: str) -> list[dict[str, Json]]:
    found: list[dict[str, Json]] = []
    for register in REGISTERS:
        record = _member(records.get(f"{register}/{battery}"))
        stems = _member(record.get("provenance"))
        place = (stems.get("statement"), stems.get("index"))
        origin = next((one for one in components if one.place == place and one.file.startswith(_REGISTER_FILE)), None)
        if origin is None:
            raise VerificationError(f"nothing in it shows who signed the {register} register")
        organisation = _word(record.get("organisation"))
        offer = _offer(components, origin, register, battery)
        found.append(
            {
                "accepted_by": None if offer is None else origin.verified.organisation,
                "file": origin.file,
                "name": _name(records, organisation),
                "offer": None if offer is None else offer.file,
                "offered_by": None if offer is None else offer.verified.organisation,
                "organisation": organisation,
                "register": register,
                "since_ms": _whole(record.get("since_ms")),
                "suspect": origin.verified.suspect or (offer is not None and offer.verified.suspect),
            }
        )
    return found


def _disputes(records: Mapping[str, Json], battery: str) -> list[Json]:
    """The disputes over the unit that its record names, where the package shows it; of none it proves nothing."""
    named = _member(records.get(f"disputes/{battery}")).get("disputes")
    names = [_member(one) for one in named] if isinstance(named, list) else []
    return [f"{_word(one.get('organisation'))}/{_word(one.get('reference'))}" for one in names]


def _offer(components: list[Component], origin: Component, register: str, battery: str) -> Component | None:
    """The other side's signature under a hand-over; None where a register was not handed over by an offer."""
    if origin.said.get("type") != "AcceptHandover":
        return None
    wanted = origin.file.replace(_REGISTER_FILE, _OFFER_FILE)
    offer = next((one for one in components if one.file == wanted), None)
    if offer is None:
        raise VerificationError(f"{wanted} is missing: a hand-over is signed by both sides")
    said, named = offer.said, offer.said.get("registers")
    fits = (said.get("type"), said.get("battery"), said.get("addressee")) == (
        "OfferHandover",
        battery,
        origin.verified.organisation,
    )
    is_before = offer.verified.leaf < origin.verified.leaf
    _require(fits and is_before and isinstance(named, list) and register in named, f"{wanted} is of another hand-over")
    return offer


def _paper(one: Component, records: Mapping[str, Json], battery: str) -> dict[str, Json]:
    paper = one.file.removesuffix(".cvb")
    _require(paper in PAPERS, f"{one.file} has no place in it")
    said = one.said if paper == VERDICT else one.attestation
    _require(said.get("battery") == battery, f"{one.file} is about another unit")
    _CHECKS[paper](one, records, battery)
    verified = one.verified
    return {
        "bytes": len(one.data),
        "disclosed": [_disclosed(field) for field in verified.disclosures],
        "file": one.file,
        "index": verified.index,
        "issuer": verified.organisation,
        "issuer_name": verified.organisation_name,
        "paper": paper,
        "reference": _word(said.get("reference")),
        "sha256": sha256(one.data).hex(),
        "signed_ms": verified.time_ms,
        "standing": _verdict_standing(one, battery) if paper == VERDICT else verified.standing,
        "statement": verified.statement_digest,
        "suspect": verified.suspect,
        **(_verdict_words(said) if paper == VERDICT else _attestation_words(said, verified.state_time_ms)),
    }


def _verdict_words(said: Mapping[str, Json]) -> dict[str, Json]:
    return {name: _word(said.get(name)) for name in ("as_of", "policy", "verdict")}


def _attestation_words(said: Mapping[str, Json], now_ms: int) -> dict[str, Json]:
    until, valid_until = _whole(said.get("tested_until_ms")), said.get("valid_until_ms")
    return {
        "age_days": (now_ms - until) // _DAY_MS,
        "class": _word(said.get("evidence_class")),
        "predicates": said.get("predicates", []),
        "quantities": _quantities(said),
        "standard": said.get("standard"),
        "tested_until_ms": until,
        "valid_until_ms": None if valid_until is None else _whole(valid_until),
    }


def _verdict_standing(one: Component, battery: str) -> str:
    """Whether anything happened to the unit, since the verdict, that voids tests."""
    shown, reference = one.verified.records, one.said.get("reference")
    record = _member(shown.get(f"verdict/{one.verified.organisation}/{reference}"))
    unit = _member(shown.get(f"battery/{battery}"))
    _require(bool(record) and bool(unit), f"{one.file} does not show the verdict as it stands")
    return _IN_FORCE if record.get("epoch", 0) == unit.get("epoch", 0) else "overtaken by what happened to the battery"


def _check_certificate(one: Component, _records: Mapping[str, Json], _battery: str) -> None:
    _require(one.attestation.get("is_certificate") is True, f"{one.file} is no certificate")


def _check_verdict(one: Component, _records: Mapping[str, Json], _battery: str) -> None:
    _require(one.said.get("type") == "RecordVerdict", f"{one.file} is no verdict")


def _check_un38_3(one: Component, records: Mapping[str, Json], battery: str) -> None:
    standard = _member(one.attestation.get("standard"))
    _require(standard.get("name") == UN38_3_STANDARD, f"{one.file} names another standard than {UN38_3_STANDARD}")
    issuer = one.verified.organisation
    maker = _member(records.get(f"battery/{battery}")).get("organisation")
    roles = _member(records.get(f"organisation/{issuer}")).get("roles")
    is_laboratory = isinstance(roles, list) and "laboratory" in roles
    _require(issuer == maker or is_laboratory, f"{one.file} comes from neither the maker nor a laboratory")


def _check_state_of_charge(one: Component, _records: Mapping[str, Json], _battery: str) -> None:
    attests = STATE_OF_CHARGE_QUANTITY in _quantities(one.attestation)
    _require(attests, f"{one.file} says nothing of the state of charge")


_CHECKS = {
    CERTIFICATE: _check_certificate,
    VERDICT: _check_verdict,
    UN38_3: _check_un38_3,
    STATE_OF_CHARGE: _check_state_of_charge,
}


def _is_there(paper: str, papers: list[dict[str, Json]]) -> bool:
    """Whether a paper is in the package and may be relied on."""
    return any(one["paper"] == paper and one["standing"] == _IN_FORCE and not one["suspect"] for one in papers)


def _missing(paper: str, papers: list[dict[str, Json]]) -> dict[str, Json]:
    """Why a paper counts as missing, and who could supply it."""
    held = next((one for one in papers if one["paper"] == paper), None)
    why = "missing"
    if held is not None:
        why = f"not to be relied on: {'suspect' if held['suspect'] else held['standing']}"
    return {"paper": paper, "remedy": load_words(_INDEX_LANGUAGE).text(f"remedy.{paper}"), "why": why}


def _unit(records: Mapping[str, Json], battery: str) -> dict[str, Json]:
    """What the unit is, where the package shows its records."""
    record = _member(records.get(f"battery/{battery}"))
    model = _member(records.get(f"model/{record.get('gtin')}"))
    _require(bool(record) and bool(model), "it does not show what the unit is")
    facts: dict[str, Json] = {name: model.get(name) for name in ("category", "chemistry", "mass_g", "model")}
    facts |= {name: model.get(name) for name in ("nominal_voltage_mv", "rated_capacity_mah")}
    maker = _word(record.get("organisation"))
    facts |= {name: record.get(name) for name in ("manufactured_on", "status")}
    return {**facts, "maker": maker, "maker_name": _name(records, maker)}


def _disclosed(field: Json) -> dict[str, Json]:
    """A value that the bundle opens; of what is no number, that it is there."""
    document = _member(field)
    names = ("class", "coverage_permille", "high", "low", "unit", "value", "sha256")
    known: dict[str, Json] = {name: document[name] for name in names if isinstance(document.get(name), int | str)}
    return {"quantity": document.get("quantity"), **known}


def _quantities(said: Mapping[str, Json]) -> list[Json]:
    results = said.get("results")
    return [_member(one).get("quantity") for one in results] if isinstance(results, list) else []


def _name(records: Mapping[str, Json], organisation: str) -> str:
    name = _member(records.get(f"organisation/{organisation}")).get("name")
    return name if isinstance(name, str) else organisation


def _member(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _whole(value: Json) -> int:
    """Only a ledger checks what a message holds: of one that nobody vouches for, all is possible."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise VerificationError("the package does not hold together: a whole number was expected")
    return value


def _word(value: Json) -> str:
    if not isinstance(value, str):
        raise VerificationError("the package does not hold together: a word was expected")
    return value


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise VerificationError(f"the package does not hold together: {reason}")
