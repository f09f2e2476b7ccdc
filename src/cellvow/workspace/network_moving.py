"""A ledger moved to members of its own, or to a new line of the engine: another genesis goes on from its last state.

The old ledger is replayed, published a last time and closed; its whole state is what the new one begins with, so that
keys, counters and batteries stay what they are. The old log is not copied: what it proves, it goes on proving.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.contracts.organisation import is_member, organisation_key
from cellvow.core.ledger.genesis import Genesis, Organisation, Predecessor, parse_organisation
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.identifier import parse_chain_id
from cellvow.core.protocol.transition import Head
from cellvow.node.archive_format import parse_end
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.member import LEDGER, EngineKeys
from cellvow.node.cometbft.profile import fetch_defaults
from cellvow.node.engine import Level
from cellvow.node.fsck import check_ledger
from cellvow.node.home import GENESIS_FILE, NodeHome
from cellvow.node.records import build_tree
from cellvow.node.store import LedgerStore
from cellvow.workspace.clock import now_ms
from cellvow.workspace.network import Network, NetworkPlan, make_homes, name_validators, plan_members

ORGANISATIONS = organisation_key("")
"""Beginning of the key of every organisation's record."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A network that goes on from another ledger, and where it began."""

    network: Network
    predecessor: Predecessor
    records: int


def move_ledger(
    folder: Path, ledger: Path, plan: NetworkPlan, validators: tuple[str, ...], program: EngineProgram
) -> Moved:
    """Found a network that goes on from the ledger in a folder, and close that one.

    `validators` are the organisations that run a member, all if none is named; `plan.members` does not count here. No
    workspace is made: those of the old ledger join the new one with the keys they have. Raises `LedgerLocked` while
    another process writes the old ledger, `VerificationError` where it does not replay, `OperationalError` where
    nobody vouches for its end or the folder is not empty, `Malformed` for a plan that cannot be.
    """
    if folder.exists() and any(folder.iterdir()):
        raise OperationalError(f"{folder} is not empty: nothing was changed; name another folder")
    defaults = fetch_defaults(program)
    old = NodeHome(ledger)
    with _last_turn(old) as store:
        head = store.head()
        if parse_chain_id(plan.chain_id) == head.chain_id:
            raise Malformed(f"{head.chain_id} is the name of the old ledger: the new one needs another (--chain-id)")
        check_ledger(store)
        records = dict(store.records())
        predecessor = Predecessor(
            head.chain_id, head.log.size, head.log.root().hex(), build_tree(store).root.hex(), head.height
        )
        organisations = _organisations(records)
        chosen = _choose(organisations, validators, plan)
        keys = {one.organisation: EngineKeys(secrets.token_bytes(32), secrets.token_bytes(32)) for one in chosen}
        members = plan_members([(one.organisation, one.name) for one in chosen], keys, plan)
        time_ms = max(now_ms(), head.time_ms)
        genesis = Genesis(plan.chain_id, time_ms, head.ruleset, organisations, predecessor, name_validators(keys))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        network = make_homes(folder, members, keys, genesis, defaults, records)
        for one in (old, *_beside(old)):
            one.close_for(network.genesis)
    return Moved(network, predecessor, len(records))


def _beside(home: NodeHome) -> list[NodeHome]:
    """The other members' ledgers of a network in one folder, which must not go on either."""
    if not home.is_member:
        return []
    others = sorted(home.folder.absolute().parent.parent.glob(f"member-*/{LEDGER}/{GENESIS_FILE}"))
    found = [NodeHome(path.parent) for path in others if path.parent != home.folder.absolute()]
    return [one for one in found if one.trust.genesis == home.trust.genesis]


@contextmanager
def _last_turn(home: NodeHome) -> Iterator[LedgerStore]:
    """The ledger with its writer's lock held, once what it holds is vouched for to the end."""
    home.require_open()
    if not home.is_member:
        with home.open_session(now_ms) as session:
            session.publish()
            _require_witnessed(home, session.store)
            yield session.store
        return
    store = LedgerStore.open_writer(home.folder)  # refused while the member runs
    try:
        _require_proof(store, home.folder)
        yield store
    finally:
        store.close()


def _require_witnessed(home: NodeHome, store: LedgerStore) -> None:
    size = store.head().log.size
    if home.trust.witnesses and home.level_of(store, size - 1) is not Level.WITNESSED:
        raise OperationalError(
            f"the last checkpoint of {size} leaves has fewer cosignatures than the {home.trust.quorum} that verifiers "
            "ask for: run `cellvow publish` when the witnesses answer, then move the ledger"
        )


def _require_proof(store: LedgerStore, folder: Path) -> None:
    proof, head = store.consensus_proof(), store.head()
    if proof is None or not _is_end(proof, store, head):
        raise OperationalError(
            f"no proof of the validators for the last of {head.log.size} leaves is kept in {folder}: start the "
            f"network, run `cellvow publish --ledger {folder}`, stop it, then move the ledger"
        )


def _is_end(proof: bytes, store: LedgerStore, head: Head) -> bool:
    end = parse_end(proof, store.genesis())
    return (end.size, end.root) == (head.log.size, head.log.root())


def _organisations(records: dict[str, bytes]) -> tuple[Organisation, ...]:
    """The members as the old ledger has them, in order; those that were removed are not named any more."""
    named = sorted(key.removeprefix(ORGANISATIONS) for key in records if key.startswith(ORGANISATIONS))
    return tuple(parse_organisation(records[organisation_key(one)]) for one in named if is_member(records.get, one))


def _choose(
    organisations: tuple[Organisation, ...], validators: tuple[str, ...], plan: NetworkPlan
) -> list[Organisation]:
    """Those that run a member, in the order in which they were named."""
    known = {one.organisation: one for one in organisations}
    strangers = [name for name in validators if name not in known]
    if strangers or len(dict.fromkeys(validators)) != len(validators):
        named = strangers[0] if strangers else "an organisation named twice"
        raise Malformed(f"{named} cannot validate: members of the old ledger are {', '.join(known)}")
    chosen = [known[name] for name in validators or known]
    if plan.hosts and len(plan.hosts) != len(chosen):
        raise Malformed(f"{len(plan.hosts)} hosts are named for {len(chosen)} members: name one for each, or none")
    return chosen
