"""Whose copy rows are from: by codes alone, by rows with codes, by a line with an error; and how often wrongly."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from register.access.journal import JOURNAL
from register.acts import parties
from register.acts.parties import Wish
from register.app.parts import make_copies
from register.cli import app_for
from register.excerpts.codes import ALPHABET, LENGTH, coded, key_of
from register.excerpts.comparing import read_sheet
from register.excerpts.copies import take
from register.excerpts.printers import Printers
from register.excerpts.rows import ListRow
from register.excerpts.trace import ALL, NEAR, Trace, chance_of, read_line, trace, variants
from register.law.competence import Caller
from register.law.events import CopyGranted, PoliticalEntityCertified
from register.law.parties import units_of
from tests.flows import conftest as flows
from tests.flows.conftest import Hands
from tests.flows.test_election import CEC, ELECTION, concluded
from tests.flows.town import CALLED, CONCLUDED

hands = flows.hands
Rows = Callable[..., list[ListRow]]


def copy(number: int) -> CopyGranted:
    return CopyGranted(
        election="e", copy=number, conclusion=7, format_version=1, provision="Art. 3.1", entity=str(number),
        recipient=f"Stranka {number}", unit="511", formats=("csv",), script="latin",
        secret=hashlib.sha256(b"%d" % number).hexdigest(), requested_by="x",
    )  # fmt: skip


COPIES = [copy(number) for number in range(1, 21)]
LEAKED = COPIES[6]


def find(lines: list[str], rows: list[ListRow]) -> list[Trace]:
    found = trace([read_line(line) for line in lines], [(COPIES, rows)])
    return sorted(found, key=lambda each: each.chance)


def leaked(rows: list[ListRow]) -> list[ListRow]:
    return list(coded(rows, key_of(LEAKED), "latin"))


def printed(row: ListRow) -> str:
    return f"{row.no} {row.surname} {row.given_name} {row.parent_name} {row.born_on:%d.%m.%Y.} 10049 {row.code}"


def misread(code: str, at: int = 2) -> str:
    return code[:at] + ALPHABET[(ALPHABET.index(code[at]) + 5) % len(ALPHABET)] + code[at + 1 :]


def test_the_signs_of_a_code_are_not_mistaken_for_each_other() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("01OI")
    assert ALL == 2**30


def test_codes_depend_on_the_copy_and_on_everything_in_the_row(rows: Rows) -> None:
    some = rows(50)
    mine, theirs = ({row.code for row in coded(some, key_of(each), "latin")} for each in COPIES[:2])
    assert len(mine) == len(theirs) == 50
    assert not mine & theirs
    other = msgspec.structs.replace(LEAKED, secret=LEAKED.secret[::-1])
    assert key_of(other) != key_of(LEAKED)
    moved = msgspec.structs.replace(some[0], polling_station="049A099")
    assert next(coded([moved], key_of(LEAKED), "latin")).code != leaked(some)[0].code
    assert leaked(some) == leaked(rows(50))


def test_three_codes_alone_name_the_copy(rows: Rows) -> None:
    codes = [row.code for row in leaked(rows(200))[40:43]]
    (found,) = find(codes, rows(200))
    assert (found.granted, found.exact, found.near, found.certain) == (LEAKED, 3, 0, True)
    assert found.chance == pytest.approx(len(COPIES) * (200 / ALL) ** 3)


def test_one_row_with_its_words_names_the_copy_also_with_one_sign_misread(rows: Rows) -> None:
    row = leaked(rows(200))[17]
    (found,) = find([printed(row)], rows(200))
    assert (found.granted, found.exact, found.certain) == (LEAKED, 1, True)
    typed = printed(row).replace(row.code, misread(row.code)).replace(row.surname, "Nečitko")
    (found,) = find([typed], rows(200))
    assert (found.granted, found.exact, found.near) == (LEAKED, 0, 1)
    assert found.chance >= len(COPIES) * (1 + NEAR) / ALL


def test_one_code_alone_with_a_sign_misread_is_told_to_be_no_proof(rows: Rows) -> None:
    row = leaked(rows(200))[17]
    found = find([misread(row.code)], rows(200))
    assert LEAKED in [each.granted for each in found]
    assert not any(each.certain for each in found)
    assert find([misread(misread(row.code, 1), 4)], rows(200)) == []


def test_a_code_behind_the_words_of_another_row_proves_nothing(rows: Rows) -> None:
    """Given somebody who pastes codes of another's copy behind rows of their own choice, then these do not count."""
    mine = leaked(rows(200))
    pasted = [printed(msgspec.structs.replace(mine[at], code=mine[at + 50].code)) for at in range(3)]
    assert find(pasted, rows(200)) == []
    assert find([f"1 {row.surname} {row.given_name}" for row in mine[:9]], rows(200)) == []


