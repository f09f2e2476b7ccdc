"""Twelve attacks on a demonstration, really carried out: each is noticed, and by nobody who cannot see it (T01)."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.cli.demonstration import describe_attacks, find_exit_code, tabulate_attacks
from cellvow.core.contracts.register import OWNERSHIP, register_key
from cellvow.core.primitives.errors import OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.store import LEDGER_FILE
from cellvow.verify import parse_bundle, verify_bundle
from cellvow.workspace.attacks import ATTACKS, OUTSIDE, RULES, Attack, Noticed, Scene, run_attacks, watch
from cellvow.workspace.demo import BATTERY, Demo, DemoInput, run_demo

if TYPE_CHECKING:
    from collections.abc import Iterator

PURCHASER, TRUSTING, WITNESS, REPLAYING, MEMBER, ARCHIVE, FSCK = OUTSIDE
BY_NAME = {attack.name: attack for attack in ATTACKS}
EXECUTING = {REPLAYING, MEMBER, FSCK}
"""Those who apply every block anew."""
REMEMBERING = {WITNESS, REPLAYING, MEMBER, ARCHIVE}
"""Those who know what the log said before."""
READING = {PURCHASER, TRUSTING}
"""Those who check one bundle."""
NOTICED_BY = {
    "alter_record": {*READING, FSCK},
    "rewrite_history": {PURCHASER, *REMEMBERING},
    "split_view": {PURCHASER, *REMEMBERING},
    "roll_back": REMEMBERING,
    "invent_laboratory": {*READING, *EXECUTING},
    "forge_state": EXECUTING,
    "replay_statement": {*READING, *EXECUTING, RULES},
    "steal_key": {*READING, RULES},
    "swap_message": READING,
    "weaken_signature": {*READING, *EXECUTING, RULES},
    "claim_serial": {RULES},
    "propose_bent_block": EXECUTING,
}
"""Whoever is not named here looked too, and saw nothing."""


def silent(_line: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demonstration on a simulated measurement."""
    made = run_demo(tmp_path_factory.mktemp("attacked") / "demo", DemoInput(cache=Path("nowhere")), silent)
    yield made
    made.close()


@pytest.fixture(scope="module")
def noticed(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Noticed]:
    """Every attack, with everybody looking."""
    ledger = (demo.ledger / LEDGER_FILE).read_bytes()
    results = run_attacks(demo.folder, tmp_path_factory.mktemp("attacks"), silent)
    assert ledger == (demo.ledger / LEDGER_FILE).read_bytes(), "the demonstration itself was touched"
    return {one.attack.name: one for one in results}


def attack_again(demo: Demo, folder: Path, attack: Attack, *parties: str) -> Noticed:
    """One attack with these parties looking."""
    [result] = run_attacks(demo.folder, folder, silent, parties, [attack])
    return result


@pytest.mark.slow
def test_each_of_twelve_attacks_is_noticed(noticed: dict[str, Noticed]) -> None:
    """12 of 12, and each by exactly those who can see it."""
    assert 12 == len(noticed)
    assert NOTICED_BY == {name: set(one.by) for name, one in noticed.items()}
    assert 0 == find_exit_code(list(noticed.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_NAME)
def test_who_is_said_to_be_blind_did_look(noticed: dict[str, Noticed], name: str) -> None:
    """Noticed or not, every party from outside gave its answer."""
    one = noticed[name]

    assert set(OUTSIDE) == {*one.blind, *one.by} - {RULES}
    assert one.took_ms is not None


WORDS = {
    ("alter_record", FSCK): "somebody edited it",
    ("rewrite_history", WITNESS): "3 of 3: the witness holds",
    ("split_view", WITNESS): "both are kept as evidence",
    ("roll_back", ARCHIVE): "the ledger was rolled back",
    ("invent_laboratory", PURCHASER): "no witness that re-executes the blocks vouches for the state",
    ("invent_laboratory", FSCK): "no key with this identifier is registered",
    ("forge_state", REPLAYING): "its time, place or state root",
    ("replay_statement", PURCHASER): "signed for another ledger",
    ("steal_key", PURCHASER): "suspect: the signer's key counts as compromised since",
    ("swap_message", PURCHASER): "the message is not the batch's",
    ("weaken_signature", RULES): "not a point of the prime-order group",
    ("claim_serial", RULES): "the model is registered already",
    ("propose_bent_block", MEMBER): "does not follow the last one",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "party"), WORDS)
def test_what_was_noticed_is_what_was_done(noticed: dict[str, Noticed], name: str, party: str) -> None:
    """The words are about the attack, not about something that broke beside it."""
    assert WORDS[name, party] in noticed[name].by[party]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["alter_record", "roll_back", "invent_laboratory", "forge_state", "swap_message"])
