"""What a ledger goes on from: the records of the predecessor that its genesis names, kept in a file beside it."""

from cellvow.core.primitives.errors import VerificationError
from cellvow.node.archive_format import INHERITED_FILE, parse_inherited
from cellvow.node.store import LedgerStore


def read_inherited(store: LedgerStore) -> dict[str, bytes] | None:
    """The predecessor's records, or None where genesis names none; raises `VerificationError` where they are gone.

    Whether they are the right ones shows when the chain is begun with them: genesis names their state root.
    """
    predecessor = store.genesis().predecessor
    if predecessor is None:
        return None
    path = store.folder / INHERITED_FILE
    if not path.is_file():
        raise VerificationError(
            f"{path} is missing: it holds the records of {predecessor.chain_id} that this ledger goes on from; "
            "take it from another member or an archive"
        )
    return parse_inherited(path.read_bytes())
