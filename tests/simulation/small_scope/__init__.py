"""Every sequence of messages about two batteries by three organisations, run by the ledger's own handlers."""
