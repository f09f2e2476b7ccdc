"""A node's folder: its log's key, its witnesses, and how far a statement has come."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.validator import Validator
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.engine import Level
from cellvow.node.home import LOG_KEY_FILE, NodeHome, WitnessAddress, quorum_of
from cellvow.node.witness import Witness
from cellvow.verify.trust import parse_trust
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


def test_the_trust_file_says_which_witness_executes_the_blocks(tmp_path: Path) -> None:
    """When it is named, or later of one that is named already; said twice, there is nothing new to say."""
    home = make_home(tmp_path / "node")
    add_witnesses(home, tmp_path / "witnesses", "ab")
    first, second = home.witnesses()
    moved = replace(second, place="http://127.0.0.1:8001")
    home.add_witness(moved, replaying=True)
    with pytest.raises(OperationalError, match="named already"):
        home.add_witness(moved, replaying=True)
    with pytest.raises(OperationalError, match="named already"):
        home.add_witness(first)
    third = Witness.create(tmp_path / "c", "witness.test/c", seed_of("home witness c"))
    home.add_witness(WitnessAddress(third.vkey, str(tmp_path / "c")), replaying=True)
    third.close()
    written = parse_trust((home.folder / "trust.json").read_bytes())

    assert ("witness.test/b", "witness.test/c") == written.replaying
    assert (3, 2) == (len(written.witnesses), written.quorum)
    assert [first, moved] == home.witnesses()[:2]


def test_a_log_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The remedy is named."""
    make_home(tmp_path / "node")
    (tmp_path / "node" / LOG_KEY_FILE).chmod(0o644)

    with pytest.raises(OperationalError, match="chmod 600"):
        NodeHome(tmp_path / "node")


def test_two_of_three_is_the_quorum_and_all_where_there_are_fewer() -> None:
    """0 of none, 1 of one, 2 of two, 2 of three, 2 of seven."""
    assert [quorum_of(count) for count in (0, 1, 2, 3, 7)] == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("left", [(), ("log.key.new",), ("log.key",), ("genesis.json", "log.key", "trust.json")])
def test_an_interrupted_founding_is_begun_again(left: tuple[str, ...], tmp_path: Path) -> None:
    """Whatever files a crash has left: the ledger is written last, so without it nothing was founded."""
    (tmp_path / "node").mkdir()
    for name in left:
        (tmp_path / "node" / name).write_bytes(b"half")
    home = make_home(tmp_path / "node")

    assert ORIGIN == NodeHome(home.folder).log_key.name
    assert 0o600 == (home.folder / LOG_KEY_FILE).stat().st_mode & 0o777
    assert [] == [file.name for file in home.folder.iterdir() if file.name.endswith(".new")]


def test_a_folder_with_a_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    """A second founding changes neither the key nor the trust file, also where the ledger is damaged."""
    home = make_home(tmp_path / "node")
    for content in (None, b"damaged"):
        if content is not None:
            (home.folder / "ledger.db").write_bytes(content)
        before = {file.name: file.read_bytes() for file in home.folder.iterdir() if file.suffix in (".key", ".json")}
        with pytest.raises(OperationalError, match="holds a ledger already"):
            NodeHome.create(home.folder, make_genesis(), "cellvow.test/other", seed_of("another log"))

        assert before == {name: (home.folder / name).read_bytes() for name in before}


def test_a_member_is_vouched_for_by_validators_and_signs_nothing(tmp_path: Path) -> None:
    """Its trust file names the genesis alone, and its engine is asked where it says."""
    genesis = replace(make_genesis(), validators=(Validator("maker", "ab" * 32, 10),))
    home = NodeHome.create_member(tmp_path / "member", genesis, "http://127.0.0.1:1")

    assert (True, False, None) == (home.is_member, home.is_signer, home.trust.log)
    assert genesis.digest == parse_trust((home.folder / "trust.json").read_bytes()).genesis
    with pytest.raises(OperationalError, match="validators sign"):
        _ = home.log_key
    with home.open_session(lambda: 0) as session, pytest.raises(OperationalError, match="cannot be reached"):
        session.submit(Signer().single("maker root", "maker", registration("maker", "maker key")))
    with pytest.raises(OperationalError, match="names no validators"):
        NodeHome.create_member(tmp_path / "other", make_genesis(), "http://127.0.0.1:1")
    (home.folder / "engine.json").write_text("[]")
    with pytest.raises(Malformed, match="rpc"):
        NodeHome(home.folder)
