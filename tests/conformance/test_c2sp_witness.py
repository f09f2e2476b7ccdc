"""Witness vectors: one story of requests, answered by the witness and checked by the second reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cellvow.node.witness import Witness
from tests.conformance.c2sp_vectors import WITNESS_FILE, build_witness, encode_vectors
from tests.conformance.test_c2sp_checkpoint import read
from tests.simulation.witness_world import NORTH, NORTH_SEED

if TYPE_CHECKING:
    from pathlib import Path

FILE: dict[str, Any] = json.loads(WITNESS_FILE.read_text("utf-8"))
STEPS: list[dict[str, Any]] = FILE["steps"]


def test_the_witness_answers_as_the_vectors_say(tmp_path: Path) -> None:
    """Status, and where the document fixes it content type and body, step by step."""
    witness = Witness.create(tmp_path, NORTH, NORTH_SEED)
    witness.add_log(FILE["log_key"].split("+")[0], FILE["log_key"])
    answers = []
    for step in STEPS:
        response = witness.add_checkpoint(step["request"].encode(), FILE["now_s"])
        answer: dict[str, Any] = {"status": response.status}
        if "body" in step:
            answer |= {"content_type": response.content_type, "body": response.body.decode()}
        answers.append((step["name"], answer))
    witness.close()

    assert answers == [
        (step["name"], {key: value for key, value in step.items() if key not in ("name", "request")}) for step in STEPS
    ]


def test_every_cosignature_of_the_story_is_read_by_the_second_reader() -> None:
    """The line of each 200, put under the checkpoint it was asked for, verifies."""
    cosigned = [step for step in STEPS if step["status"] == 200]
    assert cosigned

    for step in cosigned:
        note = step["request"].split("\n\n", 1)[1] + step["body"]
        reading = read(note, FILE["log_key"], [FILE["witness_key"]], 1)
        assert reading.cosigned_by == [[NORTH, FILE["now_s"]]]


def test_every_status_of_the_document_occurs() -> None:
    """The story leaves out no answer that tlog-witness knows."""
    assert {step["status"] for step in STEPS} == {200, 400, 403, 404, 409, 422}


def test_the_file_is_what_our_code_computes() -> None:
    """The vectors are current; `python -m tests.conformance.c2sp_vectors` writes them anew."""
    assert WITNESS_FILE.read_text("utf-8") == encode_vectors(build_witness())
