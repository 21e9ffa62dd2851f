"""What is written about alerts: what, since when, what it reaches, why, where to read on, and what to type.

It holds names of files, counts and words of the ledger, so that nothing personal leaves for a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.events import AlertOpened

NAMES_MAX = 10
CAUSE_LENGTH_MAX = 500
ALERTS_MAX = 20
"""Told in full in one message; the rest are counted."""


@dataclass(frozen=True, slots=True)
class Message:
    """A title of one line, a body, and whether all that it tells is over."""

    title: str
    body: str
    is_recovery: bool


def message(
    project: str, opened: Sequence[AlertOpened], closed: Sequence[tuple[AlertOpened, datetime, datetime]]
) -> Message:
    """One message about all that a channel is told at once; of what ``closed``, when it opened and when it closed."""
    subjects = [event.subject for event in opened] or [event.subject for event, _, _ in closed]
    words = [f"{len(opened)} open" if opened else "", f"{len(closed)} over" if closed else ""]
    title = f"[{project}] {', '.join(word for word in words if word)}: {_few(subjects)}"
    parts = [_opened(event) for event in opened]
    parts += [
        f"over: {event.what}\n  after {_length(ended - began)}, at {ended:%Y-%m-%d %H:%M} UTC"
        for event, began, ended in closed
    ]
    if len(parts) > ALERTS_MAX:
        more = f"and {len(parts) - ALERTS_MAX:,} more\n  next: tidegate alerts"
        parts = [*parts[:ALERTS_MAX], more]
    return Message(title, "\n\n".join(parts), is_recovery=not opened)


def _opened(event: AlertOpened) -> str:
    lines = [f"{event.severity}: {event.what}", f"  since {datetime.fromisoformat(event.since):%Y-%m-%d %H:%M} UTC"]
    reach = {"datasets": event.datasets, "syncs": event.syncs, "destinations": event.destinations}
    told = [f"{word} {_few(names)}" for word, names in reach.items() if names]
    lines += [f"  reaches {'; '.join(told)}"] if told else []
    lines += [f"  owners {_few(event.owners)}"] if event.owners else []
    lines += [f"  because {event.cause[:CAUSE_LENGTH_MAX]}"] if event.cause else []
    lines.append(f"  next: tidegate runbook {event.runbook}")
    lines += [f"  next: {command}" for command in event.next]
    return "\n".join(lines)


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_MAX])
    return shown if len(names) <= NAMES_MAX else f"{shown} and {len(names) - NAMES_MAX:,} more"


def _length(length: timedelta) -> str:
    minutes = round(length.total_seconds() / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
