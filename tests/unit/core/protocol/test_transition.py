"""What a block does: the log it leaves, recomputed here from the formats page, and what it must never do."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace

import pytest

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Organisation
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.encoding import encode_document
from cellvow.core.primitives.errors import InvalidBlock
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, BLOCK_STATEMENTS_MAX, INTEGER_MAX
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import (
    BLOCK_MS,
    BUYER,
    GENESIS_MS,
    LABORATORY,
    MAKER,
    World,
    make_genesis,
    require_invalid,
    without_sequences,
)


def sha(*parts: bytes) -> bytes:
    """SHA-256 of the parts, by the standard library alone."""
    return hashlib.sha256(b"".join(parts)).digest()


def root_over(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1 over leaf hashes."""
    if not hashes:
        return sha()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while 2 * split < len(hashes):
        split *= 2
    return sha(b"\x01", root_over(hashes[:split]), root_over(hashes[split:]))


def outcome_digest_of(statement: Statement, outcomes: tuple[bytes, ...]) -> bytes:
    """Section 4 of the formats page."""
    if statement.seed is None:
        return sha(b"cellvow/outcome/v1\0", outcomes[0])
    leaves = []
    for index, outcome in enumerate(outcomes):
        text = b"cellvow/batch-salt/v1\0" + index.to_bytes(4, "big")
        salt = hmac.digest(statement.seed, text, "sha256")
        leaves.append(sha(b"\x00", salt, outcome))
    return root_over(leaves)


def cose_of(statement: Statement) -> bytes:
    """The COSE_Sign1 bytes: the whole of a single statement, the first element of a batch."""
    if statement.seed is None:
        return statement.data
    return statement.data[1 : statement.data.index(b"\x58\x20" + statement.seed)]


def busy_world() -> World:
    """Four blocks: single and batch, accepted and rejected, with evidence, one of them empty."""
    world = World()
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    batch = maker.sign_batch([messages.battery(), messages.battery(), messages.anchor()], mode="each")
    block = world.next_block(maker.sign(messages.model()), batch, evidence=(b"double vote", b"amnesia"))
    world.apply(block)
    world.apply(world.next_block())
    world.include(laboratory.sign(messages.anchor()), world[BUYER].key.sign(messages.model()))
    return world


def test_the_log_is_what_the_formats_page_says() -> None:
    """Every leaf and the app hash, recomputed from the statements and outcomes without the software."""
    world = busy_world()
    genesis_root = World(with_keys=False).state.root
    leaves = [sha(b"\x00", b"\x00", world.genesis.digest, genesis_root)]
    for block, applied in zip(world.blocks, world.applied, strict=True):
        if not block.statements:
            continue
        first_leaf = len(leaves)
        for statement, outcomes in zip(block.statements, applied.outcomes, strict=True):
            pair = sha(sha(cose_of(statement)), outcome_digest_of(statement, outcomes))
            leaves.append(sha(b"\x00", b"\x01", pair))
        leaves += [sha(b"\x00", b"\x02", sha(evidence)) for evidence in block.evidence]
        document = {
            "evidence": len(block.evidence),
            "first_leaf": first_leaf,
            "height": block.height,
            "ruleset": 1,
            "state_root": json.loads(applied.block_leaf)["state_root"],
            "statements": len(block.statements),
            "time_ms": block.time_ms,
        }
        body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        leaves.append(sha(b"\x00", b"\x03", body))
        assert applied.block_leaf == body
        assert applied.head.app_hash == len(leaves).to_bytes(8, "big") + root_over(leaves)

    assert world.leaves == leaves
    assert json.loads(world.applied[-1].block_leaf)["state_root"] == world.state.root.hex()


def test_the_genesis_digest_is_what_the_formats_page_says() -> None:
    """Recomputed from the member documents without the software."""
    genesis = make_genesis()
    members = []
    for one in genesis.organisations:
        accreditations = [
            {
                "edition": a.edition,
                "quantities": list(a.quantities),
                "standard": a.standard,
                "valid_until_ms": a.valid_until_ms,
            }
            for a in one.accreditations
        ]
        document = {
            "accreditations": accreditations,
            "name": one.name,
            "organisation": one.organisation,
            "roles": list(one.roles),
            "root_keys": list(one.root_keys),
        }
        members.append(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())
    header = {
        "chain_id": genesis.chain_id,
        "organisations": len(members),
        "organisations_root": root_over([sha(b"\x00", member) for member in members]).hex(),
        "ruleset": 1,
        "time_ms": GENESIS_MS,
    }
    encoded = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()

    assert genesis.header == encoded
    assert genesis.digest == sha(b"cellvow/genesis/v1\0", encoded)


