"""A destination as a sync uses it: the adapter's limits after the operator chose lower ones."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from config.destination import DestinationFile
from config.project import Project
from config.sync import SyncFile
from destinations.base import Destination, Jobs, Rate
from engine.core.classification import Classification, Classifications
from engine.core.pace import Pace
from engine.core.quota import Quota
from engine.delivery.pacer import BYTES, RECORDS, REQUESTS
from engine.steps.facts import Target


def sync_target(project: Project, sync: SyncFile, destination: Destination, classes: Classifications) -> Target:
    """The target of ``sync``; ``classes`` are the project's words for what it may receive."""
    file = project.destinations[sync.destination]
    quotas = _quotas(file)
    # A batch that no day holds would never be sent.
    most = [int(quotas[RECORDS].units)] if RECORDS in quotas else []
    most += [file.batch.records] if file.batch.records is not None else []
    return Target(
        name=file.name,
        destination=destination,
        paces=_paces(file, destination.spec.limits.rate),
        records_max=min(most, default=None),
        concurrency=file.rate.concurrency if file.rate else None,
        quotas=quotas,
        slots=file.rate.concurrency if file.rate else None,
        clearance=destination_clearance(file, classes),
        jobs=_jobs(file, destination),
        environment=project.environment_name,
        environments=file.environments,
        record_only=project.environment.deliver == "record",
    )


def destination_clearance(file: DestinationFile, classes: Classifications) -> Classification:
    """The most sensitive class that a destination may receive."""
    if file.clearance is None:
        return classes.silent_clearance
    found = classes.of(file.clearance)
    assert found is not None, "the files were cross-checked"
    return found


def _jobs(file: DestinationFile, destination: Destination) -> Jobs:
    """The adapter's rules for its jobs, with the operator's deadline."""
    rules = destination.spec.jobs or Jobs()
    return replace(rules, deadline_seconds=file.jobs.deadline.total_seconds()) if file.jobs else rules


def _paces(file: DestinationFile, rate: Rate | None) -> dict[str, Pace]:
    """The operator's pace of each unit, else the adapter's."""
    if file.rate is None:
        return {REQUESTS: Pace(rate.requests, rate.per_seconds)} if rate else {}
    seconds = file.rate.per.total_seconds()
    said = {REQUESTS: file.rate.requests, RECORDS: file.rate.records, BYTES: file.rate.bytes}
    return {unit: Pace(units, seconds) for unit, units in said.items() if units is not None}


def _quotas(file: DestinationFile) -> dict[str, Quota]:
    """What the operator allows of each unit in a day."""
    daily = file.rate.daily if file.rate else None
    if daily is None:
        return {}
    said = {REQUESTS: daily.requests, RECORDS: daily.records}
    zone = ZoneInfo(daily.timezone)
    return {unit: Quota(units, daily.resets, zone) for unit, units in said.items() if units is not None}
