"""The one place where errors become words and exit codes: whose fault it is, and what to do next."""

import json
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cellvow.core.primitives.errors import (
    CellvowError,
    InvalidBlock,
    InvariantBroken,
    Malformed,
    OperationalError,
    VerificationError,
)

if TYPE_CHECKING:
    from cellvow.core.ledger.rejection import NotIncludable, Rejected


class ExitCode(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    DOES_NOT_HOLD = 1
    WRONG_USAGE = 2
    REFUSED = 3
    MALFORMED = 4
    OPERATIONAL = 5
    RE_TEST = 6
    CANNOT_TELL = 7
    WAITING = 8
    NOT_ACCEPTED = 9
    FAULT = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.DOES_NOT_HOLD: "the evidence does not hold",
    ExitCode.WRONG_USAGE: "wrong usage: options or arguments that do not fit",
    ExitCode.REFUSED: "the ledger rejected the statement, or would not include it",
    ExitCode.MALFORMED: "malformed input: a file or value that must be mended",
    ExitCode.OPERATIONAL: "storage, lock, witness or overload: trying again later makes sense",
    ExitCode.RE_TEST: "a verdict: test again",
    ExitCode.CANNOT_TELL: "a verdict: cannot tell from what is shown",
    ExitCode.WAITING: "recorded, and waiting for a second signature: nothing was done yet",
    ExitCode.NOT_ACCEPTED: "the evidence holds, and shows a claim or a hold: kept, not accepted",
    ExitCode.FAULT: "a fault of this program",
    ExitCode.INTERRUPTED: "interrupted",
}
"""One line for each exit code, as help and reference give it."""

REMEDIES = {
    101: "This is not a statement of this version: sign it anew.",
    102: "Join the ledger it was signed for, or sign it anew for this one.",
    103: "Register the key first: `cellvow init join` does it for the first one, `cellvow key register` for others.",
    104: "Sign with a key of the organisation that the statement names.",
    105: "Make and register another key: `cellvow key new`, then `cellvow key register`.",
    106: "Sign it anew; if it happens again, the key file does not belong to the registered key.",
    107: "It was sent before. See what became of it with `cellvow passport`, or send a new one.",
    108: "Send again what has no answer yet: `cellvow key resend`.",
    201: "Sign it anew; if this machine's clock is wrong, set it first.",
    203: "Use a key whose scope names this message: `cellvow key list` shows the scopes.",
    206: "Somebody was faster. Look at the battery again (`cellvow passport`), then repeat the command.",
    301: "Only members with that role may do this; genesis gives roles, and a vote: `cellvow vote propose roles`.",
    303: "The key is registered already: nothing is left to do.",
    401: "Use the model as it is; its maker can correct it.",
    402: "Register the model first: `cellvow battery model`.",
    404: "Choose another serial number: each battery has its own.",
    405: "Check the identifier; `cellvow battery list` shows those of this ledger.",
    504: "Withdraw the open offer first: `cellvow handover withdraw`.",
    505: "See how the last offer ended: `cellvow passport`.",
    510: "Offer it to a producer, a producer responsibility organisation or a waste operator.",
    601: "Choose another reference: each is used once.",
    603: "Attest without --certificate, or name a standard and quantities of your accreditation.",
    606: "A certificate needs --standard and an import of measured rows (--from).",
    1202: "Record its removal first: `cellvow service remove`. `cellvow service show` says where it is.",
    1204: "The next version is one above the newest: `cellvow service show` lists the documents.",
    1205: "Choose another reference: each is used once.",
    1207: "Choose another reference: each is used once.",
    1210: "Ask who holds the unit for an order: `cellvow service order`. `cellvow passport` says who that is.",
    1307: "Where it is wrong, correct it: `cellvow correct description`.",
    1312: "Correct its cells alone: --cells. What is of another level is another model, with a GTIN of its own.",
    1601: "`cellvow sign waiting` lists what waits.",
    1602: "Sign with the key of somebody else: --key, or his own workspace.",
    1606: "Withdraw it with `cellvow sign withdraw`, and order it anew if it is right.",
}
"""What to do next, by the code of the reason; other codes get their family's sentence."""

CLAIM_REMEDY = "Follow it with `cellvow dispute show`, or take it back with `cellvow dispute withdraw`."
HELD_REMEDY = "Let a colleague give the second signature: `cellvow sign waiting`, then `cellvow sign second`."
_FAMILY_REMEDIES = {
    ExitCode.DOES_NOT_HOLD: "Do not rely on it. Check that the trust file is the right one, or ask for the proof anew.",
    ExitCode.WRONG_USAGE: "The same command with --help shows how it is used.",
    ExitCode.REFUSED: "Nothing was changed by it. Mend what the rule names and send a new statement.",
    ExitCode.MALFORMED: "Mend the input and try again; nothing was recorded.",
    ExitCode.OPERATIONAL: "Mend that and try again; `cellvow doctor` says what else is wrong.",
    ExitCode.WAITING: HELD_REMEDY,
    ExitCode.FAULT: "This is our fault, not yours. Please report it with the file named above.",
    ExitCode.INTERRUPTED: "What was committed before stays committed; the same command can be given again.",
}
_FAMILIES = {
    ExitCode.DOES_NOT_HOLD: "verification",
    ExitCode.WRONG_USAGE: "usage",
    ExitCode.REFUSED: "refusal",
    ExitCode.MALFORMED: "malformed",
    ExitCode.OPERATIONAL: "operational",
    ExitCode.WAITING: "waiting",
    ExitCode.FAULT: "fault",
    ExitCode.INTERRUPTED: "interrupted",
}
_HEADINGS = {
    ExitCode.DOES_NOT_HOLD: "Does not hold",
    ExitCode.WRONG_USAGE: "Wrong usage",
    ExitCode.REFUSED: "Refused by the ledger",
    ExitCode.MALFORMED: "Malformed",
    ExitCode.OPERATIONAL: "Could not be done",
    ExitCode.WAITING: "Waits for a second signature",
    ExitCode.FAULT: "A fault of this program",
    ExitCode.INTERRUPTED: "Interrupted",
}


