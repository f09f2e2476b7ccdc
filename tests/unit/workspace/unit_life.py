"""Two lives on one ledger on disk: one unit is sold, used, cloned, dangerous and made into another; one is recycled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.genesis import Accreditation, Genesis
from cellvow.core.ledger.outcome import KeptAsClaim
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.passport.use import DOCUMENTS_SHOWN_MAX
from cellvow.passport.view import OWNER, PUBLIC, Audience, Passport, Reader, Scope
from cellvow.workspace import clock, commands
from cellvow.workspace.passports import PassportReader, Viewed
from cellvow.workspace.second_life import (
    SecondLife,
    Share,
    begin_second_life,
    declare_waste,
    record_destruction,
    record_recycling,
)
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.disputing import notice, opening

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

START_MS = 1_798_000_000_000
"""In December 2026."""
HISTORY = Reader(Audience.PURCHASER, frozenset({Scope.HISTORY}))
READERS = {"stranger": PUBLIC, "purchaser": HISTORY, "owner": OWNER}
UNIT, DEAD = messages.BATTERY, messages.OTHER_BATTERY
THIRD = f"01/{messages.GTIN}/21/PACK-0003"
FOURTH = f"01/{messages.GTIN}/21/PACK-0004"
PART_GTIN = "04012345123463"
PARTS = tuple(f"01/{PART_GTIN}/21/CELL-{number}" for number in (1, 2, 3))
HEIR = f"01/{messages.OTHER_GTIN}/21/SECOND-0001"
ROLES = {
    "lab": ("laboratory",),
    "maker": ("manufacturer",),
    "recycler": ("recycler",),
    "reuser": ("second_life_operator",),
    "rival": ("manufacturer",),
}


@dataclass
class Lives:
    """The ledger, whose clock goes on by a second with each statement."""

    folder: Path
    home: NodeHome
    workspaces: dict[str, Workspace]
    now_ms: int = START_MS

    def say(self, session: LedgerSession, who: str, *said: Message) -> None:
        """Sign and submit messages, each in a statement of its own."""
        for message in said:
            self.now_ms += 1_000
            commands.submit_message(session, self.workspaces[who], message)

    def claim(self, session: LedgerSession, who: str, message: Message) -> None:
        """Submit what the registers deny: it is kept as a claim."""
        try:
            self.say(session, who, message)
        except KeptAsClaim:
            return
        raise AssertionError("the ledger took the claim for the truth")

    def hand_over(self, session: LedgerSession, giver: str, taker: str, battery: str) -> None:
        """All three registers, signed by both sides."""
        self.now_ms += 1_000
        commands.offer_handover(session, self.workspaces[giver], battery, taker, REGISTERS)
        self.now_ms += 1_000
        commands.answer_handover(session, self.workspaces[taker], battery, "accept")

    def view(self, battery: str, who: Reader) -> Viewed:
        """What a reader is shown."""
        viewed = PassportReader(self.home, self.workspaces["reuser"]).view(battery, who)
        assert viewed is not None
        return viewed

    def passport(self, battery: str, who: Reader) -> Passport:
        """The passport he is shown."""
        return self.view(battery, who).passport

    def session(self) -> LedgerSession:
        """The ledger, open for writing."""
        return self.home.open_session(lambda: self.now_ms)

    def close(self) -> None:
        """Close the workspaces."""
        for workspace in self.workspaces.values():
            workspace.close()


def found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lives:
    """Five organisations, two models, two units; the laboratory has certified one of them."""
    accredited = Accreditation(messages.STANDARD.name, messages.STANDARD.edition, ("capacity",), START_MS + 10**10)
    workspaces = {
        name: Workspace.create(
            folder / name, name, f"{name.title()} (invented)", roles, [accredited] if name == "lab" else []
        )
        for name, roles in ROLES.items()
    }
    genesis = Genesis("lives.example", 1_000, NEWEST, tuple(one.member() for one in workspaces.values()))
    home = NodeHome.create(folder / "node", genesis, "test.example/lives", bytes(range(32)))
    lives = Lives(folder, home, workspaces)
    monkeypatch.setattr(clock, "now_ms", lambda: lives.now_ms)
    monkeypatch.setattr(commands, "now_ms", lambda: lives.now_ms)
    with lives.session() as session:
        for workspace in workspaces.values():
            workspace.join(folder / "node")
            commands.enrol(session, workspace)
        lives.say(session, "maker", messages.model(), messages.battery(UNIT), messages.battery(DEAD))
        lives.say(session, "reuser", messages.model(messages.OTHER_GTIN))
        lives.say(session, "lab", messages.anchor(), messages.certificate())
        session.publish()
    return lives


def use(lives: Lives) -> None:
    """Sold to a second-life company, built in, serviced, given other software, graded; then swollen, and cloned."""
    with lives.session() as session:
        lives.say(session, "maker", messages.document(), messages.document(2), messages.document(reference="SCRAP-1"))
        lives.say(session, "maker", replace(messages.document(reference="DISMANTLE-1"), roles=("recycler",)))
        lives.hand_over(session, "maker", "reuser", UNIT)
        lives.say(session, "reuser", messages.decommissioning())
        lives.say(session, "reuser", messages.installation(), messages.work("W-1", next_on="2027-06-01"))
        lives.say(session, "reuser", messages.reset(), messages.grading())
        lives.say(session, "rival", messages.incident(severity="danger"))
        lives.claim(session, "rival", messages.battery(UNIT))
        session.publish()


def assess(lives: Lives) -> None:
    """The laboratory finds the unit to be dangerous: what it certified is void."""
    with lives.session() as session:
        lives.say(session, "lab", messages.assessment("danger"))
        session.publish()


def succeed(lives: Lives) -> None:
    """The unit becomes another one, of the second-life company's own model."""
    with lives.session() as session:
        lives.say(session, "reuser", messages.removal())
        reuser = lives.workspaces["reuser"]
        shares = (Share(UNIT),), (Share(HEIR),)
        wanted = SecondLife("repurpose", *shares, manufactured_on="2026-12-23", facility="Hall 2")
        begin_second_life(session, reuser, wanted)
        session.publish()


