"""An export package says what its proofs say: every flipped byte, foreign proof or stale paper is refused or told."""

from __future__ import annotations

import json
import re
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.attestation import Method, Predicate, Standard
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.passport.acceptance import judge
from cellvow.passport.access import may_take_package
from cellvow.passport.view import OWNER, PUBLIC, Audience, Reader, Scope
from cellvow.workspace import commands, parts
from cellvow.workspace.clock import now_ms
from cellvow.workspace.export_archive import encode_archive, parse_archive
from cellvow.workspace.export_index import PAPERS, Component, derive_index
from cellvow.workspace.export_package import Package, Wish, derive_package, make_package, read_index, verify_package
from cellvow.workspace.export_sheet import draw_sheet
from cellvow.workspace.export_words import load_words
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.verdicts import load_policy, record_verdict, today
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import BATTERY, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

SUMMARY: dict[str, Json] = {"bytes": 10, "quantity": "test_summary", "sha256": "ab" * 32}
CHARGE: dict[str, Json] = {"quantity": "state_of_charge", "unit": "permille", "value": 280, "class": "measured"}
OTHER = BATTERY[:-1] + "2"
REGISTERS = ("custody", "ownership", "responsibility")


@dataclass
class Border:
    """A ledger on which the maker handed a battery to the buyer, who exports it."""

    world: DeskWorld

    @contextmanager
    def acting(self, name: str) -> Iterator[tuple[LedgerSession, Workspace]]:
        """A member's turn at the ledger, published at its end."""
        with (
            closing(Workspace(self.world.folder / name)) as space,
            NodeHome(self.world.folder / "node").open_session(now_ms) as session,
        ):
            yield session, space
            session.publish()

    def attest(self, name: str, **said: Any) -> None:  # noqa: ANN401 - whatever an attestation may say
        """A member attests."""
        with self.acting(name) as (session, space):
            moment = max(session.engine.head.time_ms, 1)
            document = said.pop("document")
            filled = {
                "battery": BATTERY,
                "evidence_class": "declared",
                "method": Method(name="reading", version="1"),
                "tested_from_ms": moment,
                "tested_until_ms": moment,
                "declarations": (commands.Declaration(document["quantity"], document),),
            }
            commands.attest(session, space, commands.Attestation(**{**filled, **said}))

    def hand_over(self, giver: str, taker: str, battery: str = BATTERY, registers: tuple[str, ...] = REGISTERS) -> None:
        """One offers, the other accepts."""
        with self.acting(giver) as (session, space):
            commands.offer_handover(session, space, battery, taker, registers)
        with self.acting(taker) as (session, space):
            commands.answer_handover(session, space, battery, "accept")

    def make(self, name: str = "buyer", battery: str = BATTERY, wish: Wish | None = None) -> Package:
        """What a member exports."""
        with closing(Workspace(self.world.folder / name)) as space:
            return make_package(PassportReader(space.home(), space), battery, wish or Wish(disclose=None))

    def prove(self, kind: str, name: str = "buyer") -> bytes:
        """The proof of the newest message of a type, with what a package asks for; the member may take it."""
        with (
            closing(Workspace(self.world.folder / name)) as space,
            PassportReader(space.home(), space).opened(BATTERY, OWNER) as opened,
        ):
            assert opened is not None
            found = [one for one in opened.recorded if type(one.message).__name__ == kind][-1]
            records = [f"organisation/{found.organisation}"]
            return opened.prove((found.statement, found.index), (), records)

    def verify(self, data: bytes) -> Package:
        """What somebody with the trust file finds."""
        return verify_package(data, NodeHome(self.world.folder / "node").trust, is_valid)


