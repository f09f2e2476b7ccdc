"""What the Python verifier says of a case, in the form that vectors and the second verifier are compared in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cellvow.core.primitives import signature
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.verify import parse_trust, verify_bundle

if TYPE_CHECKING:
    from cellvow.verify import Verified
    from tests.bundles.mutation import Case

FIELDS = (
    "admitted_by",
    "anchored",
    "chain_id",
    "cosigned_by",
    "disclosures",
    "documents",
    "height",
    "kid",
    "leaf",
    "message",
    "organisation",
    "origin",
    "outcome",
    "places",
    "records",
    "ruleset",
    "sequence",
    "signed_by",
    "signed_height",
    "signed_power",
    "size",
    "state_shown",
    "suspect",
    "time_ms",
    "total_power",
)


def judge(case: Case) -> dict[str, object]:
    """The Python verifier's verdict in the form of the other's."""
    try:
        trust = None if case.trust is None else parse_trust(case.trust)
        verified: Verified = verify_bundle(case.bundle, trust, signature.is_valid, kept=True)
    except VerificationError as error:
        return {"ok": False, "check": error.check}
    except Malformed:
        return {"ok": False, "check": 0}
    found: dict[str, object] = json.loads(json.dumps({name: getattr(verified, name) for name in FIELDS}))
    return {"ok": True, **found}
