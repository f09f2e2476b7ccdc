"""A dishonest operator, three times, on copies of a demonstration - and who notices each.

He holds everything a node holds: the database and the log's key. He does not hold the members' keys.
"""

import json
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw

from cellvow.core.contracts.attestation import IssueAttestation, Method, Result, Standard
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.organisation import RegisterKey, possession_bytes
from cellvow.core.contracts.register import OWNERSHIP, register_key
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.commitment import commit
from cellvow.core.ledger.key import OPERATIONAL, ROOT, KeyRecord, encode_key_record, key_record_key
from cellvow.core.ledger.statement import SINGLE_CONTENT, encode_envelope, encode_payload, encode_protected
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import VerificationError, ensure
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, is_valid, sign
from cellvow.core.protocol.transition import apply_block, begin_chain
from cellvow.node.bundling import build_bundle
from cellvow.node.fsck import check_ledger
from cellvow.node.home import NodeHome
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.store import LEDGER_FILE, LedgerStore
from cellvow.verify import encode_bundle, verify_bundle
from cellvow.workspace.clock import now_ms
from cellvow.workspace.demo import BATTERY, CHAIN_ID, STANDARD

Report = Callable[[str], None]
_LABORATORY = "laboratory"


@dataclass(frozen=True, slots=True)
class Noticed:
    """An attack, and the words of each party that noticed it, by name."""

    attack: str
    by: dict[str, str]


def run_attacks(demo: Path, scratch: Path, report: Report) -> list[Noticed]:
    """Attack three copies of a demonstration, made in `scratch`; the demonstration itself is not touched."""
    noticed = []
    for number, (title, attack) in enumerate(_ATTACKS, start=1):
        copy = scratch / f"attack-{number}"
        copy_demo(demo, copy)
        report(f"{number}  The operator {title}")
        result = attack(copy, report)
        for party, words in sorted(result.by.items()):
            report(f"     noticed by {party}: {words}")
        if not result.by:
            report("     NOBODY NOTICED")
        noticed.append(result)
    return noticed


def copy_demo(demo: Path, copy: Path) -> None:
    """A copy of a demonstration's node and witnesses that is reached at its own place."""
    for part in ("ledger", "witnesses"):
        shutil.copytree(demo / part, copy / part)
    path = copy / "ledger" / "witnesses.json"
    addresses = json.loads(path.read_text(encoding="utf-8"))
    for address in addresses:
        address["place"] = str((copy / "witnesses" / Path(address["place"]).name).resolve())
    path.write_text(json.dumps(addresses), encoding="utf-8")


def edit_database(copy: Path, report: Report) -> Noticed:
    """Name another owner in the register, behind the node's back."""
    connection = apsw.Connection(str(copy / "ledger" / LEDGER_FILE))
    key = register_key(OWNERSHIP, BATTERY)
    (value,) = connection.execute("SELECT value FROM record WHERE key=?", (key,)).fetchone() or (b"",)
    document = parse_object(bytes(value))
    document["organisation"] = "authority"
    connection.execute("UPDATE record SET value=? WHERE key=?", (encode_document(document), key))
    connection.close()
    report("     The database now says that the authority owns the battery.")
    by = {}
    store = NodeHome(copy / "ledger").open_reader()
    try:
        check_ledger(store)
    except VerificationError as error:
        by["fsck"] = error.reason
    by |= _judge_state(copy, store, key)
    store.close()
    return Noticed("edits the database", by)


def _judge_state(copy: Path, store: LedgerStore, key: str) -> dict[str, str]:
    """What the offline verifier says of a bundle that shows the edited record."""
    home = NodeHome(copy / "ledger")
    digest = _newest_handover(store)
    bundle = build_bundle(store, digest, 0, state=StoredState(store), records=[key])
    try:
        verify_bundle(encode_bundle(bundle), home.trust, is_valid)
    except VerificationError as error:
        return {"offline verifier": error.reason}
    return {}


def _newest_handover(store: LedgerStore) -> bytes:
    value = store.get(register_key("custody", BATTERY))
    document = parse_object(value or b"{}")
    provenance = document["provenance"]
    ensure(isinstance(provenance, dict), "a register record names its provenance")
    return bytes.fromhex(str(provenance["statement"])) if isinstance(provenance, dict) else b""


def rewrite_history(copy: Path, report: Report) -> Noticed:
    """Leave out the first hand-over, keep the rest, sign the new history and offer it to the witnesses."""
    home = NodeHome(copy / "ledger")
    old = home.open_reader()
    folder = copy / "forged"
    height = _find_block(old, b'"type":"OfferHandover"')
    forged = _replay_without(old, folder, left_out=height)
    old.close()
    for name in ("log.key", "trust.json", "genesis.json", "witnesses.json"):
        shutil.copy2(copy / "ledger" / name, folder / name)
    digest = _first_statement(forged)
    forged.close()
    report(f"     The hand-over of block {height} never happened, and the log's own key has signed that history.")
    by = {}
    with NodeHome(folder).open_session(now_ms) as session:
        publication = session.publish()
        for answer in publication.answers:
            if answer.reason is not None:
                by[f"witness {answer.name}"] = answer.reason
        bundle = encode_bundle(build_bundle(session.store, digest))
    try:
        verify_bundle(bundle, home.trust, is_valid)
    except VerificationError as error:
        by["offline verifier"] = error.reason
    return Noticed("rewrites history", by)


