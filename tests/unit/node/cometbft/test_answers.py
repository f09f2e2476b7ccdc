"""What the engine's RPC answers, read from answers that CometBFT v0.38.25 gave, and back to its own bytes."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.answers import (
    Answer,
    Backlog,
    Block,
    BlockId,
    Commit,
    CommitSignature,
    Genesis,
    Instant,
    Queried,
    encode_commit,
    encode_header,
    read_backlog,
    read_block,
    read_commit,
    read_genesis,
    read_peers,
    read_queried,
    read_signed_header,
    read_status,
    read_validator,
)
from cellvow.node.cometbft.messages import message_class

RECORDED = json.loads(Path(__file__).with_name("recorded_answers.json").read_text(encoding="utf-8"))
ADDRESS = bytes.fromhex(RECORDED["status"]["validator_info"]["address"])
YEAR_ONE = -62_135_596_800
"""The first of January of the year 1 in seconds since 1970: the engine's time for "never"."""


def recorded(name: str) -> Answer:
    """Return an answer of the engine."""
    return Answer(RECORDED[name], name.partition(" ")[0])


def field(number: int, content: bytes) -> bytes:
    """Return a field of bytes as protobuf writes it, for a number below 16."""
    length, rest = bytearray(), len(content)
    while rest > 127:
        length.append(rest & 127 | 128)
        rest >>= 7
    return bytes([number << 3 | 2, *length, rest]) + content


def block_bytes(block: Block) -> bytes:
    """Return the block as the engine keeps and hashes it: header, transactions, no evidence, last commit."""
    transactions = message_class("tendermint.types.Data")(txs=block.transactions).SerializeToString()
    fields = [encode_header(block.header), transactions, b"", encode_commit(block.last_commit)]
    return b"".join(field(number, content) for number, content in enumerate(fields, 1))


@pytest.mark.parametrize("name", ["block 1", "block 4"])
def test_header_and_commit_have_the_engines_own_bytes(name: str) -> None:
    """A block put together from our encoding has the hash that the engine gave its one part."""
    block = read_block(recorded(name))

    assert 1 == block.block_id.parts_total
    assert block.block_id.parts_hash == sha256(b"\x00" + block_bytes(block)).digest()


def test_control_another_nanosecond_has_another_hash() -> None:
    """The hash is over every digit of the header's time."""
    answer = json.loads(json.dumps(RECORDED["block 4"]))
    answer["block"]["header"]["time"] = answer["block"]["header"]["time"][:-2] + "0Z"
    block = read_block(Answer(answer, "block"))

    assert block.block_id.parts_hash != sha256(b"\x00" + block_bytes(block)).digest()


def test_a_status_is_read() -> None:
    """Chain, version, height, application hash and the member's own validator."""
    status = read_status(recorded("status"))

    assert ("0.38.25", 5, 1, False) == (status.version, status.height, status.earliest_height, status.is_catching_up)
    assert (ADDRESS, 10) == (status.validator_address, status.voting_power)
    assert (2).to_bytes(8, "big") == status.app_hash


def test_a_signed_header_is_read() -> None:
    """Header and commit of one height belong together; a version of zero is left out by the engine."""
    signed = read_signed_header(recorded("commit 2"))

    assert signed.is_canonical
    assert (2, 2, 11, 0) == (
        signed.header.height,
        signed.commit.height,
        signed.header.block_protocol,
        signed.header.app_protocol,
    )
    assert [(2, ADDRESS, 64)] == [(s.flag, s.validator_address, len(s.signature)) for s in signed.commit.signatures]


def test_the_first_block_follows_nothing() -> None:
    """Its last block and last commit are empty, and no transaction is in it."""
    block = read_block(recorded("block 1"))

    assert BlockId(b"", 0, b"") == block.header.last_block_id
    assert Commit(0, 0, BlockId(b"", 0, b""), ()) == block.last_commit
    assert ((), ()) == (block.transactions, block.evidence)
    assert (b"hello2",) == read_block(recorded("block 4")).transactions


