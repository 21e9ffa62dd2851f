"""Pause a sync, let it run again, give a run up."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.names import RunId, SyncId
from engine.delivery.stop import StopRequest
from engine.errors import Busy, ConfigurationError
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.service.app import App
from engine.service.reports import RunReport, run_report
from engine.steps.facts import Sync
from engine.steps.halt import Pause, cancel, pause, pause_of, resume
from engine.steps.run import end_cancelled
from engine.steps.trip import unobserved


@dataclass(frozen=True, slots=True)
class PauseReport:
    """By whom, since when (ISO 8601) and why a sync is paused."""

    by: str
    since: str
    reason: str


@dataclass(frozen=True, slots=True)
class HaltReport:
    """What became of a sync: ``paused`` says how it stands now, ``changed`` whether that is new.

    ``run`` has begun and not ended: it goes on when the sync runs again. ``next`` is what to type now.
    """

    sync: str
    paused: PauseReport | None
    changed: bool
    run: str
    next: str


@dataclass(frozen=True, slots=True)
class CancelReport:
    """A run was given up; ``ended`` is its report when that is done, and None while whoever delivers it has to stop first."""

    sync: str
    run: str
    ended: RunReport | None
    next: str


def pause_report(found: Pause | None) -> PauseReport | None:
    """A pause in words and a moment that a program reads."""
    return None if found is None else PauseReport(found.by, found.since.isoformat(), found.reason)


def pause_sync(app: App, name: str, reason: str) -> HaltReport:
    """Let a sync do nothing until `resume_sync`; a run under way stops at the edge of its window."""
    sync = app.sync(name)
    changed = pause(app.tools, sync.id, reason)
    return _report(app, sync, f"tidegate resume {sync.id}", changed=changed)


def resume_sync(app: App, name: str, reason: str) -> HaltReport:
    """Let a sync run again; the next run goes on where it stopped."""
    sync = app.sync(name)
    changed = resume(app.tools, sync.id, reason)
    return _report(app, sync, f"tidegate run {sync.id}", changed=changed)


def _report(app: App, sync: Sync, next_step: str, *, changed: bool) -> HaltReport:
    left = runs.unfinished(app.tools.database, sync.id)
    paused = pause_report(pause_of(app.tools, sync.id))
    return HaltReport(sync.id, paused, changed, left.run if left else "", next_step)


def cancel_run(app: App, name: str, reason: str) -> CancelReport:
    """Give up the run ``name``, or the one of the sync ``name``, that has not ended.

    Where nobody delivers it, it is ended at once and nothing is sent. Raises `ConfigurationError` when there is no such run.
    """
    left = _unfinished(app, name)
    sync = app.sync(left.sync)
    cancel(app.tools, sync.id, left.run, reason)
    try:
        row = end_cancelled(app.tools, sync, StopRequest(), unobserved)
    except Busy:
        row = None
    ended = None if row is None else run_report(row)
    return CancelReport(sync.id, left.run, ended, f"tidegate run {sync.id}" if ended else f"tidegate runs {sync.id}")


def _unfinished(app: App, name: str) -> RunRow:
    is_sync = name in app.syncs
    left = runs.unfinished(app.tools.database, SyncId(name)) if is_sync else runs.get(app.tools.database, RunId(name))
    if left is not None and left.finished_at is None:
        return left
    if is_sync:
        what, look = f"No run of {name} is under way", f"`tidegate runs {name}` shows what became of its runs"
    elif left is None:
        what, look = f"There is neither a sync nor a run `{name}`", "`tidegate status` lists the syncs"
    else:
        what, look = f"Run {name} has ended: it is {left.status}", f"`tidegate runs {left.sync}` shows them"
    raise ConfigurationError(what, safe="Nothing was changed.", next=look)
