"""One logical table in every kind of source, and a ledger that captures it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.sources import tables
from tests.sources.captures import Captures
from tests.sources.tables import ROWS, Row, Written

Write = Callable[[Sequence[Row]], Written]


@pytest.fixture(params=tables.KINDS)
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Write:
    """Writes rows the way each kind of source holds them; what was written before is gone."""
    if request.param == "postgres":
        url: str = request.getfixturevalue("postgres_database")
        return lambda rows: tables.in_postgres(url, rows)
    write_in: Callable[[Path, Sequence[Row]], Written] = getattr(tables, f"in_{request.param}")

    folder = tmp_path / "source"
    folder.mkdir()

    def written(rows: Sequence[Row]) -> Written:
        for path in folder.iterdir():
            path.unlink()
        return write_in(folder, rows)

    return written


@pytest.fixture
def stored(write: Write) -> Written:
    """The logical table, written the way each kind of source holds it."""
    return write(ROWS)


@pytest.fixture
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Captures]:
    """An empty ledger with a store of segments, outside the folder that holds the source."""
    with Captures.opened(tmp_path_factory.mktemp("captures")) as opened:
        yield opened
