"""Whoever watches several members sees two decisions of one height, and nobody can make him see what is not there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from cellvow.core.ledger.commit import ABSENT, BlockId, Commit, Header
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.node.cometbft import answers
from cellvow.node.cometbft.monitor import Monitor, find_first, verify_fork
from tests.bundles.chain import make_genesis
from tests.bundles.consensus import founding_keys, founding_validators, make_commit, make_header
from tests.world import make_genesis as make_other_genesis

KEYS = founding_keys()
GENESIS = replace(make_genesis(), validators=founding_validators())
CHAIN_ID = GENESIS.chain_id
SECOND_NS = 10**9


@cache
def decided(height: int, branch: str, flags: tuple[int, ...] = ()) -> answers.SignedHeader:
    """A block of one branch with its commit, as an engine answers it."""
    header = make_header(CHAIN_ID, height, (height + 1).to_bytes(8, "big") + branch.encode().ljust(32, b"."), KEYS)
    return shown(header, make_commit(header, KEYS, flags))


def shown(header: Header, commit: Commit) -> answers.SignedHeader:
    """A header and its commit in the form of the engine's answers."""
    told = answers.Header(
        block_protocol=header.block_version,
        app_protocol=header.app_version,
        chain_id=header.chain_id,
        height=header.height,
        time=_instant(header.time_ns),
        last_block_id=_block_id(header.last_block),
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
    votes = tuple(
        answers.CommitSignature(one.flag, one.address, _instant(one.time_ns), one.signature) for one in commit.votes
    )
    return answers.SignedHeader(
        told, answers.Commit(commit.height, commit.round, _block_id(commit.block), votes), is_canonical=True
    )


def _instant(time_ns: int) -> answers.Instant:
    return answers.Instant(*divmod(time_ns, SECOND_NS))


def _block_id(block: BlockId) -> answers.BlockId:
    return answers.BlockId(block.digest, block.parts, block.parts_root)


@dataclass
class FakeMember:
    """An engine that shows one branch from a height on, and `common` before it."""

    height: int
    branch: str = "common"
    parted: int = 1
    flags: tuple[int, ...] = ()
    chain_id: str = CHAIN_ID
    is_away: bool = False
    asked: list[int] = field(default_factory=list)

    def status(self) -> answers.Status:
        """How far it is."""
        if self.is_away:
            raise OperationalError("the engine cannot be reached")
        moment = answers.Instant(0, 0)
        hashes = (b"", b"")
        return answers.Status(self.chain_id, "0.38.25", "n", self.height, *hashes, moment, 1, False, b"", 10)

    def commit(self, height: int | None = None) -> answers.SignedHeader:
        """A block of its branch."""
        wanted = height or self.height
        self.asked.append(wanted)
        return decided(wanted, self.branch if wanted >= self.parted else "common", self.flags)

    def validators(self, height: int | None = None) -> tuple[answers.Validator, ...]:
        """They never change here."""
        raise AssertionError(f"asked for the validators of {height}")


def look(**members: FakeMember) -> Monitor:
    """A monitor of these members, that has not looked yet."""
    return Monitor(members, GENESIS)


def test_members_of_one_history_agree_as_far_as_the_slowest() -> None:
    """One comparison for each is enough: headers are chained."""
    slow = FakeMember(40)
    seen = look(a=FakeMember(50), b=slow, c=FakeMember(50)).look()

    assert (40, (), ()) == (seen.agreed_height, seen.forks, seen.unproven)
    assert {"a": 50, "b": 40, "c": 50} == seen.heights
    assert 1 == len(slow.asked)


def test_two_decisions_of_one_height_are_a_fork_with_both_commits() -> None:
    """The first height at which they part is found, and who signed both is named."""
    seen = look(a=FakeMember(50), b=FakeMember(47, "other", parted=23)).look()

    fork = seen.forks[0]
    assert (22, "a", "b", 23) == (seen.agreed_height, fork.first, fork.second, fork.verified.height)
    assert ("buyer", "lab", "maker") == fork.verified.culprits
    assert len(KEYS) == len(fork.verified.keys)
    assert fork.verified == verify_fork(fork.proof, GENESIS)


def test_only_who_signed_both_is_a_culprit() -> None:
    """With three of four on each side at least two are in both."""
    first, second = FakeMember(9, flags=(ABSENT,)), FakeMember(9, "other", 9, flags=(2, ABSENT))
    fork = look(a=first, b=second).look().forks[0].verified

    assert [key.public_key.hex() for key in KEYS[2:]] == list(fork.keys)


def test_a_fork_that_was_seen_is_told_at_every_look_and_proven_once() -> None:
    """The members need not be asked for it again."""
    member = FakeMember(9, "other", 4)
    monitor = look(a=FakeMember(9), b=member)
    first = monitor.look().forks
    asked = len(member.asked)

    assert first == monitor.look().forks
    assert asked == len(member.asked)


def test_a_member_that_shows_what_nobody_decided_proves_no_fork() -> None:
    """Its own header without two thirds behind it is a lie of its own, and said to be one."""
    seen = look(a=FakeMember(9), b=FakeMember(9, "other", 4, flags=(2, ABSENT, ABSENT))).look()

    assert () == seen.forks
    assert "b shows another block at height 4, and no commit that holds" in seen.unproven[0]


def test_who_is_silent_or_of_another_chain_is_named_and_the_rest_compared() -> None:
    """Silence is no agreement."""
    seen = look(a=FakeMember(9), b=FakeMember(9, is_away=True), c=FakeMember(9, chain_id="x-1"), d=FakeMember(8)).look()

    assert ({"a": 9, "d": 8}, 8) == (seen.heights, seen.agreed_height)
    assert "cannot be reached" in seen.silent["b"]
    assert "x-1" in seen.silent["c"]


def test_a_monitor_needs_two_members_and_a_ledger_with_validators() -> None:
    """Otherwise there is nothing to compare, or nobody who vouches."""
    with pytest.raises(Malformed, match="compares 2 to"):
        Monitor({"a": FakeMember(1)}, GENESIS)
    with pytest.raises(OperationalError, match="witnesses watch it"):
        Monitor({"a": FakeMember(1), "b": FakeMember(1)}, make_genesis())


def proofs() -> list[bytes]:
    """The two proofs of a fork file."""
    fork = look(a=FakeMember(9), b=FakeMember(9, "other", 4)).look().forks[0]
    document = parse_cbor(fork.proof)
    assert isinstance(document, dict)
    found = document["fork"]
    assert isinstance(found, list)
    return [one for one in found if isinstance(one, bytes)]


def test_control_a_fork_file_that_shows_no_fork_is_refused() -> None:
    """The same block twice, two heights, one proof, another ledger's validators, a changed byte: none proves a fork."""
    first, second = proofs()
    later = look(a=FakeMember(9), b=FakeMember(9, "other", 5)).look().forks[0].proof
    document = parse_cbor(later)
    assert isinstance(document, dict)
    elsewhere = document["fork"]
    assert isinstance(elsewhere, list)
    stranger = make_other_genesis(validators=("maker", "buyer"))
    for pair, named in (
        ([first, first], "same block"),
        ([first, elsewhere[1]], "two heights"),
        ([first], "two proofs"),
        ([first, second[:-1] + bytes([second[-1] ^ 1])], None),
    ):
        with pytest.raises((VerificationError, Malformed), match=named):
            verify_fork(encode_cbor({"fork": [*pair]}), GENESIS)
    with pytest.raises(VerificationError):
        verify_fork(encode_cbor({"fork": [first, second]}), stranger)
    assert 4 == verify_fork(encode_cbor({"fork": [first, second]}), GENESIS).height


@pytest.mark.parametrize("parted", [1, 2, 17, 99, 100])
def test_the_first_height_that_differs_is_found(parted: int) -> None:
    """Wherever it is, also next to either end."""
    assert parted == find_first(0, 100, lambda height: height >= parted)
