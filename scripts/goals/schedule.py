"""G17: over 10 years and 40 zones, cron lines are due neither once too often nor once too rarely.

The other opinion is a walk over every minute of these years, with what a clock on the wall of the zone shows in each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from goals.goal import Effort, Goal, Numbers, never

from config.cron import CronFields, cron_fields
from engine.core.schedule import Cron, due_times

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
MINUTES_A_DAY = 1440
START, END = datetime(2016, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
LINES = (
    "30 2 * * *",
    "*/15 * * * *",
    "15 * * * *",
    "0 0 * * *",
    "0 9 * * mon-fri",
    "59 23 31 12 *",
    "*/20 0-3,23 * * sun",
    "5 1,2,3 1-7 * sat",
)
ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Istanbul",
    "Europe/Moscow",
    "Europe/Chisinau",
    "Europe/Volgograd",
    "Atlantic/Azores",
    "Africa/Casablanca",
    "Africa/El_Aaiun",
    "Africa/Cairo",
    "Africa/Khartoum",
    "Africa/Windhoek",
    "Africa/Sao_Tome",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Gaza",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Pyongyang",
    "Asia/Almaty",
    "America/New_York",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/Asuncion",
    "America/Nuuk",
    "America/Scoresbysund",
    "America/Caracas",
    "Antarctica/Troll",
    "Antarctica/Casey",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Norfolk",
]
Minutes = npt.NDArray[np.int64]


def _measure(effort: Effort) -> Numbers:
    missed = doubled = due = changes = 0
    zones = ZONES[:: len(ZONES) // effort.of(len(ZONES))]
    for name in zones:
        walls = _walls(ZoneInfo(name))
        changes += int(np.count_nonzero(np.diff(walls) != 1))
        for line in LINES:
            fields = cron_fields(line)
            expected = _expected(walls, fields)
            found = _found(fields, ZoneInfo(name))
            due += len(expected)
            missed += len(np.setdiff1d(expected, found))
            doubled += len(found) - len(np.intersect1d(expected, found))
    return {
        "zones": len(zones),
        "cron lines": len(LINES),
        "years": (END - START).days // 365,
        "changes of a clock": changes,
        "moments at which something is due": due,
        "missed": missed,
        "doubled": doubled,
    }


def _found(fields: CronFields, zone: ZoneInfo) -> Minutes:
    days = (frozenset(part) for part in (fields.days, fields.months, fields.weekdays))
    cron = Cron(fields.minutes, fields.hours, *days, fields.either_day, zone)
    moments = due_times(cron, START - MINUTE, END - MINUTE)
    return np.array([(moment - START) // MINUTE for moment in moments], dtype=np.int64)


def _walls(zone: ZoneInfo) -> Minutes:
    """For every minute since `START`, the minutes since the midnight of that day which the zone's clocks show."""
    shifts: list[Minutes] = []
    hour, shift = START, _shift(zone, START)
    while hour < END:
        following = _shift(zone, hour + HOUR)
        if following == shift:
            shifts.append(np.full(60, shift))
        else:
            shifts.append(np.array([_shift(zone, hour + n * MINUTE) for n in range(60)]))
        hour, shift = hour + HOUR, following
    return np.concatenate(shifts) + np.arange((END - START) // MINUTE)


def _shift(zone: ZoneInfo, moment: datetime) -> int:
    shift = moment.astimezone(zone).utcoffset()
    assert shift is not None, "a zone is ahead of UTC by something"
    return shift // MINUTE


def _expected(walls: Minutes, fields: CronFields) -> Minutes:
    named = _named(walls, fields)
    before = np.maximum.accumulate(walls)
    again = np.concatenate(([False], walls[1:] <= before[:-1]))
    counts = named if len(fields.hours) == 24 else named & ~again
    for at in np.flatnonzero(np.diff(walls) > 1) + 1:
        left_out = np.arange(walls[at - 1] + 1, walls[at])
        counts[at] |= bool(_named(left_out, fields).any())
    return np.flatnonzero(counts)


def _named(walls: Minutes, fields: CronFields) -> npt.NDArray[np.bool_]:
    minutes = np.array([n // 60 in fields.hours and n % 60 in fields.minutes for n in range(MINUTES_A_DAY)])
    first, last = int(walls.min()) // MINUTES_A_DAY, int(walls.max()) // MINUTES_A_DAY
    days = np.array(list(_days(fields, first, last)))
    found: npt.NDArray[np.bool_] = minutes[walls % MINUTES_A_DAY] & days[walls // MINUTES_A_DAY - first]
    return found


def _days(fields: CronFields, first: int, last: int) -> Iterator[bool]:
    for number in range(first, last + 1):
        day: date = START.date() + timedelta(days=number)
        allowed: Sequence[bool] = (day.day in fields.days, (day.weekday() + 1) % 7 in fields.weekdays)
        yield day.month in fields.months and (any(allowed) if fields.either_day else all(allowed))


def _broken(numbers: Numbers) -> list[str]:
    return never(numbers, "missed", "doubled")


GOAL = Goal(
    id="G17",
    title="cron lines over 10 years and 40 zones, against a walk over every minute",
    measure=_measure,
    broken=_broken,
    share=0.05,
)
