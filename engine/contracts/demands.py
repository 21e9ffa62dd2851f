"""What a contract demands of rows, gathered from its table and its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.contracts.finding import Finding
from engine.contracts.quality import Place, read_quality
from engine.core.demands import Demands
from engine.core.schema import Column

_Table = Mapping[str, Any]
"""The table as parsed YAML, which the published model has found to be well-formed."""


def read_demands(table: _Table, columns: Sequence[Column], findings: list[Finding]) -> tuple[Demands, tuple[str, ...]]:
    """The demands and the names of those that nothing can judge; what is wrong with them goes to ``findings``."""
    names = [str(property.get("name")) for property in table.get("properties") or ()]
    rules, unenforced = [], []
    for written, place in _places(table, columns):
        quality = read_quality(written, place, names)
        rules += quality.rules
        unenforced += quality.unenforced
        findings += quality.findings
    return Demands(tuple(rules)), tuple(unenforced)


def _places(table: _Table, columns: Sequence[Column]) -> Iterator[tuple[Sequence[Mapping[str, Any]], Place]]:
    """Where quality rules can stand; columns that could not be read are left out."""
    name = str(table.get("name"))
    yield table.get("quality") or (), Place(("schema", 0, "quality"), name, None)
    by_name = {column.name: column for column in columns}
    for index, property in enumerate(table.get("properties") or ()):
        if (column := by_name.get(property.get("name"))) is not None:
            yield property.get("quality") or (), Place(("schema", 0, "properties", index, "quality"), name, column)
