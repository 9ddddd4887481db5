"""What there is to look at: what events touch at once, what waits until all are inspected, what a day brings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from typing import Final
from uuid import UUID

import msgspec

from register.acts.inspection import addresses, pairs, people, receiving, stations
from register.acts.inspection.looking import Examined, Sight
from register.acts.inspection.progress import Matter
from register.law.events import (
    AboutPerson,
    Annulment,
    ElectionCalled,
    Event,
    PollingStation,
    PollingStationAbolished,
)

#: The matters that wait.
PLACES: Final = "places"
ABROAD: Final = "abroad"
ELECTION: Final = "election"
SIZES: Final = "sizes"


class Touched(msgspec.Struct):
    """What a batch of events touches: the streams of personal numbers, and matters that are to wait."""

    streams: set[UUID]
    aside: set[Matter]


def touched(sight: Sight, batch: Sequence[Event]) -> Touched:
    """What a batch touches. What the register itself notes about deficiencies touches nothing."""
    streams = {event.stream for event in batch if isinstance(event.data, AboutPerson)}
    annulled = {event.stream for event in batch if isinstance(event.data, Annulment)}
    streams |= people.known(sight, annulled - streams)
    towns = {e.data.municipality for e in batch if isinstance(e.data, PollingStation | PollingStationAbolished)}
    towns |= addresses.towns_of_stations(sight, annulled)
    aside = {(SIZES, town) for town in towns}
    towns |= addresses.towns_with_gaps(sight, streams)
    aside |= {(PLACES, town) for town in towns}
    aside |= {(ABROAD, key) for key in addresses.crowds(sight, streams)}
    aside |= {(ELECTION, event.data.election) for event in batch if isinstance(event.data, ElectionCalled)}
    return Touched(streams, aside)


def about_persons(sight: Sight, streams: Collection[UUID]) -> Examined:
    """What is wrong about these people, each and between them."""
    examined = people.examine(sight, streams)
    examined.add(pairs.examine(sight, streams))
    return examined


def look_at(sight: Sight, waiting: Sequence[Matter]) -> Iterator[Examined]:
    """Look at matters that waited, all of one group."""
    matter, keys = waiting[0][0], [key for _, key in waiting]
    for key in keys:
        match matter:
            case "places":
                yield addresses.examine_town(sight, key)
            case "abroad":
                yield addresses.examine_abroad(sight, key)
            case "election":
                for part in people.late_for(sight, key):
                    yield people.examine(sight, part)
                yield stations.examine(sight)
            case "sizes":
                yield stations.examine(sight, key)
            case _:
                raise LookupError(matter)


def sweep(sight: Sight, since: date | None) -> Iterator[Examined]:
    """Look at all that the days after ``since`` may have brought."""
    crowds = addresses.crowds_by_day(sight, since)
    for part in people.touched_by_time(sight, since):
        yield about_persons(sight, part)
        crowds.update(addresses.crowds(sight, part))
    for key in sorted(crowds):
        yield addresses.examine_abroad(sight, key)
    for town in addresses.towns_to_look_at(sight):
        yield addresses.examine_town(sight, town)
    for called in sight.elections:
        yield addresses.examine_arrivals(sight, called)
    yield stations.examine(sight)
    yield from receiving.examine(sight)
