"""Two excerpts compared line by line, in any format; each difference with the events that made it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from register.acts import elections
from register.cli import app_for
from register.excerpts.comparing import Sheet, UnreadableError, compare, lines_of_file, read_sheet
from register.excerpts.draw import draw_list
from register.excerpts.printers import Printers
from register.excerpts.rows import ListHead, ListRow
from register.excerpts.runs import Wanted
from register.law.events import Death, ElectionCalled
from tests.flows import conftest as flows
from tests.flows.conftest import Hands
from tests.flows.test_election import CEC, concluded, drawn
from tests.flows.town import BIHAC, LATER

hands = flows.hands
Heads = Callable[..., ListHead]
COLUMNS = ("no", "surname", "given_name", "parent_name", "born_on", "municipality", "polling_station", "code")


def voter(no: int, **changes: str) -> dict[str, str]:
    row = {
        "no": str(no), "surname": f"Prezime{no}", "given_name": "Ana", "parent_name": "Ivo", "born_on": "1980-05-17",
        "municipality": "10049", "polling_station": "049A001", "code": "ABCDEF",
    }  # fmt: skip
    return row | changes


def sheet(*rows: dict[str, str]) -> Sheet:
    return Sheet(COLUMNS, [row | {"no": str(no)} for no, row in enumerate(rows, 1)])


def test_who_is_only_in_one_who_moved_and_who_married() -> None:
    born = "1970-02-28"
    before = sheet(voter(1), voter(2), voter(3, born_on=born), voter(4))
    moved, married = voter(2, polling_station="049A002"), voter(3, surname="Novo", born_on=born)
    after = sheet(voter(5, parent_name="Ana", given_name="Ivo"), voter(1), moved, married)
    found = compare(before, after)
    assert [row["surname"] for row in found.only_a] == ["Prezime4"]
    assert [row["surname"] for row in found.only_b] == ["Prezime5"]
    assert {each.a["surname"]: each.columns for each in found.changed} == {
        "Prezime2": {"polling_station": ("049A001", "049A002")},
        "Prezime3": {"surname": ("Prezime3", "Novo")},
    }
    assert (found.same, found.codes, found.equal) == (1, 0, False)


def test_two_copies_differ_in_nothing_but_codes() -> None:
    found = compare(sheet(voter(1), voter(2)), sheet(voter(1, code="GHJKLM"), voter(2, code="NPQRST")))
    assert (found.equal, found.same, found.codes) == (True, 2, 2)


def test_a_name_is_the_same_in_both_scripts_and_a_changed_one_is_not() -> None:
    latin = sheet(voter(1, surname="Njegoš", given_name="Ljilja"), voter(2, surname="Stara"))
    cyrillic = sheet(voter(2, surname="Нова"), voter(1, surname="Његош", given_name="Љиља"))
    found = compare(latin, cyrillic)
    assert (found.same, found.only_a, found.only_b) == (1, (), ())
    assert [each.columns for each in found.changed] == [{"surname": ("Stara", "Нова")}]


def test_namesakes_born_on_one_day_are_counted_and_nobody_is_guessed() -> None:
    two, one = sheet(voter(1), voter(1)), sheet(voter(1))
    assert [len(compare(two, one).only_a), len(compare(one, two).only_b)] == [1, 1]
    # Two who could both be the one whose surname changed: neither is said to be.
    found = compare(sheet(voter(1), voter(2)), sheet(voter(3)))
    assert [len(found.only_a), len(found.only_b), len(found.changed)] == [2, 1, 0]


def test_a_personal_number_tells_voters_where_both_have_it() -> None:
    a, b = (Sheet((*COLUMNS, "jmb"), [voter(1, surname=name) | {"jmb": "1705980100019"}]) for name in ("Stara", "Nova"))
    (changed,) = compare(a, b).changed
    assert changed.columns == {"surname": ("Stara", "Nova")}
    with pytest.raises(UnreadableError):
        compare(Sheet(("no", "women"), []), a)


voters = st.lists(
    st.builds(
        voter,
        st.integers(1, 4),
        born_on=st.sampled_from(["1980-05-17", "1981-05-17"]),
        polling_station=st.sampled_from(["049A001", "049A002"]),
    ),
    max_size=6,
)


@given(voters, voters)
def test_every_line_is_accounted_for_and_the_order_of_lines_does_not_matter(
    a: list[dict[str, str]], b: list[dict[str, str]]
) -> None:
    found, back = compare(sheet(*a), sheet(*b)), compare(sheet(*b), sheet(*a))
    assert len(found.only_a) + len(found.changed) + found.same == len(a)
    assert len(found.only_b) + len(found.changed) + found.same == len(b)
    assert [len(back.only_b), len(back.only_a), back.same] == [len(found.only_a), len(found.only_b), found.same]
    assert compare(sheet(*a), sheet(*reversed(a))).equal


@pytest.mark.parametrize("other", ["json", "xlsx"])
def test_the_same_list_is_the_same_in_every_format(
    head: Heads, rows: Callable[..., list[ListRow]], tmp_path: Path, other: str
) -> None:
    draw_list(head(kind="political-entity", copy=7), rows(40), ["csv", other], tmp_path)  # type: ignore[list-item]
    paths = {path.suffix: path for path in tmp_path.iterdir()}
    a, b = read_sheet(paths[".csv"]), read_sheet(paths[f".{other}"])
    assert (a.columns, a.rows) == (b.columns, b.rows)
    assert compare(a, b).equal
    if other == "json":
        assert (b.position, b.rows_sha256) == (1234567, a.rows_sha256)


def test_a_vri_file_is_read_with_the_sidecar_that_names_it(
    head: Heads, rows: Callable[..., list[ListRow]], tmp_path: Path
) -> None:
    draw_list(head(), rows(40), ["csv", "vri"], tmp_path)
    stem = tmp_path / head().name
    vri, beside = stem.with_suffix(".vri.json"), stem.with_suffix(".vri.sidecar.json")
    a, b = read_sheet(stem.with_suffix(".csv")), read_sheet(vri)
    assert (a.columns, a.rows, a.rows_sha256) == (b.columns, b.rows, b.rows_sha256)
    assert b.position == 1234567
    vri.write_bytes(vri.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(UnreadableError, match="another VRI file's"):
        read_sheet(vri)
    beside.unlink()
    with pytest.raises(UnreadableError, match="FileNotFoundError"):
        read_sheet(vri)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"no,surname\n1\n"), ("a.csv", b"\xff\xfe"), ("a.json", b"{}"), ("a.xlsx", b"PK"), ("a.pdf", b"%PDF"),
        ("a.json", b'{"rows":[{"a":1},{"b":2}],"columns":["a"],"head":{"position":1},"rows_sha256":""}'),
        ("a.json", b'{"rows":[],"columns":[],"head":[],"rows_sha256":""}'), ("a.json", b'{"rows":1}'),
    ],
)  # fmt: skip
def test_what_is_no_excerpt_is_said_to_be_none_and_nothing_of_it_is_repeated(
    tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableError) as refused:
        read_sheet(tmp_path / name)
    assert "surname" not in str(refused.value)
    if name == "a.pdf":
        assert lines_of_file(tmp_path / name) == ["%PDF"]


def another_election(hands: Hands) -> None:
    """An early one, called and concluded weeks after the first one's conclusion."""
    system = hands.system
    called = ElectionCalled(
        election="early-2026", kind="general", early=True, day=date(2026, 10, 11), called_on=LATER.date(),
        options_until=date(2026, 8, 30),
    )  # fmt: skip
    elections.call(system.store, called, CEC, system.municipalities, now=LATER, salt="cw==")
    hands.now = datetime(2026, 9, 22, 6, tzinfo=UTC)
    elections.conclude(system.store, "early-2026", CEC, reference=system.reference, now=hands.now, salt="cw==")
    hands.work()


