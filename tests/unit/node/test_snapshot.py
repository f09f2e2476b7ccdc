"""A node that joins by snapshot goes on like the others; what a snapshot folder offers is whole."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw
import pytest

from cellvow.core.ledger.genesis import Genesis, Predecessor
from cellvow.core.ledger.log import genesis_leaf
from cellvow.core.primitives.errors import OperationalError, VerificationError
from cellvow.core.primitives.merkle import Frontier
from cellvow.core.protocol.transition import Applied, Head
from cellvow.node.fsck import check_ledger
from cellvow.node.records import MemoryState
from cellvow.node.snapshot import (
    SNAPSHOTS_LISTED_MAX,
    SnapshotReader,
    list_snapshots,
    prune_snapshots,
    read_chunk,
)
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.unit.node.snapshot_world import CHUNK_BYTES, Node, grow, join, make_world, pack
from tests.world import World, make_genesis


def files_of(folder: Path) -> dict[str, bytes]:
    """Relative name -> content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_node(folder: Path, world: World) -> Node:
    """A node that followed the whole world."""
    node = Node.begin(folder, world.genesis)
    node.follow(world.blocks)
    return node


@pytest.mark.slow
def test_a_node_that_joins_by_snapshot_goes_on_to_the_same_app_hashes(tmp_path: Path) -> None:
    """Statements, evidence and an empty block after the snapshot lead both nodes to one app hash at every height."""
    world = make_world(blocks=30)
    original = make_node(tmp_path / "original", world)
    parcel = pack(tmp_path / "original", tmp_path / "snapshots")
    joined = join(parcel, tmp_path / "joined")
    before = len(world.blocks)
    world.apply(world.next_block())
    grow(world, 6, 10, first=30)
    for block in world.blocks[before:]:
        original.follow([block])
        joined.follow([block])

        assert original.head == joined.head == joined.store.head()
    assert [*original.store.records()] == [*joined.store.records()]
    assert original.store.last_block() == joined.store.last_block()
    checked = check_ledger(joined.store)

    assert (6, 60, parcel.snapshot.height) == (checked.blocks, checked.statements, checked.joined_height)
    original.close()
    joined.close()


@pytest.mark.slow
def test_a_snapshot_has_many_chunks_of_bounded_size(tmp_path: Path) -> None:
    """Control: the small chunks of these tests are many, so that order and loss mean something."""
    node = make_node(tmp_path / "node", make_world(blocks=4))
    node.close()
    parcel = pack(tmp_path / "node", tmp_path / "snapshots")

    assert len(parcel.chunks) > 5
    assert max(map(len, parcel.chunks[1:])) <= CHUNK_BYTES


@pytest.mark.slow
def test_two_nodes_make_the_same_snapshot_byte_by_byte(tmp_path: Path) -> None:
    """One that took the blocks in one sitting, and one that was restarted in the middle."""
    world = make_world(blocks=6)
    make_node(tmp_path / "one", world).close()
    other = Node.begin(tmp_path / "other", world.genesis)
    other.follow(world.blocks[:4])
    other.close()
    other = Node(LedgerStore.open_writer(tmp_path / "other"))
    other.follow(world.blocks[4:])
    other.close()
    pack(tmp_path / "one", tmp_path / "snapshots of one")
    pack(tmp_path / "other", tmp_path / "snapshots of other")

    assert files_of(tmp_path / "snapshots of one") == files_of(tmp_path / "snapshots of other")


