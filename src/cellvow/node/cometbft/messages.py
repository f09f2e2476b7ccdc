"""ABCI 2.0 messages: protobuf classes built when this module is loaded, from the table `abci_fields.tsv` beside it.

Nothing is generated beforehand: no compiler, no version lock between generated code and runtime, and, since the
descriptors live in a pool of our own, no clash with another package's `tendermint.abci`.

    >>> Request(check_tx=RequestCheckTx(tx=b"hi")).SerializeToString().hex()
    '42040a026869'

Field 8 of `Request` (0x42), 4 bytes long; in it field 1 (0x0a), 2 bytes long.
"""

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from google.protobuf import duration_pb2, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from cellvow.core.primitives.errors import Malformed, ensure

_PACKAGES = ("tendermint.version", "tendermint.crypto", "tendermint.types", "tendermint.abci")
"""Each may name messages of those before it."""
_WELL_KNOWN = (timestamp_pb2.DESCRIPTOR, duration_pb2.DESCRIPTOR)
_COLUMNS = "name\tfield\tnumber\ttype\tlabel"


class Message(Protocol):
    """Any protobuf message of the table; this is the one place where their fields, made at run time, are untyped."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The message's bytes, fields in the order of their numbers."""

    def WhichOneof(self, name: str, /) -> str | None:  # noqa: N802 - protobuf's name
        """The name of the field that is set in a group of which one may be."""

    def CopyFrom(self, other: "Message", /) -> None:  # noqa: N802 - protobuf's name
        """Become equal to `other`, of the same class."""

    def SetInParent(self) -> None:  # noqa: N802 - protobuf's name
        """Be present in the enclosing message, though empty."""

    def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401 - a field's type is in the table

    def __setattr__(self, name: str, value: Any) -> None: ...  # noqa: ANN401 - a field's type is in the table


class MessageClass(Protocol):
    """The class of one kind of message: called with fields by name; its enumerated values are attributes."""

    def __call__(self, **fields: Any) -> Message:  # noqa: ANN401 - a field's type is in the table
        """A message; raises `TypeError` or `ValueError` for a field or value it does not know."""

    def FromString(self, data: bytes, /) -> Message:  # noqa: N802 - protobuf's name
        """The message in `data`; `parse_message` is what also says what is wrong."""

    def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401 - numbers of enumerated values


class _Row(NamedTuple):
    """One line of the table."""

    name: str
    field: str
    number: int
    type: str
    label: str

    @property
    def package(self) -> str:
        """The package that the name lies in: all of them have two parts."""
        return ".".join(self.name.split(".")[:2])


def parse_message(kind: MessageClass, data: bytes) -> Message:
    """The message of class `kind` in `data`, or `Malformed`."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise Malformed(f"{len(data)} bytes that are no message of the expected kind: {error}") from error


def build_pool(table: str) -> DescriptorPool:
    """The descriptors that `table` describes, with protobuf's own time stamps and durations.

    Raises `InvariantBroken` for a table of another form, `TypeError` if it names a type it does not hold.
    """
    rows = _parse_table(table)
    pool = DescriptorPool()
    known: list[str] = []
    for descriptor in _WELL_KNOWN:
        pool.AddSerializedFile(descriptor.serialized_pb)
        known.append(descriptor.name)
    for package in _PACKAGES:
        described = _describe_package(package, [row for row in rows if row.package == package], known)
        pool.AddSerializedFile(described.SerializeToString())
        known.append(described.name)
    return pool


def _parse_table(table: str) -> list[_Row]:
    header, *lines = [line for line in table.splitlines() if not line.startswith("#")]
    ensure(header == _COLUMNS, f"the columns of the table of messages are {header!r}")
    rows = []
    for line in lines:
        name, field, number, kind, *label = line.split("\t")
        rows.append(_Row(name, field, int(number or 0), kind, "".join(label)))
    return rows


def _describe_package(package: str, rows: list[_Row], known: Iterable[str]) -> FileDescriptorProto:
    described = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3", dependency=list(known))
    messages: dict[str, DescriptorProto] = {}
    enumerations: dict[str, EnumDescriptorProto] = {}
    for row in rows:
        parent, _, simple = row.name.rpartition(".")
        if row.type == "enum":
            if row.name not in enumerations:
                owner = described if parent == package else messages[parent]
                enumerations[row.name] = owner.enum_type.add(name=simple)
            enumerations[row.name].value.add(name=row.field, number=row.number)
            continue
        if row.name not in messages:
            messages[row.name] = described.message_type.add(name=simple)
        if row.type != "empty":
            _add_field(messages[row.name], row)
    return described


def _add_field(message: DescriptorProto, row: _Row) -> None:
    label, _, group = row.label.partition(" ")
    kind, _, referenced = row.type.partition(" ")
    field = message.field.add(name=row.field, number=row.number)
    field.label = field.LABEL_REPEATED if label == "repeated" else field.LABEL_OPTIONAL
    # A repeated scalar is packed, as proto3 has it unless told otherwise.
    field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    if referenced:
        field.type_name = f".{referenced}"
    if label == "oneof":
        if group not in [declared.name for declared in message.oneof_decl]:
            message.oneof_decl.add(name=group)
        field.oneof_index = [declared.name for declared in message.oneof_decl].index(group)


TABLE = files("cellvow.node.cometbft").joinpath("abci_fields.tsv").read_text(encoding="utf-8")
"""The table as text."""
POOL = build_pool(TABLE)
"""All descriptors."""


def message_class(name: str) -> MessageClass:
    """The class of the message with this full name, such as `tendermint.types.Header`; `KeyError` if unknown."""
    made: MessageClass = message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))
    return made


def enumerated_numbers(name: str) -> Mapping[str, int]:
    """The numbers of the enumeration with this full name, by value's name; `KeyError` if unknown."""
    return {value.name: value.number for value in POOL.FindEnumTypeByName(name).values}


