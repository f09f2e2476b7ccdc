"""The phone's signer against the ledger's own code: what JavaScript writes, Python parses, opens and applies."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from cellvow.core.contracts.contract import Committed, Message, encode_message
from cellvow.core.contracts.life import ReportSighting
from cellvow.core.contracts.organisation import possession_bytes
from cellvow.core.contracts.safety import IncidentKind, ReportIncident, Severity
from cellvow.core.contracts.use import (
    InstallBattery,
    Purpose,
    RecordWork,
    RemovalCause,
    UninstallBattery,
    WorkKind,
)
from cellvow.core.ledger.commitment import commit
from cellvow.core.ledger.statement import (
    SINGLE_CONTENT,
    encode_envelope,
    encode_payload,
    encode_protected,
    parse_statement,
)
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.signature import derive_key_id, is_valid
from cellvow.passport.digital_link import parse_digital_link
from cellvow.web import field_scripts, load_static
from cellvow.workspace.field import kind_of, parse_upload
from cellvow.workspace.phones import parse_phone_code
from tests.conformance.javascript_process import JavaScript, RefusedByJavaScript
from tests.conftest import find_node

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.node, pytest.mark.slow]

BATTERY = "01/09506000134376/21/PACK-0001"
SALT = bytes(range(32))
KEY = SigningKey(bytes(range(1, 33)))
PUBLIC_KEY = bytes(KEY.verify_key)
SIGNER = {"chainId": "unit.example", "organisation": "workshop", "kid": derive_key_id(PUBLIC_KEY)}
FORM = {
    "unit": BATTERY,
    "kind": "maintenance",
    "severity": "note",
    "into": "vehicle",
    "cause": "service",
    "place": "Bay 3",
    "text": "Coolant changed",
    "reference": "W-17",
    "on": "2026-11-30",
    "next": "",
}
DAYS = st.dates().map(lambda day: day.isoformat()).filter(lambda day: day[0] in "12")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
PLACES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)
REFERENCES = st.from_regex(r"[A-Z0-9][A-Z0-9.-]{0,31}", fullmatch=True)
SERIALS = st.from_regex(r"[A-Z0-9][A-Z0-9.-]{0,19}", fullmatch=True)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JavaScript]:
    """A Node process that has loaded the page's modules, from the addresses under which they are served."""
    node, folder = find_node(os.environ), tmp_path_factory.mktemp("static")
    assert node is not None
    (folder / "package.json").write_text('{"type": "module"}')
    for name in field_scripts():
        found = load_static(name)
        assert found is not None
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(found.content)
    modules = ("verify/formats.js", "field/encoding.js", "field/messages.js", "field/statement.js")
    with JavaScript(node, folder, modules) as process:
        yield process


def composed(
    javascript: JavaScript, record: str, /, **changed: str
) -> tuple[dict[str, Any], list[tuple[bytes, bytes]]]:
    """The message and the openings that the page makes of a form."""
    answer = javascript.call("composeWith", record, {**FORM, **changed}, SALT)
    openings = [(bytes.fromhex(salt["hex"]), bytes.fromhex(field["hex"])) for salt, field in answer["openings"]]
    return answer["message"], openings


def committed(document: dict[str, Any]) -> Committed:
    """The commitment that the vault would make under the same salt."""
    return Committed(commitment=commit(SALT, encode_document(document)).hex())


def agrees(javascript: JavaScript, made: tuple[dict[str, Any], list[tuple[bytes, bytes]]], expected: Message) -> None:
    """The message's bytes are the ledger's own, and its type reads them back."""
    message, openings = made
    data = javascript.call("encodeDocument", message)
    assert data == encode_message(expected)
    assert msgspec.json.decode(data, type=type(expected)) == expected
    for _, field in openings:
        kind_of(parse_object(field))


@given(DOCUMENTS)
def test_a_document_has_the_same_bytes(javascript: JavaScript, document: object) -> None:
    """Whatever the profile can express, down to every escape."""
    assert encode_document(document) == javascript.call("encodeDocument", document)  # type: ignore[arg-type]  # drawn as JSON


@pytest.mark.parametrize("levels", [16, 17])
def test_depth_ends_where_the_ledgers_does(javascript: JavaScript, levels: int) -> None:
    """Sixteen levels are written, seventeen refused by both."""
    document: Any = []
    for _ in range(levels - 1):
        document = [document]
    if levels == 16:
        assert encode_document(document) == javascript.call("encodeDocument", document)
        return
    with pytest.raises(Malformed):
        encode_document(document)
    assert not javascript.accepts("encodeDocument", document)


