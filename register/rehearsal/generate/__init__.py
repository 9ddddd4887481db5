"""A synthetic feed of notices: deterministic, streamed, about people who do not exist.

:class:`Feed` yields lines that know what must become of them; :func:`generate` yields plain NDJSON.
"""

from .feed import Feed, Summary, generate
from .folder import Folder, write_folder
from .mess import shuffle
from .notices import Expected, Line

__all__ = ["Expected", "Feed", "Folder", "Line", "Summary", "generate", "shuffle", "write_folder"]
