"""Attacks by members, thieves and sellers; where a node must help them, its operator is in it too."""

import secrets
import time
from contextlib import closing
from dataclasses import replace

from cellvow.core.contracts.battery import RegisterBattery, RegisterModel
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.custody import OfferHandover
from cellvow.core.contracts.organisation import RegisterKey, RevokeKey
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.errors import VerificationError, ensure, fail
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import apply_block
from cellvow.node.bundling import build_bundle
from cellvow.node.home import LedgerSession
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore
from cellvow.verify import Bundle, encode_bundle, verify_bundle
from cellvow.workspace.attacks.attack import RULES, Deed, Look, Report
from cellvow.workspace.attacks.dishonest_node import Bend, append_bent
from cellvow.workspace.attacks.member_ledger import ask_member
from cellvow.workspace.attacks.scene import Scene
from cellvow.workspace.attacks.signing import (
    SIGNATURE_OF_ANYTHING,
    SMALL_ORDER_KEY,
    forged_certificate,
    with_broken_signature,
    with_unreduced_signature,
)
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import submit_batch, submit_message
from cellvow.workspace.demo import BATTERY, CHAIN_ID, GTIN
from cellvow.workspace.workspace import Workspace

REHEARSAL = "cellvow-demo-rehearsal"
"""The chain on which the buyer once tried what he does not mean."""
CONTESTED_GTIN = "09506000134352"
"""A model number that nobody has registered yet."""
DAY_MS = 86_400_000


def replay_statement(scene: Scene, report: Report) -> Deed:
    """Send a captured statement again, and one that was signed for another ledger; then force the second in."""
    with closing(scene.home().open_reader()) as store, scene.workspace("buyer") as buyer:
        rehearsed = buyer.sign(REHEARSAL, _offer(store, "authority"), now_ms()).data
        captured = store.statements(store.head().log.size - 2, 1)[0]
    with scene.session() as session:
        before = session.engine.head.log.size
        again = session.submit(captured.statement.data).result(timeout=60)
        is_unchanged = (again.leaf, session.engine.head.log.size) == (captured.leaf, before)
        ensure(is_unchanged, "a statement sent again was meant to get its first answer")
        refused = _refusal(session, rehearsed)
    report("     Sent again, it gets its first answer: nothing happens twice. The other one is refused,")
    report("     so the operator changes his node and lets it stand.")
    applied = append_bent(scene.ledger, [rehearsed], Bend(chain_id=REHEARSAL))
    return Deed(_newest_bundle(scene, applied.head.log.size), refused)


def steal_key(scene: Scene, report: Report) -> Deed:
    """Certify with a copy of the laboratory's key, before the laboratory notices the theft, and after."""
    stolen_ms = now_ms()
    with scene.workspace("laboratory") as laboratory, scene.session() as session:
        forged = submit_message(session, laboratory, forged_certificate(_time_of(session)))
        session.publish()
        early = build_bundle(session.store, forged.digest, state=session.engine.state)
        believed = not verify_bundle(encode_bundle(early), scene.trust, is_valid).suspect
        ensure(believed, "nobody was meant to know of the theft yet")
        report("     Until the laboratory finds out, its signature is as good as ever: every check holds.")
        revocation = RevokeKey(
            organisation=laboratory.organisation,
            kid=laboratory.key().kid.hex(),
            cause="compromised",
            compromised_since_ms=min(stolen_ms, forged.time_ms),
        )
        submit_message(session, laboratory, revocation, laboratory.root_key)
        late = laboratory.sign(CHAIN_ID, forged_certificate(_time_of(session), "FORGED-2"), now_ms()).data
        refused = _refusal(session, late)
        session.publish()
        report("     It revokes the key as compromised since the theft; the next certificate is refused.")
        return Deed(encode_bundle(build_bundle(session.store, forged.digest, state=session.engine.state)), refused)