class WrongUsage(CellvowError):
    """Options that are each well formed, and together make no sense."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a person and a script get it; `details` are the code and facts of a refusal, or a check's number."""

    exit_code: ExitCode
    reason: str
    remedy: str
    details: Mapping[str, object] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """The failure for `--json`."""
        return {
            "ok": False,
            "exit_code": int(self.exit_code),
            "family": _FAMILIES[self.exit_code],
            "reason": self.reason,
            "remedy": self.remedy,
            **self.details,
        }

    def lines(self) -> list[str]:
        """The failure in words."""
        return [f"{_HEADINGS[self.exit_code]}: {self.reason}", self.remedy]


def describe_failure(error: BaseException) -> Failure:
    """The failure that an error is; an error that is none of ours is a fault of this program."""
    from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
    from cellvow.core.ledger.rejection import NotIncludable, Rejected

    if isinstance(error, Rejected | NotIncludable):
        return _refusal(error)
    if isinstance(error, KeptAsClaim):
        kept = {"battery": error.battery, "opener": error.opener, "reference": error.reference, "topic": error.topic}
        return Failure(ExitCode.REFUSED, str(error), CLAIM_REMEDY, {"contested": kept})
    if isinstance(error, KeptForSecond):
        waiting = {"statement": error.statement, "indexes": list(error.indexes)}
        return Failure(ExitCode.WAITING, str(error), HELD_REMEDY, {"held": waiting})
    code = _exit_code(error)
    details: dict[str, object] = {}
    if isinstance(error, VerificationError):
        details["check"] = error.check
    return Failure(code, _reason(error, code), _remedy(error, code), details)


@contextmanager
def failures_translated(*, as_json: bool) -> Iterator[None]:
    """Present whatever goes wrong inside and exit with its code: never a traceback."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt as error:
        raise typer.Exit(_present(error, as_json=as_json)) from None
    except Exception as error:  # noqa: BLE001 - nothing stands above a command: what nobody foresaw becomes a sentence
        raise typer.Exit(_present(error, as_json=as_json)) from None


def _present(error: BaseException, *, as_json: bool) -> int:
    from cellvow.cli.answer import print_document, print_lines

    failure = describe_failure(error)
    if as_json:
        print_document(failure.document())
    else:
        print_lines(failure.lines(), to_errors=True)
    return int(failure.exit_code)


def _exit_code(error: BaseException) -> ExitCode:
    for kind, code in (
        (WrongUsage, ExitCode.WRONG_USAGE),
        (VerificationError, ExitCode.DOES_NOT_HOLD),
        (InvalidBlock, ExitCode.DOES_NOT_HOLD),
        (Malformed, ExitCode.MALFORMED),
        (OperationalError, ExitCode.OPERATIONAL),
        (OSError, ExitCode.OPERATIONAL),
        (KeyboardInterrupt, ExitCode.INTERRUPTED),
    ):
        if isinstance(error, kind):
            return code
    return ExitCode.OPERATIONAL if _is_storage_error(error) else ExitCode.FAULT


def _is_storage_error(error: BaseException) -> bool:
    # Loaded only where something was stored: `--help` does without it.
    apsw = sys.modules.get("apsw")
    return apsw is not None and isinstance(error, apsw.Error)


def _refusal(error: "Rejected | NotIncludable") -> Failure:
    code = int(error.reason)
    details: dict[str, object] = {"code": code, "rule": error.rule, "facts": dict(error.facts)}
    article = getattr(error, "article", None)
    if article is not None:
        details["article"] = article
    remedy = REMEDIES.get(code, _FAMILY_REMEDIES[ExitCode.REFUSED])
    return Failure(ExitCode.REFUSED, str(error), remedy, details)


def _reason(error: BaseException, code: ExitCode) -> str:
    if code is ExitCode.FAULT:
        return f"{_what_broke(error)} Details are in {_write_report(error)}."
    if isinstance(error, TimeoutError):
        return "no answer from the ledger in time: what became of the statement is not known"
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror or error}"
    if _is_storage_error(error):
        return f"storage failed: {error}"
    return str(error) or "stopped by hand"


def _remedy(error: BaseException, code: ExitCode) -> str:
    from cellvow.node.engine import Backpressure

    notes: list[str] = getattr(error, "__notes__", [])
    if notes:
        return " ".join(notes)
    if isinstance(error, Backpressure):
        return "Wait a few seconds, then send the same again."
    if isinstance(error, TimeoutError):
        return "Send it again with `cellvow key resend`: it takes effect once."
    return _FAMILY_REMEDIES[code]


def _what_broke(error: BaseException) -> str:
    if isinstance(error, InvariantBroken):
        return f"something that always holds did not: {error}."
    return f"{type(error).__name__} where none was expected."


def _write_report(error: BaseException) -> Path:
    """The traceback goes into a file of its own: it names places in the code, and is of use to us alone."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="cellvow-fault-", suffix=".txt", delete=False
    ) as report:
        report.write(json.dumps({"python": sys.version, "arguments": len(sys.argv) - 1}) + "\n")
        report.writelines(lines)
        return Path(report.name)
