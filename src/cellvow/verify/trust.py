"""What a verifier takes as given, from a file obtained elsewhere than the bundle."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Never

from cellvow.core.ledger.checkpoint import NoteKey, check_trust, encode_vkey, parse_vkey
from cellvow.core.ledger.statement import is_hex
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.limits import CHECKPOINT_SIGNATURES_MAX, TRUST_BYTES_MAX

ENGINE = "cometbft"
"""The engine whose validators vouch for a consortium's log."""
_LOG_MEMBERS = ["genesis", "log", "quorum", "witnesses"]
_FORMS = (_LOG_MEMBERS, sorted([*_LOG_MEMBERS, "replaying"]), ["engine", "genesis"])


@dataclass(frozen=True, slots=True)
class Trust:
    """The ledger's genesis digest, its log's key, its witnesses' keys, and how many of them must cosign.

    `replaying` names those of the witnesses that execute every block before they cosign: what the state alone says of a
    signer counts if one of them did. A consortium has no log key and no witnesses: the validators that its genesis
    names vouch for its log.
    """

    genesis: Digest
    log: NoteKey | None
    witnesses: tuple[NoteKey, ...] = ()
    quorum: int = 0
    replaying: tuple[str, ...] = ()

    @property
    def log_key(self) -> NoteKey:
        """The log's key; raises `OperationalError` where there is none."""
        if self.log is None:
            raise OperationalError("this ledger is a consortium's: its validators sign, and no log key does")
        return self.log


def encode_trust(trust: Trust) -> bytes:
    """A trust file, indented for people."""
    document: dict[str, object] = {"genesis": trust.genesis.hex()}
    if trust.log is None:
        document |= {"engine": ENGINE}
    else:
        witnesses = [encode_vkey(key) for key in trust.witnesses]
        document |= {"log": encode_vkey(trust.log), "quorum": trust.quorum, "witnesses": witnesses}
        document |= {"replaying": list(trust.replaying)} if trust.replaying else {}
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode("utf-8")


def parse_trust(data: bytes) -> Trust:
    """The trust of a file's bytes; raises `Malformed` with what is wrong."""
    if len(data) > TRUST_BYTES_MAX:
        raise Malformed(f"trust file of {len(data)} bytes: at most {TRUST_BYTES_MAX} are allowed")
    document = _load(data)
    names = sorted(document) if isinstance(document, dict) else []
    if not isinstance(document, dict) or names not in _FORMS:
        raise Malformed(
            "a trust file has exactly genesis, log, quorum and witnesses, and perhaps replaying - or genesis and engine"
        )
    genesis = document["genesis"]
    if not isinstance(genesis, str) or not is_hex(genesis, 32):
        raise Malformed("genesis is a digest in lower-case hexadecimal")
    digest = Digest(bytes.fromhex(genesis))
    if "engine" not in document:
        return _log_trust(digest, document)
    if document["engine"] != ENGINE:
        raise Malformed(f"the only engine that a trust file may name is {ENGINE}")
    return Trust(digest, None)


def _log_trust(genesis: Digest, document: dict[str, object]) -> Trust:
    log, witnesses = document["log"], document["witnesses"]
    if not isinstance(log, str):
        raise Malformed("log is a verifier key")
    if not isinstance(witnesses, list) or len(witnesses) >= CHECKPOINT_SIGNATURES_MAX:
        raise Malformed(f"witnesses is a list of fewer than {CHECKPOINT_SIGNATURES_MAX} verifier keys")
    key = parse_vkey(log)
    keys = tuple(parse_vkey(_text(witness)) for witness in witnesses)
    quorum = _quorum(document["quorum"], len(witnesses))
    check_trust(key, keys, quorum)
    replaying = _replaying(document["replaying"], keys) if "replaying" in document else ()
    return Trust(genesis, key, keys, quorum, replaying)


def _replaying(value: object, witnesses: tuple[NoteKey, ...]) -> tuple[str, ...]:
    known = [key.name for key in witnesses]
    names = [_text(name) for name in value] if isinstance(value, list) else []
    if not names or len(names) != len(dict.fromkeys(names)) or any(name not in known for name in names):
        raise Malformed("replaying names one or more of the witnesses, each once; without any it is left out")
    return tuple(names)


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
    names = [name for name, _ in pairs]
    if any(a >= b for a, b in pairwise(names)):
        raise Malformed(
            f"the keys of the trust file stand in order, each once: {', '.join(sorted(dict.fromkeys(names)))}"
        )
    return dict(pairs)


def _integer(digits: str) -> int:
    if len(digits) > 3:
        raise Malformed("a number in the trust file is out of range")
    return int(digits)


def _refuse(_: str) -> Never:
    raise Malformed("the trust file holds no fractions")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a verifier key, and a name, is text")
    return value


def _quorum(value: object, witnesses: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= witnesses:
        raise Malformed(f"quorum is a number from 0 to {witnesses}, the number of witnesses")
    return value
