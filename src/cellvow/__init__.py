"""Cellvow: the signed life of a battery, verifiable by anyone."""

__all__ = ["__version__"]

__version__ = "0.1.0"
