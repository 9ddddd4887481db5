"""Settings, the clock, the civil day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from register.settings import SettingsError, make_clock, read_settings, today


def test_nothing_set_means_a_folder_named_data_and_the_embedded_database(tmp_path: Path) -> None:
    settings = read_settings({"PATH": "/bin"}, tmp_path)
    assert settings.data == tmp_path / "data"
    assert settings.database_url is None
    assert settings.origin == "cvr.localhost/register"
    assert not settings.rehearsal


def test_an_unknown_name_is_an_error_that_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"CVR_DATABSE_URL .* CVR_DATABASE_URL$"):
        read_settings({"CVR_DATABSE_URL": "postgresql://owner:secret@host/cvr"}, tmp_path)
    (tmp_path / ".env").write_text("OTHER_PROGRAM=1\nCVR_CLOK=2026-01-01T00:00:00Z\n")
    with pytest.raises(SettingsError, match=r"CVR_CLOK .* CVR_CLOCK$"):
        read_settings({}, tmp_path)


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nexport CVR_DATA='elsewhere'\nCVR_ORIGIN=\"log.example/cvr\"\n")
    settings = read_settings({"CVR_DATA": "/srv/cvr"}, tmp_path)
    assert settings.data == Path("/srv/cvr")
    assert settings.origin == "log.example/cvr"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CVR_CLOCK", "tomorrow"),
        ("CVR_CLOCK", "2026-08-01T08:00:00"),
        ("CVR_DATABASE_URL", "sqlite:///register.db"),
        ("CVR_ISSUER", "https://issuer.example"),
        ("CVR_ORIGIN", "two words"),
        ("CVR_PROJECTORS", "0"),
        ("CVR_PROJECTORS", "18"),
        ("CVR_TRUSTED_PROXIES", "*"),
        ("CVR_STANDBY_URLS", "postgresql://reader@one,two/cvr"),
        ("CVR_STANDBY_URLS", "postgresql://reader@one/cvr"),
        ("CVR_TRUSTED_PROXIES", "proxy.example"),
    ],
)
def test_a_value_that_cannot_be_meant_is_an_error_that_names_the_setting(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value}, tmp_path)


def test_proxies_are_believed_only_where_they_are_named(tmp_path: Path) -> None:
    assert read_settings({}, tmp_path).trusted_proxies == ()
    given = read_settings({"CVR_TRUSTED_PROXIES": "10.0.0.5, 10.1.0.0/16,2001:db8::1"}, tmp_path)
    assert given.trusted_proxies == ("10.0.0.5", "10.1.0.0/16", "2001:db8::1")


def test_standbys_are_named_one_by_one_and_without_a_word_of_their_passwords(tmp_path: Path) -> None:
    urls = "postgresql://owner:secret@one/cvr, postgresql://owner:secret@two/cvr"
    given = {"CVR_DATABASE_URL": "postgresql://owner:secret@host/cvr", "CVR_STANDBY_URLS": urls}
    settings = read_settings(given, tmp_path)
    assert settings.standby_urls == ("postgresql://owner:secret@one/cvr", "postgresql://owner:secret@two/cvr")
    assert "secret" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        read_settings(given | {"CVR_STANDBY_URLS": "mysql://owner:secret@one"}, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    settings = read_settings({"CVR_DATABASE_URL": "postgresql://owner:secret@host/cvr"}, tmp_path)
    assert "secret" not in repr(settings)
    with pytest.raises(SettingsError) as refused:
        read_settings({"CVR_DATABASE_URL": "postgres+x://owner:secret@host/cvr"}, tmp_path)
    assert "secret" not in str(refused.value)


def test_a_rehearsal_clock_starts_where_it_is_told_and_runs_on(tmp_path: Path) -> None:
    settings = read_settings({"CVR_CLOCK": "2026-10-04T07:00:00+02:00"}, tmp_path)
    assert settings.rehearsal
    clock = make_clock(settings.clock_starts)
    start = datetime(2026, 10, 4, 5, tzinfo=UTC)
    first, second = clock(), clock()
    assert start <= first < second < start + timedelta(minutes=1)
    assert first.utcoffset() == timedelta(0)


def test_the_day_is_the_one_of_sarajevo() -> None:
    assert today(datetime(2026, 3, 1, 22, 59, tzinfo=UTC)) == date(2026, 3, 1)
    assert today(datetime(2026, 3, 1, 23, 0, tzinfo=UTC)) == date(2026, 3, 2)
    assert today(datetime(2026, 7, 1, 22, 0, tzinfo=UTC)) == date(2026, 7, 2), "summer time"
