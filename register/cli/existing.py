"""Settings for commands that look at a register: one that is there."""

from __future__ import annotations

import sys

from register.settings import Settings, read_settings


def existing_register() -> Settings:
    """The settings, of which the data folder holds a register, unless a database is named. Ends the program if not.

    Without, an empty register would be made in a folder whose name was misspelled, and all would be well with it.
    """
    settings = read_settings()
    if settings.database_url is None and not (settings.data / "postgres" / "PG_VERSION").exists():
        sys.exit(
            f"cvr: there is no register in {settings.data}; CVR_DATA or CVR_DATABASE_URL names the one that is meant"
        )
    return settings
