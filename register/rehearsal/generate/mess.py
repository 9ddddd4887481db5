"""What goes wrong between authorities and the register: late, repeated, out of order, wrong, annulled.

Every disorder knows what must become of its lines (:attr:`Line.expect`), so that a rehearsal can check that exactly
those that were made wrong were refused, each with its own kind of problem. Once all kinds have occurred, they go on by
chance. A line made wrong is always an additional one: the right one follows, so that the register comes out the same.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, Final

import msgspec

from register.law.provisions import ProblemKind

from .faults import FAULTS, fits, made
from .notices import Line, Numbering, change, compact, day_text

#: Share of lines around which something goes wrong.
_SHARE: Final = 0.03
#: So often a rare disorder that the dice name does not happen after all.
_RARELY: Final = 0.9
#: One line in so many is followed by notices that cannot stand.
_FAULTY: Final = 1_000
#: So many lines are put out of order together, and one in so many of them is held back until a later window.
_WINDOW: Final = 2_000
_HELD_BACK: Final = 100
_DOCUMENT_REQUIRED: Final = frozenset(
    {
        "jmb-replaced", "citizenship-ended", "refugee-status", "capacity-withdrawn", "capacity-restored",
        "voting-barred", "voting-bar-ended",
    }
)  # fmt: skip
_ABOUT_NOBODY: Final = frozenset({"polling-station", "polling-station-abolished"})


class Mess:
    """Makes one feed messy. Deterministic in its own random numbers."""

    def __init__(self, rng: Random, numbering: Numbering, until: int, municipality_codes: tuple[str, ...]) -> None:
        self._rng, self._numbering, self._codes = rng, numbering, municipality_codes
        self._pending = list(_DISORDERS)
        self._faults = [fault for fault in FAULTS for _ in range(fault.times)]
        #: What the makers of faults remember: the end of the feed, numbers used, the last one, a house moved into.
        self.until = until
        self.numbers: set[str] = set()
        self.last_number: str | None = None
        self.full_house: dict[str, Any] | None = None

    def messed(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield the lines with what goes wrong around them, out of order within windows; memory stays bounded."""
        window: list[Line] = []
        held: list[Line] = []
        for line in lines:
            window.extend(self._around(line))
            if len(window) >= _WINDOW:
                window, freed = [*window, *held], window
                held = [late for late in freed if late.chain is None and self._rng.random() * _HELD_BACK < 1]
                late_ids = {id(late) for late in held}
                yield from shuffled([line for line in window if id(line) not in late_ids], self._rng)
                window = []
        yield from shuffled(window + held, self._rng)

    def _around(self, line: Line) -> list[Line]:
        """Return the line with what goes wrong around it, mostly nothing."""
        if line.mark is not None:
            return [line]
        for disorder in self._pending:
            if disorder.fits(line):
                self._pending.remove(disorder)
                return disorder.make(self, line)
        if self._faults and self._rng.random() * _WINDOW < 20 * len(FAULTS):
            for fault in self._faults:
                if fits(fault, line):
                    self._faults.remove(fault)
                    return made(self, fault, line)
        if self._rng.random() * _FAULTY < 1:
            fault = FAULTS[int(self._rng.random() * len(FAULTS))]
            if fits(fault, line):
                return made(self, fault, line)
        if self._rng.random() < _SHARE:
            disorder = _DISORDERS[int(self._rng.random() * len(_DISORDERS))]
            if disorder.fits(line) and not (disorder.rare and self._rng.random() < _RARELY):
                return disorder.make(self, line)
        return [line]

    # --- pieces -----------------------------------------------------------------------------------------------------

    def another(
        self,
        line: Line,
        data: dict[str, Any],
        *,
        source: str | None = None,
        kind: str | None = None,
        day: int | None = None,
    ) -> Line:
        """Return a further notice, under a number of its own, on the day of ``line``; None takes a member out."""
        sender, kind, day = source or line.source, kind or line.kind, day or line.day
        number = self._numbering.next(sender, day)
        message = json.loads(line.body) | {"id": number, "source": f"urn:cvr:authority:{sender}"}
        message["time"] = day_text(day) + message["time"][10:]
        message["type"] = f"ba.cvr.{kind}.v1"
        message["data"] = {name: value for name, value in data.items() if value is not None}
        return Line(compact(message), sender, number, kind, day)

    def wrong(self, line: Line, expect: ProblemKind, **members: object) -> list[Line]:
        """Return a copy that must be refused, and the line."""
        copy = self.another(line, json.loads(line.body)["data"] | members)
        return [msgspec.structs.replace(copy, expect=expect), line]

    def annulment(self, line: Line, annulled: str) -> Line:
        """Return an annulment by the sender of ``line``."""
        return self.another(line, {"annuls": annulled, "reason": "poslano greškom"}, kind="annulment")

    def day(self, line: Line, days: int) -> str:
        """Return a day some days from that of ``line``."""
        return day_text(line.day + days)

    def other_code(self, own: str) -> str:
        """Return another municipality's code."""
        place = self._codes.index(own) if own in self._codes else 0
        return self._codes[(place + 1) % len(self._codes)]

    # --- disorders --------------------------------------------------------------------------------------------------

    def repeated(self, line: Line) -> list[Line]:
        """The same content again, with another time."""
        message = json.loads(line.body)
        message["time"] = day_text(min(line.day + 2, self.until - 1)) + "T15:30:00Z"
        return chained(line, msgspec.structs.replace(line, body=compact(message), expect="repeated", counted=False))

    def repeated_exactly(self, line: Line) -> list[Line]:
        """The same message again."""
        return chained(line, msgspec.structs.replace(line, expect="repeated", counted=False))

    def other_content(self, line: Line) -> list[Line]:
        """Other content under the id of a recorded notice."""
        days = -500 if self.day(line, -500).encode() not in line.body else -501
        body = change(line, effective_on=self.day(line, days))
        return chained(line, msgspec.structs.replace(line, body=body, expect="id-conflict", counted=False))

    def bad_number(self, line: Line) -> list[Line]:
        """A mistyped control digit; the right notice comes under the same id, which the refused one did not use up."""
        jmb = json.loads(line.body)["data"]["jmb"]
        body = change(line, jmb=jmb[:-1] + str((int(jmb[-1]) + 1) % 10))
        mistyped = msgspec.structs.replace(line, body=body, expect="jmb", counted=False)
        return chained(mistyped, line)

    def cut_off(self, line: Line) -> list[Line]:
        """A message that breaks off; nobody can tell whose it was."""
        return [msgspec.structs.replace(line, body=line.body[:-25], expect="malformed", counted=False), line]

    def impossible_day(self, line: Line) -> list[Line]:
        """A day that no calendar has."""
        return self.wrong(line, "date", effective_on="2025-02-30")

    def far_future(self, line: Line) -> list[Line]:
        """A change that takes effect in decades."""
        return self.wrong(line, "date", effective_on="2099-01-01")

    def before_1880(self, line: Line) -> list[Line]:
        """A change of another age."""
        return self.wrong(line, "date", effective_on="1879-12-31")

    def born_after_sending(self, line: Line) -> list[Line]:
        """Born after the notice was sent."""
        return self.wrong(line, "date", born_on=self.day(line, 40))

    def issued_after_sending(self, line: Line) -> list[Line]:
        """A document issued after the notice was sent."""
        paper = json.loads(line.body)["data"]["document"] | {"issued_on": self.day(line, 40)}
        return self.wrong(line, "date", document=paper)

    def without_document(self, line: Line) -> list[Line]:
        """A type that must name its document, without it."""
        return self.wrong(line, "document-missing", document=None)

    def unknown_member(self, line: Line) -> list[Line]:
        """A member nobody agreed on."""
        return self.wrong(line, "schema", napomena="vidi spis")

    def missing_member(self, line: Line) -> list[Line]:
        """A notice without its day of effect."""
        return self.wrong(line, "schema", effective_on=None)

    def wrong_sender(self, line: Line) -> list[Line]:
        """Sent by an authority that is not competent for this type."""
        role, _, name = line.source.partition(":")
        other = {"registry-office": "residence-authority", "residence-authority": "registry-office"}.get(role)
        source = f"{other}:{name}" if other else "court:basic-court-prijedor" if role != "court" else "cec"
        copy = self.another(line, json.loads(line.body)["data"], source=source)
        return [msgspec.structs.replace(copy, expect="not-competent"), line]

    def foreign_municipality(self, line: Line) -> list[Line]:
        """A residence in a municipality that is not the sender's."""
        return self.wrong(line, "not-competent", municipality=self.other_code(line.source.partition(":")[2]))

    def annulment_of_unknown(self, line: Line) -> list[Line]:
        """An annulment of something never sent."""
        return [msgspec.structs.replace(self.annulment(line, "2001-999999"), expect="annulment"), line]

    def annulled_and_sent_again(self, line: Line) -> list[Line]:
        """A wrong house number, taken back; an attempt to take the annulment back too; and the right notice."""
        mistaken = self.another(line, json.loads(line.body)["data"] | {"house_number": "999"})
        annulment = self.annulment(line, mistaken.id)
        again = msgspec.structs.replace(self.annulment(line, annulment.id), expect="annulment")
        return [*chained(mistaken, annulment, again), line]

    def death_of_another(self, line: Line) -> list[Line]:
        """A death reported under the wrong number, and taken back: a deletion and a reinstatement."""
        data = {"jmb": json.loads(line.body)["data"]["jmb"], "effective_on": self.day(line, -2)}
        death = self.another(line, data, kind="death")
        return [line, *chained(death, self.annulment(line, death.id))]

    def two_under_one_number(self, line: Line) -> list[Line]:
        """Two registry offices record two people under one number."""
        data = json.loads(line.body)["data"]
        other = data | {
            "given_name": "Slaven" if data["sex"] == "M" else "Slavena",
            "born_on": data["born_on"][:-2] + ("15" if data["born_on"][-2:] != "15" else "16"),
        }
        code = self.other_code(line.source.partition(":")[2])
        copy = self.another(line, other, source=f"registry-office:{code}")
        return [line, msgspec.structs.replace(copy, mark="two-under-one-number")]


