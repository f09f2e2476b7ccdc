"""A checkpoint counts if its log signed it, enough witnesses did, and nobody else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.checkpoint import (
    TIME_S_MAX,
    NoteSignature,
    VerifiedCheckpoint,
    cosign_checkpoint,
    encode_note,
    parse_note,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    verify_log_signature,
)
from cellvow.core.primitives import ed25519
from cellvow.core.primitives.errors import CellvowError, InvariantBroken, Malformed, VerificationError
from cellvow.core.primitives.signature import is_valid
from tests.simulation.witness_world import (
    LOG_SEED,
    NORTH,
    NORTH_SEED,
    NOW_S,
    SOUTH,
    SOUTH_SEED,
    Log,
    cosign,
    log_key,
    signer_of,
    witness_key,
)

LOG = Log.of_size(5)
CHECKPOINT = LOG.checkpoint(5)
COSIGNED = LOG.note(5, [cosign(CHECKPOINT), cosign(CHECKPOINT, SOUTH, SOUTH_SEED)])
WITNESSES = [witness_key(), witness_key(SOUTH, SOUTH_SEED)]


def verify(note: bytes, quorum: int = 2) -> VerifiedCheckpoint:
    """Verify against the log and both witnesses."""
    return verify_checkpoint(note, LOG.key, WITNESSES, quorum, is_valid)


@given(st.data())
def test_an_edited_note_does_not_verify(data: st.DataObject) -> None:
    """No other bytes than the signed ones pass, however they differ."""
    start = data.draw(st.integers(0, len(COSIGNED)))
    end = data.draw(st.integers(start, len(COSIGNED)))
    edited = COSIGNED[:start] + data.draw(st.binary(max_size=6)) + COSIGNED[end:]
    if edited == COSIGNED:
        return

    with pytest.raises((Malformed, VerificationError)):
        verify(edited)


def flipped_bits(note: bytes) -> list[bytes]:
    """The note with each of its bits flipped in turn."""
    number = int.from_bytes(note, "big")
    return [(number ^ (1 << bit)).to_bytes(len(note), "big") for bit in range(8 * len(note))]


@pytest.mark.slow
def test_every_flipped_bit_of_a_note_is_refused() -> None:
    """Not one bit of a cosigned checkpoint can change unnoticed."""
    survivors = []
    for flipped in flipped_bits(COSIGNED):
        try:
            survivors.append(verify(flipped))
        except (Malformed, VerificationError):
            continue

    assert survivors == []


@pytest.mark.slow
def test_a_verifier_that_is_content_with_a_quorum_misses_flipped_bits() -> None:
    """Control: a verifier that ignores what it does not know or what fails lets flipped bits through."""

    def is_accepted_by_lax_verifier(data: bytes) -> bool:
        note = parse_note(data)
        held = 0
        for signature in note.signatures:
            for key in WITNESSES:
                try:
                    verify_cosignature(note.checkpoint, signature, key, is_valid)
                    held += 1
                except VerificationError:
                    continue
        return held >= 1

    survivors = 0
    for flipped in flipped_bits(COSIGNED):
        try:
            survivors += is_accepted_by_lax_verifier(flipped)
        except Malformed:
            continue

    assert survivors > 0


@pytest.mark.parametrize("quorum", [0, 1, 2])
def test_a_quorum_that_is_met_verifies(quorum: int) -> None:
    """Quorum 0 to all witnesses: who cosigned and when is told."""
    assert verify(COSIGNED, quorum).cosigned_by == ((NORTH, NOW_S), (SOUTH, NOW_S))


def test_a_quorum_that_is_missed_by_one_is_refused() -> None:
    """One cosignature is not two."""
    note = LOG.note(5, [cosign(CHECKPOINT)])
    assert verify(note, 1).cosigned_by == ((NORTH, NOW_S),)

    with pytest.raises(VerificationError, match="1 witnesses cosigned: 2 are required"):
        verify(note, 2)


def test_a_missing_log_signature_is_refused() -> None:
    """Witnesses alone do not make a checkpoint."""
    note = encode_note(CHECKPOINT, [cosign(CHECKPOINT), cosign(CHECKPOINT, SOUTH, SOUTH_SEED)])

    with pytest.raises(VerificationError, match="missing"):
        verify(note)


def test_an_unknown_signature_is_refused_though_the_quorum_is_met() -> None:
    """A line by a stranger could carry anything, so it is not passed over."""
    stranger = cosign(CHECKPOINT, "witness.example/stranger", b"\x09" * 32)
    note = LOG.note(5, [cosign(CHECKPOINT), cosign(CHECKPOINT, SOUTH, SOUTH_SEED), stranger])

    with pytest.raises(VerificationError, match=r"unknown key: witness\.example/stranger"):
        verify(note)


def test_a_failing_signature_is_refused_though_the_quorum_is_met() -> None:
    """A known witness whose line fails spoils the note."""
    wrong = cosign_checkpoint(LOG.checkpoint(4), WITNESSES[1], NOW_S, signer_of(SOUTH_SEED))
    note = LOG.note(5, [cosign(CHECKPOINT), wrong])

    with pytest.raises(VerificationError, match=f"{SOUTH} fails"):
        verify(note, 1)


def test_a_log_that_signs_with_a_wrong_key_is_refused() -> None:
    """The name and key id of the log do not help a forger."""
    forged = sign_checkpoint(CHECKPOINT, LOG.key, signer_of(b"\x08" * 32))

    with pytest.raises(VerificationError, match="signature of the log"):
        verify(encode_note(CHECKPOINT, [forged]), 0)


def test_a_checkpoint_of_another_log_is_refused() -> None:
    """Each log's checkpoints count for that log alone."""
    other = Log(LOG.leaves, origin="log.example/other")

    with pytest.raises(VerificationError, match=r"not of log\.example/demo"):
        verify(other.note(5), 0)


