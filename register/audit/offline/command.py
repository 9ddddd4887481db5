"""``python3 verify.pyz FOLDER``: the check of an export as a command, with nothing but Python."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from register.audit.offline.exported import NotAnExportError, check_export


def main(arguments: list[str] | None = None) -> int:
    """Check the export that is named; 0 when all is well, 2 when something was found, 1 when it cannot be checked."""
    parser = argparse.ArgumentParser(
        prog="verify.pyz", description="Checks an export of the register, offline, with nothing but Python."
    )
    parser.add_argument("folder", type=Path, help="the export")
    parser.add_argument("--key", help="the log's verifier key line, as published elsewhere; or a file that holds it")
    parser.add_argument(
        "--checkpoint", type=Path, action="append", default=[], help="a checkpoint kept from elsewhere; any number"
    )
    asked = parser.parse_args(arguments)
    try:
        verdict = check_export(
            asked.folder, key_line(asked.key), tuple(path.read_bytes() for path in asked.checkpoint), _progress
        )
    except (NotAnExportError, OSError) as error:
        print(f"cannot be checked: {error}", file=sys.stderr)
        return 1
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for line in verdict.lines():
        print(line)
    return 0 if verdict.ok else 2


def key_line(text: str | None) -> str | None:
    """A key line as given, or as it stands in the file that is named. Raises OSError."""
    if text is None or text.count("+") >= 2:
        return text
    return Path(text).read_text(encoding="utf-8").strip()


def _progress(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {done:,} of {of:,}   ", end="", file=sys.stderr)
