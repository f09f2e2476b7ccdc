"""A node's folder: its log's key, its witnesses, and how far a statement has come."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.engine import Level
from cellvow.node.home import LOG_KEY_FILE, NodeHome, WitnessAddress, quorum_of
from cellvow.node.witness import Witness
from tests.bundles.chain import Signer, make_genesis, registration, seed_of

if TYPE_CHECKING:
    from pathlib import Path

ORIGIN = "cellvow.test/home"


def make_home(folder: Path) -> NodeHome:
    """A node without witnesses."""
    return NodeHome.create(folder, make_genesis(), ORIGIN, seed_of("home log"))


def add_witnesses(home: NodeHome, folder: Path, names: str) -> None:
    """Witnesses that know the log, each in its folder."""
    for name in names:
        witness = Witness.create(folder / name, f"witness.test/{name}", seed_of(f"home witness {name}"))
        witness.add_log(ORIGIN, home.describe()["log"])
        home.add_witness(WitnessAddress(witness.vkey, str(folder / name)))
        witness.close()


@pytest.mark.parametrize(
    ("witnesses", "broken", "cosignatures", "level"),
    [
        ("", "", 0, "committed"),
        ("abc", "", 3, "witnessed"),
        ("abc", "c", 2, "witnessed"),
        ("abc", "bc", 1, "committed"),
    ],
)
def test_a_statement_counts_as_witnessed_with_two_of_three(
    witnesses: str, broken: str, cosignatures: int, level: str, tmp_path: Path
) -> None:
    """Committed until a checkpoint over it carries two cosignatures of three; a witness that is down is named."""
    home = make_home(tmp_path / "node")
    add_witnesses(home, tmp_path / "witnesses", witnesses)
    for name in broken:
        (tmp_path / "witnesses" / name / "witness.sqlite").unlink()
    ticks = itertools.count(2_000_000_000)
    with home.open_session(lambda: next(ticks)) as session:
        data = Signer().single("maker root", "maker", registration("maker", "maker key"))
        receipted = session.submit(data).result(timeout=30)

        assert home.level_of(session.store, receipted.leaf) is Level.COMMITTED
        publication = session.publish()
        assert home.level_of(session.store, receipted.leaf).value == level
    assert publication.cosignatures == cosignatures
    assert [answer.name[-1] for answer in publication.answers if answer.reason] == list(broken)


def test_a_log_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The remedy is named."""
    make_home(tmp_path / "node")
    (tmp_path / "node" / LOG_KEY_FILE).chmod(0o644)

    with pytest.raises(OperationalError, match="chmod 600"):
        NodeHome(tmp_path / "node")


def test_two_of_three_is_the_quorum_and_all_where_there_are_fewer() -> None:
    """0 of none, 1 of one, 2 of two, 2 of three, 2 of seven."""
    assert [quorum_of(count) for count in (0, 1, 2, 3, 7)] == [0, 1, 2, 2, 2]
