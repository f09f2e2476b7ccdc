"""Documents about units and models: how they are to be serviced, taken apart, handled - by digest, with versions.

The document itself stays with who published it, and is shown by him to the roles he names.
"""

from typing import Annotated

import msgspec

from cellvow.core.contracts.battery import ModelRecord, get_battery, model_key
from cellvow.core.contracts.change import Role
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Committed,
    Context,
    Contract,
    Count,
    Message,
    Record,
    Reference,
    Term,
    require,
)
from cellvow.core.contracts.organisation import require_role
from cellvow.core.contracts.use import SERVICE_ROLES
from cellvow.core.ledger.genesis import ROLES
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.identifier import BATTERY_PATTERN, GTIN_PATTERN

About = Annotated[str, msgspec.Meta(pattern=f"{BATTERY_PATTERN}|{GTIN_PATTERN}")]
"""A unit, or the GTIN of a model."""


# Records


class DocumentRecord(Record, frozen=True, kw_only=True):
    """`document/ORGANISATION/REFERENCE`: a document's newest version, which is the record's `version`.

    Earlier versions are read from the statements that published them.
    """

    organisation: str
    reference: Reference
    about: About
    title: Term
    roles: tuple[Role, ...]
    document: Committed
    published_ms: Count


# Messages


class PublishDocument(Message, frozen=True, kw_only=True):
    """Publish a document about a unit or a model, or its next version; `roles` are those it is to be shown to."""

    about: Annotated[About, WORLD]
    reference: Annotated[Reference, MEMBERS]
    version: Annotated[Count, MEMBERS]
    title: Annotated[Term, MEMBERS]
    roles: Annotated[tuple[Role, ...], msgspec.Meta(min_length=1, max_length=len(ROLES)), MEMBERS]
    document: Annotated[Committed, WORLD]

    @property
    def subject(self) -> str:
        """The unit or the model."""
        return self.about


# Rules


def document_key(organisation: str, reference: str) -> str:
    """Where a document's newest version lies in the state map."""
    return f"document/{organisation}/{reference}"


def _require_orderly(message: PublishDocument) -> None:
    places = [ROLES.index(role) for role in message.roles]
    require(places == sorted(dict.fromkeys(places)), Reason.MALFORMED_MESSAGE, field="roles")


# Handlers


def _publish(context: Context, message: PublishDocument) -> list[Event]:
    if "/" in message.about:
        get_battery(context, message.about)
    else:
        model = context.get(ModelRecord, model_key(message.about))
        require(model is not None, Reason.UNKNOWN_MODEL, gtin=message.about)
    require_role(context, *SERVICE_ROLES)
    _require_orderly(message)
    key = document_key(context.organisation, message.reference)
    before = context.get(DocumentRecord, key)
    expected = 1 if before is None else before.version + 1
    is_next = message.version == expected and (before is None or before.about == message.about)
    require(is_next, Reason.WRONG_DOCUMENT_VERSION, expected=expected, about=message.about)
    record = DocumentRecord(
        provenance=context.provenance,
        version=message.version,
        organisation=context.organisation,
        reference=message.reference,
        about=message.about,
        title=message.title,
        roles=message.roles,
        document=message.document,
        published_ms=context.time_ms,
    )
    context.put(key, record)
    event: Event = {"type": "DocumentPublished", "about": message.about, "reference": message.reference}
    return [{**event, "version": message.version}]


CONTRACT = Contract("document", {PublishDocument: _publish})
