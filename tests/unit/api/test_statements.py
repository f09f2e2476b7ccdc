"""Statements over HTTP: committed, or refused with the reason; the same answer for the same bytes; garbage is cheap."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvow.api.statements import REFUSALS_BURST
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.limits import STATEMENT_BYTES_MAX
from cellvow.node.engine import Backpressure
from cellvow.node.store import LedgerStopped
from cellvow.workspace.intake import PENDING_BYTES_MAX, Taken, parse_outer_envelope
from tests import messages
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.node_site import COSE, OWNER, STATEMENTS, NodeSite
from tests.world import MAKER, make_signer


@pytest.fixture
def site(tmp_path: Path) -> Iterator[NodeSite]:
    """A node with one key."""
    with NodeSite(tmp_path) as built:
        yield built


def refused_with(answer: Any) -> tuple[int, str]:  # noqa: ANN401 - an answer of the client
    """Status and reason."""
    return answer.status_code, str(answer.json().get("reason"))


def test_a_statement_is_answered_once_it_stands_on_disk(site: NodeSite) -> None:
    """The answer names its place, and another reader finds it there."""
    statement = site.member.key.sign(messages.model())
    answer = site.post(statement.data)
    document = answer.json()
    store = site.home.open_reader()
    stored = store.statement_of_txid(statement.envelope.txid)
    store.close()

    assert 200 == answer.status_code
    assert stored is not None
    assert (stored.leaf, stored.height) == (document["leaf"], document["height"])
    assert statement.envelope.digest.hex() == document["digest"]
    assert statement.envelope.txid.hex() == document["txid"]
    assert "committed" == document["level"]
    assert ["ModelRegistered"] == [event["type"] for one in document["outcomes"] for event in one["events"]]


def test_the_same_bytes_get_the_same_answer(site: NodeSite) -> None:
    """Whoever lost the answer sends again, and nothing happens twice."""
    data = site.member.key.sign(messages.model()).data
    first, second = site.post(data), site.post(data)

    assert first.content == second.content
    assert site.client.get("/api/v1/head").json()["height"] == first.json()["height"]


def test_a_batch_gets_an_outcome_for_each_message(site: NodeSite) -> None:
    """Octet-stream carries a batch."""
    site.fill()
    numbers = [f"01/{messages.GTIN}/21/MORE-{number}" for number in range(5)]
    data = site.member.key.sign_batch([messages.battery(one) for one in numbers]).data
    answer = site.post(data, **{"content-type": "application/octet-stream"})

    assert ["accepted"] * 5 == [one["result"] for one in answer.json()["outcomes"]]


def test_a_broken_rule_is_recorded_and_no_error(site: NodeSite) -> None:
    """The second registration of a model is rejected; that stands on the ledger, so the answer is 200."""
    site.post(site.member.key.sign(messages.model()).data)
    answer = site.post(site.member.key.sign(messages.model()).data)

    assert 200 == answer.status_code
    assert [(int(Reason.MODEL_EXISTS), "rejected")] == [
        (one["code"], one["result"]) for one in answer.json()["outcomes"]
    ]


@pytest.mark.slow
def test_what_may_not_stand_on_the_ledger_is_named_and_leaves_no_trace(site: NodeSite) -> None:
    """Another chain, an unknown key, a used sequence, a wrong signature: 409 with code and name."""
    key = site.member.key
    good = key.sign(messages.model()).data
    forged = good[:-1] + bytes([good[-1] ^ 1])
    used = key.sign(messages.battery(), sequence=1).data
    site.post(good)
    height = site.client.get("/api/v1/head").json()["height"]
    found = [
        refused_with(site.post(data))
        for data in (
            key.sign(messages.model(), chain_id="other.example").data,
            make_signer(MAKER, "stranger").sign(messages.model()).data,
            forged,
            used,
        )
    ]

    assert [(409, "WRONG_CHAIN"), (409, "UNKNOWN_KEY"), (409, "BAD_SIGNATURE"), (409, "SEQUENCE_USED")] == found
    assert height == site.client.get("/api/v1/head").json()["height"]


@pytest.mark.parametrize("content", [b"", b"\x00", b"{}", b"\xd2\x84", b"\x83" * 2_000, b"\xff" * 100])
def test_malformed_bytes_are_a_bad_request(site: NodeSite, content: bytes) -> None:
    """The sender must mend them: 400, with what is wrong."""
    answer = site.post(content)

    assert 400 == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


def test_a_batch_whose_messages_were_changed_is_malformed(site: NodeSite) -> None:
    """The envelope is authentic, the messages are not those it was signed for."""
    data = site.member.key.sign_batch([messages.model()]).data
    answer = site.post(data[:-2] + b"X" + data[-1:])

    assert 400 == answer.status_code


@pytest.mark.parametrize(
    ("headers", "length", "status"),
    [({"content-type": "text/html"}, 10, 415), ({}, STATEMENT_BYTES_MAX + 1, 413), ({}, STATEMENT_BYTES_MAX, 400)],
)
def test_limits_are_named_before_anything_is_parsed(
    site: NodeSite, headers: dict[str, str], length: int, status: int
) -> None:
    """Size and kind, at the bound and one past it."""
    answer = site.post(b"\x01" * length, **headers)

    assert status == answer.status_code
    if status == 413:
        assert str(STATEMENT_BYTES_MAX) in answer.json()["detail"]


@pytest.mark.slow
def test_an_operator_who_takes_no_statements_has_no_such_address(tmp_path: Path) -> None:
    """Then the path is read-only like every other."""
    with NodeSite(tmp_path, accept=False) as site:
        assert 405 == site.post(site.member.key.sign(messages.model()).data).status_code


@pytest.mark.slow
def test_garbage_never_opens_the_ledger_and_runs_out(site: NodeSite) -> None:
    """What is not signed by a member costs a parse and a signature check; one client has so many tries."""
    stranger = make_signer(MAKER, "stranger")
    statuses = [site.post(stranger.sign(messages.model()).data).status_code for _ in range(REFUSALS_BURST + 5)]

    assert [409] * REFUSALS_BURST + [429] * 5 == statuses
    assert site.writer.take_open() is None
    site.clock.now_ms += 2_000
    assert 200 == site.post(site.member.key.sign(messages.model()).data).status_code


@pytest.mark.slow
def test_what_is_in_order_counts_against_nobody(site: NodeSite) -> None:
    """A member may send more than a stranger may guess."""
    site.post(site.member.key.sign(messages.model()).data)
    batteries = [f"01/{messages.GTIN}/21/N-{number}" for number in range(REFUSALS_BURST + 5)]
    statuses = {site.post(site.member.key.sign(messages.battery(one)).data).status_code for one in batteries}

    assert {200} == statuses


def test_while_another_process_writes_senders_are_told_to_wait(site: NodeSite) -> None:
    """503 with the seconds to wait, and afterwards it is taken."""
    data = site.member.key.sign(messages.model()).data
    with site.home.open_session(site.clock):
        answer = site.post(data)

    assert (503, "1") == (answer.status_code, answer.headers["retry-after"])
    assert "urn:cellvow:problem:busy" == answer.json()["type"]
    assert 200 == site.post(data).status_code


class Failing:
    """An intake that fails in the way given."""

    def __init__(self, error: OperationalError) -> None:
        self.error = error

    def examine(self, data: bytes) -> Taken | None:  # noqa: ARG002 - as the port has it
        """Everything is new."""
        return None

    async def submit(self, data: bytes) -> Taken:  # noqa: ARG002 - likewise
        """Fails."""
        raise self.error

    def find(self, name: bytes, *, by_txid: bool) -> Taken | None:  # noqa: ARG002 - likewise
        """Nothing."""
        return None


@pytest.mark.parametrize(
    ("error", "kind", "retry"),
    [
        (LedgerStopped("disk"), "unknown", "60"),
        (Backpressure("full"), "busy", "1"),
        (OperationalError("no room"), "unavailable", "60"),
    ],
)
def test_a_failure_says_whether_the_outcome_is_known(
    site: NodeSite, error: OperationalError, kind: str, retry: str
) -> None:
    """A stopped ledger says *unknown*; a full queue says that nothing was taken."""
    client = AsgiClient(site.build(Failing(error)))
    answer = client.request("POST", STATEMENTS, content=b"x", headers=COSE)

    assert (503, retry, f"urn:cellvow:problem:{kind}") == (
        answer.status_code,
        answer.headers["retry-after"],
        answer.json()["type"],
    )
    assert ("unknown" in answer.json()["detail"]) is (kind == "unknown")


def test_a_sender_that_goes_away_does_not_stop_the_ledger(site: NodeSite) -> None:
    """His statement is committed or not; those of others are taken as before."""
    gone = site.member.key.sign(messages.model()).data

    async def leave() -> None:
        task = asyncio.create_task(site.intake.submit(gone))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    site.writer.open()
    asyncio.run(leave())

    assert 0 == site.intake.pending_bytes
    assert 200 == site.post(gone).status_code
    assert 200 == site.post(site.member.key.sign(messages.battery()).data).status_code


def test_more_than_may_wait_is_not_taken(site: NodeSite) -> None:
    """The bytes that wait have a bound of their own."""
    asyncio.run(_submit_too_much(site))

    assert 0 == site.intake.pending_bytes


async def _submit_too_much(site: NodeSite) -> None:
    with pytest.raises(Backpressure, match="nothing was taken"):
        await site.intake.submit(b"x" * (PENDING_BYTES_MAX + 1))


def test_a_stranger_finds_a_place_by_digest_and_nothing_by_txid(site: NodeSite) -> None:
    """A txid can be guessed from what a statement would say, a digest holds the signature."""
    recorded = site.post(site.member.key.sign(messages.model()).data).json()
    by_digest = site.client.get(f"{STATEMENTS}/{recorded['digest']}")
    by_txid = site.client.get(f"{STATEMENTS}/{recorded['txid']}")

    assert {"digest", "height", "leaf", "level", "time_ms"} == by_digest.json().keys()
    assert (404, "urn:cellvow:problem:no-statement") == (by_txid.status_code, by_txid.json()["type"])


def test_a_member_finds_the_outcome_by_either_name(site: NodeSite) -> None:
    """The owner's key shows what became of it."""
    recorded = site.post(site.member.key.sign(messages.model()).data).json()

    for name in (recorded["digest"], recorded["txid"]):
        assert recorded == site.client.get(f"{STATEMENTS}/{name}", headers=OWNER).json()