def test_an_empty_block_leaves_the_app_hash_unchanged() -> None:
    """Nothing in it, nothing about it: no leaf, no record, only the height moves on."""
    world = busy_world()
    before = world.snapshot()
    leaves = list(world.leaves)
    applied = world.apply(world.next_block())

    assert world.head.app_hash == before[1].app_hash
    assert (world.head.height, world.head.time_ms) == (before[1].height + 1, before[1].time_ms)
    assert (applied.outcomes, applied.writes, applied.leaves, applied.nodes) == ((), {}, (), ())
    assert (world.leaves, world.state.records) == (leaves, before[2])


def test_a_block_with_evidence_alone_is_not_empty() -> None:
    """Evidence against a validator is kept even when nobody stated anything."""
    world = World()
    before = world.head.log.size
    world.apply(world.next_block(evidence=(b"double vote",)))

    assert world.head.log.size == before + 2


def test_heights_may_have_gaps() -> None:
    """Empty blocks may be left out of the record: the next one follows at any greater height."""
    world = World()
    skipped = replace(world.next_block(world[MAKER].key.sign(messages.model())), height=1_000)
    world.apply(skipped)

    assert world.head.height == 1_000


@pytest.mark.parametrize(
    ("height_after", "ms_after", "sentence"),
    [(0, 0, "cannot follow"), (-1, 0, "cannot follow"), (1, -1, "earlier than its predecessor")],
)
def test_a_block_that_does_not_follow_is_invalid(height_after: int, ms_after: int, sentence: str) -> None:
    """Height must grow and time must not run back; nothing changes."""
    world = World()
    statement = world[MAKER].key.sign(messages.model())
    head = world.head
    error = require_invalid(world, Block(head.height + height_after, head.time_ms + ms_after, (statement,)))

    assert sentence in str(error)


def test_a_block_at_the_time_of_its_predecessor_stands() -> None:
    """Two blocks of one millisecond are in order by height."""
    world = World()

    assert world.submit(world[MAKER].key.sign(messages.model()), time_ms=world.head.time_ms).is_accepted


def stuffed(world: World, count: int, length: int) -> Block:
    """A block of `count` copies of a statement that claims `length` bytes each."""
    statement = world[MAKER].key.sign(messages.model())
    return world.next_block(*(replace(statement, data=bytes(length)),) * count)


