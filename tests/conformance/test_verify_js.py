"""The parts of the JavaScript verifier: hashes, signatures and parsers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from cellvow.core.primitives.edge_cases import EDGE_CASES, EdgeCase
from tests.conformance.javascript_bundles import Value, encode_cbor, encode_document
from tests.conformance.javascript_process import JavaScript, flip
from tests.conftest import find_node

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.node
VECTORS = Path(__file__).parent / "vectors"

INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.text(st.characters(max_codepoint=127), max_size=6)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | INTEGERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
ENVELOPES = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=300) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-(2**64), 2**64 - 1) | TEXTS, inner, max_size=4)
        | inner.map(lambda value: (18, value))
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def javascript() -> Iterator[JavaScript]:
    """A Node process that has loaded the verifier."""
    node = find_node(os.environ)
    assert node is not None
    with JavaScript(node) as process:
        yield process


# --- Primitives ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_sha2_agrees_with_hashlib_around_every_block_edge(javascript: JavaScript) -> None:
    """Every length across three blocks gives the digest of hashlib, and so does a long message."""
    messages = [bytes(n % 251 for n in range(length)) for length in [*range(300), 70_000]]

    for message in messages:
        assert hashlib.sha256(message).digest() == javascript.call("sha256", message)
        assert hashlib.sha512(message).digest() == javascript.call("sha512", message)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_hmac_agrees_with_the_standard_library(javascript: JavaScript, key: bytes, message: bytes) -> None:
    """Keys shorter and longer than a block give the same code."""
    assert hmac.digest(key, message, "sha256") == javascript.call("hmacSha256", key, message)


@pytest.mark.parametrize("case", EDGE_CASES, ids=lambda case: case.name)
def test_ed25519_decides_the_edge_cases_by_the_rule(javascript: JavaScript, case: EdgeCase) -> None:
    """Where libraries differ, the written rule holds."""
    assert case.is_valid is javascript.call("ed25519Verify", case.public_key, case.message, case.signature)


@pytest.mark.slow
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 511), st.integers(0, 255))
def test_ed25519_accepts_what_libsodium_signs_and_no_neighbour_of_it(
    javascript: JavaScript, seed: bytes, message: bytes, signature_bit: int, key_bit: int
) -> None:
    """A signature holds; with one bit flipped in signature, key or message it does not."""
    key = SigningKey(seed)
    public, signature = bytes(key.verify_key), key.sign(message).signature

    assert javascript.call("ed25519Verify", public, message, signature) is True
    assert javascript.call("ed25519Verify", public, message, flip(signature, signature_bit)) is False
    assert javascript.call("ed25519Verify", flip(public, key_bit), message, signature) is False
    assert javascript.call("ed25519Verify", public, message + b"\0", signature) is False


def test_ed25519_refuses_keys_and_signatures_of_another_length(javascript: JavaScript) -> None:
    """Lengths are part of the form."""
    key = SigningKey(bytes(32))
    public, signature = bytes(key.verify_key), key.sign(b"").signature

    assert javascript.call("ed25519Verify", public + b"\0", b"", signature) is False
    assert javascript.call("ed25519Verify", public, b"", signature + b"\0") is False
    assert javascript.call("ed25519Verify", public, b"", signature[:63]) is False


# --- Parsers ------------------------------------------------------------------------------------------------------


def vector_cases(name: str) -> list[object]:
    """The cases of a vector file, named."""
    cases = json.loads((VECTORS / name).read_text("utf-8"))["cases"]
    return [pytest.param(bytes.fromhex(case["bytes"]), case["is_valid"], id=case["name"]) for case in cases]


@pytest.mark.parametrize(("content", "is_valid"), vector_cases("javascript_documents.json"))
def test_a_document_has_one_spelling(javascript: JavaScript, content: bytes, is_valid: bool) -> None:
    """Each vector is accepted or refused as it says."""
    assert is_valid is javascript.accepts("parseDocument", content)


@pytest.mark.parametrize(("content", "is_valid"), vector_cases("javascript_envelopes.json"))
def test_an_envelope_has_one_spelling(javascript: JavaScript, content: bytes, is_valid: bool) -> None:
    """Each vector is accepted or refused as it says."""
    assert is_valid is javascript.accepts("parseCbor", content)


@pytest.mark.slow
@given(DOCUMENTS)
def test_every_document_is_read_as_it_was_written(javascript: JavaScript, value: object) -> None:
    """Values of the profile survive: written back, they are the same bytes."""
    content = encode_document(value)

    assert content == encode_document(javascript.call("parseDocument", content))


def is_document(content: bytes) -> bool:
    """What section 1 says, by way of the standard library: read, write back, compare."""
    try:
        value = json.loads(content.decode())
        return encode_document(value) == content and has_profile(value)
    except ValueError:
        return False


def has_profile(value: object) -> bool:
    """Whether a value has neither floats nor large integers, and ASCII keys only."""
    if isinstance(value, list):
        return all(map(has_profile, value))
    if isinstance(value, dict):
        return all(key.isascii() for key in value) and all(map(has_profile, value.values()))
    return not isinstance(value, float) and (not isinstance(value, int) or abs(value) < 2**53)


@pytest.mark.slow
@given(DOCUMENTS.map(encode_document), st.data())
def test_a_changed_document_is_judged_as_by_writing_it_back(
    javascript: JavaScript, content: bytes, data: st.DataObject
) -> None:
    """One byte replaced, dropped or added: accepted exactly if the bytes are what the value is written as."""
    at = data.draw(st.integers(0, len(content) - 1))
    piece = data.draw(st.binary(max_size=1) | st.sampled_from([b'"', b",", b"0", b" ", b"\\", b"{", b"]", b"-"]))
    changed = content[:at] + piece + content[at + data.draw(st.integers(0, 1)) :]

    assert is_document(changed) is javascript.accepts("parseDocument", changed)


def from_tagged(value: Value) -> object:
    """A value of parseCbor as the encoder of these tests takes it."""
    match value:
        case {"whole": number}:
            return int(number)
        case {"hex": content}:
            return bytes.fromhex(content)
        case {"map": pairs}:
            return {from_tagged(key): from_tagged(member) for key, member in pairs}
        case {"tag": content}:
            return (18, from_tagged(content))
    return [from_tagged(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
@given(ENVELOPES)
def test_every_envelope_is_read_as_it_was_written(javascript: JavaScript, value: object) -> None:
    """Values of the subset survive."""
    answer = javascript.call("parseCbor", encode_cbor([value]))

    assert [value] == from_tagged(answer)


@pytest.mark.slow
@given(ENVELOPES.map(lambda value: encode_cbor([value])), st.data())
def test_an_accepted_envelope_is_what_its_value_is_written_as(
    javascript: JavaScript, content: bytes, data: st.DataObject
) -> None:
    """Whatever is accepted after a change of one byte is written back to the same bytes."""
    at = data.draw(st.integers(0, len(content) - 1))
    changed = content[:at] + data.draw(st.binary(max_size=2)) + content[at + 1 :]

    if javascript.accepts("parseCbor", changed):
        answer = javascript.call("parseCbor", changed)
        written = encode_cbor(bytes.fromhex(answer.hex()) if isinstance(answer, bytes) else from_tagged(answer))
        assert changed == written


@pytest.mark.parametrize("content", [b"[", b'{"":', b"\x81", b"\xa1\x00", b"\xd2"])
def test_deep_nesting_is_refused_and_not_followed(javascript: JavaScript, content: bytes) -> None:
    """A hundred thousand levels end in a sentence, not in an exhausted stack."""
    assert not javascript.accepts("parseDocument", content * 100_000)
    assert not javascript.accepts("parseCbor", content * 100_000)


@given(st.binary(max_size=40))
def test_base64_is_accepted_in_one_spelling(javascript: JavaScript, content: bytes) -> None:
    """The canonical form is read; without padding, with bits left over or in the other alphabet it is not."""
    text = base64.b64encode(content).decode()

    assert content == javascript.call("parseBase64", text, "It")
    if text.endswith("="):
        digits = text.rstrip("=")
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        neighbour = alphabet[alphabet.index(digits[-1]) + 1]
        assert not javascript.accepts("parseBase64", digits, "It")
        assert not javascript.accepts("parseBase64", digits[:-1] + neighbour + text[len(digits) :], "It")
    for wrong in (text + "\n", " " + text, text + "=", text + "A", text + "-_=="):
        assert not javascript.accepts("parseBase64", wrong, "It")


@given(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(max_size=60),
    st.none() | st.integers() | st.text(),
)
def test_nothing_makes_the_verifier_throw(javascript: JavaScript, bundle: object, trust: object) -> None:
    """Whatever is handed over, the answer is a refusal with a number and a sentence of our own."""
    answer = javascript.call("verifyBundle", bundle, trust)

    assert answer["ok"] is False
    assert answer["check"] in (0, 1)
    assert "verifier failed" not in answer["reason"]


# --- Vectors that every implementation reads ------------------------------------------------------------------------


def read_vectors(name: str) -> dict[str, Value]:
    """A vector file."""
    vectors: dict[str, Value] = json.loads((VECTORS / name).read_text("utf-8"))
    return vectors


@pytest.mark.parametrize(("file", "function"), [("documents.json", "parseDocument"), ("cbor.json", "parseCbor")])
def test_the_shared_vectors_of_byte_forms_are_judged_alike(javascript: JavaScript, file: str, function: str) -> None:
    """What the files call accepted is accepted, and nothing else."""
    vectors = read_vectors(file)
    for verdict in ("accepted", "refused"):
        for case in vectors[verdict]:
            is_accepted = javascript.accepts(function, bytes.fromhex(case["bytes"]))
            assert (verdict == "accepted") is is_accepted, case["name"]


@pytest.mark.slow
def test_the_shared_vectors_of_signatures_are_judged_alike(javascript: JavaScript) -> None:
    """Every case of ed25519.json has its verdict."""
    for case in read_vectors("ed25519.json")["cases"]:
        given = [bytes.fromhex(case[name]) for name in ("public_key", "message", "signature")]
        assert case["valid"] is javascript.call("ed25519Verify", *given), case["name"]


def test_the_shared_vectors_of_trees_lead_to_their_roots(javascript: JavaScript) -> None:
    """Inclusion paths and state proofs give the root; a path cut short or made longer is refused."""
    trees = read_vectors("merkle.json")
    leaves = [hashlib.sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in trees["leaves"]]
    for case in trees["inclusion"]:
        path = [bytes.fromhex(sibling) for sibling in case["path"]]
        place = [leaves[case["leaf"]], {"whole": str(case["leaf"])}, {"whole": str(case["size"])}]

        assert trees["roots"][case["size"]] == javascript.call("rootOfPath", *place, path, "It").hex()
        assert not javascript.accepts("rootOfPath", *place, [*path, bytes(32)], "It")
        assert not path or not javascript.accepts("rootOfPath", *place, path[:-1], "It")
    state = read_vectors("state_map.json")
    for record in state["present"]:
        siblings = [bytes.fromhex(sibling) for sibling in record["siblings"]]
        root = javascript.call("rootOfRecord", record["key"], bytes.fromhex(record["value"]), siblings)
        assert state["root"] == root.hex()


def test_the_shared_vectors_of_statements_are_read_alike(javascript: JavaScript) -> None:
    """Signed bytes, digest and signature of each statement are those of the file; malformed ones are refused."""
    vectors = read_vectors("statements.json")
    for case in vectors["accepted"]:
        wire = from_tagged(javascript.call("parseCbor", bytes.fromhex(case["bytes"])))
        cose = encode_cbor(wire[0] if isinstance(wire, list) else wire)
        read = javascript.call("parseStatement", cose, "It")
        found = {name: read[name]["hex"] for name in ("kid", "signature")} | {"organisation": read["organisation"]}
        found |= {"signed_bytes": read["signedBytes"]["hex"], "statement_digest": read["digest"]["hex"]}
        assert {name: (case | {"kid": vectors["kid"]})[name] for name in found} == found, case["name"]
    singles = [case for case in vectors["refused"] if "batch" not in case["name"]]
    assert singles
    for case in singles:
        assert not javascript.accepts("parseStatement", bytes.fromhex(case["bytes"]), "It"), case["name"]


@pytest.mark.slow
def test_the_shared_vectors_of_checkpoints_are_judged_alike(javascript: JavaScript) -> None:
    """Every note of c2sp_checkpoint.json is accepted or refused as it says, with the same cosigners."""
    vectors = read_vectors("c2sp_checkpoint.json")
    for case in vectors["vectors"]:
        trust = {"genesis": "00" * 32, "log": vectors["log_key"], "quorum": 0, "witnesses": vectors["witness_keys"]}
        given = case["note"].encode(), json.dumps(trust)
        if case["verdict"] == "accepted":
            assert [name for name, _ in case["cosigned_by"]] == javascript.call("judgeNote", *given), case["name"]
        elif javascript.accepts("judgeNote", *given):
            assert len(javascript.call("judgeNote", *given)) < case["quorum"], case["name"]
