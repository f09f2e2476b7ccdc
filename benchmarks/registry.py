"""Which benchmarks there are, in the order of the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import (
    adoption,
    growth,
    ledger_batch,
    ledger_fsck,
    ledger_http,
    ledger_latency,
    ledger_single,
    passport_page,
    proof_bytes,
    proof_verify,
)
from benchmarks.bench import Bench
from benchmarks.measured import Found


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The rows that one measurement gives."""

    names: tuple[str, ...]
    measure: Callable[[Bench], list[Found]]


BENCHMARKS = (
    Benchmark((ledger_single.NAME,), ledger_single.measure),
    Benchmark((ledger_batch.NAME,), ledger_batch.measure),
    Benchmark((ledger_http.NAME,), ledger_http.measure),
    Benchmark((ledger_latency.NAME,), ledger_latency.measure),
    Benchmark((proof_bytes.PLAIN, proof_bytes.WITH_STATE), proof_bytes.measure),
    Benchmark((proof_verify.NAME, proof_verify.PURE), proof_verify.measure),
    Benchmark((ledger_fsck.NAME,), ledger_fsck.measure),
    Benchmark((passport_page.NAME,), passport_page.measure),
    Benchmark((adoption.NAME,), adoption.measure),
    Benchmark((growth.COMMIT, growth.READ, growth.PROOF), growth.measure),
)


def row_names(benchmarks: Sequence[Benchmark] = BENCHMARKS) -> list[str]:
    """The names of all rows, in order."""
    return [name for one in benchmarks for name in one.names]


def choose(only: str | None, benchmarks: Sequence[Benchmark] = BENCHMARKS) -> list[Benchmark]:
    """Those that give the row asked for; all without a name, none where no row is called so."""
    return [one for one in benchmarks if only is None or only in one.names]
