"""A policy as canonical data, to be stored, signed and named by its digest."""

from typing import Any, Literal

import msgspec

from cellvow.core.contracts.contract import Schema
from cellvow.core.contracts.policy.language import (
    ARITHMETIC,
    COMPARISONS,
    CONNECTIVES,
    KINDS,
    MEMBERSHIPS,
    POLICY_BYTES_MAX,
    QUANTIFIERS,
    WORDS_MAX,
    Clause,
    Expression,
    FactType,
    Kind,
    Policy,
    compose,
)
from cellvow.core.contracts.policy.layout import render_policy
from cellvow.core.contracts.policy.parser import parse_policy
from cellvow.core.primitives.digest import Digest, domain_digest
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed

POLICY_VERSION = 1
"""The edition of the language; another one is another number, and old policies keep theirs."""
_DOMAIN = "cellvow/policy/v1"
_VALUED = (*KINDS, "fact", *QUANTIFIERS)
_ARITIES = (
    dict.fromkeys((*KINDS, "fact", "it", "sum", "min", "max"), (0, 0))
    | dict.fromkeys(("not", "all", "any"), (1, 1))
    | dict.fromkeys((*COMPARISONS, *ARITHMETIC), (2, 2))
    | dict.fromkeys(CONNECTIVES, (2, POLICY_BYTES_MAX))
    | dict.fromkeys(MEMBERSHIPS, (2, WORDS_MAX + 1))
    | {"count": (0, 1)}
)
"""Every operator, with the fewest and the most parts it takes."""


class _TypeDocument(Schema, frozen=True, kw_only=True):
    type: Kind
    words: tuple[str, ...] = ()
    list_max: int = 0


class _ClauseDocument(Schema, frozen=True, kw_only=True):
    name: str
    condition: list[Any]
    basis: str = ""
    citation: str = ""


class _PolicyDocument(Schema, frozen=True, kw_only=True):
    version: Literal[1]
    policy: str
    facts: dict[str, _TypeDocument]
    clauses: tuple[_ClauseDocument, ...]


def encode_policy(policy: Policy) -> bytes:
    """Canonical bytes of a policy; raises `Malformed` past `POLICY_BYTES_MAX`."""
    document: dict[str, Json] = {
        "clauses": [_write_clause(clause) for clause in policy.clauses],
        "facts": {name: _write_type(fact_type) for name, fact_type in policy.facts.items()},
        "policy": policy.name,
        "version": POLICY_VERSION,
    }
    encoded = encode_document(document)
    if len(encoded) > POLICY_BYTES_MAX:
        raise Malformed(f"policy of {len(encoded)} bytes as data: at most {POLICY_BYTES_MAX} are allowed")
    return encoded


def decode_policy(encoded: bytes) -> Policy:
    """The policy of canonical bytes.

    It is laid out as text and read again, so that data passes every check that text does: a `PolicyError` points
    into that layout. Raises `Malformed` for bytes that are no policy, or not its one encoding.
    """
    try:
        document = msgspec.convert(parse_object(encoded, bytes_max=POLICY_BYTES_MAX), _PolicyDocument)
    except msgspec.ValidationError as error:
        raise Malformed(f"not the data of a policy: {error}") from error
    policy = parse_policy(render_policy(_read_policy(document)))
    if encode_policy(policy) != encoded:
        raise Malformed("not the one encoding of this policy: encode it from its text")
    return policy


def policy_digest(policy: Policy) -> Digest:
    """What names a policy in a statement: the domain-separated digest of its canonical bytes."""
    return domain_digest(_DOMAIN, encode_policy(policy))


def _write_clause(clause: Clause) -> Json:
    document: dict[str, Json] = {"condition": _write(clause.condition), "name": clause.name}
    return document | {"basis": clause.basis, "citation": clause.citation} if clause.basis else document


def _write_type(fact_type: FactType) -> Json:
    document: dict[str, Json] = {"type": fact_type.kind}
    if fact_type.words:
        document["words"] = list(fact_type.words)
    if fact_type.list_max:
        document["list_max"] = fact_type.list_max
    return document


def _write(expression: Expression) -> Json:
    value: list[Json] = [expression.value] if expression.operator in _VALUED else []
    return [expression.operator, *value, *[_write(part) for part in expression.parts]]


def _read_policy(document: _PolicyDocument) -> Policy:
    facts = {name: FactType(fact.type, fact.words, fact.list_max) for name, fact in document.facts.items()}
    clauses = [Clause(read.name, _read(read.condition), read.basis, read.citation) for read in document.clauses]
    return Policy(document.policy, facts, tuple(clauses))


def _read(written: object) -> Expression:
    operator = written[0] if isinstance(written, list) and written else None
    if not isinstance(written, list) or not isinstance(operator, str) or operator not in _ARITIES:
        raise Malformed(f"not the data of a policy: {str(written)[:40]!r} is no expression")
    has_value = operator in _VALUED
    value = written[1] if has_value and len(written) > 1 else ""
    parts = [_read(part) for part in written[1 + has_value :]]
    fewest, most = _ARITIES[operator]
    if not isinstance(value, int | str) or not fewest <= len(parts) <= most:
        raise Malformed(f"not the data of a policy: {operator!r} has the wrong parts")
    return compose(operator, parts, value)
