"""The JavaScript verifier on whole bundles, built from the specification alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from nacl.signing import SigningKey

from tests.conformance import javascript_bundles as bundles
from tests.conformance.javascript_bundles import KINDS, Kind, Value, build_case
from tests.conformance.javascript_process import flip, run_verifier, verify_lines

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.node, pytest.mark.slow]
IN_BATCH = Kind(is_batch=True)


def test_a_bundle_made_from_the_specification_verifies() -> None:
    """Single or batch, by a registered key or a root key: all checks hold, and the result says what is proven."""
    cases = [build_case(kind) for kind in KINDS]

    for result in verify_lines([(case.encoded, case.trust) for case in cases]):
        assert result["ok"], result
        assert list(range(1, 14)) == [step["number"] for step in result["steps"]]
        assert ("acme", 6, 3000, 4, 8) == tuple(
            result[name] for name in ("organisation", "height", "time_ms", "leaf", "size")
        )
        assert list(bundles.WITNESSES[:2]) == result["cosigned_by"]
        assert {"holder": 3} == result["records"]["custody/3"]
        assert result["anchored"] is True
        assert result["disclosures"] in ([bundles.FIELD], [])


def test_without_trust_a_bundle_is_consistent_and_anchored_to_nothing() -> None:
    """No signature of the note is checked and no cosigner named; what the bundle says of itself must still agree."""
    case = build_case(note_lines=lambda lines: [lines[0].replace("A", "B")])
    broken = build_case(outcome=lambda _: {"code": 1, "facts": {}, "result": "rejected"})

    consistent, refused = verify_lines([(case.encoded, None), (broken.encoded, None)])

    assert (True, False, []) == (consistent["ok"], consistent["anchored"], consistent["cosigned_by"])
    assert (False, 9) == (refused["ok"], refused["check"])


def test_a_bundle_without_state_says_that_revocation_is_not_shown() -> None:
    """The state and the disclosures may be left out."""
    case = build_case(bundle=lambda bundle: bundle | {"state": [], "disclosures": []})

    (result,) = verify_lines([(case.encoded, case.trust)])

    assert (True, False, {}) == (result["ok"], result["state_shown"], result["records"])
    assert result["steps"][11]["detail"] == "Whether the key was revoked is not shown."


def within(*path: str | int, to: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A change deep inside a bundle: of the member at `path`."""

    def change(value: Value) -> Value:
        step, *rest = path
        inner = within(*rest, to=to)(value[step]) if rest else to(value[step])
        if isinstance(value, dict):
            return value | {step: inner}
        return [inner if n == step else each for n, each in enumerate(value)]

    return change


def having(**members: object) -> Callable[[Any], Any]:
    """A change that sets members."""
    return lambda value: value | members


def lacking(name: str) -> Callable[[Any], Any]:
    """A change that takes a member away."""
    return lambda value: {key: member for key, member in value.items() if key != name}


def first_flipped(content: bytes) -> bytes:
    """The bytes with their first bit flipped."""
    return flip(content, 0)


def later(line: str) -> str:
    """A cosignature line with another time than the one that was signed."""
    dash, name, blob = line.split()
    return f"{dash} {name} {base64.b64encode(flip(base64.b64decode(blob), 8 * 11)).decode()}\n"


