"""What a contract demands of rows, gathered from its table and its columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.contracts.finding import Finding
from engine.contracts.options import read_options
from engine.contracts.places import Place
from engine.contracts.quality import read_quality
from engine.contracts.quarantine import quarantined_columns, read_quarantine, says_quarantine
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
    asking = quarantined_columns(table, findings)
    for written, place in _places(table, columns, asking):
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
    demands = Demands(tuple(rules), tuple(values), tuple(queries))
    quarantine = read_quarantine(table, columns, demands, asking, findings)
    return replace(demands, quarantine=quarantine), tuple(unenforced)


def _places(table: _Table, columns: Sequence[Column], asking: frozenset[str]) -> Iterator[tuple[_Table, Place]]:
    """The table and its columns, each with where its quality rules stand; columns that could not be read are left out."""
    name = str(table.get("name"))
    seen = (tuple(str(table[key]) for key in ("name", "physicalName") if table.get(key)), tuple(columns))
    yield table, Place(("schema", 0, "quality"), name, None, *seen, quarantines=says_quarantine(table) is True)
    by_name = {column.name: column for column in columns}
    for index, property in enumerate(table.get("properties") or ()):
        if (column := by_name.get(property.get("name"))) is not None:
            path = ("schema", 0, "properties", index, "quality")
            yield property, Place(path, name, column, *seen, quarantines=column.name in asking)