def found(folder: Path, ruleset: int = 1) -> Border:
    """The battery in the buyer's hands, with the papers of transport and a verdict; no certificate yet."""
    border = Border(DeskWorld.found(folder, ruleset))
    with border.acting("maker") as (session, space):
        commands.register_battery(session, space, OTHER, "2026-05-17", "Plant 1")
    border.hand_over("maker", "buyer")
    refer(border, "TS-1", "maker")
    predicate = Predicate(quantity="state_of_charge", comparison="at_most", threshold=300)
    border.attest("buyer", reference="SOC-1", document=CHARGE, evidence_class="measured", predicates=(predicate,))
    with border.acting("buyer") as (session, space):
        passport = PassportReader(space.home(), space).passport(BATTERY, OWNER)
        assert passport is not None
        judgement = judge(passport, load_policy("second_life_intake"), today=today())
        record_verdict(session, space, judgement, "V-1")
    return border


def refer(border: Border, reference: str, name: str, **said: Any) -> None:  # noqa: ANN401 - see `Border.attest`
    """A member refers to a transport test."""
    standard = Standard(name="UN 38.3", edition="Rev.8")
    border.attest(name, reference=reference, standard=standard, document=SUMMARY, **said)


@pytest.fixture(scope="module")
def border(tmp_path_factory: pytest.TempPathFactory) -> Border:
    """A ledger that no test changes."""
    return found(tmp_path_factory.mktemp("border"))


@pytest.fixture(scope="module")
def package(border: Border) -> Package:
    """What the buyer exports, with every value he knows."""
    return border.make()


@pytest.fixture
def changing(tmp_path: Path) -> Border:
    """A ledger that a test may change."""
    return found(tmp_path)


def lacking(package: Package) -> dict[str, str]:
    """The missing papers, and why."""
    return {str(one["paper"]): str(one["why"]) for one in package.missing}


def held(package: Package) -> dict[str, dict[str, Any]]:
    """The papers there are."""
    papers: Any = package.index["papers"]
    return {one["paper"]: one for one in papers}


def repacked(package: Package, **changed: bytes | None) -> bytes:
    """The package as somebody would pack it who knows the form: members replaced, added or taken out (None)."""
    members = dict(parse_archive(package.data))
    for name, content in changed.items():
        member = name if "." in name else f"{name}.cvb"
        members.pop(member, None)
        if content is not None:
            members[member] = content
    return encode_archive(members)


def derived(border: Border, bundles: dict[str, bytes]) -> Package:
    """A package of any bundles, derived as the product derives it: its index and page fit them."""
    return derive_package(bundles, NodeHome(border.world.folder / "node").trust, is_valid)


def bundles_of(package: Package) -> dict[str, bytes]:
    """The proofs in a package."""
    return {name: content for name, content in parse_archive(package.data).items() if name.endswith(".cvb")}


def test_a_sound_package_holds_and_says_what_was_recorded(border: Border, package: Package) -> None:
    """The control of all that follows."""
    found_again = border.verify(package.data)

    assert package.index == found_again.index
    assert {"certificate": "missing"} == lacking(package)
    assert ("measured", 0) == (held(package)["state_of_charge"]["class"], held(package)["state_of_charge"]["age_days"])
    assert ("re_test", "in force") == tuple(held(package)["verdict"][name] for name in ("verdict", "standing"))
    assert BATTERY == package.index["battery"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_every_flipped_byte_of_the_file_is_refused(border: Border, package: Package, data: st.DataObject) -> None:
    """As a line or a disk flips it: the archive's checksums stand."""
    place = data.draw(st.integers(0, len(package.data) - 1))
    change = data.draw(st.integers(1, 255))
    flipped = package.data[:place] + bytes([package.data[place] ^ change]) + package.data[place + 1 :]

    with pytest.raises(VerificationError):
        border.verify(flipped)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_every_flipped_byte_of_a_member_is_refused(border: Border, package: Package, data: st.DataObject) -> None:
    """As a forger flips it, who packs the archive anew with checksums that fit."""
    members = parse_archive(package.data)
    name = data.draw(st.sampled_from(sorted(members)))
    content = members[name]
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]

    with pytest.raises(VerificationError):
        border.verify(repacked(package, **{name: flipped}))


