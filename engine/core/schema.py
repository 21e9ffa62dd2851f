"""Columns as the engine sees them: a name, one of ten logical types, and what the contract demands of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.core.classification import INTERNAL, Classification


class LogicalType(StrEnum):
    """ODCS logical types, with ``number`` split by exactness."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    BINARY = "binary"
    NUMBER = "number"
    """Exact or not as the source has it: the contract says ``number`` without a physical type."""


@dataclass(frozen=True, slots=True)
class Column:
    """One property of a contract's object.

    ``key_position`` is the place in the primary key, from 1, or ``None``; ``precision`` and ``scale`` are set
    for decimals whose physical type names them.
    """

    name: str
    type: LogicalType
    required: bool = False
    unique: bool = False
    key_position: int | None = None
    classification: Classification = INTERNAL
    precision: int | None = None
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of a dataset in contract order."""

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the primary key's columns, in key order."""
        keyed = [c for c in self.columns if c.key_position is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda c: c.key_position or 0))

    def column(self, name: str) -> Column:
        """The column called ``name``; ``KeyError`` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
