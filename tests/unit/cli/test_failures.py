"""Errors become a sentence, a remedy and an exit code, in one place; nobody sees a traceback."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
import typer

from cellvow.cli.failures import MEANINGS, ExitCode, WrongUsage, describe_failure, failures_translated
from cellvow.core.contracts.contract import Contested
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.ledger.rejection import NotIncludable, Reason, Rejected
from cellvow.core.primitives.errors import (
    CellvowError,
    InvalidBlock,
    InvariantBroken,
    Malformed,
    OperationalError,
    VerificationError,
)
from cellvow.node.engine import Backpressure
from cellvow.node.store import LedgerLocked

FAMILIES: dict[str, tuple[Callable[[], BaseException], int]] = {
    "evidence": (lambda: VerificationError("check 7 fails", check=7), 1),
    "block": (lambda: InvalidBlock("block 3 is mis-signed"), 1),
    "usage": (lambda: WrongUsage("these two options exclude each other"), 2),
    "rejected": (lambda: Rejected(Reason.UNKNOWN_MODEL, gtin="09506000134376"), 3),
    "not includable": (lambda: NotIncludable(Reason.UNKNOWN_KEY, kid="00"), 3),
    "malformed": (lambda: Malformed("cell.csv, row 7: no number"), 4),
    "operational": (lambda: OperationalError("the disk is away"), 5),
    "locked": (lambda: LedgerLocked("process 7 is writing"), 5),
    "overload": (lambda: Backpressure("20000 statements wait"), 5),
    "a file": (lambda: FileNotFoundError(2, "No such file or directory", "trust.json"), 5),
    "storage": (lambda: apsw.FullError("disk full"), 5),
    "late": (TimeoutError, 5),
    "invariant": (lambda: InvariantBroken("a head without height"), 70),
    "unexpected": (lambda: KeyError("surprise"), 70),
    "interrupted": (KeyboardInterrupt, 130),
}


@pytest.fixture(autouse=True)
def reports_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where reports of faults go during a test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def fail_with(error: BaseException, *, as_json: bool) -> int:
    """The exit code of a command that ends in an error."""
    with pytest.raises(typer.Exit) as ended, failures_translated(as_json=as_json):
        raise error
    return ended.value.exit_code


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_its_exit_code_a_sentence_and_a_remedy(
    family: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words it goes to the error stream: what happened, then what to do, and no traceback."""
    make, code = FAMILIES[family]

    assert code == fail_with(make(), as_json=False)
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) >= 2
    assert "Traceback" not in said.err


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_one_document_in_json(family: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets family, reason, remedy and code on standard output, and nothing elsewhere."""
    make, code = FAMILIES[family]
    fail_with(make(), as_json=True)
    said = capsys.readouterr()
    document = json.loads(said.out)

    assert said.err == ""
    assert (False, code) == (document["ok"], document["exit_code"])
    assert document["reason"]
    assert document["remedy"]


def test_a_refusal_shows_code_rule_and_facts() -> None:
    """What the ledger says of a statement reaches the person whole."""
    failure = describe_failure(Rejected(Reason.UNKNOWN_MODEL, gtin="09506000134376"))

    assert failure.details == {
        "code": 402,
        "rule": "the battery's model is not registered",
        "facts": {"gtin": "09506000134376"},
    }
    assert "cellvow battery model" in failure.remedy


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_leads_to_a_next_step(reason: Reason) -> None:
    """No refusal leaves the signer without a sentence on what to do."""
    failure = describe_failure(Rejected(reason))

    assert failure.exit_code is ExitCode.REFUSED
    assert failure.remedy.endswith(".")


def test_the_number_of_the_failed_check_is_kept() -> None:
    """A verifier's refusal names its check."""
    assert describe_failure(VerificationError("no", check=12)).details == {"check": 12}


def test_an_error_may_bring_its_own_remedy() -> None:
    """A note on the error replaces the general advice of its family."""
    error = VerificationError("record x was edited")
    error.add_note("Restore this node from a backup.")

    assert "Restore this node from a backup." == describe_failure(error).remedy


def test_a_fault_of_ours_leaves_its_traceback_in_a_file_and_says_where(
    reports_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person is asked to report a file; the file has what we need."""
    fail_with(KeyError("surprise"), as_json=False)
    named = re.search(r"\S+cellvow-fault-\S+\.txt", capsys.readouterr().err)

    assert named is not None
    assert Path(named[0]).parent == reports_in
    assert "KeyError" in Path(named[0]).read_text(encoding="utf-8")


def test_exits_and_broken_pipes_are_let_through() -> None:
    """A command's own exit, and a reader that went away, are no failures to be told."""
    for passing in (typer.Exit(0), BrokenPipeError()):
        with pytest.raises(type(passing)), failures_translated(as_json=False):
            raise passing


def test_every_exit_code_is_explained() -> None:
    """Help and reference have a line for each code."""
    assert list(ExitCode) == list(MEANINGS)


def test_no_family_of_errors_is_forgotten() -> None:
    """Control: a family without a code of its own would be called a fault of ours."""

    class NewFamily(CellvowError):
        """A family that nobody has mapped yet."""

    mapped = {type(make()) for make, _ in FAMILIES.values()}

    assert ExitCode.FAULT is describe_failure(NewFamily("x")).exit_code
    inside = {NewFamily, Contested}  # what a contract raises and the protocol catches never comes this far
    assert set(CellvowError.__subclasses__()) - inside - mapped <= {Rejected.__mro__[1], KeptAsClaim, KeptForSecond}


def test_a_claim_that_was_kept_names_its_dispute() -> None:
    """It is no fault of the program, and what to do next is said."""
    failure = describe_failure(KeptAsClaim("01/09506000134376/21/PACK-1", "thief", "CLAIM-1", "cloned_serial"))

    assert ExitCode.REFUSED is failure.exit_code
    assert "dispute CLAIM-1" in failure.reason
    assert "cellvow dispute show" in failure.remedy
    assert failure.details["contested"] == {
        "battery": "01/09506000134376/21/PACK-1",
        "opener": "thief",
        "reference": "CLAIM-1",
        "topic": "cloned_serial",
    }


@pytest.mark.parametrize(("indexes", "said"), [((0,), "and it waits"), ((0, 2), "and 2 messages wait")])
def test_what_waits_for_a_second_signature_is_no_refusal(indexes: tuple[int, ...], said: str) -> None:
    """It has an exit code of its own, and what to do next is said."""
    failure = describe_failure(KeptForSecond("ab" * 32, indexes))

    assert ExitCode.WAITING is failure.exit_code
    assert said in failure.reason
    assert "cellvow sign second" in failure.remedy
    assert failure.document()["held"] == {"statement": "ab" * 32, "indexes": list(indexes)}
