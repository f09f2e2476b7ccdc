"""Where the usual bytes take a shorter way, the longer way would have given the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cellvow.core.ledger.key import SequenceRecord, encode_sequence_record, parse_sequence_record
from cellvow.core.ledger.state import StateTree, entry_hash, key_hash
from cellvow.core.ledger.statement import (
    Envelope,
    _plain_envelope,
    derive_salt,
    derive_salts,
    parse_envelope,
    parse_statement,
)
from cellvow.core.primitives import encoding
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import (
    Json,
    encode_document,
    parse_any_document,
    parse_document,
    parse_object,
    write_any,
)
from cellvow.core.primitives.errors import Malformed
from tests import messages
from tests.properties.core.strategies import documents, mutations
from tests.world import make_signer

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = make_signer("nordpack", "short cuts")
SOUND = SIGNER.sign(messages.battery()).data
LIMITED = SIGNER.sign(messages.certificate(), not_after_ms=2**53 - 1).data


def outcome_of(parse: Callable[[bytes], Envelope | None], data: bytes) -> Envelope | str | None:
    """What a parser gives, or that it refuses."""
    try:
        return parse(data)
    except Malformed:
        return "refused"


def parsed_by(parse: Callable[[bytes], Json], data: bytes) -> str:
    """What a parser of documents gives, with the types it has, or that it refuses."""
    try:
        return repr(parse(data))
    except Malformed:
        return "refused"


@pytest.mark.slow
@given(st.one_of(documents.map(encode_document), mutations(documents.map(encode_document)), st.binary(max_size=40)))
@example(b'{"a":1,"a":1}')
@example(b"-0")
@example(b"1.0")
@example(b"9007199254740992")
@example(b"9" * 5_000)
@example(b'{"a":"\x7f"}')
@example(b'"\\u0041"')
@example(b"[" * 5_000)
@example(b'{"b":1,"a":1}')
@example(b'{"\xc3\xa9":1}')
def test_a_document_read_the_short_way_is_what_the_long_way_reads(data: bytes) -> None:
    """Two libraries take the same bytes, refuse the same bytes, and give the same values."""
    assert parsed_by(parse_any_document, data) == parsed_by(parse_document, data)


@pytest.mark.slow
@given(documents)
@example("".join(map(chr, range(0x2FF))))
@example({"\x7f": [None, True, False, -(2**53) + 1, 2**53 - 1, ""], "": {}})
def test_a_document_written_the_short_way_has_the_same_bytes(document: Json) -> None:
    """Escapes, order of the keys and numbers are the standard library's."""
    assert write_any(document) == encode_document(document)


def test_every_character_is_written_the_same_way() -> None:
    """All of Unicode: half of a surrogate pair is refused by both, any other character has one spelling."""
    characters = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))

    assert write_any(characters) == encode_document(characters)
    for half in ("\ud800", "\udfff"):
        with pytest.raises(Malformed, match="surrogate"):
            encode_document(half)


def test_control_what_is_signed_every_day_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the properties above would compare one parser with itself."""
    payload = parse_statement(SOUND).envelope.payload
    monkeypatch.setattr(encoding, "parse_any_document", None)

    assert parse_document(payload)


@pytest.mark.slow
@given(st.sampled_from([SOUND, LIMITED]), st.data())
def test_a_changed_statement_takes_no_short_cut_that_the_parser_would_refuse(sound: bytes, draw: st.DataObject) -> None:
    """Whatever byte is changed, left out or added: read by its fixed bytes, an envelope is what the parser gives."""
    at = draw.draw(st.integers(0, len(sound) - 1))
    changed = sound[:at] + draw.draw(st.binary(max_size=3)) + sound[at + draw.draw(st.integers(0, 3)) :]

    plain = outcome_of(_plain_envelope, changed)

    assert plain in (None, outcome_of(parse_envelope, changed))


@pytest.mark.slow
@given(st.integers(0, 400), st.integers(0, 400), st.binary(max_size=40))
def test_lengths_are_read_in_their_shortest_form_alone(protected: int, payload: int, rest: bytes) -> None:
    """Heads of every length, and bytes after the end: the short cut and the parser agree on what is a statement."""
    data = b"\xd2\x84" + encode_cbor(bytes(protected)) + b"\xa0" + encode_cbor(bytes(payload)) + rest

    plain = outcome_of(_plain_envelope, data)

    assert plain in (None, outcome_of(parse_envelope, data))


def test_control_sound_statements_take_the_short_cut() -> None:
    """Else the properties above would compare nothing."""
    for data in (SOUND, LIMITED):
        assert parse_envelope(data) == _plain_envelope(data)


@pytest.mark.slow
@given(st.sampled_from([SOUND, LIMITED]))
def test_the_message_cut_out_of_the_payload_is_its_canonical_form(data: bytes) -> None:
    """The bytes between the message's neighbours are those that writing it again would give."""
    statement = parse_statement(data)

    assert encode_document(statement.envelope.members["message"]) == statement.messages[0]


