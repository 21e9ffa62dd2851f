"""Durations, sizes, places, schedules and names mean one thing each, wherever the process runs."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from config.cron import cron_fault
from config.interpolate import Interpolated
from config.values import (
    Duration,
    LedgerUrl,
    Location,
    Memory,
    Name,
    PathLocation,
    PostgresUrl,
    StorageLocation,
    TimeOfDay,
)

FOLDER = Path("/srv/acme")


def parsed(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value, context={"folder": FOLDER})


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("250ms", timedelta(milliseconds=250)),
        ("1s", timedelta(seconds=1)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("30d", timedelta(days=30)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert parsed(Duration, text) == duration


@pytest.mark.parametrize(
    "text", ["1mo", "1 s", "-1s", "1.5h", "s", "", "0s", "4000d", "9999999999s", 5, None, True, "1s\n"]
)
def test_anything_else_is_no_duration(text: object) -> None:
    with pytest.raises(ValidationError):
        parsed(Duration, text)


@pytest.mark.parametrize(("text", "size"), [("512MB", 512 * 10**6), ("2GB", 2 * 10**9), ("1GiB", 2**30)])
def test_a_size_is_decimal_unless_its_unit_says_binary(text: str, size: int) -> None:
    assert parsed(Memory, text) == size


@pytest.mark.parametrize("text", ["2", "2 GB", "2gb", "-2GB", "1MB", "999999999TB", 2, None])
def test_anything_else_is_no_size(text: object) -> None:
    with pytest.raises(ValidationError):
        parsed(Memory, text)


def test_a_relative_path_starts_at_the_project_folder() -> None:
    assert parsed(PathLocation, "data/x.duckdb") == Location("data/x.duckdb", "/srv/acme/data/x.duckdb")
    assert parsed(PathLocation, "/data/x.duckdb").value == "/data/x.duckdb"
    assert parsed(StorageLocation, ".tidegate/segments").value == "/srv/acme/.tidegate/segments"
    assert parsed(StorageLocation, "s3://bucket/segments").value == "s3://bucket/segments"
    assert parsed(StorageLocation, "file:///var/segments").value == "/var/segments"
    assert parsed(StorageLocation, "file://segments").value == "/srv/acme/segments"


def test_a_relative_ledger_starts_at_the_project_folder() -> None:
    ledger = parsed(LedgerUrl, "sqlite:///.tidegate/ledger.db?timeout=5")
    assert ledger.get_secret_value() == "sqlite:////srv/acme/.tidegate/ledger.db?timeout=5"
    assert parsed(LedgerUrl, "sqlite:////var/l.db").get_secret_value() == "sqlite:////var/l.db"


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg"])
def test_a_ledger_in_postgresql_names_its_driver(scheme: str) -> None:
    ledger = parsed(LedgerUrl, f"{scheme}://u:p@h:5432/db")
    assert ledger.get_secret_value() == "postgresql+psycopg://u:p@h:5432/db"
    assert "p@h" not in repr(ledger)


def test_a_place_from_a_variable_shows_the_reference_and_means_the_value() -> None:
    place = parsed(PathLocation, Interpolated("/data/planted.db", "${env:WAREHOUSE}"))
    assert (str(place), place.value) == ("${env:WAREHOUSE}", "/data/planted.db")
    assert "planted" not in repr(place)


@pytest.mark.parametrize("url", ["postgres://h/db", "postgresql://u:p@h:5432/db", "postgresql:///db?host=/run/pg"])
def test_a_postgres_address_has_a_host_or_a_socket(url: str) -> None:
    assert parsed(PostgresUrl, url).get_secret_value() == url
    assert parsed(PostgresUrl, SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["", "h/db", "postgresql:///db", "http://h/db", "postgresql://h:99999/db", "postgresql://h/db#x", 5]
)
def test_anything_else_is_no_postgres_address(url: object) -> None:
    with pytest.raises(ValidationError):
        parsed(PostgresUrl, url)


@pytest.mark.parametrize("name", ["a", "customers_to_crm", "crm-2", "a" * 63])
def test_a_name_is_lower_case_and_short(name: str) -> None:
    assert parsed(Name, name) == name


@pytest.mark.parametrize("name", ["", "A", "1a", "_a", "a b", "é", "a" * 64, "a\n", "a/b", "a.b"])
def test_anything_else_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        parsed(Name, name)


@pytest.mark.parametrize(
    "line",
    [
        "* * * * *",
        "*/15 * * * *",
        "0 6 * * mon-fri",
        "0,30 8-18/2 1 jan,jul *",
        "0 0 29 2 *",
        "0 0 31 * 5",
        "5/10 * * * 7",
    ],
)
def test_a_cron_line_that_can_fire_has_no_fault(line: str) -> None:
    assert cron_fault(line) == ""


@pytest.mark.parametrize(
    "line",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
     "5-1 * * * *", "a * * * *", "1,, * * * *", "0 0 30 2 *", "0 0 31 4,6 *", "@daily", "-1 * * * *"],
)  # fmt: skip
def test_a_cron_line_that_cannot_fire_has_a_fault(line: str) -> None:
    assert cron_fault(line)


@pytest.mark.parametrize(("text", "found"), [("00:00", time(0)), ("09:30", time(9, 30)), ("23:59", time(23, 59))])
def test_a_time_of_day_is_hours_and_minutes(text: str, found: time) -> None:
    assert parsed(TimeOfDay, text) == found


@pytest.mark.parametrize("text", ["24:00", "9:30", "09:60", "0930", "09:30:00", "", 570, None])
def test_anything_else_is_no_time_of_day(text: object) -> None:
    with pytest.raises(ValidationError):
        parsed(TimeOfDay, text)
