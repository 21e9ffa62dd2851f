"""An empty SQLite ledger, made once a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.ledger.database import open_database
from engine.ledger.migrate import upgrade


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
