"""A list can be proved line by line: to the voter the own line, to who holds the list all of it, to others nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from register.app.http import build, create_app
from register.audit.offline.checks import check_personal, check_receipt
from register.audit.offline.lists import ListError, check_file
from register.excerpts.printers import Printers
from register.excerpts.proofs import LineProof, lines_of, prove, tree_of, verify_line
from register.excerpts.runs import Wanted
from register.law.alphabet import to_latin
from register.law.events import REGISTER, Citizen, ExcerptDrawn, RequestSigned
from register.log.keys import open_key
from register.log.note import NoteError
from register.log.record import record_of
from register.log.tree import ProofError
from register.settings import Settings
from register.store import Pending
from tests.flows.conftest import Hands
from tests.flows.test_election import ELECTION, concluded, drawn
from tests.flows.town import BANJA_LUKA, BIHAC, CALLED, Town

SECRET = bytes(range(32))
LINES = st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"")), min_size=1, max_size=40)


# --- the tree of one list -------------------------------------------------------------------------------------------


@given(LINES)
def test_each_line_of_a_list_is_proved_and_no_other_in_its_place(lines: list[bytes]) -> None:
    size, root = tree_of(SECRET, lines)
    proofs = [prove(SECRET, lines, no) for no in range(1, size + 1)]
    for proof in proofs:
        verify_line(proof, root)
    for proof, other in pairwise(proofs):
        for forged in (
            replace(proof, line=other.line, salt=other.salt),
            replace(proof, index=other.index),
            replace(proof, hashes=proof.hashes[:-1]),
            replace(proof, hashes=(*proof.hashes, root)),
        ):
            with pytest.raises(ProofError):
                verify_line(forged, root)


@given(LINES, st.data())
def test_one_flipped_bit_anywhere_and_nothing_is_proved(lines: list[bytes], data: st.DataObject) -> None:
    size, root = tree_of(SECRET, lines)
    proof = prove(SECRET, lines, data.draw(st.integers(1, size)))
    parts = [proof.line, proof.salt, *proof.hashes, root]
    which = data.draw(st.sampled_from([n for n, part in enumerate(parts) if part]))
    bit = data.draw(st.integers(0, 8 * len(parts[which]) - 1))
    flipped = bytearray(parts[which])
    flipped[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(flipped)
    line, salt, *hashes, expected = parts
    with pytest.raises(ProofError):
        verify_line(LineProof(line, salt, proof.index, proof.size, tuple(hashes)), expected)


def test_the_tree_is_what_the_decision_says_computed_by_hand() -> None:
    def digest(*parts: bytes) -> bytes:
        return hashlib.sha256(b"".join(parts)).digest()

    def leaf(no: int, line: bytes) -> bytes:
        inner = digest(bytes(b ^ 0x5C for b in SECRET.ljust(64, b"\0")), digest(_ipad(SECRET), str(no).encode()))
        return digest(b"\0", digest(inner[:16], line))

    a, b, c = leaf(1, b"1,A"), leaf(2, b"2,B"), leaf(3, b"3,C")
    assert tree_of(SECRET, [b"1,A", b"2,B", b"3,C"]) == (3, digest(b"\1", digest(b"\1", a, b), c))
    assert tree_of(SECRET, []) == (0, digest())


def _ipad(key: bytes) -> bytes:
    return bytes(b ^ 0x36 for b in key.ljust(64, b"\0"))


# --- drawn lists ----------------------------------------------------------------------------------------------------


@pytest.fixture
def hands(settings: Settings) -> Iterator[Hands]:
    hands = Hands(settings)
    with build(settings, clock=hands.clock) as system:
        hands.system = system
        hands.town = Town(system.store)
        hands.town.settle()
        yield hands


@pytest.fixture
async def client(hands: Hands) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(hands.system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client


def drawings(hands: Hands) -> list[tuple[int, ExcerptDrawn]]:
    found = hands.system.store.events(topics=[ExcerptDrawn.TOPIC])
    return [(event.position, event.data) for event in found if isinstance(event.data, ExcerptDrawn)]


def files(folder: Path) -> dict[str, bytes]:
    """The CSV file of each list, by the list's name."""
    return {path.stem: path.read_bytes() for path in folder.glob("*.csv")}


def key_of(hands: Hands) -> str:
    return str(open_key(hands.settings.log_key, hands.settings.origin, hands.system.entropy).key)


