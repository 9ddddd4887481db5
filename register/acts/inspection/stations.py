"""How many voters the polling stations of a coming election have: counted for the whole country in one pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from typing import Final

from register.acts.inspection.looking import Examined, Sight, loading
from register.law.calendar import calendar_of
from register.law.deficiencies.stations import StationSize, outside
from register.law.dossier import live
from register.law.events import Event, PollingStation
from register.law.parameters import in_force
from register.law.territory import stations_on
from register.projection.deficiencies import standing_of
from register.projection.station_sizes import voters_by_station

_KIND: Final = "station-size"
_STREAMS: Final = "SELECT stream, municipality FROM projection.station WHERE %s::text IS NULL OR municipality = %s"


def examine(sight: Sight, town: str | None = None) -> Examined:
    """The stations of the country, or of a municipality, with fewer or more voters than usual (Art. 5.1, later law).

    They are counted for the conclusion day of the next election that is held there, as known now. Where none is
    coming nothing is found, and what stands is over.
    """
    towns: dict[str, date] = {}
    streams = sight.connection.execute(_STREAMS, (town, town)).fetchall()
    for _, municipality in streams:
        day = _next_conclusion(sight, municipality)
        if day is not None:
            towns[municipality] = day
    found = Examined(standing=standing_of(sight.connection, _KIND, town))
    wanted = [stream for stream, municipality in streams if municipality in towns]
    histories = sight.store.streams(wanted, upto=sight.position)
    for day in sorted(set(towns.values())):
        here = {municipality for municipality, its in towns.items() if its == day}
        sizes = _sizes(sight, histories.values(), here, day)
        still_loading = {municipality for municipality in here if _loading(sight, municipality)}
        for finding in outside(sizes, in_force(day)):
            (found.held if finding.municipality in still_loading else found.findings).append(finding)
    return found


def _next_conclusion(sight: Sight, municipality: str) -> date | None:
    """The conclusion day of the next election held in a municipality, or None."""
    coming = [
        called
        for called in sight.elections
        if called.day >= sight.today and (not called.municipalities or municipality in called.municipalities)
    ]
    return calendar_of(min(coming, key=lambda called: called.day)).conclusion_day if coming else None


def _sizes(sight: Sight, histories: Iterable[list[Event]], towns: Collection[str], day: date) -> list[StationSize]:
    """The stations of these municipalities in force on a day, those where nobody votes too."""
    last: defaultdict[tuple[str, str], int] = defaultdict(int)
    events: list[Event] = []
    for history in histories:
        for event in live(history):
            if isinstance(event.data, PollingStation):
                key = event.data.municipality, event.data.code
                last[key] = max(last[key], event.position)
            events.append(event)
    voters = voters_by_station(sight.connection, day, towns)
    return [
        StationSize(municipality, code, voters.get((municipality, code), 0), last[municipality, code])
        for municipality, code in stations_on(events, day)
        if municipality in towns
    ]


def _loading(sight: Sight, municipality: str) -> bool:
    """Whether those who make the numbers are still in their first load."""
    kinds = ("municipal-commission", "residence-authority", "registry-office")
    return loading(sight, {f"{kind}:{municipality}" for kind in kinds})
