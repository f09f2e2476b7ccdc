"""What a statement is worth at the state shown: whether its key is suspect, and what became of an attestation."""

from cellvow.core.ledger.key import KeyRecord, is_suspect
from cellvow.core.primitives.encoding import Json
from cellvow.verify.result import Verified, describe_time, ordered_by


def derive_suspicion(key: KeyRecord, time_ms: int) -> str:
    """Why a statement of a block of this time is suspect; empty where its key does not count as compromised by then."""
    since = key.compromised_since_ms
    if since is None or not is_suspect(key, time_ms):
        return ""
    return f"suspect: the signer's key counts as compromised since {describe_time(since)}"


def derive_standing(result: Verified) -> str:
    """What an attestation was worth at the state shown (section 6): in force, or why not; empty where not shown."""
    message = attestation_in(result.message) or {}
    attested = result.records.get(f"attestation/{result.organisation}/{message.get('reference')}")
    battery = result.records.get(f"battery/{message.get('battery')}")
    if not isinstance(attested, dict) or not isinstance(battery, dict):
        return ""
    until, provenance = attested.get("valid_until_ms"), attested.get("provenance")
    if attested.get("state") != "issued":
        return str(attested.get("state"))
    stems = (provenance.get("statement"), provenance.get("index")) if isinstance(provenance, dict) else ()
    if stems != (result.statement_digest, result.index):
        return "corrected: a later statement replaced what this one says"
    if attested.get("epoch", 0) != battery.get("epoch", 0):
        return "invalidated by what happened to the battery since"
    if isinstance(until, int) and result.state_time_ms > until:
        return "expired"
    return "in force"


def attestation_in(message: dict[str, Json]) -> dict[str, Json] | None:
    """The attestation that a message issues, or puts in place of an earlier one; None for any other message."""
    message = ordered_by(message)
    if message.get("type") == "IssueAttestation":
        return message
    replacement = message.get("replacement") if message.get("type") == "CorrectStatement" else None
    is_attestation = isinstance(replacement, dict) and replacement.get("type") == "IssueAttestation"
    return replacement if is_attestation and isinstance(replacement, dict) else None
