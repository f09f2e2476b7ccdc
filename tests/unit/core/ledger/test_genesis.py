"""Genesis: one document, one digest, and keys that can be used."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.ledger.genesis import (
    Predecessor,
    encode_genesis,
    encode_organisation,
    genesis_digest,
    parse_genesis,
    parse_organisation,
)
from cellvow.core.ledger.key import ROOT_SCOPE, key_record_key, parse_key_record
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.merkle import fetch_from, inclusion_path, tree_root, verify_inclusion
from tests.world import MAKER, World, make_genesis

PREDECESSOR = Predecessor("old.cellvow.example", 17, "ab" * 32, "cd" * 32, 9)


def document() -> dict[str, Json]:
    """The sound genesis file as a document."""
    return parse_object(encode_genesis(make_genesis()))


def first_organisation() -> dict[str, Json]:
    """The sound document of its first member."""
    return parse_object(encode_organisation(make_genesis().organisations[0]))


def test_genesis_survives_encoding_and_parsing() -> None:
    """With and without a predecessor, and each member by itself."""
    for genesis in (make_genesis(), replace(make_genesis(), predecessor=PREDECESSOR)):
        assert parse_genesis(encode_genesis(genesis)) == genesis
        for member in genesis.organisations:
            assert parse_organisation(encode_organisation(member)) == member


def test_every_field_moves_the_digest() -> None:
    """Name, time, rules, members and predecessor: another value of any is another ledger."""
    genesis = make_genesis()
    members = genesis.organisations
    changed = [
        replace(genesis, chain_id="other.cellvow.example"),
        replace(genesis, time_ms=genesis.time_ms + 1),
        replace(genesis, ruleset=2),
        replace(genesis, organisations=members[1:]),
        replace(genesis, organisations=(replace(members[0], roles=("buyer",)), *members[1:])),
        replace(genesis, predecessor=PREDECESSOR),
        replace(genesis, predecessor=replace(PREDECESSOR, log_size=18)),
        replace(genesis, predecessor=replace(PREDECESSOR, height=10)),
    ]
    digests = [one.digest for one in (genesis, *changed)]

    assert len(digests) == len(dict.fromkeys(digests))
    assert genesis.digest == genesis_digest(genesis.header)


def test_one_member_is_shown_without_the_others() -> None:
    """Its document and a path lead to the root in the header."""
    genesis = make_genesis()
    leaves = genesis.leaves
    path = inclusion_path(fetch_from(leaves), 2, len(leaves))

    assert verify_inclusion(leaves[2], 2, len(leaves), path) == tree_root(leaves)
    assert parse_object(genesis.header)["organisations_root"] == tree_root(leaves).hex()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"extra": 1}, "genesis has chain_id"),
        ({"organisations": {}}, "genesis has chain_id"),
        ({"organisations": ["nordpack"]}, "not an object"),
        ({"chain_id": "X"}, "is not a chain identifier"),
        ({"chain_id": 1}, "not text"),
        ({"time_ms": -1}, "not a whole number"),
        ({"ruleset": True}, "not a whole number"),
        ({"ruleset": "1"}, "not a whole number"),
        ({"predecessor": {}}, "exactly its five fields"),
        ({"predecessor": {"chain_id": "a", "height": 1, "log_root": 1, "log_size": 1, "state_root": ""}}, "not text"),
    ],
)
def test_a_malformed_genesis_says_what_is_wrong(changed: dict[str, Json], sentence: str) -> None:
    """The file has exactly its members, each of its type."""
    with pytest.raises(Malformed, match=sentence):
        parse_genesis(encode_document(document() | changed))


def test_a_genesis_without_a_member_of_the_document_is_malformed() -> None:
    """Each of its four is needed."""
    for name in document():
        with pytest.raises(Malformed):
            parse_genesis(encode_document({k: v for k, v in document().items() if k != name}))


@pytest.mark.parametrize("order", [(1, 0), (0, 0)], ids=["unordered", "twice"])
def test_members_stand_once_and_in_order(order: tuple[int, int]) -> None:
    """Another order would be another digest for the same members, a second entry two answers to one question."""
    members = make_genesis().organisations
    genesis = replace(make_genesis(), organisations=tuple(members[place] for place in order))

    with pytest.raises(Malformed, match="each once, in order"):
        parse_genesis(encode_genesis(genesis))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"extra": 1}, "exactly its five fields"),
        ({"organisation": "Nordpack"}, "is not an organisation"),
        ({"name": ""}, "1 to 80 printable"),
        ({"name": "a" * 81}, "1 to 80 printable"),
        ({"name": "two\nlines"}, "printable"),
        ({"name": "hidden\u202e"}, "printable"),
        ({"roles": []}, "roles are one or more"),
        ({"roles": ["king"]}, "roles are one or more"),
        ({"roles": "buyer"}, "not a list"),
        ({"root_keys": []}, "at least one root key"),
        ({"root_keys": ["00" * 31]}, "at least one root key"),
        ({"root_keys": [1]}, "not text"),
        ({"accreditations": {}}, "."),
        ({"accreditations": [{}]}, "exactly its four fields"),
    ],
)
def test_a_malformed_member_says_what_is_wrong(changed: dict[str, Json], sentence: str) -> None:
    """A member's document has exactly its fields, each of its type."""
    with pytest.raises(Malformed, match=sentence):
        parse_organisation(encode_document(first_organisation() | changed))


