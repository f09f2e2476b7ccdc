"""Phones that sign for an organisation with keys of their own: admitted by the root key, which never sees theirs.

A phone shows `cellvow-phone-1:LEDGER:ORGANISATION:PUBLIC_KEY:POSSESSION` and the fingerprint of its key.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.contracts.organisation import RegisterKey, possession_bytes
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.signature import derive_key_id, is_valid
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.workspace.commands import submit_message
from cellvow.workspace.scopes import WORK
from cellvow.workspace.workspace import Workspace

PHONE_ROLE = "technician"
FINGERPRINT_LENGTH = 20
"""Hexadecimal digits that people compare: nobody finds a second key of their own with the same 80 bits."""
_CODE = re.compile(r"cellvow-phone-1:([a-z0-9.-]{3,48}):([a-z0-9-]{2,32}):([0-9a-f]{64}):([0-9a-f]{128})\Z")


@dataclass(frozen=True, slots=True)
class PhoneCode:
    """What a phone asks to be admitted with: nothing in it is secret."""

    chain_id: str
    organisation: str
    public_key: str
    possession: str

    @property
    def kid(self) -> str:
        """The identifier of its key."""
        return derive_key_id(bytes.fromhex(self.public_key)).hex()

    @property
    def fingerprint(self) -> str:
        """What the phone shows: five groups of four."""
        text = self.kid[:FINGERPRINT_LENGTH].upper()
        return "-".join(text[start : start + 4] for start in range(0, FINGERPRINT_LENGTH, 4))


def parse_phone_code(text: str) -> PhoneCode:
    """The line of a phone whose key has signed for it; raises `Malformed`."""
    found = _CODE.match("".join(text.split()))
    if found is None:
        raise Malformed(
            "this is not the line of a phone: copy it whole from the page /field, it starts cellvow-phone-1"
        )
    code = PhoneCode(*found.groups())
    signed = possession_bytes(code.chain_id, code.organisation, code.public_key)
    if not is_valid(bytes.fromhex(code.public_key), signed, bytes.fromhex(code.possession)):
        raise Malformed("the line was changed on its way, or the phone does not hold this key: nothing was signed")
    return code


def require_phone(code: PhoneCode, workspace: Workspace, fingerprint: str) -> None:
    """Raise `Malformed` unless the line is for this organisation and ledger, and the phone shows this fingerprint."""
    if (code.organisation, code.chain_id) != (workspace.organisation, workspace.chain_id):
        raise Malformed(
            f"the phone asks {code.organisation} on {code.chain_id}, and this is {workspace.organisation} on "
            f"{workspace.chain_id}: nothing was signed. Open the page of the right organisation on the phone"
        )
    if re.sub("[ -]", "", fingerprint).lower() != code.kid[:FINGERPRINT_LENGTH]:
        raise Malformed(
            f"the line is of a phone that shows {code.fingerprint}: nothing was signed. Read the fingerprint from the "
            "phone itself; if it differs, the line came from another phone"
        )


def admit_phone(
    session: LedgerSession,
    workspace: Workspace,
    code: PhoneCode,
    scope: Sequence[str] = WORK[PHONE_ROLE],
    valid_until_ms: int | None = None,
) -> Receipted:
    """Register the phone's key for a kind of work, signed by the root key."""
    message = RegisterKey(
        organisation=workspace.organisation,
        public_key=code.public_key,
        kind="operational",  # what the ledger calls a device's key says what was measured, and nothing else
        scope=tuple(scope),
        valid_from_ms=0,
        valid_until_ms=valid_until_ms,
        possession=code.possession,
    )
    return submit_message(session, workspace, message, workspace.root_key)
