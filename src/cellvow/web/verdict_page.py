"""The page of a verdict: accept, re-test or cannot tell, as a checklist whose every line says why and what it cites."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup, escape

from cellvow.core.contracts.policy import PolicyError
from cellvow.core.primitives.quantity import UNITS
from cellvow.passport.acceptance import (
    FACTS,
    NAMES,
    Candidate,
    ClauseFinding,
    Judgement,
    Savings,
    Sentence,
    Span,
    load_ready_policy,
)
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.rendering import Look, render_page
from cellvow.web.vocabulary import VOCABULARIES
from cellvow.web.wording import Wording

REASONS_MAX = 12
"""Lines of reasons shown of one clause; the JSON has all."""
_CITED = re.compile(r"statement ([0-9a-f]{64}) message ([0-9]+)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_QUANTITY_FACT = re.compile(
    rf"({'|'.join(sorted(UNITS, key=len, reverse=True))})_"
    rf"(?:(low|high|at_least|at_most|coverage|c_rate|temperature)_)?[a-z]+\Z"
)
_LOOK = Look(area="verdict", forms=True)


@dataclass(frozen=True, slots=True)
class VerdictAsked:
    """What the reader asks: a ready policy by name or the text of his own, the day, and his own figures, as typed."""

    policy: str
    text: str
    today: str
    attestation: str = ""
    hours: str = ""
    cost: str = ""


def _no_bundle(statement: str, index: int) -> None:  # noqa: ARG001 - for a page that stands alone
    return None


@dataclass(frozen=True, slots=True)
class VerdictLinks:
    """The addresses around a verdict; those of `PageLinks`, and `language` to stay in when the form is sent."""

    passport: str
    verdict: str
    bundle_of: Callable[[str, int], str | None] = _no_bundle
    home: str | None = None
    languages: tuple[tuple[str, str], ...] = ()
    language: str = ""


def render_verdict(
    asked: VerdictAsked,
    links: VerdictLinks,
    judgement: Judgement | PolicyError,
    savings: Savings | None,
    *,
    locale: str = "en",
) -> str:
    """The page: the judgement with its reasons, or where the policy goes wrong; below it the form to ask again."""
    telling = _Telling(Wording(locale), links, is_ready=asked.policy in NAMES)
    mistake = judgement if isinstance(judgement, PolicyError) else None
    return render_page(
        "verdict.html",
        locale,
        _LOOK,
        asked=asked,
        links=links,
        home=links.home,
        languages=links.languages,
        judgement=None if mistake is not None else judgement,
        mistake=mistake,
        snippet="" if mistake is None else "\n".join(str(mistake).split("\n")[1:3]),
        lines=keep_lines,
        reasons_max=REASONS_MAX,
        savings=savings,
        tell=telling,
        ready=[load_ready_policy(name) for name in NAMES],
        chosen_policy=load_ready_policy(asked.policy) if asked.policy in NAMES else None,
    )


def keep_lines(text: str) -> Markup:
    """A text whose indentation stays what it is, in a page that carries none of its own."""
    kept = []
    for line in text.split("\n"):
        content = line.lstrip(" ")
        kept.append(Markup("&#32;") * (len(line) - len(content) or not content) + Markup("{}").format(content))
    return Markup("\n").join(kept)


class _Telling:
    """Puts a judgement into the words of one language; citations are numbered as they come."""

    def __init__(self, wording: Wording, links: VerdictLinks, *, is_ready: bool) -> None:
        self._wording = wording
        self._is_ready = is_ready
        self._catalogue = wording.catalogue
        self._links = links
        self.cited: dict[tuple[str, int], int] = {}

    def sentence(self, sentence: Sentence) -> Markup:
        """A sentence of the judgement."""
        parameters = dict(sentence.parameters)
        value, fact = parameters.get("value"), str(parameters.get("fact", ""))
        dated = isinstance(value, str) and _DAY.match(value) is not None
        name = sentence.key.partition(".")[2]
        key = f"{name}_day" if dated and f"{name}_day" in VOCABULARIES["change"] else name
        filled = {each: self._parameter(each, given, fact) for each, given in parameters.items()}
        return self._catalogue.term(sentence.key.partition(".")[0], key, **filled)

    def fact(self, name: str) -> Markup:
        """What a fact is called."""
        found = _QUANTITY_FACT.match(name)
        if found is None:
            return self._catalogue.term("judged", name)
        quantity = self._catalogue.term("quantity", found[1])
        return self._catalogue.term("judged_part", found[2] or "value", quantity=quantity)

    def clause(self, finding: ClauseFinding) -> Markup:
        """What a clause asks: in words where it is one of a ready policy, else by its own name."""
        if self._is_ready and finding.name in VOCABULARIES["clause"]:
            return self._catalogue.term("clause", finding.name)
        return isolate_foreign(finding.name.replace("_", " "))

    def reasons(self, finding: ClauseFinding) -> list[tuple[int, Markup]]:
        """(depth, line) of the policy's own explanation; the first number of each statement leads to its proof."""
        lines = []
        linked: set[int] = set()
        for line in finding.reasons[:REASONS_MAX]:
            text = line.lstrip(" ")
            lines.append(((len(line) - len(text)) // 2, self._cite(text, linked)))
        return lines

    def span(self, span: Span, parts: int) -> Markup:
        """A range of whole numbers in a larger unit."""
        low, high = (self._number(number, parts) for number in span)
        return escape(low) if low == high else self._catalogue.text("verdict.span", low=low, high=high)

    def others(self, judgement: Judgement) -> list[Candidate]:
        """The attestations that the verdict does not rest on."""
        return [one for one in judgement.candidates if one is not judgement.chosen and one.issuer]

    def _cite(self, text: str, linked: set[int]) -> Markup:
        parts, end = [], 0
        for found in _CITED.finditer(text):
            parts.append(isolate_foreign(text[end : found.start()]))
            parts.append(self._citation(found[1], int(found[2]), linked))
            end = found.end()
        return Markup("").join([*parts, isolate_foreign(text[end:])])

    def _citation(self, statement: str, index: int, linked: set[int]) -> Markup:
        number = self.cited.setdefault((statement, index), len(self.cited) + 1)
        address = None if number in linked else self._links.bundle_of(statement, index)
        linked.add(number)
        if address is None:
            return Markup("[{}]").format(number)
        return Markup('<a href="{}">[{}]</a>').format(address, number)

    def _parameter(self, name: str, value: str | int, fact: str) -> Markup:
        if name == "fact":
            return self.fact(str(value))
        if isinstance(value, int):
            unit = FACTS[fact].unit if fact in FACTS else ""
            return self._wording.quantity(value, unit or None)
        return self._wording.written_day(value) if name in ("day", "value") else isolate_foreign(value)

    def _number(self, number: int, parts: int) -> str:
        shown = Decimal(number) / parts
        return self._wording.decimal(shown, 0 if shown == shown.to_integral_value() else 2)
