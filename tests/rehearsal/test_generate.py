"""The synthetic feed: deterministic, plausible, streamed, and right about what must be refused."""

import hashlib
import json
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
import zstandard
from stdnum.si import emso

from register.intake.folder import authority_of, files_in
from register.intake.judge import judge
from register.intake.parse import Unreadable, parse
from register.law import events as e
from register.law.alphabet import to_cyrillic
from register.law.competence import caller_for
from register.law.dossier import on_day, timeline
from register.law.persons import persons
from register.law.territory import Address, Coverage, Covering, station_on
from register.rehearsal.generate import Feed, Folder, Line, generate, shuffle, write_folder
from register.rehearsal.generate.numbers import Numbers
from register.rehearsal.generate.parts import PARTS
from register.rehearsal.generate.places import sizes

UNTIL = date(2026, 7, 1)
SEXES: tuple[e.Sex, ...] = ("F", "M")
CODES = tuple(Feed(1, until=UNTIL)._codes)


def digest(lines: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(lines)).hexdigest()


@pytest.fixture(scope="module")
def clean() -> list[Line]:
    return list(Feed(6_000, seed=11, until=UNTIL))


@pytest.fixture(scope="module")
def messy() -> list[Line]:
    return list(Feed(3_000, seed=12, messy=True, until=UNTIL))


class Receiver:
    """A register of a few lines: reads and judges as intake does, and keeps what an event store must know."""

    def __init__(self) -> None:
        self.recorded: dict[tuple[str, str], bytes] = {}
        self.annulments: set[tuple[str, str]] = set()

    def take(self, line: Line) -> str:
        message = parse(line.body)
        if isinstance(message, Unreadable):
            return message.refusal.kind
        caller = caller_for(line.source, "rehearsal")
        refusal = judge(message, caller, received=UNTIL, municipalities=CODES)
        if refusal is not None:
            return refusal.kind
        key = (message.source, message.id)
        content = msgspec.json.encode([type(message.data).TOPIC, message.data], order="deterministic")
        if key in self.recorded:
            return "repeated" if self.recorded[key] == content else "id-conflict"
        if isinstance(message.data, e.Annulment):
            target = (message.source, message.data.annuls)
            if target not in self.recorded or target in self.annulments:
                return "annulment"
            self.annulments.add(key)
        self.recorded[key] = content
        return "recorded"


def data_of(line: Line) -> e.Notice:
    message = parse(line.body)
    assert not isinstance(message, Unreadable), line
    return message.data


