"""Canonical text of values: one text for one value, whatever the encoding it came in.

`fragment` gives JSON text, `text` the same without quotes for ids. Both are Ibis expressions, so payloads are
rendered set by set; equal text means equal value, which is how the planner compares.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.types import BooleanColumn, Column, StringColumn, StringValue, Table

from engine.core.names import Digest

_NARROW_DIGITS = 18
"""The most digits of a decimal that the database holds in 64 bits."""


@ibis.udf.scalar.builtin(name="to_json")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _to_json(value: str) -> dt.JSON:
    """The database's own function."""


@ibis.udf.scalar.builtin(name="rtrim")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _rtrim(value: str, characters: str) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


@ibis.udf.scalar.builtin(name="to_base64")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _to_base64(value: bytes) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


@ibis.udf.scalar.builtin(name="md5")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _md5(value: str) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


def digest_text(value: StringValue) -> StringValue:
    """MD5 of a text, for recognising a value again; not a protection against forgery."""
    return _md5(value)


def text(column: Column) -> StringColumn:
    """The value as plain text: what an id shows and what a quoted JSON string holds.

    Decimals lose trailing zeros, whole doubles are written as the integers that they are (as far as 64 bits go), so
    that a number keeps its text when its source keeps it in another type. Timestamps are UTC with six digits, dates
    ISO 8601, binary base64.
    """
    kind = column.type()
    if kind.is_string():
        return column
    if isinstance(kind, dt.Decimal) and kind.scale:
        digits = column.cast("string")
        if kind.precision == kind.scale:
            # The database writes no zero before the point of a type that has no place for one, and JSON needs it.
            digits = digits.re_replace(r"^(-?)\.", r"\10.")
        return _rtrim(_rtrim(digits, "0"), ".")
    if kind.is_floating():
        whole = column.try_cast("int64")
        return ibis.ifelse(whole.cast(kind) == column, whole.cast("string"), column.cast("string"))
    if kind.is_timestamp():
        return column.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if kind.is_binary():
        return _to_base64(column)
    return column.cast("string")


def fragment(column: Column) -> StringColumn:
    """The value as JSON text; SQL null stays null, so that the caller decides between clearing and skipping."""
    kind = column.type()
    if kind.is_string():
        return _to_json(column).cast("string")
    if kind.is_numeric() or kind.is_boolean():
        return text(column)
    return ibis.literal('"') + text(column) + ibis.literal('"')


def key_text(columns: Sequence[Column]) -> StringColumn:
    """A key as text: the plain value for one column, a JSON array for several; null when any part is null."""
    if len(columns) == 1:
        return text(columns[0])
    return ibis.literal("[") + joined([fragment(c) for c in columns]) + ibis.literal("]")


def object_text(names: Sequence[str], fragments: Sequence[StringValue]) -> StringValue:
    """A JSON object in the order of ``names``; members whose fragment is null are left out."""
    members = [ibis.literal(json.dumps(n, ensure_ascii=False) + ":") + f for n, f in zip(names, fragments, strict=True)]
    return ibis.literal("{") + present(members) + ibis.literal("}")


def joined(parts: Sequence[StringValue]) -> StringValue:
    """The parts with commas between; null when any part is null."""
    result = parts[0]
    for part in parts[1:]:
        result = result + ibis.literal(",") + part
    return result


def present(parts: Sequence[StringValue]) -> StringValue:
    """The parts that are not null with commas between; empty text when all are null."""
    return ibis.literal(",").join(list(parts)) if parts else ibis.literal("")


def differs(left: Column, right: Column) -> BooleanColumn:
    """Null-safe inequality."""
    return ~left.identical_to(right)


def row_hash(table: Table, columns: Sequence[str]) -> Column:
    """A 64-bit hash over typed values in column order, nulls included.

    Two different rows share a hash with probability 2⁻⁶⁴; the values must already be normalised.
    """
    return ibis.struct({name: _hashable(table[name]) for name in columns}).hash()


def _hashable(column: Column) -> Column:
    """A wide decimal as text: the database combines the hashes of its halves so that 0 and −1 share one."""
    kind = column.type()
    wide = isinstance(kind, dt.Decimal) and (kind.precision is None or kind.precision > _NARROW_DIGITS)
    return column.cast("string") if wide else column


def digest_of(value: Any) -> Digest:
    """SHA-256 of a JSON value in one canonical text (sorted keys, no spaces)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Digest(hashlib.sha256(canonical.encode()).hexdigest())
