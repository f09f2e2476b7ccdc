"""A log gathers the cosignatures that hold, and says of every other witness why it has none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.checkpoint import encode_signature, verify_checkpoint
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.publication import ROUNDS_MAX, Answer, Publisher, WitnessEndpoint
from cellvow.node.witness import LocalWitness, Witness
from cellvow.node.witness_protocol import SIZE, TEXT, Response, explain
from tests.simulation.witness_world import (
    LOG_SEED,
    NORTH,
    NORTH_SEED,
    NOW_S,
    SOUTH,
    SOUTH_SEED,
    Log,
    cosign,
    witness_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOG = Log.of_size(12)
NORTH_KEY = witness_key()
SOUTH_KEY = witness_key(SOUTH, SOUTH_SEED)


@dataclass
class Scripted:
    """A witness that answers what it is told to, and keeps what it was asked."""

    answer: Callable[[bytes], Response]
    asked: list[bytes] = field(default_factory=list)

    def add_checkpoint(self, body: bytes) -> Response:
        """The scripted answer."""
        self.asked.append(body)
        return self.answer(body)


@dataclass
class Counted:
    """A way to a witness that keeps what it was asked."""

    port: LocalWitness
    asked: list[bytes] = field(default_factory=list)

    def add_checkpoint(self, body: bytes) -> Response:
        """The witness's answer."""
        self.asked.append(body)
        return self.port.add_checkpoint(body)


@pytest.fixture
def north(tmp_path: Path) -> Iterator[Witness]:
    """A real witness of the log."""
    made = Witness.create(tmp_path / "north", NORTH, NORTH_SEED)
    made.add_log(LOG.origin, LOG.vkey)
    yield made
    made.close()


@pytest.fixture
def south(tmp_path: Path) -> Iterator[Witness]:
    """Another real witness of the log."""
    made = Witness.create(tmp_path / "south", SOUTH, SOUTH_SEED)
    made.add_log(LOG.origin, LOG.vkey)
    yield made
    made.close()


def endpoint(witness: Witness, now_s: int = NOW_S) -> WitnessEndpoint:
    """The way to a real witness."""
    return WitnessEndpoint(witness.key, LocalWitness(witness, lambda: now_s))


def publish_to(answer: Callable[[bytes], Response], log: Log = LOG) -> tuple[Answer, Scripted]:
    """What comes of one scripted witness under the north's key."""
    port = Scripted(answer)
    publication = Publisher(log.key, [WitnessEndpoint(NORTH_KEY, port)], log.prove).publish(log.note(9))
    assert publication.note == log.note(9)
    return publication.answers[0], port


def test_cosignatures_are_merged_by_name_after_the_log_s_line(north: Witness, south: Witness) -> None:
    """Whatever the order of the witnesses, the note is the same and verifies."""
    expected = LOG.note(9, [cosign(LOG.checkpoint(9)), cosign(LOG.checkpoint(9), SOUTH, SOUTH_SEED)])

    publication = Publisher(LOG.key, [endpoint(south), endpoint(north)], LOG.prove).publish(LOG.note(9))

    assert publication.note == expected
    assert publication.cosignatures == 2
    assert publication.answers == (Answer(NORTH, NOW_S, None), Answer(SOUTH, NOW_S, None))


def test_a_witness_that_lags_gets_its_proof(north: Witness) -> None:
    """409 is answered with the proof from the size it named."""
    north.add_checkpoint(LOG.request(0, 4), NOW_S)

    publication = Publisher(LOG.key, [endpoint(north)], LOG.prove).publish(LOG.note(9))

    assert publication.cosignatures == 1


def test_a_publisher_remembers_how_far_its_witnesses_are(north: Witness) -> None:
    """From the second checkpoint on, one request is enough."""
    port = Counted(LocalWitness(north, lambda: NOW_S))
    publisher = Publisher(LOG.key, [WitnessEndpoint(north.key, port)], LOG.prove)

    for size in (3, 7, 12):
        assert publisher.publish(LOG.note(size)).cosignatures == 1

    assert port.asked == [LOG.request(0, 3), LOG.request(3, 7), LOG.request(7, 12)]


def test_a_witness_that_cosigned_already_is_not_asked_again(north: Witness) -> None:
    """Publishing once more only asks those whose line is missing."""
    first = Publisher(LOG.key, [endpoint(north)], LOG.prove).publish(LOG.note(9))
    port = Scripted(lambda _: explain(500, "must not be asked"))

    again = Publisher(LOG.key, [WitnessEndpoint(NORTH_KEY, port)], LOG.prove).publish(first.note)

    assert (again.note, again.cosignatures, port.asked) == (first.note, 1, [])


def test_witnesses_that_are_down_are_named(north: Witness) -> None:
    """One witness fails, the other's cosignature is kept."""

    def fail(_: bytes) -> Response:
        raise OperationalError("nobody is listening")

    down = WitnessEndpoint(SOUTH_KEY, Scripted(fail))

    publication = Publisher(LOG.key, [endpoint(north), down], LOG.prove).publish(LOG.note(9))

    assert publication.note == LOG.note(9, [cosign(LOG.checkpoint(9))])
    assert publication.answers == (Answer(NORTH, NOW_S, None), Answer(SOUTH, None, "nobody is listening"))


def test_a_log_without_witnesses_publishes_its_own_line(north: Witness) -> None:
    """Nobody to ask is no error; it counts no cosignature."""
    publication = Publisher(LOG.key, [], LOG.prove).publish(LOG.note(9))

    assert (publication.note, publication.cosignatures, publication.answers) == (LOG.note(9), 0, ())
    assert north.logs()[0].held is None


