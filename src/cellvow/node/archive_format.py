"""The files of an archive, each in its one spelling: what verifies without our database, and is enough to replay.

    archive.json    {"chain_id":..,"circle":"members","format":"cellvow/archive/v1","genesis":..}
    genesis.json    the document the ledger started from
    checkpoint      the newest signed note: everything else is about its leaves
    consensus       in its place where genesis names validators: their proof, as in a bundle
    inherited       members': the predecessor's records, where genesis names one, as it goes on from them
    manifest        SHA-256 of every finished file, two spaces, its path: `sha256sum -c manifest` reads it
    tile/           tiles and entry bundles of the log (`tiles`), of which everybody may see all
    blocks/000      the blocks whose first leaf is one of 0 to 255: what it takes to replay; for members

A finished file never changes. Only `manifest` and `checkpoint` (or `consensus`) are replaced, in this order.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.checkpoint import parse_note
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.log import GENESIS
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.records import MemoryState
from cellvow.verify.consensus import verify_consensus_proof

FORMAT = "cellvow/archive/v1"
MEMBERS, WORLD = "members", "world"
"""Whose eyes an archive is for: with the blocks, or without them."""
ARCHIVE_FILE = "archive.json"
GENESIS_FILE = "genesis.json"
CHECKPOINT_FILE = "checkpoint"
CONSENSUS_FILE = "consensus"
MANIFEST_FILE = "manifest"
INHERITED_FILE = "inherited"
BLOCKS = "blocks"
"""Where the blocks lie."""

_LENGTH = 4

Progress = Callable[[int, int], None]
"""(leaves done, leaves in all)."""


def ignore_progress(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Where an archive ends, and the file whose signatures vouch for it."""

    file: str
    content: bytes
    origin: str
    size: int
    root: Digest


def vouched_by_note(note: bytes) -> Vouched:
    """The end that a signed checkpoint vouches for; raises `Malformed`."""
    checkpoint = parse_note(note).checkpoint
    return Vouched(CHECKPOINT_FILE, note, checkpoint.origin, checkpoint.size, checkpoint.root)


def vouched_by_consensus(proof: bytes, genesis: Genesis) -> Vouched:
    """The end that a genesis' validators vouch for; raises `Malformed` or `VerificationError` where they do not."""
    verified = verify_consensus_proof(proof, parse_object(genesis.header), is_valid)
    return Vouched(CONSENSUS_FILE, proof, verified.chain_id, verified.size, verified.root)


def name_end(genesis: Genesis) -> str:
    """The file that says where an archive of this genesis ends."""
    return CONSENSUS_FILE if genesis.validators else CHECKPOINT_FILE


def parse_end(content: bytes, genesis: Genesis) -> Vouched:
    """The end that the content of that file vouches for."""
    return vouched_by_consensus(content, genesis) if genesis.validators else vouched_by_note(content)


@dataclass(frozen=True, slots=True)
class Facts:
    """What `archive.json` says."""

    chain_id: str
    circle: str
    genesis: str


def encode_facts(facts: Facts) -> bytes:
    """The one spelling of `archive.json`."""
    return encode_document(
        {"chain_id": facts.chain_id, "circle": facts.circle, "format": FORMAT, "genesis": facts.genesis}
    )


def parse_facts(data: bytes) -> Facts:
    """What `archive.json` says; raises `Malformed`."""
    document = parse_object(data)
    chain_id, circle, genesis = (document.get(name) for name in ("chain_id", "circle", "genesis"))
    if sorted(document) != ["chain_id", "circle", "format", "genesis"] or document["format"] != FORMAT:
        raise Malformed(f"{ARCHIVE_FILE} is not that of an archive in the form {FORMAT}: is this another folder?")
    if not (isinstance(chain_id, str) and isinstance(genesis, str) and circle in (MEMBERS, WORLD)):
        raise Malformed(f"{ARCHIVE_FILE} names chain, circle and genesis in words")
    return Facts(chain_id, str(circle), genesis)