def _find_block(store: LedgerStore, pattern: bytes) -> int:
    for block in store.blocks():
        for stored in store.statements(block.first_leaf, block.statements):
            if any(pattern in message for message in stored.statement.messages):
                return block.height
    return 0


def _replay_without(old: LedgerStore, folder: Path, left_out: int) -> LedgerStore:
    genesis, state = old.genesis(), MemoryState()
    applied = begin_chain(genesis, state)
    store = LedgerStore.create(folder, genesis, applied)
    head = applied.head
    for stored in old.blocks():
        if stored.height == left_out:
            continue
        statements = tuple(one.statement for one in old.statements(stored.first_leaf, stored.statements))
        block = Block(stored.height, stored.time_ms, statements, stored.evidence)
        applied = apply_block(head, state, block)
        store.commit(block, applied)
        head = applied.head
    return store


def _first_statement(store: LedgerStore) -> bytes:
    block = next(store.blocks())
    return store.statements(block.first_leaf, 1)[0].statement.envelope.digest


def invent_laboratory(copy: Path, report: Report) -> Noticed:
    """Plant keys of the laboratory's in the state, certify with them, and have the result witnessed."""
    home = NodeHome(copy / "ledger")
    root, working = secrets.token_bytes(32), secrets.token_bytes(32)
    _plant_key(copy, derive_public_key(root), ROOT)
    by = {}
    with home.open_session(now_ms) as session:
        session.submit(_sign(root, 1, _registration(working))).result(timeout=60)
        receipted = session.submit(_sign(working, 1, _certificate(session.engine.head.time_ms))).result(timeout=60)
        accepted = b'"result":"accepted"' in receipted.outcomes[0]
        ensure(accepted, "the forged certificate was meant to be accepted by the dishonest node")
        publication = session.publish()
        report(
            f"     The node accepted the invented certificate; {publication.cosignatures} of 3 witnesses cosigned it: "
            "they watch that history only grows, not who signs."
        )
        bundle = encode_bundle(build_bundle(session.store, receipted.digest, state=session.engine.state))
        try:
            check_ledger(session.store)
        except VerificationError as error:
            by["fsck"] = error.reason
    try:
        verify_bundle(bundle, home.trust, is_valid)
    except VerificationError as error:
        by["offline verifier"] = error.reason
    return Noticed("invents a laboratory", by)


def _plant_key(copy: Path, public_key: bytes, kind: str) -> None:
    kid = derive_key_id(public_key)
    record = KeyRecord(
        kid=kid.hex(),
        public_key=public_key.hex(),
        organisation=_LABORATORY,
        kind=kind,
        scope=("RegisterKey",) if kind == ROOT else ("IssueAttestation",),
        valid_from_ms=0,
        valid_until_ms=None,
        registered_height=0,
    )
    connection = apsw.Connection(str(copy / "ledger" / LEDGER_FILE))
    connection.execute("INSERT INTO record VALUES(?, ?)", (key_record_key(kid), encode_key_record(record)))
    connection.close()


def _registration(working: bytes) -> RegisterKey:
    public_key = derive_public_key(working).hex()
    possession = sign(working, possession_bytes(CHAIN_ID, _LABORATORY, public_key))
    return RegisterKey(
        organisation=_LABORATORY,
        public_key=public_key,
        kind=OPERATIONAL,  # type: ignore[arg-type]  # the constant is that literal
        scope=("IssueAttestation",),
        valid_from_ms=0,
        possession=possession.hex(),
    )


def _certificate(time_ms: int) -> IssueAttestation:
    field = encode_document({"quantity": "state_of_health", "unit": "permille", "value": 990})
    commitment = commit(secrets.token_bytes(32), field)
    return IssueAttestation(
        battery=BATTERY,
        reference="FORGED-1",
        evidence_class="estimated",
        is_certificate=False,
        standard=Standard(name=STANDARD.name, edition=STANDARD.edition),
        method=Method(name="invented", version="1"),
        tested_from_ms=time_ms,
        tested_until_ms=time_ms,
        results=(Result(quantity="state_of_health", commitment=commitment.hex()),),
    )


def _sign(seed: bytes, sequence: int, message: Message) -> bytes:
    kid = derive_key_id(derive_public_key(seed))
    protected = encode_protected(kid, _LABORATORY, message.subject, SINGLE_CONTENT)
    payload = encode_payload(CHAIN_ID, sequence, {"message": parse_object(encode_message(message))})
    return encode_envelope(protected, payload, sign(seed, encode_cbor(["Signature1", protected, b"", payload])))


_ATTACKS: tuple[tuple[str, Callable[[Path, Report], Noticed]], ...] = (
    ("edits the database behind the node's back.", edit_database),
    ("rewrites history and serves the new one.", rewrite_history),
    ("invents a laboratory's key, and has its certificate witnessed.", invent_laboratory),
)
