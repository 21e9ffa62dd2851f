"""How everything stands now, read from the ledger in a number of queries that does not grow with the project."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine

from engine.core.events import (
    ErasureReported,
    ErasureRequested,
    Event,
    StateFolded,
    SyncPaused,
    SyncPinned,
    SyncResumed,
    SyncUnpinned,
)
from engine.core.health import (
    NEVER,
    AccountHealth,
    DatasetHealth,
    DayUse,
    Health,
    LedgerHealth,
    SyncHealth,
)
from engine.core.names import (
    ERASURE_STREAM,
    DatasetId,
    StreamId,
    SyncId,
    dataset_stream,
    erasure_stream,
    halt_stream,
    pin_stream,
    sync_stream,
)
from engine.core.outcome import RunStatus
from engine.ledger.database import reading
from engine.ledger.projections import captures, courses, runs, states, versions
from engine.ledger.projections.courses import NOTHING_YET, Course
from engine.ledger.recorded import Recorded, named, newest_told
from engine.ledger.size import events, stored_bytes
from engine.service.app import App
from engine.service.approvals import held_plan
from engine.steps.deliver import account_budget
from engine.steps.facts import Sync


def health(app: App) -> Health:
    """Everything that the project names, as its ledger tells it; nothing is changed by looking."""
    database = app.tools.database
    lately = courses.all_courses(database)
    with reading(database) as connection:
        marks = named(connection, (seq for course in lately.values() for seq in (course.good, course.bad)))
    moments = {sequence: fact.recorded_at for sequence, fact in marks.items()}
    datasets = _datasets(app, lately, moments)
    syncs = _syncs(app, lately, moments)
    held = [name for name, sync in syncs.items() if sync.status == RunStatus.HELD.value]
    plans = [plan for name in held if (plan := held_plan(app, name)) is not None]
    return Health(
        at=app.tools.clock.now(),
        datasets=datasets,
        syncs=syncs,
        accounts=_accounts(app),
        ledger=LedgerHealth(events(database), stored_bytes(database)),
        erasures_due=_deadlines(app),
        versions_waiting=sum(dataset.status == "held" for dataset in datasets.values()),
        plans_waiting=sum(plan.decision == "open" for plan in plans),
    )


def _datasets(
    app: App, lately: Mapping[StreamId, Course], moments: Mapping[int, datetime]
) -> dict[DatasetId, DatasetHealth]:
    last = {row.dataset: row for row in captures.all_last(app.tools.database)}
    newest = {row.dataset: row for row in versions.all_latest(app.tools.database)}
    found = {}
    for dataset in app.dataset_names:
        row, version = last.get(dataset), newest.get(dataset)
        course = lately.get(dataset_stream(dataset), NOTHING_YET)
        found[dataset] = DatasetHealth(
            dataset=dataset,
            status=row.status if row else NEVER,
            reason=row.reason if row else "",
            captured_at=row.checked_at if row else None,
            read_at=_moment(course.good, moments),
            bad_since=_moment(course.bad, moments),
            version=version.version if version else None,
            accepted_at=version.recorded_at if version else None,
            rows=version.rows if version else 0,
            quarantined=version.quarantine.rows if version and version.quarantine else 0,
        )
    return found


def _moment(sequence: int | None, moments: Mapping[int, datetime]) -> datetime | None:
    return None if sequence is None else moments[sequence]


def _syncs(app: App, lately: Mapping[StreamId, Course], moments: Mapping[int, datetime]) -> dict[SyncId, SyncHealth]:
    database, names = app.tools.database, [app.syncs[name].id for name in app.sync_names]
    last = {row.sync: row for row in runs.all_last(database)}
    folds = states.all_current(database)
    lags = _lags(database, folds, {name: row.dataset for name, row in last.items()})
    paused = _since(newest_told(database, map(halt_stream, names), SyncPaused, SyncResumed), SyncPaused)
    pinned = _since(newest_told(database, map(pin_stream, names), SyncPinned, SyncUnpinned), SyncPinned)
    found = {}
    for name in names:
        sync, row = app.syncs[name], last.get(name)
        state = _state(folds[name]) if name in folds else None
        course = lately.get(sync_stream(name), NOTHING_YET)
        found[name] = SyncHealth(
            sync=name,
            dataset=sync.dataset.id,
            destination=sync.target.name,
            run=row.run if row else None,
            status=row.status if row else NEVER,
            reason=row.reason if row else "",
            started_at=row.started_at if row else None,
            ended_at=row.finished_at if row else None,
            level_at=_moment(course.good, moments),
            behind_since=_moment(course.bad, moments),
            delivered_version=state.version or None if state else None,
            lag=lags.get(name),
            owed=state.owed if state else 0,
            paused_since=paused.get(halt_stream(name)),
            pinned_since=pinned.get(pin_stream(name)),
        )
    return found


def _lags(
    database: Engine, folds: Mapping[SyncId, Recorded], read: Mapping[SyncId, DatasetId]
) -> dict[SyncId, timedelta]:
    """How long after its version was accepted each sync's last delivery ended; ``read`` is the dataset of its last run."""
    versions_of = {name: (read[name], _state(fold).version) for name, fold in folds.items() if name in read}
    accepted = versions.accepted_at(database, versions_of.values())
    return {
        name: max(folds[name].recorded_at - accepted[version], timedelta(0))
        for name, version in versions_of.items()
        if version in accepted
    }


def _state(fold: Recorded) -> StateFolded:
    assert isinstance(fold.event, StateFolded)
    return fold.event


def _since(newest: Mapping[StreamId, Recorded], begun: type[Event]) -> dict[StreamId, datetime]:
    """Since when the streams whose newest word is ``begun`` have it."""
    return {stream: fact.recorded_at for stream, fact in newest.items() if isinstance(fact.event, begun)}


def _accounts(app: App) -> dict[str, AccountHealth]:
    users = {sync.target.name: sync for sync in app.syncs.values()}
    return {name: _account(app, users[name]) for name in sorted(users)}


def _account(app: App, sync: Sync) -> AccountHealth:
    now = account_budget(app.tools, sync).standing()
    is_silent = now.held_until > now.at
    return AccountHealth(
        destination=sync.target.name,
        is_open=now.is_open,
        silent_until=datetime.fromtimestamp(now.held_until, UTC) if is_silent else None,
        days=tuple(DayUse(unit, day.used, day.quota.units) for unit, day in now.days.items()),
        learned_rate=now.learned_rate,
    )


def _deadlines(app: App) -> dict[str, datetime]:
    """Until when each request to forget people that is not complete must be, by its name."""
    asked = [fact.event for fact in app.tools.ledger.read(ERASURE_STREAM)]
    requests = [event for event in asked if isinstance(event, ErasureRequested)]
    streams = [erasure_stream(event.request) for event in requests]
    reports = newest_told(app.tools.database, streams, ErasureReported)
    told = [fact.event for fact in reports.values()]
    complete = {event.request for event in told if isinstance(event, ErasureReported) and event.is_complete}
    return {e.request: datetime.fromisoformat(e.due) for e in requests if e.request not in complete}
