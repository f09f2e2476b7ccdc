"""Documents handed out to those they are for, and checked by who gets them against what the ledger holds.

A file of this kind is the document with the salt that opens its commitment: whoever has it can pass it on.
"""

import hashlib
from dataclasses import dataclass

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.document import DocumentRecord, PublishDocument, document_key
from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.vault.vault import PAYLOAD_BYTES_MAX
from cellvow.workspace.passports import TIMELINE_FILE
from cellvow.workspace.service import read_roles
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace

PAPER_FORMAT = "cellvow/document/v1"
PAPER_BYTES_MAX = PAYLOAD_BYTES_MAX + 100_000
"""A document with what names and opens it."""


@dataclass(frozen=True, slots=True)
class CheckedPaper:
    """A document that is the one published: by whom, which version of how many so far, and its content."""

    organisation: str
    reference: str
    about: str
    title: str
    version: int
    newest: int
    content: bytes


def hand_out(workspace: Workspace, store: LedgerStore, reference: str, recipient: str) -> bytes:
    """The newest version of an own document, for a member of one of the roles it is for.

    Raises `OperationalError` for any other recipient: the roles are what the publisher has told everybody.
    """
    value = store.get(document_key(workspace.organisation, reference))
    if value is None:
        raise OperationalError(f"{workspace.organisation} has published no document {reference}")
    record = decode_record(DocumentRecord, value)
    if not any(role in record.roles for role in read_roles(store, recipient)):
        raise OperationalError(
            f"{recipient} is no {' or '.join(record.roles)}: {reference} is not for it. Publish the next version for "
            "more roles if it shall be"
        )
    place = workspace.vault.find_by_commitment(bytes.fromhex(record.document.commitment))
    if place is None:
        raise OperationalError(f"the vault no longer holds version {record.version} of {reference}")
    (disclosure,) = workspace.vault.disclose(place.record_id, [place.field_index])
    content = workspace.vault.get_record(str(parse_object(disclosure.field)["record"])).payload
    named: list[Cbor] = [PAPER_FORMAT, workspace.organisation, reference, record.version]
    return encode_cbor([*named, disclosure.salt, disclosure.field, content])


def check_paper(data: bytes, home: NodeHome, workspace: Workspace | None) -> CheckedPaper:
    """The document in such a file; raises `VerificationError` unless the ledger holds its commitment."""
    match parse_cbor(data):
        case [str(form), str(organisation), str(reference), int(version), bytes(salt), bytes(field), bytes(content)]:
            if form != PAPER_FORMAT:
                raise Malformed(f"{form[:40]!r} is no document of this version of the software")
        case _:
            raise Malformed("this is no document as `cellvow service give` writes it")
    store = home.open_reader()
    try:
        value = store.get(document_key(organisation, reference))
        if value is None:
            raise VerificationError(f"the ledger holds no document {reference[:40]} of {organisation[:40]}")
        record = decode_record(DocumentRecord, value)
        published = _find_published(home, workspace, store, record, version)
    finally:
        store.close()
    told = verify_disclosure(Disclosure(salt, field), Digest(bytes.fromhex(published.document.commitment)))
    if told.get("sha256") != hashlib.sha256(content).hexdigest():
        raise VerificationError("the document is not the one that was published: its digest is another")
    return CheckedPaper(organisation, reference, record.about, published.title, version, record.version, content)


def _find_published(
    home: NodeHome, workspace: Workspace | None, store: LedgerStore, record: DocumentRecord, version: int
) -> PublishDocument:
    folder = home.folder if workspace is None else workspace.folder
    timeline = Timeline.open(folder / TIMELINE_FILE, home.trust.genesis)
    try:
        timeline.follow(store)
        recorded = timeline.recorded(store, record.about)
    finally:
        timeline.close()
    for one in recorded:
        told, is_his = one.message, one.organisation == record.organisation
        if (
            is_his
            and isinstance(told, PublishDocument)
            and (told.reference, told.version) == (record.reference, version)
        ):
            return told
    raise VerificationError(f"the ledger holds no version {version} of {record.reference}")