@pytest.mark.parametrize(
    ("count", "length", "sentence"),
    [
        (BLOCK_STATEMENTS_MAX + 1, 1, "more than 2000 statements"),
        (BLOCK_STATEMENTS_MAX, 1, "not includable"),
        (8, BLOCK_BYTES_MAX // 8 + 1, "larger than 4000000 bytes"),
        (8, BLOCK_BYTES_MAX // 8, "not includable"),
    ],
)
def test_an_oversized_block_is_invalid_before_it_is_read(count: int, length: int, sentence: str) -> None:
    """One past either bound is refused for its size; at the bound the copies themselves are refused."""
    world = World()

    assert sentence in str(require_invalid(world, stuffed(world, count, length)))


def test_a_block_time_beyond_exact_integers_is_invalid_and_changes_nothing() -> None:
    """A time that no document can hold must be refused before anything is written."""
    world = World()
    block = world.next_block(world[MAKER].key.sign(messages.model()), time_ms=INTEGER_MAX + 1)

    assert "below 2^53" in str(require_invalid(world, block))


def test_evidence_counts_against_the_size_of_a_block() -> None:
    """4,000,000 bytes are the most a block may have, whatever they are: evidence is content too."""
    world = World()

    assert "larger than 4000000 bytes" in str(
        require_invalid(world, world.next_block(evidence=(bytes(BLOCK_BYTES_MAX + 1),)))
    )
    world.apply(world.next_block(evidence=(bytes(BLOCK_BYTES_MAX),)))


def test_a_chain_under_an_unknown_ruleset_does_not_start() -> None:
    """Software that does not know the rules refuses to judge by others, and says to upgrade."""
    with pytest.raises(InvalidBlock, match=r"ruleset 4 is unknown .* upgrade"):
        World(replace(make_genesis(), ruleset=NEWEST + 1))


def test_what_the_signer_wanted_no_later_is_expired_one_millisecond_after() -> None:
    """`not_after_ms` is judged by the time of the block: at it yes, past it no."""
    world = World()
    wish = world.next_ms
    statements = [
        world[MAKER].key.sign(messages.model(gtin), not_after_ms=wish) for gtin in (messages.GTIN, messages.OTHER_GTIN)
    ]

    assert world.submit(statements[0], time_ms=wish).is_accepted
    assert world.submit(statements[1], time_ms=wish + 1).reason is Reason.EXPIRED


def test_an_atomic_batch_is_all_or_nothing() -> None:
    """One rejected message takes the others with it: each says so, and no record changes."""
    world = World()
    before = without_sequences(world.state.records)
    batch = world[MAKER].key.sign_batch(
        [messages.model(), messages.battery(), messages.battery(), messages.model(messages.OTHER_GTIN)]
    )
    (outcomes,) = world.include(batch)

    aborted = Reason.BATCH_ABORTED
    assert [one.reason for one in outcomes] == [aborted, aborted, Reason.BATTERY_EXISTS, aborted]
    assert without_sequences(world.state.records) == before


def test_a_batch_of_each_applies_what_holds() -> None:
    """Each message stands or falls by itself, and later ones see what earlier ones wrote."""
    world = World()
    batch = world[MAKER].key.sign_batch([messages.battery(), messages.model(), messages.battery()], mode="each")
    (outcomes,) = world.include(batch)

    assert [one.reason for one in outcomes] == [Reason.UNKNOWN_MODEL, None, None]


def test_a_rejected_message_of_a_batch_leaves_nothing_half_written() -> None:
    """A message that wrote a record before it broke a rule takes that record back."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    before = without_sequences(world.state.records)
    batch = world[BUYER].key.sign_batch([messages.model(messages.OTHER_GTIN), messages.battery()], mode="atomic")
    world.include(batch)

    assert without_sequences(world.state.records) == before


def test_a_batch_wholly_accepted_gives_every_message_its_place() -> None:
    """Records name the statement and the index of the message they come from, with its salt."""
    world = World()
    batch = world[MAKER].key.sign_batch([messages.model(), messages.battery()])
    world.accept(batch)
    record = json.loads(world.state.records[f"battery/{messages.BATTERY}"])
    salt = batch.salt(1)

    assert salt is not None
    assert record["provenance"] == {
        "index": 1,
        "salt": salt.hex(),
        "statement": batch.envelope.digest.hex(),
    }


def test_malformed_messages_inside_a_batch_are_outcomes_not_errors() -> None:
    """What a batch carries is only bytes to the envelope; the ruleset judges each, however hostile."""
    world = World()
    hostile = [
        b"",
        b"{}",
        b"[" * 60_000,
        b'{"type":"Anchor"' + b',"a":[' * 9_000,
        b'{"type":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"\xff",
        b'{"type":"\\ud800"}',
        b"null",
        b'{"kind":"document","root":"%s","rows":1.0,"type":"Anchor"}' % (b"0" * 64),
        b'{"kind":"document","root":"%s","rows":1,"rows":2,"type":"Anchor"}' % (b"0" * 64),
        b'{"kind":"document","root":"%s","rows":9007199254740992,"type":"Anchor"}' % (b"0" * 64),
        b'{"rows":1,"kind":"document","root":"%s","type":"Anchor"}' % (b"0" * 64),
        b' {"kind":"document","root":"%s","rows":1,"type":"Anchor"}' % (b"0" * 64),
        b'{"kind":"document","root":"%s\\n","rows":1,"type":"Anchor"}' % (b"0" * 64),
    ]
    sound = encode_document({"kind": "document", "root": "0" * 64, "rows": 1, "type": "Anchor"})
    (outcomes,) = world.include(world[MAKER].key.sign_batch([*hostile, sound], mode="each"))

    assert [one.reason for one in outcomes] == [Reason.MALFORMED_MESSAGE] * len(hostile) + [None]


def test_outcomes_are_kept_as_canonical_bytes() -> None:
    """Each kept outcome is the one spelling of what it says."""
    kept = [outcome for applied in busy_world().applied for one in applied.outcomes for outcome in one]

    assert [encode_document(json.loads(outcome)) for outcome in kept] == kept
    assert all(parse_outcome(outcome) for outcome in kept)


def test_organisations_in_another_order_are_another_ledger() -> None:
    """Control: the genesis digest moves with any change of its members."""
    genesis = make_genesis()
    first: Organisation = genesis.organisations[0]
    renamed = replace(genesis, organisations=(replace(first, name="Other"), *genesis.organisations[1:]))

    assert renamed.digest != genesis.digest
    assert World(renamed).head.app_hash != World(genesis).head.app_hash


def test_block_time_reaches_the_records() -> None:
    """The registers of a new battery start at the time of its block."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    register = json.loads(world.state.records[f"custody/{messages.BATTERY}"])

    assert register["since_ms"] == GENESIS_MS + 2 * BLOCK_MS
