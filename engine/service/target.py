"""A destination as a sync uses it: the adapter's limits after the operator chose lower ones."""

from __future__ import annotations

from dataclasses import replace

from config.destination import DestinationFile
from config.project import Project
from config.sync import SyncFile
from destinations.base import Destination, Jobs, Limits, Rate
from engine.core.pace import Pace
from engine.core.schema import Classification
from engine.delivery.pacer import BYTES, RECORDS, REQUESTS
from engine.steps.facts import Target


def sync_target(
    project: Project, sync: SyncFile, destination: Destination, classes: tuple[tuple[str, Classification], ...]
) -> Target:
    """The target of ``sync``; ``classes`` are the mapped columns with their classification."""
    file = project.destinations[sync.destination]
    limits = destination.spec.limits
    return Target(
        name=file.name,
        destination=destination,
        limits=Limits(
            records=min(limits.records, file.batch.records or limits.records),
            bytes=limits.bytes,
            concurrency=file.rate.concurrency if file.rate else limits.concurrency,
        ),
        paces=_paces(file, limits.rate),
        clearance=Classification(file.clearance),
        classification_of=classes,
        jobs=_jobs(file, destination),
        record_only=project.environment.deliver == "record",
    )


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
