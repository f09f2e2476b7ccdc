"""`proof.verify`: how long a stranger's check of a bundle takes, beside the signature checks it cannot avoid."""

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measured import Found, Part, at_most, ratio_of, spread_of
from benchmarks.proof_ledger import Proven, make_proofs
from benchmarks.sampling import alternate, seconds_each
from cellvow.core.primitives import ed25519, signature
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.signature import SignatureCheck
from cellvow.verify import verify_bundle

NAME, PURE = "proof.verify", "proof.verify_pure_python"
RATIO_MAX = 3
MESSAGE = bytes(200)
"""About the length of what a statement's signature covers; hashing it is no part that would show."""


def measure(bench: Bench) -> list[Found]:
    """Two rows: with libsodium as our processes use it, and in plain Python as the single-file verifier does."""
    proven = make_proofs(bench)
    return [
        _row(bench, proven, NAME, signature.is_valid, bench.size(200, 20)),
        _row(bench, proven, PURE, ed25519.is_valid, bench.size(10, 2)),
    ]


def count_checks(bundle: bytes, proven: Proven) -> int:
    """How many signatures the verifier checks in this bundle."""
    checked = 0

    def check(public_key: bytes, message: bytes, signed: bytes) -> bool:
        nonlocal checked
        checked += 1
        return signature.is_valid(public_key, message, signed)

    verify_bundle(bundle, proven.trust, check)
    return checked


def _row(bench: Bench, proven: Proven, name: str, check: SignatureCheck, times: int) -> Found:
    bundle, with_state = proven.plain[0], proven.with_state[0]
    checks = count_checks(bundle, proven)
    key = sha256(b"benchmark verify")
    public_key, signed = signature.derive_public_key(key), signature.sign(key, MESSAGE)
    ours, theirs = alternate(
        lambda: seconds_each(lambda: verify_bundle(bundle, proven.trust, check), times),
        lambda: checks * seconds_each(lambda: check(public_key, MESSAGE, signed), times),
        bench.runs,
    )
    bench.say(f"{name}: {1e3 * median(ours):.2f} ms")
    stateful = 1e3 * seconds_each(lambda: verify_bundle(with_state, proven.trust, check), times)
    ratio = ratio_of(ours, theirs)
    milliseconds = _milliseconds(ours)
    with_what = "libsodium" if name == NAME else "our Ed25519 in plain Python"
    return Found(
        name=name,
        value=median(milliseconds),
        unit="ms",
        n=bench.runs,
        spread=spread_of(milliseconds),
        ratio=ratio,
        bound=Part(f"{checks} signature checks with {with_what}", median(_milliseconds(theirs)), "ms"),
        parts=(Part("the same with three records of the state proven", stateful, "ms"),),
        goals=(at_most("ratio", ratio, RATIO_MAX),),
        setting=(
            f"all numbered checks of one plain bundle, from its bytes, {times} times a run; one process, one thread, "
            f"{with_what}"
        ),
    )


def _milliseconds(values: Sequence[float]) -> list[float]:
    return [1e3 * one for one in values]
