"""Values that a contract writes down for a column, in the column's type."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from engine.core.schema import LogicalType
from engine.core.value_rules import Value

_NUMBERS = frozenset({LogicalType.INTEGER, LogicalType.DECIMAL, LogicalType.DOUBLE, LogicalType.NUMBER})


def number(value: Any) -> Decimal | None:  # parsed YAML
    """A finite number exactly as it was written; None for anything else, ``true`` included."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    found = Decimal(str(value))
    return found if found.is_finite() else None


def typed(value: Any, type: LogicalType) -> Value | None:  # parsed YAML
    """A written value as one of a column's type; None when it cannot be one."""
    if type in _NUMBERS:
        return number(value)
    if type is LogicalType.STRING:
        return value if isinstance(value, str) else None
    if type is LogicalType.BOOLEAN:
        return value if isinstance(value, bool) else None
    judge = _MOMENTS.get(type)
    try:
        return judge(value) if judge else None
    except (ValueError, OverflowError):
        return None


def _day(value: Any) -> date | None:  # parsed YAML
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(value) if isinstance(value, str) else None


def _time(value: Any) -> time | None:  # parsed YAML
    """A time of day has no zone, for the columns that it is compared with have none."""
    found = time.fromisoformat(value) if isinstance(value, str) else None
    return found if found is not None and found.tzinfo is None else None


def _moment(value: Any) -> datetime | None:  # parsed YAML
    """A moment without a zone is one of UTC, and a day is its first moment."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_MOMENTS: dict[LogicalType, Callable[[Any], Value | None]] = {
    LogicalType.DATE: _day,
    LogicalType.TIME: _time,
    LogicalType.TIMESTAMP: _moment,
}