@pytest.mark.parametrize("name", ["index.json", "passport.html", "README.txt"])
def test_it_is_the_comparison_that_refuses_another_text(border: Border, package: Package, name: str) -> None:
    """Control: the proofs of the same package still hold; only what people and programs read was changed."""
    spoiled = repacked(package, **{name: parse_archive(package.data)[name] + b" "})

    assert (
        package.index
        == derived(border, {n: c for n, c in parse_archive(spoiled).items() if n in bundles_of(package)}).index
    )
    with pytest.raises(VerificationError, match=name):
        border.verify(spoiled)


def test_an_index_that_says_more_than_the_proofs_is_refused(border: Border, package: Package) -> None:
    """A package that calls itself complete."""
    lie = encode_document({**package.index, "missing": []})

    with pytest.raises(VerificationError, match=r"index\.json"):
        border.verify(repacked(package, **{"index.json": lie}))


@pytest.mark.parametrize("paper", ["verdict", "un38_3", "state_of_charge"])
def test_a_package_derived_without_a_paper_says_that_it_is_missing(
    border: Border, package: Package, paper: str
) -> None:
    """Who takes a proof out, and derives the rest, has a package that admits it."""
    bundles = bundles_of(package)
    del bundles[f"{paper}.cvb"]
    poorer = border.verify(derived(border, bundles).data)

    assert {"certificate", paper} == set(lacking(poorer))
    assert paper not in held(poorer)


@pytest.mark.parametrize("file", ["register_1.cvb", "offer_1.cvb"])
def test_no_package_leaves_out_who_holds_owns_and_answers(border: Border, package: Package, file: str) -> None:
    """Both signatures are part of every package."""
    bundles = bundles_of(package)
    del bundles[file]

    with pytest.raises(VerificationError):
        derived(border, bundles)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("certificate.cvb", "state_of_charge.cvb"),
        ("certificate.cvb", "verdict.cvb"),
        ("un38_3.cvb", "state_of_charge.cvb"),
        ("state_of_charge.cvb", "un38_3.cvb"),
        ("verdict.cvb", "un38_3.cvb"),
        ("register_1.cvb", "offer_1.cvb"),
        ("offer_1.cvb", "register_1.cvb"),
        ("offer_2.cvb", "offer_1.cvb"),
        ("more.cvb", "offer_1.cvb"),
    ],
)
def test_a_proof_in_another_ones_place_is_refused(border: Border, package: Package, file: str, source: str) -> None:
    """Each holds by itself; it is not what its name says."""
    bundles = bundles_of(package)

    with pytest.raises(VerificationError):
        derived(border, {**bundles, file: bundles[source]})


def test_the_papers_of_another_unit_or_another_moment_are_refused(changing: Border) -> None:
    """A sound paper of a sister unit, and an old paper beside newer registers."""
    before = bundles_of(changing.make())
    changing.hand_over("maker", "buyer", OTHER)
    changing.attest("buyer", battery=OTHER, reference="SOC-2", document=CHARGE)
    now, sister = bundles_of(changing.make()), bundles_of(changing.make(battery=OTHER))

    assert changing.verify(derived(changing, now).data).index["battery"] == BATTERY
    with pytest.raises(VerificationError, match="about another unit"):
        derived(changing, {**now, "state_of_charge.cvb": sister["state_of_charge.cvb"]})
    with pytest.raises(VerificationError, match="another moment"):
        derived(changing, {**now, "state_of_charge.cvb": before["state_of_charge.cvb"]})


