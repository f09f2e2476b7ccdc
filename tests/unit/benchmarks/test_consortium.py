"""The consortium's benchmarks: both sides get alike, what was committed is counted, and nothing is left out unsaid."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.consortium_contest import Loads
from benchmarks.consortium_load import Committed, Loaded
from benchmarks.consortium_saturation import derive_ceiling
from benchmarks.consortium_settings import TOGETHER, derive_choices, find_disagreements
from benchmarks.consortium_sides import MEMBERS, Cpu, make_consortium, without
from benchmarks.consortium_statements import FILLED, Pairs, Sayings
from benchmarks.growth_consortium import Replica
from benchmarks.ledgers import clock_ms
from benchmarks.measured import Table, read_results
from benchmarks.registry import BENCHMARKS
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import ENGINE_VARIABLE
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.cometbft.profile import MAX_PROCS, PROFILE, read_setting, render_settings
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore

RESULTS = Path(__file__).resolve().parents[3] / "docs" / "results.json"


SOME = Cpu(1.0, 2.0)


def loaded(dues_s: tuple[float, ...], commits_s: tuple[float, ...], cpu: Cpu = SOME) -> Loaded:
    """A run whose blocks do not matter."""
    return Loaded(dues_s, commits_s, (Committed(1, len(dues_s), commits_s[-1]),), cpu)


def defaults() -> str:
    """Settings as an engine writes them, all unlike ours: those of the profile and no others."""
    sections: dict[str, list[str]] = {}
    for one in PROFILE:
        section, _, key = one.name.rpartition(".")
        other = not one.value if isinstance(one.value, bool) else one.value
        value = {bool: str(other).lower(), int: "7", str: '"other"'}[type(one.value)]
        sections.setdefault(section, []).append(f"{key} = {value}")
    return "\n".join(f"[{section}]\n" * bool(section) + "\n".join(lines) for section, lines in sections.items())


def test_a_side_that_keeps_up_carries_all_and_one_half_as_fast_carries_half() -> None:
    """A constant delay is no loss of rate; control: commits that spread twice as long as offers are."""
    dues_s = tuple(number / 100 for number in range(100))

    kept = loaded(dues_s, tuple(due + 0.3 for due in dues_s))
    slow = loaded(dues_s, tuple(0.3 + 2 * due for due in dues_s))

    assert pytest.approx([1.0, 0.5]) == [kept.carried_share, slow.carried_share]
    assert pytest.approx([300.0, 300.0]) == [kept.p50_ms, kept.p95_ms]


def test_nobody_carries_more_than_was_offered() -> None:
    """A side that is late at first and then quick would else flatter its ratio."""
    dues_s = tuple(number / 100 for number in range(100))

    assert 1.0 == loaded(dues_s, tuple(1.5 + due / 2 for due in dues_s)).carried_share


def test_a_load_that_ends_in_one_block_was_not_carried_evenly() -> None:
    """An overloaded side that commits all at once, long after, must not pass for one that kept up."""
    dues_s = (0.0, 1.0, 2.0)

    assert 0.5 == loaded(dues_s, (4.0, 4.0, 4.0)).carried_share


def test_the_bound_of_saturation_is_what_the_cores_allow() -> None:
    """Four applications and the kvstore's engines share the cores, each with its own cost of a transaction."""
    four = (0.0, 1.0, 2.0, 3.0)
    ceiling = derive_ceiling(Loads([loaded(four, four, Cpu(9.0, 32.0))], [loaded(four, four, Cpu(4.0, 0.0))]))

    assert (2.0, 1.0) == (ceiling.application_s, ceiling.kvstore_s)
    assert pytest.approx((os.cpu_count() or 1) / (MEMBERS * 2.0 + 1.0)) == ceiling.per_s


def test_both_sides_get_transactions_of_the_same_lengths() -> None:
    """And the kvstore's are of its form, none twice: one `=`, neither first nor last."""
    lengths = [587, 20, 61_339]

    pairs = Pairs().alike([bytes(length) for length in lengths])

    assert lengths == [len(one) for one in pairs]
    assert all(one.count(b"=") == 1 and b":" not in one and not one.endswith(b"=") for one in pairs)
    assert len(pairs) == len(dict.fromkeys(pairs))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["singles", "bodies", "anchors"])
