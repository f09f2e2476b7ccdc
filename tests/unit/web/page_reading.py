"""Reads a page as a browser would, strictly: its elements, its text, and what is wrong with its shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "br", "path", "line", "polyline", "rect", "link", "img", "input", "hr"}
INLINE = {"a", "bdi", "code", "span", "strong"}
OPTIONAL_END = {"tr", "td", "th", "thead", "tbody"}
ADDRESSES = ("href", "src", "srcset", "action", "xlink:href", "data", "poster", "formaction")


@dataclass
class Element:
    """A start tag with its attributes and the text directly or indirectly inside it."""

    tag: str
    attributes: dict[str, str]
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text inside, with single spaces."""
        return " ".join("".join(self.texts).split())


class Page(HTMLParser):
    """A parsed page. `faults` names unbalanced tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.faults: list[str] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{one.tag}> is left open" for one in self._open if one.tag not in OPTIONAL_END]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a start tag."""
        if tag not in INLINE:
            self.handle_data(" ")
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in an element that closes itself."""
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close an element, and those whose end tag may be left out."""
        while self._open and self._open[-1].tag != tag and self._open[-1].tag in OPTIONAL_END:
            self._open.pop()
        if not self._open or self._open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes nothing")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """Give text to every element it is in."""
        for element in self._open:
            element.texts.append(data)

    def all(self, tag: str) -> list[Element]:
        """The elements of one tag, in order."""
        return [element for element in self.elements if element.tag == tag]

    @property
    def text(self) -> str:
        """What a reader reads."""
        return self.all("body")[0].text

    @property
    def addresses(self) -> list[str]:
        """Every address that the page leads to or loads."""
        return [value for element in self.elements for name, value in element.attributes.items() if name in ADDRESSES]


def shape_faults(page: Page) -> list[str]:
    """What breaks the promises every page makes: one heading, landmarks, unique names, nothing that acts."""
    faults = list(page.faults)
    faults += [f"not exactly one <{tag}>" for tag in ("html", "main", "h1", "style") if len(page.all(tag)) != 1]
    names = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    faults += [f"the id {name} occurs twice" for name in sorted(set(names)) if names.count(name) > 1]
    return faults + acting_faults(page)


def is_own(element: Element) -> bool:
    """Whether a script is a module of ours with nothing written into it, or a form leads to a path of ours."""
    if element.tag == "form":
        return element.attributes.get("action", "/").startswith("/")
    source = element.attributes.get("src", "")
    return source.startswith("/static/") and element.attributes.get("type") == "module" and not element.text


def is_known(address: str) -> bool:
    """Whether an address is a path, or that of the site the samples pretend to be."""
    path = address.removeprefix("https://passports.example")
    return ":" not in path and not path.startswith("//")


def acting_faults(page: Page) -> list[str]:
    """Everything in a page that could run, load or restyle something."""
    faults = [f"<{one.tag}>" for one in page.elements if one.tag in ("img", "iframe", "object", "link")]
    faults += [f"<{one.tag}>" for one in page.elements if one.tag in ("script", "form") and not is_own(one)]
    for element in page.elements:
        faults += [name for name in element.attributes if name.startswith("on") or name == "style"]
    foreign = [one for one in page.addresses if not is_known(one)]
    return faults + [f"leads to {address}" for address in foreign]
