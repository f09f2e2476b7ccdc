"""What validators have signed stands in the place of checkpoint and witnesses; no page says the operator is alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.cli.pages import find_witness_note
from cellvow.cli.passport_text import describe_passport
from cellvow.cli.writing import Published
from cellvow.core.ledger.commit import ABSENT, VOTED
from cellvow.core.primitives.errors import VerificationError
from cellvow.node.store import PROOF_FILE
from cellvow.passport.view import PUBLIC
from cellvow.web import PageLinks, render_passport
from cellvow.workspace.consent import read_consent
from cellvow.workspace.passports import PassportReader
from tests import messages
from tests.unit.web.page_reading import Page
from tests.unit.workspace.consortium_world import MemberOnDisk
from tests.world import MAKER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALONE = "the operator alone vouches"


@pytest.fixture
def member(tmp_path: Path) -> Iterator[MemberOnDisk]:
    """A member with one battery."""
    made = MemberOnDisk(tmp_path)
    key = made.world[MAKER].key
    made.include(key.sign(messages.model()))
    made.include(key.sign(messages.battery()))
    yield made
    made.close()


def passport_in_words(member: MemberOnDisk) -> tuple[str, str]:
    """The battery's page and its text in the terminal."""
    viewed = PassportReader(member.home).view(messages.BATTERY, PUBLIC)
    assert viewed is not None
    text = "\n".join(str(line) for line in describe_passport(viewed.passport))
    return Page(render_passport(viewed.passport, links=PageLinks())).text, text


def test_a_passport_names_the_validators(member: MemberOnDisk) -> None:
    """How many of how many, which block, whose they are - on the page and in the terminal."""
    member.prove(flags=(VOTED, ABSENT))

    for said in passport_in_words(member):
        assert "Final: 3 of 4 validators have signed block 4." in said
        assert "Nordpack (invented)" in said
        assert ALONE not in said


def test_before_a_proof_was_fetched_nothing_false_is_said(member: MemberOnDisk) -> None:
    """The validators have committed it all the same."""
    for said in passport_in_words(member):
        assert "Committed by the validators" in said
        assert ALONE not in said
        assert "witness" not in said.partition("Is this page genuine?")[2].partition("Check it")[0]


def test_threat_a_proof_is_altered_on_disk(member: MemberOnDisk) -> None:
    """It is refused, never shown."""
    member.prove()
    path = member.home.folder / PROOF_FILE
    data = bytearray(path.read_bytes())
    data[-10] ^= 1
    path.write_bytes(bytes(data))

    with pytest.raises(VerificationError):
        read_consent(member.store)


def test_what_a_command_says_is_final(member: MemberOnDisk) -> None:
    """Block and signers in a line, all of it in the document; no witness is missed."""
    member.prove(flags=(VOTED, ABSENT))
    consent = read_consent(member.store)
    assert consent is not None
    published = Published(size=consent.size, consent=consent)
    (line,) = published.lines()
    document = published.document()

    assert line.startswith("  final: block 4, signed by 3 of 4 validators (")
    assert ("committed", 4) == (document["level"], published.consent and published.consent.height)


def test_a_consortium_has_no_note_about_witnesses(member: MemberOnDisk) -> None:
    """There is no log key whose name could be that of a demonstration."""
    assert find_witness_note(member.home) is None
