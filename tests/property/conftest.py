"""One compute for all examples of a module. Each example opens its own session, so equal steps name equal tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ibis.expr.operations import Node
from ibis.expr.types import Table

from engine.segments import compute as engine_compute
from engine.segments.compute import Compute


@pytest.fixture(scope="module")
def compute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compute]:
    """Compiling an expression takes Ibis far longer than running it takes DuckDB: equal ones are compiled once."""
    compiled: dict[Node, str] = {}
    original = engine_compute._sql

    def once(expression: Table) -> str:
        node = expression.op()
        if node not in compiled:
            compiled[node] = original(expression)
        return compiled[node]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_compute, "_sql", once)
        yield Compute("512MB", 1, tmp_path_factory.mktemp("spill"))