def encode_manifest(digests: dict[str, str]) -> bytes:
    """Path -> SHA-256 in hexadecimal, as `sha256sum` writes it, by path."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode("ascii")


def parse_manifest(data: bytes) -> dict[str, str]:
    """Path -> SHA-256 in hexadecimal; raises `Malformed` for another spelling."""
    try:
        lines = data.decode("ascii").splitlines()
        digests = {path: digest for digest, path in (line.split("  ", 1) for line in lines)}
    except ValueError as error:
        raise Malformed("the manifest is not lines of a digest, two spaces and a path") from error
    if encode_manifest(digests) != data or any(".." in path or path.startswith("/") for path in digests):
        raise Malformed("the manifest is not in its one spelling: ordered by path, each path once, none outside")
    return digests


def encode_block(block: Block) -> bytes:
    """One block of a run: length of what follows in four bytes, then CBOR with everything that replaying takes."""
    content = encode_cbor(
        {
            "evidence": list(block.evidence),
            "height": block.height,
            "statements": [statement.data for statement in block.statements],
            "time_ms": block.time_ms,
        }
    )
    return len(content).to_bytes(_LENGTH, "big") + content


def split_blocks(run: bytes, path: str) -> Iterator[Block]:
    """The blocks of a run, in order; raises `VerificationError` where it was cut off or altered."""
    at = 0
    while at < len(run):
        end = at + _LENGTH + int.from_bytes(run[at : at + _LENGTH], "big")
        if end > len(run):
            raise VerificationError(f"{path} was cut off: copy it from another archive of this ledger")
        try:
            yield _parse_block(run[at + _LENGTH : end])
        except Malformed as error:
            raise VerificationError(f"{path} holds something else than blocks at byte {at}: {error}") from error
        at = end


def _parse_block(content: bytes) -> Block:
    document = parse_cbor(content)
    if not isinstance(document, dict) or sorted(map(str, document)) != ["evidence", "height", "statements", "time_ms"]:
        raise Malformed("a block has exactly evidence, height, statements and time_ms")
    height, time_ms = document["height"], document["time_ms"]
    evidence, statements = document["evidence"], document["statements"]
    if not (isinstance(height, int) and isinstance(time_ms, int)):
        raise Malformed("height and time of a block are integers")
    if not (isinstance(evidence, list) and isinstance(statements, list)):
        raise Malformed("evidence and statements of a block are arrays of byte strings")
    return Block(
        height, time_ms, tuple(parse_statement(_bytes(one)) for one in statements), tuple(map(_bytes, evidence))
    )


def encode_inherited(records: Mapping[str, bytes]) -> bytes:
    """A predecessor's records by key, each as length and CBOR like the blocks of a run."""
    pairs = [encode_cbor([key, records[key]]) for key in sorted(records)]
    return b"".join(len(pair).to_bytes(_LENGTH, "big") + pair for pair in pairs)


def parse_inherited(data: bytes) -> dict[str, bytes]:
    """A predecessor's records; raises `Malformed` for any other spelling of them."""
    records: dict[str, bytes] = {}
    at = 0
    while at < len(data):
        end = at + _LENGTH + int.from_bytes(data[at : at + _LENGTH], "big")
        pair = parse_cbor(data[at + _LENGTH : end])
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise Malformed(f"{INHERITED_FILE} does not hold pairs of a key and a record")
        records[pair[0]] = _bytes(pair[1])
        at = end
    if encode_inherited(records) != data:
        raise Malformed(f"{INHERITED_FILE} is not in its one spelling: by key, each once")
    return records


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("what a block carries are byte strings")
    return value


def genesis_entry(genesis: Genesis, inherited: Mapping[str, bytes] | None = None) -> bytes:
    """Content of leaf 0; raises `Malformed` where genesis and what it inherits do not go together."""
    state = MemoryState()
    begin_chain(genesis, state, inherited)
    return GENESIS + genesis.digest + state.tree.root