@pytest.mark.slow
def test_at_every_height_a_joined_node_makes_the_snapshots_of_the_others(tmp_path: Path) -> None:
    """Whatever the size of the log when it joined, at that height and three blocks on."""
    world = make_world(blocks=0)
    for number in range(8):
        grow(world, 1, number % 3 + 1, first=10 * number + number % 5)
    original = Node.begin(tmp_path / "original", world.genesis)
    joined: list[tuple[int, Node]] = []
    for number, block in enumerate([None, *world.blocks]):
        original.follow([] if block is None else [block])
        theirs = pack(tmp_path / "original", tmp_path / "snapshots")
        newest = join(theirs, tmp_path / f"joined {number}")
        joined = [*joined, (number, newest)][-4:]
        for at, node in joined:
            node.follow([] if block is None or at == number else [block])
            ours = pack(tmp_path / f"joined {at}", tmp_path / f"snapshots {at}")

            assert theirs == ours
    for node in (original, *(node for _, node in joined)):
        node.close()


@pytest.mark.slow
def test_an_empty_block_changes_only_the_height_of_the_snapshot(tmp_path: Path) -> None:
    """The state, and so every chunk, stay as they were."""
    world = make_world(blocks=2)
    node = make_node(tmp_path / "node", world)
    before = pack(tmp_path / "node", tmp_path / "snapshots")
    node.follow([world.next_block()])
    after = pack(tmp_path / "node", tmp_path / "snapshots")
    joined = join(after, tmp_path / "joined")

    assert before.chunks == after.chunks
    assert before.snapshot.height + 1 == after.snapshot.height == joined.head.height
    assert node.head == joined.head
    node.close()
    joined.close()


def test_a_successor_ledger_carries_the_state_root_it_began_with(tmp_path: Path) -> None:
    """With a predecessor, genesis alone does not give the first state root: the snapshot brings it."""
    plain, state = make_genesis(), MemoryState()
    predecessor = Predecessor("old.example", 5, "5a" * 32, "a5" * 32)
    genesis = Genesis(plain.chain_id, plain.time_ms, plain.ruleset, plain.organisations, predecessor)
    records = {"inherited/one": b"{}", "inherited/two": b"{}"}
    log, nodes = Frontier().append(genesis_leaf(genesis.digest, state.update(records)))
    begun = Applied(Head(genesis.chain_id, 7, genesis.time_ms, log, 1), (), records, (log.peaks[0],), tuple(nodes), b"")
    LedgerStore.create(tmp_path / "node", genesis, begun).close()
    joined = join(pack(tmp_path / "node", tmp_path / "snapshots"), tmp_path / "joined")

    assert begun.head == joined.head
    assert records == dict(joined.store.records())
    joined.close()


@pytest.mark.slow
def test_the_writer_goes_on_while_a_snapshot_is_written(tmp_path: Path) -> None:
    """What was pinned is what is written, by another thread, whatever is committed before and meanwhile."""
    world = make_world(blocks=4)
    node = make_node(tmp_path / "node", world)
    expected = pack(tmp_path / "node", tmp_path / "expected")
    reader = SnapshotReader.pin(tmp_path / "node")
    unpinned = LedgerStore.open_reader(tmp_path / "node")
    grow(world, 1, 10, first=50)
    node.follow(world.blocks[-1:])
    writing = threading.Thread(target=reader.write, args=(tmp_path / "pinned",), kwargs={"chunk_bytes": CHUNK_BYTES})
    writing.start()
    grow(world, 3, 10, first=51)
    node.follow(world.blocks[-3:])
    writing.join()
    reader.close()

    assert files_of(tmp_path / "expected") == files_of(tmp_path / "pinned")
    assert unpinned.head().height == node.head.height > expected.snapshot.height  # control: others do move on
    unpinned.close()
    node.close()


@pytest.mark.slow
def test_what_a_joined_node_lacks_is_said_in_words(tmp_path: Path) -> None:
    """Old leaves are with archive nodes; the last block's frame is there, its statements are not."""
    world = make_world(blocks=4)
    make_node(tmp_path / "node", world).close()
    joined = join(pack(tmp_path / "node", tmp_path / "snapshots"), tmp_path / "joined")
    last = joined.store.last_block()

    with pytest.raises(OperationalError, match="joined by snapshot at height 6: older history is with archive nodes"):
        joined.store.node(0, 3)
    assert joined.store.restored_height() == 6
    assert last is not None
    assert [] == joined.store.statements(last.first_leaf, last.statements)
    joined.close()


