"""The witness's store keeps what it said it kept, belongs to one key, and refuses to run weakly."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node import witness_store
from cellvow.node.witness_protocol import Accepted, Fork, Held, Refused, explain
from cellvow.node.witness_store import FORKS_KEPT_MAX, LOGS_MAX, WitnessStore, require_durable
from tests.simulation.witness_world import NOW_S, SOUTH, SOUTH_SEED, Log, witness_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.witness_protocol import Verdict

LOG = Log.of_size(9)
KEY = witness_key()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    """A store that knows the log."""
    made = WitnessStore.create(tmp_path / "store", KEY)
    made.add_log(LOG.key)
    yield made
    made.close()


def accept(size: int) -> Accepted:
    """The verdict that the log's checkpoint of `size` may be cosigned."""
    return Accepted(Held(LOG.note(size), NOW_S))


def test_what_was_recorded_is_what_the_next_verdict_sees(store: WitnessStore) -> None:
    """Each verdict starts from the one before."""
    seen: list[Held | None] = []

    def decide(held: Held | None) -> Verdict:
        seen.append(held)
        return accept(len(seen))

    store.record(LOG.origin, decide)
    store.record(LOG.origin, decide)

    assert seen == [None, Held(LOG.note(1), NOW_S)]


def killed(store: WitnessStore, folder: Path) -> Path:
    """The files as a killed witness leaves them: what it recorded last is in the log alone."""
    store.record(LOG.origin, lambda _: accept(5))
    left = folder / "left"
    for path in folder.glob("store*"):
        shutil.copy(path, left.with_name(path.name.replace("store", "left")))
    return left


def held_without_log(left: Path, folder: Path) -> Held | None:
    """What the store itself holds, were its log lost by the next power cut."""
    alone = folder / "alone"
    shutil.copy(left, alone)
    with closing(WitnessStore.open(alone, KEY)) as store:
        return store.fetch_logs()[0].held


def test_what_a_killed_witness_recorded_outlives_the_next_power_cut(store: WitnessStore, tmp_path: Path) -> None:
    """A restart that tells what no sync has reached brings it home first."""
    left = killed(store, tmp_path)
    with closing(WitnessStore.open(left, KEY)):
        assert Held(LOG.note(5), NOW_S) == held_without_log(left, tmp_path)


