"""The vector files: they are what the software computes, and each case is decided as it says."""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.ledger.state import StateProof, verify_absence, verify_presence
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import encode_document, parse_document
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.merkle import leaf_hash, verify_consistency, verify_inclusion
from cellvow.core.primitives.signature import is_valid
from tests.conformance.vector_cases import make_all
from tools.make_vectors import FOLDER, render

NAMES = sorted(make_all())


@cache
def vectors(name: str) -> dict[str, Any]:
    """The content of a vector file."""
    loaded: dict[str, Any] = json.loads(Path(FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_file_is_what_the_software_computes(name: str) -> None:
    """Stale files are made anew by `python tools/make_vectors.py`."""
    assert (FOLDER / f"{name}.json").read_text("utf-8") == render(make_all()[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_file_explains_itself(name: str) -> None:
    """Any language can read it: a description, and bytes in lower-case hexadecimal."""
    document = vectors(name)

    assert document["description"].endswith(".")
    for case in [*document.get("accepted", ()), *document.get("refused", ())]:
        assert bytes.fromhex(case["bytes"]).hex() == case["bytes"], case["name"]


def test_accepted_documents_come_back_and_refused_ones_do_not_parse() -> None:
    """Section 1 of the formats page."""
    for case in vectors("documents")["accepted"]:
        data = bytes.fromhex(case["bytes"])
        assert encode_document(parse_document(data)) == data, case["name"]
    for case in vectors("documents")["refused"]:
        with pytest.raises(Malformed):
            parse_document(bytes.fromhex(case["bytes"]))


def test_accepted_cbor_comes_back_and_refused_does_not_parse() -> None:
    """Section 2 of the formats page."""
    for case in vectors("cbor")["accepted"]:
        data = bytes.fromhex(case["bytes"])
        assert encode_cbor(parse_cbor(data)) == data, case["name"]
    for case in vectors("cbor")["refused"]:
        with pytest.raises(Malformed):
            parse_cbor(bytes.fromhex(case["bytes"]))


def test_statements_are_taken_apart_as_the_vectors_say() -> None:
    """Section 3, recomputed with the standard library from the parts given."""
    document = vectors("statements")
    for case in document["accepted"]:
        data = bytes.fromhex(case["bytes"])
        statement = parse_statement(data)
        cose = statement.envelope.cose

        assert data.startswith(cose) or data[1:].startswith(cose)
        assert hashlib.sha256(cose).hexdigest() == case["statement_digest"], case["name"]
        assert hashlib.sha256(bytes.fromhex(case["signed_bytes"])).hexdigest() == case["txid"], case["name"]
        assert is_valid(
            bytes.fromhex(document["public_key"]),
            bytes.fromhex(case["signed_bytes"]),
            bytes.fromhex(case["signature"]),
        )
        for salt, message, leaf in zip(case["salts"], case["messages"], case["leaves"], strict=False):
            joined = b"\0" + bytes.fromhex(salt) + bytes.fromhex(message)
            assert hashlib.sha256(joined).hexdigest() == leaf, case["name"]
    for case in document["refused"]:
        with pytest.raises(Malformed):
            parse_statement(bytes.fromhex(case["bytes"]))


def test_commitments_fit_their_own_salt_and_field_alone() -> None:
    """Section 9: each of the file's own, none crosswise."""
    cases = vectors("commitments")["cases"]
    for salt_of in cases:
        for committed in cases:
            salt, field = bytes.fromhex(salt_of["salt"]), bytes.fromhex(committed["field"])
            plain = hmac.new(salt, b"cellvow/field/v1\0" + field, "sha256").hexdigest()
            assert (plain == committed["commitment"]) is (salt_of is committed)
            commitment = Digest(bytes.fromhex(committed["commitment"]))
            if salt_of is committed:
                assert encode_document(verify_disclosure(Disclosure(salt, field), commitment)) == field
            else:
                with pytest.raises(VerificationError):
                    verify_disclosure(Disclosure(salt, field), commitment)


def test_merkle_paths_lead_from_leaves_to_roots() -> None:
    """RFC 9162: every inclusion and consistency path of the file."""
    document = vectors("merkle")
    roots = [Digest(bytes.fromhex(root)) for root in document["roots"]]
    for case in document["inclusion"]:
        leaf = leaf_hash(bytes.fromhex(document["leaves"][case["leaf"]]))
        path = [bytes.fromhex(one) for one in case["path"]]
        assert verify_inclusion(leaf, case["leaf"], case["size"], path) == roots[case["size"]]
    for case in document["consistency"]:
        path = [bytes.fromhex(one) for one in case["path"]]
        verify_consistency(case["old_size"], roots[case["old_size"]], case["size"], roots[case["size"]], path)


def test_state_proofs_hold_under_the_root() -> None:
    """Section 6: records that are there, keys that are not."""
    document = vectors("state_map")
    root = bytes.fromhex(document["root"])
    for case in document["present"]:
        proof = StateProof(tuple(bytes.fromhex(one) for one in case["siblings"]))
        assert verify_presence(root, case["key"], bytes.fromhex(case["value"]), proof)
    met = 0
    for case in document["absent"]:
        other = tuple(bytes.fromhex(one) for one in case["other"])
        met += len(other) == 2
        siblings = tuple(bytes.fromhex(one) for one in case["siblings"])
        verify_absence(root, case["key"], StateProof(siblings, (other[0], other[1]) if other else None))

    assert 0 < met < len(document["absent"])
    assert document["grown"][-1] == document["root"]


def test_a_changed_vector_would_be_noticed() -> None:
    """Control: one digit changed in a file is another text than the software writes."""
    text = render(make_all()["merkle"])

    assert text.replace('"size": 9', '"size": 8') != text
