"""What a dataset's file says of its identifiers: which columns hold addresses, numbers and ids of people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from config.dataset import DatasetFile
from engine.contracts.finding import Finding
from engine.core.schema import LogicalType, TableSchema
from engine.core.suppression import Identifier


def identifier_kinds(file: DatasetFile) -> Mapping[str, Identifier] | None:
    """The kind of each identifier; None when the file does not say."""
    said = file.identifier_kinds
    return None if said is None else MappingProxyType({column: Identifier(kind) for column, kind in said.items()})


def identifier_findings(file: DatasetFile, schema: TableSchema) -> list[Finding]:
    """Addresses and numbers are text: a column of another type could be held against no list."""
    types = {column.name: column.type for column in schema.columns}
    return [
        Finding(
            "bad_type",
            f"`{column}` is {types[column].value}, and only text can be held against a list of {kind.value}s",
            "make it text in the source",
            ("identifiers", column),
        )
        for column, kind in (identifier_kinds(file) or {}).items()
        if kind is not Identifier.ID and types.get(column, LogicalType.STRING) is not LogicalType.STRING
    ]
