"""Write docs/reference/engine.md anew from the settings profile: `python -m tools.make_profile`."""

from pathlib import Path

from cellvow.node.cometbft.profile import CONSENSUS_PARAMETERS, PROFILE, Setting

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "engine.md"
INTRODUCTION = """# The engine's settings

Written by `python -m tools.make_profile` from `src/cellvow/node/cometbft/profile.py`; a test fails when it is stale.

Every member writes the same settings: pace and gossip belong to each node, not to the chain, so that one member with
others slows all down. `cellvow network init` puts them into the engine's own file, and refuses one that the engine
does not know. Names and addresses are each member's own. Figures: four validators on two cores, statements of 700
bytes, the stock engine 0.38.25.

On a machine of fewer than eight cores the engine runs with `GOMAXPROCS=8`: its client to the application re-arms a
flush timer every 20 ns, where 20 ms was meant, and keeps a core busy with it. At 500 statements a second that brought
the p95 from 404-518 ms to 222-289 ms.

| setting | value | why |
|---|---|---|
"""


def build_page() -> str:
    """The whole page."""
    rows = "".join(f"| `{one.name}` | {_shown(one)} | {one.reason} |\n" for one in PROFILE)
    chain = "".join(
        f"| `{group}.{name}` | `{', '.join(value) if isinstance(value, list) else value}` |\n"
        for group, values in CONSENSUS_PARAMETERS.items()
        if isinstance(values, dict)
        for name, value in values.items()
    )
    return f"{INTRODUCTION}{rows}\n## Of the chain, in its genesis\n\n| parameter | value |\n|---|---|\n{chain}"


def _shown(setting: Setting) -> str:
    value = str(setting.value).lower() if isinstance(setting.value, bool) else str(setting.value)
    return f"`{value}`" if value else "empty"


def main() -> None:
    """Write the page."""
    PAGE.write_text(build_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
