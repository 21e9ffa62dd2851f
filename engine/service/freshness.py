"""How old is what a dataset's newest version says, and how long what it says waits to be delivered."""

from __future__ import annotations

from datetime import datetime

from engine.core.events import StateFolded
from engine.core.names import VersionNumber
from engine.ledger.database import Database
from engine.ledger.projections import versions
from engine.ledger.projections.captures import CaptureRow
from engine.ledger.projections.versions import VersionRow

_CONFIRMS = frozenset({"accepted", "unchanged"})
"""Captures after which the newest version is what the source held."""


def freshness_seconds(latest: VersionRow | None, last: CaptureRow | None, now: datetime) -> float | None:
    """How long ago the source was last known to hold what the ``latest`` version holds; None before the first.

    ``last`` is the last capture of the dataset.
    """
    if latest is None:
        return None
    confirmed = last is not None and last.status in _CONFIRMS
    return seconds_since(last.checked_at if last is not None and confirmed else latest.recorded_at, now)


def lag_seconds(db: Database, latest: VersionRow | None, state: StateFolded | None, now: datetime) -> float | None:
    """For how long the oldest version of which something is not delivered has been accepted; 0 when all is delivered.

    None before the first version. ``state`` is what was delivered of the same dataset, if anything.
    """
    if latest is None:
        return None
    delivered, owed = (state.version, state.owed) if state is not None else (0, 0)
    waiting = VersionNumber(delivered if owed and delivered else delivered + 1)
    if waiting > latest.version:
        return 0.0
    oldest = versions.get(db, latest.dataset, waiting) or latest
    return seconds_since(oldest.recorded_at, now)


def seconds_since(moment: datetime, now: datetime) -> float:
    """Seconds from a moment until now."""
    return round(max((now - moment).total_seconds(), 0.0), 1)
