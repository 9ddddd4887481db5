"""Notices for the checks: the published examples, as this authority would send them, about people of test numbers.

Ids, numbers and codes are new in every run, so that runs do not meet; days lie just before the server's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Final

from register.intake.examples import EXAMPLES
from register.law import personal_number
from register.law.calendar import civil_day
from register.law.competence import COMPETENCES, Caller, own_municipalities
from register.law.events import DOCUMENT_REQUIRED, NOTICE_TYPES, SOURCE_PREFIX, Annulment, ControlTotal, Notice

JSON = dict[str, Any]
_SPAN: Final = 60 * 365
_FIRST: Final = date(1930, 1, 1).toordinal()


class Notices:
    """Makes notices of one authority. ``now`` is the server's clock, ``seed`` differs from run to run."""

    def __init__(self, caller: Caller, now: datetime, seed: int) -> None:
        self.caller = caller
        self.now = now.astimezone(UTC)
        self.today = civil_day(now)
        self._random = Random(seed)  # noqa: S311 - test numbers, not secrets
        self._run = f"{seed & 0xFFFFFFFF:08x}"
        self._count = 0
        self.municipality = min(own_municipalities(caller), default="10049")

    @property
    def competent(self) -> list[type[Notice]]:
        """The types about which something is reported that this authority may send; what any may send is not in it."""
        return [kind for kind in NOTICE_TYPES if kind not in (Annulment, ControlTotal) and self._may_send(kind)]

    @property
    def foreign(self) -> type[Notice]:
        """A type that this authority may not send."""
        return next(kind for kind in NOTICE_TYPES if not self._may_send(kind))

    def new_id(self) -> str:
        """An id that no run used before."""
        self._count += 1
        return f"conformance-{self._run}-{self._count:04d}"

    def number(self) -> str:
        """A possible personal number, made by chance."""
        while True:
            born_on = date.fromordinal(_FIRST + self._random.randrange(_SPAN))
            made = personal_number.make(born_on, self._random.randrange(10, 20), self._random.randrange(1_000))
            if made is not None:
                return made

    def examples(self, kind: type[Notice]) -> Iterator[JSON]:
        """The published examples of a type, as this authority's own, each under a new id."""
        for example in EXAMPLES[kind.TOPIC]:
            yield self._own(example)

    def one(self, kind: type[Notice] | None = None, **data: Any) -> JSON:
        """The first example of a type (by default the first it is competent for); members of its data replaced."""
        notice = next(self.examples(kind or self.competent[0]))
        notice["data"] |= data
        return notice

    def documented(self) -> list[type[Notice]]:
        """The types of its own that must name a document."""
        return [kind for kind in self.competent if kind in DOCUMENT_REQUIRED]

    def placed(self) -> type[Notice] | None:
        """A type of its own that it may send for its own municipality only."""
        return next((kind for kind in self.competent if COMPETENCES[kind].own), None)

    def annulment(self, annuls: str) -> JSON:
        """An annulment of an earlier notice."""
        notice = self._own(EXAMPLES[Annulment.TOPIC][0])
        notice["data"]["annuls"] = annuls
        return notice

    def control_total(self) -> JSON:
        """A control total of the server's day before, of a test authority that sent nothing that day."""
        notice = self._own(EXAMPLES[ControlTotal.TOPIC][0])
        notice["data"] = {"day": self._day(1), "sent": {self.competent[0].TOPIC: 0}}
        return notice

    def _may_send(self, kind: type[Notice]) -> bool:
        competence = COMPETENCES[kind]
        only_in = competence.only_in
        return self.caller.role in competence.roles and (only_in is None or only_in in own_municipalities(self.caller))

    def _own(self, example: JSON) -> JSON:
        notice = copy.deepcopy(example)
        data = notice["data"]
        notice |= {
            "id": self.new_id(),
            "source": f"{SOURCE_PREFIX}{self.caller.authority}",
            "time": self.now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        fresh: dict[str, Callable[[], str]] = {
            "jmb": self.number,
            "new_jmb": self.number,
            "effective_on": lambda: self._day(1),
            "code": lambda: f"T{self._random.randrange(10**8):08d}",
            "municipality": lambda: self.municipality,
        }
        data |= {name: fresh[name]() for name in fresh.keys() & data.keys()}
        if "document" in data:
            data["document"]["issued_on"] = self._day(1)
        return notice

    def _day(self, before: int) -> str:
        return (self.today - timedelta(days=before)).isoformat()
