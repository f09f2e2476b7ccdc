"""Hostile bytes at the door: each is refused as malformed, with a sentence that says what is wrong."""

from __future__ import annotations

import re

import pytest

from cellvow.core.ledger.rejection import RULES, Reason
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    BATCH_SUBJECT,
    SINGLE_CONTENT,
    encode_batch,
    encode_envelope,
    encode_payload,
    encode_protected,
)
from cellvow.core.primitives.cbor import Cbor, Tagged, encode_cbor
from cellvow.core.primitives.limits import DEPTH_MAX, INTEGER_MAX
from cellvow.core.primitives.signature import sign
from tests import messages
from tests.world import CHAIN_ID, MAKER, Signer, World, make_signer

SIGNER = make_signer(MAKER, "operational")
FRAME = (b'{"chain_id":"test.cellvow.example","message":', b',"sequence":1}')


def sealed(message: bytes) -> bytes:
    """A statement around a payload with these bytes as its message, signed by a key in force."""
    return SIGNER.seal(message.join(FRAME), subject="nothing")


def with_payload(payload: bytes, content: str = SINGLE_CONTENT) -> bytes:
    """A signed statement with any payload."""
    return SIGNER.seal(payload, subject="nothing", content=content)


def with_header(header: Cbor) -> bytes:
    """A signed statement with any protected header."""
    protected = encode_cbor(header)
    payload = b"{}".join(FRAME)
    signed = encode_cbor(["Signature1", protected, b"", payload])
    return encode_envelope(protected, payload, sign(SIGNER.seed, signed))


def header(**changed: Cbor) -> dict[int | str, Cbor]:
    """The protected header with some labels changed: `alg`, `content`, `kid`, `claims`."""
    labels = {"alg": 1, "content": 3, "kid": 4, "claims": 15}
    sound: dict[int | str, Cbor] = {1: -8, 3: SINGLE_CONTENT, 4: SIGNER.kid, 15: {1: MAKER, 2: "nothing"}}
    return sound | {labels[name]: value for name, value in changed.items()}


def nested(levels: int) -> bytes:
    """An object in objects, `levels` deep."""
    return b'{"a":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


def require_malformed(data: bytes, sentence: str) -> None:
    """Refused with code 101, its rule and this sentence; nothing has changed, no sequence was used."""
    world = World()
    before = world.snapshot()
    refusal = world.refusal(data)

    assert refusal is not None
    assert (int(refusal.reason), refusal.rule) == (101, RULES[Reason.MALFORMED])
    assert sentence in str(refusal)
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        pytest.param(b'{"a":1,"a":1}', "a key occurs twice", id="duplicate keys"),
        pytest.param(b'{"a":{"b":1,"b":2}}', "a key occurs twice", id="duplicate keys inside"),
        pytest.param(b'{"a":1,"\\u0061":2}', "a key occurs twice", id="duplicate keys by escape"),
        pytest.param(b'{"a":NaN}', "is not an integer", id="NaN"),
        pytest.param(b'{"a":Infinity}', "is not an integer", id="infinity"),
        pytest.param(b'{"a":-Infinity}', "is not an integer", id="minus infinity"),
        pytest.param(b'{"a":1.5}', "scale the value", id="float"),
        pytest.param(b'{"a":1.0}', "is not an integer", id="float that is whole"),
        pytest.param(b'{"a":1e3}', "is not an integer", id="exponent"),
        pytest.param(b'{"a":1E400}', "is not an integer", id="float beyond range"),
        pytest.param(b'{"a":-0}', "canonical form", id="minus zero"),
        pytest.param(b'{"a":01}', "not JSON", id="leading zero"),
        pytest.param(b'{"a":%d}' % (INTEGER_MAX + 1), "out of range", id="one past the largest integer"),
        pytest.param(b'{"a":-%d}' % (INTEGER_MAX + 1), "out of range", id="one past the smallest integer"),
        pytest.param(b'{"a":' + b"9" * 60_000 + b"}", "of 60000 characters", id="integer of 60,000 digits"),
        pytest.param(nested(DEPTH_MAX), "nesting deeper than 16", id="one level too deep"),
        pytest.param(b"[" * 60_000, "not JSON", id="60,000 levels deep"),
        pytest.param(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "n", id="10,000 levels deep, closed"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8", id="invalid UTF-8"),
        pytest.param(b'{"a":"\xc0\x80"}', "not UTF-8", id="overlong UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', "not UTF-8", id="surrogate in UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', "surrogate", id="half a surrogate pair"),
        pytest.param(b'{"\xc3\xa4":1}', "not ASCII", id="key beyond ASCII"),
        pytest.param(b'{"a": 1}', "canonical form", id="white space"),
        pytest.param(b'{"b":1,"a":1}', "canonical form", id="unsorted keys"),
        pytest.param(b'{"a":"\\u0041"}', "canonical form", id="needless escape"),
        pytest.param(b'{"a":"\\u000A"}', "canonical form", id="control character by code"),
        pytest.param(b'{"a":"\\/"}', "canonical form", id="escaped slash"),
        pytest.param(b"{'a':1}", "not JSON", id="single quotes"),
        pytest.param(b'{"a":1,}', "not JSON", id="trailing comma"),
        pytest.param(b'{"a":1}/**/', "not JSON", id="comment"),
        pytest.param(b"[]", "message is an object", id="list for a message"),
        pytest.param(b"null", "message is an object", id="null for a message"),
        pytest.param(b'"Anchor"', "message is an object", id="text for a message"),
    ],
)
def test_a_hostile_message_is_refused_before_anything_is_checked(message: bytes, sentence: str) -> None:
    """Signed or not, a payload in another spelling than the one allowed has no meaning."""
    require_malformed(sealed(message), sentence)


