"""Consensus proofs built from docs/reference/formats.md alone: a third writer of headers and commits, besides ours."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from nacl.signing import SigningKey

VALIDATOR_KEYS = [SigningKey(bytes([n]) * 32) for n in range(21, 25)]
POWER = 5
NANOSECONDS = 7
SECONDS = 1_800_000_000


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _number(value: int) -> bytes:
    digits = [value >> 7 * place & 0x7F for place in range(max(1, (value.bit_length() + 6) // 7))]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def _whole(field: int, value: int) -> bytes:
    return _number(field << 3) + _number(value) if value else b""


def _content(field: int, content: bytes, *, always: bool = False) -> bytes:
    return _number(field << 3 | 2) + _number(len(content)) + content if content or always else b""


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return _sha256(b"\0", leaves[0])
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return _sha256(b"\1", _root(leaves[:half]), _root(leaves[half:]))


def _block_id(digest: bytes) -> bytes:
    return _content(1, digest) + _content(2, _whole(1, 1) + _content(2, _sha256(b"parts")), always=True)


def _time(seconds: int) -> bytes:
    return _whole(1, seconds) + _whole(2, NANOSECONDS)


def _address(key: SigningKey) -> bytes:
    return _sha256(bytes(key.verify_key))[:20]


def founders() -> list[dict[str, Any]]:
    """The validators as a genesis header names them: all are acme's."""
    names = sorted(bytes(key.verify_key).hex() for key in VALIDATOR_KEYS)
    return [{"organisation": "acme", "power": POWER, "public_key": name} for name in names]


def _header(chain_id: str, height: int, app_hash: bytes, validators: bytes) -> tuple[bytes, bytes]:
    """The header and its hash."""
    hashes = [_sha256(bytes([n])) for n in range(9)]
    hashes[2], hashes[3], hashes[5], hashes[8] = validators, validators, app_hash, _address(VALIDATOR_KEYS[0])
    version, last = _whole(1, 11), _block_id(_sha256(b"last block"))
    encoded = _content(1, version) + _content(2, chain_id.encode()) + _whole(3, height)
    encoded += _content(4, _time(SECONDS)) + _content(5, last)
    encoded += b"".join(_content(6 + n, each) for n, each in enumerate(hashes))
    leaves = [version, _content(1, chain_id.encode()), _whole(1, height), _time(SECONDS), last]
    return encoded, _root([*leaves, *(_content(1, each) for each in hashes)])


def build_proof(chain_id: str, height: int, app_hash: bytes, votes: int = 3) -> dict[str, Any]:
    """A consensus proof before its encoding as an envelope: the first `votes` of four validators signed."""
    keys = sorted(VALIDATOR_KEYS, key=_address)
    public = [_content(1, _content(1, bytes(key.verify_key)), always=True) + _whole(2, POWER) for key in keys]
    header, digest = _header(chain_id, height, app_hash, _root(public))
    commit = _whole(1, height) + _content(3, _block_id(digest))
    for place, key in enumerate(keys):
        if place >= votes:
            commit += bytes.fromhex("220f08011a0b088092b8c398feffffff01")
            continue
        time = _time(SECONDS + 1 + place)
        vote = _whole(1, 2) + b"\x11" + height.to_bytes(8, "little") + _content(4, _block_id(digest))
        vote += _content(5, time) + _content(6, chain_id.encode())
        signature = key.sign(_number(len(vote)) + vote).signature
        entry = _whole(1, 2) + _content(2, _address(key)) + _content(3, time) + _content(4, signature)
        commit += _content(4, entry)
    return {"header": header, "commit": commit, "sets": []}