def test_what_the_ledger_is_given_is_accepted_in_any_order(kind: str, tmp_path: Path) -> None:
    """Engines pass transactions on in any order, and a benchmark of refusals would be worthless."""
    NodeHome.create_member(tmp_path / "ledger", make_consortium(MEMBERS), "http://127.0.0.1:26657")
    chain = ReplicatedChain(LedgerStore.open_writer(tmp_path / "ledger"))
    sayings = Sayings()
    given = [*sayings.preparation(), getattr(sayings, kind)(30 if kind == "singles" else 2)[::-1]]

    codes: list[int] = []
    for height, statements in enumerate(given, start=1):
        codes += chain.finalize(height, clock_ms(), statements, ()).codes
        chain.commit()
    chain.store.close()

    assert [0] * sum(map(len, given)) == codes


def test_numbers_go_on_from_run_to_run() -> None:
    """A statement sent twice would be known already and never committed."""
    sayings = Sayings()
    sayings.preparation()

    said = [*sayings.singles(20), *sayings.singles(20)]

    assert len(said) == len(dict.fromkeys(said))
    assert FILLED == 500


@pytest.mark.slow
def test_a_replica_grows_to_the_records_asked_for(tmp_path: Path) -> None:
    """Its blocks are then measured on a state of that size."""
    replica = Replica(tmp_path / "replica")
    try:
        replica.grow_to(2_000, lambda _: None)
        taken_ms = replica.block_ms(blocks=2)
    finally:
        replica.close()
    store = LedgerStore.open_reader(tmp_path / "replica")
    records = sum(1 for _ in store.records())
    store.close()

    assert records >= 2_000
    assert 0 < taken_ms


def test_each_choice_leaves_out_one_setting_and_nothing_else() -> None:
    """Rates belong together; the text that an engine reads differs in the settings named."""
    choices = derive_choices(defaults())
    profile = {one.name: one.value for one in PROFILE}

    for choice in choices:
        tried = {one.name: one.value for one in choice.plan.settings}
        changed = tuple(name for name, value in tried.items() if value != profile[name])
        threads = () if choice.plan.threads == MAX_PROCS else ("GOMAXPROCS",)

        assert choice.names == (*changed, *threads)
    assert len(TOGETHER) + 3 == len(choices)


def test_a_choice_of_a_setting_that_is_gone_is_refused() -> None:
    """A benchmark that changed nothing would find that nothing matters."""
    with pytest.raises(OperationalError, match=r"the profile sets no consensus\.timeout_comit"):
        without(PROFILE, "consensus.timeout_comit", "1s")


def test_the_table_of_settings_is_of_the_profile_there_is() -> None:
    """Control: a table of another pace is told; then the page's own."""
    pace = next(one for one in PROFILE if one.name == "consensus.timeout_commit")
    heading, first = ("setting", "profile"), ("the profile", "as it is")
    right = Table(heading, (first, (f"`{pace.name}`", str(pace.value)), ("`GOMAXPROCS`", str(MAX_PROCS))))
    wrong = Table(heading, (first, (f"`{pace.name}`", "3s"), ("`GOMAXPROCS`", "1")))

    assert ([], [pace.name, "GOMAXPROCS"]) == (find_disagreements(right), find_disagreements(wrong))
    assert [] == [name for row in read_results(RESULTS) if row.table for name in find_disagreements(row.table)]


def test_the_text_of_the_settings_is_the_engines_own_with_ours_in_place() -> None:
    """The table's choices reach the engine as it reads them."""
    profile = {one.name: one.value for one in PROFILE}
    plan = next(one.plan for one in derive_choices(defaults()) if one.names == ("mempool.recheck",))
    document = tomllib.loads(render_settings(defaults(), plan.settings))

    assert (not profile["mempool.recheck"], profile["consensus.timeout_commit"]) == (
        read_setting(document, "mempool.recheck"),
        read_setting(document, "consensus.timeout_commit"),
    )


def test_without_the_engine_its_benchmarks_are_named_as_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Never in silence: what was asked for and cannot be measured ends with a sentence and a failure."""
    monkeypatch.setenv(ENGINE_VARIABLE, str(tmp_path / "nowhere"))
    needing = [one for one in BENCHMARKS if one.needs_engine]

    assert 1 == main(["--quick", "--only", "consortium.saturation"])
    assert "left out: consortium.saturation, consortium.bodies" in capsys.readouterr().err
    assert all("make network-engine" in str(one.missing(os.environ)) for one in needing)
    assert 4 == len(needing)
