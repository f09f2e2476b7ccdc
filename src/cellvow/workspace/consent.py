"""What the validators of a consortium have signed of this member's ledger, checked from its genesis on."""

from dataclasses import dataclass

from cellvow.core.contracts.organisation import name_of
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.signature import is_valid
from cellvow.node.store import LedgerStore
from cellvow.verify import verify_consensus_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """The newest proof kept: the validators' header of block `height` vouches for the first `size` leaves.

    `signed_by` are identifiers of the signers' organisations, `names` what these are called, in the same order.
    """

    height: int
    time_ms: int
    size: int
    root: str
    signers: int
    validators: int
    signed_by: tuple[str, ...]
    names: tuple[str, ...]


def read_consent(store: LedgerStore) -> ConsentView | None:
    """What was signed, or None before anything was asked for; raises `VerificationError` for a proof that fails."""
    proof = store.consensus_proof()
    if proof is None:
        return None
    verified = verify_consensus_proof(proof, parse_object(store.genesis().header), is_valid)
    return ConsentView(
        height=verified.height,
        time_ms=verified.time_ms,
        size=verified.size,
        root=verified.root.hex(),
        signers=verified.signers,
        validators=verified.validators,
        signed_by=verified.signed_by,
        names=tuple(name_of(store.get, one) for one in verified.signed_by),
    )