@pytest.mark.parametrize("value", [2**53, -(2**53), 1.5, {"\u00e9": 1}])
def test_what_the_profile_lacks_is_refused(javascript: JavaScript, value: object) -> None:
    """No rounding and no second spelling."""
    assert not javascript.accepts("encodeDocument", value)


@given(st.binary(min_size=32, max_size=32), DOCUMENTS)
def test_a_commitment_is_the_vaults(javascript: JavaScript, salt: bytes, document: object) -> None:
    """The same salt and document give the same 32 bytes."""
    field = encode_document({"value": document})  # type: ignore[dict-item]  # drawn as JSON

    assert commit(salt, field) == javascript.call("commit", salt, field)


@given(st.sampled_from(get_args(Purpose)), PLACES, DAYS, SERIALS)
def test_an_installation_is_the_command_lines(
    javascript: JavaScript, into: str, place: str, day: str, serial: str
) -> None:
    """Message, commitment and field document are what `cellvow service install` makes."""
    battery = BATTERY[:21] + serial
    paper = committed({"into": into, "place": place, "quantity": "place"})
    expected = InstallBattery(battery=battery, into=into, place=paper, installed_on=day)  # type: ignore[arg-type]  # sampled
    agrees(javascript, composed(javascript, "install", unit=battery, into=into, place=place, on=day), expected)


@given(st.sampled_from(get_args(RemovalCause)), DAYS)
def test_a_removal_is_the_command_lines(javascript: JavaScript, cause: str, day: str) -> None:
    """It commits to nothing."""
    made = composed(javascript, "remove", cause=cause, on=day)

    assert made[1] == []
    agrees(javascript, made, UninstallBattery(battery=BATTERY, cause=cause, removed_on=day))  # type: ignore[arg-type]  # sampled


@given(st.sampled_from(get_args(WorkKind)), REFERENCES, TEXTS, st.lists(DAYS, min_size=1, max_size=2))
def test_work_is_the_command_lines(
    javascript: JavaScript, kind: str, reference: str, text: str, days: list[str]
) -> None:
    """With and without a next service; the text is kept to the letter, without the space around it."""
    done, *planned = sorted(days)
    report = committed({"quantity": "text", "text": f"x{text}x"})
    expected = RecordWork(
        battery=BATTERY,
        reference=reference,
        kind=kind,  # type: ignore[arg-type]  # sampled
        done_on=done,
        report=report,
        next_service_on=planned[0] if planned else None,
    )
    changed = {"kind": kind, "reference": reference, "text": f"x{text}x", "on": done, "next": "".join(planned)}
    agrees(javascript, composed(javascript, "work", **changed), expected)


@given(st.sampled_from(get_args(IncidentKind)), st.sampled_from(get_args(Severity)), REFERENCES)
def test_an_incident_is_the_command_lines(javascript: JavaScript, kind: str, severity: str, reference: str) -> None:
    """Kind and severity in the open, the report committed to."""
    expected = ReportIncident(
        battery=BATTERY,
        reference=reference,
        kind=kind,  # type: ignore[arg-type]  # sampled
        severity=severity,  # type: ignore[arg-type]  # sampled
        occurred_on=FORM["on"],
        report=committed({"quantity": "text", "text": FORM["text"]}),
    )
    agrees(javascript, composed(javascript, "incident", kind=kind, severity=severity, reference=reference), expected)


@given(PLACES)
def test_a_sighting_is_the_command_lines(javascript: JavaScript, place: str) -> None:
    """The place as the life of a unit keeps it."""
    expected = ReportSighting(battery=BATTERY, place=committed({"name": "place", "text": place}))
    agrees(javascript, composed(javascript, "sighting", place=place), expected)


