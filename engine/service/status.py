"""The page that an operator opens first: every sync, how far and how fresh it is, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from engine.core.events import StateFolded
from engine.core.names import SyncId
from engine.ledger.projections import captures, runs, states, versions
from engine.segments.compute import Session
from engine.service.accounts import AccountReport, account_report
from engine.service.app import App
from engine.service.deprecations import notice
from engine.service.freshness import freshness_seconds, lag_seconds, seconds_since
from engine.service.halts import PauseReport, pause_report
from engine.service.held_versions import held_version
from engine.service.next_runs import next_due_of
from engine.steps.aim import pin_of, pinned_version
from engine.steps.delivered_state import state_rows
from engine.steps.facts import Sync, Tools
from engine.steps.halt import pause_of
from engine.steps.removals import owed_to_people


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """One sync and its destination's account at a glance; ``owed`` counts records whose last attempt did not deliver, those set aside too."""

    sync: str
    dataset: str
    destination: str
    mode: str
    latest_version: int | None
    delivered_version: int | None
    held: int
    owed: int
    last_run: str
    last_status: str
    last_finished_at: str
    reason: str
    account: AccountReport
    held_version: str = ""
    """The version that waits for approval, as `tidegate approve` takes it; ``held`` above are records."""
    pinned_version: int | None = None
    kept_rows: int = 0
    """Rows that are kept at an older version while all others follow the newest."""
    delivered_from: str = ""
    """The dataset of ``delivered_version`` where it is another than the one that the sync reads now, such as a major before."""
    notice: str = ""
    """That a person ends the contract of its dataset, when, and what takes its place."""
    erasures_owed: int = 0
    """Records that its destination still has to remove because somebody is to be forgotten."""
    paused: PauseReport | None = None
    """By whom, since when and why it does nothing; None when it may run."""
    freshness_seconds: float | None = None
    """How long ago its source was last known to hold what the latest version holds; None before the first version."""
    lag_seconds: float | None = None
    """For how long something of an accepted version waits to be delivered; None when it is pinned, or there is none."""
    quarantined: int = 0
    """Records that are set aside after too many rejections."""
    quarantined_rows: int = 0
    """Rows of the latest version that a rule of its contract sets aside."""
    ended_seconds: float | None = None
    """How long ago its last run ended; None while it goes on, and before the first."""
    budget_used: float | None = None
    """The share that is used of the day's quota of its destination, the largest of several; None where none is declared."""
    next_run: str = ""
    """When its schedule has it run next, or the dataset that it follows; empty where it has none."""
    next_seconds: float | None = None
    """In how many seconds that is, 0 where it waits for a daemon; None where no moment says so."""


def sync_statuses(app: App, name: str | None) -> list[SyncStatus]:
    """Every sync, or one."""
    names = app.sync_names if name is None else (app.sync(name).id,)
    syncs = [app.syncs[name] for name in names]
    accounts = {sync.target.name: account_report(app, sync) for sync in syncs}
    with app.tools.compute.session() as session:
        found = [_status(app.tools, session, sync, accounts[sync.target.name]) for sync in syncs]
    due, now = next_due_of(app), app.tools.clock.now()
    return [_with_next(status, due[SyncId(status.sync)], now) if status.sync in due else status for status in found]


def _with_next(status: SyncStatus, due: datetime | str, now: datetime) -> SyncStatus:
    if isinstance(due, str):
        return replace(status, next_run=due)
    return replace(status, next_run=due.isoformat(), next_seconds=max(0.0, (due - now).total_seconds()))


def _status(tools: Tools, session: Session, sync: Sync, account: AccountReport) -> SyncStatus:
    state = states.current(tools.database, sync.id)
    last = runs.last(tools.database, sync.id)
    latest, now = versions.latest(tools.database, sync.dataset.id), tools.clock.now()
    another, pinned = _another(tools, sync, state), pinned_version(tools, sync.id)
    followed = None if another else state
    lag = lag_seconds(tools.database, latest, followed, now) if pinned is None else None
    held, unsettled, erasing, aside = _sizes(tools, session, sync, state)
    return SyncStatus(
        sync=sync.id,
        dataset=sync.dataset.id,
        destination=sync.target.name,
        mode=sync.mapping.mode.value,
        latest_version=latest.version if latest else None,
        delivered_version=state.version or None if state else None,
        delivered_from=another,
        notice=notice(tools, sync.dataset.id),
        held=held,
        owed=max(state.owed, unsettled) if state else 0,
        erasures_owed=erasing,
        last_run=last.run if last else "",
        last_status=last.status if last else "never run",
        last_finished_at=last.finished_at.isoformat() if last and last.finished_at else "",
        reason=(last.reason or "") if last else "",
        account=account,
        held_version=waits.candidate if (waits := held_version(tools, sync.dataset.id)) else "",
        pinned_version=pinned,
        paused=pause_report(pause_of(tools, sync.id)),
        kept_rows=tools.storage.current(pin.keys).rows if (pin := pin_of(tools, sync.id)) and pin.keys else 0,
        freshness_seconds=freshness_seconds(latest, captures.last(tools.database, sync.dataset.id), now),
        lag_seconds=lag,
        quarantined=aside,
        quarantined_rows=latest.quarantine.rows if latest and latest.quarantine else 0,
        ended_seconds=seconds_since(last.finished_at, now) if last and last.finished_at else None,
        budget_used=max((day.used / day.limit for day in account.daily if day.limit), default=None),
    )


def _sizes(tools: Tools, session: Session, sync: Sync, state: StateFolded | None) -> tuple[int, int, int, int]:
    """How many records are held, owed, owed to people who are to be forgotten, and set aside."""
    if state is None or not state.segments:
        return 0, 0, 0, 0
    rows = state_rows(tools, session, state)
    sizes = {
        "held": rows.acked,
        "owed": rows.owed,
        "erasing": owed_to_people(rows),
        "aside": rows.owed & (rows.attempts >= sync.max_attempts),
    }
    found = session.single(rows.aggregate(**{name: rows.count(where=which) for name, which in sizes.items()}))
    return int(found["held"]), int(found["owed"]), int(found["erasing"]), int(found["aside"])


def _another(tools: Tools, sync: Sync, state: StateFolded | None) -> str:
    row = None if state is None else runs.get(tools.database, state.run)
    return "" if row is None or row.dataset == sync.dataset.id else row.dataset
