"""Write the conformance vectors anew: `python tools/make_vectors.py`, where the package is installed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "conformance" / "vectors"


def render(vectors: object) -> str:
    """The text of one file."""
    return json.dumps(vectors, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    """Write every file, and say which ones changed."""
    sys.path.insert(0, str(ROOT))
    from tests.bundles.consensus_vectors import make_consensus
    from tests.bundles.vectors import make_disclosures, make_vectors
    from tests.conformance.policy_cases import make_policies
    from tests.conformance.vector_cases import make_all

    bundles = {"bundles": make_vectors(), "disclosures": make_disclosures()}
    others = {**bundles, "consensus": make_consensus(), "policies": make_policies()}
    for name, vectors in (make_all() | others).items():
        path, text = FOLDER / f"{name}.json", render(vectors)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(f"cellvow: wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
