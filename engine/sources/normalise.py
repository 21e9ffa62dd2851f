"""Types made canonical, once: what leaves here has exactly the contract's columns in types that do not vary.

A source's own type may differ in width, unit or encoding, never in kind: a text in a typed column is not taken for a
number. Columns of text are parsed strictly by the contract. Floats lose NaN (null) and the sign of zero; texts stay
as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from engine.core.schema import Column, LogicalType, TableSchema
from engine.sources.base import Reading

DECIMAL_DIGITS = 38
TEXT_NUMBER_SCALE = 9
"""Decimal places of a ``number`` that comes as text and whose contract names none."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What differs between a source's columns and the contract's; ``breaking`` when the contract cannot be met."""

    column: str
    message: str
    breaking: bool


@dataclass(frozen=True, slots=True)
class Normalised:
    """A stream in canonical types, and what was found before the first row; empty when a finding is breaking."""

    reader: pa.RecordBatchReader
    drift: tuple[Finding, ...]


class ValueViolation(ValueError):
    """A value that the contract's type cannot hold; the message names column and row, never the value."""

    def __init__(self, column: str, row: int, why: str) -> None:
        super().__init__(f"column {column}: row {row:,} {why}")
        self.column = column
        self.row = row


def normalise(reading: Reading, schema: TableSchema) -> Normalised:
    """The reading's rows as the contract's columns; raises `ValueViolation` while it is read."""
    drift = tuple(_drift(reading, schema))
    target = pa.schema([(c.name, _target(c, reading)) for c in schema.columns if c.name in reading.schema.names])
    if any(finding.breaking for finding in drift):
        return Normalised(target.empty_table().to_reader(), drift)
    return Normalised(pa.RecordBatchReader.from_batches(target, _batches(reading, schema, target)), drift)


def canonical_types(schema: TableSchema) -> Mapping[str, str]:
    """Per column, its type as the ledger remembers it."""
    return {c.name: f"decimal({c.precision},{c.scale or 0})" if c.precision else c.type.value for c in schema.columns}


def _drift(reading: Reading, schema: TableSchema) -> Iterator[Finding]:
    names = set(reading.schema.names)
    for column in schema.columns:
        if column.name not in names:
            yield Finding(column.name, f"the source has no column {column.name}, which the contract names", True)
        elif column.name not in reading.text:
            found = reading.schema.field(column.name).type
            if not _fits(_storage(found), column.type):
                message = f"column {column.name} is {found} in the source and {column.type.value} in the contract"
                yield Finding(column.name, message, True)
    for name in reading.schema.names:
        if name not in schema.names:
            yield Finding(name, f"column {name} is not in the contract and is not captured", False)


