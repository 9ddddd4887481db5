"""The formats a list can be drawn in: what their files are called, and whether this machine can write them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final, Literal, get_args

from register.excerpts.rows import OUTWARD, Kind

Format = Literal["csv", "internal-csv", "json", "parquet", "pdf", "vri", "xlsx"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
#: What the file names of each format end with.
ENDING: Final[dict[Format, str]] = {
    "csv": ".csv",
    "internal-csv": ".internal.csv",
    "json": ".json",
    "parquet": ".parquet",
    "pdf": ".pdf",
    "vri": ".vri.json",
    "xlsx": ".xlsx",
}
#: Beside a VRI file: what it cannot hold, and the signed note over that.
SIDECAR_ENDING: Final = ".vri.sidecar.json"
NOTE_ENDING: Final = ".vri.sidecar.note"
#: Formats whose bytes are the same on any machine in any year; the others' are with the pinned writer.
LASTING: Final[frozenset[Format]] = frozenset({"csv", "internal-csv", "json", "pdf", "vri"})


def format_of(file: str) -> Format | None:
    """The format of a file of a run by its name; None for what stands beside a VRI file."""
    if file.endswith((SIDECAR_ENDING, NOTE_ENDING)):
        return None
    fitting = [each for each in FORMATS if file.endswith(ENDING[each])]
    return max(fitting, key=lambda each: len(ENDING[each]), default=None)


def why_not(format_: Format, kind: Kind) -> str | None:
    """Why lists of a kind are not drawn in a format here, in a sentence; None when they are."""
    if format_ == "internal-csv" and kind in OUTWARD:
        return f"An excerpt of kind {kind} leaves the commissions and has no internal copy"
    if format_ == "vri" and kind == "statistics":
        return "VRI holds voters and no counts"
    if format_ == "parquet" and find_spec("pyarrow") is None:
        return "Parquet needs the package pyarrow, which is not installed here (install register[parquet])"
    return None
