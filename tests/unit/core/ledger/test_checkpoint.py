"""Checkpoints as signed notes: one spelling, one set of signers, nothing else."""

from __future__ import annotations

import ast
import base64
import inspect
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger import checkpoint as module
from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    NoteSignature,
    SignedNote,
    encode_body,
    encode_note,
    encode_vkey,
    parse_body,
    parse_decimal,
    parse_note,
    parse_signatures,
    parse_vkey,
)
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import CHECKPOINT_BYTES_MAX, CHECKPOINT_SIGNATURES_MAX, INTEGER_MAX
from cellvow.core.primitives.merkle import EMPTY_ROOT
from tests.simulation.witness_world import (
    SOUTH,
    SOUTH_SEED,
    Log,
    cosign,
    witness_key,
)

LOG = Log.of_size(5)
CHECKPOINT = LOG.checkpoint(5)
COSIGNED = LOG.note(5, [cosign(CHECKPOINT), cosign(CHECKPOINT, SOUTH, SOUTH_SEED)])
WITNESSES = [witness_key(), witness_key(SOUTH, SOUTH_SEED)]

NAME_CHARACTERS = "".join(sorted((string.ascii_letters + string.digits + string.punctuation).replace("+", "")))
names = st.text(NAME_CHARACTERS, min_size=1, max_size=20)
roots = st.binary(min_size=32, max_size=32).map(Digest)
checkpoints = st.builds(Checkpoint, names, st.integers(1, INTEGER_MAX), roots)
signatures = st.builds(NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
signature_lists = st.lists(signatures, min_size=1, max_size=6, unique_by=lambda s: (s.name, s.key_id))
keys = st.builds(NoteKey, names, st.sampled_from(KeyAlgorithm), st.binary(min_size=32, max_size=32))


@given(checkpoints)
def test_a_body_is_read_back_as_it_was_written(checkpoint: Checkpoint) -> None:
    """Encoding and parsing are inverse."""
    assert parse_body(encode_body(checkpoint)) == checkpoint


@given(checkpoints, signature_lists)
def test_a_note_is_read_back_as_it_was_written(checkpoint: Checkpoint, lines: list[NoteSignature]) -> None:
    """Encoding and parsing are inverse, signatures keep their order."""
    expected = SignedNote(checkpoint, tuple(lines))

    assert parse_note(encode_note(checkpoint, lines)) == expected


@given(keys)
def test_a_verifier_key_is_read_back_as_it_was_written(key: NoteKey) -> None:
    """Encoding and parsing are inverse for both kinds of key."""
    assert parse_vkey(encode_vkey(key)) == key


PIECES = [*COSIGNED.splitlines(keepends=True), b"\n", b"5", b"\n0\n", "— w AAAAAAAA".encode(), b" ", b"\xff", b"="]


@given(st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join))
def test_whatever_is_read_is_spelled_the_one_way(data: bytes) -> None:
    """No bytes parse that `encode_note` would spell otherwise."""
    try:
        note = parse_note(data)
    except Malformed:
        return
    assert encode_note(note.checkpoint, note.signatures) == data


@given(st.data())
def test_an_edited_note_is_refused_or_spelled_the_one_way(data: st.DataObject) -> None:
    """A cut, an insertion or a replacement in a good note never makes a second spelling."""
    start = data.draw(st.integers(0, len(COSIGNED)))
    end = data.draw(st.integers(start, min(len(COSIGNED), start + 8)))
    piece = data.draw(st.one_of(st.binary(max_size=6), st.sampled_from([b"\n", b"\n\n", b" ", b"+", b"=", b"0"])))
    edited = COSIGNED[:start] + piece + COSIGNED[end:]
    try:
        note = parse_note(edited)
    except Malformed:
        return
    assert encode_note(note.checkpoint, note.signatures) == edited


GOOD = COSIGNED.decode()
BODY_LINES = GOOD.split("\n")
ROOT_LINE = BODY_LINES[2]
LOG_LINE = BODY_LINES[4]


