"""What a holder opens of his own message in a bundle: its values, places, texts and documents, by name.

A message commits to fields; what opens them lies in the vault of whoever made it. Names are those that people see in
the message: a quantity (`capacity`), a field (`place`, `report`), one of several (`evidence/0`) or all (`evidence`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import OperationalError
from cellvow.vault.vault import Vault
from cellvow.verify import Disclosed

_REPLACEMENT = "/replacement"
_DOCUMENT = "sha256"


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open: fields by name (None: all that the vault holds), and documents to show with them.

    `documents` are their contents; with `from_vault` those that the vault keeps are shown too.
    """

    names: Sequence[str] | None = ()
    documents: Sequence[bytes] = ()
    from_vault: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """A commitment in a message: where it stands, and the quantity it is of, if it names one."""

    at: str
    commitment: str
    quantity: str | None

    @property
    def name(self) -> str:
        """What people call it: its quantity, or its place without what every place has."""
        return self.quantity or self.at.removeprefix(_REPLACEMENT).removeprefix("/")

    def is_called(self, name: str) -> bool:
        """Whether the name means it, alone or among others."""
        place = self.at.removeprefix(_REPLACEMENT).removeprefix("/")
        return name in (self.quantity, place) or place.startswith(f"{name}/")


def list_committed(ordered: dict[str, Json]) -> list[Committed]:
    """Everything that a message commits to, in the order in which it stands there."""
    return list(_committed("", ordered))


def _committed(at: str, value: Json) -> Iterator[Committed]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _committed(f"{at}/{index}", one)
    elif isinstance(value, dict):
        commitment, quantity = value.get("commitment"), value.get("quantity")
        if isinstance(commitment, str):
            yield Committed(at, commitment, quantity if isinstance(quantity, str) else None)
        for name, one in value.items():
            yield from _committed(f"{at}/{name}", one)


def open_fields(vault: Vault, ordered: dict[str, Json], opening: Opening) -> list[Disclosed]:
    """What opens the fields wanted, in the order of the message, with the documents wanted.

    Raises `OperationalError` for a name that means nothing here, a field that this vault does not open, and a document
    that none of the opened fields is about.
    """
    committed = list_committed(ordered)
    opened: list[Disclosed] = []
    for one in _wanted(committed, opening.names):
        disclosure = _disclosure(vault, one.commitment)
        if disclosure is not None:
            opened.append(Disclosed(disclosure.salt, disclosure.field, one.at))
        elif opening.names is not None:
            raise OperationalError(f"this vault does not open {one.name}: whoever signed the statement has what does")
    return _with_documents(vault, opened, opening)


def _wanted(committed: list[Committed], names: Sequence[str] | None) -> list[Committed]:
    if names is None:
        return committed
    for name in names:
        if not any(one.is_called(name) for one in committed):
            known = ", ".join(dict.fromkeys(one.name for one in committed)) or "nothing"
            raise OperationalError(f"the message commits to no {name[:80]!r}: it commits to {known}")
    return [one for one in committed if any(one.is_called(name) for name in names)]


def _disclosure(vault: Vault, commitment: str) -> Disclosure | None:
    place = vault.find_by_commitment(bytes.fromhex(commitment))
    if place is None:
        return None
    (disclosure,) = vault.disclose(place.record_id, [place.field_index])
    return disclosure


def _with_documents(vault: Vault, opened: list[Disclosed], opening: Opening) -> list[Disclosed]:
    given = {sha256(content).hex(): content for content in opening.documents}
    fields = [parse_object(one.field) for one in opened]
    stated = {field.get(_DOCUMENT) for field in fields}
    for digest in given:
        if digest not in stated:
            raise OperationalError(
                f"no field that is opened is about the document with the SHA-256 {digest}: name its field with "
                "--disclose, or take the document that was committed to, unaltered"
            )
    return [
        replace(one, document=_document(vault, field, given, from_vault=opening.from_vault))
        for one, field in zip(opened, fields, strict=True)
    ]


def _document(vault: Vault, field: dict[str, Json], given: dict[str, bytes], *, from_vault: bool) -> bytes | None:
    """The document that a field is about: one that was given, or else the vault's own."""
    found = given.get(str(field.get(_DOCUMENT)))
    record = field.get("record")
    if found is None and from_vault and _DOCUMENT in field and isinstance(record, str):
        return vault.get_record(record).payload
    return found
