"""One ODCS property as a column: its type, its sensitivity, and the names of what is not enforced about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from open_data_contract_standard.model import SchemaProperty

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.core.classification import Classification, Classifications
from engine.core.schema import LogicalType

_PLAIN_TYPES = {
    "boolean": LogicalType.BOOLEAN,
    "date": LogicalType.DATE,
    "integer": LogicalType.INTEGER,
    "string": LogicalType.STRING,
    "time": LogicalType.TIME,
    "timestamp": LogicalType.TIMESTAMP,
}
_NESTED_TYPES = ("array", "map", "object", "vector")
_DECIMAL = re.compile(r"(?:decimal|numeric|number)\s*(?:\(\s*([0-9]{1,3})\s*(?:,\s*([0-9]{1,3})\s*)?\))?")
_INEXACT = frozenset({"double", "double precision", "float", "float4", "float8", "float32", "float64", "real"})
_BINARY = frozenset({"binary", "blob", "bytea", "bytes", "varbinary"})
_PRECISION_MAX = 38
_NOT_ENFORCED = ("relationships",)


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A logical type; decimals may carry precision and scale."""

    type: LogicalType
    precision: int | None = None
    scale: int | None = None


def column_type(property: SchemaProperty, path: KeyPath) -> ColumnType | Finding:
    """The type of a property, from its logical type and, for numbers, its physical one."""
    logical, physical = property.logicalType, (property.physicalType or "").strip().lower()
    if logical is None:
        hint = "add `logicalType`, such as `string` or `integer`"
        return Finding("missing_key", f"the column `{property.name}` has no `logicalType`", hint, path)
    if logical == "string" and physical.partition("(")[0] in _BINARY:
        return ColumnType(LogicalType.BINARY)
    if logical in _PLAIN_TYPES:
        return ColumnType(_PLAIN_TYPES[logical])
    if logical == "number":
        return _number(property, physical, path)
    at = (*path, "logicalType")
    if logical in _NESTED_TYPES:
        message = f"the column `{property.name}` is of type `{logical}`, which is not available in this version"
        return Finding("not_available", message, "flatten it into columns, or keep it as a `string`", at)
    hint = nearest(logical, (*_PLAIN_TYPES, "number"))
    return Finding("bad_value", f"the column `{property.name}` has a `logicalType` that does not exist", hint, at)


def measure_finding(property: SchemaProperty, path: KeyPath) -> Finding | None:
    """Why a property that is no column cannot be read as one."""
    if property.semanticType != "measure":
        return None
    message = f"`{property.name}` is a measure, which stands in no row"
    return Finding("not_available", message, "leave it out, or compute it in the source", (*path, "semanticType"))


def _number(property: SchemaProperty, physical: str, path: KeyPath) -> ColumnType | Finding:
    if physical in _INEXACT:
        return ColumnType(LogicalType.DOUBLE)
    match = _DECIMAL.fullmatch(physical)
    if match is None:
        return ColumnType(LogicalType.NUMBER)
    if match[1] is None:
        return ColumnType(LogicalType.NUMBER if physical == "number" else LogicalType.DECIMAL)
    precision, scale = int(match[1]), int(match[2] or 0)
    if not (1 <= precision <= _PRECISION_MAX and scale <= precision):
        message = f"the column `{property.name}` has a decimal that cannot be kept"
        hint = f"1 to {_PRECISION_MAX} digits, and no more of them behind the point"
        return Finding("out_of_range", message, hint, (*path, "physicalType"))
    return ColumnType(LogicalType.DECIMAL, precision, scale)


def classification(property: SchemaProperty, path: KeyPath, known: Classifications) -> Classification | Finding:
    """How sensitive a property is, in the project's words; what the project says of silence when the contract is silent."""
    written = property.classification
    if written is None:
        return known.unclassified
    found = known.of(written)
    if found is not None:
        return found
    message = f"the column `{property.name}` has a `classification` that Tidegate cannot rank"
    return Finding("bad_value", message, nearest(written, known.words), (*path, "classification"))


def not_enforced(property: SchemaProperty) -> tuple[str, ...]:
    """What the contract demands of a property and this version does not check."""
    return tuple(f"{key} of {property.name}" for key in _NOT_ENFORCED if getattr(property, key))
