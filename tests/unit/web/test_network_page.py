"""The network's page: well formed and small, plain sentences first, nothing that acts, whatever is in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.change import (
    Accredit,
    ActivateRuleset,
    AdmitMember,
    AdmitValidator,
    Change,
    ChangeRoles,
    Distrust,
    RemoveMember,
    RemoveValidator,
    Scope,
    SetParameter,
)
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.web import LOCALES
from cellvow.web.blocks_page import ChainLinks
from cellvow.web.network_page import PROPOSALS_MAX, render_network
from cellvow.web.network_picture import NUMBERED_MAX, draw_ring
from cellvow.web.network_wording import word_change
from cellvow.web.wording import Wording
from cellvow.workspace.governing import ProposalView
from cellvow.workspace.network_view import NetworkReader, NetworkView, ValidatorView
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import HOSTILE
from tests.unit.workspace.busy_member import make_busy_member
from tests.world import DAY_MS, GENESIS_MS

if TYPE_CHECKING:
    from collections.abc import Iterator

LINKS = ChainLinks("/", (("en", "/network?lang=en"), ("de", "/network?lang=de")), lambda path: path)
BYTES_MAX = 25_000
CHANGES: tuple[Change, ...] = (
    AdmitMember(organisation="newcomer", name="Newcomer", roles=("operator",), root_keys=("ab" * 32,)),
    RemoveMember(organisation="carrier"),
    ChangeRoles(organisation="carrier", roles=("operator", "buyer")),
    ChangeRoles(organisation="carrier", roles=("producer_responsibility_organisation",)),
    Accredit(organisation="lab", accreditations=()),
    Accredit(
        organisation="lab",
        accreditations=(
            Scope(standard="IEC 62660-1", edition="2018", quantities=("capacity",), valid_until_ms=GENESIS_MS),
        ),
    ),
    AdmitValidator(organisation="lab", public_key="ab" * 32, power=10),
    RemoveValidator(public_key="ab" * 32),
    SetParameter(name="threshold.member", amount=3, out_of=4),
    SetParameter(name="voting_ms_max", amount=30 * DAY_MS),
    SetParameter(name="proposals_open_max", amount=4),
    ActivateRuleset(ruleset=NEWEST),
    ActivateRuleset(ruleset=999),
    Distrust(kid="ab" * 16, since_ms=GENESIS_MS),
)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkView]:
    """Everything at once."""
    member = make_busy_member(tmp_path_factory.mktemp("busy"))
    yield NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine, others={}).view()
    member.close()


def proposal(change: Change, **changed: object) -> ProposalView:
    """An open proposal."""
    view = ProposalView(
        organisation="maker",
        reference="P-1",
        change=change,
        state="open",
        effective_height=0,
        closes_ms=GENESIS_MS,
        proposed_ms=GENESIS_MS,
        approvals=(),
        refusals=(),
        silent=(),
        needed=3,
    )
    return replace(view, **changed)  # type: ignore[arg-type]  # fields of tests


@pytest.mark.parametrize("language", LOCALES)
def test_the_page_is_well_formed_and_small(busy: NetworkView, language: str) -> None:
    """In each language, with votes, a recovery and evidence."""
    page = render_network(busy, locale=language, links=LINKS)

    assert [] == shape_faults(Page(page))
    assert len(page.encode()) <= BYTES_MAX


def test_what_will_change_is_said_with_its_block(busy: NetworkView) -> None:
    """And how far off that is."""
    text = Page(render_network(busy, links=LINKS)).text

    assert "From block 40 on: secondlife validates blocks with key" in text
    assert "In about 36 blocks." in text
    assert "2 more approvals are missing; 3 decide." in text
    assert "The keys change in 2 days" in text
    assert "marktamt: signed two different blocks at one height" in text


def test_a_member_alone_is_told_so(busy: NetworkView) -> None:
    """With who says otherwise, and what to do."""
    fork = replace(busy, comparisons=(replace(busy.comparisons[0], agrees=False),))
    page = Page(render_network(fork, links=LINKS))

    assert "This member stands alone with its fork." in page.text
    assert ["alert"] == [one.attributes["role"] for one in page.all("div") if "role" in one.attributes]
    assert "stands alone" not in Page(render_network(busy, links=LINKS)).text


def test_no_ledger_yet_says_what_to_type() -> None:
    """The empty page."""
    page = Page(render_network(None, links=LINKS))

    assert "make network" in page.text
    assert [] == shape_faults(page)


def test_hostile_names_change_nothing(busy: NetworkView) -> None:
    """Tags, overrides and control characters in every name."""
    validators = tuple(replace(one, name=HOSTILE, organisation=HOSTILE) for one in busy.validators)
    members = tuple(replace(one, name=HOSTILE, organisation=HOSTILE) for one in busy.members)
    engine = busy.engine and replace(busy.engine, peers=(HOSTILE,), version=HOSTILE)
    page = Page(render_network(replace(busy, validators=validators, members=members, engine=engine), links=LINKS))

    assert [] == shape_faults(page)


def test_too_many_votes_are_counted_not_listed(busy: NetworkView) -> None:
    """The rest is a number and a command."""
    votes = tuple(proposal(RemoveMember(organisation="carrier"), reference=f"P-{n}") for n in range(PROPOSALS_MAX + 7))
    text = Page(render_network(replace(busy, governance=replace(busy.governance, open=votes)), links=LINKS)).text

    assert "and 7 more cellvow vote list" in text


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
def test_every_change_has_words(change: Change, language: str) -> None:
    """Each kind, in each language, without a gap."""
    said = word_change(change, Wording(language))

    assert len(said) > 10
    assert "{" not in said


def test_a_ruleset_says_what_it_adds() -> None:
    """One that this software does not know asks to be upgraded for."""
    wording = Wording("en")

    assert "ruleset 2 holds: adds recovery of lost keys" == word_change(ActivateRuleset(ruleset=2), wording)
    assert "upgrade it before" in word_change(ActivateRuleset(ruleset=999), wording)


@pytest.mark.parametrize("count", [1, 2, NUMBERED_MAX, NUMBERED_MAX + 1, 100])
def test_any_number_of_validators_makes_a_ring(count: int) -> None:
    """An arc for each; numbers only while they fit."""
    validators = [
        ValidatorView(
            organisation="lab",
            name="Lab",
            public_key=f"{number:064x}",
            power=number + 1,
            share_permille=1,
            has_signed=bool(number % 2),
            is_own=not number,
        )
        for number in range(count)
    ]
    picture = draw_ring(validators, Wording("en"))

    assert count == picture.count('class="arc')
    assert (count if count <= NUMBERED_MAX else 0) == picture.count('class="no"')
