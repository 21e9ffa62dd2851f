"""Values and keys that APIs, encoders and their authors stumble over, by kind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

import pyarrow as pa

from destinations.base import Op, Value


class Kind(StrEnum):
    """What a field of a destination can hold, in the forms in which the engine gives values to adapters."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    DATE = "date"
    """Text, ISO 8601."""
    TIMESTAMP = "timestamp"
    """Text, UTC with six digits of a second."""


SAMPLES: Mapping[Kind, Sequence[Value]] = MappingProxyType(
    {
        Kind.TEXT: (
            "plain",
            "",
            " blanks around ",
            "Zoë Ångström",
            "e\N{COMBINING ACUTE ACCENT}",  # equal to é only after a normalisation that nobody asked for
            "日本語",
            "\N{FAMILY}\N{ZERO WIDTH JOINER}\N{WOMAN}",
            "\N{RIGHT-TO-LEFT OVERRIDE}abc",
            "a\tb\nc\r\nd",
            "quotes \" ' and \\ back",
            "</script><b>&amp;",
            "=1+1",
            "100%25 %s {0} {{x}} ${x}",
            "a,b;c|d",
            "null",
            "0012",
        ),
        Kind.INTEGER: (0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)),
        Kind.DECIMAL: tuple(map(Decimal, ("0.1", "-0.005", "19.99", "1234567890123456.78", "0.0000000001"))),
        Kind.BOOLEAN: (True, False),
        Kind.DATE: ("0001-01-01", "1999-12-31", "2024-02-29", "9999-12-31"),
        Kind.TIMESTAMP: ("1970-01-01T00:00:00.000000Z", "2024-02-29T23:59:59.999999Z", "2038-01-19T03:14:08.000001Z"),
    }
)

KEYS: Sequence[str] = (
    "plain",
    "Ada@example.com",
    "ada@example.com",  # another one: keys are not folded
    "+44 20 7946 0958",
    "0012",
    "12",
    "a/b?c=d&e#f",
    "100%25",
    "Zoë",
    "日本",
    'say "hi"',
    "back\\slash",
    "it's; DROP TABLE x --",
    " blank ",
)


def rows(op: Op, match: str, records: Mapping[str, Mapping[str, Value]]) -> pa.RecordBatch:
    """A plan's rows: one record an id, with the match key in the field ``match``."""
    columns = {
        "op": [op.value for _ in records],
        "id": list(records),
        "key": [_text({match: id}) for id in records],
        "fields": [_text(fields) for fields in records.values()],
        "changed": [_text(list(fields)) for fields in records.values()],
    }
    return pa.RecordBatch.from_pydict({name: pa.array(column, pa.string()) for name, column in columns.items()})


def _text(value: Value) -> str:
    """JSON as the engine writes it: characters as they are, decimals as numbers with all their digits."""
    match value:
        case Decimal():
            return f"{value:f}"
        case Mapping():
            return "{" + ",".join(f"{json.dumps(n, ensure_ascii=False)}:{_text(v)}" for n, v in value.items()) + "}"
        case _:
            return json.dumps(value, ensure_ascii=False)


def same(one: Value, other: Value) -> bool:
    """Whether two values are the same and not only equal: 1 is neither true nor a float that happens to be whole."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        return type(one) is type(other) and bool(one == other)
    return bool(one == other)
