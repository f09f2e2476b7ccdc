"""One member of a consortium in a folder: the ledger its application wrote, and an engine that says what it is told.

member = MemberOnDisk(tmp_path)
member.include(member.world[MAKER].key.sign(...))
view = NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine).view()
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cellvow.core.ledger.commit import VOTED, encode_commit, encode_header, order_voting_keys
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.signature import derive_key_id
from cellvow.node.cometbft import answers
from cellvow.node.home import NodeHome
from cellvow.node.store import PROOF_FILE, LedgerStore
from cellvow.verify.consensus import ConsensusProof, encode_consensus_proof
from tests.bundles.consensus import make_commit, make_header, voting_key
from tests.world import AUTHORITY, CARMAKER, CHAIN_ID, LABORATORY, MAKER, World, make_genesis

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.core.ledger.block import Block
    from cellvow.core.ledger.commit import Commit, Header, VotingKey
    from cellvow.core.ledger.genesis import Genesis
    from cellvow.core.ledger.statement import Statement

URL = "http://127.0.0.1:26657"
OWNERS = (MAKER, CARMAKER, LABORATORY, AUTHORITY)
"""Who runs the four validators."""


def consortium_genesis(ruleset: int = 2) -> Genesis:
    """The small world with four validators of equal power."""
    validators = [Validator(owner, voting_key(number).public_key.hex(), 10) for number, owner in enumerate(OWNERS)]
    return replace(make_genesis(ruleset=ruleset), validators=order_validators(tuple(validators)))


@dataclass
class FakeEngine:
    """An engine as far as it is asked: it stands one block after `world`, and `flags` say who signed.

    `silent` never answers; `app_hash` is what its headers name instead of the world's.
    """

    world: World
    flags: tuple[int, ...] = ()
    silent: bool = False
    version: str = "0.38.25"
    chain_id: str = CHAIN_ID
    monikers: tuple[str, ...] = ("carmaker", "lab", "authority")
    catching_up: bool = False
    app_hash: bytes | None = None
    ahead_ms: int = 0
    asked: list[str] = field(default_factory=list)

    @property
    def keys(self) -> tuple[answers.Validator, ...]:
        """The validators in the engine's order."""
        ordered = order_voting_keys([voting_key(number) for number in range(len(OWNERS))])
        return tuple(answers.Validator(key.address, key.public_key, key.power) for key in ordered)

    @property
    def height(self) -> int:
        """The newest header's."""
        return self.world.head.height + 1

    def status(self) -> answers.Status:
        """How far it is."""
        self._ask("status")
        milliseconds = self.world.head.time_ms + self.ahead_ms
        return answers.Status(
            chain_id=self.chain_id,
            version=self.version,
            node_id="ab" * 20,
            height=self.height,
            block_hash=b"\1" * 32,
            app_hash=self._app_hash(),
            time=answers.Instant(milliseconds // 1000, milliseconds % 1000 * 1_000_000),
            earliest_height=1,
            is_catching_up=self.catching_up,
            validator_address=voting_key(0).address,
            voting_power=10,
        )

    def commit(self, height: int | None = None) -> answers.SignedHeader:
        """A header and who signed it; of older ones the same signed."""
        self._ask("commit")
        header = make_header(CHAIN_ID, height or self.height, self._app_hash(), _ordered_keys())
        return signed_header(header, make_commit(header, _ordered_keys(), self.flags))

    def validators(self, height: int | None = None) -> tuple[answers.Validator, ...]:  # noqa: ARG002 - the port's
        """The same at every height."""
        self._ask("validators")
        return self.keys

    def peers(self) -> tuple[answers.Peer, ...]:
        """Those it is connected with."""
        self._ask("net_info")
        return tuple(answers.Peer("cd" * 20, name, "127.0.0.1:26656", is_outbound=True) for name in self.monikers)

    def close(self) -> None:
        """Nothing is open."""

    def _app_hash(self) -> bytes:
        return self.world.head.app_hash if self.app_hash is None else self.app_hash

    def _ask(self, method: str) -> None:
        self.asked.append(method)
        if self.silent:
            raise OperationalError(f"the engine at {URL} cannot be reached: connection refused; is the member running?")


class MemberOnDisk:
    """A member's node with a world whose blocks its store holds."""

    def __init__(self, folder: Path, ruleset: int = 2) -> None:
        genesis = consortium_genesis(ruleset)
        self.home = NodeHome.create_member(folder / "ledger", genesis, URL)
        self.world = World(genesis)
        self.store = LedgerStore.open_writer(self.home.folder)
        self.store.commit(self.world.blocks[0], self.world.applied[0])
        self.engine = FakeEngine(self.world)
        self.others: dict[str, FakeEngine] = {}

    @property
    def now_ms(self) -> int:
        """A second after the newest block."""
        return self.world.head.time_ms + 1_000

    def open_engine(self, url: str) -> FakeEngine:
        """This member's engine, or another's by its address."""
        return self.others.get(url, self.engine)

    def apply(self, block: Block) -> None:
        """Apply and commit a block."""
        self.store.commit(block, self.world.apply(block))

    def include(self, *statements: Statement, time_ms: int | None = None, evidence: tuple[bytes, ...] = ()) -> None:
        """One more block."""
        self.apply(self.world.next_block(*statements, time_ms=time_ms, evidence=evidence))

    def prove(self, app_hash: bytes | None = None, flags: tuple[int, ...] = (VOTED,) * 4) -> None:
        """Keep what the validators sign of the head, or of another log."""
        head, keys = self.world.head, _ordered_keys()
        header = make_header(CHAIN_ID, head.height + 1, app_hash or head.app_hash, keys)
        commit = make_commit(header, keys, flags)
        proof = encode_consensus_proof(ConsensusProof(encode_header(header), encode_commit(commit)))
        (self.home.folder / PROOF_FILE).write_bytes(proof)

    def kid_of(self, organisation: str) -> str:
        """The identifier of a member's working key."""
        return derive_key_id(self.world[organisation].key.public_key).hex()

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def signed_header(header: Header, commit: Commit) -> answers.SignedHeader:
    """A header of ours with its commit, as the engine's RPC would answer."""
    signatures = tuple(
        answers.CommitSignature(vote.flag, vote.address, _instant(vote.time_ns), vote.signature)
        for vote in commit.votes
    )
    block = answers.BlockId(commit.block.digest, commit.block.parts, commit.block.parts_root)
    last = answers.BlockId(header.last_block.digest, header.last_block.parts, header.last_block.parts_root)
    answered = answers.Header(
        block_protocol=header.block_version,
        app_protocol=header.app_version,
        chain_id=header.chain_id,
        height=header.height,
        time=_instant(header.time_ns),
        last_block_id=last,
        last_commit_hash=header.last_commit_hash,
        data_hash=header.data_hash,
        validators_hash=header.validators_hash,
        next_validators_hash=header.next_validators_hash,
        consensus_hash=header.consensus_hash,
        app_hash=header.app_hash,
        last_results_hash=header.last_results_hash,
        evidence_hash=header.evidence_hash,
        proposer_address=header.proposer,
    )
    return answers.SignedHeader(answered, answers.Commit(commit.height, commit.round, block, signatures), True)


def _instant(time_ns: int) -> answers.Instant:
    return answers.Instant(*divmod(time_ns, 10**9))


def _ordered_keys() -> tuple[VotingKey, ...]:
    return order_voting_keys([voting_key(number) for number in range(len(OWNERS))])
