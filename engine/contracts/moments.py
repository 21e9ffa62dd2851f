"""What a contract says of the writing of dates, times and time zones, which Tidegate reads in one way only."""

from __future__ import annotations

import re
from typing import Any

from engine.contracts.finding import Finding, KeyPath, Listed
from engine.core.schema import Column, LogicalType

_UTC = ("UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT")
_DAY = "yyyy-MM-dd"
_TIME = r"HH:mm(:ss(\.(S{1,9}|f{1,9}))?)?"
_ZONE = r"(Z|'Z'|X{1,3}|x{1,3}|Z{5})?"
_WRITTEN = {
    LogicalType.DATE: re.compile(_DAY, re.IGNORECASE),
    LogicalType.TIME: re.compile(_TIME),
    LogicalType.TIMESTAMP: re.compile(rf"{_DAY}( |T|'T'){_TIME}{_ZONE}|{_DAY}", re.IGNORECASE),
}
_NEXT = "give it that form in the source"


def moment_option(key: str, value: Any, column: Column, at: KeyPath) -> Finding | Listed | None:  # parsed YAML
    """``format``, ``timezone`` or ``defaultTimezone``: what is wrong, what is only listed, or nothing.

    Values of a typed source have no writing, and texts are read as ISO 8601, in UTC where they name no zone.
    """
    if key == "format":
        if isinstance(value, str) and _WRITTEN[column.type].fullmatch(value):
            return None
        message = f"`{column.name}` has a `format` other than ISO 8601, in which Tidegate reads texts"
        return Finding("not_available", message, _NEXT, at)
    if key == "timezone":
        return _zoned(value, column, at)
    if value in _UTC:
        return None
    message = f"`{column.name}` has a `defaultTimezone`, and Tidegate reads what has no zone as UTC"
    return Finding("not_available", message, f"{_NEXT}, or write `UTC`", at)


def _zoned(value: Any, column: Column, at: KeyPath) -> Finding | Listed | None:  # parsed YAML
    if not isinstance(value, bool):
        return Finding("wrong_type", f"`timezone` of `{column.name}` must be true or false", "", at)
    if not value:
        return None
    if column.type is LogicalType.TIME:
        message = f"`{column.name}` is a time of day with a zone, which Tidegate cannot keep"
        return Finding("not_available", message, "make it a `timestamp`", at)
    return Listed(f"`timezone: true` of {column.name}")
