"""The examination of an installation: what is well, what wants a look, what is broken, and what to type."""

import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import apsw

from cellvow.core.ledger.checkpoint import parse_note, parse_vkey, verify_checkpoint
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.primitives.edge_cases import EDGE_CASES
from cellvow.core.primitives.errors import CellvowError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.home import NodeHome, WitnessAddress
from cellvow.node.store import LOCK_FILE, LedgerStore
from cellvow.node.witness import Witness
from cellvow.workspace.clock import now_ms
from cellvow.workspace.doctor_member import examine_member
from cellvow.workspace.finding import BROKEN, LOOK, OK, Finding, describe_broken, run_check
from cellvow.workspace.workspace import Workspace

PYTHONS = ((3, 11), (3, 13))
"""Oldest and newest Python this is tested with."""
FREE_BYTES_LOOK, FREE_BYTES_BROKEN = 1_000_000_000, 100_000_000
CLOCK_TOLERANCE_MS = 60_000
REACH_TIMEOUT_S = 2.0
"""How long a witness's port may take to open."""


Check = Callable[[], Finding]


def examine_installation(workspace: Path | None, ledger: Path | None) -> list[Finding]:
    """Examine the machine, and the workspace and the ledger named; a workspace's own ledger is examined with it."""
    findings = [run_check(subject, check) for subject, check in _MACHINE]
    if workspace is not None:
        found, joined = examine_workspace(workspace)
        findings += found
        ledger = ledger or joined
    if ledger is not None:
        findings += examine_ledger(ledger)
    return findings


def examine_workspace(folder: Path) -> tuple[list[Finding], Path | None]:
    """Examine a workspace; with the folder of the ledger that it has joined."""
    findings = [run_check("disk of the workspace", lambda: examine_disk("disk of the workspace", folder))]
    try:
        workspace = Workspace(folder)
    except (CellvowError, OSError) as error:
        return [*findings, describe_broken("workspace", error)], None
    try:
        findings += [
            Finding("workspace", OK, f"{workspace.organisation}; settings, keys and vault open"),
            Finding("key files", OK, f"{len(workspace.keystore.names())} keys, readable by their owner alone"),
            run_check("unresolved statements", lambda: _examine_unresolved(workspace)),
            run_check("working key", lambda: _examine_working_keys(workspace)),
        ]
        return findings, workspace.settings.ledger
    finally:
        workspace.close()


def examine_ledger(folder: Path) -> list[Finding]:
    """Examine a node's folder."""
    findings = [run_check("disk of the ledger", lambda: examine_disk("disk of the ledger", folder))]
    try:
        home = NodeHome(folder)
        store = home.open_reader()
    except (CellvowError, OSError, apsw.Error) as error:
        return [*findings, describe_broken("ledger", error)]
    try:
        if home.is_member:
            return [
                *findings,
                run_check("ledger", lambda: _examine_head(store)),
                *examine_member(home, store, now_ms()),
            ]
        findings += [
            run_check("ledger", lambda: _examine_head(store)),
            run_check("writer", lambda: examine_lock(folder)),
            run_check("checkpoint", lambda: _examine_checkpoint(home, store)),
            run_check("clock", lambda: examine_clock(store.head().time_ms, now_ms())),
        ]
        return [*findings, *_examine_witnesses(home)]
    finally:
        store.close()


def examine_python(version: tuple[int, int]) -> Finding:
    """Whether this is a Python that Cellvow is tested with."""
    name = f"{version[0]}.{version[1]}"
    oldest, newest = PYTHONS
    if oldest <= version <= newest:
        return Finding("python", OK, f"{name} at {sys.executable}")
    return Finding("python", LOOK, f"{name} is not one Cellvow is tested with", "use Python 3.11, 3.12 or 3.13")


def examine_signatures(check: Callable[[bytes, bytes, bytes], bool] = is_valid) -> Finding:
    """Whether the installed libsodium decides every edge case of Ed25519 as the ledger's rule demands."""
    wrong = [case.name for case in EDGE_CASES if check(case.public_key, case.message, case.signature) != case.is_valid]
    if wrong:
        remedy = "install the locked version: pip install --require-hashes -r requirements/run.txt"
        return Finding("signatures", BROKEN, f"libsodium decides wrongly: {', '.join(wrong)}", remedy)
    return Finding("signatures", OK, f"libsodium decides all {len(EDGE_CASES)} edge cases as the rule demands")


def examine_disk(subject: str, folder: Path) -> Finding:
    """Whether there is room to write."""
    free = shutil.disk_usage(folder).free
    sentence = f"{free / 1e9:.1f} GB free at {folder}"
    if free < FREE_BYTES_BROKEN:
        return Finding(subject, BROKEN, sentence, "free some space: nothing can be committed on a full disk")
    if free < FREE_BYTES_LOOK:
        return Finding(subject, LOOK, sentence, "free some space soon")
    return Finding(subject, OK, sentence)


def examine_clock(block_ms: int, clock_ms: int) -> Finding:
    """Whether this machine's clock may be right: it cannot be behind the last block."""
    behind_s = (block_ms - clock_ms) / 1000
    if block_ms - clock_ms > CLOCK_TOLERANCE_MS:
        sentence = f"{behind_s:.0f} s behind the last block"
        return Finding("clock", BROKEN, sentence, "set this machine's clock: timedatectl set-ntp true")
    return Finding("clock", OK, "not behind the last block")


