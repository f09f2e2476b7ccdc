"""Key and sequence records, block leaves and outcomes: one spelling each, and when a key is in force."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.ledger.key import (
    KeyRecord,
    SequenceRecord,
    encode_key_record,
    encode_sequence_record,
    parse_key_record,
    parse_sequence_record,
)
from cellvow.core.ledger.log import (
    BlockLeaf,
    block_leaf,
    encode_app_hash,
    encode_block_leaf,
    evidence_leaf,
    genesis_leaf,
    parse_block_leaf,
    statement_leaf,
)
from cellvow.core.ledger.outcome import Outcome, encode_outcome, outcome_digest, parse_outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.digest import Digest, domain_digest
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import SEQUENCE_WINDOW
from cellvow.core.primitives.merkle import Frontier

KEY = KeyRecord(
    kid="ab" * 16,
    public_key="cd" * 32,
    organisation="nordpack",
    kind="operational",
    scope=("Anchor", "RegisterBattery"),
    valid_from_ms=1_000,
    valid_until_ms=2_000,
    registered_height=5,
)
LEAF = BlockLeaf(
    height=9,
    time_ms=10,
    first_leaf=11,
    statements=12,
    evidence=0,
    state_root=Digest(bytes.fromhex("ab" * 32)),
    ruleset=1,
)
ACCEPTED = Outcome(events=({"battery": "01/x", "type": "BatteryRegistered"},))
REJECTED = Outcome(reason=Reason.STALE_VERSION, facts=(("current", 2), ("seen", 1)))


def test_records_survive_encoding_and_parsing() -> None:
    """Each record comes back as it was, with its optional fields set or not."""
    full = replace(
        KEY, revoked_height=7, compromised_since_ms=1, replaces="ef" * 16, device="BMS-1", statement="12" * 32
    )
    for record in (KEY, full, replace(KEY, valid_until_ms=None)):
        assert parse_key_record(encode_key_record(record)) == record
    for marks in (0, 1, (1 << SEQUENCE_WINDOW) - 1):
        used = SequenceRecord(7, marks, "ab" * 32)
        assert parse_sequence_record(encode_sequence_record(used)) == used
    assert parse_block_leaf(encode_block_leaf(LEAF)) == LEAF
    for outcome in (ACCEPTED, REJECTED):
        assert parse_outcome(encode_outcome(outcome)) == outcome


@pytest.mark.parametrize(
    ("height", "time_ms", "is_in_force"),
    [
        (5, 1_500, False),
        (6, 1_500, True),
        (6, 999, False),
        (6, 1_000, True),
        (6, 2_000, True),
        (6, 2_001, False),
        (7, 1_500, True),
        (8, 1_500, False),
    ],
)
def test_a_key_is_in_force_between_its_bounds(height: int, time_ms: int, is_in_force: bool) -> None:
    """After its registration's height up to that of its revocation, and within its validity."""
    assert replace(KEY, revoked_height=7).is_in_force(height, time_ms) is is_in_force


def test_a_compromised_key_is_suspect_not_ended() -> None:
    """`compromised_since_ms` marks statements; only a revocation ends a key."""
    assert replace(KEY, compromised_since_ms=0).is_in_force(6, 1_500)


@pytest.mark.parametrize(
    "changed",
    [
        {"extra": 1},
        {"scope": "Anchor"},
        {"kid": 1},
        {"valid_from_ms": "0"},
        {"valid_from_ms": True},
        {"valid_until_ms": "0"},
        {"revoked_height": "0"},
        {"device": 1},
    ],
)
def test_a_key_record_of_another_form_is_malformed(changed: dict[str, Json]) -> None:
    """Exactly its fields, each of its type."""
    with pytest.raises(Malformed):
        parse_key_record(encode_document(parse_object(encode_key_record(KEY)) | changed))


@pytest.mark.parametrize("scope", [[1], [None], [["Anchor"]]])
def test_a_scope_that_is_not_text_is_malformed(scope: Json) -> None:
    """A number in a scope would come back as text: two spellings of one record."""
    with pytest.raises(Malformed):
        parse_key_record(encode_document(parse_object(encode_key_record(KEY)) | {"scope": scope}))


