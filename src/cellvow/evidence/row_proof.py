"""Proof that one row lies in an anchored archive, giving away no other row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.encoding import Json, parse_document
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.merkle import inclusion_path, tree_root, verify_inclusion
from cellvow.evidence.archive import CHUNK_LEVEL, CHUNK_ROWS, read_chunks
from cellvow.evidence.archive_rows import COLUMNS, check_file_key, leaves, row_bytes, row_leaf, row_salt

ROW_BYTES_MAX = 200
"""Seven integers below 2^53 with their signs and commas."""


@dataclass(frozen=True, slots=True)
class RowProof:
    """One row, its salt and the way to the root."""

    index: int
    """Counted from 0."""
    row: bytes
    """Canonical JSON list; see `cellvow.evidence.archive_rows`."""
    salt: Digest
    path: tuple[Digest, ...]
    """Audit path, leaf to root (RFC 9162 section 2.1.3)."""
    size: int
    """Rows of the archive."""

    def document(self) -> dict[str, Json]:
        """The proof as integers and lower-case hex."""
        return {
            "index": self.index,
            "row": self.row.decode("ascii"),
            "salt": self.salt.hex(),
            "path": [digest.hex() for digest in self.path],
            "size": self.size,
        }


def prove_row(path: Path, file_key: bytes, index: int) -> RowProof:
    """The proof of row `index` (from 0) of the archive at `path`; raises `Malformed` where there is none."""
    check_file_key(file_key)
    roots: list[Digest] = []
    own: list[Digest] = []
    newest: list[Digest] = []
    row, size = b"", 0
    for cells in read_chunks(path):
        rows = row_bytes(size, cells)
        newest = leaves(file_key, size, rows)
        roots.append(tree_root(newest))
        if size <= index < size + len(rows):
            row, own = rows[index - size], newest
        size += len(rows)
    if not 0 <= index < size:
        raise Malformed(f"{path.name} has no row {index}: it has rows 0 to {size - 1}")
    kept = {index // CHUNK_ROWS: own, len(roots) - 1: newest}
    audit = inclusion_path(_fetch(roots, kept), index, size)
    return RowProof(index, row, row_salt(file_key, index), tuple(audit), size)


def verify_row(proof: RowProof, root: bytes, size: int) -> dict[str, int | None]:
    """The values of a proven row by column name; `root` and `size` are those that were anchored.

    Raises `VerificationError` unless the proof leads from the row to the root of exactly that many rows.
    """
    if proof.size != size:
        raise VerificationError(f"the proof is for {proof.size} rows, the anchor for {size}")
    values = _parse_row(proof)
    if len(proof.salt) != DIGEST_LENGTH or any(len(digest) != DIGEST_LENGTH for digest in proof.path):
        raise VerificationError("the salt or a hash of the path does not have 32 bytes")
    leaf = row_leaf(proof.salt, proof.row)
    if verify_inclusion(leaf, proof.index, proof.size, proof.path) != root:
        raise VerificationError("the row does not lead to the anchored root")
    return values


def parse_row_proof(document: Json) -> RowProof:
    """A proof from `RowProof.document`; raises `Malformed` for any other shape or spelling."""
    keys = {"index", "row", "salt", "path", "size"}
    if not isinstance(document, dict) or set(document) != keys:
        raise Malformed("a row proof has exactly the fields index, row, salt, path and size")
    index, size, row, path = (document[key] for key in ("index", "size", "row", "path"))
    if type(index) is not int or type(size) is not int:
        raise Malformed("index and size of a row proof are integers")
    if not isinstance(row, str) or not row.isascii() or len(row) > ROW_BYTES_MAX:
        raise Malformed(f"the row of a row proof is ASCII text of at most {ROW_BYTES_MAX} characters")
    if not isinstance(path, list):
        raise Malformed("the path of a row proof is a list")
    audit = tuple(_digest(step) for step in path)
    return RowProof(index, row.encode("ascii"), _digest(document["salt"]), audit, size)


def _digest(value: Json) -> Digest:
    if isinstance(value, str) and len(value) == 2 * DIGEST_LENGTH and set(value) <= set("0123456789abcdef"):
        return Digest(bytes.fromhex(value))
    raise Malformed("a hash in a row proof is 64 lower-case hexadecimal digits")


def _parse_row(proof: RowProof) -> dict[str, int | None]:
    try:
        cells = parse_document(proof.row, bytes_max=ROW_BYTES_MAX)
    except Malformed as error:
        raise VerificationError(f"the row is not in canonical form: {error}") from error
    if not isinstance(cells, list) or len(cells) != len(COLUMNS) + 1:
        raise VerificationError(f"a row is a list of {len(COLUMNS) + 1} entries")
    values: dict[str, int | None] = {}
    for name, cell in zip(("index", *COLUMNS), cells, strict=True):
        if cell is not None and type(cell) is not int:
            raise VerificationError(f"the entry {name} of the row is no integer")
        values[name] = cell if type(cell) is int else None
    if values["index"] != proof.index:
        raise VerificationError(f"the row says it is row {values['index']}, the proof says {proof.index}")
    return values


def _fetch(roots: list[Digest], kept: dict[int, list[Digest]]) -> Callable[[int, int], Digest]:
    """Subtrees from the roots of whole chunks, and from the leaves of the row's own and of the last chunk."""

    def fetch(level: int, position: int) -> Digest:
        if level >= CHUNK_LEVEL:
            width = 1 << (level - CHUNK_LEVEL)
            return tree_root(roots[position * width : (position + 1) * width])
        first = position << level
        start = first % CHUNK_ROWS
        return tree_root(kept[first // CHUNK_ROWS][start : start + (1 << level)])

    return fetch
