"""An event store on a fresh database, notices to put in, and the three ways in which an append may be written."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from register.database import Database
from register.law.events import Annulment, AnyData, Death
from register.store import Pending, Store
from register.store import recorder as recorder_module
from register.store import store as store_module

NOW = datetime(2026, 3, 2, 9, 15, 0, 123456, tzinfo=UTC)
OFFICE = "urn:cvr:authority:registry-office:10049"
SALT = base64.b64encode(b"sample salt 16 b").decode()

MakePending = Callable[..., Pending]


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    with Store(database.psycopg) as store:
        yield store


@pytest.fixture(params=["one round trip", "judged", "COPY"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way an append can be written; what comes of it must not depend on the way."""
    if request.param != "one round trip":
        monkeypatch.setattr(store_module, "_is_simple", lambda _: False)
    if request.param == "COPY":
        monkeypatch.setattr(store_module, "SMALL", 0)
        monkeypatch.setattr(recorder_module, "SMALL", 0)
    return str(request.param)


@pytest.fixture
def notice() -> MakePending:
    """A death notice about the n-th person, with whatever else is said."""

    def make(id: str, person: int = 1, *, source: str = OFFICE, day: int = 1, **more: Any) -> Pending:
        data: AnyData = more.pop("data", None) or Death(jmb=f"{person:013d}", effective_on=date(2026, 3, day))
        members: dict[str, Any] = {"source": source, "id": id, "time": NOW, "data": data, "salt": SALT}
        return Pending(**(members | more))

    return make


@pytest.fixture
def annulment(notice: MakePending) -> MakePending:
    """An annulment of the notice ``annuls``."""

    def make(id: str, annuls: str, **more: Any) -> Pending:
        return notice(id, data=Annulment(annuls=annuls, reason="sample reason"), **more)

    return make
