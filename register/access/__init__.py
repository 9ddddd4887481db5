"""Who is at the door: tokens, the caller behind them, and the journal of every look.

Whether a caller may do or see something is asked of ``law/competence``; this room only establishes who asks.
"""

from register.access.door import Visit, challenge, current_caller, current_visit, install, optional_caller
from register.access.issuer import LOCAL_ISSUER, IssuerError, issue
from register.access.journal import Look, PersonalNumberError, journal_look, looks
from register.access.tokens import IssuerUnavailableError, Unauthenticated, Verifier

__all__ = [
    "LOCAL_ISSUER",
    "IssuerError",
    "IssuerUnavailableError",
    "Look",
    "PersonalNumberError",
    "Unauthenticated",
    "Verifier",
    "Visit",
    "challenge",
    "current_caller",
    "current_visit",
    "install",
    "issue",
    "journal_look",
    "looks",
    "optional_caller",
]
