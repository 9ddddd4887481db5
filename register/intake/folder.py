"""A folder of notices, a file for each authority that sent some: the form of a first load.

A file's name says whose it is: ``registry-office_10049.ndjson``, ``cec.ndjson.zst``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from register.law.competence import role_of

#: Ends of names of files of notices, as they are and packed.
ENDS: Final = (".ndjson", ".ndjson.gz", ".ndjson.zst")
#: What an intake puts beside the files, and is none of them.
_REASONS: Final = ".refused.ndjson"


class FolderError(Exception):
    """A folder holds no files of notices, or one whose name names no authority; the message says which."""


def name_of(authority: str, end: str = ENDS[0]) -> str:
    """Return the name of an authority's file."""
    return authority.replace(":", "_", 1) + end


def authority_of(file: Path) -> str:
    """Return whose file this is, by its name. Raises ``Refusal("not-competent")`` where that is no authority's."""
    stem = file.name.partition(".ndjson")[0]
    authority = stem.replace("_", ":", 1)
    role_of(authority)
    return authority


def files_in(folder: Path) -> list[Path]:
    """Return the files of notices in a folder, by name. Raises :class:`FolderError` when there are none."""
    found = sorted(file for file in folder.glob("*.ndjson*") if file.name.endswith(ENDS) and _REASONS not in file.name)
    if not found:
        raise FolderError(f"{folder} holds no files of notices ({', '.join(ENDS)})")
    return found
