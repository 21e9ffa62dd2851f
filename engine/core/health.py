"""How everything stands at one moment, as plain values: what metrics say and what alerts are decided from.

Counts, moments, names of the project's files and words of the ledger; nothing here is about a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.names import DatasetId, RunId, SyncId, VersionNumber

NEVER = "never"
"""Status of what has not been captured, or run, yet."""


@dataclass(frozen=True, slots=True)
class DatasetHealth:
    """A dataset: ``status`` is how its last capture ended, at ``captured_at``, and ``reason`` why it was refused.

    ``read_at`` is when its source was last found good, ``bad_since`` since when every capture was refused; ``quarantined``
    of the ``rows`` of the newest version are set aside.
    """

    dataset: DatasetId
    status: str
    reason: str
    captured_at: datetime | None
    read_at: datetime | None
    bad_since: datetime | None
    version: VersionNumber | None
    accepted_at: datetime | None
    rows: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """A sync and its newest run, whose ``ended_at`` is None while it has no end.

    ``level_at`` is the newest moment of which the destination holds all that the source held, but for what it rejects;
    ``behind_since`` is when the first run ended since then that did not bring it level. ``lag`` is how long after its
    version was accepted the last delivery ended, and ``owed`` counts records whose last attempt did not deliver.
    """

    sync: SyncId
    dataset: DatasetId
    destination: str
    run: RunId | None
    status: str
    reason: str
    started_at: datetime | None
    ended_at: datetime | None
    level_at: datetime | None
    behind_since: datetime | None
    delivered_version: VersionNumber | None
    lag: timedelta | None
    owed: int
    paused_since: datetime | None
    pinned_since: datetime | None


@dataclass(frozen=True, slots=True)
class DayUse:
    """What is used of a unit's daily quota."""

    unit: str
    used: float
    limit: float


@dataclass(frozen=True, slots=True)
class AccountHealth:
    """What a destination's account allows; ``silent_until`` is None where no silence was asked for."""

    destination: str
    is_open: bool
    silent_until: datetime | None
    days: tuple[DayUse, ...]
    learned_rate: float | None


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    """How much the ledger holds."""

    events: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Health:
    """Everything at the moment ``at``; ``erasures_due`` has the deadline of each request that is not complete."""

    at: datetime
    datasets: Mapping[DatasetId, DatasetHealth]
    syncs: Mapping[SyncId, SyncHealth]
    accounts: Mapping[str, AccountHealth]
    ledger: LedgerHealth
    erasures_due: Mapping[str, datetime]
    versions_waiting: int
    plans_waiting: int
