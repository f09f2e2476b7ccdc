"""docs/reference/formats.md shows real bytes; each form has one spelling, and no bit of it is without meaning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cellvow.core.ledger.checkpoint import encode_note, parse_note
from cellvow.core.ledger.genesis import encode_genesis, parse_genesis
from cellvow.core.ledger.log import encode_block_leaf, parse_block_leaf
from cellvow.core.ledger.outcome import encode_outcome, parse_outcome
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.encoding import encode_document, parse_document
from cellvow.core.primitives.errors import Malformed
from cellvow.verify import encode_bundle, parse_bundle
from tests.bundles.chain import make_genesis
from tests.bundles.example import Form, build_forms, replace_example

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "formats.md"

ROUND_TRIPS: dict[str, Callable[[bytes], bytes]] = {
    "message": lambda data: encode_document(parse_document(data)),
    "payload": lambda data: encode_document(parse_document(data)),
    "protected header": lambda data: encode_cbor(parse_cbor(data)),
    "signed bytes (Sig_structure)": lambda data: encode_cbor(parse_cbor(data)),
    "statement (COSE_Sign1)": lambda data: parse_statement(data).envelope.cose,
    "outcome": lambda data: encode_outcome(parse_outcome(data)),
    "block document": lambda data: encode_block_leaf(parse_block_leaf(data)),
    "checkpoint, cosigned by two": lambda data: encode_note(parse_note(data).checkpoint, parse_note(data).signatures),
    "bundle": lambda data: encode_bundle(parse_bundle(data)),
}


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> list[Form]:
    """The example's forms."""
    return build_forms(tmp_path_factory.mktemp("example") / "ledger")


def test_the_example_on_the_page_is_what_the_software_makes(forms: list[Form]) -> None:
    """The page is generated: `python -m tools.make_formats` writes it."""
    page = PAGE.read_text(encoding="utf-8")

    assert replace_example(page, forms) == page


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROUND_TRIPS))
def test_a_mutated_form_is_refused_or_says_something_else(name: str, forms: list[Form]) -> None:
    """Flipping any bit gives bytes that are refused, or the one spelling of another value; never a second spelling."""
    content = next(form.content for form in forms if form.name == name)
    round_trip = ROUND_TRIPS[name]
    assert round_trip(content) == content
    second_spellings = []
    for place in range(0, 8 * len(content), 3):
        changed = bytearray(content)
        changed[place >> 3] ^= 1 << (place & 7)
        try:
            again = round_trip(bytes(changed))
        except Malformed:
            continue
        if again != bytes(changed):
            second_spellings.append(place)

    assert [] == second_spellings


def test_a_lenient_reader_would_be_found_out(forms: list[Form]) -> None:
    """Control: Python's own JSON reader takes white space, so the same search finds a second spelling."""
    import json

    content = next(form.content for form in forms if form.name == "message")
    spaced = content.replace(b",", b", ", 1)

    assert json.dumps(json.loads(spaced), separators=(",", ":"), sort_keys=True).encode() == content
    with pytest.raises(Malformed):
        parse_document(spaced)


def test_a_genesis_file_has_one_spelling() -> None:
    """Reading and writing a genesis file gives the same bytes, and a changed order of organisations is refused."""
    data = encode_genesis(make_genesis())

    assert encode_genesis(parse_genesis(data)) == data
    swapped = data.replace(b'"organisation":"buyer"', b'"organisation":"zebra"')
    with pytest.raises(Malformed, match="in order"):
        parse_genesis(swapped)
