"""What a verifier takes as given, from a file obtained elsewhere than the bundle."""

import json
from dataclasses import dataclass
from typing import Never

from cellvow.core.ledger.checkpoint import NoteKey, check_trust, encode_vkey, parse_vkey
from cellvow.core.ledger.statement import is_hex
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import CHECKPOINT_SIGNATURES_MAX, TRUST_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Trust:
    """The ledger's genesis digest, its log's key, its witnesses' keys, and how many of them must cosign."""

    genesis: Digest
    log: NoteKey
    witnesses: tuple[NoteKey, ...]
    quorum: int


def encode_trust(trust: Trust) -> bytes:
    """A trust file, indented for people."""
    document = {
        "genesis": trust.genesis.hex(),
        "log": encode_vkey(trust.log),
        "quorum": trust.quorum,
        "witnesses": [encode_vkey(key) for key in trust.witnesses],
    }
    return (json.dumps(document, indent=2) + "\n").encode("utf-8")


def parse_trust(data: bytes) -> Trust:
    """The trust of a file's bytes; raises `Malformed` with what is wrong."""
    if len(data) > TRUST_BYTES_MAX:
        raise Malformed(f"trust file of {len(data)} bytes: at most {TRUST_BYTES_MAX} are allowed")
    document = _load(data)
    if not isinstance(document, dict) or sorted(document) != ["genesis", "log", "quorum", "witnesses"]:
        raise Malformed("a trust file has exactly genesis, log, quorum and witnesses")
    genesis, log, witnesses = document["genesis"], document["log"], document["witnesses"]
    if not isinstance(genesis, str) or not is_hex(genesis, 32) or not isinstance(log, str):
        raise Malformed("genesis is a digest in lower-case hexadecimal, log a verifier key")
    if not isinstance(witnesses, list) or len(witnesses) >= CHECKPOINT_SIGNATURES_MAX:
        raise Malformed(f"witnesses is a list of fewer than {CHECKPOINT_SIGNATURES_MAX} verifier keys")
    trust = Trust(
        Digest(bytes.fromhex(genesis)),
        parse_vkey(log),
        tuple(parse_vkey(_text(witness)) for witness in witnesses),
        _quorum(document["quorum"], len(witnesses)),
    )
    check_trust(trust.log, trust.witnesses, trust.quorum)
    return trust


def _load(data: bytes) -> object:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_float=_refuse,
            parse_constant=_refuse,
            parse_int=_integer,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Malformed("the trust file is not JSON in UTF-8") from error


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Malformed("a key occurs twice in the trust file")
    return members


def _integer(digits: str) -> int:
    if len(digits) > 3:
        raise Malformed("a number in the trust file is out of range")
    return int(digits)


def _refuse(_: str) -> Never:
    raise Malformed("the trust file holds no fractions")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a verifier key is text")
    return value


def _quorum(value: object, witnesses: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= witnesses:
        raise Malformed(f"quorum is a number from 0 to {witnesses}, the number of witnesses")
    return value
