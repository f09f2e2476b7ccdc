"""Who sees which part of a passport, and which proofs he may take: decided here and nowhere else."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from cellvow.core.contracts.battery import VoidingCause
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.register import REGISTERS, RESPONSIBILITY
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from cellvow.passport.access import (
    circles,
    is_open,
    may_take_bundle,
    seen_registers,
    sees_document,
    sees_facility,
    sees_gradings_of_relatives,
    sees_life,
    sees_parties,
    sees_use,
    sees_values,
    sees_voiding,
)
from cellvow.passport.view import OWNER, PUBLIC, Audience, Reader, Scope, as_reader
from tests import messages
from tests.world import CARMAKER

SCOPES = [frozenset(some) for count in range(3) for some in itertools.combinations(Scope, count)]
PURCHASERS = [Reader(Audience.PURCHASER, scope) for scope in SCOPES]


@pytest.mark.parametrize("reader", PURCHASERS, ids=lambda reader: "+".join(sorted(reader.scope)) or "nothing")
def test_a_purchaser_sees_what_he_was_granted_and_no_more(reader: Reader) -> None:
    """Health is values, history is life and registers, the facility is neither."""
    has_history = Scope.HISTORY in reader.scope

    assert sees_values(reader) is (Scope.HEALTH in reader.scope)
    assert sees_life(reader) is has_history
    assert (REGISTERS if has_history else (RESPONSIBILITY,)) == seen_registers(reader)
    assert not sees_facility(reader)
    assert sees_use(reader) is has_history
    assert not sees_gradings_of_relatives(reader)
    assert sees_parties(reader) is has_history
    assert sees_voiding(reader, "repaired") is has_history
    assert sees_document(reader, ("recycler", "workshop")) is has_history
    assert not sees_document(reader, ("recycler", "authority"))


@pytest.mark.parametrize("scope", SCOPES, ids=lambda scope: "+".join(sorted(scope)) or "nothing")
def test_a_scope_makes_no_stranger_a_purchaser(scope: frozenset[Scope]) -> None:
    """Nor does it take anything from the owner."""
    stranger, owner = Reader(Audience.PUBLIC, scope), Reader(Audience.OWNER, scope)

    assert not sees_values(stranger)
    assert not sees_life(stranger)
    assert (RESPONSIBILITY,) == seen_registers(stranger)
    assert not sees_use(stranger)
    assert not sees_gradings_of_relatives(stranger)
    assert sees_gradings_of_relatives(owner)
    assert not sees_parties(stranger)
    assert not sees_document(stranger, ("workshop",))
    assert sees_use(owner)
    assert sees_parties(owner)
    assert sees_document(owner, ("recycler",))
    assert sees_values(owner)
    assert sees_life(owner)
    assert sees_facility(owner)


def test_a_bare_audience_is_the_least_that_it_can_mean() -> None:
    """A purchaser whose scope nobody named was granted nothing."""
    assert [PUBLIC, Reader(Audience.PURCHASER, frozenset()), OWNER] == [as_reader(one) for one in Audience]
    assert PURCHASERS == [as_reader(one) for one in PURCHASERS]


@pytest.mark.parametrize("cause", [*get_args(VoidingCause), "corrected"])
def test_why_a_certificate_is_void_is_the_worlds_unless_it_tells_what_work_was_done(cause: str) -> None:
    """Each cause rests on a field that everybody may read, or is kept from strangers."""
    assert sees_voiding(PUBLIC, cause) is (cause != "repaired")
    assert sees_voiding(OWNER, cause)


OPEN = (
    messages.model(),
    messages.battery(),
    messages.reconstructed(),
    messages.certificate(),
    messages.assessment("safe", ("rival", "I-1")),
    messages.second_life(),
)
CLOSED = (messages.offer(CARMAKER), messages.accept(), messages.incident(), messages.grading())


@pytest.mark.parametrize("kind", [*RULESETS[NEWEST].handlers])
def test_a_message_with_one_field_of_the_members_is_closed(kind: type[Message]) -> None:
    """Whatever messages there will be: what nobody thought about is the members' at most."""
    foreign = [name for name, circle in circles(kind) if circle not in ("world", "granted")]

    assert is_open(kind) is (foreign == [])


@pytest.mark.parametrize("message", [*OPEN, *CLOSED], ids=lambda message: type(message).__name__)
def test_nobody_but_the_owner_takes_a_closed_message(message: Message) -> None:
    """A birth and an attestation's frame are the world's, a hand-over is the members': no grant reaches it."""
    takers = [reader for reader in (PUBLIC, *PURCHASERS, OWNER) if may_take_bundle(message, reader)]

    assert ([PUBLIC, *PURCHASERS, OWNER] if message in OPEN else [OWNER]) == takers
