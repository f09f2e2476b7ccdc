"""Peers vouch for nothing: whatever they change in a snapshot, no ledger comes of it and nothing stays behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import InvalidBlock, Malformed, OperationalError, VerificationError
from cellvow.node.snapshot_format import (
    CHUNK_BYTES_MAX,
    UnknownFormat,
    encode_position,
    encode_records,
    parse_position,
    parse_records,
    verify_position,
)
from cellvow.node.snapshot_restoring import RESTORING_FOLDER, Verdict
from cellvow.node.store import LEDGER_FILE, LOCK_FILE
from tests.unit.node.snapshot_world import Node, Parcel, join, make_world, pack, refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SAMPLES = 20
"""Bytes flipped in each sampled place."""


@pytest.fixture(scope="module")
def parcel(tmp_path_factory: pytest.TempPathFactory) -> Parcel:
    """An honest snapshot whose newest block carries evidence."""
    folder = tmp_path_factory.mktemp("parcel")
    world = make_world(blocks=5)
    node = Node.begin(folder / "node", world.genesis)
    node.follow(world.blocks)
    node.close()
    return pack(folder / "node", folder / "snapshots")


def left_behind(ledger: Path) -> list[str]:
    """What is in the folder but for the lock file, which holds nothing."""
    return sorted(path.name for path in ledger.iterdir() if path.name != LOCK_FILE)


def flipped(content: bytes, at: int) -> bytes:
    """The content with one bit of one byte changed."""
    return content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]


def positions(content: bytes, count: int = SAMPLES) -> list[int]:
    """The first and the last byte, and a sample between."""
    drawn = random.Random(len(content)).sample(range(len(content)), min(count, len(content)))
    return [0, len(content) - 1, *drawn]


def with_chunk(parcel: Parcel, index: int, chunk: bytes) -> Parcel:
    """A forgery that agrees with itself: another chunk, and its digest in the metadata."""
    return parcel.forge([*parcel.chunks[:index], chunk, *parcel.chunks[index + 1 :]])


@pytest.mark.slow
def test_a_repackaged_honest_snapshot_is_accepted(parcel: Parcel, tmp_path: Path) -> None:
    """Control: repackaging as the forgeries below do breaks nothing."""
    assert (Verdict.COMPLETE, "") == refusal(parcel.forge(parcel.chunks), tmp_path)
    assert [LEDGER_FILE] == left_behind(tmp_path)


@pytest.mark.slow
def test_any_byte_of_the_metadata_flipped_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """With the hash of the offer the change shows at once; with a hash that agrees, at the first chunk or before."""
    metadata = parcel.snapshot.metadata
    for at in positions(metadata):
        changed = flipped(metadata, at)
        with pytest.raises(VerificationError, match="not those of its hash"):
            replace(parcel, snapshot=replace(parcel.snapshot, metadata=changed)).begin(tmp_path)
        agreeing = replace(parcel, snapshot=replace(parcel.snapshot, metadata=changed, hash=sha256(changed)))
        try:
            verdict, _ = refusal(agreeing, tmp_path)
        except VerificationError:
            verdict = Verdict.BAD_SNAPSHOT

        assert verdict in (Verdict.BAD_CHUNK, Verdict.BAD_SNAPSHOT)
        assert [] == left_behind(tmp_path)


@pytest.mark.slow
def test_any_byte_of_a_chunk_flipped_is_refused_at_once(parcel: Parcel, tmp_path: Path) -> None:
    """The chunk is to blame and can be fetched again: the same attempt then comes to its end."""
    with parcel.begin(tmp_path) as restoration:
        verdict = Verdict.ACCEPTED
        for index, chunk in enumerate(parcel.chunks):
            for at in positions(chunk):
                assert Verdict.BAD_CHUNK is restoration.apply(index, flipped(chunk, at))
                assert "not the one that the metadata names" in restoration.reason
            verdict = restoration.apply(index, chunk)

        assert Verdict.COMPLETE is verdict
        assert restoration.store is not None
        restoration.store.close()


@pytest.mark.slow
def test_any_bit_of_the_position_is_bound_to_the_app_hash(parcel: Parcel) -> None:
    """Digests that agree help nobody: every second byte of the first chunk is tried."""
    height, chunk = parcel.snapshot.height, parcel.chunks[0]
    verify_position(parse_position(chunk), height, parcel.app_hash, parcel.genesis_digest)  # control
    honest = parse_position(chunk)
    unbound = []
    for at in range(0, len(chunk), 2):
        try:
            changed = parse_position(flipped(chunk, at))
            verify_position(changed, height, parcel.app_hash, parcel.genesis_digest)
        except (Malformed, VerificationError, InvalidBlock):
            continue
        unbound.append(replace(changed, records=honest.records))

    assert {honest} >= set(unbound)  # the number of records is compared once they are there


@pytest.mark.slow
def test_any_byte_flipped_in_a_forgery_that_agrees_with_itself_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """The app hash decides, not the digests."""
    for index, chunk in enumerate(parcel.chunks):
        for at in positions(chunk, 2):
            verdict, reason = refusal(with_chunk(parcel, index, flipped(chunk, at)), tmp_path)

            assert (Verdict.BAD_SNAPSHOT, True) == (verdict, bool(reason)), f"chunk {index}, byte {at}"
            assert [] == left_behind(tmp_path)


def records_of(parcel: Parcel) -> list[tuple[str, bytes]]:
    """All records of a parcel."""
    return [one for chunk in parcel.chunks[1:] for one in parse_records(chunk, "")]


def with_records(parcel: Parcel, records: list[tuple[str, bytes]]) -> Parcel:
    """A forgery with other records, their count in the first chunk."""
    position = replace(parse_position(parcel.chunks[0]), records=len(records))
    return parcel.forge([encode_position(position), encode_records(records)])


RECORDS: dict[str, Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]]] = {
    "a record changed": lambda records: [(records[0][0], records[0][1] + b" "), *records[1:]],
    "a record left out": lambda records: records[:-1],
    "a record added": lambda records: [*records, ("zzz/zzz", b"{}")],
    "two records exchanged": lambda records: [records[1], records[0], *records[2:]],
    "a record twice": lambda records: [records[0], *records],
    "two values exchanged": lambda records: [
        (records[0][0], records[1][1]),
        (records[1][0], records[0][1]),
        *records[2:],
    ],
    "a key that is not ASCII": lambda records: [*records, ("z\u00e4", b"{}")],
    "a key beyond any length": lambda records: [*records, ("z" * 1_001, b"{}")],
}


@pytest.mark.slow
def test_the_same_records_in_other_chunks_are_accepted(parcel: Parcel, tmp_path: Path) -> None:
    """Control: putting the records together anew changes nothing that matters."""
    verdict, _ = refusal(with_records(parcel, records_of(parcel)), tmp_path)

    assert Verdict.COMPLETE is verdict


@pytest.mark.parametrize("change", sorted(RECORDS))
def test_other_records_are_refused(change: str, parcel: Parcel, tmp_path: Path) -> None:
    """However well the rest agrees."""
    forged = with_records(parcel, RECORDS[change](records_of(parcel)))

    assert Verdict.BAD_SNAPSHOT is refusal(forged, tmp_path)[0]
    assert [] == left_behind(tmp_path)


def test_a_wrong_number_of_records_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """It only sizes the tree, and must be the same on every node all the same."""
    position = parse_position(parcel.chunks[0])
    for records in (0, position.records - 1, position.records + 1):
        forged = with_chunk(parcel, 0, encode_position(replace(position, records=records)))

        assert Verdict.BAD_SNAPSHOT is refusal(forged, tmp_path)[0]


def _position(parcel: Parcel, name: str) -> bytes:
    position = parse_position(parcel.chunks[0])
    first, *others = position.nodes
    changed = {
        "no evidence": replace(position, evidence=()),
        "other evidence": replace(position, evidence=position.evidence[::-1]),
        "no block": replace(position, body=b"", evidence=()),
        "a smaller log": replace(position, size=position.size - 1),
        "a log of one leaf": replace(position, size=1, body=b"", evidence=()),
        "an empty log": replace(position, size=0, body=b"", evidence=()),
        "a node too many": replace(position, nodes=(*position.nodes, (40, 1, first[2]))),
        "a node twice": replace(position, nodes=(first, *position.nodes)),
        "a node too few": replace(position, nodes=tuple(others)),
        "nodes in another order": replace(position, nodes=(*others, first)),
        "another first state root": replace(position, state_root=sha256()),
        "another name": replace(position, genesis=replace(position.genesis, chain_id="another.example")),
    }
    return encode_position(changed[name])


@pytest.mark.parametrize(
    "name",
    [
        "no evidence",
        "other evidence",
        "no block",
        "a smaller log",
        "a log of one leaf",
        "an empty log",
        "a node too many",
        "a node twice",
        "a node too few",
        "nodes in another order",
        "another first state root",
        "another name",
    ],
)
def test_another_position_is_refused_with_its_first_chunk(name: str, parcel: Parcel, tmp_path: Path) -> None:
    """Nobody fetches the records of a snapshot whose beginning does not hold."""
    with with_chunk(parcel, 0, _position(parcel, name)).begin(tmp_path) as restoration:
        assert Verdict.BAD_SNAPSHOT is restoration.apply(0, _position(parcel, name))
    assert [] == left_behind(tmp_path)


def test_a_member_beside_those_of_the_position_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """There is one spelling of a snapshot, or nodes could not compare theirs."""
    document = parse_cbor(parcel.chunks[0])
    assert isinstance(document, dict)
    chunk = encode_cbor({**document, "remark": "hello"})

    assert Verdict.BAD_SNAPSHOT is refusal(with_chunk(parcel, 0, chunk), tmp_path)[0]


@pytest.mark.slow
def test_the_snapshot_of_another_ledger_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """Even one that is honest, and vouched for by its own app hash."""
    world = make_world(chain_id="another.example")
    node = Node.begin(tmp_path / "another", world.genesis)
    node.close()
    other = pack(tmp_path / "another", tmp_path / "snapshots")
    join(other, tmp_path / "control").close()
    verdict, reason = refusal(replace(other, genesis_digest=parcel.genesis_digest), tmp_path / "joined")

    assert (Verdict.BAD_SNAPSHOT, True) == (verdict, "of another ledger" in reason)
    assert Verdict.BAD_SNAPSHOT is refusal(replace(other, app_hash=parcel.app_hash), tmp_path / "joined")[0]


@pytest.mark.slow
def test_an_older_snapshot_under_a_newer_name_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """The app hash of the height that is offered decides."""
    world = make_world(blocks=4)
    node = Node.begin(tmp_path / "node", world.genesis)
    node.follow(world.blocks)
    node.close()
    older = pack(tmp_path / "node", tmp_path / "snapshots")
    renamed = replace(older, app_hash=parcel.app_hash).forge(older.chunks, height=parcel.snapshot.height)
    verdict, reason = refusal(renamed, tmp_path / "joined")

    assert (Verdict.BAD_SNAPSHOT, True) == (verdict, "app hash" in reason)


def test_a_block_from_beyond_the_height_of_the_snapshot_is_refused(parcel: Parcel, tmp_path: Path) -> None:
    """The height comes from the offer, the block from the log."""
    verdict, reason = refusal(parcel.forge(parcel.chunks, height=parcel.snapshot.height - 1), tmp_path)

    assert (Verdict.BAD_SNAPSHOT, True) == (verdict, "shows a block of height" in reason)


def test_chunks_come_in_any_order_and_twice(parcel: Parcel, tmp_path: Path) -> None:
    """Each is counted once; the one that was missing completes the ledger."""
    order = [*range(len(parcel.chunks))]
    random.Random(5).shuffle(order)
    with parcel.begin(tmp_path) as restoration:
        for index in [*order[:-1], *order[:-1]]:
            assert Verdict.ACCEPTED is restoration.apply(index, parcel.chunks[index])
        missing = restoration.missing
        last = restoration.apply(order[-1], parcel.chunks[order[-1]])

        assert (tuple(order[-1:]), Verdict.COMPLETE) == (missing, last)
        assert restoration.store is not None
        restoration.store.close()
    with pytest.raises(OperationalError, match="is over"):
        restoration.apply(0, parcel.chunks[0])


def test_chunks_that_do_not_exist_or_are_too_long_are_refused(parcel: Parcel, tmp_path: Path) -> None:
    """Whatever number or length a peer gives them."""
    too_long = bytes(CHUNK_BYTES_MAX + 1)
    with with_chunk(parcel, 1, too_long).begin(tmp_path) as restoration:
        assert Verdict.BAD_CHUNK is restoration.apply(-1, parcel.chunks[-1])
        assert Verdict.BAD_CHUNK is restoration.apply(len(parcel.chunks), parcel.chunks[-1])
        assert Verdict.BAD_CHUNK is restoration.apply(1, too_long)
        assert Verdict.ACCEPTED is restoration.apply(2, parcel.chunks[2])  # control


@pytest.mark.slow
def test_an_unfinished_attempt_makes_no_ledger(parcel: Parcel, tmp_path: Path) -> None:
    """A chunk that never comes leaves nothing, and the next attempt starts afresh."""
    with parcel.begin(tmp_path) as restoration:
        for index in range(1, len(parcel.chunks)):
            restoration.apply(index, parcel.chunks[index])
    assert [] == left_behind(tmp_path)
    join(parcel, tmp_path).close()

    assert [LEDGER_FILE] == left_behind(tmp_path)


def test_a_chunk_that_changes_on_this_disk_is_nobody_elses_fault(parcel: Parcel, tmp_path: Path) -> None:
    """It was accepted, so no sender is blamed: this node's disk is."""
    with parcel.begin(tmp_path) as restoration:
        for index, chunk in enumerate(parcel.chunks[:-1]):
            restoration.apply(index, chunk)
        (tmp_path / RESTORING_FOLDER / "chunk-1").write_bytes(parcel.chunks[1][:-1])
        with pytest.raises(OperationalError, match="chunk 1 changed on this disk"):
            restoration.apply(len(parcel.chunks) - 1, parcel.chunks[-1])
    assert [] == left_behind(tmp_path)


def test_offers_that_cannot_hold_are_refused_before_any_chunk(parcel: Parcel, tmp_path: Path) -> None:
    """Another form, another number of chunks, another height, and a node that has a ledger."""
    offer = parcel.snapshot
    with pytest.raises(UnknownFormat, match="form 2"):
        replace(parcel, snapshot=replace(offer, format=2)).begin(tmp_path)
    with pytest.raises(VerificationError, match="another height or number"):
        replace(parcel, snapshot=replace(offer, chunks=offer.chunks + 1)).begin(tmp_path)
    with pytest.raises(VerificationError, match="another height or number"):
        replace(parcel, snapshot=replace(offer, height=offer.height + 1)).begin(tmp_path)
    join(parcel, tmp_path).close()
    with pytest.raises(OperationalError, match="holds a ledger already"):
        parcel.begin(tmp_path)
