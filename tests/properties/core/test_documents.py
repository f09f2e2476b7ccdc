"""Documents have one spelling, the one of RFC 8785, whichever library writes it."""

from __future__ import annotations

import json

import msgspec
import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from cellvow.core.primitives.encoding import Json, encode_document, parse_document, parse_object
from cellvow.core.primitives.errors import Malformed
from tests.properties.core.strategies import documents, mutations


@pytest.mark.slow
@given(documents)
def test_a_document_survives_encoding_and_parsing(document: Json) -> None:
    """Parsing gives back the value that was encoded, with the types it had."""
    parsed = parse_document(encode_document(document))

    assert repr(document_sorted(document)) == repr(document_sorted(parsed))


@pytest.mark.slow
@given(documents)
def test_three_libraries_write_the_same_bytes(document: Json) -> None:
    """Our encoder, an implementation of RFC 8785 and msgspec with sorted keys agree on every document."""
    ours = encode_document(document)

    assert ours == rfc8785.dumps(document)
    assert ours == msgspec.json.encode(document, order="sorted")


@pytest.mark.slow
@given(st.one_of(mutations(documents.map(encode_document)), st.binary(max_size=40)))
@example(b'{"a":1,"a":1}')
@example(b"1e1")
@example(b"-0")
@example(b'"\\u00e9"')
def test_what_is_accepted_is_the_one_spelling(data: bytes) -> None:
    """No bytes are accepted but those the encoder writes for the value they mean."""
    try:
        value = parse_document(data)
    except Malformed:
        return
    assert data == encode_document(value)


@pytest.mark.slow
@given(documents)
def test_every_other_spelling_of_a_document_is_refused(document: Json) -> None:
    """White space, escaped letters, reversed keys and a byte-order mark name the same value and are refused."""
    canonical = encode_document(document)
    spellings = (
        json.dumps(document, indent=1).encode(),
        json.dumps(document, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode(),
        json.dumps(reverse_keys(document), ensure_ascii=False, separators=(",", ":")).encode(),
        b"\xef\xbb\xbf" + canonical,
        canonical + b"\n",
        b" " + canonical,
    )

    for spelling in spellings:
        if spelling != canonical:
            with pytest.raises(Malformed):
                parse_document(spelling)


@pytest.mark.slow
@given(documents.filter(lambda document: not isinstance(document, dict)))
def test_only_objects_pass_as_objects(document: Json) -> None:
    """`parse_object` refuses every document that is no object."""
    with pytest.raises(Malformed, match="not an object"):
        parse_object(encode_document(document))


def test_a_lenient_reader_would_accept_two_spellings() -> None:
    """Control: without the comparison of bytes, different documents mean the same value."""
    assert json.loads(b'{"a":1}') == json.loads(b'{ "a" : 1.0 }') == json.loads(b'{"a":2,"a":1}')


def document_sorted(value: Json) -> Json:
    """The value with the keys of every object in order, so that `repr` compares types too."""
    if isinstance(value, dict):
        return {key: document_sorted(value[key]) for key in sorted(value)}
    return [document_sorted(one) for one in value] if isinstance(value, list) else value


def reverse_keys(value: Json) -> Json:
    """The value with the keys of every object in reverse order."""
    if isinstance(value, dict):
        return {key: reverse_keys(value[key]) for key in sorted(value, reverse=True)}
    return [reverse_keys(one) for one in value] if isinstance(value, list) else value
