"""The keys that sign the log of this register: one is announced before it takes over, the other retired after that.

Both are public, like the keys: who trusts the old key finds the new one in the history that the old key signed.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from register.law.events.forms import PERSONAL, Data, Text

#: A verifier key line, ``origin+keyid+base64`` (C2SP signed-note), of an Ed25519 key that signs checkpoints.
LogKey = Annotated[str, Meta(max_length=1000, pattern=r"^[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]+=*(?!\n)$")]


class LogKeyAnnounced(Data, frozen=True, kw_only=True):
    """From here on ``key`` signs the log as well, beside ``beside``, under the same origin."""

    TOPIC = "ba.cvr.log-key-announced.v1"
    key: LogKey
    beside: LogKey
    announced_by: Annotated[str, PERSONAL]


class LogKeyRetired(Data, frozen=True, kw_only=True):
    """No checkpoint that covers this event counts by the signature of ``key`` alone."""

    TOPIC = "ba.cvr.log-key-retired.v1"
    key: LogKey
    reason: Text
    retired_by: Annotated[str, PERSONAL]
