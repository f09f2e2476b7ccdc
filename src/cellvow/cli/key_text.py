"""Keys explained to somebody who is no cryptographer, with how his organisation stands now."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.cli.wording import moment

if TYPE_CHECKING:
    from cellvow.core.ledger.key import KeyRecord
    from cellvow.workspace.recovering import KeyCare, RecoveryView

_DAY_MS = 86_400_000
_RECOVERING_RULESET = 2


def explain_keys(care: "KeyCare", wards: Sequence[str], workspace: Path, now_ms: int) -> list[str]:
    """The explanation, step by step; what is urgent stands first."""
    urgent = [] if care.recovery is None else _urgent(care.recovery, workspace, now_ms)
    return [
        *urgent,
        f"How the keys of {care.organisation} work",
        "",
        (
            "1  Your keys sign for you. Whoever holds one can speak for your organisation; nobody else can, not even "
            f"whoever runs the ledger. They are files in {workspace / 'keys'}. Nobody ever asks you for a word or a "
            "phrase: whoever does wants to steal them."
        ),
        "",
        (
            f"2  The root key only manages the others: it registers and ends them. {_have(care.root_keys, 'root key')} "
            "Keep a copy of its file offline, for instance on a stick in a safe."
        ),
        "",
        (
            f"3  The working key signs every day. {_have(care.working_keys, 'working key')} "
            f"{_have(care.device_keys, 'device key')} A device key can say what was measured and hand nothing over."
        ),
        "",
        (
            "4  A phone or computer with a working key is lost: end that key, and put another in its place. The "
            "command is signed by the root key, and all that was signed before stays valid."
        ),
        f"     cellvow key rotate --workspace {workspace}",
        "",
        (
            "5  A key may have been stolen: say since when. What it signed from then on stays, and is shown as suspect "
            "wherever it is shown."
        ),
        f"     cellvow key revoke NAME --compromised-since TIME --workspace {workspace}",
        "",
        *_lost(care, workspace),
        "",
        *_guarding(wards),
    ]


def _have(keys: "Sequence[KeyRecord]", what: str) -> str:
    if not keys:
        return f"You have no {what} in force."
    named = ", ".join(key.kid[:8] for key in keys[:5])
    return f"You have {len(keys)} {what}{'' if len(keys) == 1 else 's'} in force ({named})."


def _lost(care: "KeyCare", workspace: Path) -> list[str]:
    """What happens when the root key is gone too."""
    if care.ruleset < _RECOVERING_RULESET:
        return [
            (
                f"6  The root key is lost too: this ledger's rules (ruleset {care.ruleset}) know no recovery yet. "
                "Members can decide to add it:"
            ),
            "     cellvow vote propose ruleset 2",
        ]
    if care.appointment is None:
        return [
            (
                "6  The root key is lost too: you have named no guardians, so nobody could bring your keys back. Name "
                "some now, members who know you in person:"
            ),
            f"     cellvow key guardians ORG ORG ORG --of 2 --delay 7d --workspace {workspace}",
        ]
    appointment, days = care.appointment, care.appointment.delay_ms // _DAY_MS
    lines = [
        (
            f"6  The root key is lost too: make a new workspace, and ask your guardians. {appointment.threshold} of "
            f"{', '.join(appointment.guardians)} must agree. None of them ever holds a key of yours."
        ),
        f"     cellvow key recover request --chain {care.chain_id} -o request.json --workspace NEW",
        "",
        (
            f"7  Then a lock of {days} day{'' if days == 1 else 's'} runs that nobody can shorten. It stands on the "
            "network's page for everybody. If your keys were not lost, end it with any of them:"
        ),
        f"     cellvow key recover veto {care.organisation} --workspace {workspace}",
        (
            "   After the lock a guardian completes it: your old keys end, the new one begins, and what you said "
            "before stays yours."
        ),
    ]
    if care.following is not None:
        guardians = ", ".join(care.following.guardians)
        lines.append(
            f"   From {moment(care.following.from_ms)} on others hold: {care.following.threshold} of {guardians}. "
            "If you did not choose that, your root key is in other hands: change it now with "
            "`cellvow key rotate --root`."
        )
    return lines


def _guarding(wards: Sequence[str]) -> list[str]:
    if not wards:
        return ["You are nobody's guardian."]
    return [
        (
            f"You are a guardian of {', '.join(wards)}. If somebody asks you to approve new keys, meet or call a "
            "person you know there, on a number you had before, and compare the 16 digits. The request itself "
            "proves nothing."
        ),
    ]


def _urgent(recovery: "RecoveryView", workspace: Path, now_ms: int) -> list[str]:
    if not recovery.is_under_way:
        return []
    said = f"ATTENTION: {', '.join(recovery.approvals)} want{'s' if len(recovery.approvals) == 1 else ''} to replace "
    said += "your keys."
    if recovery.unlocks_ms is not None:
        hours = max(0, recovery.unlocks_ms - now_ms) // 3_600_000
        said += f" The lock ends {moment(recovery.unlocks_ms)}, in about {hours} hours."
    return [
        said,
        "If you did not ask for that, end it now:",
        f"  cellvow key recover veto {recovery.organisation} --workspace {workspace}",
        "",
    ]