def test_control_without_those_who_can_see_it_an_attack_goes_unnoticed(demo: Demo, tmp_path: Path, name: str) -> None:
    """Only the blind look: nothing is noticed, the table says so, and the command would fail."""
    blind = [party for party in OUTSIDE if party not in NOTICED_BY[name]]
    result = attack_again(demo, tmp_path, BY_NAME[name], *blind)

    assert {} == result.by
    assert tuple(blind) == result.blind
    assert 1 == find_exit_code([result])
    assert "NOBODY" in str(tabulate_attacks([result]))


@pytest.mark.slow
def test_control_an_honest_ledger_alarms_nobody(demo: Demo, tmp_path: Path) -> None:
    """The same parties look at a copy that goes on without an attack."""
    scene = Scene(demo.folder, tmp_path / "honest")
    looks = watch(scene, demo.bundle.read_bytes(), OUTSIDE)

    assert dict.fromkeys(OUTSIDE) == {look.party: look.words for look in looks}


@pytest.mark.slow
def test_a_forged_state_convinces_a_purchaser_until_a_witness_executes(demo: Demo, tmp_path: Path) -> None:
    """The limit of a witness who only sees the log grow: the bundle proves an owner whom no statement named."""
    scene = Scene(demo.folder, tmp_path / "forged")
    deed = BY_NAME["forge_state"].carry_out(scene, silent)
    verified = verify_bundle(deed.bundle, scene.trust, is_valid)
    owner = verified.records[register_key(OWNERSHIP, BATTERY)]

    assert isinstance(owner, dict)
    assert "authority" == owner["organisation"]
    assert 3 == len(verified.cosigned_by)
    assert "not cosigned" in str(scene.ask_replaying_witness().reason)


@pytest.mark.slow
def test_an_invented_key_is_vouched_for_by_the_state_alone(demo: Demo, tmp_path: Path) -> None:
    """Genesis, which names the laboratory, does not lead to this key: whoever wants a witness that executes refuses it.

    Naming one of the watching witnesses as such is the way to be deceived; the one that executes does not cosign.
    """
    scene = Scene(demo.folder, tmp_path / "invented")
    deed = BY_NAME["invent_laboratory"].carry_out(scene, silent)
    true = verify_bundle(demo.bundle.read_bytes(), scene.trust, is_valid)
    credulous = replace(scene.trust, replaying=(scene.trust.witnesses[0].name,))
    believed = verify_bundle(deed.bundle, credulous, is_valid)

    assert ("laboratory", "genesis") == (true.organisation, true.admitted_by)
    assert ("laboratory", "state") == (believed.organisation, believed.admitted_by)
    with pytest.raises(VerificationError, match="ask for a checkpoint that a witness which re-executes has cosigned"):
        verify_bundle(deed.bundle, scene.trust, is_valid)
    assert "not cosigned" in str(scene.ask_replaying_witness().reason)


@pytest.mark.slow
def test_whoever_comes_first_has_the_number_and_the_other_claim_is_kept(demo: Demo, tmp_path: Path) -> None:
    """What is shown of a contested serial number: the first claimant, his name, and the rejected claim beside it."""
    scene = Scene(demo.folder, tmp_path / "claimed")
    deed = BY_NAME["claim_serial"].carry_out(scene, silent)
    first = verify_bundle(deed.bundle, scene.trust, is_valid)
    with closing(scene.home().open_reader()) as store:
        block = store.last_block()
        assert block is not None
        claims = store.statements(block.first_leaf, block.statements)

    assert "buyer" == first.organisation
    assert ["buyer", "packmaker"] == [one.statement.envelope.organisation for one in claims]
    assert [True, False] == [b'"accepted"' in one.outcomes[0] for one in claims]
    assert 1 == parse_bundle(deed.bundle).statement.batch.index  # type: ignore[union-attr]  # it is a batch's


@pytest.mark.slow
def test_the_document_holds_what_the_table_shows(noticed: dict[str, Noticed]) -> None:
    """`--json` names each attack with what is done, who noticed it after how long, and who did not."""
    document = json.loads(json.dumps(describe_attacks(list(noticed.values()))))
    table = str(tabulate_attacks(list(noticed.values())))

    assert list(BY_NAME) == list(document)
    assert "12 of 12 attacks were noticed" in table
    for name, one in document.items():
        assert NOTICED_BY[name] == set(one["noticed_by"])
        assert set(OUTSIDE) - NOTICED_BY[name] == set(one["not_noticed_by"])
        assert all(look["words"] and look["took_ms"] >= 0 for look in one["noticed_by"].values())
        assert name.replace("_", " ") in table


def test_the_twelve_cover_the_threats_they_stand_for() -> None:
    """Rows 1-3, 7-9 and 11-13 of the threat model, and the capability that nothing recorded is altered."""
    covered = {threat for attack in ATTACKS for threat in attack.threats}

    assert {"T01", "1", "2", "3", "7", "8", "9", "11", "12", "13"} == covered


def test_an_attack_on_no_demonstration_says_so(tmp_path: Path) -> None:
    """Whoever points it at another folder gets a sentence."""
    with pytest.raises(OperationalError, match="cellvow demo"):
        run_attacks(tmp_path, tmp_path / "scratch", silent)