def test_a_restart_that_settles_nothing_would_forget_what_it_told(
    store: WitnessStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without it all that was ever told lies in the log alone."""
    left = killed(store, tmp_path)
    monkeypatch.setattr(witness_store, "_settle", lambda _: None)
    with closing(WitnessStore.open(left, KEY)) as opened:
        assert Held(LOG.note(5), NOW_S) == opened.fetch_logs()[0].held
        with pytest.raises(OperationalError, match="no witness store"):
            held_without_log(left, tmp_path)


def test_a_refusal_changes_nothing(store: WitnessStore) -> None:
    """The held checkpoint outlives a refused one."""
    store.record(LOG.origin, lambda _: accept(5))

    store.record(LOG.origin, lambda _: Refused(explain(422, "no")))

    assert [log.held for log in store.fetch_logs()] == [Held(LOG.note(5), NOW_S)]
    assert store.fetch_forks() == ()


def test_a_verdict_that_raises_changes_nothing(store: WitnessStore) -> None:
    """The transaction is undone and the store goes on."""

    def decide(held: Held | None) -> Verdict:
        raise LookupError(held)

    with pytest.raises(LookupError):
        store.record(LOG.origin, decide)

    assert store.record(LOG.origin, lambda held: accept(5) if held is None else accept(1)) == accept(5)


def test_the_evidence_kept_of_one_log_is_bounded(store: WitnessStore) -> None:
    """The first forks stay, later ones are refused all the same but no longer kept."""
    forks = [
        Fork(LOG.origin, 9, LOG.note(9), Log.of_size(9, mark=f"{number} ").note(9), NOW_S)
        for number in range(FORKS_KEPT_MAX + 1)
    ]
    verdicts = [Refused(explain(409, "fork"), fork) for fork in forks]
    kept = iter(verdicts)

    for _ in verdicts:
        store.record(LOG.origin, lambda _: next(kept))

    assert list(store.fetch_forks()) == forks[:FORKS_KEPT_MAX]


@pytest.mark.slow
def test_the_logs_of_one_witness_are_bounded(tmp_path: Path) -> None:
    """The bound is served, one more is refused."""
    with closing(WitnessStore.create(tmp_path / "store", KEY)) as store:
        for number in range(LOGS_MAX):
            store.add_log(Log([], origin=f"log.example/{number}").key)

        with pytest.raises(OperationalError, match="at most"):
            store.add_log(LOG.key)


@pytest.mark.parametrize("weaker", ["OFF", "NORMAL"])
def test_a_store_that_could_forget_is_refused(tmp_path: Path, weaker: str) -> None:
    """Control for the start-up check: anything below synchronous=FULL is turned away."""
    with closing(apsw.Connection(str(tmp_path / "store"))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        require_durable(connection)
        connection.pragma("synchronous", weaker)

        with pytest.raises(OperationalError, match="needs wal and FULL"):
            require_durable(connection)


@pytest.mark.parametrize("journal", ["delete", "memory", "off"])
def test_a_store_without_a_log_ahead_is_refused(tmp_path: Path, journal: str) -> None:
    """Only the mode that the power-loss simulation covers may run."""
    with closing(apsw.Connection(str(tmp_path / "store"))) as connection:
        connection.pragma("synchronous", "FULL")
        connection.pragma("journal_mode", journal)

        with pytest.raises(OperationalError, match="needs wal and FULL"):
            require_durable(connection)


def damaged(path: Path, statement: str) -> None:
    """Edit the store behind the witness's back."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("PRAGMA user_version = 2", "no witness store of this version"),
        ("PRAGMA application_id = 1", "no witness store of this version"),
        ("DELETE FROM identity", "another witness"),
        ("UPDATE log SET note = CAST(replace(note, x'0a350a', x'0a340a') AS BLOB)", "altered"),
        ("UPDATE log SET note = x'00'", "altered"),
        ("UPDATE log SET origin = 'log.example/other', vkey = replace(vkey, 'demo', 'other')", "altered"),
        ("UPDATE log SET vkey = 'nonsense'", "altered"),
        ("DROP TABLE fork", "failed|damaged|altered"),
    ],
)
def test_an_edited_store_is_refused(tmp_path: Path, statement: str, sentence: str) -> None:
    """What is read back must be what the log signed; else the key is to be retired."""
    path = tmp_path / "store"
    with closing(WitnessStore.create(path, KEY)) as store:
        store.add_log(LOG.key)
        store.record(LOG.origin, lambda _: accept(5))
    damaged(path, statement)

    with pytest.raises(OperationalError, match=sentence):
        WitnessStore.open(path, KEY)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """Rubbish is reported, not overwritten."""
    (tmp_path / "store").write_bytes(b"not a database, only text" * 99)

    with pytest.raises(OperationalError, match="store"):
        WitnessStore.open(tmp_path / "store", KEY)
    assert (tmp_path / "store").read_bytes().startswith(b"not a database")


def test_a_truncated_store_is_refused(tmp_path: Path) -> None:
    """A file cut to nothing is not a fresh witness."""
    WitnessStore.create(tmp_path / "store", KEY).close()
    (tmp_path / "store").write_bytes(b"")

    with pytest.raises(OperationalError, match="no witness store"):
        WitnessStore.open(tmp_path / "store", KEY)


def test_a_store_of_another_key_is_refused(tmp_path: Path) -> None:
    """The store carries the key it belongs to."""
    WitnessStore.create(tmp_path / "store", KEY).close()

    with pytest.raises(OperationalError, match="another witness"):
        WitnessStore.open(tmp_path / "store", witness_key(SOUTH, SOUTH_SEED))