@pytest.mark.slow
def test_only_the_newest_ten_whole_snapshots_are_offered(tmp_path: Path) -> None:
    """What is incomplete or misnamed is left out."""
    node = Node.begin(tmp_path / "node", make_genesis())
    world = World(with_keys=False)
    for _ in range(SNAPSHOTS_LISTED_MAX + 3):
        world.apply(world.next_block())
        node.follow(world.blocks[-1:])
        pack(tmp_path / "node", tmp_path / "snapshots")
    node.close()
    (tmp_path / "snapshots" / "13" / "chunk-1").unlink()
    (tmp_path / "snapshots" / "12" / "metadata").write_bytes(b"\x00")
    (tmp_path / "snapshots" / "11").rename(tmp_path / "snapshots" / "99")
    (tmp_path / "snapshots" / "14.unfinished").mkdir()
    listed = list_snapshots(tmp_path / "snapshots")

    assert [10, 9, 8, 7, 6, 5, 4, 3, 2, 1] == [snapshot.height for snapshot in listed]


@pytest.mark.slow
def test_old_snapshots_are_pruned(tmp_path: Path) -> None:
    """The newest ones stay; a folder that is not there needs no pruning."""
    world = make_world(blocks=3)
    node = Node.begin(tmp_path / "node", world.genesis)
    for block in world.blocks:
        node.follow([block])
        pack(tmp_path / "node", tmp_path / "snapshots")
    node.close()
    prune_snapshots(tmp_path / "snapshots", 2)
    prune_snapshots(tmp_path / "nowhere", 2)

    assert ["4", "5"] == sorted(path.name for path in (tmp_path / "snapshots").iterdir())


def test_a_chunk_damaged_on_disk_is_not_handed_out(tmp_path: Path) -> None:
    """The sender finds out before the receiver bans it."""
    make_node(tmp_path / "node", make_world(blocks=1)).close()
    parcel = pack(tmp_path / "node", tmp_path / "snapshots")
    height = parcel.snapshot.height
    path = tmp_path / "snapshots" / str(height) / "chunk-1"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    assert parcel.chunks[0] == read_chunk(tmp_path / "snapshots", height, 0)  # control
    with pytest.raises(OperationalError, match="damaged on disk"):
        read_chunk(tmp_path / "snapshots", height, 1)
    with pytest.raises(OperationalError, match="cannot be read"):
        read_chunk(tmp_path / "snapshots", height, 99)


@pytest.mark.slow
def test_a_snapshot_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    """A restarted node finds the one of its height; a broken one is made anew."""
    make_node(tmp_path / "node", make_world(blocks=1)).close()
    first = pack(tmp_path / "node", tmp_path / "snapshots")
    chunk = tmp_path / "snapshots" / str(first.snapshot.height) / "chunk-0"
    before = chunk.stat().st_ino
    again = pack(tmp_path / "node", tmp_path / "snapshots")

    assert (first, before) == (again, chunk.stat().st_ino)
    chunk.unlink()

    assert first == pack(tmp_path / "node", tmp_path / "snapshots")


@pytest.mark.slow
def test_a_ledger_whose_log_is_damaged_gives_no_snapshot(tmp_path: Path) -> None:
    """Nobody is offered what the app hash does not vouch for."""
    node = make_node(tmp_path / "node", make_world(blocks=2))
    node.close()
    connection = apsw.Connection(str(tmp_path / "node" / LEDGER_FILE))
    connection.execute("UPDATE node SET hash=zeroblob(32) WHERE level=0 AND position=1")
    connection.close()

    with pytest.raises(VerificationError, match="genesis of the snapshot does not stand in the log"):
        pack(tmp_path / "node", tmp_path / "snapshots")
    assert [] == list_snapshots(tmp_path / "snapshots")
