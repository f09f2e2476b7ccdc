"""One member's node: engine, store, witness, checks of the whole ledger."""
