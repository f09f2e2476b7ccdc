"""The two verifiers share no code and no author's assumptions; here they must agree, bundle by bundle."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives import ed25519, signature
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, encode_trust, parse_trust, verify_bundle
from tests.bundles.chain import Chain, Sound, disclosures
from tests.bundles.consortium import Consortium
from tests.bundles.disclosing import Disclosing
from tests.bundles.mutation import Case, generate
from tests.bundles.verdict import FIELDS, judge
from tests.conformance.javascript_process import verify_lines

if TYPE_CHECKING:
    from collections.abc import Iterator


COUNT = 10_000 if os.environ.get("CELLVOW_EXPLORE") == "1" else 1_000
SEED = 20261124


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A ledger with every kind of statement, witnessed."""
    built = Chain(tmp_path_factory.mktemp("chain") / "ledger")
    built.fill()
    built.publish()
    yield built
    built.close()


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """A ledger whose validators vouch for it, with keys that genesis does not lead to."""
    built = Consortium(tmp_path_factory.mktemp("consortium"))
    built.fill()
    built.publish()
    yield built
    built.close()


@pytest.fixture(scope="module")
def disclosing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disclosing]:
    """A ledger whose statements commit to places, texts and documents, with a claim and a hold."""
    built = Disclosing(tmp_path_factory.mktemp("disclosing"))
    built.fill()
    built.publish()
    yield built
    built.close()


def abridge(verdict: dict[str, object]) -> dict[str, object]:
    """What of a JavaScript verdict is compared."""
    if not verdict["ok"]:
        return {"ok": False, "check": verdict["check"]}
    return {"ok": True, **{name: verdict[name] for name in FIELDS}}


def differences(cases: list[Case]) -> list[str]:
    """The cases on which the two verifiers disagree."""
    lines = [(case.bundle, None if case.trust is None else case.trust.decode()) for case in cases]
    found = []
    for case, theirs in zip(cases, verify_lines(lines), strict=True):
        ours = judge(case)
        if ours != abridge(theirs):
            found.append(f"{case.mutation}: {ours} here, {theirs} there")
    return found


@pytest.mark.node
@pytest.mark.slow
def test_both_verifiers_say_the_same_of_every_bundle(chain: Chain) -> None:
    """A thousand bundles, half of them mutated: same verdict, same number of the failing check, same proven facts."""
    rng = random.Random(SEED)
    sounds = [chain.sound(rng) for _ in range(60)]

    found = differences(generate(rng, sounds, COUNT))

    assert [] == found


@pytest.mark.node
@pytest.mark.slow
def test_both_verifiers_say_the_same_of_every_bundle_from_a_consortium(consortium: Consortium) -> None:
    """The same for commits instead of notes, and for signers whom the state vouches for."""
    rng = random.Random(SEED)
    sounds = [consortium.sound(rng) for _ in range(24)]

    found = differences(generate(rng, sounds, COUNT // 4))

    assert [] == found


@pytest.mark.node
@pytest.mark.slow
def test_both_verifiers_say_the_same_of_whatever_is_disclosed_and_kept(disclosing: Disclosing) -> None:
    """The same for fields and documents disclosed by their places, for contested claims and for holds."""
    rng = random.Random(SEED)
    sounds = [disclosing.sound(rng) for _ in range(24)]
    verdicts = [judge(Case(one.bundle, one.trust, one.name)) for one in sounds]

    found = differences(generate(rng, sounds, COUNT // 4))

    assert {"accepted", "contested", "held"} == {verdict.get("outcome") for verdict in verdicts}
    assert [] == found


@pytest.mark.node
@pytest.mark.slow
def test_a_verifier_that_forgot_a_check_would_be_found_out(chain: Chain) -> None:
    """Control: against a trust file that wants more witnesses than cosigned, a lenient verdict must show up."""
    sound = chain.sound(random.Random(SEED))
    strict = Case(sound.bundle, encode_trust(chain.trust(3)), "none")
    lenient = judge(Case(sound.bundle, sound.trust, "none"))

    assert lenient["ok"] is True
    assert differences([strict]) == []


def flips(bundle: bytes, every: int) -> Iterator[bytes]:
    """The bundle with one bit flipped, for every n-th bit."""
    for place in range(0, 8 * len(bundle), every):
        changed = bytearray(bundle)
        changed[place >> 3] ^= 1 << (place & 7)
        yield bytes(changed)


def certificate_bundle(chain: Chain) -> Sound:
    """A certificate with state and disclosures: every part a bundle can have but a batch."""
    bundle = build_bundle(
        chain.store,
        chain.receipts["certificate 3"].digest,
        state=chain.engine.state,
        disclosures=disclosures(3),
    )
    return Sound("certificate", encode_bundle(bundle), encode_trust(chain.trust(2)))


STRIDE = 1 if os.environ.get("CELLVOW_EXPLORE") == "1" else 41
EVERY = 1 if os.environ.get("CELLVOW_EXPLORE") == "1" else 5


@pytest.mark.slow
def test_every_flipped_bit_of_a_bundle_is_refused(chain: Chain) -> None:
    """No bit of a bundle is without meaning: flipping it makes some check fail."""
    sound = certificate_bundle(chain)
    trust = parse_trust(sound.trust)
    accepted = []
    for flipped in flips(sound.bundle, EVERY):
        try:
            verify_bundle(flipped, trust, signature.is_valid)
        except VerificationError:
            continue
        accepted.append(flipped)

    assert [] == accepted


@pytest.mark.node
@pytest.mark.slow
def test_every_flipped_bit_is_refused_by_the_second_verifier(chain: Chain) -> None:
    """The same, in JavaScript."""
    sound = certificate_bundle(chain)
    lines: list[tuple[bytes, str | None]] = [(one, sound.trust.decode()) for one in flips(sound.bundle, STRIDE)]

    accepted = [verdict for verdict in verify_lines(lines) if verdict["ok"]]

    assert [] == accepted


@pytest.mark.slow
def test_the_standard_library_verifier_agrees_with_libsodium(chain: Chain) -> None:
    """The `.pyz` checks signatures in plain Python: the same verdicts on sound and mutated bundles."""
    rng = random.Random(SEED + 1)
    for case in generate(rng, [chain.sound(rng) for _ in range(4)], 24):
        verdicts = []
        for check in (signature.is_valid, ed25519.is_valid):
            try:
                trust = None if case.trust is None else parse_trust(case.trust)
                verify_bundle(case.bundle, trust, check)
                verdicts.append("holds")
            except (VerificationError, Malformed) as error:
                verdicts.append(str(error))

        assert verdicts[0] == verdicts[1], case.mutation
