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
