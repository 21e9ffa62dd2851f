"""G23: a budget that is used up too fast is told in the time that arithmetic gives, and a slow use of it wakes nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.core.alert import Severity
from engine.core.objectives import Interval, Ran, budget_left, burning, share, stale, undelivered

START = datetime(2026, 3, 1, tzinfo=UTC)
"""When the incident begins, after thirty days without one."""
TARGET = 0.999
MINUTE = timedelta(minutes=1)


def burnt(times: float, minutes: int) -> list[Interval]:
    """So many minutes from the start, each of which is bad for as long as uses the budget ``times`` as fast as it lasts."""
    bad = MINUTE * times * (1 - TARGET)
    begins = (START + MINUTE * minute for minute in range(minutes))
    return [(begin, begin + bad) for begin in begins]


def found(times: float, minutes: int) -> Severity | None:
    """What is told so many minutes after the start."""
    rule = burning(burnt(times, minutes), TARGET, START + MINUTE * minutes)
    return None if rule is None else rule.severity


@pytest.mark.parametrize(
    ("times", "window_hours", "threshold", "severity", "at_most"),
    [
        (1 / (1 - TARGET), 1, 14.4, Severity.PAGE, timedelta(minutes=2)),
        (15, 1, 14.4, Severity.PAGE, timedelta(minutes=58)),
        (7, 6, 6, Severity.PAGE, timedelta(hours=5.2)),
        (1.1, 72, 1, Severity.TICKET, timedelta(hours=66)),
    ],
)
def test_the_delay_is_window_times_threshold_over_burn_within_one_tick(
    times: float, window_hours: int, threshold: float, severity: Severity, at_most: timedelta
) -> None:
    expected = timedelta(hours=window_hours) * threshold / times
    tick = -(-expected // MINUTE)

    assert found(times, tick) is severity
    assert found(times, tick - 1) is not severity
    assert MINUTE * tick <= at_most


@pytest.mark.parametrize("hours", [1, 6, 24, 72, 240, 720])
def test_half_the_budget_wakes_nobody_in_thirty_days(hours: int) -> None:
    assert found(0.5, hours * 60) is None


@pytest.mark.parametrize("outage", [2, 10, 60, 300, 720])
def test_a_page_ends_within_five_minutes_of_recovery(outage: int) -> None:
    bad = [(START, START + MINUTE * outage)]

    before = burning(bad, TARGET, START + MINUTE * outage)
    after = burning(bad, TARGET, START + MINUTE * (outage + 5))

    assert before is not None
    assert before.severity is Severity.PAGE
    assert after is None or after.severity is not Severity.PAGE


def test_the_budget_of_thirty_days_at_three_nines_is_43_minutes() -> None:
    now = START + timedelta(days=2)

    assert budget_left([], TARGET, now) == 1.0
    assert budget_left([(START, START + MINUTE * 43.2)], TARGET, now) == pytest.approx(0.0)
    assert budget_left([(START, START + MINUTE * 86.4)], TARGET, now) == pytest.approx(-1.0)


def test_of_an_interval_only_what_is_in_the_window_counts() -> None:
    now = START + MINUTE * 60

    assert share([(START - MINUTE * 30, START + MINUTE * 15)], MINUTE * 60, now) == 0.25
    assert share([(now - MINUTE * 15, now + MINUTE * 60)], MINUTE * 60, now) == 0.25
    assert share([(START - MINUTE * 30, START)], MINUTE * 60, now) == 0.0


def ran(begins: int, ends: int, *, is_level: bool = False, is_failure: bool = False) -> Ran:
    return Ran(START + MINUTE * begins, START + MINUTE * ends, is_level, is_failure)


def minutes(intervals: list[Interval]) -> list[tuple[float, float]]:
    return [((begin - START) / MINUTE, (end - START) / MINUTE) for begin, end in intervals]


def test_a_sync_does_not_deliver_from_a_failure_until_a_run_ends_otherwise() -> None:
    runs = [ran(0, 1, is_level=True), ran(10, 11, is_failure=True), ran(20, 21, is_failure=True), ran(30, 31)]

    assert minutes(undelivered(runs, START + MINUTE * 60)) == [(11, 21), (21, 31)]
    assert minutes(undelivered(runs[:3], START + MINUTE * 60)) == [(11, 21), (21, 60)]


def test_a_sync_is_stale_when_what_it_holds_is_older_than_it_may_be() -> None:
    runs = [ran(0, 1, is_level=True), ran(10, 11, is_failure=True), ran(40, 45, is_level=True)]

    assert minutes(stale(runs, MINUTE * 15, START + MINUTE * 70)) == [(15, 45), (55, 70)]
    assert stale(runs, MINUTE * 60, START + MINUTE * 70) == []


def test_a_run_that_takes_longer_than_a_sync_may_be_stale_leaves_it_stale() -> None:
    assert minutes(stale([ran(0, 20, is_level=True)], MINUTE * 15, START + MINUTE * 30)) == [(20, 30)]


def test_nothing_is_asked_of_a_sync_before_its_first_level_run() -> None:
    assert stale([ran(0, 1, is_failure=True)], MINUTE, START + MINUTE * 60) == []
