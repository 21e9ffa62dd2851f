from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from tests.ledger.facts import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite ledger of this code's schema, to be copied: the steps to it are the subject of `test_migrate`."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    opened = open_database(f"sqlite:///{path}")
    upgrade(opened)
    with opened.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    opened.dispose()
    return path


@pytest.fixture
def engine(ledger_url: str, migrated: Path) -> Iterator[Engine]:
    database = make_url(ledger_url).database
    if ledger_url.startswith("sqlite") and database is not None:
        shutil.copyfile(migrated, database)
    opened = open_database(ledger_url)
    if not ledger_url.startswith("sqlite"):
        upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def ledger(engine: Engine, clock: StillClock) -> Ledger:
    return Ledger(engine, clock, "tester")
