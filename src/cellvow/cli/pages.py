"""Passports written as pages into files, with the proofs they link to beside them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellvow.passport.view import Audience, Passport
    from cellvow.web.links import PageLinks
    from cellvow.workspace.passports import PassportReader

NO_ORIGIN = "https://passports.invalid"
"""What a code leads to where nobody said which site resolves it: a name that never resolves (RFC 6761)."""
BUNDLE_FOLDER = "bundles"


def file_links(battery: str, origin: str, bundle_of: Callable[[str, int], str | None] | None = None) -> "PageLinks":
    """The links of a page in a file; without `bundle_of` it links to no proof."""
    from cellvow.core.primitives.identifier import parse_battery_id
    from cellvow.passport.digital_link import encode_digital_link
    from cellvow.web.links import PageLinks

    link = encode_digital_link(parse_battery_id(battery), origin)
    return PageLinks(digital_link=link, bundle_of=bundle_of or (lambda _statement, _index: None))


def write_page(passport: "Passport", path: Path, locale: str, links: "PageLinks") -> None:
    """Write a passport as one page."""
    from cellvow.web.passport_page import render_passport

    path.write_text(render_passport(passport, locale=locale, links=links), encoding="utf-8")


def write_page_with_proofs(
    reader: "PassportReader", battery: str, audience: "Audience", path: Path, witness_note: str | None = None
) -> "Passport | None":
    """Write what an audience sees of a battery, and the bundles it may take, in a folder beside the page."""
    passport = reader.passport(battery, audience)
    if passport is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f"{path.stem}-{BUNDLE_FOLDER}"

    @cache
    def bundle_of(statement: str, index: int) -> str | None:
        from cellvow.web.links import bundle_file_name

        data = reader.bundle(battery, statement, index, audience)
        if data is None:
            return None
        folder.mkdir(exist_ok=True)
        name = bundle_file_name(passport.serial, statement, index)
        (folder / name).write_bytes(data)
        return f"{folder.name}/{name}"

    links = replace(file_links(battery, NO_ORIGIN, bundle_of), witness_note=witness_note)
    write_page(passport, path, "en", links)
    return passport
