"""What can stand in the way of a database."""


class DatabaseError(Exception):
    """The database cannot be used as it is; the message says why, and what an operator can do about it."""
