"""Check 13: what a bundle discloses is what the signed message commits to, each at its own place."""

import re

from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.ledger.statement import is_hex
from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.verify.bundle import Disclosed
from cellvow.verify.standing import attestation_in
from cellvow.verify.work import Work, require

_INDEX = re.compile(r"0|[1-9][0-9]*", re.ASCII)


def check_disclosures(work: Work) -> str:
    """Check 13: every disclosure opens the commitment at its place; every document has the digest disclosed there."""
    disclosures, result = work.bundle.disclosures, work.result
    if not disclosures:
        return "nothing is disclosed"
    if work.bundle.version < 3:
        _open_results(work)
        return f"{len(disclosures)} disclosed values are those committed to"
    for disclosed in disclosures:
        committed = find_committed(result.ordered, disclosed.at or "")
        result.disclosures.append(_open(disclosed, committed))
        result.places.append(disclosed.at or "")
        result.documents.append(_verify_document(disclosed, result.disclosures[-1]))
    shown = sum(one is not None for one in result.documents)
    documents = f", {shown} of them with the document itself" if shown else ""
    return f"{len(disclosures)} disclosed fields are those committed to{documents}"


def find_committed(ordered: dict[str, Json], at: str) -> dict[str, Json]:
    """What stands at a place of a message, once it is a commitment; raises `VerificationError`."""
    found: Json = ordered
    for step in at.split("/")[1:]:
        if isinstance(found, list) and _INDEX.fullmatch(step) is not None and int(step) < len(found):
            found = found[int(step)]
        elif isinstance(found, dict) and step in found:
            found = found[step]
        else:
            raise VerificationError(f"there is nothing at {at} of the message")
    if not isinstance(found, dict) or not is_hex(found.get("commitment"), 32):
        raise VerificationError(f"nothing is committed to at {at}")
    return found


def _open(disclosed: Disclosed, committed: dict[str, Json]) -> dict[str, Json]:
    """The field document, once it opens this commitment and is of its quantity, where it names one."""
    opened = Disclosure(disclosed.salt, disclosed.field)
    document = verify_disclosure(opened, Digest(bytes.fromhex(str(committed["commitment"]))))
    quantity = committed.get("quantity", "")
    is_of_it = isinstance(quantity, str) and ("quantity" not in committed or document.get("quantity") == quantity)
    require(is_of_it, "the value is of another quantity")
    return document


def _verify_document(disclosed: Disclosed, field: Json) -> str | None:
    """The digest of the document that is shown, once it is the one disclosed; None where none is shown."""
    if disclosed.document is None:
        return None
    digest = sha256(disclosed.document).hex()
    stated = field if isinstance(field, dict) else {}
    require(stated.get("sha256") == digest, f"the document at {disclosed.at} is not the one committed to")
    length = stated.get("bytes", len(disclosed.document))
    is_of_it = type(length) is int and length == len(disclosed.document)
    require(is_of_it, f"the document at {disclosed.at} has another length than disclosed")
    return digest


def _open_results(work: Work) -> None:
    """The disclosures of versions 1 and 2: of results, in the order of the message."""
    ordered, result = work.result.ordered, work.result
    is_verdict = ordered.get("type") == "RecordVerdict"
    committing = ordered if is_verdict else attestation_in(ordered) or {}
    results = committing.get("results")
    if not isinstance(results, list):
        raise VerificationError("nothing here is committed to")
    stem = "/results" if committing is ordered else "/replacement/results"
    place = 0
    for disclosed in work.bundle.disclosures:
        place, document = _open_result(results, place, disclosed)
        result.disclosures.append(document)
        result.places.append(f"{stem}/{place - 1}")
        result.documents.append(None)


def _open_result(results: list[Json], place: int, disclosed: Disclosed) -> tuple[int, Json]:
    """The place after the result that it opens, from `place` on, and the field document."""
    parse_object(disclosed.field)
    opened = Disclosure(disclosed.salt, disclosed.field)
    for number, one in enumerate(results[place:], start=place):
        if not isinstance(one, dict) or not is_hex(one.get("commitment"), 32):
            raise VerificationError("a result holds no commitment")
        try:
            document = verify_disclosure(opened, Digest(bytes.fromhex(str(one["commitment"]))))
        except VerificationError:
            continue
        require(document.get("quantity") == one.get("quantity"), "the value is of another quantity")
        return number + 1, document
    raise VerificationError("a disclosed value is not among those committed to, or stands out of order")
