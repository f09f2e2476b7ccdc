"""The verifier as one file: a `.pyz` of exactly the modules it needs, the same bytes from every build."""

import io
import zipfile
from importlib import resources
from pathlib import Path

MODULES = (
    "__init__.py",
    "core/__init__.py",
    "core/ledger/__init__.py",
    "core/ledger/checkpoint.py",
    "core/ledger/commit.py",
    "core/ledger/commitment.py",
    "core/ledger/genesis.py",
    "core/ledger/key.py",
    "core/ledger/log.py",
    "core/ledger/outcome.py",
    "core/ledger/rejection.py",
    "core/ledger/state.py",
    "core/ledger/statement.py",
    "core/ledger/validator.py",
    "core/ledger/wire.py",
    "core/primitives/__init__.py",
    "core/primitives/cbor.py",
    "core/primitives/digest.py",
    "core/primitives/ed25519.py",
    "core/primitives/encoding.py",
    "core/primitives/errors.py",
    "core/primitives/identifier.py",
    "core/primitives/limits.py",
    "core/primitives/merkle.py",
    "verify/__init__.py",
    "verify/bundle.py",
    "verify/command.py",
    "verify/consensus.py",
    "verify/disclosing.py",
    "verify/result.py",
    "verify/shape.py",
    "verify/signer.py",
    "verify/standing.py",
    "verify/trust.py",
    "verify/verifier.py",
    "verify/vouching.py",
    "verify/work.py",
)
_MAIN = b"import sys\n\nfrom cellvow.verify.command import main\n\nsys.exit(main())\n"
_SHEBANG = b"#!/usr/bin/env python3\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_archive() -> bytes:
    """The bytes of `cellvow-verify.pyz`."""
    package, buffer = resources.files("cellvow"), io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in MODULES:
            _add(archive, f"cellvow/{name}", package.joinpath(name).read_bytes())
        _add(archive, "__main__.py", _MAIN)
    return _SHEBANG + buffer.getvalue()


def write_archive(path: Path) -> None:
    """Write the verifier to a file that can be run."""
    path.write_bytes(build_archive())
    path.chmod(0o755)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
