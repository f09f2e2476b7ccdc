"""Any message in plain words, all of its fields: what somebody reads before he puts a second signature under it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.identifier import BATTERY_PATTERN
from cellvow.web.act_words import FIELDS
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.vocabulary import VOCABULARIES
from cellvow.web.wording import Wording
from cellvow.workspace.drafts import UNSEALED

_WORDS: dict[str, str] = {
    "applications": "application",
    "category": "category",
    "component": "component",
    "evidence_class": "class",
    "into": "into",
    "level": "level",
    "message": "message",
    "messages": "message",
    "operation": "operation",
    "outcome": "dispute_outcome",
    "quantities": "quantity",
    "quantity": "quantity",
    "register": "registers",
    "registers": "registers",
    "roles": "role",
    "scope": "message",
    "severity": "severity",
    "state": "safety_state",
    "topic": "topic",
    "verdict": "verdict_word",
}
"""Field -> the vocabulary of its words, whichever message it stands in."""
_WORDS_OF: dict[tuple[str, str], str] = {
    ("CorrectStatement", "cause"): "cause",
    ("DeclareWaste", "cause"): "rest",
    ("Decommission", "cause"): "rest",
    ("GiveNotice", "cause"): "takeover_cause",
    ("OrderWork", "kind"): "work",
    ("RecordWork", "kind"): "work",
    ("RemovePart", "cause"): "removal",
    ("ReplacePart", "cause"): "removal",
    ("ReportIncident", "kind"): "incident",
    ("SetParameter", "name"): "parameter",
}
"""The same for fields that mean another thing in each message."""
_UNITS = {"_mah": "mAh", "_mv": "mV", "_g": "g"}
_DAYS = ("_on", "as_of", "until")
Opened = Mapping[str, Mapping[str, Json]]
"""Commitment -> what it is to, where the reader holds it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A field: what it is called, and its value, or what is in it."""

    label: Markup
    value: Markup | None = None
    within: "tuple[Told, ...]" = ()


@dataclass(frozen=True, slots=True)
class MessageTeller:
    """Puts messages into words; `names` are organisations and what they are called, `opened` what one's vault holds."""

    wording: Wording
    names: Mapping[str, str]
    opened: Opened

    def title(self, message: Mapping[str, Json]) -> Markup:
        """What kind of message it is; of a second signature, what it is under."""
        order = message.get("order")
        kind = self.wording.catalogue.term("message", str(message.get("type", "")))
        if message.get("type") == "Countersign" and isinstance(order, Mapping):
            return Markup("{}: {}").format(kind, self.wording.catalogue.term("message", str(order.get("type", ""))))
        return kind

    def tell(self, message: Mapping[str, Json], kind: str = "") -> tuple[Told, ...]:
        """Every field with its value, in the order of the message."""
        named = str(message.get("type", "")) or kind
        return tuple(self._field(named, name, value) for name, value in message.items() if name != "type")

    def organisation(self, organisation: str) -> Markup:
        """A member by name and identifier."""
        known = self.names.get(organisation)
        if known is None:
            return isolate_foreign(organisation)
        return self.wording.catalogue.text("act.organisation", name=known, organisation=organisation)

    def _field(self, kind: str, name: str, value: Json) -> Told:
        label = self._label(name)
        if isinstance(value, Mapping):
            return self._object(label, name, value)
        if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            listed = [one for one in value if isinstance(one, Mapping)]
            return Told(label, within=tuple(self._object(_place(n), name, one) for n, one in enumerate(listed, 1)))
        return Told(label, self._value(kind, name, value))

    def _label(self, name: str) -> Markup:
        kind = "message_field" if name in FIELDS else "refusal_fact"
        return self.wording.catalogue.term(kind, name)

    def _object(self, label: Markup, name: str, value: Mapping[str, Json]) -> Told:
        commitment = value.get("commitment")
        if isinstance(commitment, str):
            rest = {key: one for key, one in value.items() if key != "commitment"}
            told = (*self.tell(rest, name), *self._committed(commitment))
            return Told(label, told[0].value) if len(told) == 1 else Told(label, within=told)
        if "type" in value:
            return Told(label, self.title(value), self.tell(value))
        return Told(label, within=self.tell(value, name))

    def _committed(self, commitment: str) -> tuple[Told, ...]:
        """What stands behind a commitment, as far as one's own vault tells, and the commitment."""
        text, label = self.wording.catalogue.text, self.wording.catalogue.term("message_field", "commitment")
        if commitment == UNSEALED.commitment:
            return (Told(label, text("act.unsealed")),)
        known = self.opened.get(commitment)
        digest = Told(label, Markup("<code>{}</code>").format(commitment))
        if known is None:
            return (Told(label, Markup("{} <code>{}</code>").format(text("act.not_opened"), commitment)),)
        hidden = ("kind", "record")
        return (*(self._field("", name, one) for name, one in known.items() if name not in hidden), digest)

    def _value(self, kind: str, name: str, value: Json) -> Markup:
        """A plain value, or a list of them."""
        text = self.wording.catalogue.text
        if value is None or value in ([], ""):
            return text("act.none")
        if isinstance(value, bool):
            return text("act.yes") if value else text("act.no")
        if isinstance(value, int):
            return self._number(name, value)
        if isinstance(value, Sequence) and not isinstance(value, str):
            return Markup(", ").join(self._value(kind, name, one) for one in value)
        return self._word(kind, name, str(value))

    def _number(self, name: str, value: int) -> Markup:
        if name == "delay_ms":
            return self.wording.remaining(value)
        if name.endswith("_ms"):
            return self.wording.moment(value)
        unit = next((unit for ending, unit in _UNITS.items() if name.endswith(ending)), None)
        return self.wording.quantity(value, unit)

    def _word(self, kind: str, name: str, value: str) -> Markup:
        vocabulary = _WORDS_OF.get((kind, name)) or _WORDS.get(name, "field_word")
        for known in (vocabulary, "field_word"):
            if value in VOCABULARIES[known] and (known != "field_word" or name in _CLOSED):
                return self.wording.catalogue.term(known, value)
        if value in self.names:
            return self.organisation(value)
        if re.match(BATTERY_PATTERN, value):
            return Markup('<a href="/{}">{}</a>').format(value, value[21:])
        if name == "text":
            return tell_lines(value)
        if name.endswith(_DAYS):
            return self.wording.written_day(value)
        if re.fullmatch(r"[0-9a-f]{32,}", value):
            return Markup("<code>{}</code>").format(value)
        return isolate_foreign(value)


def tell_lines(text: str) -> Markup:
    """Somebody's own words, line by line."""
    return Markup("<br>").join(isolate_foreign(line) for line in text.split("\n"))


def _place(number: int) -> Markup:
    return Markup("{}.").format(number)


_CLOSED = ("cause", "comparison", "kind", "name")
"""Fields whose further words are in `field_word`: elsewhere such a word is somebody's own."""
