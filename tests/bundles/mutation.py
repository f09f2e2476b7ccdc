"""Mutations of bundles and trust files: bits, fields, proof steps, and parts swapped between bundles."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor

if TYPE_CHECKING:
    from tests.bundles.chain import Sound


@dataclass(frozen=True)
class Case:
    """A bundle and a trust file for a verifier to judge; `mutation` says what was done to them."""

    bundle: bytes
    trust: bytes | None
    mutation: str


def sound_case(sound: Sound) -> Case:
    """The unchanged bundle."""
    return Case(sound.bundle, sound.trust, "none")


def mutate(rng: random.Random, sound: Sound, other: Sound) -> Case:
    """One random mutation of `sound`; parts may come from `other`."""
    kind = rng.choice(["bit", "bit", "byte", "cut", "field", "field", "field", "step", "swap", "trust", "no trust"])
    if kind == "bit":
        place = rng.randrange(8 * len(sound.bundle))
        changed = bytearray(sound.bundle)
        changed[place >> 3] ^= 1 << (place & 7)
        return Case(bytes(changed), sound.trust, f"bit {place}")
    if kind == "byte":
        place = rng.randrange(len(sound.bundle))
        changed = bytearray(sound.bundle)
        changed[place : place + 1] = rng.choice([b"", bytes([rng.randrange(256)]), rng.randbytes(2)])
        return Case(bytes(changed), sound.trust, f"byte {place}")
    if kind == "cut":
        return Case(sound.bundle[: rng.randrange(len(sound.bundle))], sound.trust, "cut")
    if kind == "trust":
        return Case(sound.bundle, _mutate_trust(rng, sound.trust), "trust")
    if kind == "no trust":
        return Case(sound.bundle, None, "no trust")
    value = parse_cbor(sound.bundle)
    donor = parse_cbor(other.bundle)
    _mutate_value(rng, kind, value, donor)
    return Case(encode_cbor(value), sound.trust, kind)


def _mutate_trust(rng: random.Random, trust: bytes) -> bytes:
    document = json.loads(trust)
    is_consortium = "engine" in document
    kind = rng.choice(
        ["genesis", "engine", "extra"]
        if is_consortium
        else ["genesis", "quorum", "witness", "log", "replaying", "extra"]
    )
    if kind == "genesis":
        document["genesis"] = rng.randbytes(32).hex()
    elif kind == "engine":
        document["engine"] = rng.choice(["cometbft ", "tendermint", 1])
    elif kind == "quorum":
        document["quorum"] = rng.choice([4, -1, 3])
    elif kind == "witness":
        document["witnesses"].pop()
    elif kind == "replaying":
        names = [key.split("+")[0] for key in document["witnesses"]]
        document["replaying"] = rng.choice([[], names[:1] * 2, names[1:], [document["log"]], names[0]])
    elif kind == "log":
        document["log"] = document["witnesses"][0]
    else:
        document["extra"] = 1
    return json.dumps(document, sort_keys=rng.random() < 0.9).encode()


def _mutate_value(rng: random.Random, kind: str, value: Cbor, donor: Cbor) -> None:
    """Change one place of the parsed bundle in place."""
    if kind == "swap" and isinstance(value, dict) and isinstance(donor, dict):
        name = rng.choice(sorted(str(key) for key in value if key in donor))
        value[name] = donor[name]
        return
    places = [place for place in _places(value) if kind == "field" or isinstance(place[0], list)]
    holder, key = rng.choice(places)
    member = holder[key]  # type: ignore[index]  # a list with an index, or a map with a key
    if kind == "step" and isinstance(holder, list) and isinstance(key, int):
        _mutate_step(rng, holder, key)
        return
    holder[key] = _changed(rng, member)  # type: ignore[index]  # as above


def _mutate_step(rng: random.Random, holder: list[Cbor], key: int) -> None:
    action = rng.choice(["drop", "double", "swap"])
    if action == "drop":
        holder.pop(key)
    elif action == "double":
        holder.insert(key, holder[key])
    else:
        other = rng.randrange(len(holder))
        holder[key], holder[other] = holder[other], holder[key]


def _changed(rng: random.Random, member: Cbor) -> Cbor:
    if isinstance(member, int):
        return member + rng.choice([-1, 1, 2, 1000])
    if isinstance(member, bytes) and member:
        place = rng.randrange(len(member))
        return member[:place] + bytes([member[place] ^ 1 << rng.randrange(8)]) + member[place + 1 :]
    if isinstance(member, str):
        return member + "x"
    others: list[Cbor] = [b"", 0, [], {}]
    return rng.choice(others)


def _places(value: Cbor) -> list[tuple[list[Cbor] | dict[int | str, Cbor], int | str]]:
    found: list[tuple[list[Cbor] | dict[int | str, Cbor], int | str]] = []
    pending: list[Cbor] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            found += [(node, index) for index in range(len(node))]
            pending += node
        elif isinstance(node, dict):
            found += [(node, key) for key in node]
            pending += node.values()
    return found


def generate(rng: random.Random, sounds: list[Sound], count: int) -> list[Case]:
    """`count` cases, every other one mutated."""
    cases = []
    for number in range(count):
        sound = rng.choice(sounds)
        cases.append(mutate(rng, sound, rng.choice(sounds)) if number % 2 else sound_case(sound))
    return cases
