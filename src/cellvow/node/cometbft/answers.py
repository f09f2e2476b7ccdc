"""What CometBFT's RPC answers, as records: from its JSON, and on to the protobuf bytes that its signatures are about.

Its JSON writes 64-bit integers as strings, hashes in upper-case hexadecimal, transactions, keys and signatures in
base64, and times with up to nine digits of a second; those stay integers here.
"""

import base64
import binascii
import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft import messages
from cellvow.node.cometbft.messages import Message

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_KEY_TYPE = "tendermint/PubKeyEd25519"


class Instant(NamedTuple):
    """A time to the nanosecond: seconds since 1970 (negative before), and nanoseconds from 0 to 999,999,999."""

    seconds: int
    nanoseconds: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far a member is: chain, engine version, newest and oldest block, and its own validator."""

    chain_id: str
    version: str
    node_id: str
    height: int
    block_hash: bytes
    app_hash: bytes
    """The application hash in the newest header: the one after the block before it."""
    time: Instant
    earliest_height: int
    is_catching_up: bool
    validator_address: bytes
    voting_power: int
    """0 while the member is no validator."""


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What became of a transaction offered to the mempool. Code 0 is *queued*, and no promise of more.

    `already_known`: the engine has seen these bytes before; it does not say whether they are in a block.
    """

    code: int
    log: str
    already_known: bool = False


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block's hash, and that of its parts; empty for the block before the first."""

    hash: bytes
    parts_total: int
    parts_hash: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header; `app_hash` is the application's after the block before."""

    block_protocol: int
    app_protocol: int
    chain_id: str
    height: int
    time: Instant
    last_block_id: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer_address: bytes


@dataclass(frozen=True, slots=True)
class CommitSignature:
    """One validator's entry in a commit: flag 1 absent, 2 for the block, 3 for none."""

    flag: int
    validator_address: bytes
    time: Instant
    signature: bytes


@dataclass(frozen=True, slots=True)
class Commit:
    """The precommits that decided a block."""

    height: int
    round: int
    block_id: BlockId
    signatures: tuple[CommitSignature, ...]


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """A header with the commit for it; not canonical while the next block has not been decided."""

    header: Header
    commit: Commit
    is_canonical: bool


