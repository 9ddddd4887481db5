"""What municipal commissions send about polling stations: those in use, a mobile team, one that was abolished."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from .notices import Line, day_text, write
from .people import World
from .places import Entry, Place, Station


def station_notice(world: World, rng: Random, place: Place, station: Station, kind: str, effective: int) -> Line:
    """Write the notice of a station of a kind, in use from a day on."""
    code = place.municipality.code
    catchment = ",".join(_entry(entry) for entry in station.catchment)
    data = (
        f'"code":"{station.code}","municipality":"{code}","name":"{station.name}","address":"{station.address}",'
        f'"kind":"{kind}","catchment":[{catchment}],"effective_on":"{day_text(effective)}"'
    )
    sent = effective + 1 + int(rng.random() * 30)
    return write(world.numbering, f"municipal-commission:{code}", "polling-station", sent, 7_200, data)


def _entry(entry: Entry) -> str:
    members = (
        ("settlement", entry.settlement), ("street", entry.street), ("from", entry.first), ("to", entry.last),
        ("parity", entry.parity),
    )  # fmt: skip
    return "{" + ",".join(
        f'"{name}":{value}' if isinstance(value, int) else f'"{name}":"{value}"'
        for name, value in members
        if value is not None
    ) + "}"  # fmt: skip


def old_station(world: World, rng: Random, place: Place) -> Iterator[Line]:
    """A mobile team, and a station that served a quarter nobody lives in any more and was abolished."""
    town, prefix = place.municipality.name, place.municipality.station_prefix
    team = Station(f"{prefix}801", f"Mobilni tim {town}", f"{town} bb", ())
    yield station_notice(world, rng, place, team, "mobile", world.since)
    closed = Station(f"{prefix}901", "Stara bolnica", f"{town} bb", (Entry(f"{town} - Stara bolnica"),))
    yield station_notice(world, rng, place, closed, "regular", world.since)
    day = world.since + 200 + int(rng.random() * 600)
    code = place.municipality.code
    data = f'"code":"{closed.code}","municipality":"{code}","effective_on":"{day_text(day)}"'
    source = f"municipal-commission:{code}"
    yield write(world.numbering, source, "polling-station-abolished", day + 1, 7_300, data)
