"""The values others have shown this organisation, from kept bundles: each verified once, and anew if it changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.verify import Trust, parse_bundle, verify_bundle
from cellvow.workspace.sharing import BUNDLE_SUFFIX


@dataclass(frozen=True, slots=True)
class Received:
    """What one verified bundle discloses, and the message (statement in hexadecimal, index) that committed to it."""

    statement: str
    index: int
    disclosures: tuple[Disclosure, ...]


class ReceivedBundles:
    """The bundles in a folder. Shared by threads: the worst of a race is a bundle verified twice.

    What was verified is remembered by the digest of the whole file: a file that was changed, however little and
    whatever its dates say, is another one. All is forgotten when the trust changes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._trust: Trust | None = None
        self._verified: Mapping[Digest, Received] = {}

    def read(self, trust: Trust) -> list[Received]:
        """Every kept bundle; raises `VerificationError` naming a file that does not verify."""
        known = self._verified if trust == self._trust else {}
        present: dict[Digest, Received] = {}
        for path in sorted(self._folder.glob(f"*{BUNDLE_SUFFIX}")):
            data = path.read_bytes()
            digest = sha256(data)
            present[digest] = known[digest] if digest in known else _verify(path, data, trust)
        self._trust, self._verified = trust, present
        return list(present.values())


def _verify(path: Path, data: bytes, trust: Trust) -> Received:
    try:
        verified = verify_bundle(data, trust, is_valid)
    except VerificationError as error:
        raise VerificationError(f"{path.name} no longer verifies ({error}): ask for it anew") from error
    disclosures = tuple(Disclosure(one.salt, one.field) for one in parse_bundle(data).disclosures)
    return Received(verified.statement_digest, verified.index, disclosures)
