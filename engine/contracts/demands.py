"""What a contract demands of rows, gathered from its table and its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.contracts.finding import Finding
from engine.contracts.options import read_options
from engine.contracts.places import Place
from engine.contracts.quality import read_quality
from engine.core.demands import Demands, QueryRule, Rule
from engine.core.schema import Column
from engine.core.value_rules import ValueRule

_Table = Mapping[str, Any]
"""The table as parsed YAML, which the published model has found to be well-formed."""


def read_demands(table: _Table, columns: Sequence[Column], findings: list[Finding]) -> tuple[Demands, tuple[str, ...]]:
    """The demands and the names of those that nothing can judge; what is wrong with them goes to ``findings``."""
    names = [str(property.get("name")) for property in table.get("properties") or ()]
    rules: list[Rule] = []
    queries: list[QueryRule] = []
    values: list[ValueRule] = []
    unenforced: list[str] = []
    for written, place in _places(table, columns):
        quality = read_quality(written.get("quality") or (), place, names)
        rules += quality.rules
        queries += quality.queries
        unenforced += quality.unenforced
        findings += quality.findings
        if place.column is not None:
            options = read_options(written, place.column, place.path[:-1])
            values += options.rules
            unenforced += options.unenforced
            findings += options.findings
    return Demands(tuple(rules), tuple(values), tuple(queries)), tuple(unenforced)


def _places(table: _Table, columns: Sequence[Column]) -> Iterator[tuple[_Table, Place]]:
    """The table and its columns, each with where its quality rules stand; columns that could not be read are left out."""
    name = str(table.get("name"))
    seen = (tuple(str(table[key]) for key in ("name", "physicalName") if table.get(key)), tuple(columns))
    yield table, Place(("schema", 0, "quality"), name, None, *seen)
    by_name = {column.name: column for column in columns}
    for index, property in enumerate(table.get("properties") or ()):
        if (column := by_name.get(property.get("name"))) is not None:
            yield property, Place(("schema", 0, "properties", index, "quality"), name, column, *seen)
