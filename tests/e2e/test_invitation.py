"""From an invitation to the partner's first signed record: commands and HTTP on this machine, one ledger on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.story import BATTERY, GTIN, LIMITS, MODEL, Story, found
from tests.e2e.test_command_line_serving import fetch, running

if TYPE_CHECKING:
    from pathlib import Path

ROLES = {"maker": ("manufacturer",), "buyer": ("buyer",)}
WORK = ("--kind", "maintenance", "--reference", "W-1", "--text", "Coolant changed")


@pytest.mark.slow
def test_an_invitation_ends_in_the_first_signed_record_of_somebody_who_was_no_member(tmp_path: Path) -> None:
    """Invited, applied, voted in, enrolled, signed - and the coverage of the life counts it; nobody told it so."""
    story = Story(tmp_path)
    found(story, ROLES)
    story.ask("battery", "model", GTIN, *MODEL, *LIMITS, "--workspace", "maker")
    story.ask("battery", "new", BATTERY, "--manufactured-on", "2026-05-17", "--facility", "Plant 1", "-w", "maker")

    with running(tmp_path, "serve", "--workspace", "maker", "--accept") as (_, served):
        site = served["url"].rstrip("/")
        asking = ("--stage", "service", "--for", "Garage Nord", "--origin", site)
        made = story.ask("invite", "make", BATTERY, *asking, "--workspace", "maker")
        accept = ("invite", "accept", made["link"], "--workspace", "garage")
        status, page = fetch(made["link"])
        story.ask(*accept, code=5)
        who = ("--organisation", "garage", "--name", "Garage Nord", "--role", "workshop")
        applied = story.ask(*accept, "--genesis", made["genesis"], *who)
        proposed = story.ask("invite", "admit", applied["application"], "--workspace", "maker")["proposal"]
        waiting = story.ask(*accept)
        for member in ROLES:
            story.ask("vote", "cast", proposed, "--approve", "--workspace", member)
        admitted = story.ask("invite", "admit", applied["application"], "--workspace", "maker")["state"]
        shown = story.ask(*accept, *WORK)
        signed = story.ask(*accept, *WORK, "--sign")
        again = story.ask(*accept)
        listed = story.ask("invite", "list", "--workspace", "maker")["invitations"][0]
        told = fetch(made["link"])[1]

    assert (200, "member") == (status, admitted)
    assert "Garage Nord" in page
    assert ["apply", "vote", "sign", "done", "done"] == [
        one["step"] for one in (applied, waiting, shown, signed, again)
    ]
    assert "RecordWork" == signed["message"]
    assert signed["statement"] == again["statement"] == listed["answered"]["statement"]
    assert ("done", "garage") == (listed["state"], listed["answered"]["organisation"])
    assert listed["before"]["recorded"] + 1 == listed["now"]["recorded"]
    assert signed["statement"][:16] in told
    assert "done: signed" in " ".join(story.run("invite", "list", "--workspace", "maker").stdout.split())