def test_the_deepest_message_and_the_largest_integer_pass() -> None:
    """At the bound of depth and size of integers nothing is malformed (the schema judges later)."""
    world = World()
    deepest = nested(DEPTH_MAX - 1)
    largest = b'{"a":[%d,-%d]}' % (INTEGER_MAX, INTEGER_MAX)
    refusals = [world.refusal(sealed(message)) for message in (deepest, largest)]

    assert refusals == [None, None]


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        pytest.param(b"\xef\xbb\xbf" + b"{}".join(FRAME), "not JSON", id="byte-order mark"),
        pytest.param("{}".join(part.decode() for part in FRAME).encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b"[]", "not an object", id="not an object"),
        pytest.param(b"{}", "missing or not text", id="no member"),
        pytest.param(b"{}".join(FRAME) + b"\n", "canonical form", id="line end"),
        pytest.param(b"{}".join(FRAME).replace(b":1}", b":0}"), "starts at 1", id="sequence 0"),
        pytest.param(b"{}".join(FRAME).replace(b":1}", b":-1}"), "negative", id="negative sequence"),
        pytest.param(b"{}".join(FRAME).replace(b":1}", b":true}"), "not an integer", id="truth for a sequence"),
        pytest.param(b"{}".join(FRAME).replace(b":1}", b':"1"}'), "not an integer", id="text for a sequence"),
        pytest.param(b"{}".join(FRAME).replace(b":1}", b':1,"x":1}'), "has exactly", id="unknown member"),
        pytest.param(b'{"chain_id":"test.cellvow.example","sequence":1}', "has exactly", id="no message"),
        pytest.param(
            b"{}".join(FRAME).replace(b',"seq', b',"not_after_ms":null,"seq'), "not an integer", id="null time"
        ),
        pytest.param(b"{}".join(FRAME).replace(b',"seq', b',"not_after_ms":-1,"seq'), "negative", id="negative time"),
        pytest.param(b"{}".join(FRAME).replace(b"test", b"TEST"), "not a chain identifier", id="chain in capitals"),
        pytest.param(
            b"{}".join(FRAME).replace(b"example", b"example\\n"), "not a chain identifier", id="chain with line end"
        ),
        pytest.param(
            b"{}".join(FRAME).replace(b"test", "тest".encode()), "not a chain identifier", id="Cyrillic letter"
        ),
    ],
)
def test_a_hostile_payload_is_refused(payload: bytes, sentence: str) -> None:
    """The payload has exactly its members, each in its one form."""
    require_malformed(with_payload(payload), sentence)


LOOKALIKE_ORGANISATIONS = [
    pytest.param("nordрack", id="Cyrillic er"),
    pytest.param("nordpack\n", id="trailing line end"),
    pytest.param("nordpack ", id="trailing space"),
    pytest.param("Nordpack", id="capital"),
    pytest.param("nordpack\u200b", id="zero-width space"),
    pytest.param("ｎordpack", id="full-width letter"),
    pytest.param("n\u00f6rdpack", id="composed letter (NFC)"),
    pytest.param("no\u0308rdpack", id="decomposed letter (NFD)"),
    pytest.param("n0rdpack\u0660", id="Arabic digit"),
    pytest.param("", id="empty"),
    pytest.param("n" * 33, id="too long"),
]


