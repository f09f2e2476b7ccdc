"""Bundles of version 3, built from the specification alone, before both verifiers: fields and documents disclosed."""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.bundles import mutation
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_bundles import FIELD, SALT, Case, Kind, build_case, encode_document, sha256
from tests.conformance.javascript_process import flip, verify_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conformance.javascript_bundles import Change

pytestmark = [pytest.mark.node, pytest.mark.slow]

SALTS = [sha256(bytes([n, n])) for n in range(4)]
PAPER = b"%PDF- the expert's report"
TEXT: dict[str, Any] = {"kind": "position", "text": "It was never ours."}
DOCUMENT: dict[str, Any] = {"bytes": len(PAPER), "name": "report.pdf", "sha256": sha256(PAPER).hex()}
PLACES = ["/evidence/0", "/evidence/1", "/text"]
OTHER: dict[str, Any] = {"kind": "document", "name": "photo.png", "sha256": "ab" * 32}
OPENED = dict(zip(PLACES, zip(SALTS, (DOCUMENT, OTHER, TEXT), strict=False), strict=True))


def commitment(salt: bytes, field: dict[str, Any]) -> str:
    """What stands on the ledger."""
    return hmac.digest(salt, b"cellvow/field/v1\0" + encode_document(field), "sha256").hex()


def position(_: object = None) -> dict[str, Any]:
    """A position with a text and two documents."""
    said = {at: {"commitment": commitment(*opened)} for at, opened in OPENED.items()}
    message: dict[str, Any] = {"type": "StatePosition", "battery": "01/09506000134352/21/A1", "opener": "acme"}
    evidence = [said["/evidence/0"], said["/evidence/1"]]
    return message | {"evidence": evidence, "reference": "D-1", "text": said["/text"], "0": {}}


def disclosed(at: str, document: bytes | None = None) -> dict[str, Any]:
    """One disclosure."""
    salt, field = OPENED[at]
    papers = [] if document is None else [document]
    return {"at": at, "salt": salt, "field": encode_document(field), "document": papers}


def third(shown: Sequence[dict[str, Any]], kind: Kind) -> Change:
    """The change of a bundle to version 3 with these disclosures."""

    def change(bundle: dict[str, Any]) -> dict[str, Any]:
        if not (kind.by_state or kind.by_validators):
            bundle = {name: value for name, value in bundle.items() if name not in ("checkpoint", "admission")} | {
                "vouched": {"note": bundle["checkpoint"]},
                "admission": [bundle["admission"]],
                "rotations": [],
            }
        return bundle | {"version": 3, "disclosures": list(shown)}

    return change


def build(shown: Sequence[dict[str, Any]], kind: Kind = Kind(), message: Change = position, **changes: Change) -> Case:  # noqa: B008 - a tuple
    """A position that discloses this."""
    scope = ["Countersign", "CorrectStatement", "IssueAttestation", "StatePosition"]
    admitted: Change = lambda given: given | {"scope": scope}  # noqa: E731 - a change is a function
    pieces: dict[str, Change] = {"registration": admitted, "key_record": admitted, "bundle": third(shown, kind)}
    return build_case(kind, message=message, **(pieces | changes))


