"""A witness cosigns what extends the last checkpoint it saw, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    encode_note,
    encode_vkey,
    parse_note,
    parse_signatures,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
)
from cellvow.core.primitives.errors import InvariantBroken, Malformed, OperationalError
from cellvow.core.primitives.merkle import EMPTY_ROOT
from cellvow.core.primitives.signature import is_valid
from cellvow.node.witness import KEY_FILE, STORE_FILE, LocalWitness, Witness
from cellvow.node.witness_protocol import (
    PROOF_LINES_MAX,
    REQUEST_BYTES_MAX,
    SIZE,
    TEXT,
    Accepted,
    Held,
    Refused,
    authenticate_request,
    decide,
    encode_request,
    parse_request,
)
from tests.simulation.witness_world import (
    LOG_SEED,
    NORTH,
    NORTH_SEED,
    NOW_S,
    SOUTH,
    SOUTH_SEED,
    Log,
    cosign,
    signer_of,
    witness_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.witness_protocol import Verdict

LOG = Log.of_size(20)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A witness that serves the log and has seen nothing."""
    made = Witness.create(tmp_path / "north", NORTH, NORTH_SEED)
    made.add_log(LOG.origin, LOG.vkey)
    yield made
    made.close()


def judge(held: Held | None, body: bytes, now_s: int = NOW_S) -> Verdict:
    """The pure verdict on an authentic request."""
    request = parse_request(body)
    return decide(held, request, authenticate_request(request, LOG.key, is_valid), now_s)


def test_a_cosignature_completes_the_checkpoint(witness: Witness) -> None:
    """The returned line, put under the note, is verified by whoever trusts log and witness."""
    response = witness.add_checkpoint(LOG.request(0, 7), NOW_S)
    assert (response.status, response.content_type) == (200, TEXT)

    verified = verify_checkpoint(LOG.note(7) + response.body, LOG.key, [parse_vkey(witness.vkey)], 1, is_valid)

    assert (verified.checkpoint, verified.cosigned_by) == (LOG.checkpoint(7), ((NORTH, NOW_S),))


@given(st.integers(0, 20), st.integers(0, 20))
def test_every_extension_is_accepted_with_its_proof(old_size: int, size: int) -> None:
    """Whatever was held, a larger or equal tree of the same log is cosigned."""
    old_size, size = sorted((old_size, size))
    held = Held(LOG.note(old_size), NOW_S - 1)

    assert judge(held, LOG.request(old_size, size)) == Accepted(Held(LOG.note(size), NOW_S))


@given(st.integers(1, 20), st.integers(1, 20), st.data())
def test_no_other_history_is_accepted(old_size: int, size: int, data: st.DataObject) -> None:
    """A log that changed any leaf below the held size gets no cosignature, whatever proof it offers."""
    old_size, size = sorted((old_size, size))
    other = LOG.branch(data.draw(st.integers(0, old_size - 1)))
    proof = data.draw(st.sampled_from([other.prove(old_size, size), LOG.prove(old_size, size), []]))

    verdict = judge(Held(LOG.note(old_size), NOW_S), encode_request(old_size, proof, other.note(size)))

    assert isinstance(verdict, Refused)
    assert verdict.response.status == (409 if size == old_size else 422)


@given(st.integers(2, 20), st.integers(3, 20), st.data())
def test_a_proof_with_a_flipped_bit_is_refused(old_size: int, size: int, data: st.DataObject) -> None:
    """422 for any bit of any hash of the proof."""
    old_size, size = sorted((old_size, size))
    proof = [bytes(node) for node in LOG.prove(old_size, size)]
    if not proof:
        return
    index = data.draw(st.integers(0, len(proof) - 1))
    bit = data.draw(st.integers(0, 255))
    proof[index] = (int.from_bytes(proof[index], "big") ^ (1 << bit)).to_bytes(32, "big")

    verdict = judge(Held(LOG.note(old_size), NOW_S), encode_request(old_size, proof, LOG.note(size)))

    assert isinstance(verdict, Refused)
    assert verdict.response.status == 422


