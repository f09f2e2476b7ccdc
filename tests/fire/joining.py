"""A newcomer voted in, which begins with a snapshot instead of with history."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.core.contracts.change import AdmitMember, AdmitValidator
from cellvow.node.cometbft.member import LEDGER, WORKSPACE, EngineKeys, MemberHome
from cellvow.node.cometbft.profile import Setting, StateSync
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.cometbft.statesync import SNAPSHOTS_FOLDER
from cellvow.node.snapshot import SnapshotReader
from cellvow.workspace.network import INVENTED, POWER, Network, describe_member, stored_height
from cellvow.workspace.settings import write_settings
from cellvow.workspace.workspace import Workspace
from tests.fire.scenarios import adopt, make_engine_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellvow.workspace.settings import Settings
    from tests.fire.namespaces import Namespace
    from tests.fire.network import FireNetwork

JOINED_S_MAX = 90.0
CHUNK_BYTES = 4_096
"""Small, so that a snapshot of a short test has several chunks."""


def take_snapshot(home: MemberHome) -> int:
    """Make a snapshot of a member's ledger beside whoever writes it; its height."""
    with SnapshotReader.pin(home.ledger) as reader:
        return reader.write(home.ledger / SNAPSHOTS_FOLDER, chunk_bytes=CHUNK_BYTES).height


def admit(fire: FireNetwork, voters: Sequence[MemberHome], offering: Sequence[MemberHome]) -> MemberHome:
    """The home of the next invented organisation, voted in and set to begin with a snapshot that some offer."""
    name = f"member-{len(fire.members) + 1}"
    organisation, title, roles = INVENTED[len(fire.members)]
    keys = EngineKeys(secrets.token_bytes(32), secrets.token_bytes(32))
    workspace = Workspace.create(fire.network.folder / name / WORKSPACE, organisation, title, roles)
    settle_workspace(workspace, workspace.settings)
    root = workspace.member().root_keys
    workspace.close()
    adopt(fire, AdmitMember(organisation=organisation, name=title, roles=roles, root_keys=root), voters)  # type: ignore[arg-type]  # words of genesis
    fire.become_still()  # one snapshot is what several offer only at one height
    heights = {take_snapshot(home) for home in offering}
    if len(heights) != 1:
        raise AssertionError(f"snapshots of several heights: {heights}")
    trusted = trusted_header(voters[0])

    def settings(space: Namespace) -> tuple[Setting, ...]:
        for one in voters[:2]:
            fire.fabric.relay(one.membership.rpc_port, fire.places[one.label], at=space)
        servers = tuple(one.membership.addresses.rpc_url for one in voters[:2])
        return StateSync(servers, *trusted).settings()

    newcomer = make_engine_home(fire, voters[0], name, keys=keys, settings=settings, named=(organisation, title))
    fire.network = Network(fire.network.folder)
    return newcomer


def settle_workspace(workspace: Workspace, settings: Settings) -> None:
    """Let a workspace find its member's ledger beside it."""
    write_settings(workspace.folder, replace(settings, ledger=Path("..") / LEDGER))


def trusted_header(home: MemberHome) -> tuple[int, str]:
    """Height and hash of a block that the newcomer is told to trust."""
    rpc = EngineRpc(home.membership.addresses.rpc_url)
    try:
        signed = rpc.commit(max(1, (rpc.status().height) - 2))
        return signed.header.height, signed.commit.block_id.hash.hex().upper()
    finally:
        rpc.close()


def make_validator(fire: FireNetwork, newcomer: MemberHome, voters: Sequence[MemberHome], public_key: str) -> None:
    """Vote the newcomer's key among the validators."""
    organisation = newcomer.membership.organisation
    adopt(fire, AdmitValidator(organisation=organisation, public_key=public_key, power=POWER), voters)


def has_joined(home: MemberHome, height: int) -> bool:
    """Whether a newcomer's engine runs and its ledger has reached a height."""
    state = describe_member(home)
    return state.app_hash is not None and not state.is_catching_up and (stored_height(home) or 0) >= height