@pytest.mark.parametrize("organisation", LOOKALIKE_ORGANISATIONS)
def test_a_lookalike_organisation_is_refused(organisation: str) -> None:
    """Two names that look alike are the same name or one of them is malformed."""
    require_malformed(with_header(header(claims={1: organisation, 2: "nothing"})), "is not an organisation")


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("01/\uff10\uff14012345123456/21/PACK-0001", id="full-width digits"),
        pytest.param("01/04012345123456/21/РACK-0001", id="Cyrillic letter"),
        pytest.param("01/04012345123456/21/PACK-0001\n", id="trailing line end"),
        pytest.param("caf\u00e9", id="composed letter (NFC)"),
        pytest.param("cafe\u0301", id="decomposed letter (NFD)"),
        pytest.param("01/04012345123456/21/PACK\u20110001", id="non-breaking hyphen"),
        pytest.param("", id="empty"),
        pytest.param("a" * 129, id="too long"),
    ],
)
def test_a_lookalike_subject_is_refused(subject: str) -> None:
    """A subject is ASCII: full-width digits and foreign letters name nothing."""
    require_malformed(with_header(header(claims={1: MAKER, 2: subject})), "is not a subject")


@pytest.mark.parametrize(
    ("protected", "sentence"),
    [
        pytest.param(header(alg=-7), "exactly labels", id="ES256 named in the message"),
        pytest.param(header(alg=0), "exactly labels", id="no algorithm"),
        pytest.param(header(content="application/json"), "is unknown", id="other content type"),
        pytest.param(header(content=50), "is unknown", id="content type by number"),
        pytest.param(header(kid=bytes(15)), "has 16 bytes", id="short key identifier"),
        pytest.param(header(kid="k" * 16), "has 16 bytes", id="key identifier as text"),
        pytest.param(header(claims={1: MAKER}), "exactly claims", id="no subject"),
        pytest.param(header(claims={1: MAKER, 2: "nothing", 6: 0}), "exactly claims", id="another claim"),
        pytest.param(header(claims={1: 7, 2: "nothing"}), "not text", id="organisation by number"),
        pytest.param({**header(), 2: [1]}, "exactly labels", id="critical label"),
        pytest.param({**header(), "alg": -8}, "exactly labels", id="label by name"),
        pytest.param({key: one for key, one in header().items() if key != 4}, "exactly labels", id="no key"),
        pytest.param([], "exactly labels", id="not a map"),
    ],
)
def test_a_hostile_header_is_refused(protected: Cbor, sentence: str) -> None:
    """The protected header has exactly its four labels: nothing can be negotiated in a message."""
    require_malformed(with_header(protected), sentence)


def envelope_parts() -> list[Cbor]:
    """Protected header, unprotected header, payload and signature of a sound statement."""
    payload = encode_payload(CHAIN_ID, 1, {"message": {}})
    protected = encode_protected(SIGNER.kid, MAKER, "nothing", SINGLE_CONTENT)
    signed = encode_cbor(["Signature1", protected, b"", payload])
    return [protected, {}, payload, sign(SIGNER.seed, signed)]


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        pytest.param(0, {}, "are byte strings", id="header not wrapped"),
        pytest.param(1, {4: b"kid"}, "unprotected header is empty", id="unprotected header in use"),
        pytest.param(1, [], "unprotected header is empty", id="unprotected header no map"),
        pytest.param(2, "{}", "are byte strings", id="payload as text"),
        pytest.param(3, bytes(63), "has 64 bytes", id="short signature"),
        pytest.param(3, bytes(65), "has 64 bytes", id="long signature"),
        pytest.param(3, [bytes(64)], "are byte strings", id="signature in a list"),
    ],
)
def test_a_hostile_envelope_is_refused(place: int, value: Cbor, sentence: str) -> None:
    """Each of the four parts has one type and size."""
    parts = envelope_parts()
    parts[place] = value

    require_malformed(encode_cbor(Tagged(parts)), sentence)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(b"", "CBOR ends", id="nothing"),
        pytest.param(encode_cbor(envelope_parts()), "tag 18", id="no tag"),
        pytest.param(encode_cbor(Tagged(Tagged(envelope_parts()))), "array of four", id="tag twice"),
        pytest.param(encode_cbor(Tagged(envelope_parts()[:3])), "array of four", id="three parts"),
        pytest.param(encode_cbor(Tagged([*envelope_parts(), {}])), "array of four", id="five parts"),
        pytest.param(encode_cbor(Tagged(envelope_parts())) + b"\x00", "after the end", id="byte after the end"),
        pytest.param(b"\xd8\x12" + encode_cbor(envelope_parts()), "not the shortest", id="tag spelled longer"),
        pytest.param(b"\xd2\x9f" + b"\xff", "not part of the subset", id="indefinite length"),
        pytest.param(b"\x81" * 100_000, "nesting deeper", id="100,000 levels of CBOR"),
        pytest.param(encode_cbor([Tagged(envelope_parts()), bytes(32)]), "tag 18", id="batch of two parts"),
        pytest.param(b'{"statement":1}', "CBOR ends at", id="JSON for CBOR"),
    ],
)
def test_bytes_that_are_no_statement_are_refused(data: bytes, sentence: str) -> None:
    """Whatever is not COSE_Sign1 in its one encoding, or a batch of it, is refused."""
    require_malformed(data, sentence)


