"""A small ledger of the newest rules whose statements commit to places, texts and documents, and with what it kept."""

from __future__ import annotations

from dataclasses import replace as replace_genesis
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import Committed
from cellvow.core.contracts.countersigning import SetSigningRule
from cellvow.core.contracts.dispute import OpenDispute
from cellvow.core.contracts.use import InstallBattery
from cellvow.core.ledger.commitment import commit
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.bundling import build_bundle
from cellvow.verify import Disclosed, encode_bundle, encode_trust, least_disclosures
from tests.bundles.chain import SCOPE, Chain, Sound, battery_id, birth, make_genesis, model, registration

if TYPE_CHECKING:
    import random
    from pathlib import Path

PAPER = b"%PDF- the expert's report"
_FIELDS: dict[str, dict[str, dict[str, Json]]] = {
    "place": {"/place": {"into": "vehicle", "place": "WVWZZZ1JZXW000001", "quantity": "place"}},
    "position": {
        "/evidence/0": {"bytes": len(PAPER), "kind": "document", "name": "report.pdf", "sha256": sha256(PAPER).hex()},
        "/evidence/1": {"kind": "document", "name": "photo.png", "sha256": sha256(b"photo").hex()},
        "/text": {"kind": "position", "text": "It was never theirs."},
    },
}
KEPT = ("claim", "held")
"""What the ledger did not accept."""


def opening(name: str, at: str, document: bytes | None = None) -> Disclosed:
    """What opens a field of a statement."""
    return Disclosed(sha256(name.encode(), at.encode()), encode_document(_FIELDS[name][at]), at, document)


def _committed(name: str, at: str) -> Committed:
    opened = opening(name, at)
    return Committed(commitment=commit(opened.salt, opened.field).hex())


def all_openings(name: str) -> list[Disclosed]:
    """Everything that a statement commits to, with the one document that is at hand."""
    return [opening(name, at, PAPER if at == "/evidence/0" else None) for at in _FIELDS.get(name, {})]


class Disclosing(Chain):
    """A unit in a vehicle, a dispute over it, a clone of it, and a birth that waits for a second signature."""

    def __init__(self, folder: Path) -> None:
        genesis = make_genesis()
        buyer, *others = genesis.organisations
        members = (replace_genesis(buyer, roles=("manufacturer",)), *others)
        super().__init__(folder / "ledger", replace_genesis(genesis, organisations=members, ruleset=NEWEST))
        self.time_ms = 1_400_000_000_000  # after the births of its units

    def fill(self, batteries: int = 1) -> None:
        """One of each."""
        signer, scope = self.signer, (*SCOPE, "InstallBattery", "OpenDispute")
        for organisation in ("buyer", "maker", "lab"):
            message = replace(registration(organisation, f"{organisation} key"), scope=scope)
            self.submit(f"key {organisation}", signer.single(f"{organisation} root", organisation, message))
        self.submit("model", signer.single("maker key", "maker", model()))
        for number in range(batteries):
            self.submit(f"birth {number}", signer.single("maker key", "maker", birth(number)))
        place = InstallBattery(
            battery=battery_id(0), into="vehicle", place=_committed("place", "/place"), installed_on="2013-05-18"
        )
        self.submit("place", signer.single("maker key", "maker", place))
        position = OpenDispute(
            battery=battery_id(0),
            reference="D-1",
            topic="ownership",
            respondent="maker",
            text=_committed("position", "/text"),
            evidence=(_committed("position", "/evidence/0"), _committed("position", "/evidence/1")),
        )
        self.submit("position", signer.single("lab key", "lab", position))
        self.submit("claim", signer.single("buyer key", "buyer", birth(0)))
        rule = SetSigningRule(organisation="maker", messages=("RegisterBattery",))
        self.submit("rule", signer.single("maker root", "maker", rule))
        self.submit("held", signer.single("maker key", "maker", birth(batteries)))

    def proof(self, name: str, shown: list[Disclosed]) -> bytes:
        """The bundle of a statement that discloses this."""
        records = [battery_key(battery_id(0))]
        digest = self.receipts[name].digest
        bundle = build_bundle(self.store, digest, state=self.engine.state, records=records)
        disclosures = least_disclosures(shown)
        return encode_bundle(replace_genesis(bundle, disclosures=disclosures))

    def sound(self, rng: random.Random, batteries: int = 1) -> Sound:  # noqa: ARG002 - as any other chain is asked
        """A random bundle that holds."""
        name = rng.choice(["place", "position", "position", "claim", "held"])
        shown = [one for one in all_openings(name) if rng.random() < 0.7]
        return Sound(name, self.proof(name, shown), encode_trust(self.trust(rng.choice([0, 1, 2]))))
