"""A member's home: the engine starts from our genesis with our keys, secrets are private, the socket is short."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.genesis import Genesis, Organisation
from cellvow.core.ledger.validator import Validator
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.signature import derive_public_key, is_valid, sign
from cellvow.node.cometbft.member import (
    MEMBER_FILE,
    SOCKET_PATH_BYTES_MAX,
    EngineKeys,
    MemberHome,
    Membership,
    encode_engine_genesis,
    encode_time,
)
from cellvow.node.home import NodeHome

if TYPE_CHECKING:
    from pathlib import Path

KEYS = EngineKeys(b"\x01" * 32, b"\x02" * 32)
GENESIS = Genesis(
    "packs-2026",
    1_764_000_000_007,
    1,
    (Organisation("packmaker", "Invented Pack Works", ("manufacturer",), (derive_public_key(b"\x03" * 32).hex(),)),),
    None,
    (Validator("packmaker", KEYS.validator_key, 10),),
)
MEMBERSHIP = Membership(
    "packmaker", "Invented Pack Works", KEYS.node_id, "packmaker", "127.0.0.1", 26_600, 26_601, (f"{'cd' * 20}@h:1",)
)


@pytest.fixture
def home(tmp_path: Path) -> MemberHome:
    """A member's home, just made."""
    return MemberHome.create(tmp_path / "member-1", MEMBERSHIP, KEYS, GENESIS, 'moniker = "packmaker"\n')


def test_a_home_is_read_back(home: MemberHome) -> None:
    """What was written is what a later process finds; the ledger opens as a member's."""
    assert MEMBERSHIP == MemberHome(home.folder).membership
    assert "http://127.0.0.1:26601" == NodeHome(home.ledger).engine_url
    assert GENESIS.digest == NodeHome(home.ledger).trust.genesis


def test_the_engine_starts_from_our_genesis(home: MemberHome) -> None:
    """Chain, moment and validators are ours, and the digest of our genesis is in it."""
    genesis = json.loads((home.engine / "config" / "genesis.json").read_bytes())

    assert encode_engine_genesis(GENESIS) == (home.engine / "config" / "genesis.json").read_bytes()
    assert ("packs-2026", "2025-11-24T16:00:00.007Z") == (genesis["chain_id"], genesis["genesis_time"])
    assert {"cellvow_genesis": GENESIS.digest.hex()} == genesis["app_state"]
    assert [("packmaker", "10")] == [(one["name"], one["power"]) for one in genesis["validators"]]


def test_another_genesis_makes_another_engine_genesis() -> None:
    """Two members who hold different genesis documents never form one chain."""
    other = Genesis(GENESIS.chain_id, GENESIS.time_ms + 1, 1, GENESIS.organisations, None, GENESIS.validators)

    assert encode_engine_genesis(GENESIS) != encode_engine_genesis(other)
    assert GENESIS.digest.hex().encode() not in encode_engine_genesis(other)


def test_the_engines_keys_are_ours_in_its_own_form(home: MemberHome) -> None:
    """Seed, then public key; the address is the first 20 bytes of its hash; what it signs verifies."""
    written = json.loads((home.engine / "config" / "priv_validator_key.json").read_bytes())
    secret, public = (base64.b64decode(written[name]["value"]) for name in ("priv_key", "pub_key"))

    assert KEYS.validator + public == secret
    assert hashlib.sha256(public).hexdigest()[:40].upper() == written["address"]
    assert is_valid(public, b"vote", sign(secret[:32], b"vote"))
    assert MEMBERSHIP.node_id != written["address"].lower()


def test_secrets_are_readable_by_their_owner_alone(home: MemberHome) -> None:
    """Keys and what the validator has signed; the folders too."""
    for path in home.engine.rglob("*"):
        if path.name.startswith(("priv_", "node_key")):
            assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    assert 0o700 == stat.S_IMODE(home.folder.stat().st_mode)
    assert KEYS.validator.hex() not in repr(KEYS)


def test_a_member_is_never_overwritten(home: MemberHome) -> None:
    """A second creation would lose the first one's keys."""
    with pytest.raises(OperationalError, match="holds a member already"):
        MemberHome.create(home.folder, MEMBERSHIP, KEYS, GENESIS, "")


def test_the_socket_lies_in_the_folder_where_that_fits(home: MemberHome) -> None:
    """Nobody but the owner reaches it there."""
    place = home.prepare_socket()

    assert home.folder / "application.sock" == place or len(str(home.folder)) > SOCKET_PATH_BYTES_MAX - 17


def test_a_deep_folder_gets_a_short_socket(home: MemberHome, tmp_path: Path) -> None:
    """The kernel takes 107 bytes; two members have two sockets."""
    places = []
    for name in "ab":
        deep = tmp_path / ("deep" * 30) / name
        deep.mkdir(parents=True)
        (deep / MEMBER_FILE).write_bytes((home.folder / MEMBER_FILE).read_bytes())
        places.append(MemberHome(deep).prepare_socket())

    assert all(len(str(place)) <= SOCKET_PATH_BYTES_MAX for place in places)
    assert places[0] != places[1]
    assert 0o700 == stat.S_IMODE(places[0].parent.stat().st_mode)


def test_a_socket_that_others_could_replace_is_refused(home: MemberHome) -> None:
    """Whoever could would feed the ledger blocks of his own."""
    home.folder.chmod(0o777)
    with pytest.raises(OperationalError, match="chmod 700"):
        home.prepare_socket()
    home.folder.chmod(0o700)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"organisation": "x"}),
        json.dumps(
            {
                **dict.fromkeys(("host", "moniker", "name", "node_id", "organisation"), "x"),
                "peers": [],
                "p2p_port": 0,
                "rpc_port": 1,
            }
        ),
    ],
)
def test_a_bad_member_file_is_refused(tmp_path: Path, content: str) -> None:
    """Parse or refuse."""
    (tmp_path / MEMBER_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(Malformed, match=r"member\.json"):
        MemberHome(tmp_path)


def test_a_folder_without_a_member_is_told(tmp_path: Path) -> None:
    """With the command that makes one."""
    with pytest.raises(OperationalError, match="cellvow network init"):
        MemberHome(tmp_path)


@pytest.mark.parametrize(
    ("time_ms", "text"), [(0, "1970-01-01T00:00:00.000Z"), (1_764_000_000_999, "2025-11-24T16:00:00.999Z")]
)
def test_a_moment_is_exact_to_the_millisecond(time_ms: int, text: str) -> None:
    """No rounding on the way."""
    assert text == encode_time(time_ms)
