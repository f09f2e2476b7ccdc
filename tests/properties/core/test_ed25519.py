"""Two implementations of one signature rule: plain Python and libsodium agree on every input drawn."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellvow.core.primitives import ed25519, signature
from cellvow.core.primitives.ed25519 import _L, _P, _add, _base_multiples, _decode, _encode, _multiply, _Point

seeds = st.binary(min_size=32, max_size=32)
messages = st.binary(max_size=64)
torsions = st.integers(0, 7)

ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"


def torsion_point(multiple: int) -> _Point:
    """A point of small order: a multiple of one of order 8."""
    generator = _decode(bytes.fromhex(ORDER_8))
    assert generator is not None
    return _multiply(multiple, generator)


def agree(public_key: bytes, message: bytes, signed: bytes) -> bool:
    """The verdict of both implementations, which must be one."""
    verdict = signature.is_valid(public_key, message, signed)

    assert ed25519.is_valid(public_key, message, signed) is verdict
    return verdict


@pytest.mark.slow
@settings(max_examples=30)
@given(seeds, messages)
def test_both_accept_what_the_key_signed(seed: bytes, message: bytes) -> None:
    """A fresh signature holds, under a key that may be registered."""
    public_key = signature.derive_public_key(seed)

    assert agree(public_key, message, signature.sign(seed, message))
    assert ed25519.is_valid_public_key(public_key)
    assert signature.is_valid_public_key(public_key)


@pytest.mark.slow
@settings(max_examples=40)
@given(seeds, messages, st.integers(0, 96 * 8 - 1))
@example(bytes(32), b"", 255)
@example(bytes(32), b"", 256 + 255)
@example(bytes(32), b"", 767)
def test_both_refuse_a_flipped_bit(seed: bytes, message: bytes, bit: int) -> None:
    """One bit changed anywhere in key or signature, and neither accepts."""
    joined = signature.derive_public_key(seed) + signature.sign(seed, message)
    flipped = (int.from_bytes(joined, "little") ^ 1 << bit).to_bytes(96, "little")

    assert not agree(flipped[:32], message, flipped[32:])


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(1, _L - 1), st.integers(1, _L - 1), messages, torsions, torsions)
@example(0, 1, b"", 1, 0)
@example(1, 0, b"", 0, 1)
@example(0, 0, b"", 0, 0)
@example(1, 1, b"", 0, 4)
def test_both_decide_torsion_alike(
    secret: int, nonce: int, message: bytes, key_torsion: int, nonce_torsion: int
) -> None:
    """Keys and nonces mixed with points of small order: the cofactorless equation decides, for both."""
    base = _base_multiples()[1]
    a = _add(_multiply(secret, base), torsion_point(key_torsion))
    r = _add(_multiply(nonce, base), torsion_point(nonce_torsion))
    public_key, encoded_r = _encode(a), _encode(r)
    h = int.from_bytes(hashlib.sha512(encoded_r + public_key + message).digest(), "little") % _L
    signed = encoded_r + ((nonce + h * secret) % _L).to_bytes(32, "little")
    cancels = (nonce_torsion + h * key_torsion) % 8 == 0
    large = secret != 0 and nonce != 0

    assert agree(public_key, message, signed) is (cancels and large)
    assert ed25519.is_valid_public_key(public_key) is (key_torsion == 0 and secret != 0)
    assert signature.is_valid_public_key(public_key) is (key_torsion == 0 and secret != 0)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.binary(min_size=32, max_size=32))
@example(bytes(32))
@example(b"\x01" + bytes(31))
@example((_P).to_bytes(32, "little"))
@example((_P + 1).to_bytes(32, "little"))
@example((_P - 1).to_bytes(32, "little"))
@example((2**255 + 1).to_bytes(32, "little"))
@example(b"\xff" * 32)
def test_both_admit_the_same_keys(public_key: bytes) -> None:
    """Any 32 bytes are a registrable key for both, or for neither."""
    assert ed25519.is_valid_public_key(public_key) is signature.is_valid_public_key(public_key)


@settings(max_examples=20)
@given(seeds, messages)
def test_both_refuse_an_unreduced_s(seed: bytes, message: bytes) -> None:
    """S + L names the same scalar and is refused: a signature has one form."""
    public_key, signed = signature.derive_public_key(seed), signature.sign(seed, message)
    s = int.from_bytes(signed[32:], "little") + _L

    assert not agree(public_key, message, signed[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(("key_length", "length"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_other_lengths_hold_nothing(key_length: int, length: int) -> None:
    """A key has 32 bytes and a signature 64; anything else is false, not an error."""
    assert not agree(bytes(key_length), b"", bytes(length))
    assert not ed25519.is_valid_public_key(bytes(key_length + 1))
    assert not signature.is_valid_public_key(bytes(key_length + 1))


def test_a_cofactored_verifier_accepts_what_we_refuse() -> None:
    """Control: multiplying the equation by 8 lets a nonce with a torsion part through."""
    base, secret, nonce = _base_multiples()[1], 5, 7
    public_key = _encode(_multiply(secret, base))
    encoded_r = _encode(_add(_multiply(nonce, base), torsion_point(1)))
    h = int.from_bytes(hashlib.sha512(encoded_r + public_key).digest(), "little") % _L
    s = (nonce + h * secret) % _L
    r, a = _decode(encoded_r), _decode(public_key)
    assert r is not None
    assert a is not None

    assert _encode(_multiply(8 * s, base)) == _encode(_add(_multiply(8, r), _multiply(8 * h, a)))
    assert not agree(public_key, b"", encoded_r + s.to_bytes(32, "little"))
