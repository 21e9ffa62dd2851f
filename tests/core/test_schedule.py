"""When a sync is due: wall times of zones whose clocks are set forward and back, intervals, and nothing in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.cron import cron_fault, cron_fields
from engine.core.schedule import Cron, due_times, every, next_due

MINUTE = timedelta(minutes=1)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # its clocks were changed at midnight
    "America/Havana",  # so are these, and the hour before midnight is shown twice
    "Australia/Lord_Howe",  # by half an hour
    "Africa/Casablanca",  # for a month
    "Asia/Kathmandu",  # three quarters of an hour beside the others
    "Pacific/Apia",  # left out a day
)
CHANGES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "America/Sao_Paulo": ("2018-02-18", "2018-11-04"),
    "America/Havana": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04"),
    "Africa/Casablanca": ("2026-02-15", "2026-03-22"),
    "Pacific/Apia": ("2011-12-30", "2010-09-26"),
}
LINES = (
    "30 2 * * *",
    "*/15 * * * *",
    "15 * * * *",
    "0 0 * * *",
    "*/20 0-3,23 * * *",
    "45 1 * * sun",
    "30 23 29-31 * 6",
)

MOMENTS = st.integers(0, 30 * 365 * 86_400).map(lambda n: datetime(2005, 1, 1, tzinfo=UTC) + timedelta(seconds=n))


def cron(line: str, zone: tzinfo) -> Cron:
    assert cron_fault(line) == ""
    fields = cron_fields(line)
    days, months, weekdays = (frozenset(part) for part in (fields.days, fields.months, fields.weekdays))
    return Cron(fields.minutes, fields.hours, days, months, weekdays, fields.either_day, zone)


def walked(schedule: Cron, after: datetime, until: datetime) -> Iterator[datetime]:
    """The same as `due_times`, by looking at the clock on the wall each minute, as a person would.

    What the clock leaves out is made up for when it is set; what it shows again counts again only where it is about
    every hour.
    """
    every_hour = len(schedule.hours) == 24
    moment = after - timedelta(days=3)
    shown: set[datetime] = set()
    last = (moment - MINUTE).astimezone(schedule.zone).replace(tzinfo=None)
    while moment <= until:
        wall = moment.astimezone(schedule.zone).replace(tzinfo=None)
        left_out = [last + n * MINUTE for n in range(1, max(1, (wall - last) // MINUTE))]
        again = wall in shown and not every_hour
        if moment > after and (any(named(schedule, w) for w in left_out) or (named(schedule, wall) and not again)):
            yield moment
        shown |= {wall, *left_out}
        moment, last = moment + MINUTE, wall


def named(schedule: Cron, wall: datetime) -> bool:
    in_month, in_week = wall.day in schedule.days, (wall.weekday() + 1) % 7 in schedule.weekdays
    is_day = (in_month or in_week) if schedule.either_day else (in_month and in_week)
    return wall.minute in schedule.minutes and wall.hour in schedule.hours and wall.month in schedule.months and is_day


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_around_a_change_of_the_clock_it_is_due_when_a_walk_minute_by_minute_says(zone: str, day: str) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    for line in LINES:
        schedule = cron(line, ZoneInfo(zone))
        expected = list(walked(schedule, start, start + timedelta(days=3)))
        assert list(due_times(schedule, start, start + timedelta(days=3))) == expected, line


@pytest.mark.parametrize(
    ("line", "zone", "after", "expected"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T00:00Z", "2026-03-29T01:00Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00Z", "2026-03-30T00:30Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),
        ("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-26T01:30Z"),
        ("30 * * * *", "Europe/Berlin", "2026-10-25T00:30Z", "2026-10-25T01:30Z"),
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00Z", "2011-12-30T10:00Z"),
        ("0 0 29 2 *", "UTC", "2096-03-01T00:00Z", "2104-02-29T00:00Z"),
        ("0 9 13 * fri", "UTC", "2026-11-01T00:00Z", "2026-11-06T09:00Z"),
        ("0 9 13 * 7", "UTC", "2026-11-07T00:00Z", "2026-11-08T09:00Z"),
    ],
)
def test_a_cron_line_is_due_next(line: str, zone: str, after: str, expected: str) -> None:
    assert next_due(cron(line, ZoneInfo(zone)), datetime.fromisoformat(after)) == datetime.fromisoformat(expected)


@given(
    st.sampled_from(ZONES),
    st.sampled_from(LINES),
    MOMENTS,
    st.lists(st.integers(0, 400), max_size=4),
)
def test_it_is_due_at_the_same_moments_however_often_somebody_asks(
    zone: str, line: str, start: datetime, hours: list[int]
) -> None:
    schedule = cron(line, ZoneInfo(zone))
    edges = [start + timedelta(hours=sum(hours[:n])) for n in range(len(hours) + 1)]
    parts = [list(due_times(schedule, a, b)) for a, b in pairwise(edges)]
    whole = list(due_times(schedule, start, edges[-1]))

    assert [moment for part in parts for moment in part] == whole
    assert whole == sorted(set(whole))
    if whole:
        assert next_due(schedule, start) == whole[0]


@given(st.integers(1_000, 10**9), MOMENTS)
def test_an_interval_is_due_once_in_each_of_its_length(milliseconds: int, start: datetime) -> None:
    step = timedelta(milliseconds=milliseconds)
    moments = list(due_times(every(step, "sync"), start, start + 5 * step))

    assert len(moments) == 5
    assert {b - a for a, b in pairwise(moments)} == {step}


def test_intervals_of_different_syncs_are_spread_over_their_length() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    minutes = {(next_due(every(timedelta(hours=1), f"sync_{n}"), start) or start).minute for n in range(500)}

    assert len(minutes) == 60
