"""Passports written as pages into files, with the proofs they link to beside them."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cellvow.node.home import NodeHome
    from cellvow.passport.view import Passport, Reader
    from cellvow.web import PageLinks
    from cellvow.workspace.passports import PassportReader


def write_page(passport: "Passport", path: Path, locale: str, links: "PageLinks") -> None:
    """Write a passport as one page."""
    from cellvow.web import render_passport

    path.write_text(render_passport(passport, locale=locale, links=links), encoding="utf-8")


def lone_links(battery: str, origin: str | None) -> "PageLinks":
    """The links of a page that stands alone; `origin` is the site that resolves the battery's code."""
    from cellvow.core.primitives.identifier import parse_battery_id
    from cellvow.passport.digital_link import encode_digital_link
    from cellvow.web import PageLinks

    return PageLinks(None if origin is None else encode_digital_link(parse_battery_id(battery), origin))


def write_page_with_proofs(source: "PassportReader", battery: str, reader: "Reader", path: Path) -> "Passport | None":
    """Write what a reader sees of a battery, and the bundles he may take into a folder beside the page."""
    from cellvow.web import PageLinks, bundle_file_name

    viewed = source.view(battery, reader)
    if viewed is None:
        return None
    passport = viewed.passport
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = path.parent / f"{path.stem}-proofs"

    @cache
    def bundle_of(statement: str, index: int) -> str | None:
        data = source.bundle(battery, statement, index, reader) if (statement, index) in viewed.proofs else None
        if data is None:
            return None
        folder.mkdir(exist_ok=True)
        name = bundle_file_name(passport.serial, statement, index)
        (folder / name).write_bytes(data)
        return f"{folder.name}/{name}"

    write_page(passport, path, "en", PageLinks(bundle_of=bundle_of, witness_note=find_witness_note(source.home)))
    return passport


def find_witness_note(home: "NodeHome") -> str | None:
    """What is to be said of a ledger's witnesses beside their names: those of a demonstration are not independent."""
    from cellvow.workspace.demo import ORIGIN

    log = home.trust.log
    return "one_demo" if log is not None and log.name == ORIGIN else None
