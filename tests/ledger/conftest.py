from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from engine.ledger.migrate import upgrade
from tests.ledger.facts import StillClock


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    opened = open_database(ledger_url)
    upgrade(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def ledger(engine: Engine, clock: StillClock) -> Ledger:
    return Ledger(engine, clock, "tester")