def verdicts(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What both verifiers say of each case, once they have been found to say the same."""
    ours = [judge(mutation.Case(case.encoded, case.trust.encode(), "")) for case in cases]
    theirs = verify_lines([(case.encoded, case.trust) for case in cases])
    names = [FIELDS if one["ok"] else ("check",) for one in ours]
    shown = [{"ok": one["ok"]} | {name: one[name] for name in each} for one, each in zip(theirs, names, strict=True)]

    assert ours == shown
    return theirs


ALL = [disclosed("/evidence/0", PAPER), disclosed("/evidence/1"), disclosed("/text")]


@pytest.mark.parametrize("kind", [Kind(), Kind(is_batch=True), Kind(by_state=True, by_validators=True)], ids=str)
def test_a_text_and_its_documents_are_disclosed_in_both(kind: Kind) -> None:
    """Each at its place; a document that is shown is the one committed to; whoever vouches, and in a batch too."""
    (result,) = verdicts([build(ALL, kind)])

    assert result["ok"], result
    assert [DOCUMENT, OTHER, TEXT] == result["disclosures"]
    assert PLACES == result["places"]
    assert [DOCUMENT["sha256"], None, None] == result["documents"]
    assert "accepted" == result["outcome"]


def test_what_is_not_asked_for_stays_closed() -> None:
    """Any choice of fields is a bundle of its own, and shows none of the others."""
    results = verdicts([build([one]) for one in ALL])

    assert [[one["at"]] for one in ALL] == [result["places"] for result in results]


def attest(_: object = None) -> dict[str, Any]:
    """An attestation with one result."""
    return {"type": "IssueAttestation", "results": [{"quantity": "capacity", "commitment": commitment(SALT, FIELD)}]}


def correct(_: object = None) -> dict[str, Any]:
    """Its correction."""
    return {"type": "CorrectStatement", "replacement": attest()}


def result_at(at: str, document: bytes | None = None, field: dict[str, Any] = FIELD) -> dict[str, Any]:
    """The disclosure of that result in version 3."""
    papers = [] if document is None else [document]
    return {"at": at, "salt": SALT, "field": encode_document(field), "document": papers}


def of_paper(at: str = "/results/0", quantity: Any = "capacity", paper: bytes = PAPER, **more: object) -> Case:  # noqa: ANN401 - a lie may be anything
    """An attestation, or its correction, whose result is a document that is shown."""
    field = {"quantity": quantity, "sha256": sha256(paper).hex()} | more
    made = correct() if at.startswith("/replacement") else attest()
    (result,) = made.get("replacement", made)["results"]
    result["commitment"] = commitment(SALT, field)
    if not isinstance(quantity, str):
        result["quantity"] = quantity
    return build([result_at(at, paper, field)], message=lambda _: made)


def test_a_document_behind_a_result_is_disclosed_too() -> None:
    """A test report is the result of an attestation: its place is among the results, also of a correction."""
    places = ["/results/0", "/replacement/results/0"]
    results = verdicts([of_paper(at) for at in places])

    assert [[at] for at in places] == [result.get("places") for result in results]


def test_a_second_signature_discloses_what_it_orders() -> None:
    """The places are those of the message under it, not of the signature's own."""
    ordered: Change = lambda _: {"type": "Countersign", "order": position()}  # noqa: E731 - as above
    outcome: Change = lambda _: {"events": [{"type": "Done", "first": "00" * 16}], "result": "accepted"}  # noqa: E731
    (result,) = verdicts([build(ALL, message=ordered, outcome=outcome)])

    assert PLACES == result["places"]


def moved(at: str, to: str) -> list[dict[str, Any]]:
    """The opening of one field, said to be of another."""
    return [disclosed(at) | {"at": to}]


def elsewhere(_: object) -> dict[str, Any]:
    """Another statement, with other words."""
    return position() | {"text": {"commitment": "ab" * 32}}


def changed(number: int, **members: object) -> list[dict[str, Any]]:
    """All disclosures, with members of one changed."""
    return [one | (members if place == number else {}) for place, one in enumerate(ALL)]


LIES: list[tuple[str, int, Case]] = [
    ("an opening moved to another field", 13, build(moved("/text", "/evidence/0"))),
    ("an opening moved to another document", 13, build(moved("/evidence/0", "/evidence/1"))),
    ("an opening moved to another statement", 13, build([disclosed("/text")], message=elsewhere)),
    ("two openings exchanged", 13, build([disclosed("/evidence/0") | {"at": "/evidence/1"}, disclosed("/text")])),
    ("another salt", 13, build(changed(2, salt=SALTS[0]))),
    ("another text", 13, build(changed(2, field=encode_document(TEXT | {"text": "It was ours."})))),
    ("another document", 13, build(changed(0, document=[PAPER + b" "]))),
    ("a document where none is committed to", 13, build(changed(2, document=[PAPER]))),
    ("a document of another digest", 13, build(changed(1, document=[PAPER]))),
    ("a place that is not there", 13, build(moved("/text", "/texts"))),
    ("a place beyond the list", 13, build(moved("/evidence/1", "/evidence/2"))),
    ("an index with a zero before it", 13, build(moved("/evidence/1", "/evidence/01"))),
    ("an index of an object", 13, build(moved("/text", "/0"))),
    ("a name in a list", 13, build(moved("/evidence/1", "/evidence/length"))),
    ("a name that every object inherits elsewhere", 13, build(moved("/text", "/constructor"))),
    ("the commitment itself", 13, build(moved("/text", "/text/commitment"))),
    ("a letter of a text", 13, build(moved("/text", "/reference/0"))),
    ("a place of the second signature's own", 13, build(moved("/text", "/order/text"))),
    ("a quantity that is no text", 13, of_paper(quantity=1)),
    ("another quantity", 13, of_paper(quantity="energy")),
    ("another length", 13, of_paper(bytes=3)),
    ("a length that is true", 13, of_paper(paper=b"%", bytes=True)),
    ("no disclosure", 1, build([])),
    ("what version 2 can say", 1, build([result_at("/results/0")], message=attest)),
    ("what version 2 can say of a correction", 1, build([result_at("/replacement/results/0")], message=correct)),
    ("the same place twice", 1, build([ALL[2], ALL[2]])),
    ("places out of order", 1, build([ALL[2], ALL[0]])),
    ("a place without a slash", 1, build(moved("/text", "text"))),
    ("a place that ends with a slash", 1, build(moved("/text", "/text/"))),
    ("a place of the whole message", 1, build(moved("/text", ""))),
    ("a place with a line's end", 1, build(moved("/text", "/text\n"))),
    ("a place of nine steps", 1, build(moved("/text", "/a" * 9))),
    ("a step of 41 characters", 1, build(moved("/text", "/" + "a" * 41))),
    ("a place that is no text", 1, build([disclosed("/text") | {"at": 1}])),
    ("two documents at one place", 1, build(changed(0, document=[PAPER, PAPER]))),
    ("a document that is text", 1, build(changed(0, document=["paper"]))),
    ("no array of documents", 1, build([{name: one for name, one in ALL[2].items() if name != "document"}])),
    ("a short salt", 1, build(changed(0, salt=bytes(31)))),
    ("257 disclosures", 1, build([disclosed("/text") | {"at": f"/a{n:03}"} for n in range(257)])),
]  # fmt: skip


def test_every_lie_is_refused_by_both_at_the_check_that_it_concerns() -> None:
    """Each is refused, with the number of the first check that it breaks."""
    results = verdicts([case for _, _, case in LIES])

    assert [(name, number) for name, number, _ in LIES] == [
        (name, one.get("check")) for (name, _, _), one in zip(LIES, results, strict=True)
    ]


def test_a_bundle_of_the_version_before_tells_its_places_too() -> None:
    """Old bundles still verify; the result names the place of each value, though the bundle does not."""
    first, second = verdicts([build_case(), build_case(Kind(by_validators=True))])

    assert [["/results/1"], ["/results/1"]] == [first["places"], second["places"]]
    assert [[None], [None]] == [first["documents"], second["documents"]]


STEP = 1 if os.environ.get("CELLVOW_EXPLORE") == "1" else 9
"""Every bit; or one of each byte, the next in the next byte."""


def test_no_flipped_bit_of_a_disclosure_gets_past_either() -> None:
    """Place, salt, field and document: each bit flipped alone is refused by both, at the same check."""
    case = build(ALL)
    start, end = case.encoded.index(b"disclosures"), len(case.encoded)  # the longest name stands last
    changed_bits = [flip(case.encoded, bit) for bit in range(8 * start, 8 * end, STEP)]
    ours = [judge(mutation.Case(each, case.trust.encode(), "")) for each in changed_bits]
    theirs = verify_lines([(each, case.trust) for each in changed_bits])

    assert end - start > 300
    assert not any(one["ok"] or "verifier failed" in one["reason"] for one in theirs)
    assert ours == [{"ok": False, "check": one["check"]} for one in theirs]
