"""HTTP edges: parse, call, present."""