def test_validators_genesis_backlog_and_query_are_read() -> None:
    """The smaller answers hold what the engine said."""
    (validator,) = (read_validator(entry) for entry in recorded("validators").at("validators").each())
    genesis = read_genesis(recorded("genesis"))

    assert (ADDRESS, 32, 10) == (validator.address, len(validator.public_key), validator.voting_power)
    assert Genesis(genesis.chain_id, 1, None) == genesis
    assert {"a": 1} == read_genesis(
        Answer({"genesis": {**RECORDED["genesis"]["genesis"], "app_state": {"a": 1}}}, "")
    ).app_state
    assert Backlog(0, 0) == read_backlog(recorded("num_unconfirmed_txs"))
    assert Queried(0, "", b"2", 5) == read_queried(recorded("abci_query"))
    assert () == read_peers(recorded("net_info"))


def test_an_absent_validator_has_an_entry_without_time_and_signature() -> None:
    """The engine writes the year 1 and null for a validator that did not vote; the entry keeps its place."""
    entry = {
        "block_id_flag": 1,
        "validator_address": "",
        "timestamp": "0001-01-01T00:00:00Z",
        "signature": None,
    }
    answer = {**RECORDED["commit 2"]["signed_header"]["commit"], "signatures": [entry]}
    commit = read_commit(Answer(answer, "commit"))

    assert (CommitSignature(1, b"", Instant(YEAR_ONE, 0), b""),) == commit.signatures


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", Instant(0, 0)),
        ("1970-01-01T00:00:01.5Z", Instant(1, 500_000_000)),
        ("1969-12-31T23:59:59.000000001Z", Instant(-1, 1)),
        ("2026-11-30T02:36:31.583716707Z", Instant(1_796_006_191, 583_716_707)),
        ("9999-12-31T23:59:59.999999999Z", Instant(253_402_300_799, 999_999_999)),
    ],
)
def test_times_keep_every_nanosecond(text: str, instant: Instant) -> None:
    """Seconds and nanoseconds are integers; a fraction is filled up to nine digits."""
    assert instant == Answer(text, "time").instant()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({"signed_header": []}, "commit.signed_header has no 'header'"),
        ({}, "commit has no 'signed_header'"),
        (None, "commit has no 'signed_header'"),
    ],
)
def test_an_answer_of_another_shape_is_refused_with_its_place(answer: object, sentence: str) -> None:
    """What is missing is named with the path to it."""
    with pytest.raises(OperationalError, match=sentence.replace("[", r"\[")):
        read_signed_header(Answer(answer, "commit"))


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", 1),
        ("flag", 1),
        ("integer", True),
        ("integer", 1.0),
        ("integer", "1e3"),
        ("integer", "٣"),
        ("integer", "9" * 20),
        ("hexadecimal", "0"),
        ("hexadecimal", "zz"),
        ("hexadecimal", None),
        ("base64", "a"),
        ("base64", "a b="),
        ("base64", 7),
        ("each", {}),
        ("instant", "2026-11-30"),
        ("instant", "2026-11-30T02:36:31+01:00"),
        ("instant", "2026-02-30T00:00:00Z"),
        ("instant", "2026-11-30T24:00:00Z"),
        ("instant", "2026-11-30T00:00:00.1234567890Z"),
    ],
)
def test_a_value_of_another_kind_is_refused(reader: str, value: object) -> None:
    """Parse or refuse: nothing is bent into shape."""
    with pytest.raises(OperationalError, match=r"cannot be read: result.*is it CometBFT v0.38"):
        getattr(Answer(value, "result"), reader)()


def test_a_validator_with_another_kind_of_key_is_refused() -> None:
    """Only Ed25519 keys are checked anywhere in this ledger."""
    entry = {"address": "00", "pub_key": {"type": "tendermint/PubKeySecp256k1", "value": "AA=="}, "voting_power": "1"}

    with pytest.raises(OperationalError, match="no key of type tendermint/PubKeyEd25519"):
        read_validator(Answer(entry, "validators"))


def test_evidence_and_peers_are_named() -> None:
    """A block says what kinds of evidence it holds; a peer where it is."""
    answer = json.loads(json.dumps(RECORDED["block 4"]))
    answer["block"]["evidence"]["evidence"] = [{"type": "tendermint/DuplicateVoteEvidence", "value": {}}]
    peer = {"node_info": {"id": "ab", "moniker": "south"}, "remote_ip": "127.0.0.1", "is_outbound": True}
    (found,) = read_peers(Answer({"peers": [peer]}, "net_info"))

    assert ("tendermint/DuplicateVoteEvidence",) == read_block(Answer(answer, "block")).evidence
    assert ("ab", "south", "127.0.0.1", True) == (found.node_id, found.moniker, found.address, found.is_outbound)
