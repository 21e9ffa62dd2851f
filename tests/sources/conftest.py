"""One logical table in every kind of source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.sources.base import Selection, Source
from tests.sources import tables

Written = tuple[Source, Selection]


@pytest.fixture(params=tables.KINDS)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Written:
    """The logical table, written the way each kind of source holds it."""
    if request.param == "postgres":
        return tables.in_postgres(request.getfixturevalue("postgres_database"))
    write: Callable[[Path], Written] = getattr(tables, f"in_{request.param}")
    return write(tmp_path)
