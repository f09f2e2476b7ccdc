"""`cellvow invite`: what it prints, writes and refuses - and never says again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.service_world import BATTERY, make_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

ASK = ("invite", "make", BATTERY, "--stage", "service", "--for", "workshop")
WORK = ("--kind", "maintenance", "--reference", "W-1", "--text", "Coolant changed")
LINK = f"http://127.0.0.1:9/invite/{'t' * 43}"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A battery that its maker holds."""
    return make_service(tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_link_is_told_once(world: Deciding) -> None:
    """As a path, or whole where the site is named; no later command says it again."""
    path = world.do(*ASK, who="maker")["link"]
    whole = world.do(*ASK, "--origin", "https://passports.example", who="maker")["link"]
    listed = world.do("invite", "list", who="maker")
    number = listed["invitations"][0]["invitation_id"]
    ended = world.do("invite", "revoke", number, who="maker")

    assert path.startswith("/invite/")
    assert whole.startswith("https://passports.example/invite/")
    for link in (path, whole):
        assert link.rpartition("/")[2] not in json.dumps([listed, ended])


def test_a_link_in_a_file_is_its_owners_alone_and_not_shown(world: Deciding) -> None:
    """Mode 0600; neither people nor scripts are told it beside."""
    file = world.folder / "link.txt"
    said = json.dumps(world.do(*ASK, "--to", str(file), who="maker"))
    token = file.read_text(encoding="ascii").strip().rpartition("/")[2]

    assert 43 == len(token)
    assert 0o600 == file.stat().st_mode & 0o777
    assert token not in said
    assert token not in world.read(*ASK, "--to", str(world.folder / "other.txt"), who="maker")


@pytest.mark.slow
def test_the_list_says_what_came_of_it(world: Deciding) -> None:
    """Waiting, done with day, statement and coverage, and revoked."""
    world.do(*ASK, who="maker")
    waiting = world.read("invite", "list", who="maker")
    work = world.do("service", "work", BATTERY, *WORK, who="workshop")
    done = world.read("invite", "list", "--battery", BATTERY, who="maker")

    assert "waits for the partner's signature" in waiting
    assert "done: signed by workshop on 2027-01-15" in done
    assert work["statement"] in done
    assert "1 of 4 expected stages then" in done


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((*ASK[:4], "materials", *ASK[5:]), 4, "no stage to invite to"),
        ((*ASK[:4], "birth", *ASK[5:]), 4, "no stage to invite to"),
        ((*ASK, "--days", "367"), 2, "366"),
        ((*ASK, "--show", "everything"), 4, "everything"),
        ((*ASK, "--to", "{folder}/maker/member.json"), 2, "name a new file"),
        ((*ASK, "--to", "{folder}/nowhere/link.txt"), 2, "name a new file"),
        (("invite", "make", f"{BATTERY}X", *ASK[3:]), 3, "405"),
        (("invite", "revoke", "8d9cb8344aee"), 5, "invite list"),
        (("invite", "admit", "{folder}/nothing.json"), 5, "cannot be read"),
        (("invite", "admit", "{folder}/maker/member.json"), 4, "no application"),
        (("invite", "accept", "nonsense"), 4, "no link of an invitation"),
        (("invite", "accept", LINK, "--genesis", "0" * 64, "--trust", "{folder}/node/trust.json"), 2, "either"),
        (("invite", "accept", LINK), 5, "cannot be reached"),
    ],
)
def test_what_cannot_be_is_explained_and_invites_nobody(
    world: Deciding, words: tuple[str, ...], code: int, said: str
) -> None:
    """With the exit code of whose fault it is; a link is never repeated."""
    result = world.run(*(word.format(folder=world.folder) for word in words), who="maker")

    assert code == result.exit_code, result.output
    assert said in " ".join(result.stderr.split())
    assert "t" * 43 not in result.output
    assert "Nobody is invited yet" in world.read("invite", "list", who="maker")


def test_only_who_stands_in_a_register_invites(world: Deciding) -> None:
    """The laboratory does not."""
    result = world.run(*ASK, who="lab")

    assert 5 == result.exit_code
    assert "neither holds nor owns" in " ".join(result.stderr.split())
