"""Everybody who could notice an attack, each with what he has and no more - and what he says."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.archive import export_archive
from cellvow.node.fsck import check_ledger
from cellvow.verify import Trust, verify_bundle
from cellvow.workspace.attacks.attack import Look
from cellvow.workspace.attacks.member_ledger import follow_ledger
from cellvow.workspace.attacks.scene import Scene


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to look at: the scene after the attack, and the bundle that a purchaser was shown."""

    scene: Scene
    bundle: bytes


def watch(scene: Scene, bundle: bytes, parties: Sequence[str]) -> list[Look]:
    """Let each of these parties look, in the order of `WATCHERS`."""
    seen = Seen(scene, bundle)
    looks = []
    for party in [one for one in WATCHERS if one in parties]:
        begun = time.monotonic_ns()
        words = WATCHERS[party](seen)
        looks.append(Look(party, words, (time.monotonic_ns() - begun) // 1_000_000))
    return looks


def _ask_purchaser(seen: Seen) -> str | None:
    return _verify(seen.bundle, seen.scene.trust)


def _ask_trusting_purchaser(seen: Seen) -> str | None:
    trust = seen.scene.trust
    return _verify(seen.bundle, replace(trust, quorum=0))


def _verify(bundle: bytes, trust: Trust) -> str | None:
    try:
        verified = verify_bundle(bundle, trust, is_valid)
    except VerificationError as error:
        return error.reason
    return verified.standing if verified.suspect else None


def _ask_witnesses(seen: Seen) -> str | None:
    answers = seen.scene.publish().answers
    refusals = [one.reason for one in answers if one.reason is not None]
    return f"{len(refusals)} of {len(answers)}: {refusals[0]}" if refusals else None


def _ask_replaying_witness(seen: Seen) -> str | None:
    return seen.scene.ask_replaying_witness().reason


def _ask_member(seen: Seen) -> str | None:
    with closing(seen.scene.home().open_reader()) as served:
        try:
            follow_ledger(seen.scene.member_ledger, served)
        except VerificationError as error:
            return error.reason
    return None


def _ask_archive(seen: Seen) -> str | None:
    with closing(seen.scene.home().open_reader()) as served:
        try:
            export_archive(served, seen.scene.archive)
        except VerificationError as error:
            return error.reason.replace(str(seen.scene.archive), "here")
    return None


def _check_ledger(seen: Seen) -> str | None:
    with closing(seen.scene.home().open_reader()) as served:
        try:
            check_ledger(served)
        except VerificationError as error:
            return error.reason
    return None


WATCHERS: dict[str, Callable[[Seen], str | None]] = {
    "purchaser": _ask_purchaser,
    "purchaser without witnesses": _ask_trusting_purchaser,
    "consistency witness": _ask_witnesses,
    "replaying witness": _ask_replaying_witness,
    "another member": _ask_member,
    "archive": _ask_archive,
    "fsck": _check_ledger,
}
"""Party -> its look. A purchaser verifies a bundle offline, with the trust file or with the log's key alone; a member
executes the blocks as an engine does; an archive is a copy that is brought up to date; fsck replays the database."""
OUTSIDE = tuple(WATCHERS)
"""All who look from outside the node that was attacked."""
