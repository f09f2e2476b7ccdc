"""The state map against its hash rule alone, whatever was written in whatever order."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.state import (
    EMPTY,
    StateProof,
    StateTree,
    entry_hash,
    key_hash,
    reference_root,
    verify_absence,
    verify_presence,
)
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvariantBroken, VerificationError
from cellvow.core.primitives.limits import STATE_PATH_LENGTH_MAX

keys = st.integers(0, 40).map(lambda number: f"battery/{number}")
records = st.dictionaries(keys, st.binary(min_size=1, max_size=3), max_size=30)


def naive_root(entries: list[tuple[str, bytes]], depth: int = 0) -> bytes:
    """The hash rule of docs/reference/formats.md section 6 written as a string of bits, sharing no code."""
    if not entries:
        return bytes(32)
    if len(entries) == 1:
        bits, value = entries[0]
        key = int(bits, 2).to_bytes(32, "big")
        return hashlib.sha256(b"\x10" + key + hashlib.sha256(value).digest()).digest()
    left = [entry for entry in entries if entry[0][depth] == "0"]
    right = [entry for entry in entries if entry[0][depth] == "1"]
    return hashlib.sha256(b"\x11" + naive_root(left, depth + 1) + naive_root(right, depth + 1)).digest()


def bits_of(key: str) -> str:
    """The key hash as 256 binary digits."""
    digest = hashlib.sha256(b"cellvow/state/key/v1\0" + key.encode()).digest()
    return f"{int.from_bytes(digest, 'big'):0256b}"


def entries_of(written: dict[str, bytes]) -> dict[Digest, Digest]:
    """What the tree is given for these records."""
    return {key_hash(key): entry_hash(key_hash(key), value) for key, value in written.items()}


def tree_of(written: dict[str, bytes]) -> StateTree:
    """The tree over these records."""
    return StateTree(entries_of(written).items(), count=len(written))


def value_hashes(written: dict[str, bytes]) -> dict[bytes, bytes]:
    """What a prover needs to show the key met instead of an absent one."""
    return {key_hash(key): hashlib.sha256(value).digest() for key, value in written.items()}


@pytest.mark.slow
@given(st.lists(records, max_size=6))
def test_any_sequence_of_updates_gives_the_root_of_the_rule(updates: list[dict[str, bytes]]) -> None:
    """After each update the root is that of the records as they stand, by a rule written twice."""
    tree, written = StateTree(), dict[str, bytes]()
    for update in updates:
        written |= update
        root = tree.update(entries_of(update))

        assert root == tree.root == reference_root(entries_of(written))
        assert root == naive_root([(bits_of(key), value) for key, value in written.items()])


@pytest.mark.slow
@given(records, st.randoms(use_true_random=False))
def test_the_order_of_building_is_irrelevant(written: dict[str, bytes], random: st.DataObject) -> None:
    """One by one in any order, all at once, or rebuilt with another size: the same root."""
    shuffled = list(entries_of(written).items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a seeded random.Random
    grown = StateTree()
    for key, entry in shuffled:
        grown.update({key: entry})

    assert grown.root == StateTree(shuffled).root == StateTree(shuffled, count=1_000).root


@pytest.mark.slow
@given(records, keys)
def test_every_key_is_proven_present_or_absent_and_never_both(written: dict[str, bytes], key: str) -> None:
    """The proof the tree gives verifies for what is the case, and for nothing else."""
    tree = tree_of(written)
    proof = tree.prove(key, value_hashes(written))
    if key in written:
        assert verify_presence(tree.root, key, written[key], proof) == written[key]
        with pytest.raises(VerificationError):
            verify_absence(tree.root, key, proof)
        with pytest.raises(VerificationError):
            verify_presence(tree.root, key, written[key] + b"x", proof)
    else:
        verify_absence(tree.root, key, proof)
        with pytest.raises(VerificationError):
            verify_presence(tree.root, key, b"x", proof)


@pytest.mark.slow
@given(records, keys, st.data())
def test_a_mutated_state_proof_is_refused(written: dict[str, bytes], key: str, data: st.DataObject) -> None:
    """A flipped bit, a sibling left out, emptied, added or spelled as zeros is noticed; so is another root."""
    tree = tree_of(written)
    proof = tree.prove(key, value_hashes(written))
    for changed in mutated_proofs(proof, data):
        assert not holds(tree.root, key, written.get(key), changed)

    assert not holds(Digest(hashlib.sha256(tree.root).digest()), key, written.get(key), proof)


def mutated_proofs(proof: StateProof, data: st.DataObject) -> list[StateProof]:
    """The proof changed in one place, in every way a proof can be."""
    siblings, other = proof.siblings, proof.other
    changed = [StateProof((*siblings, b""), other), StateProof((*siblings, b"\x01" * 32), other)]
    if siblings:
        place = data.draw(st.integers(0, len(siblings) - 1))
        before, after = siblings[:place], siblings[place + 1 :]
        swapped = b"" if siblings[place] else b"\x01" * 32
        changed += [
            StateProof((*before, one, *after), other) for one in (swapped, siblings[place][:-1] or bytes(32), EMPTY)
        ]
        changed.append(StateProof((*before, *after), other))
    if other is not None:
        bit = 1 << data.draw(st.integers(0, 255))
        flipped = tuple((int.from_bytes(part, "big") ^ bit).to_bytes(32, "big") for part in other)
        changed += [StateProof(siblings, (flipped[0], other[1])), StateProof(siblings, (other[0], flipped[1]))]
        changed.append(StateProof(siblings, None))
    return changed


def holds(root: Digest, key: str, value: bytes | None, proof: StateProof) -> bool:
    """Whether the proof proves what is the case."""
    try:
        if value is None:
            verify_absence(root, key, proof)
        else:
            verify_presence(root, key, value, proof)
    except VerificationError:
        return False
    return True


@pytest.mark.parametrize("cut", [31, 33, 0, 64])
def test_a_present_key_cannot_be_proven_absent_by_shifting_bytes(cut: int) -> None:
    """The key and value hash met instead are joined before hashing: other lengths must not pass for them."""
    written = {"key/00": b"a record that is there"}
    tree = tree_of(written)
    joined = key_hash("key/00") + hashlib.sha256(written["key/00"]).digest()
    forged = StateProof((), (joined[:cut], joined[cut:]))

    with pytest.raises(VerificationError):
        verify_absence(tree.root, "key/00", forged)


@pytest.mark.slow
def test_growth_past_several_rebuilds_keeps_the_root() -> None:
    """A tree that has outgrown its array again and again gives the rule's root, and proofs that hold."""
    tree, written = StateTree(), dict[str, bytes]()
    depths = [tree.levels]
    for start in range(0, 3_000, 250):
        update = {f"key/{number}": str(number % 7).encode() for number in range(start, start + 250)}
        update |= {f"key/{start // 2}": b"changed"}
        written |= update
        tree.update(entries_of(update))
        depths.append(tree.levels)

        assert tree.root == reference_root(entries_of(written))

    assert len(dict.fromkeys(depths)) >= 3
    for key in ("key/0", "key/2999", "key/1500"):
        verify_presence(tree.root, key, written[key], tree.prove(key, {}))
    for number in range(3_000, 3_100):
        verify_absence(tree.root, f"key/{number}", tree.prove(f"key/{number}", value_hashes(written)))


