"""The two forms of a trust file: a log's key with its witnesses, or the genesis of a consortium alone."""

from __future__ import annotations

import json

import pytest

from cellvow.core.ledger.checkpoint import KeyAlgorithm, NoteKey
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.verify import Trust, encode_trust, parse_trust
from tests.bundles.chain import public_of

GENESIS = sha256(b"genesis")
LOG = NoteKey("cellvow.test/log", KeyAlgorithm.LOG, public_of("log"))
WITNESSES = tuple(NoteKey(f"witness.test/{one}", KeyAlgorithm.COSIGNATURE, public_of(one)) for one in "ab")
CONSORTIUM = {"genesis": GENESIS.hex(), "engine": "cometbft"}


def encode(document: dict[str, object]) -> bytes:
    """A trust file of any members, in order."""
    return json.dumps(document, sort_keys=True).encode()


@pytest.mark.parametrize(
    "trust",
    [Trust(GENESIS, LOG, (), 0), Trust(GENESIS, LOG, WITNESSES, 1, (WITNESSES[1].name,)), Trust(GENESIS, None)],
    ids=["log", "replaying", "consortium"],
)
def test_a_trust_file_is_read_as_it_was_written(trust: Trust) -> None:
    """Either form."""
    assert parse_trust(encode_trust(trust)) == trust


def test_a_file_that_names_no_replaying_witness_stays_as_it_was() -> None:
    """The member is left out where it says nothing."""
    members = json.loads(encode_trust(Trust(GENESIS, LOG, WITNESSES, 1)))

    assert ["genesis", "log", "quorum", "witnesses"] == sorted(members)
    assert () == parse_trust(encode(members)).replaying


@pytest.mark.parametrize(
    "names", [[], ["witness.test/a"] * 2, ["witness.test/c"], ["cellvow.test/log"], "a", [1], None]
)
def test_who_replays_is_one_of_the_witnesses_named_once(names: object) -> None:
    """A name that no cosignature can bear would count for nothing, silently."""
    members = json.loads(encode_trust(Trust(GENESIS, LOG, WITNESSES, 1)))

    with pytest.raises(Malformed):
        parse_trust(encode(members | {"replaying": names}))


def test_keys_stand_in_order_each_once() -> None:
    """As in every document of ours: what one verifier reads the other must not refuse."""
    text = encode(dict(CONSORTIUM)).decode()

    for given in (json.dumps({"genesis": GENESIS.hex(), "engine": "cometbft"}), text.replace("{", '{"engine": "x", ')):
        with pytest.raises(Malformed, match="in order, each once: engine, genesis"):
            parse_trust(given.encode())


def test_a_consortium_has_no_log_key() -> None:
    """Whoever asks for one is told why."""
    with pytest.raises(OperationalError, match="validators sign"):
        _ = parse_trust(encode(dict(CONSORTIUM))).log_key
    assert LOG == Trust(GENESIS, LOG).log_key


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": "tendermint"},
        {"engine": None},
        {"quorum": 0},
        {"witnesses": []},
        {"replaying": []},
        {"genesis": "00"},
    ],
)
def test_a_mixture_of_the_forms_is_refused(changes: dict[str, object]) -> None:
    """Exactly genesis and engine, and the one engine there is."""
    with pytest.raises(Malformed):
        parse_trust(encode(CONSORTIUM | changes))