def test_a_revoked_reference_is_not_relied_on(changing: Border) -> None:
    """Named as such, not dropped; the newest that holds is taken instead once there is one."""
    with changing.acting("maker") as (session, space):
        commands.revoke_attestation(session, space, BATTERY, "TS-1", "error")
    revoked = changing.verify(changing.make().data)
    refer(changing, "TS-2", "lab")

    assert "not to be relied on: revoked" == lacking(revoked)["un38_3"]
    assert "revoked" == held(revoked)["un38_3"]["standing"]
    assert "TS-2" == held(changing.make())["un38_3"]["reference"]
    named = changing.make(wish=Wish({"un38_3": ("maker", "TS-1")}))
    assert "TS-1" == held(named)["un38_3"]["reference"]


def test_a_reference_by_neither_maker_nor_laboratory_is_none(changing: Border) -> None:
    """The exporter cannot vouch for the transport test himself."""
    with changing.acting("maker") as (session, space):
        commands.revoke_attestation(session, space, BATTERY, "TS-1", "error")
    refer(changing, "TS-9", "buyer")

    assert "TS-1" == held(changing.make())["un38_3"]["reference"]
    with pytest.raises(OperationalError, match="buyer/TS-9"):
        changing.make(wish=Wish({"un38_3": ("buyer", "TS-9")}))
    bundles = bundles_of(changing.make())
    with pytest.raises(VerificationError, match="neither the maker nor a laboratory"):
        derived(changing, {**bundles, "un38_3.cvb": changing.prove("IssueAttestation")})
    refer(changing, "TS-8", "lab")
    bundles = bundles_of(changing.make())
    by_laboratory = derived(changing, {**bundles, "un38_3.cvb": changing.prove("IssueAttestation")})
    assert "lab" == held(by_laboratory)["un38_3"]["issuer"]


def test_a_unit_that_was_never_handed_over_and_one_split_between_three_are_both_shown(changing: Border) -> None:
    """One register entry from the birth, or several hand-overs: every statement once, each with both sides."""
    born = changing.make("maker", OTHER)
    changing.hand_over("buyer", "lab", registers=("custody",))
    split = changing.verify(changing.make().data)
    registers: Any = split.index["registers"]

    assert {"register_1.cvb"} == set(bundles_of(born))
    assert [None] * 3 == [one["offer"] for one in born.index["registers"]]  # type: ignore[union-attr, index, call-overload]
    assert {"certificate", "verdict", "un38_3", "state_of_charge"} == set(lacking(born))
    assert ["lab", "buyer", "buyer"] == [one["organisation"] for one in registers]
    assert ["buyer", "maker", "maker"] == [one["offered_by"] for one in registers]
    assert {"register_1.cvb", "register_2.cvb", "offer_1.cvb", "offer_2.cvb"} < set(bundles_of(split))


def test_a_withdrawn_offer_is_not_the_one_that_was_accepted(changing: Border) -> None:
    """The last offer before the acceptance."""
    with changing.acting("buyer") as (session, space):
        commands.offer_handover(session, space, BATTERY, "maker", ("custody",))
        commands.answer_handover(session, space, BATTERY, "withdraw")
    changing.hand_over("buyer", "lab", registers=("custody",))
    registers: Any = changing.verify(changing.make().data).index["registers"]

    assert ("lab", "buyer", "lab") == tuple(
        registers[0][name] for name in ("organisation", "offered_by", "accepted_by")
    )


def test_values_are_opened_only_as_far_as_they_were_wished_and_known(border: Border) -> None:
    """The buyer knows his own; the maker's document only if the maker showed it."""
    closed = border.make(wish=Wish())
    some = border.make(wish=Wish(disclose=("state_of_charge",)))

    assert {name: [] for name in held(closed)} == {name: one["disclosed"] for name, one in held(closed).items()}
    assert ["state_of_charge"] == [o["quantity"] for one in held(some).values() for o in one["disclosed"]]
    assert 280 == held(some)["state_of_charge"]["disclosed"][0]["value"]
    with pytest.raises(OperationalError, match="test_summary"):
        border.make(wish=Wish(disclose=("test_summary",)))