def test_the_empty_map_has_the_zero_root_and_proves_absence() -> None:
    """A map without records proves the absence of any key with no siblings at all."""
    tree = StateTree()

    assert tree.root == EMPTY
    verify_absence(tree.root, "battery/1", tree.prove("battery/1", {}))
    verify_absence(tree.root, "battery/1", StateProof(()))


def test_a_proof_of_presence_names_no_other_key() -> None:
    """A field that changes nothing would be a second spelling of the same proof."""
    tree = tree_of({"a": b"1"})

    with pytest.raises(VerificationError, match="names no other key"):
        verify_presence(tree.root, "a", b"1", StateProof((), (key_hash("b"), bytes(32))))


def test_a_state_proof_longer_than_a_key_hash_is_refused() -> None:
    """256 siblings are folded, 257 are refused unread."""
    for count, sentence in (
        (STATE_PATH_LENGTH_MAX, "does not prove"),
        (STATE_PATH_LENGTH_MAX + 1, "at most 256"),
    ):
        with pytest.raises(VerificationError, match=sentence):
            verify_absence(EMPTY, "a", StateProof((b"\x01" * 32,) * count))


def test_a_key_hash_of_another_length_is_our_bug() -> None:
    """The rule is defined for 32-byte key hashes only."""
    with pytest.raises(InvariantBroken):
        reference_root({Digest(b"short"): Digest(bytes(32))})


def test_one_hash_rule_for_all_depths_would_let_a_key_hide() -> None:
    """Control: with leaf and branch under one prefix, a branch passes for the record of a made-up key."""
    left, right = hashlib.sha256(b"left").digest(), hashlib.sha256(b"right").digest()

    def unprefixed(first: bytes, second: bytes) -> bytes:
        return hashlib.sha256(first + second).digest()

    branch, record_of_key_left = unprefixed(left, right), unprefixed(left, right)

    assert branch == record_of_key_left
    assert hashlib.sha256(b"\x11" + left + right).digest() != hashlib.sha256(b"\x10" + left + right).digest()