Request = message_class("tendermint.abci.Request")
Response = message_class("tendermint.abci.Response")

RequestApplySnapshotChunk = message_class("tendermint.abci.RequestApplySnapshotChunk")
RequestCheckTx = message_class("tendermint.abci.RequestCheckTx")
RequestCommit = message_class("tendermint.abci.RequestCommit")
RequestEcho = message_class("tendermint.abci.RequestEcho")
RequestExtendVote = message_class("tendermint.abci.RequestExtendVote")
RequestFinalizeBlock = message_class("tendermint.abci.RequestFinalizeBlock")
RequestFlush = message_class("tendermint.abci.RequestFlush")
RequestInfo = message_class("tendermint.abci.RequestInfo")
RequestInitChain = message_class("tendermint.abci.RequestInitChain")
RequestListSnapshots = message_class("tendermint.abci.RequestListSnapshots")
RequestLoadSnapshotChunk = message_class("tendermint.abci.RequestLoadSnapshotChunk")
RequestOfferSnapshot = message_class("tendermint.abci.RequestOfferSnapshot")
RequestPrepareProposal = message_class("tendermint.abci.RequestPrepareProposal")
RequestProcessProposal = message_class("tendermint.abci.RequestProcessProposal")
RequestQuery = message_class("tendermint.abci.RequestQuery")
RequestVerifyVoteExtension = message_class("tendermint.abci.RequestVerifyVoteExtension")

ResponseApplySnapshotChunk = message_class("tendermint.abci.ResponseApplySnapshotChunk")
ResponseCheckTx = message_class("tendermint.abci.ResponseCheckTx")
ResponseCommit = message_class("tendermint.abci.ResponseCommit")
ResponseEcho = message_class("tendermint.abci.ResponseEcho")
ResponseException = message_class("tendermint.abci.ResponseException")
ResponseExtendVote = message_class("tendermint.abci.ResponseExtendVote")
ResponseFinalizeBlock = message_class("tendermint.abci.ResponseFinalizeBlock")
ResponseFlush = message_class("tendermint.abci.ResponseFlush")
ResponseInfo = message_class("tendermint.abci.ResponseInfo")
ResponseInitChain = message_class("tendermint.abci.ResponseInitChain")
ResponseListSnapshots = message_class("tendermint.abci.ResponseListSnapshots")
ResponseLoadSnapshotChunk = message_class("tendermint.abci.ResponseLoadSnapshotChunk")
ResponseOfferSnapshot = message_class("tendermint.abci.ResponseOfferSnapshot")
ResponsePrepareProposal = message_class("tendermint.abci.ResponsePrepareProposal")
ResponseProcessProposal = message_class("tendermint.abci.ResponseProcessProposal")
ResponseQuery = message_class("tendermint.abci.ResponseQuery")
ResponseVerifyVoteExtension = message_class("tendermint.abci.ResponseVerifyVoteExtension")

CommitInfo = message_class("tendermint.abci.CommitInfo")
Event = message_class("tendermint.abci.Event")
EventAttribute = message_class("tendermint.abci.EventAttribute")
ExecTxResult = message_class("tendermint.abci.ExecTxResult")
Misbehavior = message_class("tendermint.abci.Misbehavior")
ProofOp = message_class("tendermint.crypto.ProofOp")
ProofOps = message_class("tendermint.crypto.ProofOps")
PublicKey = message_class("tendermint.crypto.PublicKey")
Snapshot = message_class("tendermint.abci.Snapshot")
ValidatorUpdate = message_class("tendermint.abci.ValidatorUpdate")
VoteInfo = message_class("tendermint.abci.VoteInfo")

BlockID = message_class("tendermint.types.BlockID")
CanonicalVote = message_class("tendermint.types.CanonicalVote")
Commit = message_class("tendermint.types.Commit")
CommitSig = message_class("tendermint.types.CommitSig")
ConsensusParams = message_class("tendermint.types.ConsensusParams")
Header = message_class("tendermint.types.Header")
SignedHeader = message_class("tendermint.types.SignedHeader")
SimpleValidator = message_class("tendermint.types.SimpleValidator")
Timestamp = message_class("google.protobuf.Timestamp")
ValidatorSet = message_class("tendermint.types.ValidatorSet")
Vote = message_class("tendermint.types.Vote")

BLOCK_ID_FLAG = enumerated_numbers("tendermint.types.BlockIDFlag")
"""What a validator's entry in a commit says: only BLOCK_ID_FLAG_COMMIT counts towards two thirds."""
CHECK_TX_TYPE = enumerated_numbers("tendermint.abci.CheckTxType")
"""NEW, or RECHECK of a transaction already taken."""
MISBEHAVIOR_TYPE = enumerated_numbers("tendermint.abci.MisbehaviorType")
"""What a validator is caught at: DUPLICATE_VOTE or LIGHT_CLIENT_ATTACK."""
