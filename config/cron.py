"""The five fields of a cron line, and whether they can ever fire; what they mean in time is the engine's subject."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|[0-9a-z]{1,3}(?:-[0-9a-z]{1,3})?)(?:/([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()

    def number(self, text: str) -> int | None:
        """The number a word or digits stand for, if it lies in range."""
        if text in self.words:
            return self.words.index(text) + self.low
        if text.isdigit() and self.low <= int(text) <= self.high:
            return int(text)
        return None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class CronFields:
    """The numbers that each field allows, in order; ``weekdays`` from Sunday as 0.

    ``either_day``: days of the month and weekdays are both restricted, and as in every cron one of them is enough.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either_day: bool


def cron_fields(text: str) -> CronFields:
    """A line of which `cron_fault` finds nothing, as numbers."""
    parts = text.lower().split()
    values = [_numbers(field, part) for field, part in zip(_FIELDS, parts, strict=True)]
    minutes, hours, days, months = (tuple(sorted(value)) for value in values[:4])
    weekdays = tuple(sorted({number % 7 for number in values[4]}))
    return CronFields(minutes, hours, days, months, weekdays, not (parts[2][0] == "*" or parts[4][0] == "*"))


def cron_fault(text: str) -> str:
    """One sentence on why ``text`` is not a cron line of five fields that can fire; empty when it is."""
    parts = text.split()
    if len(parts) != len(_FIELDS) or len(text) > 200:
        return "must have five fields: minute, hour, day of the month, month, day of the week"
    values: list[set[int]] = []
    for field, part in zip(_FIELDS, parts, strict=True):
        numbers = _numbers(field, part.lower())
        if not numbers:
            return f"has a {field.name} that cannot be: {field.low} to {field.high}, `*`, lists, ranges and steps can"
        values.append(numbers)
    if parts[4] == "*" and all(min(values[2]) > _DAYS_IN_MONTH[month - 1] for month in values[3]):
        return "never fires: no such day in these months"
    return ""


def _numbers(field: _Field, part: str) -> set[int]:
    """All values of a field; empty when any piece of it is wrong."""
    numbers: set[int] = set()
    for piece in part.split(","):
        match = _PART.fullmatch(piece)
        if match is None or (match[2] is not None and int(match[2]) == 0):
            return set()
        first, _, last = ("*", "", "") if match[1] == "*" else match[1].partition("-")
        low = field.low if first == "*" else field.number(first)
        high = field.high if first == "*" or (match[2] and not last) else field.number(last or first)
        if low is None or high is None or low > high:
            return set()
        numbers.update(range(low, high + 1, int(match[2] or 1)))
    return numbers
