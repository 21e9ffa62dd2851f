"""Scheduled syncs as plain values: what the files say of when each runs, and what that means in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from config.cron import cron_fields
from config.project import Project
from config.sync import DatasetReference, SyncFile
from engine.core.names import DatasetId, SyncId, dataset_id, is_meant, major_of
from engine.core.schedule import After, Cron, Schedule, every, next_due
from engine.core.turns import Overlap, Resting, Running, Turns

THE_SYNCS_OWN = "dataset"
"""``after: dataset`` means the dataset that the sync reads, unless one has that name."""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """One sync with a schedule. Exactly one of ``cron``, ``every_milliseconds`` and ``after`` says something.

    ``connections`` are those that it reads from. All values are plain, so that another process can be told.
    """

    sync: SyncId
    dataset: DatasetId
    destination: str
    connections: tuple[str, ...]
    overlap: str
    cron: str = ""
    timezone: str = "UTC"
    every_milliseconds: int = 0
    after: str = ""

    @property
    def text(self) -> str:
        """The schedule in one line, as the ledger keeps it."""
        if self.cron:
            return f"cron {self.cron} {self.timezone}"
        if self.every_milliseconds:
            return f"every {_written(self.every_milliseconds)}"
        return f"after {self.after}"

    @property
    def as_captured(self) -> bool:
        """Whether it follows its own dataset, and so sends what was captured and does not read the source again."""
        return self.after == self.dataset

    @property
    def policy(self) -> Overlap:
        return Overlap(self.overlap)


_UNITS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}


def _written(milliseconds: int) -> str:
    """A duration as project files write it, in the largest unit that gives a whole number."""
    unit, size = next((unit, size) for unit, size in _UNITS.items() if milliseconds % size == 0)
    return f"{milliseconds // size}{unit}"


def schedule_of(scheduled: Scheduled) -> Schedule:
    """What the engine asks for due moments."""
    if scheduled.after:
        return After(scheduled.after)
    if scheduled.every_milliseconds:
        return every(timedelta(milliseconds=scheduled.every_milliseconds), scheduled.sync)
    fields = cron_fields(scheduled.cron)
    days, months, weekdays = (frozenset(part) for part in (fields.days, fields.months, fields.weekdays))
    zone = ZoneInfo(scheduled.timezone)
    return Cron(fields.minutes, fields.hours, days, months, weekdays, fields.either_day, zone)


def scheduled_syncs(
    project: Project, datasets: Iterable[DatasetId], connections: Mapping[str, tuple[str, ...]]
) -> tuple[Scheduled, ...]:
    """Every sync that has a schedule, by name; ``connections`` are those that each sync reads from."""
    known = tuple(datasets)
    return tuple(
        _scheduled(project, file, known, connections[name])
        for name, file in sorted(project.syncs.items())
        if file.schedule is not None
    )


def _scheduled(
    project: Project, file: SyncFile, datasets: tuple[DatasetId, ...], connections: tuple[str, ...]
) -> Scheduled:
    said = file.schedule
    assert said is not None, "only syncs with a schedule are asked for"
    own = dataset_id(file.dataset.name, file.dataset.major)
    return Scheduled(
        sync=SyncId(file.name),
        dataset=own,
        destination=file.destination,
        connections=connections,
        overlap=said.overlap or project.daemon.overlap,
        cron=said.cron or "",
        timezone=said.timezone,
        every_milliseconds=0 if said.every is None else said.every // timedelta(milliseconds=1),
        after="" if said.after is None else _followed(said.after, file.dataset, datasets),
    )


def _followed(said: str, own: DatasetReference, datasets: tuple[DatasetId, ...]) -> DatasetId:
    """The dataset that ``after`` means: a bare name is the sync's own major of it, else the highest."""
    meant = [dataset for dataset in datasets if is_meant(dataset, said)]
    reads = dataset_id(own.name, own.major)
    if reads in meant or (said == THE_SYNCS_OWN and not meant):
        return reads
    return max(meant, key=major_of, default=DatasetId(said))


def next_moment(schedule: Schedule, turns: Turns, now: datetime) -> datetime | None:
    """When a sync is due next: perhaps in the past, where it waits for its turn; None where no time says so."""
    if isinstance(schedule, After):
        return None
    if isinstance(turns, Resting):
        return next_due(schedule, turns.since)
    since = datetime.fromisoformat(turns.taken.due) if isinstance(turns, Running) else now
    return next_due(schedule, max(now, since))
