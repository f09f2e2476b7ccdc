"""Faults by name, twins of a validator, and a member that rewrites its own database."""

from __future__ import annotations

import base64
import json
import os
import secrets
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import apsw

from cellvow.core.ledger.evidence import DUPLICATE_VOTE, parse_evidence
from cellvow.core.primitives.signature import derive_public_key
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.member import SEED_LENGTH, EngineKeys, MemberHome, derive_address
from cellvow.node.cometbft.profile import PROFILE, Setting, fetch_defaults, render_settings
from cellvow.node.store import LEDGER_FILE
from cellvow.workspace.clock import now_ms
from cellvow.workspace.governing import Draft, cast_vote, next_reference, propose
from cellvow.workspace.network import choose_ports, stored_height

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cellvow.core.contracts.change import Change
    from cellvow.node.store import LedgerStore
    from tests.fire.namespaces import Namespace
    from tests.fire.network import FireNetwork

VOTING_MS = 86_400_000
"""How long votes are open."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to one member or several, and how it ends."""

    name: str
    inflict: Callable[[], None]
    heal: Callable[[], None]


def nothing() -> None:
    """What heals by itself, or by the supervisor."""


def killed(fire: FireNetwork, victim: MemberHome, part: str) -> Fault:
    """SIGKILL to one process; the supervisor starts it anew, or somebody starts the supervisor anew."""
    heal = (lambda: fire.start(victim)) if part == "supervisor" else nothing
    return Fault(f"kill -9 of {part}", lambda: fire.kill(victim, part), heal)


def paused(fire: FireNetwork, victim: MemberHome) -> Fault:
    """SIGSTOP to all processes of a member."""
    return Fault("pause", lambda: fire.pause(victim), lambda: fire.resume(victim))


def disconnected(fire: FireNetwork, victim: MemberHome) -> Fault:
    """Its link is down."""
    space = fire.places[victim.label]
    return Fault("link down", space.cut, space.mend)


def deafened(fire: FireNetwork, victim: MemberHome) -> Fault:
    """It hears nobody, and what it sends arrives."""
    others = [fire.places[home.label].address for home in fire.members if home.label != victim.label]
    space = fire.places[victim.label]
    return Fault("one-way partition", lambda: space.ignore(others), space.listen)


def halved(fire: FireNetwork) -> Fault:
    """Two cannot hear the other two: nobody has more than two thirds."""
    first, second = fire.members[:2], fire.members[2:4]
    return Fault("2:2 partition", lambda: fire.split(first, second), lambda: fire.join(*first, *second))


def restarted(fire: FireNetwork) -> Fault:
    """All members end, in order, and start again."""

    def end() -> None:
        for home in fire.members:
            fire.stop(home)

    def begin() -> None:
        for home in fire.members:
            fire.start(home)

    return Fault("restart of all", end, begin)


# Twins


def read_seed(home: MemberHome) -> bytes:
    """The seed of a member's validator."""
    document = json.loads((home.engine / "config" / "priv_validator_key.json").read_bytes())
    return base64.b64decode(document["priv_key"]["value"])[:SEED_LENGTH]


def make_engine_home(
    fire: FireNetwork,
    model: MemberHome,
    name: str,
    *,
    keys: EngineKeys | None = None,
    settings: Callable[[Namespace], Sequence[Setting]] = lambda _: (),
    named: tuple[str, str] | None = None,
) -> MemberHome:
    """One more member's home in a namespace of its own, at genesis; without `keys` it has the model's validator key."""
    space = fire.fabric.add()
    ports = choose_ports(2, 0)
    made = EngineKeys(read_seed(model), secrets.token_bytes(32)) if keys is None else keys
    peers = [
        f"{one.membership.node_id}@{fire.places[one.label].address}:{one.membership.p2p_port}" for one in fire.members
    ]
    organisation, title = named or (model.membership.organisation, model.membership.name)
    membership = replace(
        model.membership,
        organisation=organisation,
        name=title,
        node_id=made.node_id,
        moniker=name,
        host=space.address,
        p2p_port=ports[0],
        rpc_port=ports[1],
        peers=tuple(peers),
    )
    defaults = fetch_defaults(find_engine(os.environ))
    text = render_settings(defaults, (*PROFILE, *membership.addresses.settings(), *settings(space)))
    home = MemberHome.create(fire.network.folder / name, membership, made, fire.network.genesis, text)
    fire.settle(home, space)
    return home


def double_votes(store: LedgerStore, home: MemberHome) -> list[int]:
    """The heights at which the ledger has it that a member's validator voted twice."""
    address = derive_address(derive_public_key(read_seed(home))).hex()
    found = [parse_evidence(one) for block in store.blocks() for one in block.evidence]
    return [one.height for one in found if (one.kind, one.address) == (DUPLICATE_VOTE, address)]


# A member that rewrites its own database


def rewrite_record(home: MemberHome) -> str:
    """Change one record of a ledger that nobody has open, and nothing else; its key."""
    with closing(apsw.Connection(str(home.ledger / LEDGER_FILE))) as connection:
        query = "SELECT key, value FROM record WHERE key LIKE 'anchor/%' ORDER BY key LIMIT 1"
        found = connection.execute(query).fetchall()[0]
        key, value = str(found[0]), found[1]
        changed = value.replace(b'"rows":1', b'"rows":9') if isinstance(value, bytes) else b""
        if not changed or changed == value:
            raise AssertionError(f"{key} was not changed: {value!r}")
        connection.execute("UPDATE record SET value=? WHERE key=?", (changed, key))
        return key


def truncate(path: Path, kept: int) -> None:
    """Cut a file off after so many bytes."""
    with path.open("r+b") as file:
        file.truncate(kept)


# Votes


def adopt(fire: FireNetwork, change: Change, voters: Sequence[MemberHome], *, effective_height: int = 0) -> None:
    """Let the first propose a change and all of these approve it, each through its own member."""
    with fire.session(voters[0]) as (session, workspace):
        reference = next_reference(session.store, workspace.organisation)
        draft = Draft(
            change=change, reference=reference, effective_height=effective_height, closes_ms=now_ms() + VOTING_MS
        )
        proposed = propose(session, workspace, draft)
    proposer = voters[0].membership.organisation
    for home in voters:
        fire.await_(lambda home=home: (stored_height(home) or 0) >= proposed.height, "the proposal to be known")  # type: ignore[misc]  # bound now
        with fire.session(home) as (session, workspace):
            cast_vote(session, workspace, proposer, reference, approve=True)
