"""Retention: what is dropped by the rules of datasets and syncs, and which versions a person lets no rule drop."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.core.kept_runs import NO_SLACK
from engine.core.names import DatasetId, SyncId
from engine.ledger.projections import states
from engine.service.app import App
from engine.service.references import referred
from engine.steps.legal_hold import place_hold, release_hold
from engine.steps.merge import Merged, merge_changes, mergeable
from engine.steps.retain_runs import drop_plans, droppable_plans
from engine.steps.retention import Dropped, droppable, retain


@dataclass(frozen=True, slots=True)
class DroppedReport:
    """What retention dropped of a dataset, or would: versions that cannot be read any more, and how many files and bytes.

    Files go also where no version does: a snapshot of a version that is rebuilt from an older one. Changes that stood in
    ``merged`` files stand in ``merged_into`` now. ``left`` says why nothing could be looked at, or no more.
    """

    dataset: str
    versions: tuple[int, ...]
    files: int
    bytes: int
    merged: int
    merged_into: int
    left: str


@dataclass(frozen=True, slots=True)
class SentDroppedReport:
    """Of how many runs of a sync retention dropped what they planned, or would, in how many files and bytes.

    Among the files are delivered states that newer ones replaced. ``left`` says why nothing could be dropped.
    """

    sync: str
    runs: int
    files: int
    bytes: int
    left: str


@dataclass(frozen=True, slots=True)
class HoldReport:
    """A legal hold that was placed, or released where not ``held``."""

    dataset: str
    version: int
    held: bool
    reason: str


def drop_old(app: App, datasets: Iterable[DatasetId], *, dry_run: bool = False) -> list[DroppedReport]:
    """Let the rules of some datasets drop what nothing needs; with ``dry_run`` only look."""
    syncs = _syncs(app)
    act = droppable if dry_run else retain
    merge = mergeable if dry_run else merge_changes
    # A file that is dropped needs no merge.
    found = [(act(app.tools, id, app.datasets[id].retain, syncs), merge(app.tools, id)) for id in datasets]
    reports = [_report(dropped, merged) for dropped, merged in found]
    return [report for report in reports if report.files or report.merged or report.left]


def drop_sent(
    app: App, names: Iterable[str], *, slack: float = NO_SLACK, dry_run: bool = False
) -> list[SentDroppedReport]:
    """Let the rules of some syncs drop what nothing needs of their old runs; with ``dry_run`` only look."""
    act = droppable_plans if dry_run else drop_plans
    found = [act(app.tools, sync.id, sync.retain, slack) for sync in map(app.sync, names)]
    reports = [SentDroppedReport(one.sync, one.runs, one.files, one.bytes, one.left) for one in found]
    return [report for report in reports if report.files or report.left]


def hold_version(app: App, reference: str, reason: str) -> HoldReport:
    """Let no rule drop a version; raises `ConfigurationError` for one that is not kept, or is held so already."""
    dataset, version = referred(app, reference)
    place_hold(app.tools, dataset, version, reason)
    return HoldReport(dataset.id, version, True, reason)


def release_version(app: App, reference: str, reason: str) -> HoldReport:
    """Let a version be dropped again when a rule says so; raises `ConfigurationError` for one that is not held so."""
    dataset, version = referred(app, reference)
    release_hold(app.tools, dataset, version, reason)
    return HoldReport(dataset.id, version, False, reason)


def _syncs(app: App) -> tuple[SyncId, ...]:
    """Every sync that may need a version: those of the project, and those that ever delivered."""
    return tuple(dict.fromkeys((*(SyncId(name) for name in app.sync_names), *states.syncs(app.tools.database))))


def _report(dropped: Dropped, merged: Merged) -> DroppedReport:
    left = "; ".join(why for why in (dropped.left, merged.left) if why)
    return DroppedReport(
        dropped.dataset, tuple(dropped.versions), dropped.files, dropped.bytes, merged.files, merged.into, left
    )
