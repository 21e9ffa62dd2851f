"""Whose turn it is: what a sync is due for now, by its schedule and what the ledger says of its turns before.

A turn is one run for what a sync was due for: a scheduled time, or a version of a dataset. One daemon takes it, and it ends
once. A later turn is never for an earlier moment, so that no moment has two.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from engine.core.events import Event, ScheduleSet, TurnEnded, TurnTaken
from engine.core.names import RunId, VersionNumber
from engine.core.schedule import After, Schedule, Timed, due_times, last_due

WAITING_MAX = 100
"""Moments that wait while a sync runs, where each gets a turn; of more, the oldest share one."""
COUNTED_MAX = 10_000
"""Moments that are counted one by one after a long rest; more are not told apart."""
AHEAD_MAX = timedelta(days=1)
"""How far a turn may lie in the future, because a clock was set back; one that lies further off is not waited for."""


class Overlap(StrEnum):
    """What becomes of moments at which a sync is due while it runs."""

    SKIP = "skip"
    QUEUE = "queue"
    COALESCE = "coalesce"


@dataclass(frozen=True, slots=True)
class Turn:
    """What a sync is due for: the moment ``at``, or ``version``; ``missed`` counts earlier ones that it stands for as well."""

    at: datetime
    version: VersionNumber | None
    missed: int

    @property
    def due(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True, slots=True)
class Unset:
    """No daemon has seen the sync's schedule yet."""


@dataclass(frozen=True, slots=True)
class Resting:
    """No turn is under way: what lies behind ``since`` or ``version`` is still to be had.

    ``ended`` is when the last turn ended; what became due before that did so while the sync ran.
    """

    schedule: str
    since: datetime
    version: VersionNumber | None
    ended: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon took a turn that has not ended."""

    taken: TurnTaken


Turns: TypeAlias = Unset | Resting | Running


def turns_of(newest: Event | None, at: datetime) -> Turns:
    """The turns of a sync by the newest event of its stream, which is as of ``at``."""
    match newest:
        case ScheduleSet(schedule=schedule):
            return Resting(schedule, at, None, at)
        case TurnTaken():
            return Running(newest)
        case TurnEnded(schedule=schedule, due=due, version=version):
            return Resting(schedule, datetime.fromisoformat(due), version, at)
        case _:
            return Unset()


def lies_ahead(resting: Resting, now: datetime) -> bool:
    """Whether the last turn is for a moment so far in the future that nobody can wait for it: the schedule is set anew."""
    return resting.since - now > AHEAD_MAX


def turn(
    schedule: Schedule, resting: Resting, now: datetime, newest: VersionNumber | None, overlap: Overlap
) -> Turn | None:
    """What the sync is due for now, if anything; ``newest`` is the newest version of the dataset that it follows, if it does."""
    if isinstance(schedule, After):
        if newest is None or newest <= (resting.version or 0):
            return None
        return Turn(now, newest, newest - (resting.version or 0) - 1)
    return _at_times(schedule, resting, now, overlap)


def _at_times(schedule: Timed, resting: Resting, now: datetime, overlap: Overlap) -> Turn | None:
    since = resting.since
    if overlap is Overlap.SKIP:
        since = max(since, min(resting.ended, now))
    if overlap is Overlap.QUEUE:
        waited = list(islice(due_times(schedule, since, min(resting.ended, now)), COUNTED_MAX))
        if waited:
            first = max(0, len(waited) - WAITING_MAX)
            return Turn(waited[first], None, first)
    last = last_due(schedule, since, now)
    if last is None:
        return None
    counted = sum(1 for _ in islice(due_times(schedule, since, last), COUNTED_MAX))
    return Turn(last, None, counted - 1)


def turn_ended(taken: TurnTaken, run: RunId | None, status: str) -> TurnEnded:
    """The end of a turn."""
    return TurnEnded(taken.sync, taken.schedule, taken.due, taken.version, run, status)
