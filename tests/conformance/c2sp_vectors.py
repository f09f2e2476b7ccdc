"""Computes the checkpoint and witness vectors; `python -m tests.conformance.c2sp_vectors` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from cellvow.core.ledger.checkpoint import NoteSignature, encode_note, encode_vkey, sign_checkpoint
from cellvow.core.primitives.encoding import Json
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import SIZE, encode_request
from tests.simulation.witness_world import (
    LOG_SEED,
    NORTH,
    NORTH_SEED,
    NOW_S,
    SOUTH,
    SOUTH_SEED,
    Log,
    cosign,
    signer_of,
    witness_key,
)

FOLDER = Path(__file__).parent / "vectors"
CHECKPOINT_FILE = FOLDER / "c2sp_checkpoint.json"
WITNESS_FILE = FOLDER / "c2sp_witness.json"

Vector: TypeAlias = dict[str, Json]

LOG = Log.of_size(5)
CHECKPOINT = LOG.checkpoint(5)
LINES = [cosign(CHECKPOINT), cosign(CHECKPOINT, SOUTH, SOUTH_SEED)]
COSIGNED = LOG.note(5, LINES)
WITNESS_KEYS = [encode_vkey(witness_key()), encode_vkey(witness_key(SOUTH, SOUTH_SEED))]


def accepted(name: str, note: bytes, quorum: int, cosigned_by: list[str], size: int = 5) -> Vector:
    """A note that verifies, and what it says."""
    return {
        "name": name,
        "note": note.decode(),
        "quorum": quorum,
        "verdict": "accepted",
        "size": size,
        "root": LOG.checkpoint(size).root.hex(),
        "cosigned_by": [[witness, NOW_S] for witness in cosigned_by],
    }


def refused(name: str, note: bytes, quorum: int = 2) -> Vector:
    """A note that does not verify."""
    return {"name": name, "note": note.decode(), "quorum": quorum, "verdict": "refused"}


def edited(name: str, old: str, new: str) -> Vector:
    """The good note with one change, refused."""
    assert COSIGNED.decode().count(old) >= 1, name
    return refused(name, COSIGNED.decode().replace(old, new, 1).encode())


def spellings() -> list[Vector]:
    """Changes of spelling that a forgiving reader would not mind."""
    root = COSIGNED.decode().split("\n")[2]
    return [
        edited("the size has a leading zero", "\n5\n", "\n05\n"),
        edited("the size has a sign", "\n5\n", "\n+5\n"),
        edited("the size is 2^53", "\n5\n", f"\n{2**53}\n"),
        edited("the root is not padded", root, root.rstrip("=")),
        edited("unused bits of the root are set", root, root[:-2] + chr(ord(root[-2]) + 1) + "="),
        edited("there is an extension line", "\n\n", "\nextension\n\n"),
        edited("there are two blank lines", "\n\n", "\n\n\n"),
        edited("there is no blank line", "\n\n", "\n"),
        edited("lines end in carriage returns", "\n", "\r\n"),
        edited("a hyphen stands for the dash", "— ", "- "),
        refused("the last newline is missing", COSIGNED[:-1]),
        refused("a line follows", COSIGNED + b"\n"),
    ]


def signers() -> list[Vector]:
    """Well-spelled notes whose signatures do not add up."""
    stranger = cosign(CHECKPOINT, "witness.example/stranger", b"\x09" * 32)
    late = NoteSignature(NORTH, LINES[0].key_id, (NOW_S + 1).to_bytes(8, "big") + LINES[0].payload[8:])
    other_size = cosign(LOG.checkpoint(4), SOUTH, SOUTH_SEED)
    forged = sign_checkpoint(CHECKPOINT, LOG.key, signer_of(b"\x08" * 32))
    elsewhere = Log(LOG.leaves, origin="log.example/elsewhere").note(5)
    plain = sign_checkpoint(CHECKPOINT, LOG.key, signer_of(LOG_SEED))
    return [
        refused("the quorum is missed by one", LOG.note(5, LINES[:1])),
        refused("the log's signature is missing", encode_note(CHECKPOINT, LINES)),
        refused("the log's signature is forged", encode_note(CHECKPOINT, [forged, *LINES])),
        refused("a signature is unknown though the quorum is met", LOG.note(5, [*LINES, stranger])),
        refused("a cosignature fails though the quorum is met", LOG.note(5, [LINES[0], other_size]), 1),
        refused("a cosignature is dated one second later", LOG.note(5, [late, LINES[1]])),
        refused("a signature stands twice", COSIGNED + COSIGNED[COSIGNED.rindex("—".encode()) :]),
        refused("the log is another one", elsewhere, 0),
        refused("the root is another one", encode_note(Log.of_size(5, mark="x").checkpoint(5), [plain, *LINES])),
    ]


def build_checkpoints() -> Vector:
    """Notes to verify under one trust."""
    turned = encode_note(CHECKPOINT, [LINES[1], sign_checkpoint(CHECKPOINT, LOG.key, signer_of(LOG_SEED))])
    vectors: list[Json] = [
        accepted("two of two witnesses cosigned", COSIGNED, 2, [NORTH, SOUTH]),
        accepted("more cosigned than the quorum asks for", COSIGNED, 1, [NORTH, SOUTH]),
        accepted("no witness is asked for", LOG.note(5), 0, []),
        accepted("the log's line comes last", turned, 1, [SOUTH]),
        accepted("the log is empty", LOG.note(0), 0, [], 0),
        *spellings(),
        *signers(),
    ]
    keys: list[Json] = [*WITNESS_KEYS]
    return {"log_key": LOG.vkey, "witness_keys": keys, "vectors": vectors}


def requests() -> list[tuple[str, bytes]]:
    """One story of a witness, from the first checkpoint to a fork."""
    fork, stranger = LOG.branch(2), Log(LOG.leaves, origin="log.example/stranger")
    impostor = Log(LOG.leaves, seed=b"\x08" * 32)
    return [
        ("the log is unknown", stranger.request(0, 3)),
        ("the log's signature is another key's", impostor.request(0, 3)),
        ("the first checkpoint comes with a proof", encode_request(0, LOG.prove(2, 3), LOG.note(3))),
        ("the first checkpoint", LOG.request(0, 3)),
        ("the same checkpoint again", LOG.request(3, 3)),
        ("the old size is stale", LOG.request(0, 5)),
        ("the old size is ahead", LOG.request(4, 5)),
        ("the old size is above the checkpoint's", LOG.request(3, 2)),
        ("the proof is missing", encode_request(3, [], LOG.note(5))),
        ("the proof is of another history", fork.request(3, 5)),
        ("the root is another one", fork.request(3, 3)),
        ("a tree that extends the first", LOG.request(3, 5)),
        ("a smaller tree", LOG.request(0, 3)),
        ("the old size has a leading zero", LOG.request(5, 5).replace(b"old 5", b"old 05")),
        ("a proof line is short", encode_request(5, [bytes(31)], LOG.note(5))),
        ("no blank line", LOG.request(5, 5).replace(b"\n\n", b"\n")),
    ]


def build_witness() -> Vector:
    """Requests to one witness in order, each with its answer."""
    steps: list[Json] = []
    with TemporaryDirectory() as folder:
        witness = Witness.create(Path(folder), NORTH, NORTH_SEED)
        witness.add_log(LOG.origin, LOG.vkey)
        for name, request in requests():
            response = witness.add_checkpoint(request, NOW_S)
            step: Vector = {"name": name, "request": request.decode(), "status": response.status}
            if response.status == 200 or response.content_type == SIZE:
                step |= {"content_type": response.content_type, "body": response.body.decode()}
            steps.append(step)
        witness.close()
    return {"log_key": LOG.vkey, "witness_key": WITNESS_KEYS[0], "now_s": NOW_S, "steps": steps}


def encode_vectors(vectors: Vector) -> str:
    """The text of a vector file."""
    return json.dumps(vectors, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    CHECKPOINT_FILE.write_text(encode_vectors(build_checkpoints()), "utf-8")
    WITNESS_FILE.write_text(encode_vectors(build_witness()), "utf-8")
