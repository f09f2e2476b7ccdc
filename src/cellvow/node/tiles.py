"""A log cut into static files as c2sp.org/tlog-tiles lays them out: where each lies, and how it grows from leaves.

tile/0/x001/x234/067        hashes of leaves 256 * 1,234,067 and the 255 after it, 32 bytes each
tile/1/000.p/3              hashes of the first three complete subtrees of 256 leaves
tile/entries/000            the contents of leaves 0 to 255, each behind its length in two bytes
"""

from collections.abc import Callable, Iterator

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.errors import VerificationError, ensure
from cellvow.core.primitives.merkle import Frontier, leaf_hash, tree_root

HEIGHT = 8
"""Levels of the tree in one tile (tlog-tiles fixes it)."""
WIDTH = 1 << HEIGHT
"""Hashes in a full tile, entries in a full bundle."""
ENTRY_BYTES_MAX = (1 << 16) - 1
"""Longest entry: its length takes two bytes."""
ENTRIES = "tile/entries"
"""Where the entry bundles lie."""

Keep = Callable[[str, bytes], None]
"""(path, content) of a file that is finished; writes it, or compares it with the one that is there."""

_LENGTH = 2


def name_file(folder: str, number: int, width: int = WIDTH) -> str:
    """Path of the file of that number: groups of three digits, `.p/width` behind one that is not full yet."""
    ensure(number >= 0 and 0 < width <= WIDTH, "a tile has a number and holds 1 to 256 hashes")
    groups = [f"{number % 1000:03d}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03d}")
    path = f"{folder}/{'/'.join(groups)}"
    return path if width == WIDTH else f"{path}.p/{width}"


def name_tile(level: int, number: int, width: int = WIDTH) -> str:
    """Path of a tile of hashes; level 0 holds those of leaves."""
    return name_file(f"tile/{level}", number, width)


def name_last(folder: str, size: int) -> Iterator[str]:
    """Path of the file that `size` leaves leave unfinished in a folder with one entry per leaf, if there is one."""
    if size % WIDTH:
        yield name_file(folder, size // WIDTH, size % WIDTH)


def encode_entries(entries: list[bytes]) -> bytes:
    """A bundle of leaf contents."""
    ensure(all(len(entry) <= ENTRY_BYTES_MAX for entry in entries), "a leaf's content is longer than 65,535 bytes")
    return b"".join(len(entry).to_bytes(_LENGTH, "big") + entry for entry in entries)


def split_entries(bundle: bytes, width: int, path: str) -> list[bytes]:
    """The contents of the `width` leaves in a bundle; raises `VerificationError` for another number of them."""
    entries: list[bytes] = []
    at = 0
    while at + _LENGTH <= len(bundle) and len(entries) < width:
        end = at + _LENGTH + int.from_bytes(bundle[at : at + _LENGTH], "big")
        entries.append(bundle[at + _LENGTH : end])
        at = end
    if len(entries) != width or at != len(bundle):
        raise VerificationError(f"{path} does not hold exactly {width} entries: it was cut off or altered")
    return entries


def split_hashes(tile: bytes, width: int, path: str) -> list[Digest]:
    """The `width` hashes of a tile; raises `VerificationError` for another number of them."""
    if len(tile) != width * DIGEST_LENGTH:
        raise VerificationError(f"{path} does not hold exactly {width} hashes: it was cut off or altered")
    return [Digest(tile[at : at + DIGEST_LENGTH]) for at in range(0, len(tile), DIGEST_LENGTH)]


class Tiling:
    """Cuts a growing log into tiles and entry bundles, and hands each to `keep` as soon as it is full."""

    def __init__(self, keep: Keep) -> None:
        self._keep = keep
        self._size = 0
        self._edges: list[list[Digest]] = [[]]
        self._entries: list[bytes] = []

    @classmethod
    def resume(cls, keep: Keep, size: int, read: Callable[[str], bytes]) -> "Tiling":
        """Go on after `size` leaves, a multiple of 256, with the unfinished tiles of upper levels read back."""
        ensure(size % WIDTH == 0, "a tiling goes on where a bundle ended")
        tiling = cls(keep)
        tiling._size = size
        level = 1
        while size >> HEIGHT * level:
            hashes = size >> HEIGHT * level
            width = hashes % WIDTH
            path = name_tile(level, hashes // WIDTH, width or WIDTH)
            tiling._edges.append(split_hashes(read(path), width, path) if width else [])
            level += 1
        return tiling

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self._size

    @property
    def root(self) -> Digest:
        """Root over all leaves so far."""
        peaks = [peak for edge in reversed(self._edges) for peak in _peaks(edge)]
        return Frontier(self._size, tuple(peaks)).root()

    def append(self, content: bytes) -> Digest:
        """Add a leaf by its content; its hash."""
        self._entries.append(content)
        leaf = leaf_hash(content)
        self._size += 1
        if len(self._entries) == WIDTH:
            self._keep(name_file(ENTRIES, self._size // WIDTH - 1), encode_entries(self._entries))
            self._entries = []
        self._push(0, leaf)
        return leaf

    def finish(self) -> None:
        """Hand over what is not full."""
        for path in name_last(ENTRIES, self._size):
            self._keep(path, encode_entries(self._entries))
        for level, edge in enumerate(self._edges):
            if edge:
                number = self._size >> HEIGHT * (level + 1)
                self._keep(name_tile(level, number, len(edge)), b"".join(edge))

    def _push(self, level: int, digest: Digest) -> None:
        if level == len(self._edges):
            self._edges.append([])
        edge = self._edges[level]
        edge.append(digest)
        if len(edge) == WIDTH:
            number = (self._size >> HEIGHT * (level + 1)) - 1
            self._keep(name_tile(level, number), b"".join(edge))
            self._edges[level] = []
            self._push(level + 1, tree_root(edge))


def _peaks(edge: list[Digest]) -> Iterator[Digest]:
    position = 0
    for height in range(HEIGHT - 1, -1, -1):
        if len(edge) >> height & 1:
            yield tree_root(edge[position : position + (1 << height)])
            position += 1 << height
