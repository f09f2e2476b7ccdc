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
CONSORTIUM = {"genesis": GENESIS.hex(), "engine": "cometbft"}


def encode(document: dict[str, object]) -> bytes:
    """A trust file of any members."""
    return json.dumps(document).encode()


@pytest.mark.parametrize("trust", [Trust(GENESIS, LOG, (), 0), Trust(GENESIS, None)], ids=["log", "consortium"])
def test_a_trust_file_is_read_as_it_was_written(trust: Trust) -> None:
    """Either form."""
    assert parse_trust(encode_trust(trust)) == trust


def test_a_consortium_has_no_log_key() -> None:
    """Whoever asks for one is told why."""
    with pytest.raises(OperationalError, match="validators sign"):
        _ = parse_trust(encode(dict(CONSORTIUM))).log_key
    assert LOG == Trust(GENESIS, LOG).log_key


@pytest.mark.parametrize(
    "changes", [{"engine": "tendermint"}, {"engine": None}, {"quorum": 0}, {"witnesses": []}, {"genesis": "00"}]
)
def test_a_mixture_of_the_forms_is_refused(changes: dict[str, object]) -> None:
    """Exactly genesis and engine, and the one engine there is."""
    with pytest.raises(Malformed):
        parse_trust(encode(CONSORTIUM | changes))
