"""What the ledger consists of: statements, outcomes, blocks, log, state, genesis, checkpoints."""