def _storage(kind: pa.DataType) -> pa.DataType:
    """The type under extensions and dictionaries."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind):
            kind = kind.value_type
        else:
            return kind


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    checks = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    return any(check(kind) for check in checks)


def _fits(kind: pa.DataType, logical: LogicalType) -> bool:
    """Whether a source's type is of the contract's kind; an all-null column fits every kind."""
    if pa.types.is_null(kind):
        return True
    integral = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)
    match logical:
        case LogicalType.STRING:
            return _is_text(kind)
        case LogicalType.INTEGER:
            return bool(integral)
        case LogicalType.DECIMAL:
            return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind))
        case LogicalType.DOUBLE | LogicalType.NUMBER:
            return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind))
        case LogicalType.BOOLEAN:
            return bool(pa.types.is_boolean(kind))
        case LogicalType.DATE:
            return bool(pa.types.is_date(kind))
        case LogicalType.TIMESTAMP:
            return bool(pa.types.is_timestamp(kind))
        case LogicalType.TIME:
            return bool(pa.types.is_time(kind))
        case LogicalType.BINARY:
            return _is_bytes(kind)


_FIXED = {
    LogicalType.STRING: pa.string(),
    LogicalType.INTEGER: pa.int64(),
    LogicalType.DOUBLE: pa.float64(),
    LogicalType.BOOLEAN: pa.bool_(),
    LogicalType.DATE: pa.date32(),
    LogicalType.TIMESTAMP: pa.timestamp("us", "UTC"),
    LogicalType.TIME: pa.time64("us"),
    LogicalType.BINARY: pa.binary(),
}


def _target(column: Column, reading: Reading) -> pa.DataType:
    if column.type in _FIXED:
        return _FIXED[column.type]
    found = _storage(reading.schema.field(column.name).type)
    if column.type is LogicalType.DECIMAL and column.precision:
        return pa.decimal128(column.precision, column.scale or 0)
    if column.name in reading.text or pa.types.is_null(found):
        return pa.decimal128(DECIMAL_DIGITS, TEXT_NUMBER_SCALE)
    if pa.types.is_decimal(found):
        return pa.decimal128(DECIMAL_DIGITS, found.scale)
    if column.type is LogicalType.NUMBER and pa.types.is_floating(found):
        return pa.float64()
    return pa.int64() if column.type is LogicalType.NUMBER else pa.decimal128(DECIMAL_DIGITS, 0)


def _batches(reading: Reading, schema: TableSchema, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    columns = [(schema.column(field.name), field.type, field.name in reading.text) for field in target]
    row = 0
    for batch in reading.batches:
        arrays = [_column(batch.column(c.name), c, kind, row, is_text) for c, kind, is_text in columns]
        yield pa.RecordBatch.from_arrays(arrays, schema=target)
        row += batch.num_rows


def _column(values: pa.Array, column: Column, kind: pa.DataType, row: int, is_text: bool) -> pa.Array:  # noqa: FBT001  # a fact of the source
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.type != kind:
        try:
            values = _parsed(values, kind) if is_text else _converted(values, kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            raise _violation(values, column, kind, row, is_text) from None
    if pa.types.is_floating(kind):
        return _finite(values, column, row)
    if _is_text(kind):
        _valid_text(values, column, row)
    return values


def _converted(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Width, unit and label may change, the value may not; digits of a second beyond the sixth are cut off."""
    found = values.type
    if pa.types.is_timestamp(kind):
        if found.tz is None:
            values = values.cast(pa.timestamp(found.unit, "UTC"))
        return values.cast(kind, safe=False) if found.unit == "ns" else values.cast(kind)
    if pa.types.is_time(kind) and pa.types.is_time64(found):
        return values.cast(kind, safe=False)
    if pa.types.is_float32(found):
        return values.cast(kind)
    if pa.types.is_floating(kind) and pa.types.is_integer(found):
        return values.cast(pa.int64()).cast(kind, safe=False)
    return values.cast(kind)


def _parsed(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        return pc.if_else(
            pc.is_in(values, pa.array(["1", "t", "T"])),
            "true",
            pc.if_else(pc.is_in(values, pa.array(["0", "f", "F"])), "false", values),
        ).cast(kind)
    if pa.types.is_decimal(kind):
        number = pc.if_else(pc.equal(pc.utf8_lower(values), "nan"), None, values)
        return number.cast(pa.decimal256(76, 38)).cast(kind)
    if pa.types.is_timestamp(kind):
        return _moment(values)
    if pa.types.is_binary(kind):
        return pa.array([None if v is None else bytes.fromhex(v.removeprefix("\\x")) for v in values.to_pylist()], kind)
    return values.cast(kind)


def _moment(values: pa.Array) -> pa.Array:
    """ISO 8601 with or without a zone, in one column; without one it is UTC."""
    zoned = pc.match_substring_regex(values, r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)$")
    zoned = pc.and_kleene(zoned, pc.greater(pc.utf8_length(values), 10))
    cut = pc.replace_substring_regex(values, r"(\.[0-9]{6})[0-9]+", r"\1")
    with_zone = pc.if_else(zoned, cut, None).cast(pa.timestamp("us", "UTC"))
    without = pc.if_else(pc.invert(zoned), cut, None).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
    return pc.coalesce(with_zone, without)


def _finite(values: pa.Array, column: Column, row: int) -> pa.Array:
    if pc.any(pc.is_inf(values)).as_py():
        at = pc.index(pc.is_inf(values), value=True).as_py()
        raise ValueViolation(column.name, row + at + 1, "is infinite, which no destination can hold")
    clean = pc.if_else(pc.is_nan(values), None, values)
    return pc.if_else(pc.equal(clean, 0.0), 0.0, clean)


def _valid_text(values: pa.Array, column: Column, row: int) -> None:
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        raise ValueViolation(column.name, row + 1, "or one after it is not valid Unicode") from None


def _violation(values: pa.Array, column: Column, kind: pa.DataType, row: int, is_text: bool) -> ValueViolation:  # noqa: FBT001  # a fact of the source
    """Halve the batch until the first value that cannot be converted stands alone."""
    convert = _parsed if is_text else _converted
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            convert(values.slice(low, middle - low), kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            high = middle
        else:
            low = middle
    return ValueViolation(column.name, row + low + 1, f"is not a {_said(column)}, or does not fit one")


def _said(column: Column) -> str:
    if column.type is LogicalType.DECIMAL and column.precision:
        return f"decimal({column.precision},{column.scale or 0})"
    return column.type.value
