"""Alerts: look at every condition, record what changed, and tell whom it concerns, on change only.

One process at a time does it, under a lease, so that several hosts announce each alert once. What a channel does not take
is recorded and tried again by the next look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from config.alerts import DAYS, AlertHours, AlertRoute
from engine.core.alert import Alert, Changes, Severity, changes
from engine.core.alert_message import Message, message
from engine.core.alert_routes import Hours, Route, channels, open_channels, try_again_at
from engine.core.events import AlertClosed, AlertOpened, AlertsTold, AlertsUntold
from engine.core.names import ALERT_STREAM
from engine.errors import Busy, ConfigurationError
from engine.ledger.lease import Fence, HeldLease
from engine.ledger.projections import alerts as recorded
from engine.ledger.projections.alerts import AlertRow, Telling
from engine.service.app import App
from engine.service.channels import require_apprise, send
from engine.service.watch import alerts_now

LEASE = "alerts"
LEASE_SECONDS = 60.0
"""A channel may take its time; a process that dies here lets the next one look a minute later."""
NOT_YET = Telling(opened=False, closed=False, failures=0, failed_at=None, why="")


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """``told`` says whether a channel took the message about an alert; ``why`` it did not, after so many ``failures``."""

    channel: str
    told: bool
    failures: int
    why: str


@dataclass(frozen=True, slots=True)
class AlertReport:
    """An open alert; ``channels`` are those that it goes to, none where no route takes it."""

    alert: str
    severity: str
    subject: str
    since: str
    opened_at: str
    what: str
    cause: str
    datasets: tuple[str, ...]
    syncs: tuple[str, ...]
    destinations: tuple[str, ...]
    owners: tuple[str, ...]
    runbook: str
    next: tuple[str, ...]
    channels: tuple[ChannelReport, ...]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a look changed, by id, which channels were told and which did not take it; ``open`` is all that is open now."""

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    told: tuple[str, ...]
    untold: tuple[str, ...]
    open: tuple[AlertReport, ...]
    looked: bool = True
    """Whether this process looked, and not another one at the same time."""


@dataclass(frozen=True, slots=True)
class TryReport:
    """Whether a channel took a message that tells of nothing; ``why`` it did not."""

    channel: str
    taken: bool
    why: str


def open_alerts(app: App) -> list[AlertReport]:
    """What was open at the last look, pages first."""
    routes, order = _routes(app), list(Severity)
    rows = [row for row in recorded.listing(app.tools.database) if row.closed_at is None]
    rows.sort(key=lambda row: (order.index(Severity(row.event.severity)), row.event.since, row.event.alert))
    return [_report(row, routes) for row in rows]


def check_alerts(app: App, *, notify: bool) -> CheckReport:
    """Look at every condition and record what changed; with ``notify`` also tell the channels.

    While another process does, nothing is done: it sees the same. Raises `ConfigurationError` where channels cannot be
    reached at all.
    """
    if notify and app.project.environment.alerts.channels:
        require_apprise()
    try:
        with HeldLease(app.tools.database, app.tools.clock, LEASE, app.tools.holder, LEASE_SECONDS) as lease:
            changed = _look(app, lease.fence)
            told, untold = _notify(app, lease.fence) if notify else ((), ())
    except Busy:
        return CheckReport((), (), (), (), tuple(open_alerts(app)), looked=False)
    opened = tuple(alert.id for alert in changed.opened)
    return CheckReport(opened, changed.closed, told, untold, tuple(open_alerts(app)))


def _look(app: App, fence: Fence) -> Changes:
    """Record which alerts opened and closed since the last look."""
    rows = recorded.listing(app.tools.database)
    changed = changes(alerts_now(app), [row.event.alert for row in rows if row.closed_at is None])
    events = [*map(_opening, changed.opened), *map(AlertClosed, changed.closed)]
    if events:
        app.tools.ledger.append(ALERT_STREAM, *events, fence=fence)
    return changed


