"""What a view shows can be proven: no part of it is left out where its statements are listed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cellvow.passport.sources import list_sources
from cellvow.passport.view import Backfill, Ended
from tests.unit.web.samples import (
    BARE,
    BECAME,
    CLAIMED,
    CLONE,
    CURVE,
    FULL,
    NOTICE,
    PARTIES,
    PARTS,
    RELATIVES,
    SAFETY,
    USE,
    source,
)

PARTS_OF_VIEW: dict[str, Any] = {
    "attestations": FULL.attestations,
    "backfill": Backfill("estimated", "plate", source("a", "A", 90)),
    "coverage": FULL.coverage,
    "curve": CURVE,
    "disputes": (replace(CLONE, parties=PARTIES),),
    "ended": Ended("recycled", CLAIMED),
    "identity": FULL.identity,
    "life": FULL.life,
    "model": FULL.model,
    "notice": NOTICE,
    "parts": PARTS,
    "registers": FULL.registers,
    "relatives": RELATIVES,
    "safety": SAFETY,
    "use": USE,
}


@pytest.mark.parametrize("part", PARTS_OF_VIEW)
def test_each_part_of_a_view_names_who_signed_it(part: str) -> None:
    """A part that stands alone brings its own sources. Control: the bare view has none."""
    assert [] == list_sources(BARE)
    assert [] != list_sources(replace(BARE, **{part: PARTS_OF_VIEW[part]}))


def test_every_signer_of_a_part_is_named() -> None:
    """Of safety its state and each incident, of a test what voided it as well, of relatives those on both sides."""
    voided = replace(FULL.attestations[0], voided_by="incident", voided=CLAIMED)

    assert [SAFETY.source, *(one.source for one in SAFETY.incidents)] == list_sources(replace(BARE, safety=SAFETY))
    assert CLAIMED in list_sources(replace(BARE, attestations=(voided,)))
    assert 1 == len(list_sources(replace(BARE, relatives=BECAME)))
    assert len(USE) == len(list_sources(replace(BARE, use=USE)))
