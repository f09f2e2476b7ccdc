"""Signatures checked by another process: the same verdicts, and none that nobody gave."""

from __future__ import annotations

import os
import signal
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import InvariantBroken
from cellvow.core.primitives.signature import derive_public_key, is_valid, sign
from cellvow.node.checking import (
    Check,
    CheckingProcess,
    ChecksAhead,
    SignatureCache,
    answer_checks,
    encode_checks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = bytes(range(32))
READY_S_MAX = 30.0


def check_of(number: int, *, is_sound: bool = True) -> Check:
    """A check that holds, or one that does not."""
    message = b"message %d" % number
    signature = sign(SEED, message)
    return derive_public_key(SEED), message if is_sound else message + b"!", signature


@pytest.fixture
def process() -> Iterator[CheckingProcess]:
    """A process that is ready."""
    started = CheckingProcess()
    assert started.is_ready(READY_S_MAX), "the checking process did not start"
    yield started
    started.close()


@pytest.mark.slow
@given(st.lists(st.booleans(), max_size=20))
def test_each_check_gets_its_own_verdict(sound: list[bool]) -> None:
    """Verdicts come in the order of the checks, whichever hold."""
    checks = [check_of(number, is_sound=is_sound) for number, is_sound in enumerate(sound)]
    answers = BytesIO()

    answer_checks(BytesIO(encode_checks(checks)), answers)

    assert answers.getvalue() == b"\x06" + bytes(sound)


@pytest.mark.slow
@given(st.lists(st.binary(max_size=300), max_size=10))
def test_messages_of_any_length_are_told_apart(messages: list[bytes]) -> None:
    """What is checked is exactly what was asked: no byte moves from one check to the next."""
    checks = [(bytes(32), message, bytes(64)) for message in messages]
    seen: list[Check] = []

    def check(public_key: bytes, message: bytes, signature: bytes) -> bool:
        seen.append((public_key, message, signature))
        return True

    answer_checks(BytesIO(encode_checks(checks)), BytesIO(), check)

    assert checks == seen


@pytest.mark.parametrize("check", [(bytes(31), b"m", bytes(64)), (bytes(32), b"m", bytes(65))])
def test_a_key_or_signature_of_another_length_is_never_asked(check: Check) -> None:
    """Lengths that the question cannot carry would shift every check after it."""
    with pytest.raises(InvariantBroken):
        encode_checks([check])


@pytest.mark.slow
def test_the_process_gives_the_verdicts_of_the_library(process: CheckingProcess) -> None:
    """More checks than fit one question, good and bad: the same verdicts as here."""
    checks = [check_of(number, is_sound=number % 3 != 0) for number in range(1_100)]

    assert [is_valid(*one) for one in checks] == process.check(checks)


@pytest.mark.slow
def test_a_process_that_died_gives_no_verdict(process: CheckingProcess) -> None:
    """Neither good nor bad: whoever asked must check by himself."""
    os.kill(process.process_id, signal.SIGKILL)
    verdicts = [process.check([check_of(number) for number in range(600)]) for _ in range(2)]

    assert not process.is_ready()
    assert None in verdicts
    assert all(one is None or all(one) for one in verdicts)


@pytest.mark.slow
def test_checks_begun_elsewhere_are_known_once_they_are_finished() -> None:
    """The cache holds the verdicts of both processes, and the check here was asked for its share alone."""
    asked: list[bytes] = []

    def check(public_key: bytes, message: bytes, signature: bytes) -> bool:
        asked.append(message)
        return is_valid(public_key, message, signature)

    cache = SignatureCache(check)
    checks = [check_of(number, is_sound=number != 7) for number in range(400)]
    with ChecksAhead(cache) as ahead:
        assert ahead.has_process(len(checks), READY_S_MAX), "the checking process did not start"
        ahead.begin(checks)
        ahead.finish(checks)
        here = len(asked)
        verdicts = [cache(*one) for one in checks]

    assert here == 0
    assert verdicts == [number != 7 for number in range(400)]


def test_few_checks_start_no_process() -> None:
    """A command that signs one statement does not pay for a second process."""
    with ChecksAhead(SignatureCache()) as ahead:
        ahead.begin([check_of(number) for number in range(100)])

        assert not ahead.has_process(100)


def test_the_cache_forgets_the_oldest() -> None:
    """Its memory is bounded; a verdict that was forgotten is asked for again."""
    asked: list[bytes] = []

    def check(_key: bytes, message: bytes, _signature: bytes) -> bool:
        asked.append(message)
        return True

    cache = SignatureCache(check, verdicts_max=2)
    for message in (b"1", b"2", b"3", b"2", b"1"):
        cache(b"key", message, b"signature")

    assert [b"1", b"2", b"3", b"1"] == asked
