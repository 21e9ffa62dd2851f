"""What kind of thing an Arrow type holds, whatever its width, unit, encoding or zone label."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import pyarrow as pa

from engine.core.schema import LogicalType
from engine.sources.untyped import DYNAMIC, NUMERAL, TEXT, Kind


class Family(StrEnum):
    """Kinds between which nothing is converted silently."""

    TEXT = "text"
    INTEGER = "integer"
    WHOLE_DECIMAL = "decimal without places"
    DECIMAL = "decimal"
    FLOAT = "floating point"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    BINARY = "binary"
    UUID = "uuid"
    NUMERAL = "number"
    UNTYPED = "untyped"
    NOTHING = "null"
    OTHER = "nested or of another type"


_MARKED = (
    (TEXT, Family.UNTYPED),
    (DYNAMIC, Family.UNTYPED),
    (NUMERAL, Family.NUMERAL),
    (pa.uuid(), Family.UUID),
)

_CHECKS = (
    (pa.types.is_null, Family.NOTHING),
    (pa.types.is_boolean, Family.BOOLEAN),
    (pa.types.is_integer, Family.INTEGER),
    (pa.types.is_floating, Family.FLOAT),
    (pa.types.is_date, Family.DATE),
    (pa.types.is_timestamp, Family.TIMESTAMP),
    (pa.types.is_time, Family.TIME),
    (pa.types.is_string, Family.TEXT),
    (pa.types.is_large_string, Family.TEXT),
    (pa.types.is_string_view, Family.TEXT),
    (pa.types.is_binary, Family.BINARY),
    (pa.types.is_large_binary, Family.BINARY),
    (pa.types.is_binary_view, Family.BINARY),
    (pa.types.is_fixed_size_binary, Family.BINARY),
)

_ANY = frozenset({Family.NOTHING, Family.UNTYPED})
_EXACT = _ANY | {Family.INTEGER, Family.WHOLE_DECIMAL, Family.DECIMAL, Family.NUMERAL}

_FITS: Mapping[LogicalType, frozenset[Family]] = {
    LogicalType.STRING: _ANY | {Family.TEXT, Family.UUID},
    LogicalType.INTEGER: _ANY | {Family.INTEGER, Family.WHOLE_DECIMAL},
    LogicalType.DECIMAL: _EXACT,
    LogicalType.DOUBLE: _EXACT | {Family.FLOAT},
    LogicalType.NUMBER: _EXACT | {Family.FLOAT},
    LogicalType.BOOLEAN: _ANY | {Family.BOOLEAN},
    LogicalType.DATE: _ANY | {Family.DATE},
    LogicalType.TIMESTAMP: _ANY | {Family.TIMESTAMP},
    LogicalType.TIME: _ANY | {Family.TIME},
    LogicalType.BINARY: _ANY | {Family.BINARY},
}

_KINDS_THAT_FIT: Mapping[LogicalType, frozenset[Kind]] = {
    LogicalType.STRING: frozenset({Kind.TEXT, Kind.NESTED}),
    LogicalType.INTEGER: frozenset({Kind.INTEGER, Kind.NUMBER}),
    LogicalType.DECIMAL: frozenset({Kind.INTEGER, Kind.NUMBER, Kind.TEXT}),
    LogicalType.DOUBLE: frozenset({Kind.INTEGER, Kind.NUMBER}),
    LogicalType.NUMBER: frozenset({Kind.INTEGER, Kind.NUMBER}),
    LogicalType.BOOLEAN: frozenset({Kind.BOOLEAN, Kind.INTEGER}),
    LogicalType.DATE: frozenset({Kind.TEXT}),
    LogicalType.TIMESTAMP: frozenset({Kind.TEXT}),
    LogicalType.TIME: frozenset({Kind.TEXT}),
    LogicalType.BINARY: frozenset({Kind.BYTES, Kind.TEXT}),
}
"""SQLite and JSON have no decimals, dates and times, so texts hold them; SQLite writes booleans as 0 and 1."""


def family(kind: pa.DataType) -> Family:
    """The family of a type, seen through dictionaries, run lengths and extensions."""
    for marked, found in _MARKED:
        if kind == marked:
            return found
    if isinstance(kind, pa.BaseExtensionType):
        return family(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return family(kind.value_type)
    if pa.types.is_decimal(kind):
        return Family.WHOLE_DECIMAL if kind.scale <= 0 else Family.DECIMAL
    return next((found for check, found in _CHECKS if check(kind)), Family.OTHER)


def fits(kind: pa.DataType, logical: LogicalType) -> bool:
    """Whether a column of this type can be what the contract says, value by value or as a whole."""
    return family(kind) in _FITS[logical]


def fitting_kinds(logical: LogicalType) -> frozenset[Kind]:
    """Which values of a column without a type can be what the contract says."""
    return _KINDS_THAT_FIT[logical]
