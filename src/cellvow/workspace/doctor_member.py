"""The examination of a member of a consortium: engine, heights, clock, peers, fellow validators."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cellvow.core.contracts.electorate import get_validators
from cellvow.core.ledger.commit import parse_header
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.cometbft import answers
from cellvow.node.cometbft.binary import VERSION_MIN, parse_version
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore
from cellvow.verify import app_hash_of
from cellvow.workspace.consent import read_consent
from cellvow.workspace.finding import BROKEN, LOOK, OK, Finding, run_check
from cellvow.workspace.governing import reading_context
from cellvow.workspace.network_view import RPC_TIMEOUT_S, EngineSource, OpenEngine, derive_address, verify_signed

CLOCK_TOLERANCE_MS = 10_000
"""How far this clock may be from the validators' before their blocks are doubted, where blocks are being made."""
COMMITS_LOOKED_AT = 10
"""How many of the newest blocks a validator must have missed to be called silent."""
LAG_LOOK = 5
"""Blocks that the ledger may be behind its engine: it is written a moment after the header is there."""
_VOTED = 2


@dataclass(frozen=True, slots=True)
class _Member:
    """What is examined."""

    home: NodeHome
    store: LedgerStore
    engine: EngineSource
    status: answers.Status
    now_ms: int


def examine_member(
    home: NodeHome,
    store: LedgerStore,
    now_ms: int,
    open_engine: OpenEngine = lambda url: EngineRpc(url, RPC_TIMEOUT_S),
) -> list[Finding]:
    """Everything about a member; where its engine is silent, what its ledger alone can tell."""
    proof = run_check("validators' proof", lambda: _examine_proof(home, store))
    engine = open_engine(home.engine_url or "")
    try:
        status = engine.status()
    except OperationalError as error:
        sentence, remedy = (
            str(error),
            "start it: `cellvow network up`, or `cellvow network member DIR` for this one alone",
        )
        return [Finding("engine", BROKEN, sentence, remedy), proof]
    else:
        member = _Member(home, store, engine, status, now_ms)
        return [*(run_check(subject, _bound(check, member)) for subject, check in _CHECKS), proof]
    finally:
        engine.close()


def _bound(check: Callable[[_Member], Finding], member: _Member) -> Callable[[], Finding]:
    return lambda: check(member)


def _examine_engine(member: _Member) -> Finding:
    status, needed = member.status, ".".join(map(str, VERSION_MIN))
    version = parse_version(status.version)
    if version is None or version[:2] != VERSION_MIN[:2] or version < VERSION_MIN:
        remedy = "install it with `make network-engine`, and start this member again"
        return Finding("engine", BROKEN, f"version {status.version}; {needed} or a later 0.38 is needed", remedy)
    own = member.store.head().chain_id
    if status.chain_id != own:
        remedy = "give the engine the home that was made with this ledger"
        return Finding("engine", BROKEN, f"it is of the chain {status.chain_id}, and the ledger of {own}", remedy)
    return Finding("engine", OK, f"version {status.version} answers, block {status.height}")


def _examine_catching_up(member: _Member) -> Finding:
    if member.status.is_catching_up:
        return Finding("catching up", LOOK, f"at block {member.status.height}", "wait: it takes in what it missed")
    return Finding("catching up", OK, "it is where the others are")


def _examine_heights(member: _Member) -> Finding:
    """Ledger against engine. Empty blocks leave no trace in the ledger, so that the log's size is compared."""
    signed = member.engine.commit()
    try:
        size, root = app_hash_of(parse_header(answers.encode_header(signed.header)))
    except Malformed:
        return Finding("ledger and engine", LOOK, "the engine has no header with an app hash yet", "wait for a block")
    head = member.store.head()
    if head.height > signed.header.height + 1:
        sentence = f"the ledger is at block {head.height}, the engine at {signed.header.height}: one is an older copy"
        remedy = "never restore a validator's memory: rejoin with a new key (`cellvow network replace`)"
        return Finding("ledger and engine", BROKEN, sentence, remedy)
    if size > head.log.size:
        sentence = f"the ledger has {head.log.size} of {size} leaves (block {signed.header.height})"
        state = LOOK if signed.header.height - head.height <= LAG_LOOK else BROKEN
        return Finding("ledger and engine", state, sentence, "look into the member's logs: its application lags")
    if member.store.frontier(size).root() != root:
        sentence = f"other leaves than the validators signed in block {signed.header.height}: this member is alone"
        remedy = "stop it, keep its files for whoever asks, and restore the ledger from an archive of the others"
        return Finding("ledger and engine", BROKEN, sentence, remedy)
    return Finding("ledger and engine", OK, f"the same {size} leaves, block {signed.header.height}")


