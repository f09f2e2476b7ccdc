"""The validators of a consortium as a record and as a member of genesis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.ledger.genesis import encode_genesis, genesis_digest, parse_genesis
from cellvow.core.ledger.validator import (
    Validator,
    encode_validators,
    order_validators,
    parse_validators,
    parse_validators_document,
    validators_document,
)
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import VALIDATOR_POWER_MAX, VALIDATORS_MAX
from tests.world import BUYER, LABORATORY, MAKER, make_genesis

VALIDATORS = order_validators(
    tuple(Validator(organisation, f"{number:064x}", 10) for number, organisation in enumerate((MAKER, BUYER, MAKER)))
)


def test_validators_survive_encoding_and_parsing() -> None:
    """The record has one form, in one order."""
    assert VALIDATORS == parse_validators(encode_validators(VALIDATORS))
    assert [MAKER, MAKER, BUYER] == [one.organisation for one in VALIDATORS]


def test_genesis_commits_to_its_validators() -> None:
    """Whoever trusts the digest of genesis trusts these validators and no others."""
    genesis = replace(make_genesis(), validators=VALIDATORS)
    weaker = replace(genesis, validators=VALIDATORS[:2])

    assert genesis == parse_genesis(encode_genesis(genesis))
    assert genesis.digest == genesis_digest(genesis.header)
    assert len({make_genesis().digest, genesis.digest, weaker.digest}) == 3
    assert parse_object(genesis.header)["validators"] == validators_document(VALIDATORS)


def test_a_validator_of_a_stranger_is_refused() -> None:
    """Each validator belongs to an organisation that genesis names."""
    stranger = replace(make_genesis(), validators=(Validator("nobody", "0" * 64, 1),))
    with pytest.raises(Malformed, match="does not name"):
        parse_genesis(encode_genesis(stranger))


def _changed(**fields: Json) -> list[Json]:
    return [{"organisation": LABORATORY, "power": 1, "public_key": "0" * 64, **fields}]


@pytest.mark.parametrize(
    "document",
    [
        [],
        "validators",
        [7],
        _changed(power=0),
        _changed(power=VALIDATOR_POWER_MAX + 1),
        _changed(power=True),
        _changed(public_key="0" * 63),
        _changed(public_key="A" * 64),
        _changed(organisation="Not An Organisation"),
        _changed(more=1),
        _changed() * 2,
        [*_changed(), *_changed(organisation=BUYER, public_key="1" * 64), *_changed(organisation=BUYER)],
    ],
)
def test_what_is_no_set_of_validators_is_refused(document: Json) -> None:
    """A closed form, each key once, in order, with power above zero."""
    with pytest.raises(Malformed):
        parse_validators_document(document)
    with pytest.raises(Malformed):
        parse_validators(encode_document({"validators": document}))


def test_the_bounds_of_validators() -> None:
    """As many as the bound are taken with the greatest power; one more is refused."""
    most: list[Json] = [
        {"organisation": MAKER, "power": VALIDATOR_POWER_MAX, "public_key": f"{number:064x}"}
        for number in range(VALIDATORS_MAX + 1)
    ]

    assert VALIDATORS_MAX == len(parse_validators_document(most[:-1]))
    with pytest.raises(Malformed, match="there are 1 to"):
        parse_validators_document(most)


def test_the_record_has_exactly_one_field() -> None:
    """Nothing beside the validators, and nothing else instead."""
    others: list[Json] = [{}, {"validators": _changed(), "x": 1}, []]
    for document in others:
        with pytest.raises(Malformed):
            parse_validators(encode_document(document))
