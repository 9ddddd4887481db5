"""How notices reach the register: first loads, written notices, senders' keys and signed requests (Art. 3.5(4)-(5))."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta

from register.law.events.forms import PERSONAL, Data, Name, NoticeId, Text

#: A key's name as its owner gives it in a signature's ``keyid`` (RFC 9421, section 2.3).
KeyId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}(?!\n)$")]


class FirstLoadDeclared(Data, frozen=True, kw_only=True):
    """The CEC declares a first load, Art. 3.5(5): what the authority sends to the end of ``until`` is not measured."""

    TOPIC = "ba.cvr.first-load-declared.v1"
    authority: Name
    until: date
    declared_by: Annotated[str, PERSONAL]


class WrittenNoticeReceived(Data, frozen=True, kw_only=True):
    """The paper of a notice arrived on ``received_on``, Art. 3.5(5); ``notice_position`` is that of the notice."""

    TOPIC = "ba.cvr.written-notice-received.v1"
    authority: Name
    notice_id: NoticeId
    notice_position: int
    received_on: date
    received_by: Annotated[str, PERSONAL]


class SenderKeyRegistered(Data, frozen=True, kw_only=True):
    """The CEC registers a key with which an authority signs its requests (RFC 9421), Art. 3.5(4).

    ``public_key`` is the base64 of the 32 bytes of an Ed25519 public key. While a key that is ``required`` is not
    revoked, the authority's unsigned requests are refused.
    """

    TOPIC = "ba.cvr.sender-key-registered.v1"
    authority: Name
    keyid: KeyId
    public_key: Name
    required: bool = False
    registered_by: Annotated[str, PERSONAL]


class SenderKeyRevoked(Data, frozen=True, kw_only=True):
    """From here on the key signs nothing; what it signed before stays signed."""

    TOPIC = "ba.cvr.sender-key-revoked.v1"
    authority: Name
    keyid: KeyId
    reason: Annotated[Text, PERSONAL]
    revoked_by: Annotated[str, PERSONAL]


class RequestSigned(Data, frozen=True, kw_only=True):
    """A request's signature by its sender (RFC 9421), kept so that the sender cannot deny what was recorded from it.

    ``signature_base`` is what was signed, the digest of the body (RFC 9530) within it; ``signature`` the base64 of its
    64 bytes. Both are personal: who guesses a short body could try the guess on either, the key being public.
    ``notices`` counts those of the request that its answer named as recorded or repeated, ``first`` and ``last`` are
    the least and the greatest of their positions.
    """

    TOPIC = "ba.cvr.request-signed.v1"
    authority: Name
    keyid: KeyId
    signature_base: Annotated[str, PERSONAL]
    signature: Annotated[str, PERSONAL]
    notices: int
    first: int
    last: int
