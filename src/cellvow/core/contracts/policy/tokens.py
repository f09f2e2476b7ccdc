"""The words and signs of a policy's text, each with its place."""

import re
from dataclasses import dataclass

from cellvow.core.contracts.policy.language import TEXT_CHARACTERS_MAX, PolicyError

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9A-Za-z_-]))"
    r"|(?P<integer>[0-9]+(?![0-9A-Za-z_]))"
    r"|(?P<name>[a-z][a-z0-9_]*(?![0-9A-Za-z_]))"
    r'|(?P<text>"[ !#-\[\]-~]*")'
    r"|(?P<sign><=|>=|!=|[=<>+*(){},:-])"
)

_OPENED = re.compile(r'"[ !#-\[\]-~]*')


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign; `kind` is date, integer, name, text (without its quotes), sign or end."""

    kind: str
    text: str
    position: int


def split_tokens(text: str) -> list[Token]:
    """The tokens of a text, ended by one of kind `end`; raises `PolicyError` at what is none."""
    if len(text) > TEXT_CHARACTERS_MAX:
        complaint = f"the text has {len(text)} characters: at most {TEXT_CHARACTERS_MAX} are allowed"
        raise PolicyError(complaint, text, TEXT_CHARACTERS_MAX)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            position = _first_flaw(text, position)
            raise PolicyError(_complaint(text, position), text, position)
        kind, matched = str(found.lastgroup), found.group()
        if kind != "space":
            tokens.append(Token(kind, matched.strip('"') if kind == "text" else matched, position))
        position = found.end()
    return [*tokens, Token("end", "", len(text))]


def _first_flaw(text: str, position: int) -> int:
    opened = _OPENED.match(text, position)
    end = opened.end() if opened is not None else position
    return position if end == len(text) or text[end] == "\n" else end


def _complaint(text: str, position: int) -> str:
    character = text[position]
    if not character.isascii():
        return f"character U+{ord(character):04X} is not ASCII: it may look like another"
    if character == '"':
        return "the text that this quote opens does not end on its line"
    if character.isdigit():
        return "expected an integer such as 1200 or a date such as 2026-11-24"
    if character.isalpha():
        return "names are written in lower case: a letter, then letters, digits and '_'"
    return f"character {character!r} is not part of the language"
