"""Notices of courts, Art. 3.2, 1.6, 1.7, 1.7a."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from register.law.events.forms import PERSONAL, SOURCE_PREFIX, AboutPerson, BarGround, NoticeId


class CapacityWithdrawn(AboutPerson, frozen=True, kw_only=True):
    """Legal capacity withdrawn by a final and binding decision, Art. 3.2. R5. Must name its document."""

    TOPIC = "ba.cvr.capacity-withdrawn.v1"
    extent: Annotated[Literal["full", "partial"], PERSONAL]


class CapacityRestored(AboutPerson, frozen=True, kw_only=True):
    """Legal capacity restored by a final and binding decision, Art. 3.2. R5. Must name its document."""

    TOPIC = "ba.cvr.capacity-restored.v1"


class VotingBarred(AboutPerson, frozen=True, kw_only=True):
    """A bar under Art. 1.6, 1.7 or 1.7a. R6. Must name its document."""

    TOPIC = "ba.cvr.voting-barred.v1"
    ground: Annotated[BarGround, PERSONAL]
    cause: Annotated[Literal["sentence", "failure-to-appear"], PERSONAL]


class VotingBarEnded(AboutPerson, frozen=True, kw_only=True):
    """The end of the bar that the notice ``ends`` of ``ends_source`` reported, R6. Must name its document.

    Without ``ends_source`` it is a bar of the same court; with one, the other court's source or bare authority id.
    """

    TOPIC = "ba.cvr.voting-bar-ended.v1"
    ends: NoticeId
    ends_source: Annotated[str, Meta(max_length=200)] | None = None

    def names(self, sender: str) -> tuple[str, str]:
        """The (source, id) of the bar that ends, when ``sender`` sent this."""
        source = self.ends_source or sender
        return (source if source.startswith(SOURCE_PREFIX) else SOURCE_PREFIX + source, self.ends)
