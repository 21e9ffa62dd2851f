"""What people and daemons ask of a sync: pins, pauses, schedules, turns, resyncs, rejected records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.core.events.event import Event
from engine.core.names import DatasetId, RunId, SegmentRef, SyncId, VersionNumber


@dataclass(frozen=True, slots=True)
class SyncPinned(Event):
    """A person keeps a sync at ``version``, whatever versions follow.

    Or only some of its rows: ``keys`` names those that are kept, each with its version; the others follow the newest. Or for
    one step of a backfill that goes on ``through`` a later version.
    """

    type = "sync.pinned"
    schema = 3
    sync: SyncId
    dataset: DatasetId
    version: VersionNumber
    reason: str
    keys: SegmentRef | None = None
    through: VersionNumber | None = None


@dataclass(frozen=True, slots=True)
class SyncUnpinned(Event):
    """A person lets a sync follow the newest version again."""

    type = "sync.unpinned"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class SyncPaused(Event):
    """A person lets a sync do nothing until it is resumed; a run of it under way stops at the edge of its window."""

    type = "sync.paused"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class SyncResumed(Event):
    """A person lets a paused sync run again."""

    type = "sync.resumed"
    sync: SyncId
    reason: str


@dataclass(frozen=True, slots=True)
class RunCancelled(Event):
    """A person gave a run up that had not ended: nothing more of its plan leaves, and what did not is owed."""

    type = "run.cancelled"
    sync: SyncId
    run: RunId
    reason: str


@dataclass(frozen=True, slots=True)
class ScheduleSet(Event):
    """From here on a sync is due as ``schedule`` says: at moments behind this event, or for a dataset's versions."""

    type = "sync.schedule_set"
    sync: SyncId
    schedule: str


@dataclass(frozen=True, slots=True)
class TurnTaken(Event):
    """A daemon, known by its lease, runs a sync for what it is due for: ``due``, ISO 8601, or ``version`` of a dataset.

    ``missed`` counts earlier ones that this run stands for as well. ``again`` says that a daemon had taken this turn before
    and is gone.
    """

    type = "sync.turn_taken"
    sync: SyncId
    schedule: str
    due: str
    version: VersionNumber | None
    missed: int
    lease: str
    epoch: int
    again: bool


@dataclass(frozen=True, slots=True)
class TurnEnded(Event):
    """The run for a turn ended; ``status`` is the run's, or ``crashed``, ``stopped`` or ``overdue`` for one without an end."""

    type = "sync.turn_ended"
    sync: SyncId
    schedule: str
    due: str
    version: VersionNumber | None
    run: RunId | None
    status: str


@dataclass(frozen=True, slots=True)
class ResyncAsked(Event):
    """A person wants records sent again; the fold beside it holds which.

    ``scope`` is a `engine.core.resync.Scope`. Of the ``records``, ``orphans`` were removed before, or left the state.
    """

    type = "sync.resync_asked"
    sync: SyncId
    scope: str
    records: int
    orphans: int
    reason: str


@dataclass(frozen=True, slots=True)
class DestinationRead(Event):
    """What a destination holds of a sync was compared with what it acknowledged.

    Of the ``compared`` records some are ``missing``, some ``changed``, and some ``present`` although they were removed;
    ``fields`` counts the records that differ in each. Of those ``left_out`` it is not known what should be there.
    """

    type = "sync.destination_read"
    sync: SyncId
    compared: int
    left_out: int
    missing: int
    changed: int
    present: int
    fields: Mapping[str, int]
    calls: int


@dataclass(frozen=True, slots=True)
class RejectionsReleased(Event):
    """A person let the attempts of rejected records start again; the fold beside it holds which."""

    type = "sync.rejections_released"
    sync: SyncId
    records: int


@dataclass(frozen=True, slots=True)
class RejectionsDropped(Event):
    """A person gave the rejected payloads of records up; the fold beside it holds which."""

    type = "sync.rejections_dropped"
    sync: SyncId
    records: int
