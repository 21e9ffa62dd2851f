"""Look: when scheduled syncs are due next, and what came of their last turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from engine.core.events import TurnEnded
from engine.core.names import SyncId, schedule_stream
from engine.core.schedule import LOOK_AHEAD, After, Schedule, due_times
from engine.core.turns import Resting, Running, Turns
from engine.ledger.recorded import Recorded
from engine.service.app import App
from engine.service.schedules import Scheduled, next_moment, schedule_of, scheduled_syncs
from engine.service.turn_log import turns_seen


@dataclass(frozen=True, slots=True)
class NextRuns:
    """One sync with a schedule. ``next`` are moments, ISO 8601, of which the first may be past: it waits for its turn.

    ``last_due`` and ``last_status`` are of the last turn, ``running`` while it goes on and empty when there was none; ``by`` is
    the daemon that took one that goes on. A sync that follows a dataset has no moments.
    """

    sync: str
    schedule: str
    overlap: str
    next: tuple[str, ...]
    last_due: str
    last_status: str
    by: str


def next_runs(app: App, name: str | None, count: int) -> list[NextRuns]:
    """Of every sync with a schedule, or of one, the next ``count`` moments; none where the sync has no schedule."""
    now = app.tools.clock.now()
    asked = [one for one in scheduled(app) if name is None or one.sync == app.sync(name).id]
    newest = _newest(app, asked)
    return [_next_runs(one, newest.get(one.sync), now, count) for one in asked]


def next_due_of(app: App) -> dict[SyncId, datetime | str]:
    """When each sync with a schedule is due next: a moment, or in words the dataset that it follows."""
    now = app.tools.clock.now()
    asked = scheduled(app)
    newest = _newest(app, asked)
    found: dict[SyncId, datetime | str] = {}
    for one in asked:
        moment = next_moment(schedule_of(one), turns_seen(newest.get(one.sync)), now)
        found[one.sync] = moment or f"after {one.after}"
    return found


def scheduled(app: App) -> tuple[Scheduled, ...]:
    """The syncs of an opened project that have a schedule."""
    return scheduled_syncs(app.project, app.datasets, dict.fromkeys(app.syncs, ()))


def _newest(app: App, asked: list[Scheduled] | tuple[Scheduled, ...]) -> Mapping[SyncId, Recorded]:
    streams = {schedule_stream(one.sync): one.sync for one in asked}
    return {streams[stream]: found for stream, found in app.tools.ledger.newest(streams).items()}


def _next_runs(one: Scheduled, newest: Recorded | None, now: datetime, count: int) -> NextRuns:
    turns = turns_seen(newest)
    event = None if newest is None else newest.event
    running = turns.taken if isinstance(turns, Running) else None
    last = running or (event if isinstance(event, TurnEnded) else None)
    return NextRuns(
        sync=one.sync,
        schedule=one.text,
        overlap=one.overlap,
        next=tuple(moment.isoformat() for moment in _moments(schedule_of(one), turns, now, count)),
        last_due="" if last is None else last.due,
        last_status="running" if running else event.status if isinstance(event, TurnEnded) else "",
        by=running.lease if running else "",
    )


def _moments(schedule: Schedule, turns: Turns, now: datetime, count: int) -> list[datetime]:
    first = next_moment(schedule, turns, now)
    if first is None or isinstance(schedule, After):
        return []
    # What was missed until now is one turn.
    waits = [first] if isinstance(turns, Resting) and first <= now else []
    behind = max(now, turns.since) if isinstance(turns, Resting) else max(now, first - timedelta(microseconds=1))
    return [*waits, *islice(due_times(schedule, behind, behind + LOOK_AHEAD), count - len(waits))]
