"""Who is told of an alert, when, and when again: pure functions of routes and a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from engine.core.alert import Severity

RETRY_FIRST = timedelta(minutes=1)
RETRY_MAX = timedelta(hours=1)
DOUBLINGS_MAX = 6


@dataclass(frozen=True, slots=True)
class Hours:
    """From ``begins`` to ``ends`` of some days of the week, Monday is 0, in a zone; past midnight where that is earlier."""

    begins: time
    ends: time
    days: frozenset[int]
    zone: tzinfo

    def hold(self, now: datetime) -> bool:
        """Whether ``now`` is among them; what goes past midnight belongs to the day on which it began."""
        local = now.astimezone(self.zone)
        wall, today = local.time(), local.weekday()
        if self.begins < self.ends:
            return today in self.days and self.begins <= wall < self.ends
        return (today in self.days and wall >= self.begins) or ((today - 1) % 7 in self.days and wall < self.ends)


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts of these severities, of this owner where one is named, go to ``channel``, and wait for ``hours``."""

    channel: str
    severities: frozenset[Severity]
    owner: str | None = None
    hours: Hours | None = None

    def takes(self, severity: Severity, owners: Collection[str]) -> bool:
        """Whether such an alert goes this way."""
        return severity in self.severities and (self.owner is None or self.owner in owners)

    def is_open(self, severity: Severity, now: datetime) -> bool:
        """Whether it may be told now: a page waits for nobody's hours."""
        return severity is Severity.PAGE or self.hours is None or self.hours.hold(now)


def channels(routes: Iterable[Route], severity: Severity, owners: Collection[str]) -> tuple[str, ...]:
    """Every channel that such an alert goes to, at whatever hour."""
    return tuple(dict.fromkeys(route.channel for route in routes if route.takes(severity, owners)))


def open_channels(
    routes: Iterable[Route], severity: Severity, owners: Collection[str], now: datetime
) -> tuple[str, ...]:
    """The channels that such an alert is told to now."""
    return channels([route for route in routes if route.is_open(severity, now)], severity, owners)


def try_again_at(failed_at: datetime, failures: int) -> datetime:
    """When a channel that did not take a message is asked again: after a minute, then twice as long each time, up to an hour."""
    doubled: int = 2 ** min(failures - 1, DOUBLINGS_MAX)
    return failed_at + min(RETRY_FIRST * doubled, RETRY_MAX)
