"""Which version a sync is brought to: the newest that nobody withdrew, or the one that it is pinned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.core.aim import aim
from engine.core.events import CheckResult, PlanMade, SyncPinned, VersionWithdrawn
from engine.core.names import DatasetId, SegmentRef, SyncId, VersionNumber, dataset_stream, pin_stream
from engine.core.verdict import blocked
from engine.ledger.projections import runs, versions
from engine.ledger.recorded import told
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Sync, Tools
from engine.steps.suppression import suppression_lists

FITS = "version.columns"


@dataclass(frozen=True, slots=True)
class Pin:
    """A sync is kept at ``version`` of ``dataset``, or only the rows of ``keys`` are: by whom, since when and why.

    ``through`` is set where that is one step of a backfill.
    """

    version: VersionNumber
    reason: str
    by: str
    since: datetime
    dataset: DatasetId
    keys: SegmentRef | None = None
    through: VersionNumber | None = None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A version is marked as bad: by whom, since when and why."""

    reason: str
    by: str
    since: datetime


def pin_of(tools: Tools, sync: SyncId) -> Pin | None:
    """The pin of a sync; None when it follows the newest version."""
    for fact in tools.ledger.tail(1, pin_stream(sync)):
        if isinstance(fact.event, SyncPinned):
            event = fact.event
            told = (event.version, event.reason, fact.actor, fact.recorded_at, event.dataset)
            return Pin(*told, event.keys, event.through)
    return None


def withdrawals(tools: Tools, dataset: DatasetId) -> Mapping[VersionNumber, Withdrawal]:
    """The versions of a dataset that people marked as bad."""
    return {
        fact.event.version: Withdrawal(fact.event.reason, fact.actor, fact.recorded_at)
        for fact in told(tools.database, dataset_stream(dataset), VersionWithdrawn)
        if isinstance(fact.event, VersionWithdrawn)
    }


def pinned_version(tools: Tools, sync: SyncId) -> VersionNumber | None:
    """The version that a sync is pinned to; None when it follows the newest, perhaps but for some rows."""
    pin = pin_of(tools, sync)
    return None if pin is None or pin.keys is not None else pin.version


def wanted_version(tools: Tools, dataset: DatasetId, pinned: VersionNumber | None) -> VersionNumber:
    """The version that a sync of ``dataset`` is brought to when it is ``pinned`` so, 0 when there is none that is kept."""
    latest = versions.latest(tools.database, dataset)
    newest = latest.version if latest else VersionNumber(0)
    return aim(newest, withdrawals(tools, dataset).keys() | dropped_versions(tools, dataset).keys(), pinned)


def foreign_pin(tools: Tools, sync: Sync) -> CheckResult | None:
    """Why nothing can be planned while a person keeps the sync at a version of a dataset that it does not read any more.

    Its number means another version of the dataset that the sync reads now, such as the next major.
    """
    pin = pin_of(tools, sync.id)
    if pin is None or pin.dataset == sync.dataset.id:
        return None
    kept = f"pinned to version {pin.version} of {pin.dataset}" if pin.keys is None else None
    kept = kept or f"to have rows kept at a version of {pin.dataset}"
    message = f"the sync is {kept}, and reads {sync.dataset.id} now: `tidegate unpin {sync.id}` lets it go on"
    return blocked(FITS, message)


def superseded(tools: Tools, sync: Sync, planned: PlanMade) -> str:
    """Why a plan is not wanted any more; empty while it is.

    That a newer version was accepted is no reason: what was begun is ended, and the next plan goes on from there.
    """
    begun = runs.get(tools.database, planned.run)
    if begun is not None and begun.dataset != sync.dataset.id:
        return f"the plan is of {begun.dataset}, and the sync reads {sync.dataset.id} now"
    if planned.version in withdrawals(tools, sync.dataset.id):
        return f"version {planned.version} was withdrawn"
    pinned = pinned_version(tools, sync.id)
    if pinned is not None and planned.version != wanted_version(tools, sync.dataset.id, pinned):
        return f"the sync is pinned to version {pinned}"
    return ""


def unfit_version(tools: Tools, sync: Sync, version: VersionNumber) -> CheckResult | None:
    """Why nothing can be planned from a version: it is from before a mapped column was added, or under another key."""
    row = versions.get(tools.database, sync.dataset.id, version)
    assert row is not None, "a version that is wanted was accepted"
    mapping = sync.mapping
    needed = [*(part.column for part in mapping.match), *(field.column for field in mapping.fields)]
    needed += sync.dataset.subjects
    if suppression_lists(tools):
        needed += sync.dataset.identifiers or ()
    if mapping.consent is not None:
        needed.append(mapping.consent.subject)
    missing = sorted({name for name in needed if name not in row.columns})
    if missing:
        return blocked(FITS, f"version {version} has no {', '.join(missing)}, which the sync maps or is about")
    if tuple(row.key) != tuple(sync.dataset.schema.key):
        return blocked(FITS, f"version {version} has the primary key {', '.join(row.key)}, and not today's")
    return None
