"""Every bound of the core, tried at the bound and one past it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cellvow.core.contracts.attestation import Predicate, Result
from cellvow.core.contracts.contract import Message
from cellvow.core.ledger.genesis import encode_genesis, parse_genesis
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives import limits
from cellvow.core.primitives.cbor import Cbor, Tagged, encode_cbor, parse_cbor
from cellvow.core.primitives.encoding import Json, encode_document, parse_document
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import (
    BATCH_BYTES_MAX,
    BATCH_MESSAGES_MAX,
    DEPTH_MAX,
    INTEGER_MAX,
    MESSAGE_BYTES_MAX,
    ORGANISATIONS_MAX,
    PREDICATES_MAX,
    RESULTS_MAX,
    SCOPE_MAX,
    STATEMENT_BYTES_MAX,
)
from tests import messages
from tests.world import LABORATORY, MAKER, World, make_genesis, make_signer

TESTED_WITH_THEIR_FORMATS = (
    "BUNDLE_BYTES_MAX",
    "CHECKPOINT_BYTES_MAX",
    "CHECKPOINT_SIGNATURES_MAX",
    "DISCLOSURES_MAX",
    "TRUST_BYTES_MAX",
    "VALIDATOR_CHANGES_MAX",
)
TESTS = Path(__file__).resolve().parents[3]


def test_every_bound_of_the_core_is_tried_by_name() -> None:
    """A bound that no test of the core names is a bound nobody has seen work."""
    folders = [TESTS / kind / "core" for kind in ("unit", "properties")]
    sources = "\n".join(file.read_text("utf-8") for folder in folders for file in folder.rglob("test_*.py"))
    bounds = [name for name in vars(limits) if name.isupper() and name not in TESTED_WITH_THEIR_FORMATS]

    assert [name for name in bounds if name not in sources] == []
    assert len(bounds) >= 15


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_of_documents(sign: int) -> None:
    """2^53 - 1 is kept exactly by every reader; one more is refused, written or read."""
    assert parse_document(encode_document(sign * INTEGER_MAX)) == sign * INTEGER_MAX
    with pytest.raises(Malformed, match="out of range"):
        encode_document(sign * (INTEGER_MAX + 1))
    with pytest.raises(Malformed, match="out of range"):
        parse_document(str(sign * (INTEGER_MAX + 1)).encode())


def lists(levels: int) -> bytes:
    """Empty list in lists, `levels` deep."""
    return b"[" * levels + b"]" * levels


def test_depth_of_documents() -> None:
    """16 levels of arrays are read and written, 17 are refused either way."""
    deepest = parse_document(lists(DEPTH_MAX))

    assert encode_document(deepest) == lists(DEPTH_MAX)
    with pytest.raises(Malformed, match="deeper than 16"):
        parse_document(lists(DEPTH_MAX + 1))
    with pytest.raises(Malformed, match="deeper than 16"):
        encode_document([deepest])


@pytest.mark.parametrize("open_level", [b"\x81", b"\xa1\x00", b"\xd2"], ids=["array", "map", "tag"])
def test_depth_of_envelopes(open_level: bytes) -> None:
    """The outermost value is level 1; level 16 is read and written, level 17 refused either way."""
    deepest = open_level * (DEPTH_MAX - 1) + b"\x00"
    value: Cbor = parse_cbor(deepest)

    assert encode_cbor(value) == deepest
    with pytest.raises(Malformed, match="deeper than 16"):
        parse_cbor(open_level * DEPTH_MAX + b"\x00")
    with pytest.raises(Malformed, match="deeper than 16"):
        encode_cbor(Tagged(value))


def text_document(length: int) -> bytes:
    """A document of exactly that many bytes."""
    return b'"' + b"a" * (length - 2) + b'"'


def test_bytes_of_a_document() -> None:
    """64,000 bytes, unless a caller sets another bound."""
    assert parse_document(text_document(MESSAGE_BYTES_MAX))
    assert parse_document(text_document(10), bytes_max=10)
    with pytest.raises(Malformed, match="document of 64001 bytes: at most 64000"):
        parse_document(text_document(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(Malformed, match="at most 10"):
        parse_document(text_document(11), bytes_max=10)


def padded(length: int) -> dict[str, Json]:
    """A message whose canonical form has exactly that many bytes."""
    return {"a": "b" * (length - len('{"a":""}'))}


def test_bytes_of_a_single_statement() -> None:
    """The payload has at most 64,000 bytes, its frame included."""
    signer = make_signer(MAKER, "operational")
    frame = len(signer.sign({}, sequence=1).envelope.payload) - len("{}")
    largest = signer.sign(padded(MESSAGE_BYTES_MAX - frame), sequence=1)

    assert len(largest.envelope.payload) == MESSAGE_BYTES_MAX
    with pytest.raises(Malformed, match="64001 bytes"):
        signer.sign(padded(MESSAGE_BYTES_MAX - frame + 1), sequence=1)


def test_messages_of_a_batch() -> None:
    """500 messages under one signature, not 501."""
    signer = make_signer(MAKER, "operational")

    assert len(signer.sign_batch([b"{}"] * BATCH_MESSAGES_MAX).messages) == BATCH_MESSAGES_MAX
    with pytest.raises(Malformed, match="1 to 500 messages"):
        signer.sign_batch([b"{}"] * (BATCH_MESSAGES_MAX + 1))


def test_bytes_of_one_message_of_a_batch() -> None:
    """64,000 bytes each, not 64,001."""
    signer = make_signer(MAKER, "operational")

    assert len(signer.sign_batch([bytes(MESSAGE_BYTES_MAX)]).messages[0]) == MESSAGE_BYTES_MAX
    with pytest.raises(Malformed, match="at most 64000 bytes"):
        signer.sign_batch([bytes(MESSAGE_BYTES_MAX + 1)])


def test_bytes_of_a_batch() -> None:
    """500,000 bytes of messages together, not one more."""
    signer = make_signer(MAKER, "operational")
    most = [bytes(BATCH_BYTES_MAX // 10)] * 10

    assert sum(map(len, signer.sign_batch(most).messages)) == BATCH_BYTES_MAX
    with pytest.raises(Malformed, match="at most 500000 bytes together"):
        signer.sign_batch([*most, b"1"])


def test_bytes_of_a_statement() -> None:
    """Past 512,000 bytes nothing is read; at the bound the content is judged, and the largest batch fits."""
    signer = make_signer(MAKER, "operational")
    largest = signer.sign_batch([bytes(BATCH_BYTES_MAX // BATCH_MESSAGES_MAX)] * BATCH_MESSAGES_MAX)

    assert len(largest.data) < STATEMENT_BYTES_MAX
    with pytest.raises(Malformed, match="statement of 512001 bytes"):
        parse_statement(largest.data.ljust(STATEMENT_BYTES_MAX + 1, b"\0"))
    with pytest.raises(Malformed, match="after the end"):
        parse_statement(largest.data.ljust(STATEMENT_BYTES_MAX, b"\0"))


@pytest.mark.slow
def test_organisations_of_genesis() -> None:
    """10,000 members are named by one document, not 10,001."""
    genesis = make_genesis()
    first = genesis.organisations[0]
    members = tuple(replace(first, organisation=f"m-{n:05}") for n in range(ORGANISATIONS_MAX + 1))
    most = replace(genesis, organisations=members[:-1])

    assert parse_genesis(encode_genesis(most)) == most
    with pytest.raises(Malformed, match="1 to 10,000 organisations"):
        parse_genesis(encode_genesis(replace(genesis, organisations=members)))


def test_genesis_names_somebody() -> None:
    """A ledger without members could never get one."""
    with pytest.raises(Malformed, match="1 to 10,000 organisations"):
        parse_genesis(encode_genesis(replace(make_genesis(), organisations=())))


def with_results(count: int) -> Message:
    """A declaration with that many results."""
    result = Result(quantity="capacity", commitment="c0" * 32)
    return msgspec.structs.replace(messages.declaration(), results=(result,) * count)


def with_predicates(count: int) -> Message:
    """A declaration with that many predicates."""
    predicate = Predicate(quantity="capacity", comparison="at_least", threshold=1)
    return msgspec.structs.replace(messages.declaration(), predicates=(predicate,) * count)


@pytest.mark.parametrize(
    ("make", "least", "most"),
    [(with_results, 1, RESULTS_MAX), (with_predicates, 0, PREDICATES_MAX)],
    ids=["results", "predicates"],
)
def test_lists_of_an_attestation(make: Callable[[int], Message], least: int, most: int) -> None:
    """At the bound it is issued, past it the schema refuses it."""
    world = World()
    key = world[MAKER].key
    world.accept(key.sign(messages.model()), key.sign(messages.battery()))

    assert world.submit(key.sign(make(most))).is_accepted
    assert world.submit(key.sign(make(most + 1))).reason is Reason.MALFORMED_MESSAGE
    if least:
        assert world.submit(key.sign(make(least - 1))).reason is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize(("count", "reason"), [(1, None), (SCOPE_MAX, None), (SCOPE_MAX + 1, 202), (0, 202)])
def test_names_in_the_scope_of_a_key(count: int, reason: int | None) -> None:
    """1 to 64 message types; a key that may sign nothing is refused too."""
    world = World()
    names = [f"Message{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(count)]
    member = world[LABORATORY]
    outcome = world.submit(member.root.sign(member.register_key(make_signer(LABORATORY, "new"), scope=names)))

    assert outcome.reason == reason
