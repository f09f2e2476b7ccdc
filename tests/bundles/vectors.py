"""Bundles as vectors: sound ones of every shape, and for every check one that fails it."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, encode_trust
from tests.bundles.chain import Chain
from tests.bundles.consortium import Consortium
from tests.bundles.disclosing import PAPER, Disclosing, all_openings, opening
from tests.bundles.mutation import Case, mutate, sound_case
from tests.bundles.verdict import judge

if TYPE_CHECKING:
    from tests.bundles.chain import Sound

SEED = 11
_TRIES_MAX = 20_000
_CHECKS = range(14)
_SHAPES = ("key maker", "birth 1", "batch", "certificate 2", "correction", "verdict", "model")
_DESCRIPTION = (
    "Whole bundles (formats.md sections 10 to 12): 'bundle' in hexadecimal, 'trust' the text of a trust file or null, "
    "'verdict' what a verifier must say: ok with the proven facts, or the number of the check that fails, 0 where "
    "the trust file itself has not its form. What was kept is asked for: the verdict names the outcome. 'done' says "
    "what was done to a sound bundle."
)


def make_vectors() -> dict[str, object]:
    """The vectors, always the same."""
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder) / "ledger")
        chain.fill(6)
        chain.publish("ab")
        rng = random.Random(SEED)
        drawn = [chain.sound(rng, 6) for _ in range(240)]
        chain.close()
    cases = [sound_case(sound) for sound in _shapes(drawn)]
    cases += [Case(cases[1].bundle, None, "no trust file"), *_failures(rng, drawn), *_second_version()]
    return {"cases": [_document(case) for case in cases], "description": _DESCRIPTION}


def _second_version() -> list[Case]:
    """Bundles from a consortium: by validators or a log's key, with signers of genesis and of the state."""
    with tempfile.TemporaryDirectory() as folder:
        consortium = Consortium(Path(folder))
        consortium.fill()
        consortium.publish("ab")
        log, validators = encode_trust(consortium.trust()), encode_trust(consortium.consortium_trust())
        executed, not_executed = (encode_trust(consortium.trust(2, one)) for one in ("bc", "c"))
        made = [_second(consortium, name) for name in ("inherited 1", "registered", "rotated", "to maker root 3")]
        consortium.close()
    (by_log, inherited), (_, registered), (rotated, rotated_too), (root, _) = made
    return [
        Case(inherited, validators, "none, signer by the state, log by its validators"),
        Case(by_log, executed, "none, signer by the state that a witness executed, log by its key"),
        Case(by_log, None, "no trust file, signer by the state"),
        Case(by_log, log, "signer by a state that no witness is known to execute"),
        Case(by_log, not_executed, "signer by a state whose replaying witness did not cosign"),
        Case(rotated, log, "none, signer by rotations from genesis, log by its key"),
        Case(rotated_too, validators, "none, signer by rotations from genesis, log by its validators"),
        Case(root, log, "none, a root key to which a rotation leads signed, log by its key"),
        Case(registered, validators, "none, signer by genesis, log by its validators"),
        Case(registered, None, "no trust file for a consortium"),
        Case(inherited, log, "validators where a log's key is trusted"),
        Case(by_log, validators, "a log's key where validators are trusted"),
    ]


def make_disclosures() -> dict[str, object]:
    """Bundles that disclose a place, a text and documents, and of what the ledger kept without accepting it."""
    with tempfile.TemporaryDirectory() as folder:
        chain = Disclosing(Path(folder))
        chain.fill()
        chain.publish("ab")
        trust = encode_trust(chain.trust())
        text, paper = opening("position", "/text"), opening("position", "/evidence/0", PAPER)
        shown = {
            "none, a place": ("place", all_openings("place")),
            "none, a text and its documents, one of them shown": ("position", all_openings("position")),
            "none, one document alone": ("position", [paper]),
            "none, a contested claim": ("claim", []),
            "none, a message that waits for a second signature": ("held", []),
            "an opening moved to another field": ("position", [replace(text, at="/evidence/1")]),
            "an opening of another statement": ("place", [replace(text, at="/place")]),
            "a place that is not there": ("position", [replace(text, at="/texts")]),
            "another document": ("position", [replace(paper, document=PAPER[1:])]),
            "a document where none is committed to": ("position", [replace(text, document=PAPER)]),
        }
        cases = [Case(chain.proof(name, opened), trust, done) for done, (name, opened) in shown.items()]
        chain.close()
    return {"cases": [_document(case) for case in cases], "description": _DESCRIPTION}


def _second(consortium: Consortium, name: str) -> tuple[bytes, bytes]:
    """The bundle of a statement under the log's note, and under the validators' commit."""
    digest, state = consortium.receipts[name].digest, consortium.engine.state
    bundles = [build_bundle(consortium.store, digest, state=state, vouched_by=by) for by in (None, consortium.vouch())]
    return encode_bundle(bundles[0]), encode_bundle(bundles[1])


def _shapes(drawn: list[Sound]) -> list[Sound]:
    """One sound bundle of each shape."""
    return [next(sound for sound in drawn if sound.name == shape) for shape in _SHAPES]


def _failures(rng: random.Random, drawn: list[Sound]) -> list[Case]:
    """For each check, the first mutation found that fails it."""
    found: dict[int, Case] = {}
    for _ in range(_TRIES_MAX):
        case = mutate(rng, rng.choice(drawn), rng.choice(drawn))
        verdict = judge(case)
        if not verdict["ok"]:
            found.setdefault(int(str(verdict["check"])), case)
        if len(found) == len(_CHECKS):
            break
    return [found[number] for number in sorted(found)]


def _document(case: Case) -> dict[str, object]:
    trust = None if case.trust is None else case.trust.decode()
    return {"bundle": case.bundle.hex(), "done": case.mutation, "trust": trust, "verdict": judge(case)}
