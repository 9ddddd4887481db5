"""What every sender may send: an annulment of its own notice, a control total."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta

from register.law.events.forms import PERSONAL, Data, NoticeId, Text


class Annulment(Data, frozen=True, kw_only=True):
    """The sender takes back an earlier notice of its own, for every day (later law 3.13)."""

    TOPIC = "ba.cvr.annulment.v1"
    annuls: NoticeId
    reason: Annotated[Text, PERSONAL]


class ControlTotal(Data, frozen=True, kw_only=True):
    """How many notices of each type the sender sent on a day, so that silence can be told from loss."""

    TOPIC = "ba.cvr.control-total.v1"
    day: date
    sent: dict[str, Annotated[int, Meta(ge=0, le=2**53 - 1)]]
