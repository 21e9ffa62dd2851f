"""Columns whose values the contract parses: text without a type, digits, and values that each have a type of their own.

Three Arrow types mark such columns, so that a reading's schema says all there is to know. Every other type is taken
at its word, and a text there is never taken for a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import NoneType
from typing import Any

import pyarrow as pa

NESTING_MAX = 100
"""Levels of an object or a list, counted from the value of a column; far below what the interpreter bears."""

TEXT = pa.opaque(pa.string(), "text", "tidegate")
"""Text that may stand for anything (CSV)."""

NUMERAL = pa.opaque(pa.string(), "numeric", "PostgreSQL")
"""Decimal digits as text: a number without bounds. The type is the one that ADBC gives."""

DYNAMIC = pa.opaque(pa.struct([("kind", pa.uint8()), ("text", pa.string())]), "dynamic", "tidegate")
"""Each value has a type of its own (SQLite, JSON): its `Kind` and its canonical text."""


class Kind(IntEnum):
    """The type of one value in a `DYNAMIC` column."""

    TEXT = 0
    INTEGER = 1
    NUMBER = 2
    BOOLEAN = 3
    BYTES = 4
    NESTED = 5

    @property
    def title(self) -> str:
        return {Kind.BYTES: "binary", Kind.NESTED: "an object or a list"}.get(self, self.name.lower())


class Digits(str):
    """A number as it was written, where a float would lose digits."""

    __slots__ = ()


class Nested(str):
    """An object or a list as JSON text."""

    __slots__ = ()


Kinds = Mapping[type, Kind]

SQLITE_KINDS: Kinds = {str: Kind.TEXT, int: Kind.INTEGER, float: Kind.NUMBER, bytes: Kind.BYTES}
JSON_KINDS: Kinds = {
    str: Kind.TEXT,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    Digits: Kind.NUMBER,
    bool: Kind.BOOLEAN,
    Nested: Kind.NESTED,
}


def dynamic(values: Sequence[Any], kinds: Kinds) -> pa.Array:
    """Python values as a `DYNAMIC` array; their types are among ``kinds`` or None."""
    found = set(map(type, values)) - {NoneType}
    if len(found) == 1:
        (only,) = found
        codes = pa.repeat(pa.scalar(kinds[only], pa.uint8()), len(values))
    else:
        codes = pa.array([None if v is None else kinds[type(v)] for v in values], pa.uint8())
    if found <= {str, Digits, Nested}:
        texts = pa.array(values, pa.string())
    else:
        texts = pa.array([None if v is None else _WRITE[type(v)](v) for v in values], pa.string())
    storage = pa.StructArray.from_arrays([codes, texts], fields=list(DYNAMIC.storage_type))
    return pa.ExtensionArray.from_storage(DYNAMIC, storage)


def text(values: pa.Array) -> pa.Array:
    """A string array as a `TEXT` array, without a copy."""
    return pa.ExtensionArray.from_storage(TEXT, values)


def nested(value: Any) -> Nested:
    """An object or a list as JSON text in which numbers keep the digits that were written; raises `RecursionError`."""
    return Nested(_json(value, NESTING_MAX))


def _json(value: Any, levels: int) -> str:
    if not levels:
        raise RecursionError("nested too deeply")
    match value:
        case dict():
            members = (f"{json.dumps(k, ensure_ascii=False)}:{_json(v, levels - 1)}" for k, v in value.items())
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(_json(v, levels - 1) for v in value) + "]"
        case Digits():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


# The shortest text that reads back as the same float is also the decimal that somebody wrote into a column that keeps
# decimals as floats.
_WRITE: Mapping[type, Callable[[Any], str]] = {
    str: str,
    Digits: str,
    int: str,
    float: repr,
    bool: lambda value: "true" if value else "false",
    bytes: bytes.hex,
    Nested: str,
}