REJECTED = {"code": 7, "facts": {}, "result": "rejected"}
STRANGE_LINE = bundles.signature_line("witness.example/z", SigningKey(bytes(32)), 4, b"")
STRANGER = bytes(SigningKey(b"\x09" * 32).verify_key).hex()
LIES: list[tuple[str, int, dict[str, Any]]] = [
    ("another version", 1, {"bundle": having(version=3)}),
    ("a version with other members", 1, {"bundle": having(version=2)}),
    ("a member too many", 1, {"bundle": having(note="hello")}),
    ("a member too few", 1, {"bundle": lacking("state")}),
    ("two registrations", 1, {"bundle": within("keys", to=lambda keys: keys * 2)}),
    ("a path of short hashes", 1, {"bundle": within("block", "path", 0, to=lambda sibling: sibling[:31])}),
    ("records out of order", 1, {"bundle": within("state", 0, "records", to=lambda records: records[::-1])}),
    ("a record twice", 1, {"bundle": within("state", 0, "records", to=lambda records: records[:1] * 2)}),
    ("an extension line", 2, {"note_body": lambda body: body + b"extra\n"}),
    ("a size with a leading zero", 2, {"note_body": lambda body: body.replace(b"\n8\n", b"\n08\n")}),
    ("a checkpoint of another log", 2, {"note_body": lambda body: body.replace(b"one", b"two")}),
    ("no signature by the log", 2, {"note_lines": lambda lines: lines[1:]}),
    ("the log's signature twice", 2, {"note_lines": lambda lines: lines[:1] + lines}),
    ("a witness twice", 2, {"note_lines": lambda lines: lines + lines[1:2]}),
    ("a stranger's cosignature", 2, {"note_lines": lambda lines: [*lines, STRANGE_LINE]}),
    (
        "a cosignature of another time",
        2,
        {"note_lines": lambda lines: [*lines[:2], later(lines[2])]},
    ),
    ("a bare carriage return", 2, {"bundle": within("checkpoint", to=lambda note: note.replace(b"\n", b"\r\n"))}),
    ("a name of 256 characters", 2, {"note_body": lambda body: body.replace(b"log", b"l" * 256)}),
    ("an empty log with a root", 2, {"note_body": lambda body: body.replace(b"\n8\n", b"\n0\n")}),
    ("a size of 2^53", 2, {"note_body": lambda body: body.replace(b"\n8\n", b"\n9007199254740992\n")}),
    ("too few witnesses", 3, {"note_lines": lambda lines: lines[:2]}),
    ("another genesis", 4, {"trust": having(genesis="00" * 32)}),
    ("a genesis with a member too many", 4, {"genesis": having(motto="x")}),
    ("an organisation of another genesis", 5, {"genesis": having(organisations_root="00" * 32)}),
    ("an organisation at another place", 5, {"bundle": within("admission", "index", to=lambda _: 1)}),
    ("an organisation beyond the last", 5, {"bundle": within("admission", "index", to=lambda _: 3)}),
    ("an organisation without root keys", 5, {"organisation": having(root_keys=[])}),
    ("a registration for another organisation", 6, {"registration": having(organisation="bolt")}),
    ("a registration of another key", 6, {"registration": having(public_key=STRANGER)}),
    ("a registration that is another message", 6, {"registration": having(type="RevokeKey")}),
    ("a registration that was rejected", 6, {"registration_outcome": lambda _: REJECTED}),
    ("a registration on another chain", 6, {"registration_payload": having(chain_id="other-chain")}),
    ("a registration by a stranger's root key", 6, {"organisation": having(root_keys=[STRANGER])}),
    ("a registration without its signature", 6, {"registration_cose": lambda cose: (18, [*cose[1][:3], bytes(64)])}),
    ("a registration at another leaf", 6, {"bundle": within("keys", 0, "leaf", to=lambda _: 2)}),
    ("no registration of an operational key", 6, {"bundle": having(keys=[])}),
    ("a statement under another tag", 6, {"cose": lambda cose: (17, cose[1])}),
    ("a statement with an unprotected header", 6, {"cose": lambda cose: (18, [cose[1][0], {1: -8}, *cose[1][2:]])}),
    ("another algorithm", 6, {"header": lambda header: header | {1: -7}}),
    ("sequence 0", 6, {"payload": having(sequence=0)}),
    ("a statement on another chain", 7, {"payload": having(chain_id="other-chain")}),
    ("a statement by another organisation", 7, {"header": lambda header: header | {15: header[15] | {1: "bolt"}}}),
    ("a statement with a broken signature", 7, {"cose": lambda cose: (18, [*cose[1][:3], bytes(64)])}),
    ("a message beyond the key's scope", 8, {"message": having(type="Anchor")}),
    ("a message without type", 8, {"message": lacking("type")}),
    ("a rejected statement", 9, {"outcome": lambda _: REJECTED}),
    ("an outcome with a member too many", 9, {"outcome": having(extra=1)}),
    (
        "an outcome that is not what was logged",
        10,
        {"bundle": within("statement", "outcome", to=lambda _: b'{"events":[],"result":"accepted"}')},
    ),
    ("a statement at another leaf", 10, {"bundle": within("statement", "leaf", to=lambda _: 3)}),
    ("a path too long", 10, {"bundle": within("statement", "path", to=lambda path: [*path, bytes(32)])}),
    ("a path too short", 10, {"bundle": within("statement", "path", to=lambda path: path[:-1])}),
    ("a block that begins after the statement", 11, {"block": having(first_leaf=5, statements=0)}),
    ("a block with a member too few", 11, {"block": lacking("ruleset")}),
    ("a key registered in the same block", 11, {"block": having(first_leaf=1, statements=4)}),
    ("a block before the key was valid", 11, {"block": having(time_ms=2999)}),
    ("a block after the key was valid", 11, {"block": having(time_ms=3001)}),
    ("a block after the signer's deadline", 11, {"payload": having(not_after_ms=2999)}),
    (
        "a state that is not the last block's",
        12,
        {"bundle": lambda bundle: within("state", 0, to=lambda state: state | bundle["block"])(bundle)},
    ),
    ("a record that is not in the state", 12, {"bundle": within("state", 0, "records", 0, "value", to=first_flipped)}),
    (
        "an empty sibling as zeros",
        12,
        {"bundle": within("state", 0, "records", 0, "siblings", to=lambda s: [x or bytes(32) for x in s])},
    ),
    ("no record of the signer's key", 12, {"bundle": within("state", 0, "records", to=lambda records: records[:1])}),
    ("a key record of another key", 12, {"key_record": having(public_key=STRANGER)}),
    ("a key revoked before the block", 12, {"key_record": having(revoked_height=5)}),
    ("a disclosure of another salt", 13, {"bundle": within("disclosures", 0, "salt", to=first_flipped)}),
    (
        "a disclosure of another value",
        13,
        {"bundle": within("disclosures", 0, "field", to=lambda field: field.replace(b"31", b"41"))},
    ),
    ("a disclosure twice", 13, {"bundle": within("disclosures", to=lambda given: given * 2)}),
    ("another quantity than its result", 13, {"message": within("results", 1, "quantity", to=lambda _: "energy")}),
    ("a trust file with a member too many", 0, {"trust": having(note="x")}),
    ("a quorum beyond the witnesses", 0, {"trust": having(quorum=4)}),
    (
        "a witness key that is a log's",
        0,
        {"trust": having(witnesses=[bundles.verifier_key("a", SigningKey(bytes(32)), 1)])},
    ),
    ("a witness key twice", 0, {"trust": within("witnesses", to=lambda keys: keys + keys[:1])}),
]


