"""What Hypothesis draws for the core: documents, CBOR values, leaves, records."""

from __future__ import annotations

from hypothesis import strategies as st

from cellvow.core.primitives.cbor import Cbor, Tagged
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.limits import INTEGER_MAX

integers = st.one_of(
    st.integers(-INTEGER_MAX, INTEGER_MAX),
    st.sampled_from((0, 1, -1, 23, 24, 255, 256, 2**31, 2**32, INTEGER_MAX, -INTEGER_MAX)),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ascii_texts = st.text(st.characters(max_codepoint=127), max_size=8)

documents: st.SearchStrategy[Json] = st.recursive(
    st.one_of(st.none(), st.booleans(), integers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ascii_texts, inner, max_size=4)),
    max_leaves=16,
)
objects: st.SearchStrategy[dict[str, Json]] = st.dictionaries(ascii_texts, documents, max_size=4)

_wide_integers = st.one_of(integers, st.sampled_from((2**64 - 1, -(2**64))), st.integers(-(2**64), 2**64 - 1))
cbor_keys = st.one_of(_wide_integers, texts)
cbor_values: st.SearchStrategy[Cbor] = st.recursive(
    st.one_of(_wide_integers, st.binary(max_size=30), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(cbor_keys, inner, max_size=4), st.builds(Tagged, inner)
    ),
    max_leaves=12,
)

digests = st.binary(min_size=32, max_size=32)


@st.composite
def mutations(draw: st.DrawFn, encoded: st.SearchStrategy[bytes]) -> bytes:
    """Sound bytes with one byte replaced, put in, taken out, or with a stretch doubled."""
    data = draw(encoded)
    place = draw(st.integers(0, len(data)))
    end = draw(st.integers(place, min(len(data), place + 6)))
    byte = draw(st.binary(min_size=1, max_size=1))
    return draw(
        st.sampled_from(
            (
                data[:place] + byte + data[place + 1 :],
                data[:place] + byte + data[place:],
                data[:place] + data[place + 1 :],
                data[:end] + data[place:],
            )
        )
    )
