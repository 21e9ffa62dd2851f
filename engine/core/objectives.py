"""Objectives: which share of the time a sync must be well, how much of what it may miss is used, and how fast.

A sync is *fresh* while its destination holds what the source held at most so long ago, and *delivering* while its newest
run did not fail. Both are shares of time and not of runs, so that a sync that runs once an hour and one that runs each
minute mean the same by 99.9 %, and nothing is undefined between two runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeAlias

from engine.core.alert import Severity

Interval: TypeAlias = tuple[datetime, datetime]
"""From one moment to another that is not earlier."""
PERIOD = timedelta(days=30)
"""What a budget is for: 99.9 % of it leave 43 minutes."""


@dataclass(frozen=True, slots=True)
class BurnRule:
    """An alert while both windows use up the budget ``threshold`` times as fast as it lasts for the period.

    The long window says that it matters, the short one that it goes on: it is why an alert ends soon after its reason.
    """

    long: timedelta
    short: timedelta
    threshold: float
    severity: Severity


RULES = (
    BurnRule(timedelta(hours=1), timedelta(minutes=5), 14.4, Severity.PAGE),
    BurnRule(timedelta(hours=6), timedelta(minutes=5), 6.0, Severity.PAGE),
    BurnRule(timedelta(days=3), timedelta(hours=6), 1.0, Severity.TICKET),
)
"""The windows of Google's workbook on reliability: a twelfth or more of the budget is used before nobody looks. Both that
page end within five minutes."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A run that ended: whether it left its sync level, and whether it failed for no person's decision."""

    started_at: datetime
    ended_at: datetime
    is_level: bool
    is_failure: bool


def undelivered(runs: Sequence[Ran], now: datetime) -> list[Interval]:
    """When a sync was not delivering; ``runs`` are in the order in which they ended."""
    ends = [*(run.ended_at for run in runs[1:]), now]
    return [(run.ended_at, end) for run, end in zip(runs, ends, strict=False) if run.is_failure and end > run.ended_at]


def stale(runs: Sequence[Ran], fresh_for: timedelta, now: datetime) -> list[Interval]:
    """When a sync was not fresh; before its first level run nothing is asked of it."""
    level = [run for run in runs if run.is_level]
    bounds = [*pairwise(level), *((run, None) for run in level[-1:])]
    found = []
    for run, after in bounds:
        begins, ends = max(run.started_at + fresh_for, run.ended_at), after.ended_at if after else now
        if ends > begins:
            found.append((begins, ends))
    return found


def share(bad: Sequence[Interval], window: timedelta, now: datetime) -> float:
    """Which share of the last ``window`` was bad."""
    begins = now - window
    total = sum((min(end, now) - max(start, begins) for start, end in bad if end > begins and start < now), timedelta())
    return total / window


def burning(bad: Sequence[Interval], target: float, now: datetime) -> BurnRule | None:
    """The most severe rule that holds; None while the budget lasts."""
    budget = 1.0 - target
    for rule in RULES:
        if all(share(bad, window, now) >= rule.threshold * budget for window in (rule.long, rule.short)):
            return rule
    return None


def budget_left(bad: Sequence[Interval], target: float, now: datetime) -> float:
    """Which share of the period's budget is left; less than nothing when more than that was used."""
    return 1.0 - share(bad, PERIOD, now) / (1.0 - target)
