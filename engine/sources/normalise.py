"""Types made canonical, once: what leaves here has exactly the contract's columns, in types that do not vary.

A source's type may differ from the contract's in width, unit or encoding, never in kind. What differs is a value:
drift before the first row, a `ValueViolation` while reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from engine.core.schema import Column, LogicalType, TableSchema
from engine.sources.base import Reading
from engine.sources.families import Family, family, fits
from engine.sources.values import Unfit, canonical

DECIMAL_DIGITS = 38
OPEN_SCALE = 9
"""Places of a decimal when neither the contract nor the source's type names them; a value with more is refused."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_CANONICAL = {
    LogicalType.STRING: pa.string(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.DOUBLE: pa.float64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.DATE: pa.date32(),
    LogicalType.TIMESTAMP: pa.timestamp("us", "UTC"),
    LogicalType.TIME: pa.time64("us"),
    LogicalType.BINARY: pa.binary(),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What differs between a source's columns and the contract's; ``breaking`` when the contract cannot be met."""

    column: str
    message: str
    breaking: bool


@dataclass(frozen=True, slots=True)
class Normalised:
    """A stream in canonical types, and what was found before the first row.

    The stream is empty, and the source not read, when a finding is breaking.
    """

    reader: pa.RecordBatchReader
    drift: tuple[Finding, ...]


class ValueViolation(ValueError):
    """A value that the contract's type cannot hold; the message names column and row from 1, never the value."""

    def __init__(self, column: str, row: int, why: str) -> None:
        super().__init__(f"column {column}: the value in row {row:,} {why}")
        self.column = column
        self.row = row
        self.why = why


def normalise(reading: Reading, schema: TableSchema) -> Normalised:
    """The reading's rows as the contract's columns; the stream raises `ValueViolation`, and `SourceError` as it was."""
    drift = (*_breaking(reading, schema), *_additive(reading, schema))
    present = [c for c in schema.columns if c.name in reading.schema.names]
    if any(finding.breaking for finding in drift):
        fields = [(c.name, _CANONICAL.get(c.type, pa.decimal128(DECIMAL_DIGITS, OPEN_SCALE))) for c in present]
        return Normalised(pa.schema(fields).empty_table().to_reader(), drift)
    target = pa.schema([(c.name, _target(c, reading.schema.field(c.name).type)) for c in present])
    return Normalised(pa.RecordBatchReader.from_batches(target, _batches(reading, present, target)), drift)


def canonical_types(schema: TableSchema) -> Mapping[str, str]:
    """Per column, its type as the ledger remembers it."""
    return {c.name: f"decimal({c.precision},{c.scale or 0})" if c.precision else c.type.value for c in schema.columns}


def _breaking(reading: Reading, schema: TableSchema) -> Iterator[Finding]:
    for column in schema.columns:
        if column.name not in reading.schema.names:
            message = f"column {column.name} is in the contract and not in the source"
            yield Finding(column.name, message, breaking=True)
            continue
        found = reading.schema.field(column.name).type
        if not fits(found, column.type):
            kind = str(found) if family(found) is Family.OTHER else family(found)
            message = f"column {column.name} is {kind} in the source but {column.type.value} in the contract"
            yield Finding(column.name, message, breaking=True)


def _additive(reading: Reading, schema: TableSchema) -> Iterator[Finding]:
    """The columns that are left out; one is named only where it is sure to be one.

    The first row of a file without a header is taken for names, and what is said here stands in the ledger.
    """
    strange = [name for name in reading.schema.names if name not in schema.names]
    has_header = len(strange) < len(reading.schema.names)
    named = [name for name in strange if has_header and _NAME.fullmatch(name)]
    for name in named:
        message = f"column {name} is in the source and not in the contract; it is left out"
        yield Finding(name, message, breaking=False)
    if rest := len(strange) - len(named):
        names = f"{rest:,} columns have names" if rest > 1 else "a column has a name"
        yield Finding("", f"{names} unlike a column's in the source, not in the contract; left out", breaking=False)


def _target(column: Column, found: pa.DataType) -> pa.DataType:
    """The canonical type; only for decimals and numbers without a written size does the source have a say."""
    if column.type in _CANONICAL:
        return _CANONICAL[column.type]
    if column.precision:
        return pa.decimal128(column.precision, column.scale or 0)
    match family(found):
        case Family.FLOAT:
            return pa.float64()
        case Family.INTEGER:
            return pa.int64() if column.type is LogicalType.NUMBER else pa.decimal128(DECIMAL_DIGITS, 0)
        case Family.DECIMAL | Family.WHOLE_DECIMAL:
            scale = (found.value_type if pa.types.is_dictionary(found) else found).scale
            return pa.decimal128(DECIMAL_DIGITS, min(max(scale, 0), DECIMAL_DIGITS))
        case _:
            return pa.decimal128(DECIMAL_DIGITS, OPEN_SCALE)


def _batches(reading: Reading, columns: list[Column], target: pa.Schema) -> Iterator[pa.RecordBatch]:
    places = [(column, reading.schema.get_field_index(column.name)) for column in columns]
    row = 1
    for batch in reading.batches:
        arrays = [_values(batch.column(place), column, target, row) for column, place in places]
        yield pa.RecordBatch.from_arrays(arrays, schema=target)
        row += batch.num_rows


def _values(values: pa.Array, column: Column, target: pa.Schema, row: int) -> pa.Array:
    try:
        return canonical(values, column.type, target.field(column.name).type)
    except Unfit as unfit:
        raise ValueViolation(column.name, row + unfit.index, unfit.why) from None