@pytest.mark.parametrize("messy", [False, True])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(messy: bool) -> None:
    first, again, other = (digest(generate(900, seed=seed, messy=messy, until=UNTIL)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("messy", [False, True])
def test_the_bytes_are_the_same_however_many_processes_make_them(messy: bool) -> None:
    """Enough people for the processes to have something to do."""
    feeds = [Feed(16_000, seed=3, messy=messy, until=UNTIL, processes=processes) for processes in (1, 2, 3)]
    assert len({digest(line.written for line in feed) for feed in feeds}) == 1
    assert feeds[0].summary == feeds[1].summary == feeds[2].summary


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_holds_each_authoritys_lines_in_their_order_and_is_there_once_it_is_whole(
    packed: bool, tmp_path: Path, messy: list[Line]
) -> None:
    feed = Feed(3_000, seed=12, messy=True, until=UNTIL)
    with suppress(KeyboardInterrupt), Folder(tmp_path / "feed", packed=packed) as folder:
        folder.add(messy[0])
        raise KeyboardInterrupt
    assert not (tmp_path / "feed").exists()
    sent: defaultdict[str, bytearray] = defaultdict(bytearray)
    for line in messy:
        sent[line.source] += line.written
    told = write_folder(feed, tmp_path / "feed", packed=packed)
    assert told.total() == len(messy)
    found = {}
    for file in files_in(tmp_path / "feed"):
        content = file.read_bytes()
        if packed:
            content = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True).decompress(content)
        found[authority_of(file)] = bytearray(content)
    assert found == sent
    with pytest.raises(FileExistsError):
        write_folder(feed, tmp_path / "feed", packed=packed)


def test_a_feed_can_be_read_twice_and_its_lines_are_plain_ndjson(messy: list[Line]) -> None:
    feed = Feed(3_000, seed=12, messy=True, until=UNTIL)
    assert list(feed) == list(feed) == messy
    assert all(b"\n" not in line.body and line.written == line.body + b"\n" for line in messy)
    assert feed.summary.lines == len(messy) == feed.summary.expected.total()


def test_a_clean_feed_is_recorded_whole_and_holds_every_type_but_annulments(clean: list[Line]) -> None:
    receiver = Receiver()
    assert {receiver.take(line) for line in clean} == {"recorded"}
    assert {type(data_of(line)) for line in clean} == set(e.NOTICE_TYPES) - {e.Annulment}
    assert {line.expect for line in clean} == {"recorded"}


def test_exactly_the_lines_made_wrong_are_refused_each_with_its_kind_of_problem(messy: list[Line]) -> None:
    receiver = Receiver()
    answers = [(line.expect, receiver.take(line)) for line in messy]
    assert [pair for pair in answers if pair[0] != pair[1]] == []
    assert {expect for expect, _ in answers} == {
        "recorded", "repeated", "malformed", "schema", "jmb", "date", "document-missing", "annulment",
        "not-competent", "id-conflict",
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_any_allowed_order_the_same_events_are_recorded(messy: list[Line], seed: int) -> None:
    in_order, reordered = Receiver(), Receiver()
    for line in messy:
        in_order.take(line)
    lines = shuffle(messy, seed)
    assert lines != messy
    assert Counter(lines) == Counter(messy)
    assert [line for line in lines if reordered.take(line) != line.expect] == []
    assert reordered.recorded == in_order.recorded


def test_making_a_feed_messy_takes_nothing_away() -> None:
    """What the clean feed says about people, the messy one says as well; ids and control totals may differ."""
    told: list[Counter[str]] = []
    for messy in (False, True):
        lines = (line for line in Feed(900, seed=4, messy=messy, until=UNTIL) if line.expect == "recorded")
        told.append(
            Counter(
                json.dumps({k: v for k, v in json.loads(line.body)["data"].items() if k not in ("ends", "sent")})
                for line in lines
            )
        )
    assert not told[0] - told[1]
    assert 0 < (told[1] - told[0]).total() < 0.05 * told[0].total()


def test_a_messy_feed_is_out_of_order_late_and_early(messy: list[Line]) -> None:
    known: set[str] = set()
    early = 0
    for line in messy:
        if line.expect == "recorded" and isinstance(data := data_of(line), e.AboutPerson):
            early += data.jmb not in known and not isinstance(data, e.Citizen)
            known.add(data.jmb) if isinstance(data, e.Citizen) else None
    assert early > 100
    late = [line for line in messy if line.mark == "late"]
    assert late
    for line in late:
        data = data_of(line)
        assert isinstance(data, e.Death)
        assert line.day - data.effective_on.toordinal() >= 365


def test_every_notice_was_sent_after_the_change_and_before_the_feed_ends(clean: list[Line], messy: list[Line]) -> None:
    end = datetime(UNTIL.year, UNTIL.month, UNTIL.day, tzinfo=UTC)
    for line in (*clean, *messy):
        if line.expect not in ("recorded", "repeated"):
            continue
        message = parse(line.body)
        assert not isinstance(message, Unreadable)
        assert message.time < end
        day = getattr(message.data, "effective_on", date.min)
        assert day <= message.time.date(), line


def test_personal_numbers_are_valid_unique_and_say_the_sex_and_birth_of_their_bearer(clean: list[Line]) -> None:
    bearers = Counter[str]()
    for line in clean:
        if isinstance(data := data_of(line), e.Citizen):
            assert emso.is_valid(data.jmb)
            assert emso.get_birth_date(data.jmb) == data.born_on
            assert emso.get_gender(data.jmb) == data.sex
            bearers[data.jmb] += 1
    assert set(bearers.values()) == {1}
    assert len(bearers) >= 6_000


def test_numbers_stay_unique_when_the_days_of_birth_come_round_again() -> None:
    numbers = Numbers(UNTIL.toordinal())
    rounds = numbers.capacity // 250
    people = [start + person for start in (0, rounds, 2 * rounds, 249 * rounds) for person in range(500)]
    given = {
        numbers.of(person, sex, second=second)[1] for person in people for sex in SEXES for second in (False, True)
    }
    assert len(given) == len(people) * 4
    with pytest.raises(ValueError, match="no more than"):
        numbers.of(numbers.capacity, "F")


def test_some_come_of_age_before_the_feed_ends_and_some_after(clean: list[Line]) -> None:
    days_to_18 = [
        (data.born_on.replace(year=data.born_on.year + 18, day=min(data.born_on.day, 28)) - UNTIL).days
        for line in clean
        if isinstance(data := data_of(line), e.Citizen)
    ]
    assert sum(0 < days <= 730 for days in days_to_18) > 30
    assert sum(-365 < days <= 0 for days in days_to_18) > 15


def test_shares_are_those_of_a_real_roll() -> None:
    feed = Feed(40_000, seed=5, until=UNTIL)
    options = Counter[str]()
    entities = Counter[str]()
    brcko = next(place.voters for place in feed.places if place.municipality.code == "30163")
    cyrillic, women, citizens = 0, 0, 0
    for line in feed:
        if line.kind == "voting-option":
            options[json.loads(line.body)["data"]["option"]] += 1
        elif line.kind == "entity-option":
            entities[json.loads(line.body)["data"]["entity"]] += 1
        elif line.kind == "citizen":
            citizens += 1
            women += b'"sex":"F"' in line.body
            cyrillic += b'"script":"Cyrl"' in line.body
    assert options["mail"] / 40_000 == pytest.approx(0.0188, abs=0.003)
    assert options["in-person-1991"] / 40_000 == pytest.approx(0.0050, abs=0.0015)
    assert options["absentee-1991"] / 40_000 == pytest.approx(0.0018, abs=0.001)
    assert options["diplomatic-mission"] / 40_000 == pytest.approx(0.0020, abs=0.001)
    assert options["mobile-team"] / 40_000 == pytest.approx(0.0042, abs=0.0015)
    assert entities["FBiH"] / brcko == pytest.approx(0.500, abs=0.04)
    assert entities["RS"] / brcko == pytest.approx(0.337, abs=0.04)
    assert women / citizens == pytest.approx(0.51, abs=0.02)
    assert 0.03 < cyrillic / citizens < 0.4


def test_stations_serve_300_to_1000_people_and_cover_all_permanent_addresses_but_the_marked() -> None:
    feed = Feed(9_000, seed=6, municipalities=["10049", "20486", "30163"], until=UNTIL)
    stations: defaultdict[str, list[e.Event]] = defaultdict(list)
    addresses: dict[Address, bool] = {}
    people: Counter[tuple[str, str | None]] = Counter()
    newest: dict[str, tuple[date, Address]] = {}
    for position, line in enumerate(feed, 1):
        if line.kind.startswith("polling-station"):
            message = parse(line.body)
            assert not isinstance(message, Unreadable)
            assert isinstance(message.data, e.PollingStation | e.PollingStationAbolished)
            event = e.Event(position, UUID(int=1), 1, message.time, message.source, line.id, message.time, message.data)
            stations[message.data.municipality].append(event)
        elif line.kind == "residence" and isinstance(data := data_of(line), e.Residence) and data.kind == "permanent":
            assert data.municipality is not None
            address = Address(data.municipality, data.settlement, data.street, data.house_number)
            addresses[address] = line.mark == "uncovered"
            if data.jmb not in newest or newest[data.jmb][0] <= data.effective_on:
                newest[data.jmb] = (data.effective_on, address)
    coverage = {code: Coverage(code, events) for code, events in stations.items()}
    found: dict[Address, Covering] = {}
    for address, uncovered in addresses.items():
        station = station_on(coverage[address.municipality].resolve(address), UNTIL)
        assert station is not None
        found[address] = station
        assert (station.station is None) == uncovered, address
        assert not station.ambiguous, address
    assert 0 < sum(addresses.values()) < 0.01 * len(addresses)
    people.update((address.municipality, found[address].station) for _, address in newest.values())
    served = {key: count for key, count in people.items() if key[1] is not None}
    assert len(served) == sum(place.stations for place in feed.places)
    assert all(300 <= count <= 1_000 for count in served.values()), served
    kinds = {
        (entry.street is not None, entry.from_ is not None, entry.parity is not None)
        for events in stations.values()
        for event in events
        if isinstance(event.data, e.PollingStation)
        for entry in event.data.catchment
    }
    assert kinds == {(False, False, False), (True, False, False), (True, True, False), (True, False, True)}


@pytest.mark.parametrize("fixture", ["clean", "messy"])
def test_control_totals_agree_with_what_was_sent(fixture: str, request: pytest.FixtureRequest) -> None:
    lines: list[Line] = request.getfixturevalue(fixture)
    sent: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for line in lines:
        if line.expect in ("malformed", "repeated", "id-conflict"):
            continue
        message = json.loads(line.body)
        sent[line.source, message["time"][:10]][message["id"]] = message["type"]
    totals = [(line, json.loads(line.body)["data"]) for line in lines if line.kind == "control-total"]
    assert len(totals) > 100
    for line, data in totals:
        told = {name: count for name, count in data["sent"].items() if count}
        assert told == dict(Counter(sent[line.source, data["day"]].values())), line
    notices = sum(sum(data["sent"].values()) - data["sent"]["ba.cvr.control-total.v1"] for _, data in totals)
    assert notices > 10


def test_silent_days_are_told() -> None:
    feed = Feed(6_000, seed=11, until=UNTIL)
    told = {(line.source, json.loads(line.body)["data"]["day"]) for line in feed if line.kind == "control-total"}
    assert feed.summary.silent_days
    assert not told & set(feed.summary.silent_days)


def test_the_showcase_person_loses_legal_capacity_and_regains_it(messy: list[Line]) -> None:
    feed = Feed(3_000, seed=12, messy=True, until=UNTIL)
    list(feed)
    jmb = feed.summary.showcase["capacity-withdrawn-and-restored"]
    told = [data_of(line) for line in messy if line.expect == "recorded" and jmb.encode() in line.body]
    withdrawn = next(data for data in told if isinstance(data, e.CapacityWithdrawn))
    restored = next(data for data in told if isinstance(data, e.CapacityRestored))
    citizen = next(data for data in told if isinstance(data, e.Citizen))
    assert withdrawn.extent == "full"
    assert citizen.born_on.replace(year=citizen.born_on.year + 18, day=1) < withdrawn.effective_on
    assert withdrawn.effective_on < restored.effective_on


def test_the_law_says_of_each_showcase_what_its_part_is_about(clean: list[Line]) -> None:
    feed = Feed(6_000, seed=11, until=UNTIL)
    list(feed)
    wanted = set(feed.summary.showcase.values())
    streams: defaultdict[UUID, list[e.Event]] = defaultdict(list)
    for position, line in enumerate(clean, 1):
        message = parse(line.body)
        assert not isinstance(message, Unreadable)
        if isinstance(data := message.data, e.AboutPerson):
            stream, at = UUID(int=int(data.jmb)), message.time
            event = e.Event(position, stream, len(streams[stream]) + 1, at, message.source, line.id, at, data)
            streams[stream].append(event)
    answers = {}
    for events in persons(streams).values():
        numbers = wanted & {event.data.jmb for event in events if isinstance(event.data, e.AboutPerson)}
        numbers |= wanted & {event.data.new_jmb for event in events if isinstance(event.data, e.JmbReplaced)}
        for number in numbers:
            answers[number] = on_day(timeline(events), UNTIL)
    grounds = {}
    for part, number in feed.summary.showcase.items():
        answer = answers[number]
        assert answer is not None
        assert answer.jmb == number
        grounds[part] = answer.grounds
        assert answer.marked_deceased == (part == "reported-deceased")
        assert answer.mobile_team == (part == "mobile-team")
        options = ("mail", "in-person-1991", "absentee-1991", "diplomatic-mission")
        assert answer.voting_option == (part if part in options else "regular")
    assert {part: ground for part, ground in grounds.items() if ground and part != "barred"} == {
        "capacity-withdrawn": ("legal-capacity-withdrawn",),
        "refugee-ended": ("no-residence",),
        "citizenship-ended": ("citizenship-ended",),
        "death": ("deceased",),
        "death-late": ("deceased",),
        "gone": ("no-residence",),
    }
    assert grounds["barred"][0].startswith("barred-")
    assert grounds.keys() == set(PARTS)


def test_names_are_written_in_one_script_with_their_addresses(clean: list[Line]) -> None:
    citizens = [data for line in clean if isinstance(data := data_of(line), e.Citizen)]
    cyrillic = [data for data in citizens if data.script == "Cyrl"]
    assert 100 < len(cyrillic) < len(citizens) / 2
    for data in cyrillic:
        assert (data.surname, data.given_name) == (to_cyrillic(data.surname), to_cyrillic(data.given_name))
    assert len({(data.surname, data.given_name, data.parent_name) for data in citizens}) > 0.9 * len(citizens)
    assert any("-" in data.surname for data in citizens)


def test_memory_does_not_grow_with_the_feed() -> None:
    peaks = []
    for voters in (1_500, 12_000):
        codes = ["10049", "20486", "30163"]
        tracemalloc.start()
        for _ in generate(voters, seed=8, municipalities=codes, messy=True, until=UNTIL):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 2  # eight times the people; the rest is what earlier tests left in caches


def test_what_cannot_be_generated_is_said() -> None:
    with pytest.raises(ValueError, match="at least one voter"):
        Feed(0, until=UNTIL)
    with pytest.raises(ValueError, match="no such municipality: 99999"):
        Feed(10, municipalities=["99999"], until=UNTIL)
    assert len(list(islice(generate(3_400_000, until=UNTIL), 1_000))) == 1_000


def test_a_country_has_the_stations_of_2022_and_a_few_that_are_too_small_or_too_large() -> None:
    """5,903 stations for 3,368,666 voters; Art. 5.1 asks for 300 to 1,000 at each."""
    country = Feed(3_368_666, until=UNTIL)
    assert len(country.places) == 143
    people = [count for place in country.places for count in sizes(place)]
    assert sum(people) == sum(place.voters for place in country.places) == 3_368_666
    assert len(people) == pytest.approx(5_903, rel=0.01)
    wrong = [count for count in people if not 300 <= count <= 1_000]
    assert min(wrong) < 300
    assert max(wrong) > 1_000
    assert len(wrong) < 0.01 * len(people)