def test_only_the_owner_may_take_a_package(border: Border) -> None:
    """It holds hand-overs and verdicts, which are the members': no grant reaches them."""
    granted = Reader(Audience.PURCHASER, frozenset(Scope))
    with closing(Workspace(border.world.folder / "buyer")) as space:
        source = PassportReader(space.home(), space)
        for reader in (PUBLIC, granted):
            assert not may_take_package(reader)
            with pytest.raises(OperationalError, match="only an owner"):
                make_package(source, BATTERY, Wish(), reader)
        with pytest.raises(Rejected):
            make_package(source, BATTERY[:-1] + "9", Wish())


def test_without_a_trust_file_it_is_consistent_and_flips_are_still_refused(package: Package) -> None:
    """Anchored to nothing, and no looser in what it takes."""
    assert package.index == verify_package(package.data, None, is_valid).index
    with pytest.raises(VerificationError):
        verify_package(repacked(package, verdict=None), None, is_valid)


def test_foreign_text_is_text_on_the_page(package: Package) -> None:
    """The maker's name holds a script; the buyer's a formula and letters that turn the text."""
    page = parse_archive(package.data)["passport.html"].decode()
    tags = set(re.findall(r"<([a-z0-9]+)", page))

    assert "script" not in tags
    assert "<bdi>" in page
    assert "&lt;script&gt;alert(1)" in page


def test_every_paper_has_a_remedy_and_the_index_is_readable_without_checking(package: Package) -> None:
    """`show` reads it as it is."""
    index, members = read_index(package.data)

    assert package.index == index == json.loads(members["index.json"])
    assert "certificate" in PAPERS
    assert all("can supply it with: cellvow" in str(one["remedy"]) for one in package.missing)


def test_a_dispute_on_the_units_record_and_a_suspect_key_are_said(package: Package) -> None:
    """Whoever derives the package from the proofs cannot leave out what they show."""
    disputes: dict[str, Json] = {f"disputes/{BATTERY}": {"disputes": [{"organisation": "lab", "reference": "D-1"}]}}
    components = [Component(name, data, package.verified[name]) for name, data in bundles_of(package).items()]
    shown = [
        replace(one, verified=replace(one.verified, records={**one.verified.records, **disputes}, suspect=True))
        for one in components
    ]
    index = derive_index(shown, "en")
    page = draw_sheet(index, load_words("en"))

    assert [] == derive_index(components, "en")["disputes"]
    assert ["lab/D-1"] == index["disputes"]
    assert {*PAPERS} == {str(one["paper"]) for one in index["missing"]}  # type: ignore[union-attr, index, call-overload]
    assert "Disputed: lab/D-1" in page
    assert "beware, a signer&#x27;s key is suspect" in page


def test_a_part_is_exported_with_the_unit_it_is_in(tmp_path: Path, package: Package) -> None:
    """Its own registers rest: who sold the whole cannot take it, or its parts, across the border as his."""
    changing = found(tmp_path, NEWEST)
    with changing.acting("maker") as (session, space):
        parts.describe_model(session, space, BATTERY.split("/")[1], "pack", 96)
    changing.hand_over("maker", "buyer", OTHER)
    with changing.acting("buyer") as (session, space):
        parts.install_part(session, space, BATTERY, OTHER)

    with pytest.raises(Rejected) as refusal:
        changing.make(battery=OTHER)
    assert refusal.value.reason is Reason.PART_OF_ANOTHER
    assert changing.make().index["battery"] == BATTERY

    shown = [Component(name, data, package.verified[name]) for name, data in bundles_of(package).items()]
    unit: dict[str, Json] = {f"battery/{BATTERY}": {"part_of": OTHER}}
    inside = [replace(one, verified=replace(one.verified, records={**one.verified.records, **unit})) for one in shown]
    with pytest.raises(VerificationError, match="a part of"):
        derive_index(inside, "en")
