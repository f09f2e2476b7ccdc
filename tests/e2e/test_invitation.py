"""From an invitation to the partner's first signed record: commands and HTTP on this machine, one ledger on disk."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.e2e.story import BATTERY, GTIN, LIMITS, MODEL, Story, found
from tests.e2e.test_command_line_serving import fetch, running
from tests.integration.test_runbooks import HOW_TO, ON_ONE_WRITER
from tests.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROLES = {"maker": ("manufacturer",), "buyer": ("buyer",)}
WORK = ("--kind", "maintenance", "--reference", "W-1", "--text", "Coolant changed")


def begin(folder: Path, roles: Mapping[str, tuple[str, ...]]) -> Story:
    """A ledger of these members, and a battery that its maker holds."""
    story = Story(folder)
    found(story, roles)
    story.ask("battery", "model", GTIN, *MODEL, *LIMITS, "--workspace", "maker")
    story.ask("battery", "new", BATTERY, "--manufactured-on", "2026-05-17", "--facility", "Plant 1", "-w", "maker")
    return story


@pytest.mark.slow
def test_an_invitation_ends_in_the_first_signed_record_of_somebody_who_was_no_member(tmp_path: Path) -> None:
    """Invited, applied, voted in, enrolled, signed - and the coverage of the life counts it; nobody told it so."""
    story = begin(tmp_path, ROLES)
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


@pytest.mark.slow
def test_a_member_takes_the_unit_over_and_records_its_use_by_the_link_alone(tmp_path: Path) -> None:
    """What is signed while the site takes nothing waits, and is sent once: later, as it was signed."""
    story = begin(tmp_path, {"maker": ("manufacturer",), "carmaker": ("vehicle_maker",)})
    make = ("invite", "make", BATTERY, "--stage", "use", "--for", "carmaker", "--to")
    with running(tmp_path, "serve", "--workspace", "maker") as (_, served):
        story.ask(*make, "closed.txt", "--origin", served["url"].rstrip("/"), "-w", "maker")
        use = ("--into", "vehicle", "--place", "WVWZZZ1KZAW000001", "--take", "-w", "carmaker")
        genesis = story.said["ledger"]["genesis"]
        not_offered = story.ask("invite", "accept", "closed.txt", "--genesis", genesis, *use, "--sign", code=5)
        story.ask("handover", "offer", BATTERY, "--to", "carmaker", "-w", "maker")
        closed = story.ask("invite", "accept", "closed.txt", *use, "--sign", code=5)
    with running(tmp_path, "serve", "--workspace", "maker", "--accept") as (_, served):
        link = (tmp_path / "closed.txt").read_text(encoding="ascii").strip().rpartition("/")[2]
        (tmp_path / "open.txt").write_text(f"{served['url']}invite/{link}", encoding="ascii")
        shown = story.ask("invite", "accept", "open.txt", *use)
        signed = story.ask("invite", "accept", "open.txt", *use, "--sign")
        again = story.ask("invite", "accept", "open.txt", *use, "--sign")
    listed = story.ask("invite", "list", "--workspace", "maker")["invitations"][0]

    assert "handover offer" in not_offered["reason"]
    assert "serve --accept" in closed["reason"]
    assert "sign" == shown["step"]
    assert "InstallBattery" == signed["message"]
    assert signed["statement"] == again["statement"] == listed["answered"]["statement"]
    assert "done" == listed["state"]
    assert [] == story.ask("service", "queue", "--workspace", "carmaker")["waiting"]


@pytest.mark.slow
def test_the_how_to_does_what_it_says(tmp_path: Path) -> None:
    """Every command of the page, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    page = tmp_path / ON_ONE_WRITER
    page.write_text((HOW_TO / ON_ONE_WRITER).read_text(encoding="utf-8").replace("18765", str(port)), encoding="utf-8")
    with Terminal(tmp_path) as terminal:
        terminal.follow(page)
