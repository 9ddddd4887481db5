"""Judging a notice that could be read: who sent it, and does it fit together (Art. 3.5). Pure.

What is judged against other events (another content under the same id, what an annulment points to) is settled where
events are recorded, under the lock that orders them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from register.intake.parse import Message
from register.intake.plain import VERIFIED
from register.law.competence import Caller, check_sender
from register.law.provisions import Refusal
from register.law.shapes import check_shape


def judge(message: Message, caller: Caller, *, received: date, municipalities: Collection[str]) -> Refusal | None:
    """Say whether a notice may be recorded, or why not; the sender's competence first, then the notice itself.

    ``received`` is the day (Europe/Sarajevo) it came, ``municipalities`` the codes of the reference data. Kinds:
    ``not-competent``, then ``schema``, ``jmb``, ``date`` or ``document-missing``.
    """
    try:
        check_sender(caller, message.source, message.data)
        check_shape(message.data, time=message.time, received=received, municipalities=municipalities)
    except Refusal as refusal:
        return with_provision(refusal)
    return None


def with_provision(refusal: Refusal) -> Refusal:
    """Return the refusal with a provision: that what is received is verified, where it names no other."""
    if refusal.provision is not None:
        return refusal
    return Refusal(refusal.kind, refusal.detail, provision=VERIFIED, faults=refusal.faults)