def test_a_log_that_was_rolled_back_is_told(north: Witness) -> None:
    """A witness that holds more leaves than the checkpoint is not asked in circles."""
    north.add_checkpoint(LOG.request(0, 12), NOW_S)

    publication = Publisher(LOG.key, [endpoint(north)], LOG.prove).publish(LOG.note(9))

    assert publication.cosignatures == 0
    assert "holds 12 leaves of this log, the checkpoint has 9" in str(publication.answers[0].reason)


def test_a_log_that_rewrote_its_history_is_told(north: Witness) -> None:
    """Neither another root of the same size nor a longer tree on it is cosigned."""
    other = LOG.branch(2)
    north.add_checkpoint(LOG.request(0, 9), NOW_S)

    publisher = Publisher(other.key, [endpoint(north)], other.prove)
    reasons = [str(publisher.publish(other.note(size)).answers[0].reason) for size in (9, 12)]

    assert "status 409: 'the log signed another root for its first 9 leaves" in reasons[0]
    assert "status 422: 'the consistency proof does not hold" in reasons[1]


def test_a_witness_that_names_another_size_each_time_is_left() -> None:
    """After a few rounds the log stops asking."""
    sizes = iter(range(1, 9))

    answer, port = publish_to(lambda _: Response(409, SIZE, f"{next(sizes)}\n".encode()))

    assert len(port.asked) == ROUNDS_MAX
    assert "named another size" in str(answer.reason)


LYING_ANSWERS = {
    "a cosignature of another checkpoint": encode_signature(cosign(LOG.checkpoint(8))),
    "a cosignature by a stranger": encode_signature(cosign(LOG.checkpoint(9), SOUTH, SOUTH_SEED)),
    "a signature of zeros": encode_signature(type(cosign(LOG.checkpoint(9)))(NORTH, NORTH_KEY.key_id, bytes(72))),
    "no line": b"",
    "a line without its newline": encode_signature(cosign(LOG.checkpoint(9)))[:-1],
    "the line twice": encode_signature(cosign(LOG.checkpoint(9))) * 2,
    "rubbish": b"\xff\xfe<html>",
}


@pytest.mark.parametrize("lie", sorted(LYING_ANSWERS))
def test_a_witness_that_lies_adds_nothing(lie: str) -> None:
    """A cosignature is verified before it is kept."""
    answer, _ = publish_to(lambda _: Response(200, TEXT, LYING_ANSWERS[lie]))

    assert answer.cosigned_s is None
    assert answer.reason


def test_the_answer_that_the_lies_differ_from_is_kept(north: Witness) -> None:
    """Control: the honest line, with another witness's line beside it, is taken."""
    honest = encode_signature(cosign(LOG.checkpoint(9)))
    beside = encode_signature(cosign(LOG.checkpoint(9), SOUTH, SOUTH_SEED))
    port = Scripted(lambda _: Response(200, TEXT, beside + honest))

    publication = Publisher(LOG.key, [WitnessEndpoint(north.key, port)], LOG.prove).publish(LOG.note(9))

    assert publication.note == LOG.note(9, [cosign(LOG.checkpoint(9))])


@pytest.mark.parametrize(
    "response",
    [
        Response(409, SIZE, b""),
        Response(409, SIZE, b"05\n"),
        Response(409, SIZE, b"-1\n"),
        Response(409, SIZE, b"\xff\n"),
        Response(409, SIZE, b"9" * 8_000),
        Response(409, TEXT, b"5\n"),
        Response(302, TEXT, b""),
        Response(500, TEXT, b"\xff" * 8_000),
    ],
)
def test_an_answer_that_cannot_be_used_is_reported(response: Response) -> None:
    """No answer makes the log fail or ask for ever."""
    answer, port = publish_to(lambda _: response)

    assert answer.cosigned_s is None
    assert answer.reason
    assert len(answer.reason) < 2_000
    assert len(port.asked) == 1


def test_only_the_log_s_own_checkpoints_are_published() -> None:
    """A checkpoint by another key is refused before anyone is asked."""
    forged = Log(LOG.leaves, seed=b"\x08" * 32)
    port = Scripted(lambda _: explain(500, "must not be asked"))
    publisher = Publisher(LOG.key, [WitnessEndpoint(NORTH_KEY, port)], LOG.prove)

    with pytest.raises(VerificationError, match="not signed by its log"):
        publisher.publish(forged.note(9))
    assert port.asked == []


def test_lines_of_others_in_the_checkpoint_are_dropped(north: Witness) -> None:
    """What was published is what verifies under the trust of log and witnesses."""
    stranger = cosign(LOG.checkpoint(9), "witness.example/stranger", b"\x09" * 32)

    publication = Publisher(LOG.key, [endpoint(north)], LOG.prove).publish(LOG.note(9, [stranger]))

    assert verify_checkpoint(publication.note, LOG.key, [north.key], 1, is_valid).cosigned_by == ((NORTH, NOW_S),)


def test_witnesses_that_share_a_key_or_a_name_are_refused() -> None:
    """One key would count twice; so would the log's own."""
    port = Scripted(lambda _: explain(500, "must not be asked"))
    pairs = [
        [NORTH_KEY, witness_key("witness.example/twin", NORTH_SEED)],
        [NORTH_KEY, witness_key(NORTH, SOUTH_SEED)],
        [witness_key(NORTH, LOG_SEED)],
    ]

    for keys in pairs:
        with pytest.raises(Malformed, match="of its own"):
            Publisher(LOG.key, [WitnessEndpoint(key, port) for key in keys], LOG.prove)
