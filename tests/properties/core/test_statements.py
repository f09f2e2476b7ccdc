"""Statements survive encoding and parsing, and no changed byte is ever taken for what was signed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import (
    MODES,
    batch_leaf,
    derive_salt,
    encode_batch,
    encode_envelope,
    parse_envelope,
    parse_statement,
)
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import INTEGER_MAX
from cellvow.core.primitives.merkle import fetch_from, inclusion_path, verify_inclusion
from cellvow.core.primitives.signature import is_valid
from tests import messages
from tests.properties.core.strategies import mutations, objects
from tests.world import MAKER, World, make_signer

SIGNER = make_signer(MAKER, "operational")
SINGLE = SIGNER.sign(messages.battery(), sequence=7, not_after_ms=1_800_000_000_000)
BATCH = SIGNER.sign_batch([messages.model(), messages.battery()], sequence=8, mode="each")

times = st.one_of(st.none(), st.integers(0, INTEGER_MAX))
sequences = st.integers(1, INTEGER_MAX)


@pytest.mark.slow
@given(objects, sequences, times)
def test_a_single_statement_survives(message: dict[str, Json], sequence: int, not_after_ms: int | None) -> None:
    """Any message comes back as its canonical bytes, with number, time limit, signer and a valid signature."""
    statement = SIGNER.sign(message, sequence=sequence, not_after_ms=not_after_ms)
    envelope = statement.envelope

    assert statement == parse_statement(statement.data)
    assert statement.messages == (encode_document(message),)
    assert (envelope.sequence, envelope.not_after_ms) == (sequence, not_after_ms)
    assert (envelope.organisation, envelope.kid) == (MAKER, SIGNER.kid)
    assert statement.data == envelope.cose
    assert not statement.is_batch
    assert is_valid(SIGNER.public_key, envelope.signed_bytes, envelope.signature)


@pytest.mark.slow
@given(st.lists(objects, min_size=1, max_size=6), st.sampled_from(MODES), sequences)
def test_a_batch_survives(documents: list[dict[str, Json]], mode: str, sequence: int) -> None:
    """Every message comes back in order, and each is proven under the signed root by its own path."""
    carried = [encode_document(document) for document in documents]
    statement = SIGNER.sign_batch(carried, mode=mode, sequence=sequence)
    root = statement.envelope.members["root"]

    assert statement == parse_statement(statement.data)
    assert (statement.messages, statement.mode) == (tuple(carried), mode)
    assert statement.envelope == parse_envelope(statement.envelope.cose)
    leaves = [batch_leaf(statement.salt(i) or b"", message) for i, message in enumerate(carried)]
    for index, leaf in enumerate(leaves):
        path = inclusion_path(fetch_from(leaves), index, len(leaves))
        assert verify_inclusion(leaf, index, len(leaves), path).hex() == root


@given(st.sampled_from((SINGLE, BATCH)).flatmap(lambda one: mutations(st.just(one.data))))
def test_a_mutated_statement_is_malformed_or_unsigned(data: bytes) -> None:
    """Changed bytes do not parse, or the signature does not hold; unless nothing was changed."""
    try:
        statement = parse_statement(data)
    except Malformed:
        return
    envelope = statement.envelope
    holds = is_valid(SIGNER.public_key, envelope.signed_bytes, envelope.signature)

    assert data in (SINGLE.data, BATCH.data) or envelope.kid != SIGNER.kid or not holds


@pytest.mark.slow
@pytest.mark.parametrize("name", ["single", "batch"])
def test_every_flipped_bit_of_a_statement_is_refused(name: str) -> None:
    """A node takes the statement as signed, and no version of it with one bit changed."""
    world = World()
    signer = world[MAKER].key
    data = signer.sign(messages.model()).data if name == "single" else signer.sign_batch([messages.model()]).data
    assert world.refusal(data) is None
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit >> 3] ^= 1 << (bit & 7)

        assert world.refusal(bytes(flipped)) is not None, f"bit {bit}"


def test_the_salts_of_a_batch_blind_its_messages() -> None:
    """Two seeds give unrelated leaves for the same message; one seed gives another salt at each place."""
    seeds = (bytes(32), b"\x01" * 32)
    leaves = [batch_leaf(derive_salt(seed, index), b"{}") for seed in seeds for index in range(4)]

    assert len(leaves) == len(dict.fromkeys(leaves))


def test_another_signature_of_the_same_content_has_the_same_txid() -> None:
    """The txid covers what was signed, the statement digest the bytes: resending is recognised either way."""
    envelope = SINGLE.envelope
    other = parse_envelope(encode_envelope(envelope.protected, envelope.payload, bytes(64)))

    assert other.txid == envelope.txid == sha256(envelope.signed_bytes)
    assert other.digest != envelope.digest == sha256(SINGLE.data)


def test_another_seed_under_the_same_signature_is_malformed() -> None:
    """The seed is not signed itself: the signed root holds it in place."""
    with pytest.raises(Malformed, match="not the root of the messages"):
        parse_statement(encode_batch(BATCH.envelope.cose, bytes(32), BATCH.messages))


def test_a_checker_that_ignores_the_signature_lets_flipped_bits_through() -> None:
    """Control: by form alone some changed statements parse; only the signature tells them apart."""
    world = World()
    data = bytearray(world[MAKER].key.sign(messages.model()).data)
    data[-1] ^= 1
    refusal = world.refusal(bytes(data))

    assert parse_statement(bytes(data)).messages
    assert refusal is not None
    assert refusal.reason is Reason.BAD_SIGNATURE
