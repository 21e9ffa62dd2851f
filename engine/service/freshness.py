"""How old is what a dataset's newest version says, and how long what it says waits to be delivered."""

from __future__ import annotations

from datetime import datetime

from engine.core.names import DatasetId, VersionNumber
from engine.ledger.projections import captures, runs, states, versions
from engine.steps.aim import pinned_version
from engine.steps.facts import Sync, Tools

_CONFIRMS = frozenset({"accepted", "unchanged"})
"""Captures after which the newest version is what the source held."""


def freshness_seconds(tools: Tools, dataset: DatasetId) -> float | None:
    """How long ago the source was last known to hold what the newest version holds; None before the first version."""
    latest, last = versions.latest(tools.database, dataset), captures.last(tools.database, dataset)
    if latest is None:
        return None
    confirmed = last is not None and last.status in _CONFIRMS
    return since(tools, last.checked_at if last is not None and confirmed else latest.recorded_at)


def lag_seconds(tools: Tools, sync: Sync) -> float | None:
    """For how long the oldest version of which something is not delivered has been accepted; 0 when all is delivered.

    None before the first version, and for a sync that is pinned: it is not meant to follow.
    """
    latest = versions.latest(tools.database, sync.dataset.id)
    if latest is None or pinned_version(tools, sync.id) is not None:
        return None
    delivered, owed = _delivered(tools, sync)
    waiting = VersionNumber(delivered if owed and delivered else delivered + 1)
    if waiting > latest.version:
        return 0.0
    oldest = versions.get(tools.database, sync.dataset.id, waiting) or latest
    return since(tools, oldest.recorded_at)


def _delivered(tools: Tools, sync: Sync) -> tuple[int, int]:
    """The version that the delivered state is of, 0 for none or one of another dataset, and how many records it owes."""
    state = states.current(tools.database, sync.id)
    run = None if state is None else runs.get(tools.database, state.run)
    if state is None or (run is not None and run.dataset != sync.dataset.id):
        return 0, 0
    return state.version, state.owed


def since(tools: Tools, moment: datetime) -> float:
    """Seconds from a moment until now."""
    return round(max((tools.clock.now() - moment).total_seconds(), 0.0), 1)
