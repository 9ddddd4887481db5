"""A generated person, and what nearly everybody has: an entry in the books, residences, in Brčko an entity option.

What is out of the ordinary is in parts.py.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from register.law.alphabet import to_cyrillic
from register.law.events import Sex

from .names import PersonName, draw_name
from .notices import Line, Numbering, day_text, document, write
from .numbers import Numbers
from .places import Address, Municipality, Place, draw_address

#: The register begins so many days before the feed ends; what happened earlier comes with the first load.
REGISTER_DAYS: Final = 1_096
_LOAD_DAYS: Final = 45
BRCKO: Final = "30163"


class World(NamedTuple):
    """What all people of a feed share; ``people`` is how many they are."""

    places: tuple[Place, ...]
    municipality_codes: tuple[str, ...]
    numbers: Numbers
    numbering: Numbering
    until: int
    since: int
    people: int


class Life:
    """One person, and the notices about him or her in the order they were sent by each authority."""

    def __init__(self, world: World, rng: Random, place: Place, station: int, number: int) -> None:
        self.world, self.rng, self.place, self.station = world, rng, place, station
        self.sex: Sex = "F" if rng.random() < 0.51 else "M"
        self.born, self.jmb = world.numbers.of(number, self.sex)
        self.number = number
        self.mark: str | None = None
        self.name: PersonName = draw_name(rng, place.municipality.mix, self.sex, place.municipality.cyrillic_share)
        self.lines: list[Line] = []

    # --- writing ----------------------------------------------------------------------------------------------------

    def recent(self, *, least: int = 3, most: int = REGISTER_DAYS - 60) -> int:
        """Draw a day ``least`` to ``most`` days before the feed ends, but after the 18th birthday."""
        day = self.world.until - least - int(self.rng.random() * (most - least))
        return self.clip(max(day, self.born + 6_600))

    def clip(self, day: int) -> int:
        """Return ``day``, or the last day on which something can have happened."""
        return min(day, self.world.until - 2)

    def sent(self, effective: int, lag: int | None = None) -> int:
        """Draw the day on which a change was sent: within days, or with the first load for what lies before it."""
        world, rng = self.world, self.rng
        if effective < world.since:
            return world.since + int(rng.random() * _LOAD_DAYS)
        if lag is None:
            chance = rng.random()
            lag = int(chance * 4) if chance < 0.75 else int(3 + (chance - 0.75) * 40)
        return min(effective + lag, world.until - 1)

    def put(self, source: str, kind: str, day: int, data: str, mark: str | None = None) -> None:
        """Write a notice sent on ``day``."""
        self.lines.append(write(self.world.numbering, source, kind, day, int(self.rng.random() * 28_800), data, mark))

    def about(self, effective: int, jmb: str | None = None) -> str:
        """Return the members that every notice about a person has."""
        return f'"jmb":"{jmb or self.jmb}","effective_on":"{day_text(effective)}"'

    def paper(self, kind: str, issued_by: str, effective: int) -> str:
        """Return a document of the day of effect."""
        return document(kind, int(self.rng.random() * 4_000) + 1, issued_by, effective)

    def another_surname(self) -> str:
        """Return a surname of the same municipality, in the script of the person's own."""
        for _ in range(20):
            town = self.place.municipality
            name = draw_name(self.rng, town.mix, self.sex, 1.0 if self.name.cyrillic else 0.0)
            if name.cyrillic == self.name.cyrillic and name.surname != self.name.surname:
                return name.surname
        return f"{self.name.surname}-{self.name.surname}"

    # --- what everybody has -----------------------------------------------------------------------------------------

    def citizen(self, jmb: str | None = None) -> None:
        """The registry office's entry: from birth for most, at a later entry in the books for some."""
        world, rng, town = self.world, self.rng, self.place.municipality
        entered = self.born + 2 + int(rng.random() * 20)
        if rng.random() < 0.15:
            entered = min(self.born + 5_900 + int(rng.random() * 600), world.until - 2)
        coming_of_age = self.born + 6_560
        if entered < world.since < coming_of_age:
            sent = min(max(world.since, coming_of_age - int(rng.random() * 20)), world.until - 1)
        else:
            sent = self.sent(entered)
        name = self.name
        script = ',"script":"Cyrl"' if name.cyrillic else ',"script":"Latn"' if rng.random() < 0.5 else ""
        self.put(
            f"registry-office:{town.code}", "citizen", sent,
            f'{self.about(entered, jmb)},"surname":"{name.surname}","given_name":"{name.given_name}",'
            f'"parent_name":"{name.parent_name}","sex":"{self.sex}","born_on":"{day_text(self.born)}"{script}',
            self.mark,
        )  # fmt: skip

    def residence(self, effective: int, place: Place, address: Address, jmb: str | None = None) -> None:
        """A permanent residence in a municipality of the feed."""
        written = self.address(place.municipality, address)
        self.put(
            f"residence-authority:{place.municipality.code}", "residence", self.sent(effective),
            f'{self.about(effective, jmb)},"kind":"permanent",{written}', None if address.covered else "uncovered",
        )  # fmt: skip

    def address(self, town: Municipality, address: Address) -> str:
        """Return the members of an address, in Cyrillic where the person's name is."""
        settlement, street = address.settlement, address.street
        if self.name.cyrillic:
            settlement, street = to_cyrillic(settlement), street and to_cyrillic(street)
        line = f',"street":"{street}"' if street else ""
        return f'"municipality":"{town.code}","settlement":"{settlement}"{line},"house_number":"{address.house_number}"'

    def ended(self, effective: int, place: Place, kind: str = "permanent") -> None:
        """The end of a residence in a municipality of the feed."""
        code = place.municipality.code
        self.put(
            f"residence-authority:{code}", "residence-ended", self.sent(effective),
            f'{self.about(effective)},"kind":"{kind}","municipality":"{code}"',
        )  # fmt: skip

    def home(self, jmb: str | None = None) -> int:
        """Where the person lived, up to the address that the polling station covers; returns the day of that move."""
        rng, places = self.rng, self.world.places
        moved = self.born + 20
        chance = rng.random()
        if chance < 0.52:
            origin = self.place
            if chance < 0.14 and len(places) > 1:
                origin = places[int(rng.random() * len(places))]
            self.residence(moved, origin, draw_address(rng, origin, int(rng.random() * origin.stations)), jmb)
            span = max(self.world.until - self.born - 6_200, 100)
            moved = max(self.world.until - 40 - int(rng.random() * span), moved + 30)
            moved = min(moved, self.world.until - 2)
            if origin is not self.place and rng.random() < 0.8:
                self.ended(moved - int(rng.random() * 3), origin)
        self.residence(moved, self.place, draw_address(rng, self.place, self.station), jmb)
        return moved

    def entity_option(self) -> None:
        """Brčko: half for the Federation, a third for the Republic, a sixth for neither."""
        chance = self.rng.random()
        if chance < 0.8368:
            entity, effective = "FBiH" if chance < 0.5001 else "RS", max(self.born + 6_600, self.world.since - 900)
            effective = min(effective, self.world.until - 2)
            self.put(
                f"residence-authority:{BRCKO}", "entity-option", self.sent(effective),
                f'{self.about(effective)},"entity":"{entity}"',
            )  # fmt: skip
