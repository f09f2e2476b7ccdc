"""The whole of it at once: members die, come back, are voted out, cheat and join, and the proof still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.cli.demonstration import verify_apart
from cellvow.core.contracts.change import RemoveMember
from cellvow.core.primitives.signature import derive_public_key
from cellvow.node.home import NodeHome
from cellvow.verify.archive import write_archive
from cellvow.workspace import commands
from cellvow.workspace.network import describe_member, stored_height
from cellvow.workspace.sharing import Wanted, export_bundle
from tests.fire.joining import JOINED_S_MAX, admit, has_joined, make_validator
from tests.fire.network import FireNetwork
from tests.fire.scenarios import adopt, killed, read_seed, rewrite_record
from tests.fire.surroundings import build_with_lying_chunks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellvow.node.cometbft.member import MemberHome

pytestmark = [pytest.mark.cometbft, pytest.mark.network, pytest.mark.node, pytest.mark.explore]
AWAY_S = 3.0
STOPPED_S_MAX = 60.0


def test_a_consortium_outlives_what_its_members_do_and_its_proof_holds(
    fire: FireNetwork, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """One is killed and rejoins, a fifth joins by snapshot, one is voted out, one cheats and is left alone."""
    first, second, third, fourth = fire.members
    fault = killed(fire, fourth, "supervisor")
    fire.suffer("killed, and back", fault.inflict, fault.heal, AWAY_S)

    newcomer = join_by_snapshot(fire, [first, second, third], [first, second, third])
    make_validator(fire, newcomer, [first, second, third], derive_public_key(read_seed(newcomer)).hex())
    enrol_newcomer(fire, newcomer)
    fire.judge()

    fire.end_clients()
    fire.begin_clients(first, second)
    adopt(fire, RemoveMember(organisation=third.membership.organisation), [first, second, fourth, newcomer])
    fire.await_(lambda: validators_of(first) == 4, "one validator less", STOPPED_S_MAX)
    fire.judge()

    cheat(fire, fourth)
    bundle = prove(fire, first, tmp_path)
    verifier = tmp_path / "cellvow-verify.pyz"
    write_archive(verifier)
    verdicts = verify_apart(verifier, bundle, fire.network.trust, lambda _: None)
    assert ["cellvow-verify.pyz", "verify.js"] == [one.verifier for one in verdicts if one.holds]
    record_property("measured", f"consortium: bundle {bundle.stat().st_size} B; " + "; ".join(map(str, fire.measured)))


def test_a_snapshot_with_a_changed_byte_is_refused_and_another_peer_is_asked(fire: FireNetwork, tmp_path: Path) -> None:
    """One of two members that offer a snapshot changes a byte of every chunk that it serves."""
    first, second, third, liar = fire.members
    fire.become_still()
    fire.stop(liar)
    fire.start(liar, build_with_lying_chunks(tmp_path / "liar"))
    fire.await_ready()
    newcomer = join_by_snapshot(fire, [first, second, third], [first, liar])
    assert "was refused" in newcomer.application_log.read_text(encoding="utf-8")
    fire.judge()


def join_by_snapshot(fire: FireNetwork, voters: list[MemberHome], offering: list[MemberHome]) -> MemberHome:
    """Vote a fifth in, and let it begin with a snapshot; what was acknowledged before is not in its ledger."""
    fire.become_still()
    newcomer = admit(fire, voters, offering)
    fire.start(newcomer)
    fire.go_on()
    target = stored_height(voters[0]) or 0
    fire.await_(lambda: has_joined(newcomer, target), "the newcomer to be where the others are", JOINED_S_MAX)
    store = NodeHome(newcomer.ledger).open_reader()
    joined = store.restored_height()
    store.close()
    assert joined is not None
    fire.without_history[newcomer.label] = joined
    return newcomer


def enrol_newcomer(fire: FireNetwork, newcomer: MemberHome) -> None:
    """Register its working key, through its own member."""
    with fire.session(newcomer) as (session, workspace):
        commands.enrol(session, workspace)


def validators_of(home: MemberHome) -> int:
    """How many validators a member's engine counts."""
    return describe_member(home).validators or 0


def cheat(fire: FireNetwork, victim: MemberHome) -> None:
    """Let a member rewrite its database; it must stop, and the others go on."""
    fire.stop(victim)
    rewrite_record(victim)
    fire.left_alone.add(victim.label)
    fire.start(victim)
    fire.go_on()
    fire.await_(lambda: describe_member(victim).supervisor == "failed", "the cheat to be left alone", STOPPED_S_MAX)
    assert "is not the one that the others agreed on" in fire.reason(victim)
    fire.judge()


def prove(fire: FireNetwork, giver: MemberHome, folder: Path) -> Path:
    """A bundle of the last acknowledged statement, vouched for by the validators of now."""
    path = folder / "proof.cvb"
    with fire.session(giver) as (session, _):
        session.publish()
        wanted = Wanted(fire.acknowledged[-1].receipted.digest, 0, (), session.engine.state)
        path.write_bytes(export_bundle(session.store, None, wanted))
    return path
