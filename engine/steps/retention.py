"""Drop what a dataset's rule does not keep, but for what anything needs: pins, deliveries, waits, runs and legal holds.

One event says which files go and which versions with them, appended only if the dataset and everything that may need a
version of it stand where they were looked at. The files go after it; a crash in between leaves them to `tidegate gc`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.core.compare import INCOMPLETE
from engine.core.events import Event, LegalHoldPlaced, LegalHoldReleased, SyncPinned, VersionsDropped
from engine.core.names import (
    DatasetId,
    Position,
    SegmentRef,
    StreamId,
    SyncId,
    VersionNumber,
    dataset_stream,
    pin_stream,
)
from engine.core.outcome import RunStatus
from engine.core.retention import Kept, Rule, Stored, retained
from engine.errors import LedgerConflict, StorageError
from engine.failpoints import failpoint
from engine.ledger.projections import runs, states, versions
from engine.ledger.projections.versions import VersionRow
from engine.ledger.recorded import told
from engine.steps.aim import wanted_version
from engine.steps.anchors import dataset_anchor, drop_anchor
from engine.steps.changes import changes_files
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Tools
from engine.steps.races import raced

ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class Hold:
    """A version that no rule may drop: by whom, since when and why."""

    reason: str
    by: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was dropped of a dataset, or would be; ``left`` says why nothing could be looked at."""

    dataset: DatasetId
    versions: tuple[VersionNumber, ...]
    files: int
    bytes: int
    left: str = ""


@dataclass(frozen=True, slots=True)
class _Needs:
    """Versions that must stay, those of them that are read now, and where the streams stood that say so."""

    versions: frozenset[VersionNumber]
    read: frozenset[VersionNumber]
    heads: Mapping[StreamId, Position]


class _UnderWay(Exception):
    """A run is about to choose a version, and has not said which."""


def holds(tools: Tools, dataset: DatasetId) -> dict[VersionNumber, Hold]:
    """The legal holds of a dataset that were not released."""
    found = dict[VersionNumber, Hold]()
    for fact in told(tools.database, dataset_stream(dataset), LegalHoldPlaced, LegalHoldReleased):
        match fact.event:
            case LegalHoldPlaced(_, version, reason):
                found[version] = Hold(reason, fact.actor, fact.recorded_at)
            case LegalHoldReleased(_, version):
                found.pop(version, None)
            case _:
                pass
    return found


def retain(tools: Tools, dataset: DatasetId, rule: Rule, syncs: Iterable[SyncId]) -> Dropped:
    """Drop what the rule does not keep and nothing needs; ``syncs`` are all that may need a version."""
    known = tuple(syncs)

    def attempt() -> Dropped:
        expected = tools.ledger.head(dataset_stream(dataset))
        needs = _needs(tools, dataset, known)
        event = _dropped(tools, dataset, rule, needs)
        if not event.segments:
            return _report(event)
        failpoint("retain.before_commit")
        tools.ledger.append(dataset_stream(dataset), event, expected=expected, resting_on=needs.heads)
        failpoint("retain.after_commit")
        drop_anchor(tools, dataset_anchor(dataset), dataset_stream(dataset))
        for ref in event.segments:
            tools.storage.remove(ref)
        return _report(event)

    try:
        return raced(attempt, ATTEMPTS_MAX)
    except _UnderWay as run:
        return Dropped(dataset, (), 0, 0, str(run))
    except LedgerConflict:
        return Dropped(dataset, (), 0, 0, "captures go on; try again later")
    except StorageError as error:
        return Dropped(dataset, (), 0, 0, error.what)


def droppable(tools: Tools, dataset: DatasetId, rule: Rule, syncs: Iterable[SyncId]) -> Dropped:
    """What `retain` would drop now."""
    try:
        return _report(_dropped(tools, dataset, rule, _needs(tools, dataset, tuple(syncs))))
    except _UnderWay as run:
        return Dropped(dataset, (), 0, 0, str(run))


def _report(event: VersionsDropped) -> Dropped:
    return Dropped(event.dataset, event.versions, len(event.segments), sum(ref.bytes for ref in event.segments))


