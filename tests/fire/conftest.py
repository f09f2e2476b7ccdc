"""What every network under fire shares: namespaces that are gone afterwards, however the test ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fire.namespaces import Fabric, left_behind
from tests.fire.network import FireNetwork

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def fabric() -> Iterator[Fabric]:
    """A bridge for namespaces; nothing of it is left when the test has ended."""
    before = left_behind()
    with Fabric() as made:
        yield made
    assert before == left_behind()


@pytest.fixture
def fire(tmp_path: Path, fabric: Fabric) -> Iterator[FireNetwork]:
    """Four members in namespaces of their own, all up, with clients of three that offer statements."""
    with FireNetwork(tmp_path / "network", fabric, is_thorough=True) as network:
        network.start_all()
        network.enrol(*network.members)
        network.begin_clients(*network.members[:3])
        yield network
