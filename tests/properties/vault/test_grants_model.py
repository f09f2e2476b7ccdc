"""Whatever is issued, tried, revoked, sold and reopened in any order: a link opens exactly when it should."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from cellvow.vault import GRANT_SCOPES, Asked, GrantLimits, GrantOrder, GrantRefused, Grants

BATTERIES = tuple(f"01/09506000134376/21/PACK-{number}" for number in range(3))
LIMITS = GrantLimits(grants=1_000, uses=12, uses_per_grant=5, unknown=4)
MOMENTS = st.integers(0, 1_000)
SCOPES = st.frozensets(st.sampled_from(GRANT_SCOPES), min_size=1)


@dataclass
class Link:
    """What a link should do."""

    token: str
    battery: str
    scope: frozenset[str]
    expires_ms: int
    is_revoked: bool = False
    uses: int = 0
    refusals: int = 0


class GrantsMachine(RuleBasedStateMachine):
    """The file beside a dict of links, the set of batteries still owned, and a count of every attempt."""

    links: Bundle[str] = Bundle("links")

    @initialize()
    def create(self) -> None:
        """Start with no link, owning everything."""
        self.folder = Path(tempfile.mkdtemp())
        self.file = Grants.open(self.folder / "grants.db", LIMITS)
        self.expected: dict[str, Link] = {}
        self.owned = set(BATTERIES)
        self.unknown = 0

    @rule(target=links, battery=st.sampled_from(BATTERIES), scope=SCOPES, expires_ms=st.integers(1, 1_000))
    def issue(self, battery: str, scope: frozenset[str], expires_ms: int) -> str:
        """Make a link at the beginning of time."""
        issued = self.file.issue(GrantOrder(battery, scope, expires_ms), 0)
        self.expected[issued.grant.grant_id] = Link(issued.token, battery, scope, expires_ms)
        return issued.grant.grant_id

    @rule(grant_id=links, battery=st.sampled_from((None, *BATTERIES)), moment_ms=MOMENTS)
    def use(self, grant_id: str, battery: str | None, moment_ms: int) -> None:
        """Try a link on some battery at some moment."""
        link = self.expected[grant_id]
        is_right = battery in (None, link.battery) and link.battery in self.owned
        opens = is_right and not link.is_revoked and moment_ms < link.expires_ms
        asked = Asked(battery, "passport", moment_ms)
        if opens:
            link.uses += 1
            opened = self.file.open_grant(link.token, asked, self.owned.__contains__)
            assert (link.battery, link.scope) == (opened.battery, opened.scope)
        else:
            link.refusals += 1
            with pytest.raises(GrantRefused):
                self.file.open_grant(link.token, asked, self.owned.__contains__)

    @rule(token=st.text(max_size=50), moment_ms=MOMENTS)
    def guess(self, token: str, moment_ms: int) -> None:
        """Try what nobody was given."""
        self.unknown += 1
        with pytest.raises(GrantRefused):
            self.file.open_grant(token, Asked(BATTERIES[0], "passport", moment_ms), self.owned.__contains__)

    @rule(grant_id=links)
    def revoke(self, grant_id: str) -> None:
        """End a link."""
        self.expected[grant_id].is_revoked = True
        self.file.revoke(grant_id, 0)

    @rule(battery=st.sampled_from(BATTERIES))
    def trade(self, battery: str) -> None:
        """Sell a battery, or buy it back."""
        self.owned ^= {battery}

    @rule()
    def reopen(self) -> None:
        """Close the file and open it again."""
        self.file.close()
        self.file = Grants.open(self.folder / "grants.db", LIMITS)

    @invariant()
    def counts_are_exact(self) -> None:
        """No attempt is lost: it is a line, or in a counter; and the bounds hold."""
        counts = self.file.counts()
        attempts = sum(link.uses + link.refusals for link in self.expected.values())

        assert (attempts, self.unknown) == (counts.uses + counts.uses_folded, counts.unknown + counts.unknown_folded)
        assert counts.uses + counts.unknown == len(self.file.uses(limit=1_000))
        assert counts.uses <= LIMITS.uses
        assert counts.unknown <= LIMITS.unknown

    @invariant()
    def links_are_as_expected(self) -> None:
        """Uses and refusals of each are counted, beyond what the log holds of it."""
        listed = {one.grant_id: (one.uses, one.refusals) for one in self.file.grants(limit=1_000)}

        assert {name: (link.uses, link.refusals) for name, link in self.expected.items()} == listed

    def teardown(self) -> None:
        """Remove the folder."""
        self.file.close()
        shutil.rmtree(self.folder)


TestGrants = pytest.mark.slow(GrantsMachine.TestCase)
TestGrants.settings = settings(max_examples=25, stateful_step_count=25)
