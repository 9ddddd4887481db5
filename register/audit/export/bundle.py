"""``verify.pyz``: the offline check as one file that plain ``python3`` runs, made of this program's own modules."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

import register

#: What the check is made of; all of it knows nothing but the standard library and each other.
MODULES: Final = (
    "__init__.py",
    "audit/__init__.py",
    "audit/offline/__init__.py",
    "audit/offline/checks.py",
    "audit/offline/command.py",
    "audit/offline/ed25519.py",
    "audit/offline/exported.py",
    "audit/offline/form.py",
    "audit/offline/lists.py",
    "audit/offline/signed.py",
    "audit/offline/trust.py",
    "audit/offline/verdict.py",
    "excerpts/__init__.py",
    "excerpts/proofs.py",
    "log/__init__.py",
    "log/brackets.py",
    "log/note.py",
    "log/policy.py",
    "log/receipts.py",
    "log/tree.py",
)
_MAIN: Final = "import sys\n\nfrom register.audit.offline.command import main\n\nsys.exit(main())\n"
#: The same bytes whenever it is made.
_WHEN: Final = (1980, 1, 1, 0, 0, 0)


def write_verifier(path: Path) -> None:
    """Write the check as a zip application. Raises OSError, FileExistsError."""
    home = Path(register.__file__).parent
    with path.open("xb") as out:
        out.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
            _add(bundle, "__main__.py", _MAIN)
            for module in MODULES:
                _add(bundle, f"register/{module}", (home / module).read_text(encoding="utf-8"))
    path.chmod(0o755)


def _add(bundle: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, _WHEN)
    entry.compress_type = zipfile.ZIP_DEFLATED
    bundle.writestr(entry, text)
