"""Addresses that hold a secret, and what of a request's address an answer may say again.

Whoever follows a wrong or outdated link has told its secret to us, not to whoever reads his program's log.
"""

import re

from cellvow.workspace.granting import LINK_PATH
from cellvow.workspace.inviting import INVITATION_PATH

ENTER_PATH = "/enter/"
"""Followed by the owner's key."""
SECRET_PATHS = (ENTER_PATH, LINK_PATH, INVITATION_PATH)
"""What follows is never repeated, right or wrong."""
INSTANCE_LENGTH_MAX = 200
_NAMED_LENGTH_MAX = 20
"""As long as a serial number may be, which an address names; keys and tokens have 43 characters."""
_DIGEST = re.compile(r"[0-9a-f]{64}(?:\.[a-z]{1,5})?\Z")


def derive_instance(path: str) -> str:
    """The address of a request as a problem repeats it: without what is, or could be, a secret mistyped elsewhere."""
    for secret in SECRET_PATHS:
        if path.startswith(secret):
            return secret
    return "/".join("-" if _may_be_secret(one) else one for one in path.split("/"))[:INSTANCE_LENGTH_MAX]


def _may_be_secret(segment: str) -> bool:
    return len(segment) > _NAMED_LENGTH_MAX and _DIGEST.match(segment) is None
