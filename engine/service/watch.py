"""What alerts are decided from, gathered: health, owners, objectives, leases and anchors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.alert import Alert
from engine.core.alert_conditions import Burning, Told, alerts
from engine.core.health import Health
from engine.core.objectives import RULES, Interval, burning, stale, undelivered
from engine.ledger.anchor import Anchor
from engine.ledger.lease import standing
from engine.ledger.projections import courses
from engine.service.app import App
from engine.service.health import health
from engine.steps.anchors import anchor_gaps
from engine.steps.facts import Sync

FRESH = "fresh"
DELIVERED = "delivered"
_LEASE = "sync:"


@dataclass(frozen=True, slots=True)
class Objective:
    """For which share of the time something must be well, and when it was not."""

    name: str
    target: float
    missed: list[Interval]


def alerts_now(app: App) -> tuple[Alert, ...]:
    """Every alert that there is now, by id; nothing is written."""
    now = health(app)
    return alerts(now, _told(app, now))


def _told(app: App, now: Health) -> Told:
    # A lease whose process died counts as held to its end.
    leases = [lease.name for lease in standing(app.tools.database, app.tools.clock) if not lease.is_over]
    datasets = {dataset.id: dataset for dataset in app.datasets.values()}
    owners: dict[str, str] = {name: dataset.owner for name, dataset in datasets.items() if dataset.owner}
    owners |= {sync.id: sync.owner for sync in app.syncs.values() if sync.owner}
    limits: dict[str, timedelta] = {name: d.fresh_for for name, d in datasets.items() if d.fresh_for is not None}
    limits |= {s.id: s.fresh_for for s in app.syncs.values() if s.fresh_for is not None and s.fresh is None}
    return Told(
        owners=owners,
        fresh_for=limits,
        held_leases=frozenset(name.removeprefix(_LEASE) for name in leases if name.startswith(_LEASE)),
        burning=tuple(_burning(app, now)),
        lost=_lost(app),
    )


def _lost(app: App) -> str:
    lost = anchor_gaps(app.tools)
    if not lost:
        return ""
    first = lost[0].anchor
    event = f"event {first.sequence} of {first.stream}" if isinstance(first, Anchor) else "how far the ledger had come"
    return f"the storage names {event}, and {len(lost) - 1:,} more" if len(lost) > 1 else f"the storage names {event}"


def _burning(app: App, now: Health) -> Iterator[Burning]:
    for sync in app.syncs.values():
        for objective in objectives_of(app, sync, now.at, RULES[-1].long):
            rule = burning(objective.missed, objective.target, now.at)
            if rule is not None:
                yield Burning(sync.id, objective.name, objective.target, rule, objective.missed[-1][0])


def objectives_of(app: App, sync: Sync, now: datetime, period: timedelta) -> Iterator[Objective]:
    """Each objective of a sync, with when it was missed in the last ``period``."""
    if sync.fresh is None and sync.delivered is None:
        return
    runs = courses.ends(app.tools.database, sync.id, now - period)
    if sync.fresh is not None and sync.fresh_for is not None:
        yield Objective(FRESH, sync.fresh, stale(runs, sync.fresh_for, now))
    if sync.delivered is not None:
        yield Objective(DELIVERED, sync.delivered, undelivered(runs, now))
