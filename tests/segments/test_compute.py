"""A session gives expressions their tables, and streams what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ibis
import pyarrow as pa
import pytest

from engine.segments.compute import Compute, Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Compute("256MB", 2, tmp_path / "spill").session() as opened:
        yield opened


def test_a_table_is_never_taken_for_a_name_that_the_compiler_invents(session: Session) -> None:
    for number in range(16):
        table = session.rows(pa.table({"id": [1, 2, 3]}))
        doubled = table.mutate(id=table.id * 2)
        both = ibis.union(doubled, doubled.semi_join(table.select(twice=table.id * 2), [("id", "twice")]), table)

        assert sorted(row["id"] for row in session.fetch(both)) == [1, 2, 2, 2, 3, 4, 4, 6, 6], f"table {number}"
