"""A child process that writes a ledger and prints what was acknowledged, one line each, until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.store import LedgerStore
from tests.bundles.chain import Signer, battery_id, birth


def main() -> None:
    """Arguments: folder, number of the first battery, its sequence."""
    folder, first, sequence = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    store = LedgerStore.open_writer(folder)
    head = store.head()
    engine = EmbeddedEngine(store, lambda: head.time_ms + 1)
    signer = Signer({"maker key": sequence - 1})
    for number in range(first, first + 100_000):
        receipted = engine.submit(signer.single("maker key", "maker", birth(number % 10_000))).result()
        sys.stdout.write(f"{receipted.digest.hex()} {battery_id(number % 10_000)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
