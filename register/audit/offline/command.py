"""``python3 verify.pyz FOLDER``: the check of an export as a command, with nothing but Python.

``python3 verify.pyz list [FILE.csv] PROOF.json --key …`` checks a copy of a list, or one voter's line of it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from register.audit.offline.exported import check_export
from register.audit.offline.form import NotAnExportError
from register.audit.offline.lists import WRONG, Standing, check_file
from register.log.policy import Policy, PolicyError, parse_policy


def main(arguments: list[str] | None = None) -> int:
    """Check the export that is named; 0 when all is well, 2 when something was found, 1 when it cannot be checked."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["list"]:
        return _list(arguments[1:])
    parser = argparse.ArgumentParser(
        prog="verify.pyz", description="Checks an export of the register, offline, with nothing but Python."
    )
    parser.add_argument("folder", type=Path, help="the export")
    parser.add_argument("--key", help="the log's verifier key line, as published elsewhere; or a file that holds it")
    parser.add_argument(
        "--checkpoint", type=Path, action="append", default=[], help="a checkpoint kept from elsewhere; any number"
    )
    parser.add_argument("--policy", type=Path, help="who must have cosigned (C2SP tlog-policy), as published elsewhere")
    parser.add_argument(
        "--without", action="append", default=[], metavar="FOLDER",
        help="what was not handed out: a folder of personal/, or personal, or register; any number",
    )  # fmt: skip
    asked = parser.parse_args(arguments)
    try:
        notes = tuple(path.read_bytes() for path in asked.checkpoint)
        policy = policy_of(asked.policy)
        verdict = check_export(asked.folder, key_line(asked.key), notes, _progress, policy, without=asked.without)
    except (NotAnExportError, PolicyError, OSError) as error:
        print(f"cannot be checked: {error}", file=sys.stderr)
        return 1
    if sys.stderr.isatty():
        print(file=sys.stderr)
    for line in verdict.lines():
        print(line)
    return 0 if verdict.ok else 2


def _list(arguments: list[str]) -> int:
    """Check a copy of a list, or a line; the exit status as of :func:`main`."""
    parser = argparse.ArgumentParser(
        prog="verify.pyz list", description="Checks a copy of a list, or one voter's line of it, offline."
    )
    parser.add_argument("files", type=Path, nargs="+", help="[the list's CSV file] the proof")
    parser.add_argument("--key", required=True, help="the log's verifier key line; or a file that holds it")
    asked = parser.parse_args(arguments)
    *lists, proof = asked.files
    if len(lists) > 1:
        parser.error("one list at a time")
    try:
        standing = check_list_files(proof, key_line(asked.key) or "", *lists)
    except OSError as error:
        print(f"cannot be checked: {error}", file=sys.stderr)
        return 1
    except WRONG as error:
        print(f"NOT OK: {error}")
        return 2
    print("\n".join(standing.said()))
    return 0


def check_list_files(proof: Path, key: str, csv: Path | None = None) -> Standing:
    """What a proof in a file proves, of the list in the other file if one is named. Raises OSError, and ``WRONG``."""
    return check_file(proof.read_bytes(), key, None if csv is None else csv.read_bytes())


def key_line(text: str | None) -> str | None:
    """A key line as given, or as it stands in the file that is named. Raises OSError."""
    if text is None or text.count("+") >= 2:
        return text
    try:
        return Path(text).read_text(encoding="utf-8").strip()
    except ValueError:
        raise OSError("the file with the key holds none") from None


def policy_of(path: Path | None) -> Policy | None:
    """The policy in a file; None for none. Raises OSError, PolicyError."""
    return None if path is None else parse_policy(path.read_bytes())


def _progress(what: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what}: {done:,} of {of:,}   ", end="", file=sys.stderr)
