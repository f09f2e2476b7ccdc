"""One thing that was examined, and what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass

import apsw

from cellvow.core.primitives.errors import CellvowError

OK, LOOK, BROKEN = "ok", "look", "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was examined: its state in a word and a sentence, and what to do unless all is well."""

    subject: str
    state: str
    sentence: str
    remedy: str = ""


def run_check(subject: str, check: Callable[[], Finding]) -> Finding:
    """The finding, also where the check itself fails."""
    try:
        return check()
    except (CellvowError, OSError, apsw.Error) as error:
        return describe_broken(subject, error)


def describe_broken(subject: str, error: Exception) -> Finding:
    """What an error says, as a finding."""
    reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    sentence, _, remedy = reason.partition(": ")
    if isinstance(error, OSError) or not remedy:
        return Finding(subject, BROKEN, reason, "mend that, then run `cellvow doctor` again")
    return Finding(subject, BROKEN, sentence, remedy)