def test_the_first_checkpoint_is_taken_on_trust(witness: Witness) -> None:
    """Old size 0 with an empty proof is cosigned at any size; with a proof it is not."""
    proved = encode_request(0, LOG.prove(3, 9), LOG.note(9))
    assert witness.add_checkpoint(proved, NOW_S).status == 422

    assert witness.add_checkpoint(LOG.request(0, 9), NOW_S).status == 200


def test_an_empty_log_can_be_witnessed(witness: Witness) -> None:
    """Size 0 is a checkpoint like any other, and everything extends it."""
    assert witness.add_checkpoint(LOG.request(0, 0), NOW_S).status == 200
    assert witness.add_checkpoint(LOG.request(0, 5), NOW_S).status == 200
    assert [log.held and log.held.checkpoint for log in witness.logs()] == [LOG.checkpoint(5)]


def test_an_empty_log_with_a_root_of_its_own_is_refused(witness: Witness) -> None:
    """No tree has that root, so it is malformed."""
    body = LOG.request(0, 0).replace(LOG.note(0).split(b"\n")[2], LOG.note(1).split(b"\n")[2])
    assert LOG.checkpoint(0).root == EMPTY_ROOT

    assert witness.add_checkpoint(body, NOW_S).status == 400


def test_a_stale_old_size_is_told_the_size_held(witness: Witness) -> None:
    """409 carries the number that the log must prove from."""
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)

    for old_size, size in ((0, 9), (5, 9), (8, 9), (6, 6)):
        response = witness.add_checkpoint(LOG.request(old_size, size), NOW_S)
        assert (response.status, response.content_type, response.body) == (409, SIZE, b"7\n")


def test_a_rolled_back_checkpoint_is_refused(witness: Witness) -> None:
    """A smaller tree is not cosigned again, though it once was, and the larger one stays."""
    witness.add_checkpoint(LOG.request(0, 5), NOW_S)
    witness.add_checkpoint(LOG.request(5, 9), NOW_S)

    statuses = [witness.add_checkpoint(LOG.request(old, 5), NOW_S).status for old in (0, 5, 9)]

    assert statuses == [409, 409, 400]
    assert [log.held and log.held.checkpoint.size for log in witness.logs()] == [9]


def test_a_log_that_forks_gets_no_second_cosignature(witness: Witness) -> None:
    """Two roots of one size: 409 without a size, both notes kept, the first still extends."""
    other = LOG.branch(3)
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)

    response = witness.add_checkpoint(other.request(7, 7), NOW_S + 1)
    witness.add_checkpoint(other.request(7, 7), NOW_S + 2)

    assert (response.status, response.content_type) == (409, TEXT)
    [fork] = witness.forks()
    assert (fork.origin, fork.size, fork.held, fork.offered) == (LOG.origin, 7, LOG.note(7), other.note(7))
    assert fork.seen_s == NOW_S + 1
    assert witness.add_checkpoint(LOG.request(7, 8), NOW_S + 3).status == 200


def test_a_fork_offered_with_a_stale_size_is_kept_too(witness: Witness) -> None:
    """The evidence lies in the two signatures, not in what the log says it knows of the witness."""
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)

    response = witness.add_checkpoint(LOG.branch(3).request(0, 7), NOW_S)

    assert (response.status, response.body) == (409, b"7\n")
    assert len(witness.forks()) == 1


def test_the_evidence_of_a_fork_convicts_the_log(witness: Witness) -> None:
    """Both notes verify under the log's key, so a third party needs no word of the witness."""
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)
    witness.add_checkpoint(LOG.branch(3).request(7, 7), NOW_S)
    [fork] = witness.forks()

    roots = [verify_checkpoint(note, LOG.key, [], 0, is_valid).checkpoint.root for note in (fork.held, fork.offered)]

    assert len(set(roots)) == 2


