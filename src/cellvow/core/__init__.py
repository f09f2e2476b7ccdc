"""Everything the nodes must agree on: pure, exact, ordered, bounded."""
