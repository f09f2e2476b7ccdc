"""`cellvow correct`: what was mistyped is mended, whatever has happened to the unit since."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.assembly import BuildRecord, build_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Record, decode_record
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace.parts import describe_model, install_part
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeVar

    Kept = TypeVar("Kept", bound=Record)

pytestmark = pytest.mark.slow
MODULE_GTIN, PACK_GTIN = "04012345123470", "04012345123487"
MODULE, PACK = f"01/{MODULE_GTIN}/21/MODULE-1", f"01/{PACK_GTIN}/21/PACK-1"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """A pack with a module in it; a third model that is described, of which there is no unit."""
    deciding = make_deciding(tmp_path, monkeypatch, roles=("manufacturer",))
    maker = Workspace(deciding.folder / "maker")
    with NodeHome(deciding.folder / "node").open_session(lambda: deciding.now_ms) as session:
        for gtin, level, cells in ((MODULE_GTIN, "module", 4), (PACK_GTIN, "pack", 9), (messages.GTIN, "module", 4)):
            commands.register_model(session, maker, replace(messages.model(gtin), mass_g=4_000))
            describe_model(session, maker, gtin, level, cells)
        commands.submit_batch(session, maker, [messages.battery(unit) for unit in (PACK, MODULE)])
        install_part(session, maker, PACK, MODULE, "slot 1")
    maker.close()
    return deciding


def kept(ledger: Deciding, kind: type[Kept], key: str) -> Kept:
    """A record as it stands."""
    store = NodeHome(ledger.folder / "node").open_reader()
    value = store.get(key)
    store.close()
    assert value is not None
    return decode_record(kind, value)


def test_cells_are_corrected_while_the_level_stays(ledger: Deciding) -> None:
    """A pack of 96 cells was typed as one of 9; units of it are in use."""
    said = ledger.read("correct", "description", PACK_GTIN, "--cells", "96", who="maker")
    level = ledger.run("correct", "description", PACK_GTIN, "--level", "module", who="maker")
    build = kept(ledger, BuildRecord, build_key(PACK_GTIN))

    assert f"The description of model {PACK_GTIN} is corrected." in said
    assert (build.level, build.cells) == ("pack", 96)
    assert (level.exit_code, "code 1312" in level.stderr) == (3, True)


def test_a_level_is_corrected_before_any_unit_is_in_a_tree(ledger: Deciding) -> None:
    """What is not said stays as it stood."""
    ledger.do("correct", "description", messages.GTIN, "--level", "pack", "--cause", "wrong_value", who="maker")
    build = kept(ledger, BuildRecord, build_key(messages.GTIN))

    assert (build.level, build.cells, build.version) == ("pack", 4, 2)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((PACK_GTIN,), 2, "--level or --cells"),
        ((messages.OTHER_GTIN, "--cells", "4"), 3, "code 1306"),
        ((PACK_GTIN, "--cells", "0"), 2, "--cells"),
    ],
)
def test_a_correction_that_corrects_nothing_is_explained(
    ledger: Deciding, words: tuple[str, ...], code: int, said: str
) -> None:
    """With what is missing."""
    result = ledger.run("correct", "description", *words, who="maker")

    assert (result.exit_code, said in result.stderr) == (code, True)


def test_a_birth_is_corrected_after_the_record_has_changed(ledger: Deciding) -> None:
    """The module was built into a pack since: it is its birth's statement that is corrected, not the last one."""
    born = kept(ledger, BatteryRecord, battery_key(MODULE)).born
    ledger.do("correct", "birth", MODULE, "--facility", "Plant 2", who="maker")
    record = kept(ledger, BatteryRecord, battery_key(MODULE))

    assert (record.facility, record.part_of, record.corrects) == ("Plant 2", PACK, born)


def test_a_ledger_of_an_earlier_ruleset_says_which_one_has_the_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is signed, and the vote that helps is named."""
    old = make_deciding(tmp_path, monkeypatch, ruleset=2)
    words = ("vote", "propose", "roles", "lab", "--role", "producer_responsibility_organisation")
    refused = old.run(*words, who="maker")
    old.do("vote", "propose", "ruleset", "3", "--ref", "NEW", who="maker")
    for who in ("maker", "buyer", "lab"):
        old.do("vote", "cast", "maker/NEW", "--approve", who=who)

    assert (refused.exit_code, "vote propose ruleset 3" in " ".join(refused.stderr.split())) == (5, True)
    assert old.do(*words, who="maker")["proposal"]["change"]["roles"] == ["producer_responsibility_organisation"]
