"""The judges can say no: each checker is given something broken on purpose that it must find."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.digest import Digest
from cellvow.node.engine import Receipted
from tests.fire.judging import find_forks, find_lost
from tests.fire.namespaces import within
from tests.fire.offering import Acknowledged, longest_gap_s

if TYPE_CHECKING:
    from cellvow.node.store import LedgerStore

ONE = Receipted(Digest(b"t" * 32), Digest(b"d" * 32), 7, 1_000, 12, (b"accepted",))


class KeptStatement:
    """Where a ledger keeps a statement."""

    def __init__(self, height: int, leaf: int, outcomes: tuple[bytes, ...]) -> None:
        self.height, self.leaf, self.outcomes = height, leaf, outcomes


class Kept:
    """A ledger of given statements."""

    def __init__(self, *receipts: Receipted) -> None:
        self._kept = {one.txid: KeptStatement(one.height, one.leaf, one.outcomes) for one in receipts}

    def statement_of_txid(self, txid: Digest) -> KeptStatement | None:
        """The statement, if it is kept."""
        return self._kept.get(txid)


def lost(*kept: Receipted) -> list[str]:
    """What a ledger of these lacks of one acknowledged statement."""
    store: LedgerStore = Kept(*kept)  # type: ignore[assignment]  # it has the one method that is asked
    return find_lost([Acknowledged(ONE, 0.0, 0.0)], {"member-1": store})


def test_a_history_that_everybody_shares_is_no_fork() -> None:
    """Of heights that only one has nothing is said."""
    assert [] == find_forks({"a": {1: "x", 2: "y"}, "b": {2: "y", 3: "z"}})


def test_control_two_histories_are_found_at_every_height_at_which_they_differ() -> None:
    """Each pair is compared."""
    found = find_forks({"a": {1: "x", 2: "y"}, "b": {1: "x", 2: "Z"}, "c": {2: "y"}})

    assert ["height 2: a has y, b has Z", "height 2: b has Z, c has y"] == found


def test_control_a_statement_that_is_gone_or_moved_is_found() -> None:
    """Also one that is kept at another height, as another leaf, or with another outcome."""
    assert [] == lost(ONE)
    assert 1 == len(lost())
    assert [1, 1, 1] == [
        len(lost(changed))
        for changed in (replace(ONE, height=8), replace(ONE, leaf=13), replace(ONE, outcomes=(b"rejected",)))
    ]


def test_the_longest_gap_counts_the_edges() -> None:
    """From the beginning to the first answer, between two, and from the last to the end."""
    told = [Acknowledged(ONE, at_s, 0.0) for at_s in (2.0, 3.0, 9.0)]

    assert 6.0 == longest_gap_s(told, 0.0, 10.0)
    assert 10.0 == longest_gap_s(told, 20.0, 30.0)


def test_a_namespace_that_is_not_there_cannot_be_entered() -> None:
    """And the thread stays where it is."""
    with pytest.raises(FileNotFoundError), within("/run/netns/nowhere"):
        pass
