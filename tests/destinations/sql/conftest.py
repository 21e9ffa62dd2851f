"""Each test of the SQL adapter runs once in each database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.destinations.sql.places import KINDS, Place, duckdb_place, postgres_place, sqlite_place


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "sqlite":
            return sqlite_place(tmp_path)
        case "duckdb":
            return duckdb_place(tmp_path)
        case _:
            return postgres_place(request.getfixturevalue("postgres_database").replace("+psycopg", ""))
