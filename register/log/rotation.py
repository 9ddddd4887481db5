"""How one key of the log takes over from another, under one origin for ever: announced, both signing, retired.

Who trusts the old key needs nothing but the history: the announcement stands in it under a checkpoint that the old key
signed, and from that position on the new key counts.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from register.law.events import REGISTER, LogKeyAnnounced, LogKeyRetired
from register.log.keys import KeyRing, check_signature
from register.log.note import NoteError, VerifierKey, verify_checkpoint
from register.log.sealer import Sealer
from register.store import Pending, Store

_ANNOUNCED: Final = "log-key-announced"
_RETIRED: Final = "log-key-retired"


class RotationError(Exception):
    """The keys stay as they are; says why."""


def announce(store: Store, sealer: Sealer, keys: KeyRing, *, by: str, now: datetime, salt: str) -> VerifierKey:
    """Make the successor, put it on record, and seal: from here on both keys sign. Again, it is the same key.

    Raises KeyFileError, SealError.
    """
    old = keys.signers()[0].key
    new = keys.make_successor().key
    data = LogKeyAnnounced(key=str(new), beside=str(old), announced_by=by)
    store.append(
        [Pending(source=REGISTER, id=f"{_ANNOUNCED}:{new.key_id.hex()}", time=now, data=data, salt=salt)], now=now
    )
    sealer.seal()
    return new


def retire(
    store: Store, sealer: Sealer, keys: KeyRing, *, by: str, reason: str, now: datetime, salt: str
) -> VerifierKey:
    """Put the old key's end on record, seal it with both keys, and let the new one go on alone; the retired key.

    Raises RotationError when no key was announced, or no checkpoint bears both signatures yet; KeyFileError, SealError.
    """
    signers = keys.signers()
    if len(signers) < 2:
        raise RotationError("no key was announced: announce one first")
    old, new = signers[0].key, signers[1].key
    announced = store.find(REGISTER, f"{_ANNOUNCED}:{new.key_id.hex()}")
    newest = sealer.newest()
    if announced is None or newest is None or newest.size < announced.position:
        raise RotationError("the announcement is not sealed yet: announce again")
    for key in (old, new):
        try:
            verify_checkpoint(newest.note, [key], check_signature)
        except NoteError:
            raise RotationError("the newest checkpoint does not bear both signatures yet") from None
    data = LogKeyRetired(key=str(old), reason=reason, retired_by=by)
    store.append(
        [Pending(source=REGISTER, id=f"{_RETIRED}:{old.key_id.hex()}", time=now, data=data, salt=salt)], now=now
    )
    sealer.seal()
    keys.succeed()
    return old