def test_nobody_but_the_log_can_make_it_look_forked(witness: Witness) -> None:
    """A forged second checkpoint is 403 and leaves no evidence."""
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)
    forger = Log(LOG.branch(3).leaves, seed=b"\x08" * 32)
    forged = encode_note(forger.checkpoint(7), [sign_checkpoint(forger.checkpoint(7), LOG.key, signer_of(forger.seed))])

    statuses = [witness.add_checkpoint(encode_request(7, [], note), NOW_S).status for note in (forger.note(7), forged)]

    assert statuses == [403, 403]
    assert witness.forks() == ()


def test_an_unknown_log_is_not_found(witness: Witness) -> None:
    """404 for an origin that was not configured."""
    stranger = Log(LOG.leaves, origin="log.example/stranger")

    assert witness.add_checkpoint(stranger.request(0, 5), NOW_S).status == 404


def test_signatures_of_strangers_are_ignored(witness: Witness) -> None:
    """A checkpoint that other witnesses cosigned already is served like any other (tlog-witness)."""
    cosigned = LOG.note(5, [cosign(LOG.checkpoint(5), SOUTH, SOUTH_SEED)])

    assert witness.add_checkpoint(encode_request(0, [], cosigned), NOW_S).status == 200
    assert [log.held and log.held.note for log in witness.logs()] == [LOG.note(5)]


def test_the_same_checkpoint_is_cosigned_again(witness: Witness) -> None:
    """A log whose answer was lost asks again and gets a newer cosignature."""
    witness.add_checkpoint(LOG.request(0, 5), NOW_S)

    response = witness.add_checkpoint(LOG.request(5, 5), NOW_S + 9)

    note = LOG.note(5) + response.body
    assert verify_checkpoint(note, LOG.key, [witness.key], 1, is_valid).cosigned_by == ((NORTH, NOW_S + 9),)


def test_a_clock_that_went_back_cosigns_nothing(witness: Witness) -> None:
    """The same second is fine, one second earlier is 503."""
    witness.add_checkpoint(LOG.request(0, 5), NOW_S)

    assert witness.add_checkpoint(LOG.request(5, 6), NOW_S).status == 200
    assert witness.add_checkpoint(LOG.request(6, 7), NOW_S - 1).status == 503


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(LOG.request(5, 9)[1:], id="first byte missing"),
        pytest.param(LOG.request(5, 9).replace(b"old 5", b"old 05"), id="leading zero"),
        pytest.param(LOG.request(5, 9).replace(b"old 5", b"old  5"), id="two spaces"),
        pytest.param(LOG.request(5, 9).replace(b"old 5", b"old -1"), id="negative"),
        pytest.param(LOG.request(5, 9).replace(b"old 5", b"new 5"), id="another word"),
        pytest.param(LOG.request(5, 9).replace(b"old 5", "old \u0665".encode()), id="Arabic digit"),
        pytest.param(LOG.request(5, 9).replace(b"old 5\n", b"old 5\n\n"), id="blank line before the proof"),
        pytest.param(LOG.request(5, 9).replace(b"\n\n", b"\n", 1), id="no blank line"),
        pytest.param(LOG.request(5, 9).replace(b"\n", b"\r\n"), id="carriage returns"),
        pytest.param(LOG.request(5, 9)[:-1], id="last newline missing"),
        pytest.param(encode_request(5, [bytes(31)], LOG.note(9)), id="hash of 31 bytes"),
        pytest.param(encode_request(5, [bytes(33)], LOG.note(9)), id="hash of 33 bytes"),
        pytest.param(encode_request(5, [bytes(32)] * 64, LOG.note(9)), id="64 hashes"),
        pytest.param(b"old 5\n" + b"x" * REQUEST_BYTES_MAX, id="too long"),
        pytest.param(LOG.request(5, 4), id="old size above the checkpoint's"),
    ],
)
def test_a_malformed_request_is_refused(witness: Witness, body: bytes) -> None:
    """400, and the witness stays as it was."""
    response = witness.add_checkpoint(body, NOW_S)

    assert response.status == 400
    assert [log.held for log in witness.logs()] == [None]