@dataclass(frozen=True, slots=True)
class Validator:
    """One validator of a height: its Ed25519 key of 32 bytes and its power."""

    address: bytes
    public_key: bytes
    voting_power: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block with its transactions, the kinds of its evidence and the commit of the block before."""

    block_id: BlockId
    header: Header
    transactions: tuple[bytes, ...]
    evidence: tuple[str, ...]
    last_commit: Commit


@dataclass(frozen=True, slots=True)
class Genesis:
    """What the chain began with; `app_state` is parsed JSON."""

    chain_id: str
    initial_height: int
    app_state: object


@dataclass(frozen=True, slots=True)
class Peer:
    """Another member's engine, as connected now."""

    node_id: str
    moniker: str
    address: str
    is_outbound: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in the mempool."""

    count: int
    length_bytes: int


@dataclass(frozen=True, slots=True)
class Queried:
    """What the application answered to a query; code 0 is success."""

    code: int
    log: str
    value: bytes
    height: int


class Answer:
    """A JSON value with the path to it; each reader raises `OperationalError` where it is of another kind."""

    def __init__(self, value: object, path: str) -> None:
        self.value = value
        self._path = path

    def at(self, *names: str) -> "Answer":
        """The value below these names."""
        found = self
        for name in names:
            if not isinstance(found.value, dict) or name not in found.value:
                raise found.unreadable(f"has no {name!r}")
            found = Answer(found.value[name], f"{found._path}.{name}")
        return found

    def may_hold(self, name: str) -> bool:
        """Whether a field that the engine leaves out when zero is there."""
        return isinstance(self.value, dict) and name in self.value

    def each(self) -> list["Answer"]:
        """The members of a list; the engine writes an empty one as null."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.unreadable("is no list")
        return [Answer(value, f"{self._path}[{index}]") for index, value in enumerate(self.value)]

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.unreadable("is no text")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.unreadable("is neither true nor false")
        return self.value

    def integer(self) -> int:
        """An integer, written as a number or as a string of digits."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, str) and _INTEGER.fullmatch(self.value):
            return int(self.value)
        raise self.unreadable("is no integer")

    def hexadecimal(self) -> bytes:
        """Bytes written in hexadecimal."""
        try:
            return binascii.unhexlify(self.text())
        except ValueError as error:
            raise self.unreadable("is no hexadecimal") from error

    def base64(self) -> bytes:
        """Bytes written in base64; the engine writes none as null."""
        if self.value is None:
            return b""
        try:
            return base64.b64decode(self.text(), validate=True)
        except ValueError as error:
            raise self.unreadable("is no base64") from error

    def instant(self) -> Instant:
        """A time in UTC as RFC 3339 writes it; never through a float, which holds no nanoseconds."""
        found = _TIME.fullmatch(self.text())
        if found is None:
            raise self.unreadable("is no time in UTC")
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        try:
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError as error:
            raise self.unreadable("is no time that exists") from error
        return Instant(calendar.timegm(moment.utctimetuple()), int((found[7] or "").ljust(9, "0")))

    def unreadable(self, why: str) -> OperationalError:
        """The error that says what is wrong with this value."""
        return OperationalError(f"the engine's answer cannot be read: {self._path} {why}; is it CometBFT v0.38?")


def read_status(answer: Answer) -> Status:
    """The answer to `status`."""
    node, sync, validator = answer.at("node_info"), answer.at("sync_info"), answer.at("validator_info")
    return Status(
        chain_id=node.at("network").text(),
        version=node.at("version").text(),
        node_id=node.at("id").text(),
        height=sync.at("latest_block_height").integer(),
        block_hash=sync.at("latest_block_hash").hexadecimal(),
        app_hash=sync.at("latest_app_hash").hexadecimal(),
        time=sync.at("latest_block_time").instant(),
        earliest_height=sync.at("earliest_block_height").integer(),
        is_catching_up=sync.at("catching_up").flag(),
        validator_address=validator.at("address").hexadecimal(),
        voting_power=validator.at("voting_power").integer(),
    )


def read_block_id(answer: Answer) -> BlockId:
    """A block's identifier."""
    parts = answer.at("parts")
    return BlockId(
        hash=answer.at("hash").hexadecimal(),
        parts_total=parts.at("total").integer(),
        parts_hash=parts.at("hash").hexadecimal(),
    )


def read_header(answer: Answer) -> Header:
    """A block's header."""
    version = answer.at("version")
    hashes = {name: answer.at(name).hexadecimal() for name in _HASHES}
    return Header(
        block_protocol=version.at("block").integer() if version.may_hold("block") else 0,
        app_protocol=version.at("app").integer() if version.may_hold("app") else 0,
        chain_id=answer.at("chain_id").text(),
        height=answer.at("height").integer(),
        time=answer.at("time").instant(),
        last_block_id=read_block_id(answer.at("last_block_id")),
        **hashes,
    )


def read_commit(answer: Answer) -> Commit:
    """A commit with every validator's entry, in the validators' order."""
    return Commit(
        height=answer.at("height").integer(),
        round=answer.at("round").integer(),
        block_id=read_block_id(answer.at("block_id")),
        signatures=tuple(_read_signature(entry) for entry in answer.at("signatures").each()),
    )


def _read_signature(answer: Answer) -> CommitSignature:
    return CommitSignature(
        flag=answer.at("block_id_flag").integer(),
        validator_address=answer.at("validator_address").hexadecimal(),
        time=answer.at("timestamp").instant(),
        signature=answer.at("signature").base64(),
    )


def read_signed_header(answer: Answer) -> SignedHeader:
    """The answer to `commit`."""
    signed = answer.at("signed_header")
    return SignedHeader(
        read_header(signed.at("header")), read_commit(signed.at("commit")), answer.at("canonical").flag()
    )


