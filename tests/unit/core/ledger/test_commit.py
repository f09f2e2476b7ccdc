"""Headers and commits at their bounds; what they prove is tested with the proofs of tests/conformance."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.commit import (
    ABSENT,
    APP_HASH_BYTES_MAX,
    NIL,
    NO_TIME_NS,
    VOTED,
    BlockId,
    Vote,
    VotingKey,
    encode_commit,
    encode_header,
    hash_header,
    hash_validators,
    order_voting_keys,
    parse_commit,
    parse_header,
    verify_commit,
)
from cellvow.core.ledger.wire import fixed_field, parse_fields, varint, whole_field
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import (
    COMMIT_BYTES_MAX,
    HEADER_BYTES_MAX,
    INTEGER_MAX,
    VALIDATOR_POWER_MAX,
    VALIDATORS_MAX,
)
from cellvow.core.primitives.signature import is_valid
from tests.bundles.consensus import founding_keys, make_commit, make_header, voting_key

if TYPE_CHECKING:
    from cellvow.core.ledger.commit import Commit, Header

KEYS = founding_keys()
HEADER = make_header("cellvow-test", 12, bytes(40), KEYS)
COMMIT = make_commit(HEADER, KEYS)
GO_ZERO_TIME = bytes.fromhex("088092b8c398feffffff01")
"""How the engine writes the time of a vote that is absent."""


def test_what_is_written_is_read_back() -> None:
    """Headers and commits survive, absent and nil votes included."""
    commit = make_commit(HEADER, KEYS, (VOTED, ABSENT, NIL))

    assert parse_header(encode_header(HEADER)) == HEADER
    assert parse_commit(encode_commit(commit)) == commit
    assert GO_ZERO_TIME in encode_commit(commit)


def test_the_first_block_has_none_before_it() -> None:
    """An empty block id is one; half of one is not."""
    first = replace(HEADER, last_block=BlockId(b"", 0, b""))

    assert parse_header(encode_header(first)) == first
    with pytest.raises(Malformed, match="block id"):
        encode_header(replace(HEADER, last_block=BlockId(bytes(32), 0, b"")))


@pytest.mark.parametrize("field", ["block_version", "app_version", "chain_id", "height", "time_ns", "proposer"])
def test_every_field_is_hashed(field: str) -> None:
    """Another value is another hash; the fields that hold hashes are flipped in tests/conformance."""
    other: dict[str, object] = {"chain_id": "cellvow-other", "proposer": bytes(20)}
    changed = replace(HEADER, **{field: other.get(field, 99)})  # type: ignore[arg-type]  # one field of its own type

    assert hash_header(changed) != hash_header(HEADER)


@pytest.mark.parametrize(
    "good",
    [
        replace(HEADER, height=INTEGER_MAX),
        replace(HEADER, chain_id="c" * 50),
        replace(HEADER, app_hash=bytes(APP_HASH_BYTES_MAX)),
        replace(HEADER, time_ns=NO_TIME_NS),
        replace(HEADER, data_hash=b""),
    ],
    ids=["height", "chain", "app hash", "time", "no hash"],
)
def test_a_header_at_its_bounds_is_read(good: Header) -> None:
    """At the bound it is fine, and its bytes stay within theirs."""
    assert parse_header(encode_header(good)) == good


@pytest.mark.parametrize(
    "bad",
    [
        replace(HEADER, height=INTEGER_MAX + 1),
        replace(HEADER, height=0),
        replace(HEADER, chain_id="c" * 51),
        replace(HEADER, chain_id="tab\t"),
        replace(HEADER, app_hash=bytes(APP_HASH_BYTES_MAX + 1)),
        replace(HEADER, time_ns=NO_TIME_NS - 1),
        replace(HEADER, time_ns=253_402_300_800 * 10**9),
        replace(HEADER, data_hash=bytes(31)),
        replace(HEADER, validators_hash=b""),
        replace(HEADER, proposer=bytes(19)),
        replace(HEADER, block_version=-1),
    ],
)
def test_a_header_one_past_a_bound_is_refused(bad: Header) -> None:
    """It is never written, so it is never read."""
    with pytest.raises(Malformed):
        encode_header(bad)


@pytest.mark.parametrize(
    "bad",
    [
        replace(COMMIT, round=2**31),
        replace(COMMIT, height=0),
        replace(COMMIT, votes=()),
        replace(COMMIT, votes=COMMIT.votes[:1] * (VALIDATORS_MAX + 1)),
        replace(COMMIT, block=BlockId(b"", 0, b"")),
        replace(COMMIT, votes=(Vote(4, bytes(20), 0, bytes(64)),)),
        replace(COMMIT, votes=(Vote(VOTED, bytes(20), 0, bytes(63)),)),
        replace(COMMIT, votes=(Vote(ABSENT, bytes(20)),)),
        replace(COMMIT, votes=(Vote(ABSENT, time_ns=0),)),
    ],
)
def test_a_commit_one_past_a_bound_is_refused(bad: Commit) -> None:
    """It is never written, so it is never read."""
    with pytest.raises(Malformed):
        encode_commit(bad)


def test_the_most_validators_fit_and_verify() -> None:
    """A hundred votes stay below the bound of a commit's bytes; nobody waits long for them."""
    numbers = range(VALIDATORS_MAX)
    keys = order_voting_keys([VotingKey(voting_key(number).public_key, VALIDATOR_POWER_MAX) for number in numbers])
    header = make_header("cellvow-test", 10**9, bytes(40), keys)
    commit = make_commit(header, keys)

    assert len(encode_commit(commit)) <= COMMIT_BYTES_MAX
    assert parse_commit(encode_commit(commit)) == commit
    assert verify_commit(header, commit, "cellvow-test", keys, is_valid).signed_by == keys


