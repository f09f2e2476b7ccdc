"""Documents: PDF from a Typst source of ours and the texts of one paper, and the digests of other people's.

No network, no fonts but those built in.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import OperationalError

PDF_BYTES_MAX = 5_000_000


def digest_document(kind: str, path: Path) -> dict[str, Json]:
    """What is committed to of a document: its kind, its SHA-256 and its length, never its content or its name."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return {"bytes": file.tell(), "quantity": kind, "sha256": digest.hexdigest()}


def compile_pdf(source: str, texts: Mapping[str, Json], made_ms: int) -> bytes:
    """The document that `source` draws from `texts`; the same input gives the same bytes.

    Texts arrive as one JSON string and are never source: whatever they hold is shown, not run. `made_ms` is the
    moment the document gives as its date. Raises `OperationalError` where the typesetter is not installed or fails.
    """
    try:
        import typst
    except ImportError as error:
        raise OperationalError("documents need the package typst: `pip install typst`") from error
    try:
        made = typst.compile(
            source.encode(),
            format="pdf",
            ignore_system_fonts=True,
            sys_inputs={"texts": json.dumps(texts)},
            timestamp=made_ms // 1000,
        )
    except typst.TypstError as error:
        raise OperationalError(f"the document could not be set: {error}") from error
    if len(made) > PDF_BYTES_MAX:
        raise OperationalError(f"the document could not be set: it has {len(made)} bytes")
    return made
