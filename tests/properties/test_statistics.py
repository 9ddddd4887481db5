"""Statistics tell sums over hidden counts: whoever lays all lines and the public accounts side by side finds nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from hypothesis import assume, given
from hypothesis import strategies as st

from register.app.parts import read_reference
from register.excerpts.rows import CountRow
from register.excerpts.statistics import Counted, counted, counted_rows
from register.law.events import BRCKO, ElectionCalled
from register.law.territory import Municipality, electoral_units
from register.projection.roll_accounts import Cell, Shown, guarded
from register.projection.roll_regions import told
from tests.properties.histories import tried

MUNICIPALITIES = read_reference()
GENERAL = ElectionCalled(
    election="general-2026", kind="general", early=False, day=date(2026, 10, 4), called_on=date(2026, 4, 1)
)


def beside(code: str) -> str:
    """Another municipality that lies in the same units."""

    def units(of: Municipality) -> frozenset[str]:
        return electoral_units(of, None) - {of.code}

    own = MUNICIPALITIES[code]
    return next(each.code for each in MUNICIPALITIES.values() if each.code != code and units(each) == units(own))


BIHAC, RS = "10049", "20443"
#: Two of one unit, one of another entity, and Brčko, which lies in units of both.
PLACES = [
    *((code, str(MUNICIPALITIES[code].entity)) for code in (BIHAC, beside(BIHAC), RS)),
    (BRCKO, "FBiH"),
    (BRCKO, "RS"),
]
LISTS = [("mail", None), ("polling-station", "A"), ("polling-station", "B"), ("absentee-1991", None)]
CELLS = [
    Cell(code, kind, station, "regular" if station else kind, entity)
    for code, entity in PLACES
    for kind, station in LISTS
]
SEXES = st.tuples(st.integers(0, 4), st.integers(0, 4)) | st.tuples(st.integers(0, 7), st.integers(3, 40))
LARGE = st.tuples(st.integers(15, 40), st.integers(15, 40))
ROLLS = st.dictionaries(st.sampled_from(CELLS), SEXES | LARGE, min_size=2, max_size=8).map(
    lambda roll: {cell: sexes for cell, sexes in roll.items() if sum(sexes)}
)


Roll = Mapping[Cell, tuple[int, int]]


def lines(roll: Roll) -> tuple[dict[Cell, Shown], list[CountRow]]:
    """What everyone sees: the cells of the accounts, and the lines of the statistics."""
    counts = {cell: sum(sexes) for cell, sexes in roll.items()}
    shown = guarded(counts)
    exact: dict[Counted, tuple[int, int]] = {counted(cell): sexes for cell, sexes in roll.items()}
    return shown, list(counted_rows(GENERAL, MUNICIPALITIES, None, counts, shown, exact))


def within(line: CountRow, cell: Cell) -> bool:
    """Whether a line counts the voters of a cell."""
    if line.level == "unit":
        own = MUNICIPALITIES[cell.municipality]
        return line.unit in electoral_units(own, cell.entity)  # type: ignore[arg-type] # FBiH or RS
    place = (cell.municipality, cell.station or "", cell.list)
    return {
        "country": True,
        "municipality": line.municipality == cell.municipality,
        "list": (line.municipality, line.polling_station, line.list) == place,
    }[line.level]


#: A sum of women and men of cells, and its least and greatest value.
Known = tuple[frozenset[tuple[str, Cell]], int, int]
BOUNDS = {"<5": (1, 4), "": (5, 10**6), None: (5, 10**6)}


def of(cells: Iterable[Cell], sexes: str = "wm") -> frozenset[tuple[str, Cell]]:
    return frozenset((sex, cell) for cell in cells for sex in sexes)


def known(roll: Roll) -> list[Known]:
    """All that an outsider knows: the total, each cell, each line, and what ``<5`` and a withheld count mean."""
    shown, rows = lines(roll)
    total = sum(map(sum, roll.values()))
    found: list[Known] = [(of(roll), total, total)]
    for cell, count in shown.items():
        found.append((of([cell]), count, count) if isinstance(count, int) else (of([cell]), *BOUNDS[count]))
    for row in rows:
        cells = [cell for cell in roll if within(row, cell)]
        for sexes, text in (("wm", row.voters), ("w", row.women), ("m", row.men)):
            if text.isdigit():
                found.append((of(cells, sexes), int(text), int(text)))
            elif text == "<5" and len(cells) == 1:
                found.append((of(cells, sexes), *BOUNDS[text]))
        if row.level == "list" and row.voters.isdigit() and row.women == row.men == "":
            for cell in cells:
                small = [0 < part < 5 for part in roll[cell]]
                if sum(small) == 1:  # not told, but which of the sexes has few voters may be known on the spot
                    found.append((of([cell], "wm"[small.index(True)]), *BOUNDS["<5"]))
                elif min(roll[cell]) >= 5:  # that it takes up what the others could be, may be guessed
                    found += [(of([cell], sex), *BOUNDS[""]) for sex in "wm"]
    return found


def another(roll: Roll, facts: list[Known], moves: int = 6) -> bool:
    """Whether a roll that differs by so many voters of one sex in one cell at most has all these facts."""
    counts = {name: roll[name[1]]["wm".index(name[0])] for name in of(roll)}
    turned = dict.fromkeys(counts, 0)

    def search(left: int) -> bool:
        wrong = []
        for some, least, most in facts:
            here = sum(counts[name] for name in some)
            if here < least or here > most:
                wrong.append((max(least - here, here - most), len(some), 1 if here < least else -1, some))
        if not wrong:
            return True
        if max(wrong, key=lambda fact: fact[0])[0] > left:
            return False
        _, _, step, some = min(wrong, key=lambda fact: fact[1])
        for name in sorted(some, key=str):
            if counts[name] + step < 0 or turned[name] * step < 0:
                continue
            counts[name] += step
            turned[name] += step
            if search(left - 1):
                return True
            counts[name] -= step
            turned[name] -= step
        return False

    return search(moves)


@tried(150)
@given(ROLLS)
def test_nobody_is_found_by_laying_all_lines_and_the_accounts_side_by_side(roll: Roll) -> None:
    facts = known(roll)
    shown, _ = lines(roll)
    hidden = [cell for cell, count in shown.items() if not isinstance(count, int)]
    assert another(roll, facts, moves=0), "an outsider knows nothing that is not so"
    assume(hidden and len(hidden) < len(roll))  # with nothing left to withhold, the accounts alone tell as much
    for cell, sexes in roll.items():
        secrets = [("w", sexes[0]), ("m", sexes[1]), ("wm", sum(sexes))]
        for secret, count in secrets:
            if 0 < count < 5:
                others = [(of([cell], secret), 0, count - 1), (of([cell], secret), count + 1, 10**6)]
                assert any(another(roll, [*facts, other]) for other in others), (cell, secret)


def test_of_two_regions_that_overlap_one_is_told() -> None:
    """Both, less the sum of all, would tell what lies in both."""
    regions = {"north": {1, 2, 3}, "west": {3, 4, 5}, "all": {1, 2, 3, 4, 5}}
    assert told(regions, {1, 2, 3, 4, 5}, lambda cells: len(cells) > 1, [regions["all"]]) == {"all", "north"}
    assert told(regions, {1, 2, 4, 5}, lambda cells: len(cells) > 1, [regions["all"]]) == {"all", "north", "west"}


def test_a_country_its_units_and_municipalities_are_told_although_lists_of_theirs_are_not() -> None:
    """Two lists of a few voters in each of two municipalities of a unit: what they come to together tells of none."""
    roll = {
        Cell(BIHAC, "polling-station", "A", "regular", "FBiH"): (200, 190),
        Cell(BIHAC, "polling-station", "B", "regular", "FBiH"): (300, 310),
        Cell(BIHAC, "absentee-1991", None, "absentee-1991", "FBiH"): (1, 1),
        Cell(BIHAC, "mail", None, "mail", "FBiH"): (2, 1),
        Cell(beside(BIHAC), "polling-station", "A", "regular", "FBiH"): (150, 150),
        Cell(beside(BIHAC), "mail", None, "mail", "FBiH"): (2, 1),
        Cell(beside(BIHAC), "absentee-1991", None, "absentee-1991", "FBiH"): (1, 0),
        Cell(RS, "polling-station", "A", "regular", "RS"): (100, 99),
    }
    _, rows = lines(roll)
    said = {(row.unit or row.municipality): (row.women, row.men, row.voters) for row in rows if row.level != "list"}
    assert said[""] == ("756", "752", "1508")
    assert said["511"] == ("656", "653", "1309")
    assert said[BIHAC] == ("503", "502", "1005")
    assert said[RS] == ("100", "99", "199")
    assert said[beside(BIHAC)] == ("153", "151", "304")
    alone = {
        cell: sexes
        for cell, sexes in roll.items()
        if cell != Cell(beside(BIHAC), "absentee-1991", None, "absentee-1991", "FBiH")
    }
    left = {row.municipality: row.voters for row in lines(alone)[1] if row.level == "municipality"}
    assert (left[BIHAC], left[beside(BIHAC)]) == ("", ""), "beside the unit's, either would tell the other's one list"
    of_bihac = [row for row in rows if row.level == "list" and row.municipality == BIHAC]
    assert {(row.list, row.polling_station): (row.women, row.men, row.voters) for row in of_bihac} == {
        ("absentee-1991", ""): ("", "", "<5"), ("mail", ""): ("", "", "<5"),
        ("polling-station", "A"): ("", "", "390"), ("polling-station", "B"): ("300", "310", "610"),
    }  # fmt: skip