def accepts_name(name: str) -> bool:
    """Whether a member may be called so."""
    try:
        parse_organisation(encode_document(first_organisation() | {"name": name}))
    except Malformed:
        return False
    return True


@pytest.mark.parametrize("newer", ["\u2ffc", "\U0002ebf0", "\U00010ec2", "\U0001e030"])
def test_a_name_is_judged_alike_by_every_python(newer: str) -> None:
    """A rule that asks the Unicode tables of the interpreter would split the ledger between versions of Python."""
    older = "\u4e00"

    assert accepts_name(f"Nord{newer}") is accepts_name(f"Nord{older}")


def test_a_name_beyond_ascii_is_kept() -> None:
    """Organisations are called what they are called."""
    for name in ("Brennstoff & Söhne", "Baterías Ñandú", "Łódź"):
        assert accepts_name(name)


@pytest.mark.parametrize(
    "public_key",
    [
        pytest.param("zz" * 32, id="not hexadecimal"),
        pytest.param("AB" * 32, id="capitals"),
        pytest.param("01" + "00" * 31, id="small order"),
        pytest.param("40a4cf5c611d737a2f1c6fcca84d9cabfed80987f186a5a6c57e629bff1af27f", id="torsion part"),
        pytest.param("02" + "00" * 31, id="no point"),
    ],
)
def test_a_ledger_does_not_start_with_an_unfit_root_key(public_key: str) -> None:
    """Root keys obey the rule of every other key: a point of the prime-order group, spelled once."""
    members = make_genesis().organisations
    genesis = replace(make_genesis(), organisations=(replace(members[0], root_keys=(public_key,)), *members[1:]))

    with pytest.raises(Malformed, match="root key"):
        World(genesis)


def test_a_ledger_does_not_start_with_one_root_key_for_two() -> None:
    """A key names its organisation: two members with one key would be one."""
    first, second, *others = make_genesis().organisations
    shared = replace(second, root_keys=first.root_keys)

    with pytest.raises(Malformed, match="twice"):
        World(replace(make_genesis(), organisations=(first, shared, *others)))


def test_members_and_their_root_keys_are_in_the_state() -> None:
    """Genesis writes them: a root key may manage keys and nothing else, for ever."""
    world = World(with_keys=False)
    records = world.state.records
    root = parse_key_record(records[key_record_key(world[MAKER].root.kid)])

    assert len(records) == 2 * len(world.genesis.organisations)
    assert (root.kind, root.scope, root.organisation) == ("root", ROOT_SCOPE, MAKER)
    assert (root.valid_from_ms, root.valid_until_ms, root.registered_height) == (0, None, 0)


def test_the_genesis_of_these_tests_is_sound() -> None:
    """Control: unchanged, the documents these tests vary are accepted."""
    assert parse_genesis(encode_document(document())) == make_genesis()
    assert parse_organisation(encode_document(first_organisation())) == make_genesis().organisations[0]