def test_a_cosignature_dated_differently_is_refused() -> None:
    """The time is signed too."""
    honest = cosign(CHECKPOINT)
    dated = NoteSignature(NORTH, honest.key_id, (NOW_S + 1).to_bytes(8, "big") + honest.payload[8:])

    with pytest.raises(VerificationError, match="fails"):
        verify(LOG.note(5, [dated]), 1)


@pytest.mark.parametrize("length", [0, 71, 73])
def test_a_cosignature_of_another_length_is_refused(length: int) -> None:
    """8 bytes of time and 64 of signature, nothing more or less."""
    honest = cosign(CHECKPOINT)
    payload = (honest.payload + b"\0")[: max(1, length)]

    with pytest.raises(VerificationError, match="not a time and an Ed25519 signature"):
        verify(LOG.note(5, [NoteSignature(NORTH, honest.key_id, payload)]), 1)


def test_a_cosignature_from_beyond_the_last_second_is_refused() -> None:
    """2^63 - 1 is the last time there is (tlog-cosignature)."""
    last = cosign_checkpoint(CHECKPOINT, WITNESSES[0], TIME_S_MAX, signer_of(NORTH_SEED))
    assert verify(LOG.note(5, [last]), 1).cosigned_by == ((NORTH, TIME_S_MAX),)
    payload = (TIME_S_MAX + 1).to_bytes(8, "big") + last.payload[8:]

    with pytest.raises(VerificationError, match="not a time"):
        verify(LOG.note(5, [NoteSignature(NORTH, WITNESSES[0].key_id, payload)]), 1)


def test_one_key_under_two_names_does_not_count_twice() -> None:
    """Cosignatures do not commit to a name, so trust with a shared public key is refused."""
    twin = witness_key("witness.example/twin", NORTH_SEED)
    copied = NoteSignature(twin.name, twin.key_id, cosign(CHECKPOINT).payload)
    note = LOG.note(5, [cosign(CHECKPOINT), copied])

    with pytest.raises(Malformed, match="share a public key"):
        verify_checkpoint(note, LOG.key, [WITNESSES[0], twin], 2, is_valid)


def test_a_log_is_not_its_own_witness() -> None:
    """The log's key as a witness key is refused."""
    itself = witness_key(LOG.origin, LOG_SEED)

    with pytest.raises(Malformed, match="share a public key"):
        verify_checkpoint(COSIGNED, LOG.key, [itself], 1, is_valid)


def test_trust_with_keys_of_the_wrong_kind_is_refused() -> None:
    """A witness key is no log key, and the other way round."""
    with pytest.raises(Malformed, match="not a log's key"):
        verify_checkpoint(COSIGNED, witness_key(), [], 0, is_valid)
    with pytest.raises(Malformed, match="cosignature key"):
        verify_checkpoint(COSIGNED, LOG.key, [log_key(NORTH, NORTH_SEED)], 1, is_valid)


@pytest.mark.parametrize("quorum", [-1, 3])
def test_a_quorum_out_of_reach_is_refused(quorum: int) -> None:
    """No note could meet it, so it is a mistake of the trust."""
    with pytest.raises(Malformed, match="quorum"):
        verify(COSIGNED, quorum)


def test_signatures_are_verified_only_with_the_key_that_made_them() -> None:
    """The single checks refuse a line of another signer and a key of another kind."""
    line = cosign(CHECKPOINT)

    with pytest.raises(VerificationError, match="not by the key"):
        verify_cosignature(CHECKPOINT, line, WITNESSES[1], is_valid)
    with pytest.raises(VerificationError, match="another kind"):
        verify_log_signature(CHECKPOINT, line, WITNESSES[0], is_valid)


def test_signing_for_another_log_is_our_bug() -> None:
    """A caller that signs with the wrong key is stopped."""
    with pytest.raises(InvariantBroken):
        sign_checkpoint(CHECKPOINT, log_key("log.example/other"), signer_of(LOG_SEED))
    with pytest.raises(InvariantBroken):
        cosign_checkpoint(CHECKPOINT, LOG.key, NOW_S, signer_of(LOG_SEED))
    with pytest.raises(InvariantBroken):
        cosign_checkpoint(CHECKPOINT, WITNESSES[0], -1, signer_of(NORTH_SEED))


def test_both_signature_libraries_give_one_verdict() -> None:
    """The plain-Python check of the offline verifier agrees with libsodium."""
    wrong = encode_note(CHECKPOINT, [sign_checkpoint(CHECKPOINT, LOG.key, signer_of(b"\x08" * 32))])

    assert verify_checkpoint(COSIGNED, LOG.key, WITNESSES, 2, ed25519.is_valid) == verify(COSIGNED)
    with pytest.raises(VerificationError):
        verify_checkpoint(wrong, LOG.key, WITNESSES, 0, ed25519.is_valid)


def test_every_refusal_is_one_of_ours() -> None:
    """Nothing but our own errors leaves the parser for bytes of any length."""
    for length in range(0, len(COSIGNED), 7):
        with pytest.raises(CellvowError):
            verify(COSIGNED[:length])