def test_every_lie_is_refused_by_the_check_that_it_concerns() -> None:
    """Each change to a good bundle is refused, with the number of the first check that it breaks."""
    cases = [build_case(**changes) for _, _, changes in LIES]

    results = verify_lines([(case.encoded, case.trust) for case in cases])

    found = [
        (name, result.get("check"), result.get("reason")) for (name, _, _), result in zip(LIES, results, strict=True)
    ]
    differing = [(row, number) for row, (_, number, _) in zip(found, LIES, strict=True) if row[1] != number]
    assert [] == differing


BATCH_LIES: list[tuple[str, int, dict[str, Any]]] = [
    ("a batch without a place", 7, {"bundle": within("statement", "batch", to=lambda _: [])}),
    (
        "another message of the batch",
        8,
        {"bundle": within("statement", "batch", 0, "message", to=lambda _: b'{"type":"Other"}')},
    ),
    ("a place beyond the count", 8, {"bundle": within("statement", "batch", 0, "index", to=lambda _: 3)}),
    ("a batch with another subject", 6, {"header": lambda header: header | {15: header[15] | {2: "boat"}}}),
    ("a batch of 501", 6, {"payload": having(count=501)}),
    (
        "an outcome at another place",
        10,
        {"bundle": within("statement", "batch", 0, "outcome_path", 0, to=first_flipped)},
    ),
    (
        "a registration's message outside its batch",
        6,
        {"bundle": within("keys", 0, "batch", 0, "salt", to=first_flipped)},
    ),
]