def batch(carried: tuple[bytes, ...] = (b"{}", b"{}"), *, seed: bytes = bytes(32), **changed: object) -> bytes:
    """A signed batch whose payload says what `changed` says."""
    sound = Signer(SIGNER.seed, MAKER).sign_batch([b"{}", b"{}"], sequence=1)
    members = dict(sound.envelope.members) | changed
    sequence = members.pop("sequence")
    chain_id = members.pop("chain_id")
    payload = encode_payload(str(chain_id), int(str(sequence)), members)  # type: ignore[arg-type]  # hostile members
    cose = SIGNER.seal(payload, subject=BATCH_SUBJECT, content=BATCH_CONTENT)
    return encode_batch(cose, sound.seed if seed == bytes(32) and sound.seed else seed, carried)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(batch((b"{}",)), "carries 1 messages and says 2", id="message left out"),
        pytest.param(batch((b"{}",) * 3), "carries 3 messages and says 2", id="message added"),
        pytest.param(batch((b"{}", b"[]")), "not the root", id="message exchanged"),
        pytest.param(batch(count=True, carried=(b"{}",)), "not an integer", id="truth for a count"),
        pytest.param(batch(mode="any"), "'atomic' or 'each'", id="unknown mode"),
        pytest.param(batch(mode=None), "'atomic' or 'each'", id="null mode"),
        pytest.param(batch(mode=["each"]), "'atomic' or 'each'", id="list for a mode"),
        pytest.param(batch(root="00" * 32), "not the root", id="other root"),
        pytest.param(batch(root=None), "lower-case hexadecimal", id="null root"),
        pytest.param(batch(root="AA" * 32), "lower-case hexadecimal", id="root in capitals"),
        pytest.param(batch(count=501), "1 to 500 messages", id="count past the bound"),
        pytest.param(batch(seed=b"\x01" * 32), "not the root", id="other seed"),
        pytest.param(batch(seed=b"\x01" * 31), "seed of a batch has 32 bytes", id="short seed"),
        pytest.param(batch(extra=1), "has exactly", id="unknown member"),
        pytest.param(batch(()), "1 to 500 messages", id="no message"),
    ],
)
def test_a_hostile_batch_is_refused(data: bytes, sentence: str) -> None:
    """What a batch carries is what was signed: number, order, bytes, mode."""
    require_malformed(data, sentence)


def test_the_sound_batch_of_these_tests_passes() -> None:
    """Control: the batch that the hostile ones vary is taken."""
    assert World().refusal(batch()) is None


def test_messages_of_a_batch_are_byte_strings() -> None:
    """Text and lists in place of messages are refused."""
    sound = SIGNER.sign_batch([b"{}"], sequence=1)
    assert sound.seed is not None
    hostile: list[Cbor] = ["{}", [["{}"]], [{}], {}]
    for carried in hostile:
        data = b"\x83" + sound.envelope.cose + encode_cbor(sound.seed) + encode_cbor(carried)

        require_malformed(data, "message")


def test_a_payload_of_the_other_kind_is_refused() -> None:
    """A single statement under a batch's content type, and the reverse, mean nothing."""
    sound = SIGNER.sign_batch([b"{}"], sequence=1)
    assert sound.seed is not None
    as_single = SIGNER.seal(sound.envelope.payload, subject="nothing")
    message = SIGNER.seal(b"{}".join(FRAME), subject=BATCH_SUBJECT, content=BATCH_CONTENT)

    require_malformed(as_single, "has exactly")
    require_malformed(message, "alone is a single statement")
    require_malformed(encode_batch(as_single, sound.seed, sound.messages), "an array carries a batch")
    require_malformed(encode_batch(message, sound.seed, sound.messages), "has exactly")


def test_a_batch_under_a_subject_of_its_own_is_refused() -> None:
    """The subject of a batch is `batch`: it cannot be filed under one of its messages alone."""
    sound = SIGNER.sign_batch([messages.battery()], sequence=1)
    assert sound.seed is not None
    cose = SIGNER.seal(sound.envelope.payload, subject=messages.BATTERY, content=BATCH_CONTENT)

    require_malformed(encode_batch(cose, sound.seed, sound.messages), "subject of a batch")


def test_a_looser_pattern_would_accept_the_lookalike() -> None:
    """Control: `$` instead of `\\Z` in a pattern lets a trailing line end through."""
    assert re.match(r"^[a-z0-9][a-z0-9-]{1,31}$", "nordpack\n")
    require_malformed(with_header(header(claims={1: "nordpack\n", 2: "nothing"})), "is not an organisation")
