"""Whatever may wait for a second signature is told whole: every message, every field, in every language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec.inspect as inspecting
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.contracts.contract import encode_message
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from cellvow.web import LOCALES
from cellvow.web.act_words import FIELDS
from cellvow.web.message_words import MessageTeller, Told
from cellvow.web.wording import Wording
from cellvow.workspace.drafts import UNSEALED
from tests.unit.core.contracts.test_keys import SOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.core.primitives.encoding import Json

BEHIND = {"quantity", "sha256", "text", "unit", "value"}
"""Fields of what a vault keeps behind a commitment."""


def fields_of(kind: inspecting.Type) -> Iterator[str]:
    """Every field of a message, at any depth."""
    if isinstance(kind, inspecting.StructType):
        for one in kind.fields:
            yield one.name
            yield from fields_of(one.type)
    elif isinstance(kind, inspecting.UnionType):
        for member in kind.types:
            yield from fields_of(member)
    elif isinstance(kind, inspecting.VarTupleType | inspecting.ListType):
        yield from fields_of(kind.item_type)
    elif isinstance(kind, inspecting.Metadata):
        yield from fields_of(kind.type)


def leaves(value: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """(field, value) of everything in a message but what kind it is."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from leaves(one, name)
    elif name != "type":
        yield name, value


def said(told: tuple[Told, ...]) -> str:
    """Everything that is told, one thing after the other."""
    return " ".join(f"{one.label} {one.value or ''} {said(one.within)}" for one in told)


def counted(told: tuple[Told, ...]) -> int:
    """How many values are told."""
    return sum((one.value is not None) + counted(one.within) for one in told)


def teller(language: str, **opened: dict[str, Json]) -> MessageTeller:
    """Words without names of members."""
    return MessageTeller(Wording(language), {}, opened)


def test_every_field_of_every_message_has_a_label_and_no_label_is_left_over() -> None:
    """A new field of a new message is missed here, before somebody signs what he cannot read."""
    named = {name for kind in RULESETS[NEWEST].handlers for name in fields_of(inspecting.type_info(kind))}

    assert set(FIELDS) == named | BEHIND


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("name", sorted(SOUND))
def test_a_message_is_told_whole(name: str, language: str) -> None:
    """As many values as it has, each identifier word for word, and no field by its name in the program alone."""
    message = parse_object(encode_message(SOUND[name]))
    told = teller(language).tell(message)
    shown = said(told)

    assert "<code>" not in str(teller(language).title(message))
    for field, value in leaves(message):
        if isinstance(value, str) and len(value) >= 32 and " " not in value:
            assert value in shown, field
    assert counted(told) >= len([one for one in message.values() if not isinstance(one, dict)]) - 1


def test_words_of_the_rules_are_words_of_the_language() -> None:
    """Registers, verdicts and causes are told in German; an identifier stays what it is."""
    decision = said(teller("de").tell(parse_object(encode_message(SOUND["DecideDispute"]))))
    revocation = said(teller("de").tell({"type": "RevokeKey", "cause": "leaver", "kid": "ab" * 16}))

    assert "Entscheidung" in decision
    assert "upheld" not in decision
    assert "Inhaber ausgeschieden" in revocation
    assert "ab" * 16 in revocation


def test_what_stands_behind_a_commitment_is_told_where_the_vault_has_it() -> None:
    """The second signer reads the words, and not a digest alone; without them he is told that he does not have them."""
    message: dict[str, Json] = {"type": "StatePosition", "text": {"commitment": "ab" * 32}}
    behind: dict[str, Json] = {"kind": "position", "text": "We hold it.\nHere <b>is</b> the note."}
    known = said(teller("en", **{"ab" * 32: behind}).tell(message))
    unknown = said(teller("en").tell(message))
    unsealed = said(teller("en").tell({"type": "StatePosition", "text": {"commitment": UNSEALED.commitment}}))

    assert "We hold it.<br>Here &lt;b&gt;is&lt;/b&gt; the note." in known
    assert "ab" * 32 in known
    assert "does not hold" in unknown
    assert UNSEALED.commitment not in unsealed


@pytest.mark.slow
@given(st.text(max_size=40), st.sampled_from(FIELDS))
def test_threat_a_field_breaks_out_of_its_place(text: str, field: str) -> None:
    """Whatever stands in a field, of whatever message, is text."""
    told = said(teller("en").tell({"type": "Countersign", field: f"{text}<script>\"'&"}))

    assert "<script" not in told


def test_a_name_never_stands_alone() -> None:
    """Two members may call themselves the same: the identifier stands beside the name."""
    words = MessageTeller(Wording("en"), {"maker": "buyer"}, {})

    assert "buyer (maker)" == str(words.organisation("maker"))
    assert "buyer" == str(words.organisation("buyer"))
