"""A consortium in one process, the same story for the same seed: real members around a model of their engines."""