def test_too_many_bytes_are_not_even_read() -> None:
    """The bound on bytes comes first."""
    for parse, most in ((parse_header, HEADER_BYTES_MAX), (parse_commit, COMMIT_BYTES_MAX)):
        with pytest.raises(Malformed, match="bytes: at most"):
            parse(bytes(most + 1))


def test_validators_stand_by_power_and_then_by_address() -> None:
    """The engine's order, whatever order they are given in; each once, with a power that counts."""
    keys = [voting_key(0, 3), voting_key(1, 5), voting_key(2, 3)]
    ordered = order_voting_keys(keys)

    assert ordered[0] == keys[1]
    assert ordered[1].address < ordered[2].address
    assert hash_validators(ordered) == hash_validators(order_voting_keys(keys[::-1]))
    for wrong in (ordered[::-1], (*ordered, ordered[-1]), (), (voting_key(0, 0),), (voting_key(0, 10**6 + 1),)):
        with pytest.raises(Malformed):
            hash_validators(wrong)


def test_one_key_with_two_powers_is_refused() -> None:
    """A validator counted twice would make two thirds of one."""
    with pytest.raises(Malformed, match="none twice"):
        hash_validators([voting_key(0, 9), voting_key(0, 8)])


def test_a_commit_says_who_signed_and_with_what_power() -> None:
    """Absent and nil votes are not among them."""
    verified = verify_commit(HEADER, make_commit(HEADER, KEYS, (VOTED, ABSENT)), "cellvow-test", KEYS, is_valid)

    assert (30, 40) == (verified.signed_power, verified.total_power)
    assert (KEYS[0], *KEYS[2:]) == verified.signed_by


@pytest.mark.slow
@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_are_read_as_they_were_written(value: int) -> None:
    """Negative ones too, as the engine writes them; one that is not there is 0."""
    assert value == parse_fields(whole_field(3, value), "it").whole(3)


@pytest.mark.slow
@given(st.binary(max_size=64))
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    """Nothing but a refusal comes of bytes that are no message."""
    for parse in (parse_header, parse_commit):
        with pytest.raises(Malformed):
            parse(content)


@pytest.mark.parametrize("content", [b"\x08", b"\x0a\x05abcd", b"\x09" + bytes(8), b"\x08" + b"\xff" * 10])
def test_a_message_cut_short_or_of_another_kind_is_refused(content: bytes) -> None:
    """A number without an end, a string longer than the rest, a kind that is not used, eleven bytes of a number."""
    with pytest.raises(Malformed):
        parse_fields(content, "it")


def test_numbers_of_eight_bytes_stand_lowest_first() -> None:
    """As the canonical vote has them; 0 is left out."""
    assert b"\x11\x0c" + bytes(7) == fixed_field(2, 12)
    assert b"" == fixed_field(2, 0)
    assert b"\xac\x02" == varint(300)