def test_what_the_signature_covers_is_the_structure_of_the_standard() -> None:
    """Joined from its parts, the Sig_structure is the encoding of its array."""
    envelope = parse_statement(SOUND).envelope

    assert encode_cbor(["Signature1", envelope.protected, b"", envelope.payload]) == envelope.signed_bytes


@pytest.mark.slow
@given(st.binary(max_size=80), st.integers(0, 20))
def test_salts_made_together_are_those_made_one_by_one(seed: bytes, count: int) -> None:
    """HMAC's states may be shared by all messages of a batch, whatever the length of the seed."""
    assert tuple(derive_salt(seed, index) for index in range(count)) == derive_salts(seed, count)


@pytest.mark.slow
@given(
    st.integers(-5, 2**53 - 1) | st.integers(0, 20),
    st.integers(0, 2**1024 - 1) | st.just(0),
    st.text(max_size=70) | st.text("0123456789abcdef", max_size=64),
)
def test_a_sequence_record_has_one_spelling(top: int, marks: int, statement: str) -> None:
    """Written short or long, the bytes are the canonical document; read back, the record is the same."""
    record = SequenceRecord(top, marks, statement)
    try:
        expected = encode_document({"marks": f"{marks:x}", "statement": statement, "top": top})
    except Malformed:
        return

    assert expected == encode_sequence_record(record)
    assert record == parse_sequence_record(expected)


@pytest.mark.slow
@given(
    st.binary(max_size=60)
    | st.from_regex(rb'\{"marks":"[0-9a-f]{0,3}","statement":"[0-9a-zA-Z"]?","top":-?[0-9]{1,18}\}')
)
def test_what_is_read_as_a_sequence_record_is_canonical(data: bytes) -> None:
    """The short cut takes nothing that is not the one spelling of a document."""
    try:
        record = parse_sequence_record(data)
    except Malformed:
        return

    assert encode_document(parse_object(data)) == data == encode_sequence_record(record)


@pytest.mark.slow
@given(st.lists(st.text("abc", min_size=1, max_size=6), max_size=60), st.text("abc", min_size=1, max_size=6))
def test_the_tree_knows_which_keys_it_holds(keys: list[str], asked: str) -> None:
    """Held are the keys that were written, and no others: the node does not ask its store for what is not there."""
    tree = StateTree()
    for key in keys:
        tree.update({key_hash(key): entry_hash(key_hash(key), b"value")})

    assert (asked in keys) == tree.holds(key_hash(asked))
    assert all(tree.holds(key_hash(key)) for key in keys)


def test_a_bucket_of_keys_that_share_many_bits_gives_the_same_root() -> None:
    """An attacker may look for keys that meet late: each order of writing gives one root."""
    hashes = [Digest(bytes(20) + number.to_bytes(12, "big")) for number in (0, 1, 2, 3, 128, 2**90, 2**95)]
    entries = {one: entry_hash(one, b"value") for one in hashes}
    backwards = StateTree()
    for one in reversed(hashes):
        backwards.update({one: entries[one]})

    assert StateTree(entries.items()).root == backwards.root == StateTree(entries.items(), count=900).root
