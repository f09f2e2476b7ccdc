"""The ledger whose proofs are weighed: filled, with one checkpoint that three witnesses cosigned."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.ledgers import clock_ms, require_accepted
from benchmarks.members import MAKER, declaration
from cellvow.core.contracts.attestation import attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.errors import ensure
from cellvow.node.bundling import build_bundle
from cellvow.node.home import NodeHome, WitnessAddress
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore
from cellvow.node.witness import Witness
from cellvow.verify import Trust, encode_bundle

WITNESSES = 3
PROOFS = 50
"""Statements whose bundles are built, each a declared value about another battery."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Bundles of single statements, without and with a proof of the state, of one batch message, and the trust."""

    plain: tuple[bytes, ...]
    with_state: tuple[bytes, ...]
    from_batch: bytes
    trust: Trust


def make_proofs(bench: Bench) -> Proven:
    """Submit the statements, publish, and build each one's bundles."""
    filled = bench.filled()
    home, maker = filled.copy(bench.folder("proofs"))
    for number in range(WITNESSES):
        _add_witness(home, bench.folder(f"witness-{number}"), f"witness-{number}.example")
    attested = [declaration(number, 50) for number in range(PROOFS)]
    with home.open_session(clock_ms) as session:
        singles = [session.submit(maker.key().sign_single(one)) for one in attested]
        batched = session.submit(maker.key().sign_batch([declaration(number, 51) for number in range(PROOFS)]))
        require_accepted([*singles, batched])
        cosigned = session.publish().cosignatures
        ensure(cosigned == WITNESSES, f"{cosigned} witnesses cosigned instead of {WITNESSES}")
    store = home.open_reader()
    try:
        digests = [one.result().digest for one in singles]
        plain = tuple(encode_bundle(build_bundle(store, digest)) for digest in digests)
        state = StoredState(store)
        with_state = tuple(_with_state(store, state, digest, number) for number, digest in enumerate(digests))
        from_batch = encode_bundle(build_bundle(store, batched.result().digest))
    finally:
        store.close()
    return Proven(plain, with_state, from_batch, home.trust)


def _with_state(store: LedgerStore, state: StoredState, digest: Digest, number: int) -> bytes:
    attested = declaration(number, 50)
    records = [attestation_key(MAKER, attested.reference), battery_key(attested.battery)]
    return encode_bundle(build_bundle(store, digest, state=state, records=records))


def _add_witness(home: NodeHome, folder: Path, name: str) -> None:
    witness = Witness.create(folder, name, sha256(b"benchmark witness", name.encode()))
    try:
        witness.add_log(home.log_key.name, home.describe()["log"])
        home.add_witness(WitnessAddress(witness.vkey, str(folder)))
    finally:
        witness.close()
