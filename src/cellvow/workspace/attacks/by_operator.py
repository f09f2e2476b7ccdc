"""Attacks by whoever operates the node: he has its database, its code and the log's key, and no member's keys."""

import secrets
import shutil
from contextlib import closing

import apsw

from cellvow.core.contracts.anchor import Anchor
from cellvow.core.contracts.organisation import RegisterKey, possession_bytes
from cellvow.core.contracts.register import OWNERSHIP, register_key
from cellvow.core.ledger.key import OPERATIONAL, ROOT, KeyRecord, encode_key_record, key_record_key
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign
from cellvow.node.bundling import build_bundle
from cellvow.node.home import NodeHome
from cellvow.node.records import StoredState
from cellvow.node.store import LEDGER_FILE, LedgerStore
from cellvow.verify import encode_bundle
from cellvow.workspace.attacks.attack import Deed, Report
from cellvow.workspace.attacks.dishonest_node import Bend, append_bent, rebuild_without
from cellvow.workspace.attacks.scene import Scene
from cellvow.workspace.attacks.signing import forged_certificate, sign_single
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import offer_handover
from cellvow.workspace.demo import BATTERY, CHAIN_ID, HANDED_OVER, IMPORTER

_LABORATORY = "laboratory"
_OWNER_KEY = register_key(OWNERSHIP, BATTERY)


def alter_record(scene: Scene, report: Report) -> Deed:
    """Name another owner in the register, behind the node's back."""
    with closing(apsw.Connection(str(scene.ledger / LEDGER_FILE))) as connection:
        with closing(scene.home().open_reader()) as store:
            record = _with_other_owner(store)
        connection.execute("UPDATE record SET value=? WHERE key=?", (record, _OWNER_KEY))
    report("     The database now says that the authority owns the battery.")
    return Deed(_owner_bundle(scene))


def forge_state(scene: Scene, report: Report) -> Deed:
    """Let a block that holds somebody's honest statement also move the battery, and compute its root over that."""
    with closing(scene.home().open_reader()) as store, scene.workspace("authority") as authority:
        planted = {_OWNER_KEY: _with_other_owner(store)}
        message = Anchor(root=secrets.token_hex(32), rows=1, kind="document")
        honest = authority.sign(CHAIN_ID, message, now_ms()).data
    append_bent(scene.ledger, [honest], Bend(planted=planted))
    cosignatures = scene.publish().cosignatures
    report(f"     Every root fits, and {cosignatures} of 3 witnesses cosigned: the state itself says the lie.")
    return Deed(_owner_bundle(scene))


def rewrite_history(scene: Scene, report: Report) -> Deed:
    """Leave out the first hand-over, keep the rest, sign the new history with the log's true key."""
    folder = scene.folder / "rewritten"
    with closing(scene.home().open_reader()) as old:
        height = _find_block(old, b'"type":"OfferHandover"')
        size = rebuild_without(old, folder, left_out=height)
    scene.serve(folder)
    scene.publish()
    report(f"     The hand-over of block {height} never happened; the log's own key signed the {size} leaves left.")
    with closing(scene.home().open_reader()) as store:
        first = next(store.blocks())
        digest = store.statements(first.first_leaf, 1)[0].statement.envelope.digest
        return Deed(encode_bundle(build_bundle(store, digest)))


def split_view(scene: Scene, report: Report) -> Deed:
    """Show the witnesses one hand-over and a purchaser another, under two checkpoints of one size."""
    other = scene.folder / "other"
    shutil.copytree(scene.ledger, other)
    with scene.workspace("buyer") as buyer:
        with scene.session() as session:
            offer_handover(session, buyer, BATTERY, IMPORTER, HANDED_OVER)
            session.publish()
        scene.keep_up()
        home = NodeHome(other)
        with home.open_session(now_ms) as session:
            offered = offer_handover(session, buyer, BATTERY, "authority", HANDED_OVER)
            log = session.engine.head.log
            session.store.put_checkpoint(log.size, home.sign_head(log.size, log.root()))
            bundle = encode_bundle(build_bundle(session.store, offered.digest, state=session.engine.state))
    scene.serve(other)
    report(
        f"     Two checkpoints of {log.size} leaves, both with his signature: witnesses hold one, a purchaser gets one."
    )
    return Deed(bundle)


def roll_back(scene: Scene, report: Report) -> Deed:
    """Acknowledge a statement, have it witnessed, and go on from yesterday's database as if it had never come."""
    yesterday = scene.folder / "yesterday"
    shutil.copytree(scene.ledger, yesterday)
    with scene.session() as session, scene.workspace("buyer") as buyer:
        acknowledged = offer_handover(session, buyer, BATTERY, IMPORTER, HANDED_OVER)
        session.publish()
    scene.keep_up()
    scene.serve(yesterday)
    bundle = _owner_bundle(scene)
    report(f"     Leaf {acknowledged.leaf} was acknowledged and witnessed, and is gone.")
    report("     A purchaser is shown yesterday's checkpoint: two witnesses did sign it, yesterday.")
    return Deed(bundle)


def invent_laboratory(scene: Scene, report: Report) -> Deed:
    """Plant keys of the laboratory's in the database, certify with them, and have the result witnessed."""
    root, working = secrets.token_bytes(32), secrets.token_bytes(32)
    _plant_key(scene, derive_public_key(root))
    with scene.session() as session:
        session.submit(sign_single(root, _LABORATORY, _registration(working))).result(timeout=60)
        certificate = forged_certificate(session.engine.head.time_ms)
        receipted = session.submit(sign_single(working, _LABORATORY, certificate)).result(timeout=60)
        accepted = b'"result":"accepted"' in receipted.outcomes[0]
        ensure(accepted, "the forged certificate was meant to be accepted by the dishonest node")
        cosignatures = session.publish().cosignatures
        report(f"     The node accepted the invented certificate; {cosignatures} of 3 witnesses cosigned it.")
        return Deed(encode_bundle(build_bundle(session.store, receipted.digest, state=session.engine.state)))


def _with_other_owner(store: LedgerStore) -> bytes:
    document = parse_object(store.get(_OWNER_KEY) or b"{}")
    document["organisation"] = "authority"
    return encode_document(document)


def _owner_bundle(scene: Scene) -> bytes:
    """What a purchaser is shown: the newest hand-over, and who owns the battery now."""
    with closing(scene.home().open_reader()) as store:
        document = parse_object(store.get(register_key("custody", BATTERY)) or b"{}")
        provenance = document["provenance"]
        digest = bytes.fromhex(str(provenance["statement"])) if isinstance(provenance, dict) else b""
        return encode_bundle(build_bundle(store, digest, 0, state=StoredState(store), records=[_OWNER_KEY]))


def _find_block(store: LedgerStore, pattern: bytes) -> int:
    for block in store.blocks():
        for stored in store.statements(block.first_leaf, block.statements):
            if any(pattern in message for message in stored.statement.messages):
                return block.height
    return 0


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


def _plant_key(scene: Scene, public_key: bytes) -> None:
    kid = derive_key_id(public_key)
    record = KeyRecord(
        kid=kid.hex(),
        public_key=public_key.hex(),
        organisation=_LABORATORY,
        kind=ROOT,
        scope=("RegisterKey",),
        valid_from_ms=0,
        valid_until_ms=None,
        registered_height=0,
    )
    with closing(apsw.Connection(str(scene.ledger / LEDGER_FILE))) as connection:
        connection.execute("INSERT INTO record VALUES(?, ?)", (key_record_key(kid), encode_key_record(record)))