@pytest.mark.parametrize(
    "document",
    [
        {"marks": "1", "statement": "", "top": "1"},
        {"marks": 1, "statement": "", "top": 1},
        {"marks": "1", "statement": None, "top": 1},
        {"marks": "1", "top": 1},
        {"marks": "0x1", "statement": "", "top": 1},
        {"marks": "1_0", "statement": "", "top": 1},
        {"marks": "A", "statement": "", "top": 1},
        {"marks": "01", "statement": "", "top": 1},
        {"marks": "", "statement": "", "top": 1},
        {"marks": "g", "statement": "", "top": 1},
        {"extra": 1, "marks": "1", "statement": "", "top": 1},
    ],
)
def test_a_sequence_record_of_another_form_is_malformed(document: dict[str, Json]) -> None:
    """Exactly its fields, the marks in the shortest lower-case hexadecimal."""
    with pytest.raises(Malformed):
        parse_sequence_record(encode_document(document))


@pytest.mark.parametrize(
    "changed",
    [
        {"extra": 1},
        {"height": -1},
        {"height": True},
        {"height": "9"},
        {"state_root": "AB" * 32},
        {"state_root": "ab" * 31},
        {"state_root": "zz" * 32},
        {"state_root": " " + "ab" * 31 + " "},
        {"state_root": 1},
    ],
)
def test_a_block_leaf_of_another_form_is_malformed(changed: dict[str, Json]) -> None:
    """Exactly its seven fields, counts in whole numbers, the root in lower-case hexadecimal."""
    with pytest.raises(Malformed):
        parse_block_leaf(encode_document(parse_object(encode_block_leaf(LEAF)) | changed))


@pytest.mark.parametrize(
    "document",
    [
        {"events": [], "result": "rejected"},
        {"events": [{}], "result": "accepted"},
        {"events": [{"type": 1}], "result": "accepted"},
        {"events": [1], "result": "accepted"},
        {"events": {}, "result": "accepted"},
        {"events": [], "facts": {}, "result": "accepted"},
        {"code": 206, "facts": {}, "result": "accepted"},
        {"code": 206, "facts": [], "result": "rejected"},
        {"code": 999, "facts": {}, "result": "rejected"},
        {"code": "206", "facts": {}, "result": "rejected"},
        {"code": 206, "result": "rejected"},
        {},
    ],
)
def test_an_outcome_of_another_form_is_malformed(document: dict[str, Json]) -> None:
    """An acceptance with its events or a rejection with a known code: nothing between."""
    with pytest.raises(Malformed):
        parse_outcome(encode_document(document))


def test_the_leaf_types_never_meet() -> None:
    """The same 64 bytes as genesis, statement, evidence or block give four different leaves."""
    first, second = Digest(b"\x01" * 32), Digest(b"\x02" * 32)
    leaves = [
        genesis_leaf(first, second),
        statement_leaf(first, second),
        evidence_leaf(first + second),
        block_leaf(first + second),
    ]

    assert len(leaves) == len(dict.fromkeys(leaves))


def test_an_app_hash_is_size_and_root() -> None:
    """40 bytes; a root without its size authenticates no index."""
    log = Frontier().append(Digest(bytes(32)))[0]

    assert encode_app_hash(log) == bytes(7) + b"\x01" + bytes(32)
    assert len(encode_app_hash(Frontier())) == 40


def test_the_outcomes_of_a_batch_are_blinded_by_their_salts() -> None:
    """The same outcomes under other salts give another root; alone and unsalted they give a plain digest."""
    kept = [encode_outcome(ACCEPTED), encode_outcome(REJECTED)]
    salts = [bytes(32), b"\x01" * 32]
    alone = domain_digest("cellvow/outcome/v1", kept[0])

    assert outcome_digest(kept[:1], [None]) == alone
    assert outcome_digest(kept[:1], salts[:1]) != alone
    assert outcome_digest(kept, salts) != outcome_digest(kept, salts[::-1])
    assert outcome_digest(kept, salts) != outcome_digest(kept[::-1], salts)
