"""The command line: parse, call, present."""

from cellvow.cli.application import app, main

__all__ = ["app", "main"]