def read_validator(answer: Answer) -> Validator:
    """One validator; raises `OperationalError` for a key that is not Ed25519."""
    key = answer.at("pub_key")
    if key.at("type").text() != _KEY_TYPE:
        raise key.unreadable(f"is no key of type {_KEY_TYPE}")
    return Validator(
        address=answer.at("address").hexadecimal(),
        public_key=key.at("value").base64(),
        voting_power=answer.at("voting_power").integer(),
    )


def read_block(answer: Answer) -> Block:
    """The answer to `block`."""
    block = answer.at("block")
    return Block(
        block_id=read_block_id(answer.at("block_id")),
        header=read_header(block.at("header")),
        transactions=tuple(entry.base64() for entry in block.at("data", "txs").each()),
        evidence=tuple(entry.at("type").text() for entry in block.at("evidence", "evidence").each()),
        last_commit=read_commit(block.at("last_commit")),
    )


def read_genesis(answer: Answer) -> Genesis:
    """The answer to `genesis`."""
    genesis = answer.at("genesis")
    return Genesis(
        chain_id=genesis.at("chain_id").text(),
        initial_height=genesis.at("initial_height").integer(),
        app_state=genesis.at("app_state").value if genesis.may_hold("app_state") else None,
    )


def read_peers(answer: Answer) -> tuple[Peer, ...]:
    """The answer to `net_info`."""
    return tuple(
        Peer(
            node_id=entry.at("node_info", "id").text(),
            moniker=entry.at("node_info", "moniker").text(),
            address=entry.at("remote_ip").text(),
            is_outbound=entry.at("is_outbound").flag(),
        )
        for entry in answer.at("peers").each()
    )


def read_backlog(answer: Answer) -> Backlog:
    """The answer to `num_unconfirmed_txs`."""
    return Backlog(answer.at("total").integer(), answer.at("total_bytes").integer())


def read_queried(answer: Answer) -> Queried:
    """The answer to `abci_query`."""
    response = answer.at("response")
    return Queried(
        code=response.at("code").integer(),
        log=response.at("log").text(),
        value=response.at("value").base64(),
        height=response.at("height").integer(),
    )


_HASHES = (
    "last_commit_hash",
    "data_hash",
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "app_hash",
    "last_results_hash",
    "evidence_hash",
    "proposer_address",
)


def encode_header(header: Header) -> bytes:
    """The header as protobuf, as the engine itself writes it (`tendermint.types.Header`)."""
    encoded = messages.Header(
        chain_id=header.chain_id,
        height=header.height,
        time=_time_message(header.time),
        last_block_id=_block_id_message(header.last_block_id),
        **{name: getattr(header, name) for name in _HASHES},
    )
    encoded.version.block = header.block_protocol
    encoded.version.app = header.app_protocol
    encoded.version.SetInParent()
    return encoded.SerializeToString()


def encode_commit(commit: Commit) -> bytes:
    """The commit as protobuf, as the engine itself writes it (`tendermint.types.Commit`)."""
    signatures = [
        messages.CommitSig(
            block_id_flag=entry.flag,
            validator_address=entry.validator_address,
            timestamp=_time_message(entry.time),
            signature=entry.signature,
        )
        for entry in commit.signatures
    ]
    return messages.Commit(
        height=commit.height, round=commit.round, block_id=_block_id_message(commit.block_id), signatures=signatures
    ).SerializeToString()


def _time_message(instant: Instant) -> Message:
    return messages.Timestamp(seconds=instant.seconds, nanos=instant.nanoseconds)


def _block_id_message(block_id: BlockId) -> Message:
    encoded = messages.BlockID(hash=block_id.hash)
    encoded.part_set_header.total = block_id.parts_total
    encoded.part_set_header.hash = block_id.parts_hash
    # The engine writes it also where it is empty.
    encoded.part_set_header.SetInParent()
    return encoded