def swap_message(scene: Scene, report: Report) -> Deed:
    """Put a younger battery into the bundle of a signed batch; then claim a fourth message by repeating the third."""
    batteries = [_battery(f"BATCH-{number}", "2013-05-17") for number in (1, 2, 3)]
    with scene.workspace("packmaker") as maker, scene.session() as session:
        receipted = submit_batch(session, maker, batteries)
        session.publish()
        state = session.engine.state
        first, last = (build_bundle(session.store, receipted.digest, index, state=state) for index in (0, 2))
    repeated = _with_place(last, index=3)
    try:
        verify_bundle(encode_bundle(repeated), scene.trust, is_valid)
        fail("a repeated last leaf was meant to be refused")
    except VerificationError as error:
        report(f"     The third message shown again as a fourth: {error.reason}.")
    message = first.statement.batch.message.replace(b"2013-05-17", b"2024-05-17") if first.statement.batch else b""
    report("     In the other bundle the battery is eleven years younger; signature, leaf and checkpoint are true.")
    return Deed(encode_bundle(_with_place(first, message=message)))


def weaken_signature(scene: Scene, report: Report) -> Deed:
    """Register a key under which one signature holds for everything; then give a true signature a second spelling."""
    with scene.workspace("carmaker") as carmaker, scene.session() as session:
        refused = _refused_registration(session, carmaker)
    with closing(scene.home().open_reader()) as store, scene.workspace("buyer") as buyer:
        signed = buyer.sign(CHAIN_ID, _offer(store, "authority"), now_ms()).data
    respelled = with_unreduced_signature(signed)
    with scene.session() as session:
        second = _refusal(session, respelled)
    words = f"the key: {refused.words}; the second spelling: {second.words}"
    report("     Both are refused, so the operator changes his node to be lenient, and records the second spelling:")
    report("     whoever asks for what the buyer signed is told that it never came.")
    applied = append_bent(scene.ledger, [respelled], Bend(check=lambda *_: True))
    return Deed(_newest_bundle(scene, applied.head.log.size), Look(RULES, words, refused.took_ms + second.took_ms))


def claim_serial(scene: Scene, report: Report) -> Deed:
    """Register the maker's new model and serial number in one's own name, in the very block in which he does."""
    with scene.workspace("buyer") as rival, scene.workspace("packmaker") as maker:
        makers, rivals = _claim(maker), _claim(rival)
    _decide(scene, [makers, rivals], is_kept=False)
    report("     The maker's claim first: the number is the maker's, and the rival's claim is refused.")
    digest, refused = _decide(scene, [rivals, makers], is_kept=True)
    report("     The rival's claim first: the number is the rival's, and the maker's claim is refused.")
    scene.publish()
    with closing(scene.home().open_reader()) as store:
        bundle = encode_bundle(build_bundle(store, digest, 1, state=StoredState(store)))
    return Deed(bundle, replace(refused, words=f"the first wins, the other stays beside it: {refused.words}"))


def _decide(scene: Scene, claims: list[bytes], *, is_kept: bool) -> tuple[bytes, Look]:
    """Put two claims into one block: the digest of the first, which wins, and the words that refuse the second."""
    begun = time.monotonic_ns()
    with closing(LedgerStore.open_writer(scene.ledger)) as store:
        head = store.head()
        statements = tuple(parse_statement(data) for data in claims)
        block = Block(head.height + 1, max(now_ms(), head.time_ms), statements)
        applied = apply_block(head, StoredState(store), block)
        won, lost = (parse_outcome(kept[0]) for kept in applied.outcomes)
        if not won.is_accepted or lost.reason is None:
            fail("the first of two claims was meant to win")
        if is_kept:
            store.commit(block, applied)
    words = str(Rejected(lost.reason, **dict(lost.facts)))
    return statements[0].envelope.digest, Look(RULES, words, _since_ms(begun))


