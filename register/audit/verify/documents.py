"""What is kept beside the events: documents that were filed, and signed requests with their signatures.

Whoever changes a file must find another with its SHA-256; whoever changes a signature needs the sender's key.
"""

from __future__ import annotations

import base64
from typing import Final

from register.access.signed import digest_of, verifies
from register.audit.reading import Connection, decoded, rows_about, streamed
from register.audit.verify.findings import Check, Findings, concluded
from register.intake.documents import DamagedError, Documents, KeepingError, Shelf
from register.law.events import RequestSigned, SenderKeyRegistered

_DOCUMENTS: Final = "SELECT sha256, min(id) FROM intake.document GROUP BY sha256 ORDER BY min(id)"
_SIGNED: Final = (
    "SELECT notification_id, originator_id, originator_version, recorded_at, topic, state FROM store.event"
    " WHERE topic = %s AND notification_id <= %s ORDER BY notification_id"
)


def check_documents(connection: Connection, documents: Documents) -> Check:
    """Every document that was filed is there, and has the digest it was filed under."""
    findings, count = Findings(), 0
    for sha256, filing in streamed(connection, _DOCUMENTS):
        count += 1
        _look(documents.shelf, sha256, f"document of filing {filing}", None, findings)
    what = "every document filed is kept, and has the digest it was filed under"
    return concluded("documents", what, count, "documents", findings)


def check_signed(connection: Connection, upto: int, documents: Documents) -> Check:
    """Every signature on record holds under the key registered for its sender, and the body it vouches for is there."""
    findings, count = Findings(), 0
    keys: dict[tuple[str, str], tuple[int, str]] = {}
    for event in decoded(rows_about(connection, [SenderKeyRegistered.TOPIC], upto), []):
        if isinstance(event.data, SenderKeyRegistered):
            keys[event.data.authority, event.data.keyid] = (event.position, event.data.public_key)
    for row in streamed(connection, _SIGNED, (RequestSigned.TOPIC, upto)):
        for event in decoded([row], []):
            if not isinstance(event.data, RequestSigned):
                continue
            count += 1
            since, key = keys.get((event.data.authority, event.data.keyid), (event.position, ""))
            if since >= event.position:
                findings.add("no key of this name was registered for the sender before", event.position)
            elif not _holds(key, event.data):
                findings.add("the signature does not hold under the sender's key", event.position)
            digest = digest_of(event.data.signature_base)
            if digest is None:
                findings.add("the signature vouches for no body", event.position)
            else:
                _look(documents.requests, digest.hex(), "body of a signed request", event.position, findings)
    what = "every signed request is kept, and its signature holds under its sender's key"
    return concluded("signed-requests", what, count, "requests", findings)


def _look(shelf: Shelf, sha256: str, name: str, position: int | None, findings: Findings) -> None:
    """Check one file; its digest is not told: of a short one it could be guessed from."""
    try:
        shelf.check(sha256)
    except (DamagedError, KeepingError, ValueError) as error:
        findings.add(f"{name}: {error}", position)


def _holds(public_key: str, signed: RequestSigned) -> bool:
    try:
        key, signature = base64.b64decode(public_key), base64.b64decode(signed.signature)
        return verifies(key, signed.signature_base, signature)
    except ValueError:
        return False