def test_the_note_that_the_refusals_start_from_is_good() -> None:
    """Control: the text that each refused spelling differs from is read."""
    assert parse_note(GOOD.encode()).checkpoint == CHECKPOINT


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        pytest.param("\n5\n", "\n05\n", id="size with a leading zero"),
        pytest.param("\n5\n", "\n+5\n", id="size with a sign"),
        pytest.param("\n5\n", "\n5 \n", id="size with a space"),
        pytest.param("\n5\n", "\n\u0665\n", id="size in Arabic digits"),
        pytest.param("\n5\n", "\n\n", id="no size"),
        pytest.param("\n5\n", "\n1_0\n", id="size with an underscore"),
        pytest.param("\n5\n", f"\n{INTEGER_MAX + 1}\n", id="size of 2^53"),
        pytest.param("\n5\n", "\n" + "9" * 5_000 + "\n", id="size of 5,000 digits"),
        pytest.param(ROOT_LINE, ROOT_LINE.rstrip("="), id="root without padding"),
        pytest.param(ROOT_LINE, ROOT_LINE + "=", id="root with too much padding"),
        pytest.param(ROOT_LINE, ROOT_LINE[:20] + " " + ROOT_LINE[20:], id="root with a space"),
        pytest.param(ROOT_LINE, base64.b64encode(bytes(31)).decode(), id="root of 31 bytes"),
        pytest.param(ROOT_LINE, base64.b64encode(bytes(33)).decode(), id="root of 33 bytes"),
        pytest.param(ROOT_LINE, "é" * 44, id="root that is not ASCII"),
        pytest.param(ROOT_LINE + "\n", ROOT_LINE + "\nextension\n", id="extension line"),
        pytest.param("\n\n", "\n\n\n", id="two blank lines"),
        pytest.param("\n\n", "\n", id="no blank line"),
        pytest.param("log.example/demo\n5", "\n5", id="no origin"),
        pytest.param("log.example/demo\n5", "log example\n5", id="origin with a space"),
        pytest.param("log.example/demo\n5", "log+example\n5", id="origin with a plus"),
        pytest.param("log.example/demo\n5", "log.exämple\n5", id="origin that is not ASCII"),
        pytest.param("log.example/demo\n5", "log.example/demo\r\n5", id="carriage return"),
        pytest.param("log.example/demo\n5", "log.example\x00\n5", id="NUL in the origin"),
        pytest.param("— log", "- log", id="hyphen for dash"),
        pytest.param("— log", "—log", id="no space after the dash"),
        pytest.param("— log", "—  log", id="two spaces after the dash"),
        pytest.param(LOG_LINE, "— log.example/demo", id="no signature after the name"),
        pytest.param(LOG_LINE, "— log.example/demo AAAAAA==", id="key id without signature"),
        pytest.param(LOG_LINE, "— log.example/demo AAA=", id="half a key id"),
        pytest.param(LOG_LINE, LOG_LINE + " ", id="space after the signature"),
        pytest.param(LOG_LINE, LOG_LINE + "\n", id="blank line between signatures"),
        pytest.param(LOG_LINE, LOG_LINE + "\n" + LOG_LINE, id="one signer twice"),
    ],
)
def test_any_other_spelling_is_refused(good: str, bad: str) -> None:
    """Each spelling that other readers may forgive is refused by name."""
    edited = GOOD.replace(good, bad, 1).encode()
    assert edited != COSIGNED

    with pytest.raises(Malformed):
        parse_note(edited)


def test_base64_whose_unused_bits_are_set_is_refused() -> None:
    """The two bits that 32 bytes leave over are zero, else 4 spellings would be one root."""
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    last = alphabet.index(ROOT_LINE[-2])
    others = [ROOT_LINE[:-2] + alphabet[last + bits] + "=" for bits in (1, 2, 3)]

    for other in others:
        assert base64.b64decode(other) == CHECKPOINT.root
        with pytest.raises(Malformed, match="canonical base64"):
            parse_note(GOOD.replace(ROOT_LINE, other).encode())


@pytest.mark.parametrize("cut", [1, 2, 10])
def test_a_note_cut_short_is_refused(cut: int) -> None:
    """The last newline and all before it are needed."""
    with pytest.raises(Malformed):
        parse_note(COSIGNED[:-cut])


def test_a_checkpoint_of_no_leaves_has_the_empty_root_only() -> None:
    """Size 0 with another root is refused, with the empty tree's root it is a checkpoint."""
    empty = Checkpoint("log.example/demo", 0, EMPTY_ROOT)
    assert parse_body(encode_body(empty)) == empty

    with pytest.raises(Malformed, match="size 0"):
        encode_body(Checkpoint("log.example/demo", 0, CHECKPOINT.root))


@pytest.mark.parametrize("size", [0, 1, INTEGER_MAX])
def test_a_decimal_is_read_up_to_its_bound(size: int) -> None:
    """2^53 - 1 is the last number accepted."""
    assert parse_decimal(str(size)) == size


def lines_of_length(count: int, payload: int) -> list[NoteSignature]:
    """Distinct signature lines."""
    return [NoteSignature("w", index.to_bytes(4, "big"), bytes(payload)) for index in range(count)]