def propose_bent_block(scene: Scene, report: Report) -> Deed:
    """Propose a forged statement, a repeated one and a block of yesterday; then have the last one decided."""
    with closing(scene.home().open_reader()) as store, scene.workspace("buyer") as buyer:
        signed = buyer.sign(CHAIN_ID, _offer(store, "authority"), now_ms()).data
        head = store.head()
        proposals = (
            ("a forged signature", [with_broken_signature(signed)], now_ms()),
            ("a statement twice", [signed, signed], now_ms()),
            ("a block of yesterday", [signed], head.time_ms - DAY_MS),
        )
    for what, proposed, time_ms in proposals:
        fault = ask_member(scene.member_ledger, proposed, head.height + 1, max(time_ms, head.time_ms - DAY_MS))
        ensure(fault is not None, f"an honest member was meant to vote against {what}")
        report(f"     {what}: another member votes against it: {fault}.")
    report("     With two thirds of the votes bought, the block of yesterday is decided all the same.")
    applied = append_bent(scene.ledger, [signed], Bend(time_ms=head.time_ms - DAY_MS))
    return Deed(_newest_bundle(scene, applied.head.log.size))


def _offer(store: LedgerStore, addressee: str) -> OfferHandover:
    values = [store.get(register_key(register, BATTERY)) for register in REGISTERS]
    versions = tuple(decode_record(RegisterRecord, value).version for value in values if value is not None)
    return OfferHandover(
        battery=BATTERY, addressee=addressee, registers=("custody", "ownership", "responsibility"), versions=versions
    )


def _refusal(session: LedgerSession, data: bytes) -> Look:
    """What an honest node says to a statement that it refuses."""
    begun = time.monotonic_ns()
    error = session.submit(data).exception(timeout=60)
    ensure(isinstance(error, NotIncludable), "an honest node was meant to refuse this statement")
    return Look(RULES, str(error), _since_ms(begun))


def _refused_registration(session: LedgerSession, workspace: Workspace) -> Look:
    message = RegisterKey(
        organisation=workspace.organisation,
        public_key=SMALL_ORDER_KEY.hex(),
        kind="operational",
        scope=("OfferHandover",),
        valid_from_ms=0,
        possession=SIGNATURE_OF_ANYTHING.hex(),
    )
    begun, words = time.monotonic_ns(), ""
    try:
        submit_message(session, workspace, message, workspace.root_key)
    except Rejected as rejected:
        words = str(rejected)
    ensure(bool(words), "an honest node was meant to refuse a key of small order")
    return Look(RULES, words, _since_ms(begun))


def _since_ms(begun_ns: int) -> int:
    return (time.monotonic_ns() - begun_ns) // 1_000_000


def _newest_bundle(scene: Scene, size: int) -> bytes:
    """What a purchaser is shown of the newest block's one statement, once it was offered to every witness."""
    scene.publish()
    with closing(scene.home().open_reader()) as store:
        digest = store.statements(size - 2, 1)[0].statement.envelope.digest
        return encode_bundle(build_bundle(store, digest, state=StoredState(store)))


def _time_of(session: LedgerSession) -> int:
    return session.engine.head.time_ms


def _battery(serial: str, manufactured_on: str, gtin: str = GTIN) -> RegisterBattery:
    return RegisterBattery(battery=f"01/{gtin}/21/{serial}", manufactured_on=manufactured_on, facility="Demo plant 1")


def _claim(workspace: Workspace) -> bytes:
    model = RegisterModel(
        gtin=CONTESTED_GTIN,
        category="ev",
        model="Contested cell",
        chemistry="LFP-graphite",
        rated_capacity_mah=50_000,
        nominal_voltage_mv=3_200,
        voltage_min_mv=2_500,
        voltage_max_mv=3_650,
        mass_g=1_000,
    )
    messages = [model, _battery("DEMO-0002", "2024-05-17", CONTESTED_GTIN)]
    return workspace.sign_batch(CHAIN_ID, messages, secrets.token_bytes(32), now_ms()).data


def _with_place(bundle: Bundle, *, index: int | None = None, message: bytes | None = None) -> Bundle:
    """The bundle with another index, or another message, in its batch."""
    place = bundle.statement.batch
    if place is None:
        return bundle
    changed = replace(
        place,
        index=place.index if index is None else index,
        message=place.message if message is None else message,
    )
    return replace(bundle, statement=replace(bundle.statement, batch=changed))
