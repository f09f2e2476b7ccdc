"""ABCI 2.0 messages: the bytes are those that the engine writes and reads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import InvariantBroken, Malformed
from cellvow.node.cometbft import messages as abci
from cellvow.node.cometbft.messages import POOL, TABLE, build_pool, parse_message

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor
    from google.protobuf.descriptor_pool import DescriptorPool

    from cellvow.node.cometbft.messages import Message, MessageClass

ROWS = [line.split("\t") for line in TABLE.splitlines() if line.startswith("tendermint.")]
NAMES = sorted({row[0] for row in ROWS if row[3] != "enum"})

INTEGERS = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}

WRITTEN_BY_HAND: list[tuple[str, dict[str, Any], str]] = [
    ("Request", {"echo": {"message": "hi"}}, "0a040a026869"),
    ("Request", {"flush": {}}, "1200"),
    ("Request", {"commit": {}}, "5a00"),
    ("Request", {"list_snapshots": {}}, "6200"),
    ("Request", {"check_tx": {"tx": b"\x01\x02", "type": 1}}, "4206 0a020102 1001"),
    (
        "Request",
        {"finalize_block": {"txs": [b"a", b""], "height": 300, "time": {"seconds": 1, "nanos": 999_999_999}}},
        "a20112 0a0161 0a00 28ac02 3208 0801 10ff93ebdc03",
    ),
    ("Response", {"exception": {"error": "no"}}, "0a04 0a026e6f"),
    ("Response", {"flush": {}}, "1a00"),
    ("Response", {"info": {"last_block_height": 2, "last_block_app_hash": b"\xff"}}, "2205 2002 2a01ff"),
    ("Response", {"check_tx": {"code": 7}}, "4a02 0807"),
    ("Response", {"commit": {"retain_height": 9}}, "6202 1809"),
    ("Response", {"apply_snapshot_chunk": {"refetch_chunks": [1, 300]}}, "820105 1203 01 ac02"),
    ("Response", {"process_proposal": {"status": 1}}, "920102 0801"),
    (
        "Response",
        {
            "finalize_block": {
                "tx_results": [{"code": 1}, {}],
                "validator_updates": [{"pub_key": {"ed25519": b"\x05"}, "power": 10}],
                "app_hash": b"\x06",
            }
        },
        "aa0112 1202 0801 1200 1a07 0a03 0a0105 100a 2a0106",
    ),
]
"""Kind, fields, and the bytes worked out from the protocol's field numbers: tag, length, content."""


