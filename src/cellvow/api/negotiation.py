"""What a client would rather have: HTML or JSON, which language; and whether it holds the newest already."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from fastapi import Request, Response

from cellvow.web import LOCALES

HTML, JSON = "text/html", "application/json"
HTML_UTF8 = "text/html; charset=utf-8"
FINAL = "public, max-age=86400, immutable"
CHOICES_MAX = 32
"""Entries of an Accept header that are looked at."""


def wants_json(request: Request) -> bool:
    """Whether JSON is named and preferred; without a wish, and for browsers, pages are HTML."""
    return choose(request.headers.get("accept", ""), (HTML, JSON)) == JSON


def choose_language(request: Request) -> str:
    """The catalogue named by `?lang=`, else the best of Accept-Language, else the first of `LOCALES`."""
    asked = request.query_params.get("lang", "").replace("-", "_")
    if asked in LOCALES:
        return asked
    offered = [language.replace("_", "-").lower() for language in LOCALES]
    wished = choose(request.headers.get("accept-language", ""), offered)
    return tuple(LOCALES)[offered.index(wished)]


def choose(header: str, offered: Sequence[str]) -> str:
    """The offer with the highest quality in an Accept-like header (RFC 9110, 12.5); the first where none is named."""
    wishes = _wishes(header)
    best, best_quality = offered[0], 0.0
    for offer in offered:
        quality = max((wishes[name] for name in _names_of(offer) if name in wishes), default=0.0)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def entity_tag(body: bytes) -> str:
    """The strong tag of a body."""
    return f'"{sha256(body).hexdigest()[:32]}"'


def holds_newest(request: Request, tag: str) -> bool:
    """Whether the client says that it holds this very body."""
    held = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return tag in held or held == ["*"]


def answer_body(
    request: Request, body: bytes, media_type: str, *, is_private: bool, is_final: bool = False, status: int = 200
) -> Response:
    """A body that a stranger's cache may keep while it stays the same, or a private one that nobody keeps.

    A final one never changes for this reader: his cache need not ask again. Any `status` but 200 is sent each time.
    """
    headers = {
        "Vary": "Accept, Accept-Language, Authorization, Cookie",
        "Content-Language": choose_language(request).replace("_", "-"),
    }
    if is_private:
        return Response(body, status, {**headers, "Cache-Control": "no-store"}, media_type)
    if status != 200:
        return Response(body, status, {**headers, "Cache-Control": "no-cache"}, media_type)
    tag = entity_tag(body)
    headers |= {"Cache-Control": FINAL if is_final else "no-cache", "ETag": tag}
    if holds_newest(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)


def _wishes(header: str) -> Mapping[str, float]:
    """Name -> quality, as the header lists them."""
    wishes: dict[str, float] = {}
    for entry in header.split(",")[:CHOICES_MAX]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        wishes[name] = _quality(quality)
    for name, wish in tuple(wishes.items()):
        wishes.setdefault(name.partition("-")[0], wish)  # whoever reads de-AT reads de
    return wishes


def _quality(text: str) -> float:
    """A number from 0 to 1; what is none counts as no wish."""
    digits = text.replace(".", "", 1)
    return min(1.0, float(text)) if digits.isascii() and digits.isdigit() and len(text) <= 5 else 0.0


def _names_of(offer: str) -> tuple[str, ...]:
    """What a header may call an offer: itself, or the language without its region."""
    return (offer, offer.partition("-")[0]) if "-" in offer else (offer,)
