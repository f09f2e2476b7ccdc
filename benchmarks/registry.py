"""Which benchmarks there are, in the order of the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks import (
    adoption,
    consortium_members,
    consortium_offered,
    consortium_saturation,
    consortium_settings,
    custody_handover,
    growth,
    growth_consortium,
    growth_desk,
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
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import find_engine


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The rows that one measurement gives."""

    names: tuple[str, ...]
    measure: Callable[[Bench], list[Found]]
    needs_engine: bool = False
    """Whether it runs only where the consortium's engine is found."""

    def missing(self, environ: Mapping[str, str]) -> str | None:
        """What is not on this machine, and what to type; None where it can run."""
        if not self.needs_engine:
            return None
        try:
            find_engine(environ)
        except OperationalError as error:
            return str(error)
        return None


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
    Benchmark((custody_handover.NAME,), custody_handover.measure),
    Benchmark((growth_desk.NAME,), growth_desk.measure),
    Benchmark((growth.COMMIT, growth.READ, growth.PROOF), growth.measure),
    Benchmark(
        (
            consortium_offered.THROUGHPUT_500,
            consortium_offered.P95_500,
            consortium_offered.THROUGHPUT_200,
            consortium_offered.P95_200,
        ),
        consortium_offered.measure,
        needs_engine=True,
    ),
    Benchmark(
        (consortium_saturation.SATURATION, consortium_saturation.BODIES, consortium_saturation.ANCHORS),
        consortium_saturation.measure,
        needs_engine=True,
    ),
    Benchmark((consortium_members.COST, consortium_members.ENERGY), consortium_members.measure, needs_engine=True),
    Benchmark((consortium_settings.NAME,), consortium_settings.measure, needs_engine=True),
    Benchmark((growth_consortium.NAME,), growth_consortium.measure),
)


def row_names(benchmarks: Sequence[Benchmark] = BENCHMARKS) -> list[str]:
    """The names of all rows, in order."""
    return [name for one in benchmarks for name in one.names]


def choose(only: str | None, benchmarks: Sequence[Benchmark] = BENCHMARKS) -> list[Benchmark]:
    """Those that give the row asked for; all without a name, none where no row is called so."""
    return [one for one in benchmarks if only is None or only in one.names]