def _dropped(tools: Tools, dataset: DatasetId, rule: Rule, needs: _Needs) -> VersionsDropped:
    gone = dropped_versions(tools, dataset)
    rows = [row for row in versions.listing(tools.database, dataset) if row.version not in gone]
    stored = [_stored(tools, row) for row in rows]
    kept = retained(stored, rule, needs.versions, needs.read, tools.clock.now())
    whole = {row.version for row in stored if row.is_whole}
    segments = [ref for row in rows for ref in _files(row, kept, is_whole=row.version in whole)]
    segments += _changes(tools, rows, kept)
    lost = tuple(row.version for row in rows if row.version not in kept.versions)
    return VersionsDropped(dataset=dataset, versions=lost, segments=tuple(segments), rule=_words(rule))


def _stored(tools: Tools, row: VersionRow) -> Stored:
    changes = row.changes.bytes if row.changes else 0
    return Stored(row.version, row.recorded_at, row.snapshot.bytes, changes, tools.storage.exists(row.snapshot))


def _files(row: VersionRow, kept: Kept, *, is_whole: bool) -> Iterator[SegmentRef]:
    """The files of a version that nothing keeps; a snapshot that went before is not named again."""
    if is_whole and row.version not in kept.snapshots:
        yield row.snapshot
    if row.version not in kept.versions and row.quarantine is not None:
        yield row.quarantine


def _changes(tools: Tools, rows: Sequence[VersionRow], kept: Kept) -> list[SegmentRef]:
    """The files of changes in which those of no kept version stand."""
    files = changes_files(tools, rows)
    needed = {ref for version, ref in files.items() if version in kept.versions}
    return [ref for ref in dict.fromkeys(files.values()) if ref not in needed]


def _words(rule: Rule) -> str:
    parts = [] if rule.versions is None else [f"the newest {rule.versions} versions"]
    parts += [] if rule.age is None else [f"those of the last {rule.age.days} days"]
    return " and ".join(parts) or "every version"


def _needs(tools: Tools, dataset: DatasetId, syncs: tuple[SyncId, ...]) -> _Needs:
    """What must stay, whatever a rule says; raises `_UnderWay` while a run is about to choose a version."""
    heads = tools.ledger.heads([pin_stream(sync) for sync in syncs])
    needed = {*holds(tools, dataset), wanted_version(tools, dataset, None)}
    read = set[VersionNumber]()
    for row in runs.all_unfinished(tools.database):
        if row.comparison is None:
            raise _UnderWay(f"run {row.run} of {row.sync} goes on, or was interrupted")
        if row.dataset == dataset and row.version is not None:
            read.add(row.version)
        needed |= _registers(dataset, row.registers)
    for sync in syncs:
        needed |= _needed_by(tools, dataset, sync)
    return _Needs(frozenset(needed), frozenset(read), heads)


def _needed_by(tools: Tools, dataset: DatasetId, sync: SyncId) -> set[VersionNumber]:
    """What a sync is pinned to, what it delivered, and what its last run waits with."""
    asked = set[VersionNumber]()
    for fact in tools.ledger.tail(1, pin_stream(sync)):
        asked |= _pinned(tools, dataset, fact.event)
    needed = asked | {wanted_version(tools, dataset, version) for version in asked}
    last, state = runs.last(tools.database, sync), states.current(tools.database, sync)
    if state is not None:
        needed |= _registers(dataset, state.registers)
        if last is not None and last.dataset == dataset and state.version != INCOMPLETE:
            needed.add(state.version)
    if last is not None and last.status == RunStatus.HELD.value:
        needed |= _registers(dataset, last.registers)
        if last.dataset == dataset and last.version is not None:
            needed.add(last.version)
    return needed


def _pinned(tools: Tools, dataset: DatasetId, event: Event) -> set[VersionNumber]:
    if not isinstance(event, SyncPinned) or event.dataset != dataset:
        return set()
    if event.keys is None:
        # A backfill goes on from its step, and needs every version on its way.
        last = event.version if event.through is None else event.through
        return {VersionNumber(number) for number in range(event.version, last + 1)}
    with tools.compute.session() as session:
        rows = session.table(tools.storage.local(event.keys)).select("version").distinct()
        return {VersionNumber(int(row["version"])) for row in session.fetch(rows)}


def _registers(dataset: DatasetId, registers: Mapping[str, int]) -> set[VersionNumber]:
    return {VersionNumber(number) for name, number in registers.items() if name == dataset and number}
