"""What may be stated, and the rules it must keep: records, messages and handlers by subject."""
