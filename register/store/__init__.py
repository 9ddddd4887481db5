"""The event store: append-only, every event at a position 1, 2, 3 … without holes, in the order of commits.

The only room that knows the library ``eventsourcing``.
"""

from register.store.codec import UnknownTopicError, content_digest, written
from register.store.judging import ConcurrencyError, Key, Pending, Prepared, Receipt, prepare
from register.store.reading import Found, StoredRecord
from register.store.recorder import CHANNEL, UnsafeStoreError
from register.store.store import Store
from register.store.together import Together

__all__ = [
    "CHANNEL",
    "ConcurrencyError",
    "Found",
    "Key",
    "Pending",
    "Prepared",
    "Receipt",
    "Store",
    "StoredRecord",
    "Together",
    "UnknownTopicError",
    "UnsafeStoreError",
    "content_digest",
    "prepare",
    "written",
]
