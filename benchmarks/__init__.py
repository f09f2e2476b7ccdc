"""What the ledger costs, measured beside what it could cost at best on the same machine: `python -m benchmarks`."""
