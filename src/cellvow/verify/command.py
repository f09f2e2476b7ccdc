"""The verifier's own command line: it needs Python's standard library alone."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.outcome import CONTESTED, HELD
from cellvow.core.primitives import ed25519
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import CellvowError, Malformed, VerificationError
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX, TRUST_BYTES_MAX
from cellvow.verify.bundle import parse_bundle
from cellvow.verify.result import Verified, describe_time
from cellvow.verify.trust import parse_trust
from cellvow.verify.verifier import verify_bundle

HOLDS, DOES_NOT_HOLD, WRONG_USE, NOT_ACCEPTED = 0, 1, 2, 9
_KEPT = {
    CONTESTED: "Contested: kept, not accepted. The registers say otherwise; nothing changed, and an arbiter decides.",
    HELD: "Held: kept, not accepted. It waits for a second signature of its organisation, and has done nothing.",
}


def main(
    arguments: Sequence[str] | None = None, out: TextIO = sys.stdout, check: SignatureCheck = ed25519.is_valid
) -> int:
    """Verify one bundle; returns 0 when it holds, 1 when it does not, 2 for wrong use.

    9 when it holds and proves what the ledger kept without accepting it: no script takes that for an acceptance.
    """
    options = _parser().parse_args(arguments)
    try:
        verified = verify_file(options.bundle, options.trust, check)
        if options.documents is not None:
            write_documents(options.bundle, verified, options.documents)
    except OSError as error:
        out.write(f"{error.filename}: {error.strerror}\n")
        return WRONG_USE
    except CellvowError as error:
        _present_failure(error, out, as_json=options.json)
        return DOES_NOT_HOLD
    _present(verified, out, as_json=options.json)
    return HOLDS if verified.is_accepted else NOT_ACCEPTED


def verify_file(bundle: Path, trust: Path | None, check: SignatureCheck) -> Verified:
    """What the bundle in a file proves under a trust file; raises `VerificationError` or `Malformed`.

    It may be of a message that was kept and not accepted: `outcome` says so.
    """
    taken = None if trust is None else parse_trust(_read(trust, TRUST_BYTES_MAX))
    return verify_bundle(_read(bundle, BUNDLE_BYTES_MAX), taken, check, kept=True)


def write_documents(bundle: Path, verified: Verified, folder: Path) -> list[Path]:
    """Write the documents that a verified bundle shows into a folder, each under its digest, and never over a file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for one in parse_bundle(_read(bundle, BUNDLE_BYTES_MAX)).disclosures:
        if one.document is None:
            continue
        digest = sha256(one.document).hex()
        if digest not in verified.documents:
            raise VerificationError(f"{bundle} was changed while it was checked: check it again", check=13)
        path = folder / f"{digest}.bin"
        if not path.exists():
            path.write_bytes(one.document)
        written.append(path)
    return written


def verified_document(verified: Verified) -> dict[str, object]:
    """Everything that was proven, for `--json`; `ok` is that the ledger accepted it, too."""
    return {"ok": verified.is_accepted, **asdict(verified)}


def failure_document(error: CellvowError) -> dict[str, object]:
    """Why it does not hold, for `--json`: the number of the check, and the reason."""
    number = error.check if isinstance(error, VerificationError) else 0
    return {"ok": False, "check": number, "reason": str(error)}


def describe(verified: Verified) -> list[str]:
    """The numbered checks and the result in words, line by line."""
    lines = [f"{step.number:>3}  {step.title:<13} holds  {step.detail}" for step in verified.steps]
    kind, when = verified.message.get("type"), describe_time(verified.time_ms)
    lines += ["", f"{verified.organisation_name} ({verified.organisation}) signed on {when}: {kind}"]
    lines += [f"  {name}: {_plain(name, value)}" for name, value in sorted(verified.message.items()) if name != "type"]
    shown = zip(verified.disclosures, verified.places, verified.documents, strict=True)
    lines += [f"  shown to you: {_disclosed(field, at, document)}" for field, at, document in shown]
    if verified.suspect:
        lines.append(f"Beware - {verified.standing}.")
    if verified.anchored:
        lines.append("The bundle holds under the trust file given.")
    else:
        lines.append("Consistent, anchored to nothing: without a trust file nobody vouches for this ledger.")
    return lines if verified.is_accepted else [*lines, _KEPT[verified.outcome]]


def _plain(name: str, value: object) -> str:
    if name.endswith("_ms") and isinstance(value, int):
        return describe_time(value)
    if name == "results" and isinstance(value, list):
        return "commitments to " + ", ".join(str(one.get("quantity")) for one in value if isinstance(one, dict))
    if name == "predicates" and isinstance(value, list):
        return "; ".join(_sentence(one) for one in value if isinstance(one, dict))
    if isinstance(value, dict):
        others = [f"{member} {part}" for member, part in sorted(value.items()) if member != "name"]
        return ", ".join([str(value["name"]), *others] if "name" in value else others)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _sentence(predicate: dict[str, object]) -> str:
    """A predicate in words: `capacity at least 26480`."""
    comparison = str(predicate.get("comparison")).replace("_", " ")
    return f"{predicate.get('quantity')} {comparison} {predicate.get('threshold')}"


def _disclosed(field: object, at: str, document: str | None) -> str:
    """A disclosed field in one line: the number with its interval, a place, a text, a document, or what it is."""
    if not isinstance(field, dict):
        return json.dumps(field)
    if isinstance(field.get("sha256"), str):
        name = f" {json.dumps(field['name'])}" if "name" in field else ""
        is_here = ", which is in the bundle" if document is not None else ""
        return f"{at[1:]}: a document{name} with the SHA-256 {field['sha256']}{is_here}"
    for told in ("place", "text"):
        if isinstance(field.get(told), str):
            return f"{at[1:]}: {json.dumps(field[told], ensure_ascii=False)}"
    if not isinstance(field.get("value"), int):
        return f"{field.get('quantity')} ({len(json.dumps(field))} characters; --json shows all)"
    text = f"{field.get('quantity')} {field.get('value')} {field.get('unit')}"
    if isinstance(field.get("low"), int):
        text += f", from {field.get('low')} to {field.get('high')} ({field.get('coverage_permille')} per mille)"
    return f"{text}, {field.get('class', 'declared')}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cellvow-verify",
        description="Check a Cellvow bundle offline: no network, no ledger, no trust in whoever handed it over.",
        epilog="example: python3 cellvow-verify.pyz certificate.cvb --trust trust.json",
    )
    parser.add_argument("bundle", type=Path, help="the bundle file (.cvb)")
    parser.add_argument("--trust", type=Path, help="what you take as given, obtained elsewhere than the bundle")
    parser.add_argument("--documents", type=Path, help="a folder for the documents that the bundle shows")
    parser.add_argument("--json", action="store_true", help="everything as JSON")
    return parser


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Malformed(f"{path} is larger than the {most} bytes allowed")
    return data


def _present(verified: Verified, out: TextIO, *, as_json: bool) -> None:
    lines = [json.dumps(verified_document(verified), sort_keys=True)] if as_json else describe(verified)
    out.write("\n".join(lines) + "\n")


def _present_failure(error: CellvowError, out: TextIO, *, as_json: bool) -> None:
    text = json.dumps(failure_document(error), sort_keys=True) if as_json else f"Does not hold: {error}"
    out.write(text + "\n")