def _examine_clock(member: _Member) -> Finding:
    """The clock of this machine against the time the validators gave the newest block, which lies in the past."""
    time = member.status.time
    ahead_ms = time.seconds * 1000 + time.nanoseconds // 1_000_000 - member.now_ms
    if ahead_ms > CLOCK_TOLERANCE_MS:
        sentence = f"this clock is {ahead_ms // 1000} s behind the validators' newest block"
        return Finding("clock of the validators", BROKEN, sentence, "set it: timedatectl set-ntp true")
    return Finding("clock of the validators", OK, "this clock is not behind their newest block")


def _examine_peers(member: _Member) -> Finding:
    """Whether this engine is connected with as many as there are other validators."""
    others = max(0, len(get_validators(reading_context(member.store))) - 1)
    peers = [peer.moniker for peer in member.engine.peers()]
    sentence = f"connected with {len(peers)} of {others} others" + (f": {', '.join(peers)}" if peers else "")
    if len(peers) >= others:
        return Finding("peers", OK, sentence)
    state = LOOK if peers else BROKEN
    return Finding(
        "peers", state, sentence, "ask whether the others run, and whether a firewall closes the peers' port"
    )


def _examine_validators(member: _Member) -> Finding:
    """Who has signed none of the newest blocks. A silent third stops the chain."""
    known = get_validators(reading_context(member.store))
    newest = member.engine.commit()
    verify_signed(newest, member.engine.validators(newest.header.height), newest.header.chain_id)
    height = newest.header.height
    least = max(member.status.earliest_height, height - COMMITS_LOOKED_AT + 1, 1)
    older = [member.engine.commit(one) for one in range(least, height)]
    signers = {
        vote.validator_address for one in (*older, newest) for vote in one.commit.signatures if vote.flag == _VOTED
    }
    silent = [one for one in known if derive_address(bytes.fromhex(one.public_key)) not in signers]
    blocks = f"the newest {len(older) + 1} blocks"
    if not silent:
        return Finding("validators", OK, f"all {len(known)} signed one of {blocks}")
    names = ", ".join(f"{one.organisation} ({one.public_key[:8]})" for one in silent)
    sentence = f"{len(silent)} of {len(known)} signed none of {blocks}: {names}"
    return Finding("validators", LOOK, sentence, _remedy(known, silent))


def _remedy(known: Sequence[object], silent: Sequence[object]) -> str:
    """What a member can do about silent fellows."""
    if 3 * (len(silent) + 1) >= len(known):
        return "ask them now: with one more silent validator no block may be made"
    return "ask them; members can remove a validator by vote: `cellvow vote propose remove-validator`"


def _examine_proof(home: NodeHome, store: LedgerStore) -> Finding:
    consent, size = read_consent(store), store.head().log.size
    if consent is None:
        return Finding("validators' proof", LOOK, "none was fetched yet", f"cellvow publish --ledger {home.folder}")
    if consent.size <= size and store.frontier(consent.size).root().hex() != consent.root:
        sentence = f"it proves other leaves than this ledger's first {consent.size}: this member is alone"
        remedy = "stop it, keep its files for whoever asks, and restore the ledger from an archive of the others"
        return Finding("validators' proof", BROKEN, sentence, remedy)
    signed = f"block {consent.height}, signed by {consent.signers} of {consent.validators} validators"
    if consent.size < size:
        sentence = f"{signed}, covers {consent.size} of {size} leaves"
        return Finding("validators' proof", LOOK, sentence, f"cellvow publish --ledger {home.folder}")
    return Finding("validators' proof", OK, f"{signed}, covers all {size} leaves")


_CHECKS: tuple[tuple[str, Callable[[_Member], Finding]], ...] = (
    ("engine", _examine_engine),
    ("catching up", _examine_catching_up),
    ("ledger and engine", _examine_heights),
    ("clock of the validators", _examine_clock),
    ("peers", _examine_peers),
    ("validators", _examine_validators),
)
