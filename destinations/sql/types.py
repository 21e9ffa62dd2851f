"""What the columns of a table take, in the words of a sync's ``type``."""

from __future__ import annotations

_NUMBERS = frozenset({"integer", "number"})
_TAKES = {
    **dict.fromkeys(("smallint", "integer", "bigint", "tinyint", "hugeint"), frozenset({"integer"})),
    **dict.fromkeys(("numeric", "decimal", "real", "float", "double", "double precision"), _NUMBERS),
    "boolean": frozenset({"boolean"}),
    "date": frozenset({"date"}),
    "uuid": frozenset({"string"}),
    **dict.fromkeys(
        ("timestamp", "timestamp without time zone", "timestamp with time zone"), frozenset({"timestamp", "date"})
    ),
}


def takes(type: str) -> frozenset[str]:
    """What a column of a type that is checked takes; empty for others, among them text, which takes everything."""
    return _TAKES.get(type.lower().split("(")[0].strip(), frozenset())