@given(st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH), st.integers(0, LENGTH - 1), st.sampled_from("01OI"))
def test_a_sign_that_no_code_has_is_the_one_misread(code: str, at: int, strange: str) -> None:
    assert len(variants(code)) == 1 + NEAR
    assert [read for read, exact in variants(code).items() if exact] == [code]
    read = code[:at] + strange + code[at + 1 :]
    assert variants(read).get(code) is False
    assert len(variants(read)) == len(ALPHABET)


def test_the_chance_that_is_told_is_the_one_that_is_seen(rows: Rows) -> None:
    """Among 20 wrong copies of 300 rows, 2,000 made-up codes fit as often as the bound for one line says."""
    some = rows(300)
    codes = ["".join(ALPHABET[b % 32] for b in hashlib.sha256(b"%d" % n).digest()[:LENGTH]) for n in range(2_000)]
    hits = sum(each.near + each.exact for each in find(codes, some))
    told = chance_of([300 * (1 + NEAR) / ALL], 1, len(COPIES))
    assert 0.5 < hits / 2_000 / told < 1.5


def test_cvr_trace_names_a_leaked_copy_for_the_cec_and_is_journalled(
    hands: Hands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given two parties with copies of 511, when a row of one is found, then number, recipient and event are told."""
    concluded(hands)
    system = hands.system
    copies = make_copies(hands.settings, system.database, system.store, hands.clock, system.entropy)
    given_out = []
    for which in ("7", "8"):
        wanted = PoliticalEntityCertified(
            election=ELECTION, entity=which, name=f"Stranka {which}", units=("511",), certified_by="Ana"
        )
        caller = Caller("observer", "political-entity", f"political-entity:{which}")
        with system.database.psycopg() as connection, Printers() as printers:
            known = units_of(system.municipalities)
            parties.certify(connection, system.store, wanted, CEC, known, now=CALLED, salt="cw==")
            granted, _ = parties.grant(
                connection, system.store, ELECTION, Wish(unit="511", formats=("csv", "json", "xlsx")), caller,
                format_version=1, now=CONCLUDED, entropy=system.entropy, salt="cw==",
            )  # fmt: skip
            copies.begin(granted)
            take(copies, ELECTION, granted.granted.copy, printers)
        given_out.append(granted)
    leak = given_out[1]
    (path,) = copies.folder(leak).glob("*.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    monkeypatch.setenv("CVR_DATA", str(hands.settings.data))
    monkeypatch.setenv("CVR_DATABASE_URL", str(hands.settings.database_url))
    app = app_for([])

    def run(*fragments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["trace", "--name", "Ana", *fragments])
        return result.exit_code, result.stdout

    told = (
        f"copy {leak.granted.copy} of {ELECTION}, unit 511, issued to Stranka 8 (political-entity:8) by the event at"
        f" position {leak.position}: 1 of 1 lines to the letter"
    )
    code, out = run(lines[5])
    assert (code, out.startswith(told)) == (0, True)
    assert str(given_out[0].granted.copy) not in out
    whole = tmp_path / "leak.txt"
    whole.write_text("\n".join(line.rpartition(",")[2] for line in lines[3:9]), encoding="utf-8")
    code, out = run(str(whole))
    assert (code, f"copy {leak.granted.copy} " in out) == (0, True)
    (book,) = copies.folder(leak).glob("*.xlsx")
    assert len(read_sheet(book).rows) == len(lines) - 1
    code, out = run(str(book))
    assert (code, f"copy {leak.granted.copy} " in out) == (0, True)
    code, out = run("ABCDEF")
    assert code == 2
    with system.database.engine.connect() as reading:
        looks = reading.execute(sa.select(JOURNAL).where(JOURNAL.c.what == "copy-trace")).all()
    assert [(look.sub, look.role) for look in looks] == [("Ana", "cec")] * 4