def test_every_lie_about_a_batch_is_refused_by_the_check_that_it_concerns() -> None:
    """The same for statements that carry many messages, and for a single one that claims a place."""
    cases = [build_case(IN_BATCH, **changes) for _, _, changes in BATCH_LIES]
    place = build_case(IN_BATCH).bundle["statement"]["batch"]
    cases.append(build_case(bundle=within("statement", "batch", to=lambda _: place)))

    results = verify_lines([(case.encoded, case.trust) for case in cases])

    assert [number for _, number, _ in BATCH_LIES] + [7] == [result.get("check") for result in results]


def flipped(encoded: bytes, step: int) -> list[bytes]:
    """The bundle with every `step`-th bit flipped, one at a time."""
    return [flip(encoded, bit) for bit in range(0, 8 * len(encoded), step)]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_flipped_bit_gets_past(kind: Kind) -> None:
    """Bits across the whole bundle, each flipped alone: all refused; the bundle as it was is accepted."""
    case = build_case(kind)
    results = verify_lines([(each, case.trust) for each in [case.encoded, *flipped(case.encoded, 149)]])

    assert results[0]["ok"]
    assert [] == [result for result in results[1:] if result["ok"] or "verifier failed" in result["reason"]]


@pytest.mark.explore
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_no_flipped_bit_gets_past_at_all(kind: Kind) -> None:
    """The same for every single bit."""
    case = build_case(kind)

    assert not any(result["ok"] for result in verify_lines([(each, case.trust) for each in flipped(case.encoded, 1)]))


def test_the_command_line_tells_verified_refused_and_misused_apart(tmp_path: Path) -> None:
    """Exit codes 0, 1 and 2, with the checks in words."""
    case = build_case()
    bundle, broken, trust = tmp_path / "a.bundle", tmp_path / "b.bundle", tmp_path / "trust.json"
    bundle.write_bytes(case.encoded)
    broken.write_bytes(case.encoded[:-1])
    trust.write_text(case.trust)

    verified, refused = (run_verifier(str(path), str(trust)) for path in (bundle, broken))
    misused = [
        run_verifier(),
        run_verifier("--what"),
        run_verifier(str(tmp_path / "absent")),
        run_verifier(str(bundle), str(broken)),
    ]

    assert (0, 1, [2, 2, 2, 2]) == (verified.returncode, refused.returncode, [each.returncode for each in misused])
    assert "13  Disclosures" in verified.stdout
    assert "Verified: acme signed IssueAttestation" in verified.stdout
    assert "1  Form          DOES NOT HOLD." in refused.stdout
    assert all(each.stderr and "at " not in each.stderr.splitlines()[-1][:4] for each in misused)


def test_the_command_line_gives_the_whole_result_as_json(tmp_path: Path) -> None:
    """`--json` prints what verifyBundle returns; without a trust file it says anchored to nothing."""
    bundle = tmp_path / "a.bundle"
    bundle.write_bytes(build_case().encoded)

    answer, words = run_verifier(str(bundle), "--json"), run_verifier(str(bundle))

    assert (True, False) == tuple(json.loads(answer.stdout)[name] for name in ("ok", "anchored"))
    assert "Consistent, anchored to nothing" in words.stdout


def test_a_line_that_is_no_case_is_named() -> None:
    """A bad line ends with exit code 2 and its number."""
    answer = run_verifier("--lines", given='{"bundle": "", "trust": null}\n{"bundle": "0"}\n')

    assert (2, 1) == (answer.returncode, len(answer.stdout.splitlines()))
    assert "Line 2" in answer.stderr