def try_channel(app: App, name: str) -> TryReport:
    """Send a message that tells of nothing; raises `ConfigurationError` for an unknown channel."""
    known = app.project.environment.alerts.channels
    if name not in known:
        raise ConfigurationError(
            f"There is no channel `{name}` in environment {app.project.environment_name}",
            safe="Nothing was sent.",
            next=f"known: {', '.join(sorted(known)) or 'none'}",
        )
    words = Message(f"[{app.project.name}] a test", "Nothing is wrong: somebody tries whether this arrives.", True)
    why = send(known[name].url.get_secret_value(), words)
    return TryReport(name, not why, why)


def _opening(alert: Alert) -> AlertOpened:
    said = {name: value for name, value in asdict(alert).items() if name not in {"since", "severity"}}
    return AlertOpened(alert=alert.id, since=alert.since.isoformat(), severity=alert.severity.value, **said)


def _routes(app: App) -> list[Route]:
    return [_route(route) for route in app.project.environment.alerts.routes]


def _route(route: AlertRoute) -> Route:
    hours = None if route.hours is None else _hours(route.hours)
    return Route(route.channel, frozenset(Severity(word) for word in route.severity), route.owner, hours)


def _hours(hours: AlertHours) -> Hours:
    days = frozenset(DAYS.index(day) for day in hours.days)
    return Hours(hours.begins, hours.ends, days, ZoneInfo(hours.timezone))


def _report(row: AlertRow, routes: Sequence[Route]) -> AlertReport:
    event = row.event
    goes_to = channels(routes, Severity(event.severity), event.owners)
    return AlertReport(
        alert=event.alert,
        severity=event.severity,
        subject=event.subject,
        since=event.since,
        opened_at=row.opened_at.isoformat(),
        what=event.what,
        cause=event.cause,
        datasets=event.datasets,
        syncs=event.syncs,
        destinations=event.destinations,
        owners=event.owners,
        runbook=event.runbook,
        next=event.next,
        channels=tuple(_channel(name, row.told.get(name, NOT_YET)) for name in goes_to),
    )


def _channel(name: str, telling: Telling) -> ChannelReport:
    return ChannelReport(name, telling.opened, telling.failures, telling.why)


def _notify(app: App, fence: Fence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tell each channel at once all that it does not know and may know now; returns those that took it and did not."""
    now, routes = app.tools.clock.now(), _routes(app)
    rows = recorded.listing(app.tools.database)
    told, untold = list[str](), list[str]()
    for name, channel in sorted(app.project.environment.alerts.channels.items()):
        opened = [row for row in rows if _is_news(row, name, routes, now)]
        closed = [row for row in rows if _is_over(row, name, now)]
        if not opened and not closed:
            continue
        ended = [(row.event, row.opened_at, row.closed_at) for row in closed if row.closed_at is not None]
        words = message(app.project.name, [row.event for row in opened], ended)
        why = send(channel.url.get_secret_value(), words)
        about = (name, tuple(row.opening for row in opened), tuple(row.opening for row in closed))
        app.tools.ledger.append(ALERT_STREAM, AlertsUntold(*about, why) if why else AlertsTold(*about), fence=fence)
        (untold if why else told).append(name)
    return tuple(told), tuple(untold)


def _is_news(row: AlertRow, channel: str, routes: Sequence[Route], now: datetime) -> bool:
    """Whether a channel is to be told that an alert is open."""
    telling, severity = row.told.get(channel, NOT_YET), Severity(row.event.severity)
    wants = channel in open_channels(routes, severity, row.event.owners, now)
    return row.closed_at is None and not telling.opened and wants and _may_try(telling, now)


def _is_over(row: AlertRow, channel: str, now: datetime) -> bool:
    """Whether a channel that knows of an alert is to be told that it is over."""
    telling = row.told.get(channel, NOT_YET)
    return row.closed_at is not None and telling.opened and not telling.closed and _may_try(telling, now)


def _may_try(telling: Telling, now: datetime) -> bool:
    return telling.failed_at is None or now >= try_again_at(telling.failed_at, telling.failures)