def test_a_difference_is_explained_by_the_events_between_the_two_rolls(
    hands: Hands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given lists of two elections and a death between them, then the death notice is named under the line."""
    concluded(hands)
    with Printers() as printers:
        drawn(hands, tmp_path / "a", printers, kind="polling-station", formats=("csv",))
        jmb = hands.town.voters[10]
        hands.town.send(f"registry-office:{BIHAC}", Death(jmb=jmb, effective_on=date(2026, 8, 22)), at=LATER)
        hands.town.arrive(LATER)
        another_election(hands)
        run = hands.system.runs.begin(
            Wanted(election="early-2026", kind="polling-station", formats=("csv",)), tmp_path / "b"
        )
        hands.system.runs.draw(run, 0, printers)
        assert hands.system.runs.finish(run)
    name = f"polling-station_{BIHAC}_003A002.csv"
    monkeypatch.setenv("CVR_DATA", str(hands.settings.data))
    monkeypatch.setenv("CVR_DATABASE_URL", str(hands.settings.database_url))
    a, b = (str(tmp_path / side / name) for side in ("a", "b"))
    assert CliRunner().invoke(app_for([]), ["compare", a, a]).exit_code == 0
    plain = CliRunner().invoke(app_for([]), ["compare", a, b, "--json"])
    told = json.loads(plain.stdout)
    assert (plain.exit_code, told["only_a"], told["only_b"]) == (2, 1, 0)
    full = CliRunner().invoke(app_for([]), ["compare", a, b, "--explain", "--name", "Ana"])
    assert full.exit_code == 2, full.output
    assert f"ba.cvr.death.v1 of urn:cvr:authority:registry-office:{BIHAC}" in full.stdout