def test_a_proof_of_the_most_lines_is_read(witness: Witness) -> None:
    """63 hashes are a proof (a wrong one), 64 are malformed."""
    most = encode_request(0, [bytes(32)] * PROOF_LINES_MAX, LOG.note(9))

    assert witness.add_checkpoint(most, NOW_S).status == 422


@given(st.integers(0, len(LOG.request(5, 9)) - 1), st.integers(0, 7))
def test_no_flipped_bit_of_a_request_moves_the_state_elsewhere(byte: int, bit: int) -> None:
    """A damaged request is refused, or means exactly what the good one meant."""
    body = bytearray(LOG.request(5, 9))
    body[byte] ^= 1 << bit
    held = Held(LOG.note(5), NOW_S)
    try:
        request = parse_request(bytes(body))
    except Malformed:
        return
    if request.note.checkpoint.origin != LOG.origin:
        return  # a log that this witness does not serve: refused before anything is decided
    verdict = decide(held, request, LOG.note(9), NOW_S)

    assert isinstance(verdict, Refused) or request.note.checkpoint == LOG.checkpoint(9)


def test_two_logs_are_kept_apart(witness: Witness) -> None:
    """The state of one origin is not touched by another's checkpoints."""
    other = Log.of_size(9, mark="another ")
    other.origin, other.seed = "log.example/another", b"\x07" * 32
    witness.add_log(other.origin, other.vkey)
    witness.add_checkpoint(LOG.request(0, 7), NOW_S)
    witness.add_checkpoint(other.request(0, 4), NOW_S)

    sizes = {log.key.name: log.held and log.held.checkpoint.size for log in witness.logs()}

    assert sizes == {LOG.origin: 7, other.origin: 4}


def test_a_log_may_be_added_twice_but_not_with_another_key(witness: Witness) -> None:
    """The key of a known origin is not exchanged: its state would belong to another signer."""
    witness.add_log(LOG.origin, LOG.vkey)

    with pytest.raises(Malformed, match="another key"):
        witness.add_log(LOG.origin, Log(LOG.leaves, seed=b"\x07" * 32).vkey)


def test_only_a_log_key_of_that_origin_is_taken(witness: Witness) -> None:
    """A witness's key, another origin's key and a point of small order are refused."""
    small = bytes(31) + b"\x80"
    with pytest.raises(Malformed, match="not a log's key"):
        witness.add_log(NORTH, witness.vkey)
    with pytest.raises(Malformed, match="not a log's key"):
        witness.add_log("log.example/other", LOG.vkey)
    with pytest.raises(Malformed, match="not a point"):
        witness.add_log(LOG.origin, encode_vkey(type(LOG.key)(LOG.origin, LOG.key.algorithm, small)))


def test_a_witness_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Name, key, logs and sizes are there after a restart."""
    first = Witness.create(tmp_path, NORTH, NORTH_SEED)
    first.add_log(LOG.origin, LOG.vkey)
    first.add_checkpoint(LOG.request(0, 7), NOW_S)
    first.close()

    second = Witness.open(tmp_path, NORTH)

    assert second.vkey == first.vkey
    assert second.add_checkpoint(LOG.request(0, 8), NOW_S).body == b"7\n"
    assert second.add_checkpoint(LOG.request(7, 8), NOW_S).status == 200
    second.close()


def test_a_witness_in_this_process_answers_through_the_port(witness: Witness) -> None:
    """The port adds nothing but the time."""
    response = LocalWitness(witness, lambda: NOW_S).add_checkpoint(LOG.request(0, 3))

    [cosignature] = parse_signatures(response.body)
    assert cosignature == cosign(LOG.checkpoint(3))


def test_a_time_that_is_no_number_of_seconds_is_our_bug(witness: Witness) -> None:
    """A caller that passes nonsense is stopped before anything is signed."""
    with pytest.raises(InvariantBroken):
        witness.add_checkpoint(LOG.request(0, 3), -1)


def test_a_key_without_its_store_is_refused(tmp_path: Path) -> None:
    """A witness that forgot what it cosigned must not go on: the sentence says to retire the key."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()
    (tmp_path / STORE_FILE).unlink()

    with pytest.raises(OperationalError, match="retire the key"):
        Witness.open(tmp_path, NORTH)
    assert not (tmp_path / STORE_FILE).exists()