def recycle(lives: Lives) -> None:
    """The other unit is waste, recycled, and seen again."""
    with lives.session() as session:
        declare_waste(session, lives.workspaces["maker"], DEAD, "worn_out")
        lives.hand_over(session, "maker", "recycler", DEAD)
        record_recycling(session, lives.workspaces["recycler"], DEAD, "Hall 7", "4.1 kg of nickel")
        lives.claim(session, "rival", messages.sighting(DEAD))
        lives.claim(session, "lab", messages.certificate("CERT-9", identifier=DEAD))
        session.publish()


def alarm(lives: Lives) -> None:
    """The third unit is found dangerous."""
    with lives.session() as session:
        lives.say(session, "lab", messages.assessment("danger", identifier=THIRD))
        session.publish()


def lose(lives: Lives) -> None:
    """It is gone."""
    with lives.session() as session:
        record_destruction(session, lives.workspaces["maker"], THIRD, "fire", "report 7")
        session.publish()


def quarrel(lives: Lives) -> None:
    """A third unit: parts go in and one is replaced, who holds it is disputed, and a recycler wants to take it over.

    The serial of a fourth is claimed before its maker registers it.
    """
    with lives.session() as session:
        lives.say(session, "maker", replace(messages.model(PART_GTIN), mass_g=40), messages.battery(THIRD))
        lives.say(session, "maker", messages.description(), messages.description(PART_GTIN, "cell", 1))
        lives.say(session, "maker", *(messages.battery(part) for part in PARTS))
        lives.say(session, "maker", messages.part_in(PARTS[0], THIRD, position="slot 10"))
        lives.say(session, "maker", messages.part_in(PARTS[1], THIRD, position="slot 2"))
        lives.say(session, "maker", messages.replacement(PARTS[1], PARTS[2], THIRD))
        lives.say(session, "maker", opening("rival", "ownership", battery=THIRD))
        lives.say(session, "recycler", notice(battery=THIRD))
        lives.say(session, "maker", messages.document(reference="MANUAL-3", about=THIRD))
        flood = [messages.document(reference=f"FLOOD-{number}", about=THIRD) for number in range(DOCUMENTS_SHOWN_MAX)]
        lives.say(session, "rival", *flood)
        lives.claim(session, "rival", messages.battery(FOURTH))
        lives.say(session, "maker", messages.battery(FOURTH))
        session.publish()