@pytest.mark.parametrize("name", ["0" * 64, "A" * 64, "0" * 63, "x", "%00", "..%2f..", "0" * 300])
def test_a_name_of_nothing_is_not_found(site: NodeSite, name: str) -> None:
    """Whatever it looks like."""
    assert 404 == site.client.get(f"{STATEMENTS}/{name}", headers=OWNER).status_code


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeSite]:
    """One node for many inputs: nothing of them is recorded."""
    with NodeSite(tmp_path_factory.mktemp("shared")) as built:
        yield built


@pytest.mark.slow
@given(st.binary(max_size=2_000), st.integers(0, 400), st.integers(0, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_no_bytes_are_an_error_of_ours(shared: NodeSite, noise: bytes, place: int, value: int) -> None:
    """Noise, and a good statement with a byte changed: always the sender's fault, never recorded."""
    good = shared.member.key.sign(messages.model(), sequence=900).data
    shared.clock.now_ms += 120_000
    changed = good[: place % len(good)] + bytes([value]) + good[place % len(good) + 1 :]
    for content in (noise, changed if changed != good else b""):
        assert shared.post(content).status_code in (400, 409)


def test_the_outer_envelope_is_that_of_the_statement(site: NodeSite) -> None:
    """Read before the messages are hashed, for a single statement and a batch."""
    for statement in (site.member.key.sign(messages.model()), site.member.key.sign_batch([messages.model()])):
        assert statement.envelope == parse_outer_envelope(statement.data)
