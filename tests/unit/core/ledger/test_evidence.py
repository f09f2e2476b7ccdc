"""Evidence against a validator, as the log's leaf commits to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.ledger.evidence import KINDS, Evidence, encode_evidence, parse_evidence
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed

EVIDENCE = Evidence("duplicate_vote", "ab" * 20, 10, 7, 1_767_225_600_000, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_survives_encoding_and_parsing(kind: str) -> None:
    """Each kind that an engine reports."""
    evidence = replace(EVIDENCE, kind=kind)

    assert evidence == parse_evidence(encode_evidence(evidence))


@pytest.mark.parametrize(
    "changes",
    [{"kind": "rumour"}, {"address": "ab"}, {"address": 7}, {"height": -1}, {"power": True}, {"more": 1}],
)
def test_what_is_no_evidence_is_refused(changes: dict[str, Json]) -> None:
    """A closed form with whole numbers."""
    document = {**parse_object(encode_evidence(EVIDENCE)), **changes}
    with pytest.raises(Malformed):
        parse_evidence(encode_document(document))