def test_signature_lines_are_bounded() -> None:
    """The bound is accepted; one line more is refused, on writing and on reading."""
    full = encode_note(CHECKPOINT, lines_of_length(CHECKPOINT_SIGNATURES_MAX, 8))
    assert len(parse_note(full).signatures) == CHECKPOINT_SIGNATURES_MAX

    with pytest.raises(Malformed, match="signature lines"):
        encode_note(CHECKPOINT, lines_of_length(CHECKPOINT_SIGNATURES_MAX + 1, 8))
    with pytest.raises(Malformed, match="signature lines"):
        parse_note(full + "— w AAAA////AAAA\n".encode())


def test_the_bytes_of_a_note_are_bounded() -> None:
    """A note of the bound is read; one byte more is refused before it is looked at."""
    rest = encode_note(CHECKPOINT, lines_of_length(1, 1))
    spare = CHECKPOINT_BYTES_MAX - len(rest)
    name = "w" + "w" * (spare % 4)
    payload = 1 + spare // 4 * 3
    full = encode_note(CHECKPOINT, [NoteSignature(name, bytes(4), bytes(payload))])
    assert len(full) == CHECKPOINT_BYTES_MAX
    assert encode_note(CHECKPOINT, parse_note(full).signatures) == full

    longer = NoteSignature(name + "w", bytes(4), bytes(payload))
    with pytest.raises(Malformed, match="at most"):
        encode_note(CHECKPOINT, [longer])
    with pytest.raises(Malformed, match="at most"):
        parse_note(full + b"\n")


def test_names_are_bounded() -> None:
    """255 characters are a name, 256 and none are not."""
    assert parse_body(encode_body(Checkpoint("n" * 255, 5, CHECKPOINT.root))).origin == "n" * 255

    for name in ("n" * 256, ""):
        with pytest.raises(Malformed, match="a name is"):
            encode_body(Checkpoint(name, 5, CHECKPOINT.root))


def test_a_note_without_signatures_is_refused() -> None:
    """A checkpoint nobody signed is no note."""
    with pytest.raises(Malformed):
        encode_note(CHECKPOINT, [])
    with pytest.raises(Malformed):
        parse_note(encode_body(CHECKPOINT) + b"\n")


@pytest.mark.parametrize("data", [b"", b"no line end", b"\xff\n", b"\n"])
def test_a_reply_that_is_no_signature_line_is_refused(data: bytes) -> None:
    """A witness's reply is read as strictly as a note."""
    with pytest.raises(Malformed):
        parse_signatures(data)


@given(st.integers(0, 8 * 32 - 1))
def test_a_key_whose_id_is_not_its_own_is_refused(bit: int) -> None:
    """A flipped bit of the public key shows in the key id."""
    text = encode_vkey(LOG.key)
    key = int.from_bytes(LOG.key.public_key, "big") ^ (1 << bit)
    forged = NoteKey(LOG.key.name, KeyAlgorithm.LOG, key.to_bytes(32, "big"))
    mixed = text[: text.rindex("+", 0, text.index("+") + 10) + 1] + encode_vkey(forged).split("+", 2)[2]

    with pytest.raises(Malformed, match="key id"):
        parse_vkey(mixed)


@pytest.mark.parametrize(
    "text",
    ["", "log", "log+00000000", "log+00000000+", "log+00000000+AQ==", "+00000000+AQ==", "log+x+not base64!"],
)
def test_text_that_is_no_key_is_refused(text: str) -> None:
    """Every broken spelling of a verifier key is malformed."""
    with pytest.raises(Malformed):
        parse_vkey(text)


def test_a_key_of_an_unknown_algorithm_is_refused() -> None:
    """Only the two Ed25519 kinds are keys here; ML-DSA (6) and ECDSA (2) are not."""
    for algorithm in (0x00, 0x02, 0x05, 0x06, 0xFF):
        content = base64.b64encode(bytes([algorithm]) + LOG.key.public_key).decode()
        with pytest.raises(Malformed, match="neither"):
            parse_vkey(f"log+00000000+{content}")


def test_a_public_key_has_32_bytes() -> None:
    """A key one byte short or long has no text form."""
    for length in (31, 33):
        with pytest.raises(Malformed, match="32 bytes"):
            encode_vkey(NoteKey("log", KeyAlgorithm.LOG, bytes(length)))


def test_checkpoints_need_the_standard_library_alone() -> None:
    """The offline verifier ships this module without any package."""
    tree = ast.parse(inspect.getsource(module))
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported += [name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names]
    allowed = {"binascii", "collections.abc", "dataclasses", "enum"} | {
        f"cellvow.core.primitives.{name}" for name in ("digest", "errors", "limits", "merkle")
    }

    assert set(imported) <= allowed
