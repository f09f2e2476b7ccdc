"""The page docs/reference/checkpoint.md shows what the software does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellvow.core.ledger.checkpoint import encode_body, encode_cosigned_message, encode_signature, encode_vkey
from cellvow.core.primitives.limits import CHECKPOINT_BYTES_MAX, CHECKPOINT_SIGNATURES_MAX
from cellvow.node.witness_protocol import PROOF_LINES_MAX, REQUEST_BYTES_MAX
from tests.conformance.c2sp_vectors import CHECKPOINT, COSIGNED, LINES, LOG, WITNESS_KEYS
from tests.simulation.witness_world import NOW_S

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "checkpoint.md"


def fence(content: str) -> str:
    """A block of the page."""
    return f"```text\n{content}```"


def north_line() -> str:
    """The parts of the first cosignature line in hexadecimal."""
    line = LINES[0]
    return (
        f"{encode_signature(line).decode()}"
        f"key id     {line.key_id.hex()}\n"
        f"time       {line.payload[:8].hex()}  (= {NOW_S})\n"
        f"signature  {line.payload[8:40].hex()}\n"
        f"           {line.payload[40:].hex()}\n"
    )


EXAMPLES = {
    "NOTE": fence(COSIGNED.decode()),
    "KEYS": fence("\n".join([encode_vkey(LOG.key), *WITNESS_KEYS, ""])),
    "BODY_LENGTH": f"with their newlines, {len(encode_body(CHECKPOINT))} bytes",
    "COSIGNED": fence(encode_cosigned_message(encode_body(CHECKPOINT), NOW_S).decode()),
    "COSIGNATURE": fence(north_line()),
    "REQUEST": fence(LOG.request(3, 5).decode()),
    "REQUEST_MAX": f"more than {REQUEST_BYTES_MAX:,} bytes",
    "PROOF_MAX": f"at most {PROOF_LINES_MAX} lines",
    "BOUNDS": f"at most {CHECKPOINT_BYTES_MAX:,} bytes and {CHECKPOINT_SIGNATURES_MAX} signature lines",
}


@pytest.mark.parametrize("example", sorted(EXAMPLES))
def test_the_page_shows_what_the_software_computes(example: str) -> None:
    """Each example and each bound of the page is the one in force."""
    assert EXAMPLES[example] in PAGE.read_text("utf-8")


def test_the_page_holds_no_other_example() -> None:
    """Every block of the page is one of those compared."""
    blocks = PAGE.read_text("utf-8").count("```text")

    assert blocks == sum(text.startswith("```text") for text in EXAMPLES.values())