class _Disorder(msgspec.Struct, frozen=True):
    """A disorder, and the lines around which it can occur."""

    make: Callable[[Mess, Line], list[Line]]
    kinds: frozenset[str] = frozenset()
    not_kinds: frozenset[str] = frozenset()
    needs: bytes = b""
    rare: bool = False

    def fits(self, line: Line) -> bool:
        """Tell whether the disorder can occur around this line."""
        kind_fits = line.kind in self.kinds if self.kinds else line.kind not in self.not_kinds
        return kind_fits and self.needs in line.body


_DISORDERS: Final = (
    _Disorder(Mess.without_document, kinds=_DOCUMENT_REQUIRED),
    _Disorder(Mess.issued_after_sending, needs=b'"document":'),
    _Disorder(Mess.born_after_sending, kinds=frozenset({"citizen"})),
    _Disorder(Mess.two_under_one_number, kinds=frozenset({"citizen"}), rare=True),
    _Disorder(Mess.death_of_another, kinds=frozenset({"citizen"}), rare=True),
    _Disorder(Mess.annulled_and_sent_again, kinds=frozenset({"residence"}), needs=b'"kind":"permanent"'),
    _Disorder(Mess.foreign_municipality, kinds=frozenset({"residence"}), needs=b'"kind":"permanent"'),
    _Disorder(Mess.bad_number, not_kinds=_ABOUT_NOBODY),
    _Disorder(Mess.repeated),
    _Disorder(Mess.repeated_exactly),
    _Disorder(Mess.other_content),
    _Disorder(Mess.cut_off),
    _Disorder(Mess.impossible_day),
    _Disorder(Mess.far_future),
    _Disorder(Mess.before_1880),
    _Disorder(Mess.unknown_member),
    _Disorder(Mess.missing_member),
    _Disorder(Mess.wrong_sender),
    _Disorder(Mess.annulment_of_unknown),
)


def chained(*lines: Line) -> list[Line]:
    """Return lines that mean what they mean in this order only, marked as such."""
    chain = f"{lines[0].source} {lines[0].id}"
    return [msgspec.structs.replace(line, chain=chain) for line in lines]


def shuffled(lines: list[Line], rng: Random) -> list[Line]:
    """Return the lines in another order, those of one chain in their own order."""
    order = list(lines)
    rng.shuffle(order)
    chains: defaultdict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.chain is not None:
            chains[line.chain].append(line)
    following = {chain: iter(members) for chain, members in chains.items()}
    return [line if line.chain is None else next(following[line.chain]) for line in order]


def shuffle(lines: Iterable[Line], seed: int) -> list[Line]:
    """Return all lines in an order that must lead to the same register.

    Any order does, save that an annulment follows what it annuls and that repetitions, id conflicts and corrections
    under a refused notice's id keep their meaning.
    """
    return shuffled(list(lines), Random(f"shuffle {seed}"))  # noqa: S311  nothing secret
