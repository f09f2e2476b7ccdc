"""Verdicts of an organisation: its policies from files, the day, and the statement that records what was found."""

from datetime import UTC, datetime
from pathlib import Path

from cellvow.core.contracts.acceptance import RecordVerdict
from cellvow.core.contracts.attestation import Result
from cellvow.core.contracts.policy import Policy, decode_policy
from cellvow.core.contracts.policy.language import TEXT_CHARACTERS_MAX
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.passport.acceptance import (
    NAMES,
    Judgement,
    RecomputedVerdict,
    load_ready_policy,
    make_verdict_field,
    parse_acceptance_policy,
    reference_of,
    require_known_facts,
    verify_verdict,
)
from cellvow.verify import Verified
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import submit_message
from cellvow.workspace.workspace import Workspace

VERDICT_KIND = "verdict"
POLICY_FILE_BYTES_MAX = 4 * TEXT_CHARACTERS_MAX


def today() -> str:
    """The day of this machine's clock, UTC."""
    return datetime.fromtimestamp(now_ms() / 1000, UTC).date().isoformat()


def load_policy(named: str) -> Policy:
    """A ready policy by its name, or the policy of a file: text, or its canonical data (`.json`).

    Raises `PolicyError`, which points; `Malformed` where there is neither such a policy nor such a file.
    """
    if named in NAMES:
        return load_ready_policy(named).policy
    path = Path(named)
    if not path.is_file():
        raise Malformed(f"{named[:80]!r} is neither a file nor a ready policy: ready are {', '.join(NAMES)}")
    with path.open("rb") as file:
        data = file.read(POLICY_FILE_BYTES_MAX + 1)
    if len(data) > POLICY_FILE_BYTES_MAX:
        raise Malformed(f"{path} is larger than the {POLICY_FILE_BYTES_MAX} bytes allowed")
    return _read_policy(path, data)


def record_verdict(session: LedgerSession, workspace: Workspace, judgement: Judgement, reference: str) -> Receipted:
    """Sign and record a verdict under an own number; its reasons go into the vault first, their commitment on record.

    Raises `Malformed` where the reasons are too large to be shown later: nothing is signed then.
    """
    sealed = workspace.vault.commit_fields(VERDICT_KIND, [make_verdict_field(judgement)])
    message = RecordVerdict(
        battery=judgement.battery,
        reference=reference,
        policy=judgement.policy_digest,
        as_of=judgement.today,
        verdict=judgement.verdict,  # type: ignore[arg-type]  # judge() gives one of the contract's words
        attestation=reference_of(judgement.chosen),
        results=(Result(quantity="evaluation", commitment=sealed.commitments[0].hex()),),
    )
    return submit_message(session, workspace, message)


def verify_recorded_verdict(verified: Verified) -> RecomputedVerdict:
    """The verdict of a verified bundle, computed again from its disclosure; raises `VerificationError` on any lie."""
    if verified.ordered.get("type") != "RecordVerdict":
        raise VerificationError("the bundle is not that of a recorded verdict")
    if not verified.disclosures:
        raise VerificationError("the bundle does not show the reasons: ask its signer for them, to compute it again")
    return verify_verdict(verified.ordered, verified.disclosures[0])


def _read_policy(path: Path, data: bytes) -> Policy:
    if path.suffix == ".json":
        return require_known_facts(decode_policy(data.strip()))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"{path} is not text: byte {error.start} is not UTF-8") from error
    return parse_acceptance_policy(text)
