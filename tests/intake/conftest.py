"""A register of its own for every test of the intake, with a clock that stands still and senders with tokens."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from register.access import issue
from register.api.system import System
from register.app.http import build, create_app
from register.intake.examples import EXAMPLES
from register.law.competence import role_of
from register.settings import Settings

NOW = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)
REGISTRY = "registry-office:10049"

Notice = dict[str, Any]


@pytest.fixture
def system(settings: Settings) -> Iterator[System]:
    with build(settings, clock=lambda: NOW) as system:
        yield system


@pytest.fixture
async def client(system: System) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(system), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://register") as client:
        yield client


@pytest.fixture
def bearer(settings: Settings) -> Callable[[str], dict[str, str]]:
    """Headers with a token of an authority."""

    def headers(authority: str) -> dict[str, str]:
        token = issue(settings, role=role_of(authority), now=NOW, authority=authority)
        return {"Authorization": f"Bearer {token}"}

    return headers


def example(kind: str, **data: Any) -> Notice:
    """The first example of a type; members of ``data`` replaced, or left out where None is given."""
    notice = copy.deepcopy(EXAMPLES[f"ba.cvr.{kind}.v1"][0])
    for name, value in data.items():
        if value is None:
            notice["data"].pop(name)
        else:
            notice["data"][name] = value
    return notice


def enveloped(notice: Notice, **members: Any) -> Notice:
    """A notice with members of its envelope replaced, or left out where None is given."""
    return {name: value for name, value in {**notice, **members}.items() if value is not None}