async def person_of(hands: Hands, client: httpx.AsyncClient, jmb: str) -> str:
    asked = await client.post("/v1/voters/query", json={"jmb": jmb}, headers=hands.bearer("cec", "Ana"))
    return str(asked.json()["persons"][0])


async def test_every_line_is_proved_by_what_its_voter_is_handed_and_whole_lists_by_what_goes_with_the_copy(
    hands: Hands, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    concluded(hands)
    with Printers() as printers:
        for kind in ("polling-station", "mail", "diplomatic-mission", "in-person-1991", "absentee-1991", "mobile-team"):
            drawn(hands, tmp_path, printers, kind=kind, formats=("csv",))
    hands.seal()
    key = key_of(hands)

    # Given the lists, then everyone sees each with its root, and no number of voters that the accounts withhold.
    answer = await client.get(f"/v1/elections/{ELECTION}/lists", params={"limit": 4})
    items = answer.json()["items"]
    while (more := answer.json()["next"]) is not None:
        answer = await client.get(more)
        items += answer.json()["items"]
    lists = {each["name"]: each for each in items}
    contents = files(tmp_path)
    assert lists.keys() == contents.keys()
    rows = {name: content.count(b"\n") - 1 for name, content in contents.items()}
    accounts = (await client.get(f"/v1/elections/{ELECTION}/accounts")).json()["items"]
    hidden = {(c["municipality"], c["list"], c["station"]) for c in accounts if not isinstance(c["voters"], int)}
    assert hidden
    told = 0
    for name, each in lists.items():
        place = (each["municipality"], each["kind"], each["station"])
        assert each["rows"] in (None, rows[name])
        assert each["rows"] is None or place not in hidden
        assert each["rows"] is None or each["kind"] == "polling-station"
        told += each["rows"] is not None
        assert each["receipt"] == f"/log/receipt/{each['position']}"
    assert told >= 2

    # When whoever holds a list takes what goes with it, then the root comes out, and a changed byte is found.
    ana = hands.bearer("cec", "Ana")
    for name in lists:
        proof = await client.get(f"/v1/elections/{ELECTION}/lists/{name}/proof", headers=ana)
        content = contents[name]
        standing = check_file(proof.content, key, content)
        assert (standing.name, standing.root.hex(), standing.rows) == (name, lists[name]["root"], rows[name])
        with pytest.raises(ListError):
            check_file(proof.content, key, content.replace(b"19", b"18", 1) + b"1,x\n")

    # When each voter is handed the own line, then it is on the list whose root everyone sees.
    proved: dict[str, set[str]] = {}
    for jmb in hands.town.voters:
        person = await person_of(hands, client, jmb)
        proof = await client.post(f"/v1/voters/{person}/list-proof", json={"election": ELECTION}, headers=ana)
        if proof.status_code == 409:
            continue
        standing = check_file(proof.content, key)
        assert standing.root.hex() == lists[standing.name]["root"]
        assert standing.line is not None
        proved.setdefault(standing.name, set()).add(standing.line)
    for name, content in contents.items():
        if not name.startswith("mobile-team"):
            assert proved.get(name, set()) == set(content.decode().splitlines()[1:])


async def test_any_changed_member_of_a_proof_that_was_handed_out_is_found(
    hands: Hands, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    concluded(hands)
    with Printers() as printers:
        drawn(hands, tmp_path, printers, kind="polling-station", formats=("csv",))
    hands.seal()
    person = await person_of(hands, client, hands.town.voters[4])
    path, asked = f"/v1/voters/{person}/list-proof", {"election": ELECTION}
    good = (await client.post(path, json=asked, headers=hands.bearer("cec", "Ana"))).json()
    key = key_of(hands)
    check_file(json.dumps(good).encode(), key)
    for member in ("list", "line", "salt", "record", "receipt"):
        text = good[member]
        for at in range(0, len(text), max(1, len(text) // 25)):
            changed = good | {member: text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]}
            with pytest.raises((ListError, ProofError, NoteError)):
                check_file(json.dumps(changed).encode(), key)
    for member in ("index", "size"):
        with pytest.raises((ListError, ProofError)):
            check_file(json.dumps(good | {member: good[member] + 16}).encode(), key)
    with pytest.raises(NoteError):
        check_file(json.dumps(good).encode(), key.replace("+", "+0", 1))


async def test_a_commission_hands_out_proofs_of_its_own_municipality_and_each_is_journalled(
    hands: Hands, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    concluded(hands)
    own, other = (hands.bearer("municipal-commission", "Iva", f"municipal-commission:{m}") for m in (BIHAC, BANJA_LUKA))
    person = await person_of(hands, client, hands.town.voters[4])
    path, asked = f"/v1/voters/{person}/list-proof", {"election": ELECTION}
    assert (await client.post(path, json=asked, headers=own)).status_code == 409  # nothing is drawn yet
    with Printers() as printers:
        drawn(hands, tmp_path, printers, kind="polling-station", formats=("pdf",))
    assert (await client.post(path, json=asked, headers=own)).status_code == 503  # not sealed yet
    hands.seal()
    assert (await client.post(path, json=asked, headers=own)).status_code == 200
    assert (await client.post(path, json=asked, headers=other)).status_code == 404
    assert (await client.post(path, json=asked | {"election": "no-such"}, headers=own)).status_code == 404
    assert (await client.post(path, json=asked | {"script": "cyrillic"}, headers=own)).status_code == 409
    assert (await client.post(path, json=asked, headers=hands.bearer("auditor", "A", "auditor:x"))).status_code == 403
    assert (await client.post(path, json=asked)).status_code == 401
    (name,) = {each.name for _, data in drawings(hands) for each in data.lists if each.name.endswith("003A001")}
    proof = f"/v1/elections/{ELECTION}/lists/{name}/proof"
    assert (await client.get(proof, headers=own)).status_code == 200
    assert (await client.get(proof, headers=other)).status_code == 404
    receipts = await client.get(f"/v1/voters/{person}/receipts", headers=own)
    assert receipts.status_code == 200
    assert (await client.get(f"/v1/voters/{person}/receipts", headers=other)).status_code == 404
    with hands.system.database.psycopg() as connection:
        looks = connection.execute("SELECT what, person IS NOT NULL FROM access.journal ORDER BY id").fetchall()
    whats = [what for what, _ in looks]
    assert (whats.count("line-proof"), whats.count("list-proof"), whats.count("voter-receipts")) == (5, 1, 2)


async def test_a_voter_gets_record_and_receipt_of_each_own_event(hands: Hands, client: httpx.AsyncClient) -> None:
    hands.work()
    jmb = hands.town.voters[0]
    person = await person_of(hands, client, jmb)
    answer = await client.get(f"/v1/voters/{person}/receipts", headers=hands.bearer("cec", "Ana"))
    items = answer.json()["items"]
    assert [each["type"] for each in items] == ["ba.cvr.citizen.v1", "ba.cvr.residence.v1", "ba.cvr.voting-option.v1"]
    for each in items:
        position, _ = check_receipt(each["record"].encode(), each["receipt"].encode(), key_of(hands))
        assert position == each["position"]
        assert check_personal(each["record"].encode(), each["personal"].encode())
        assert jmb in each["personal"]
        assert jmb not in each["record"]


def test_the_same_list_has_one_secret_however_often_and_in_whatever_run_it_is_drawn(
    hands: Hands, tmp_path: Path
) -> None:
    concluded(hands)
    with Printers() as printers:
        drawn(hands, tmp_path / "a", printers, kind="polling-station", formats=("csv",))
        drawn(hands, tmp_path / "b", printers, kind="polling-station", municipality=BIHAC, formats=("pdf",))
        drawn(hands, tmp_path / "c", printers, kind="polling-station", scripts=("latin", "cyrillic"), formats=("csv",))
    first, again, both = (data for _, data in drawings(hands))
    assert first.roots is not None
    assert again.roots is not None
    assert both.roots is not None
    assert set(again.lists) < set(first.lists) < set(both.lists)
    assert set(again.roots) < set(first.roots) < set(both.roots)
    secrets = {each.secret for each in both.lists}
    assert len(secrets) == len(both.lists)  # a script of its own has lines, and a secret, of its own


def test_two_runs_that_end_at_the_same_moment_give_a_list_one_secret(hands: Hands, tmp_path: Path) -> None:
    concluded(hands)
    runs = hands.system.runs
    begun = []
    with Printers() as printers:
        for name in "abcd":
            run = runs.begin(Wanted(election=ELECTION, kind="polling-station", formats=("pdf",)), tmp_path / name)
            for first in run.batches:
                runs.draw(run, first, printers)
            begun.append(run)
    with ThreadPoolExecutor(len(begun)) as pool:
        assert all(pool.map(runs.finish, begun))
    assert all(map(runs.finish, begun))  # and once more, as after a crash
    made = [data for _, data in drawings(hands)]
    assert len(made) == len(begun)
    assert len({data.lists for data in made}) == 1
    assert len({data.roots for data in made}) == 1


async def test_a_sender_gets_the_receipt_of_each_file_it_signed_and_nobody_elses(
    hands: Hands, client: httpx.AsyncClient
) -> None:
    office, other = f"registry-office:{BIHAC}", f"registry-office:{BANJA_LUKA}"
    for authority, ids in ((office, ("a", "b", "c")), (other, ("d",))):
        for each in ids:
            signed = RequestSigned(
                authority=authority, keyid="2026-1", signature_base="b", signature="c", notices=3, first=1, last=3
            )
            pending = Pending(source=REGISTER, id=each, time=CALLED, data=signed, salt="c2FtcGxlIHNhbHQgMTYgYg==")
            hands.system.store.append([pending], now=CALLED)
    hands.seal()
    own, cec = hands.bearer("registry-office", "A", office), hands.bearer("cec", "Ana")
    first = (await client.get("/v1/signed-requests?limit=2", headers=own)).json()
    rest = (await client.get(first["next"], headers=own)).json()
    items = [*first["items"], *rest["items"]]
    assert (len(items), rest["next"]) == (3, None)
    for each in items:
        position, _ = check_receipt(each["record"].encode(), each["receipt"].encode(), key_of(hands))
        assert position == each["position"]
        assert check_personal(each["record"].encode(), each["personal"].encode())
        assert json.loads(each["record"])["state"]["data"]["last"] == each["last"] == 3
    assert (await client.get(f"/v1/signed-requests?authority={other}", headers=own)).status_code == 404
    found = await client.get(f"/v1/signed-requests?authority={other}", headers=cec)
    assert len(found.json()["items"]) == 1


# --- what everyone may have -----------------------------------------------------------------------------------------


def guesses(hands: Hands) -> Iterator[str]:
    """What somebody who knows all voters could look for: names, numbers, ids, lines, plain and digested."""
    people = [e.data for e in hands.system.store.events() if isinstance(e.data, Citizen)]
    for each in people:
        names = (each.surname, each.given_name, to_latin(each.surname), to_latin(each.given_name))
        yield from (each.jmb, each.born_on.isoformat(), *names)
        yield from (f"{a} {b}" for a, b in (names[:2], names[2:]))
        yield f"{each.surname},{each.given_name},{each.parent_name},{each.born_on}"
    for event in hands.system.store.events():
        if isinstance(event.data, Citizen):
            yield event.id


async def test_nothing_published_about_lists_can_be_guessed_from_what_one_knows_of_the_voters(
    hands: Hands, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    concluded(hands)
    with Printers() as printers:
        for kind in ("polling-station", "mail", "mobile-team"):
            drawn(hands, tmp_path, printers, kind=kind, formats=("csv",))
    hands.seal()
    listed = (await client.get(f"/v1/elections/{ELECTION}/lists?limit=1000")).content
    records = []
    for position, _ in drawings(hands):
        (stored,) = hands.system.store.records(position - 1, position)
        records.append(record_of(stored))
    published = b"\n".join([listed, *records]).decode()
    texts = set(guesses(hands)) - {"n-1"}
    contents = files(tmp_path).values()
    lines = {line for content in contents for line in content.decode().splitlines()[1:]}
    words = set(re.findall(r"[\w.-]+", published))
    assert len(texts) > 200
    for text in texts | lines:
        assert text not in words
        for raw in (text.encode(), b"\0" + text.encode(), text.encode() + b"\n"):
            once = hashlib.sha256(raw)
            for digest in (once, hashlib.sha256(once.digest()), hashlib.sha256(b"\0" + once.digest())):
                assert digest.hexdigest() not in published
    for content in contents:  # nor the digest of a list, by which one with a single voter could be tried
        assert hashlib.sha256(content).hexdigest() not in published
        if held := lines_of(content):
            assert tree_of(bytes(32), held)[1].hex() not in published
    for secret in {each.secret for _, data in drawings(hands) for each in data.lists}:
        assert secret is not None
        assert secret not in published
