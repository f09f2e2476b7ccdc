"""What every test in a browser needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.chromium import launched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with launched() as found:
        yield found
