"""A dry run: what recording would answer, with nothing recorded."""

from __future__ import annotations

from collections.abc import Sequence

from register.law.events import Annulment
from register.law.provisions import Fault, Refusal
from register.store import Pending, Receipt, Store, content_digest

_CONFLICT = "Another notice was recorded under this id; a correction needs an id of its own"
_NOTHING = "The sender has no earlier notice under this id that could be annulled"


class Trial:
    """One dry run. It remembers what it has seen, so that it also finds repeats and conflicts within itself.

    It holds a digest of every notice it was shown (about 250 bytes each) until it ends. What others record meanwhile
    it may or may not see: only an append decides.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[tuple[str, str], tuple[bytes, bool]] = {}

    def receipts(self, pending: Sequence[Pending]) -> list[Receipt]:
        """Return the receipts an append would give, without positions for what would be recorded."""
        return [self._receipt(item) for item in pending]

    def _receipt(self, item: Pending) -> Receipt:
        content = content_digest(item.data)
        earlier = self._find(item.source, item.id)
        if earlier is not None:
            if earlier[0] == content:
                found = self._store.find(item.source, item.id)
                return Receipt(status="repeated", position=found.position if found else None)
            refusal = Refusal("id-conflict", _CONFLICT, faults=(Fault("/id", _CONFLICT),))
            return Receipt(status="refused", refusal=refusal)
        if isinstance(item.data, Annulment):
            target = self._find(item.source, item.data.annuls)
            if target is None or target[1]:
                refusal = Refusal(
                    "annulment", _NOTHING, provision="later law 3.13", faults=(Fault("/data/annuls", _NOTHING),)
                )
                return Receipt(status="refused", refusal=refusal)
        self._seen[item.source, item.id] = (content, isinstance(item.data, Annulment))
        return Receipt(status="recorded")

    def _find(self, source: str, id: str) -> tuple[bytes, bool] | None:
        """The digest of a notice known or seen, and whether it is an annulment."""
        if (seen := self._seen.get((source, id))) is not None:
            return seen
        event = self._store.find(source, id)
        return None if event is None else (content_digest(event.data), isinstance(event.data, Annulment))