@given(st.integers(1, 2**53 - 1), REFERENCES)
def test_a_statement_is_byte_for_byte_the_workspaces(javascript: JavaScript, sequence: int, reference: str) -> None:
    """Header, payload, what is signed and the envelope; without a time limit, and the ledger's parser takes it."""
    message, openings = composed(javascript, "work", reference=reference)
    prepared = javascript.call("prepare", SIGNER, sequence, message)
    protected = encode_protected(SIGNER["kid"], "workshop", BATTERY, SINGLE_CONTENT)  # type: ignore[arg-type]  # bytes
    payload = encode_payload("unit.example", sequence, {"message": message})
    signed = encode_cbor(["Signature1", protected, b"", payload])
    assert prepared == {"header": {"hex": protected.hex()}, "payload": {"hex": payload.hex()}} | {
        "signedBytes": {"hex": signed.hex()}
    }
    signature = KEY.sign(signed).signature
    sealed = javascript.call("seal", {"header": protected, "payload": payload}, signature)
    assert sealed == encode_envelope(protected, payload, signature)
    statement = parse_statement(sealed)
    assert is_valid(PUBLIC_KEY, statement.envelope.signed_bytes, statement.envelope.signature)
    assert statement.envelope.not_after_ms is None
    upload = parse_upload(javascript.call("encodeUpload", sealed, [list(one) for one in openings], sequence))
    assert (upload.statement.data, upload.made_ms) == (sealed, sequence)
    assert [(one.salt, one.field) for one in upload.openings] == openings


def test_the_line_of_a_phone_is_read_by_the_command_line(javascript: JavaScript) -> None:
    """Key identifier, possession, line and fingerprint agree."""
    possession = javascript.call("possessionBytes", "unit.example", "workshop", PUBLIC_KEY)
    assert possession == possession_bytes("unit.example", "workshop", PUBLIC_KEY.hex())
    signature = KEY.sign(possession).signature
    line = javascript.call("admissionCode", "unit.example", "workshop", PUBLIC_KEY, signature)
    code = parse_phone_code(line)
    assert javascript.call("deriveKeyId", PUBLIC_KEY) == derive_key_id(PUBLIC_KEY)
    assert javascript.call("fingerprint", derive_key_id(PUBLIC_KEY)) == code.fingerprint


@given(
    SERIALS, st.integers(0, 10**13 - 1), st.sampled_from(["", "/", "https://p.example/", "https://p.example:1/a/b/"])
)
def test_a_code_names_the_same_battery(javascript: JavaScript, serial: str, number: int, before: str) -> None:
    """Typed or as an address: the same identifier, or both refuse its check digit."""
    digits = f"{number:013d}"
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    gtin = digits + str((10 - weighted % 10) % 10)
    battery = f"01/{gtin}/21/{serial}"
    if before:
        assert parse_digital_link(before + battery) == battery
    assert javascript.call("parseBattery", before + battery) == battery
    wrong = gtin[:13] + str((int(gtin[13]) + 1) % 10)
    assert not javascript.accepts("parseBattery", f"{before}01/{wrong}/21/{serial}")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"unit": "PACK-0001"}, "unit: unit"),
        ({"unit": "01/09506000134377/21/PACK-0001"}, "unit: check_digit"),
        ({"unit": "https://p.example/01/09506000134376/21/PACK%2D1"}, "unit: unit"),
        ({"reference": "-1"}, "reference: reference"),
        ({"reference": "W" * 33}, "reference: reference"),
        ({"on": "2026-02-30"}, "on: on"),
        ({"on": ""}, "on: on"),
        ({"next": "2026-11-29"}, "next: next"),
        ({"text": " \n"}, "text: text"),
        ({"text": "x" * 64_000}, "text: text"),
    ],
)
def test_a_form_that_the_ledger_would_refuse_is_refused_before_it_is_signed(
    javascript: JavaScript, changed: dict[str, str], field: str
) -> None:
    """The field is named, and why."""
    with pytest.raises(RefusedByJavaScript, match=f"^{field}$"):
        composed(javascript, "work", **changed)


@pytest.mark.parametrize("place", ["", " ", "a" * 201, "a\u0007b", "\u200b"])
def test_a_place_is_one_that_the_command_line_takes(javascript: JavaScript, place: str) -> None:
    """Empty, endless or unprintable: refused; at the bound it is taken."""
    with pytest.raises(RefusedByJavaScript, match=r"^place: place$"):
        composed(javascript, "install", place=place)
    assert composed(javascript, "install", place="\U0001f50b" * 200)


@given(st.text(max_size=40))
def test_space_in_a_place_is_one_space(javascript: JavaScript, text: str) -> None:
    """Whatever a keyboard sends between words; what then is taken, Python calls printable."""
    try:
        _, openings = composed(javascript, "install", place=text)
    except RefusedByJavaScript:
        assume(False)
    place = json.loads(openings[0][1])["place"]

    assert place.isprintable()


def test_a_changed_domain_is_found() -> None:
    """Control: a commitment without its domain is another one."""
    field = encode_document({"value": 1})

    assert commit(SALT, field) != hashlib.sha256(SALT + field).digest()
