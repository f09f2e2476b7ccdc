"""The CBOR subset against cbor2: the same bytes for the same value, and a stated reason for each refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping

import cbor2
import pytest
from hypothesis import example, given

from cellvow.core.primitives.cbor import Cbor, Tagged, encode_cbor, parse_cbor
from cellvow.core.primitives.errors import Malformed
from tests.properties.core.strategies import cbor_values, mutations

STATED_REASONS = re.compile(
    r"bytes after the end|is not part of the subset|is not the shortest|not UTF-8|in order"
    r"|more members than bytes remain|nesting deeper|CBOR ends at"
)


@given(cbor_values)
def test_a_value_survives_encoding_and_parsing(value: Cbor) -> None:
    """Parsing gives back the value that was encoded."""
    assert parse_cbor(encode_cbor(value)) == value


@given(cbor_values)
def test_cbor2_reads_what_we_write(value: Cbor) -> None:
    """An independent reader sees the same value in our bytes."""
    assert from_oracle(cbor2.loads(encode_cbor(value))) == value


@given(cbor_values)
def test_cbor2_writes_the_same_bytes(value: Cbor) -> None:
    """Given maps in the order of RFC 8949 section 4.2.1, an independent writer gives our bytes."""
    assert encode_cbor(value) == cbor2.dumps(to_oracle(value))


@pytest.mark.slow
@given(mutations(cbor_values.map(encode_cbor)))
@example(b"\xf5")
@example(b"\xf9\x3c\x00")
@example(b"\xfb\x3f\xf0\x00\x00\x00\x00\x00\x00")
@example(b"\xc2\x41\x01")
@example(b"\x9f\xff")
@example(b"\x5f\x41\x00\xff")
@example(b"\x18\x01")
@example(b"\xa2\x01\x00\x01\x00")
@example(b"\xa2\x02\x00\x01\x00")
@example(b"\xa1\x40\x00")
@example(b"\x61\xff")
@example(b"\xd8\x12\x00")
def test_mutated_bytes_are_refused_for_a_stated_reason(data: bytes) -> None:
    """Whatever is accepted is the one encoding and means what cbor2 says; whatever is refused says why."""
    try:
        value = parse_cbor(data)
    except Malformed as error:
        refusal = str(error)
    else:
        assert data == encode_cbor(value)
        assert from_oracle(cbor2.loads(data)) == value
        return
    assert STATED_REASONS.search(refusal)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xf4", "not part of the subset"),
        (b"\xf6", "not part of the subset"),
        (b"\xf9\x00\x00", "not part of the subset"),
        (b"\xc0\x60", "not part of the subset"),
        (b"\xd9\xd9\xf7\x00", "not part of the subset"),
        (b"\x7f\xff", "not part of the subset"),
        (b"\x1c", "not part of the subset"),
        (b"\x19\x00\xff", "not the shortest"),
        (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "not the shortest"),
        (b"\x82\x00", "CBOR ends at|more members"),
        (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "more members than bytes remain"),
        (b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "more members than bytes remain"),
        (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "CBOR ends at"),
        (b"\x62\xed\xa0", "not UTF-8"),
        (b"\x63\xed\xa0\x80", "not UTF-8"),
        (b"\xa2\x61b\x00\x61a\x00", "in order"),
        (b"\xa1\x80\x00", "integers or text"),
        (b"\x00\x00", "after the end"),
        (b"", "CBOR ends at"),
    ],
)
def test_what_the_subset_lacks_is_named(data: bytes, reason: str) -> None:
    """Each kind of CBOR outside the subset is refused with its own sentence."""
    with pytest.raises(Malformed, match=reason):
        parse_cbor(data)


@pytest.mark.parametrize("value", [True, None, 1.5, 2**64, -(2**64) - 1, {b"bytes": 1}, {1.5: 1}, object()])
def test_what_the_subset_lacks_cannot_be_written(value: object) -> None:
    """The encoder refuses what the parser would."""
    with pytest.raises(Malformed):
        encode_cbor(value)  # type: ignore[arg-type]  # the point is what the types forbid


def test_half_of_a_surrogate_pair_cannot_be_written() -> None:
    """A string that is not Unicode text is the caller's fault and says so, as in documents."""
    with pytest.raises(Malformed):
        encode_cbor("\ud800")


def test_reencoding_with_a_lenient_library_lets_floats_through() -> None:
    """Control: comparing with cbor2's own re-encoding accepts what the subset refuses."""
    data = cbor2.dumps([1.5, True, cbor2.CBORTag(99, 0)])

    assert data == cbor2.dumps(cbor2.loads(data))
    with pytest.raises(Malformed):
        parse_cbor(data)


def to_oracle(value: Cbor) -> object:
    """The value in cbor2's types, its maps in the order of the deterministic encoding."""
    if isinstance(value, Tagged):
        return cbor2.CBORTag(18, to_oracle(value.value))
    if isinstance(value, list):
        return [to_oracle(one) for one in value]
    if isinstance(value, dict):
        return {key: to_oracle(value[key]) for key in sorted(value, key=cbor2.dumps)}
    return value


def from_oracle(value: object) -> object:
    """A value as cbor2 reads it, in our types; under a tag cbor2 uses tuples and frozen maps."""
    if isinstance(value, cbor2.CBORTag):
        return Tagged(from_oracle(value.value))  # type: ignore[arg-type]  # compared only
    if isinstance(value, list | tuple):
        return [from_oracle(one) for one in value]
    if isinstance(value, Mapping):
        return {key: from_oracle(one) for key, one in value.items()}
    return value
