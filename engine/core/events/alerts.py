"""Events of alerts."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.events.event import Event


@dataclass(frozen=True, slots=True)
class AlertOpened(Event):
    """A condition began to hold: the fields are those of `engine.core.alert.Alert`; ``since`` is ISO 8601."""

    type = "alert.opened"
    alert: str
    kind: str
    subject: str
    severity: str
    since: str
    what: str
    cause: str
    runbook: str
    datasets: tuple[str, ...]
    syncs: tuple[str, ...]
    destinations: tuple[str, ...]
    owners: tuple[str, ...]
    next: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AlertClosed(Event):
    """The condition of an open alert does not hold any more."""

    type = "alert.closed"
    alert: str


@dataclass(frozen=True, slots=True)
class AlertsTold(Event):
    """A channel took a message about ``opened`` and ``closed``, positions of the alerts' openings."""

    type = "alert.told"
    channel: str
    opened: tuple[int, ...]
    closed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AlertsUntold(Event):
    """A channel did not take such a message; it is tried again."""

    type = "alert.untold"
    channel: str
    opened: tuple[int, ...]
    closed: tuple[int, ...]
    why: str
