"""When a sync is due: a pure function of its schedule and of two moments, and of nothing else.

A cron line names wall times of a zone. One that a clock set forward leaves out is due once, at the moment of the change.
One that a clock set back shows twice is due once, the first time; but where every hour is meant, both times, because a
sync of every quarter of an hour would otherwise rest for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from hashlib import sha256
from itertools import takewhile
from typing import TypeAlias, assert_never

DAY = timedelta(days=1)
LOOK_AHEAD = timedelta(days=366 * 9)
"""A 29th of February may be eight years away; a line that does not fire in this time never does."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT = timedelta(seconds=1)
_OFFSET = timedelta(milliseconds=1)
_FIRST_WINDOW = timedelta(minutes=1)
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of a cron line as the numbers that they allow, and its zone; weekdays count from Sunday as 0.

    ``either_day``: both days of the month and weekdays are named, and one of both is enough.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Every:
    """A moment each ``step``, counted from 1970 and shifted by ``offset``, so that syncs are not all due at once."""

    step: timedelta
    offset: timedelta


@dataclass(frozen=True, slots=True)
class After:
    """Due as soon as ``dataset`` has a version that it was not due for before."""

    dataset: str


Timed: TypeAlias = Cron | Every
Schedule: TypeAlias = Timed | After


def every(step: timedelta, name: str) -> Every:
    """The interval of the sync ``name``, at a place of its own within it that is the same on every machine."""
    chance = int.from_bytes(sha256(name.encode()).digest()[:8])
    return Every(step, timedelta(milliseconds=chance % (step // _OFFSET)))


def next_due(schedule: Timed, after: datetime) -> datetime | None:
    """The first moment behind ``after`` at which it is due, in UTC; None when there is none in `LOOK_AHEAD`."""
    return next(due_times(schedule, after, after + LOOK_AHEAD), None)


def last_due(schedule: Timed, after: datetime, until: datetime) -> datetime | None:
    """The last moment behind ``after`` and not behind ``until`` at which it is due, however long ago ``after`` is."""
    window = _FIRST_WINDOW
    while until - window > after:
        for moment in reversed(list(due_times(schedule, until - window, until))):
            return moment
        window *= 4
    return max(due_times(schedule, after, until), default=None)


def due_times(schedule: Timed, after: datetime, until: datetime) -> Iterator[datetime]:
    """Each moment at which it is due behind ``after`` and not behind ``until``, in order and in UTC."""
    match schedule:
        case Every():
            yield from _interval(schedule, after, until)
        case Cron():
            after, until = after.astimezone(UTC), until.astimezone(UTC)
            behind = (moment for moment in _cron(schedule, after, until) if moment > after)
            yield from takewhile(lambda moment: moment <= until, behind)
        case _:
            assert_never(schedule)


def _interval(schedule: Every, after: datetime, until: datetime) -> Iterator[datetime]:
    first = _EPOCH + schedule.offset
    moment = first + ((after - first) // schedule.step + 1) * schedule.step
    while moment <= until:
        yield moment
        moment += schedule.step


def _cron(cron: Cron, after: datetime, until: datetime) -> Iterator[datetime]:
    """What the wall times of the days around the two moments come to, in order.

    A day on whose eve and morrow no clock is changed needs no look at its minutes. Around a change several days are put in
    order together, for a wall time of one day may come after one of the next.
    """
    day, last = after.astimezone(cron.zone).date() - DAY, until.astimezone(cron.zone).date() + DAY
    mixed: set[datetime] = set()
    while day <= last:
        if _matches(cron, day):
            shift = _steady_shift(cron.zone, day)
            if shift is None:
                mixed |= _around_a_change(cron, day)
            else:
                yield from sorted(mixed)
                mixed.clear()
                start = datetime.combine(day, time(), UTC) - shift
                yield from (
                    start + timedelta(hours=hour, minutes=minute) for hour in cron.hours for minute in cron.minutes
                )
        day += DAY
    yield from sorted(mixed)


def _matches(cron: Cron, day: date) -> bool:
    if day.month not in cron.months:
        return False
    of_month, of_week = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    return (of_month or of_week) if cron.either_day else (of_month and of_week)


def _steady_shift(zone: tzinfo, day: date) -> timedelta | None:
    """What the zone is ahead of UTC all around ``day``; None when it changes from two days before to two days after."""
    noon = datetime.combine(day, time(12), UTC)
    shifts = {(noon + days * DAY).astimezone(zone).utcoffset() for days in (-2, -1, 0, 1, 2)}
    return shifts.pop() if len(shifts) == 1 else None


def _around_a_change(cron: Cron, day: date) -> set[datetime]:
    walls = (datetime.combine(day, time(hour, minute)) for hour in cron.hours for minute in cron.minutes)
    return {moment for wall in walls for moment in _moments(wall, cron)}


def _moments(wall: datetime, cron: Cron) -> tuple[datetime, ...]:
    """The moments at which a clock of the zone shows ``wall``, as far as they count; for none, when it was left out."""
    first, second = (wall.replace(tzinfo=cron.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(cron.zone).replace(tzinfo=None) != wall:
        return (_change_between(second, first, cron.zone),)
    return (first, second) if len(cron.hours) == _HOURS else (first,)


def _change_between(before: datetime, behind: datetime, zone: tzinfo) -> datetime:
    """The second of a change of the zone's clock that lies after ``before`` and not after ``behind``."""
    shift = before.astimezone(zone).utcoffset()
    while behind - before > _EXACT:
        middle = before + ((behind - before) / 2 // _EXACT) * _EXACT
        if middle.astimezone(zone).utcoffset() == shift:
            before = middle
        else:
            behind = middle
    return behind
