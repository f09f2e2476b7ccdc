"""The records a ledger starts with: its first members and their root keys, on a clean slate or over another ledger's.

A ledger that goes on from another starts from that one's whole state: nothing of it is lost or changed, and what its
records say - heights included - stays true.
"""

from collections.abc import Mapping

import msgspec

from cellvow.core.contracts.contract import decode_record, encode_record
from cellvow.core.contracts.electorate import ROLL_KEY, RollRecord
from cellvow.core.contracts.organisation import is_member, organisation_key
from cellvow.core.contracts.parameter import RULESET_KEY, RulesetRecord
from cellvow.core.ledger.genesis import Genesis, Organisation, encode_organisation
from cellvow.core.ledger.key import ROOT, ROOT_SCOPE, KeyRecord, encode_key_record, key_record_key
from cellvow.core.ledger.statement import is_hex
from cellvow.core.ledger.validator import VALIDATORS_KEY, encode_validators
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.signature import PUBLIC_KEY_LENGTH, derive_key_id, is_valid_public_key

Records = Mapping[str, bytes]


def genesis_records(genesis: Genesis, inherited: Records) -> dict[str, bytes]:
    """What genesis writes over the state it inherits, if any; raises `Malformed` where the two cannot go together."""
    records: dict[str, bytes] = {}
    for member in genesis.organisations:
        key = organisation_key(member.organisation)
        if key in inherited:
            _require_same(member, inherited)
        else:
            records[key] = encode_organisation(member)
            _add_root_keys(member, inherited, records)
    if genesis.validators:
        records[VALIDATORS_KEY] = encode_validators(genesis.validators)
    elif VALIDATORS_KEY in inherited:
        raise Malformed("the ledger this one goes on from has validators: genesis must name those that go on")
    _require_ruleset(genesis, inherited)
    added = sum(key.startswith("organisation/") for key in records)
    if ROLL_KEY in inherited and added:
        roll = decode_record(RollRecord, inherited[ROLL_KEY])
        records[ROLL_KEY] = encode_record(msgspec.structs.replace(roll, members=roll.members + added))
    return records


def _require_same(member: Organisation, inherited: Records) -> None:
    name = member.organisation
    if inherited[organisation_key(name)] != encode_organisation(member):
        raise Malformed(
            f"genesis describes {name} otherwise than the ledger it goes on from: take its record from there"
        )
    if not is_member(inherited.get, name):
        raise Malformed(f"genesis names {name}, which was removed from the ledger it goes on from")


def _require_ruleset(genesis: Genesis, inherited: Records) -> None:
    if RULESET_KEY in inherited:
        reached = decode_record(RulesetRecord, inherited[RULESET_KEY]).ruleset
        if genesis.ruleset < reached:
            raise Malformed(
                f"genesis begins with ruleset {genesis.ruleset}, and the ledger it goes on from has {reached}"
            )


def _add_root_keys(member: Organisation, inherited: Records, records: dict[str, bytes]) -> None:
    for public_key in member.root_keys:
        kid = _root_key_id(public_key)
        key = key_record_key(kid)
        if key in records or key in inherited:
            raise Malformed(f"genesis names the root key {public_key} twice, or it is registered already")
        root = KeyRecord(
            kid=kid.hex(),
            public_key=public_key,
            organisation=member.organisation,
            kind=ROOT,
            scope=ROOT_SCOPE,
            valid_from_ms=0,
            valid_until_ms=None,
            registered_height=0,
        )
        records[key] = encode_key_record(root)


def _root_key_id(public_key: str) -> bytes:
    if not is_hex(public_key, PUBLIC_KEY_LENGTH) or not is_valid_public_key(bytes.fromhex(public_key)):
        raise Malformed(f"the root key {public_key[:64]!r} is not a point of the prime-order group in hexadecimal")
    return derive_key_id(bytes.fromhex(public_key))
