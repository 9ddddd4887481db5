"""A dry run: what recording would answer, with nothing recorded."""

from __future__ import annotations

from collections.abc import Sequence

from register.law.events import NOTICE_BY_TYPE, Annulment
from register.law.provisions import Fault, Refusal
from register.store import Found, Key, Prepared, Receipt, Store

_CONFLICT = "Another notice was recorded under this id; a correction needs an id of its own"
_NOTHING = "The sender has no earlier notice under this id that could be annulled"


class Trial:
    """One dry run. It remembers what it has seen, so that it also finds repeats and conflicts within itself.

    It holds a digest of every notice it was shown (about 250 bytes each) until it ends. What others record meanwhile
    it may or may not see: only an append decides.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[Key, Found] = {}

    def receipts(self, prepared: Sequence[Prepared]) -> list[Receipt]:
        """Return the receipts an append would give, without positions for what would be recorded.

        The event store is asked once, however many notices there are.
        """
        keys = {(item.source, item.id) for item in prepared}
        keys |= {(item.source, item.annulled) for item in prepared if item.annulled is not None}
        known = self._store.known(keys - self._seen.keys())
        return [self._receipt(item, known) for item in prepared]

    def _receipt(self, item: Prepared, known: dict[Key, Found]) -> Receipt:
        key = (item.source, item.id)
        earlier = self._seen.get(key) or known.get(key)
        if earlier is not None:
            if earlier.content == item.content:
                return Receipt(status="repeated", position=earlier.position)
            refusal = Refusal("id-conflict", _CONFLICT, faults=(Fault("/id", _CONFLICT),))
            return Receipt(status="refused", refusal=refusal)
        if item.annulled is not None:
            target = self._seen.get((item.source, item.annulled)) or known.get((item.source, item.annulled))
            if target is None or target.topic == Annulment.TOPIC or target.topic not in NOTICE_BY_TYPE:
                refusal = Refusal(
                    "annulment", _NOTHING, provision="later law 3.13", faults=(Fault("/data/annuls", _NOTHING),)
                )
                return Receipt(status="refused", refusal=refusal)
        self._seen[key] = Found(item.content, None, item.topic)
        return Receipt(status="recorded")