def _field(kind: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of one field; a single message is a mapping of its fields."""
    if kind.type == FieldDescriptor.TYPE_MESSAGE:
        values: st.SearchStrategy[Any] = _fields(kind.message_type)
    elif kind.type == FieldDescriptor.TYPE_ENUM:
        values = st.sampled_from([value.number for value in kind.enum_type.values])
    elif kind.type in INTEGERS:
        values = st.integers(*INTEGERS[kind.type])
    elif kind.type == FieldDescriptor.TYPE_BOOL:
        values = st.booleans()
    else:
        values = st.binary(max_size=40) if kind.type == FieldDescriptor.TYPE_BYTES else st.text(max_size=40)
    return st.lists(values, max_size=3) if kind.is_repeated else values


def _fields(kind: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the fields of a message, at most one of a group of which one may be set."""
    grouped = {field.name for group in kind.oneofs for field in group.fields}
    free = {field.name: _field(field) for field in kind.fields if field.name not in grouped}
    chosen: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({}, optional=free)
    if not grouped:
        return chosen
    ones = [st.fixed_dictionaries({field.name: _field(field)}) for field in kind.fields]
    return st.one_of(st.just({}), *ones)


def _encode(pool: DescriptorPool, name: str, fields: dict[str, Any]) -> bytes:
    made: MessageClass = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tendermint.abci.{name}"))
    return made(**fields).SerializeToString()


@pytest.mark.parametrize(("name", "fields", "written"), WRITTEN_BY_HAND)
def test_messages_are_encoded_as_written_by_hand(name: str, fields: dict[str, Any], written: str) -> None:
    """A message becomes the bytes worked out by hand, and comes back from them."""
    made = getattr(abci, name)(**fields)

    assert bytes.fromhex(written) == made.SerializeToString()
    assert made == parse_message(getattr(abci, name), bytes.fromhex(written))


@pytest.mark.parametrize(
    ("row", "mutant", "case"),
    [
        ("Request\tcheck_tx\t8\t", "Request\tcheck_tx\t9\t", 4),
        ("RequestFinalizeBlock\theight\t5\tint64", "RequestFinalizeBlock\theight\t9\tint64", 5),
        ("ResponseInfo\tlast_block_height\t4\tint64", "ResponseInfo\tlast_block_height\t4\tsfixed64", 8),
        ("chunks\t2\tuint32\trepeated", "chunks\t2\tsfixed64\trepeated", 11),
        ("ValidatorUpdate\tpower\t2\t", "ValidatorUpdate\tpower\t3\t", 13),
    ],
)
def test_control_a_wrong_number_or_type_in_the_table_is_found(row: str, mutant: str, case: int) -> None:
    """The bytes written by hand differ where the table is wrong."""
    name, fields, written = WRITTEN_BY_HAND[case]
    broken = TABLE.replace(row, mutant)

    assert broken != TABLE
    assert bytes.fromhex(written) != _encode(build_pool(broken), name, fields)
    assert bytes.fromhex(written) == _encode(build_pool(TABLE), name, fields)


@pytest.mark.slow
@given(st.data())
def test_a_message_comes_back_from_its_bytes(draw: st.DataObject) -> None:
    """Any fields of any message survive encoding and decoding, and encoding again gives the same bytes."""
    name = draw.draw(st.sampled_from(NAMES))
    kind = abci.message_class(name)
    made: Message = kind(**draw.draw(_fields(POOL.FindMessageTypeByName(name))))

    again = parse_message(kind, made.SerializeToString())

    assert made == again
    assert made.SerializeToString() == again.SerializeToString()


@pytest.mark.slow
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_malformed(content: bytes) -> None:
    """Whatever comes, it is parsed, or refused by our own error; no other leaves."""
    with suppress(Malformed):
        assert parse_message(abci.Request, content) == parse_message(abci.Request, content)


def test_a_message_cut_short_is_malformed() -> None:
    """A length that reaches past the end is refused."""
    with pytest.raises(Malformed, match="3 bytes that are no message"):
        parse_message(abci.Request, bytes.fromhex("42040a"))


def test_every_row_of_the_table_is_a_field_or_a_value() -> None:
    """The pool holds each row's number and type under its name."""
    for name, field, number, kind, *_ in ROWS:
        if kind == "enum":
            assert int(number) == abci.enumerated_numbers(name)[field]
        elif kind == "empty":
            assert [] == list(POOL.FindMessageTypeByName(name).fields)
        else:
            assert int(number) == POOL.FindMessageTypeByName(name).fields_by_name[field].number


def test_every_request_has_a_response_of_the_same_name() -> None:
    """ABCI pairs them; only the exception stands alone."""
    requests = {field.name for field in POOL.FindMessageTypeByName("tendermint.abci.Request").fields}
    responses = {field.name for field in POOL.FindMessageTypeByName("tendermint.abci.Response").fields}

    assert responses == requests | {"exception"}
    assert 16 == len(requests)


def test_a_table_of_other_columns_is_refused() -> None:
    """A changed form of the table is our own bug, found at start."""
    with pytest.raises(InvariantBroken, match="columns"):
        build_pool("name\tnumber\n")


def test_a_table_that_names_an_unknown_type_is_refused() -> None:
    """A missing message is found when the pool is built, not when it is first used."""
    broken = "\n".join(line for line in TABLE.splitlines() if not line.startswith("tendermint.abci.RequestFlush"))

    with pytest.raises(TypeError, match="RequestFlush"):
        build_pool(broken)


def test_a_flag_of_a_commit_and_a_kind_of_check_have_their_numbers() -> None:
    """Only flag 2 counts towards two thirds; a recheck is told from a first check."""
    assert 2 == abci.BLOCK_ID_FLAG["BLOCK_ID_FLAG_COMMIT"]
    assert 1 == abci.CHECK_TX_TYPE["RECHECK"]
    assert 1 == abci.MISBEHAVIOR_TYPE["DUPLICATE_VOTE"]


def test_a_canonical_vote_has_fixed_length_numbers() -> None:
    """Height and round are eight bytes each, whatever they are, as validators sign them."""
    vote = abci.CanonicalVote(type=2, height=1, round=1, chain_id="c")

    written = bytes.fromhex("0802 11 0100000000000000 19 0100000000000000 320163")

    assert written == vote.SerializeToString()
