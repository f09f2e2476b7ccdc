"""`proof.bundle_bytes`: how large the file is that a stranger needs to check one statement."""

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measured import Found, Part, at_most, spread_of
from benchmarks.proof_ledger import WITNESSES, Proven, make_proofs

PLAIN, WITH_STATE = "proof.bundle_bytes", "proof.bundle_bytes_with_state"
PLAIN_MAX, WITH_STATE_MAX = 4_000, 6_000


def measure(bench: Bench) -> list[Found]:
    """Two rows: the plain bundle, and the one that also proves the state of key, attestation and battery."""
    proven = make_proofs(bench)
    state = "; with proofs of three records of the state: the signer's key, the attestation and its battery"
    return [
        _row(PLAIN, proven, proven.plain, PLAIN_MAX, ""),
        _row(WITH_STATE, proven, proven.with_state, WITH_STATE_MAX, state),
    ]


def _row(name: str, proven: Proven, bundles: Sequence[bytes], most: int, also: str) -> Found:
    sizes = [float(len(one)) for one in bundles]
    ratio = max(sizes) / most
    batch = (Part("the same of a message in a batch of 50", len(proven.from_batch), "bytes"),)
    return Found(
        name=name,
        value=median(sizes),
        unit="bytes",
        n=len(sizes),
        spread=spread_of(sizes, "bundles"),
        ratio=ratio,
        bound=Part("the size we allow ourselves", most, "bytes"),
        parts=batch if name == PLAIN else (),
        goals=(at_most("bytes of the largest", max(sizes), most),),
        setting=(
            f"bundles of declared values signed one by one by a registered operational key, under a checkpoint that "
            f"{WITNESSES} witnesses cosigned{also}; the ratio is that of the largest"
        ),
    )
