"""Bytes, digests, trees, signatures, quantities and bounds."""
