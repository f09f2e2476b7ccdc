"""The page of the engine's settings says what the profile holds."""

from __future__ import annotations

from cellvow.node.cometbft.profile import PROFILE
from tools.make_profile import PAGE, build_page


def test_the_page_of_the_engines_settings_is_fresh() -> None:
    """`python -m tools.make_profile` writes it."""
    assert build_page() == PAGE.read_text(encoding="utf-8")


def test_control_another_value_makes_the_page_stale() -> None:
    """Every setting's value is on the page."""
    assert build_page().replace("`300ms`", "`3s`") != PAGE.read_text(encoding="utf-8")
    assert all(f"| `{setting.name}` |" in build_page() for setting in PROFILE)
