"""Bundles of every shape, sound and mutated, for the two verifiers to agree on."""
