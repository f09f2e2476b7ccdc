"""Write the example of docs/reference/formats.md anew: `python -m tools.make_formats`."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "formats.md"


def main() -> None:
    """Replace the example between its marks."""
    sys.path.insert(0, str(ROOT))
    from tests.bundles.example import build_forms, replace_example

    with tempfile.TemporaryDirectory() as folder:
        page = replace_example(PAGE.read_text(encoding="utf-8"), build_forms(Path(folder) / "ledger"))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
