"""Addresses for whoever checks a proof: the page, its words, the trust file, the checker to take away."""

from __future__ import annotations

import io
import zipfile

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.verifying import ProofChecks
from cellvow.verify.archive import MODULES
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import Shelf

TRUST = b'{"genesis": "00"}\n'


def client_of(trust: bytes | None = TRUST) -> AsgiClient:
    """A client of a site that has this trust file."""
    access = Access(None, lambda: 0)
    return AsgiClient(
        create_application(Site(access, PassportPages(Shelf(), access), [ProofChecks(access, lambda: trust)]))
    )


def test_the_trust_file_is_the_nodes_own_byte_for_byte() -> None:
    """Whoever compares it with the one he has compares files."""
    answer = client_of().get("/trust.json")

    assert TRUST == answer.content
    assert "application/json" == answer.headers["content-type"]
    assert 304 == client_of().get("/trust.json", headers={"if-none-match": answer.headers["etag"]}).status_code


def test_a_node_without_a_ledger_has_no_trust_file() -> None:
    """There is nothing to say of itself yet."""
    assert 404 == client_of(None).get("/trust.json").status_code


def test_the_checker_is_a_file_to_keep() -> None:
    """The archive that the package builds, under its own name, the same each time."""
    answer = client_of().get("/cellvow-verify.pyz")
    names = zipfile.ZipFile(io.BytesIO(answer.content)).namelist()

    assert {f"cellvow/{name}" for name in MODULES} | {"__main__.py"} == set(names)
    assert 'attachment; filename="cellvow-verify.pyz"' == answer.headers["content-disposition"]
    again = client_of().get("/cellvow-verify.pyz", headers={"if-none-match": answer.headers["etag"]})
    assert (304, b"") == (again.status_code, again.content)


@pytest.mark.parametrize(("language", "title"), [("en", "Witnesses"), ("de", "Zeugen"), ("pt-BR", "Testemunhas")])
def test_words_come_in_the_readers_language(language: str, title: str) -> None:
    """The address names the language, as on every page."""
    answer = client_of().get(f"/verify/words?lang={language}").json()

    assert title == answer["checks"][2]["title"]


def test_nothing_can_be_sent_to_be_checked() -> None:
    """A proof stays with its reader: the address takes no body."""
    assert 405 == client_of().request("POST", "/verify", content=b"x").status_code
    assert 200 == client_of().get("/verify").status_code