def test_a_lost_store_is_not_made_anew(tmp_path: Path) -> None:
    """Nor does `create` fill the gap, with the same seed or another."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()
    (tmp_path / STORE_FILE).unlink()

    with pytest.raises(OperationalError, match="already"):
        Witness.create(tmp_path, NORTH, NORTH_SEED)


def test_a_store_without_its_key_is_refused(tmp_path: Path) -> None:
    """Neither opened nor overwritten."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()
    (tmp_path / KEY_FILE).unlink()

    with pytest.raises(OperationalError, match="missing"):
        Witness.open(tmp_path, NORTH)
    with pytest.raises(OperationalError, match="exists already"):
        Witness.create(tmp_path, NORTH, NORTH_SEED)


def test_another_witness_s_store_is_refused(tmp_path: Path) -> None:
    """Key and store belong together."""
    Witness.create(tmp_path / "north", NORTH, NORTH_SEED).close()
    Witness.create(tmp_path / "south", SOUTH, SOUTH_SEED).close()
    (tmp_path / "south" / STORE_FILE).replace(tmp_path / "north" / STORE_FILE)

    with pytest.raises(OperationalError, match="another witness"):
        Witness.open(tmp_path / "north", NORTH)


def test_a_witness_is_opened_by_its_own_name_only(tmp_path: Path) -> None:
    """Two folders mixed up are noticed."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()

    with pytest.raises(OperationalError, match=f"holds the witness {NORTH}"):
        Witness.open(tmp_path, SOUTH)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """The key file is for its owner alone, from the first byte."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    (tmp_path / KEY_FILE).chmod(0o640)

    with pytest.raises(OperationalError, match="chmod 600"):
        Witness.open(tmp_path, NORTH)


@pytest.mark.parametrize("position", [0, 14, 36, 42, 60, -2])
def test_an_altered_key_file_is_refused(tmp_path: Path, position: int) -> None:
    """A changed character anywhere shows in the prefix, the name or the key id."""
    Witness.create(tmp_path, NORTH, NORTH_SEED).close()
    text = bytearray((tmp_path / KEY_FILE).read_bytes())
    text[position] ^= 1
    (tmp_path / KEY_FILE).write_bytes(text)

    with pytest.raises(OperationalError, match="not a witness's key"):
        Witness.open(tmp_path, NORTH)


@pytest.mark.parametrize(("name", "seed"), [("a b", bytes(32)), ("", bytes(32)), (NORTH, bytes(31)), (NORTH, b"")])
def test_a_bad_name_or_seed_makes_no_witness(tmp_path: Path, name: str, seed: bytes) -> None:
    """Nothing is written for what cannot be a witness."""
    with pytest.raises(Malformed):
        Witness.create(tmp_path / "made", name, seed)
    assert not (tmp_path / "made").exists()


def test_a_checkpoint_of_another_kind_of_log_key_is_refused(witness: Witness) -> None:
    """A log's secret under a witness's algorithm byte is another key: 403."""
    disguised = witness_key(LOG.origin, LOG_SEED)
    checkpoint = Checkpoint(LOG.origin, 5, LOG.checkpoint(5).root)
    note = encode_note(checkpoint, [cosign(checkpoint, LOG.origin, LOG_SEED)])
    assert parse_note(note).signatures[0].key_id == disguised.key_id

    assert witness.add_checkpoint(encode_request(0, [], note), NOW_S).status == 403
