"""The demo's generated people must not get into anybody's register."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from register.rehearsal.demo.server import DemoError, environment_of
from register.rehearsal.demo.story import tell
from register.settings import Settings, read_settings


def test_a_folder_that_holds_a_register_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(DemoError, match="no demo's"):
        tell(Settings(data=tmp_path), date(2026, 11, 22))
    assert [path.name for path in tmp_path.iterdir()] == ["postgres"]


def test_its_processes_see_no_other_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a database named in the environment and in .env, then the demo's processes use their own folder's."""
    monkeypatch.setenv("CVR_DATABASE_URL", "postgresql://somebody@127.0.0.1/real")
    (tmp_path / ".env").write_text("CVR_DATABASE_URL=postgresql://somebody@127.0.0.1/real\n", encoding="utf-8")
    seen = read_settings(environment_of(Settings(data=tmp_path / "demo")), folder=tmp_path)
    assert seen.database_url is None
    assert seen.issuer is None
    assert seen.data == tmp_path / "demo"