def examine_lock(folder: Path) -> Finding:
    """Who is writing the ledger now, if anybody."""
    path = folder / LOCK_FILE
    if not path.exists():
        return Finding("writer", OK, "nobody is writing")
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        return Finding("writer", LOOK, f"process {holder} is writing", "wait until it is done: one writer at a time")
    finally:
        os.close(descriptor)
    return Finding("writer", OK, "nobody is writing")


def _examine_storage() -> Finding:
    return Finding("storage", OK, f"SQLite {apsw.sqlite_lib_version()} by APSW {apsw.apsw_version()}")


def _examine_unresolved(workspace: Workspace) -> Finding:
    kids = [workspace.key(name).kid for name in workspace.keystore.names()]
    waiting = sum(len(workspace.sequences.unresolved(kid)) for kid in kids)
    if waiting:
        remedy = f"cellvow key resend --workspace {workspace.folder}"
        return Finding("unresolved statements", LOOK, f"{waiting} signed statements have no answer", remedy)
    return Finding("unresolved statements", OK, "none")


def _examine_working_keys(workspace: Workspace) -> Finding:
    """Whether a key of the workspace may sign the next block's messages."""
    if workspace.settings.ledger is None:
        remedy = f"cellvow init join {workspace.folder} --ledger DIR"
        return Finding("working key", LOOK, "no ledger was joined yet", remedy)
    store = workspace.home().open_reader()
    try:
        head = store.head()
        values = [store.get(key_record_key(workspace.key(name).kid)) for name in workspace.keystore.names()]
    finally:
        store.close()
    records = [parse_key_record(value) for value in values if value is not None]
    usable = [one for one in records if one.kind != "root" and one.is_in_force(head.height + 1, now_ms())]
    if not usable:
        remedy = f"cellvow init join {workspace.folder} --ledger {workspace.settings.ledger}"
        return Finding("working key", BROKEN, "no key of this workspace may sign on its ledger", remedy)
    return Finding("working key", OK, f"{len(usable)} in force on {head.chain_id}")


def _examine_head(store: LedgerStore) -> Finding:
    head = store.head()
    sentence = f"{head.chain_id}: block {head.height}, {head.log.size} leaves, {store.count_records()} records"
    return Finding("ledger", OK, sentence)


def _examine_checkpoint(home: NodeHome, store: LedgerStore) -> Finding:
    note, size = store.checkpoint(), store.head().log.size
    publish = f"cellvow publish --ledger {home.folder}"
    if note is None:
        return Finding("checkpoint", LOOK, "none was ever signed", publish)
    verified = verify_checkpoint(note, home.trust.log_key, home.trust.witnesses, 0, is_valid)
    covered = parse_note(note).checkpoint.size
    if covered < size:
        return Finding("checkpoint", LOOK, f"it covers {covered} of {size} leaves", publish)
    count, quorum = len(verified.cosigned_by), home.trust.quorum
    if count < quorum:
        return Finding("checkpoint", LOOK, f"cosigned by {count} of {quorum} witnesses needed", publish)
    sentence = f"covers all {size} leaves, cosigned by {count} ({quorum} needed)"
    return Finding("checkpoint", OK, sentence + _age(verified.cosigned_by))


def _age(cosigned_by: tuple[tuple[str, int], ...]) -> str:
    if not cosigned_by:
        return ""
    seconds = max(0, now_ms() // 1000 - max(time_s for _, time_s in cosigned_by))
    return f", {seconds // 3600} h {seconds % 3600 // 60} min ago"


def _examine_witnesses(home: NodeHome) -> Iterator[Finding]:
    addresses = home.witnesses()
    if not addresses:
        remedy = "cellvow init witness LEDGER --vkey V --place URL: witnesses run by others make forks visible"
        yield Finding("witnesses", LOOK, "none: this ledger is committed, never witnessed", remedy)
    for address in addresses:
        subject = f"witness {parse_vkey(address.vkey).name}"
        yield run_check(subject, partial(examine_witness, subject, address))


def examine_witness(subject: str, address: WitnessAddress) -> Finding:
    """Whether a witness can be reached at its address: its folder opens, or its port does."""
    if not address.place.startswith(("http://", "https://")):
        witness = Witness.open(Path(address.place), parse_vkey(address.vkey).name)
        forks = len(witness.forks())
        witness.close()
        if forks:
            remedy = f"cellvow witness show {address.place}, and ask this ledger's operator"
            return Finding(subject, BROKEN, f"it has caught {forks} forks", remedy)
        return Finding(subject, OK, f"its folder {address.place} opens")
    parts = urlsplit(address.place)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=REACH_TIMEOUT_S).close()
    except OSError as error:
        remedy = "start it (`cellvow witness run DIR`), or ask whoever runs it; then `cellvow publish`"
        return Finding(subject, LOOK, f"{address.place} cannot be reached: {error.strerror or error}", remedy)
    return Finding(subject, OK, f"{address.place} can be reached")


_MACHINE: tuple[tuple[str, Check], ...] = (
    ("python", lambda: examine_python(sys.version_info[:2])),
    ("storage", _examine_storage),
    ("signatures", examine_signatures),
)
