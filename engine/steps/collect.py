"""Remove files that no event names: what crashes, refused captures and lost races left below the storage root.

A file may be one that a process writes now and names in a moment. So nothing is taken that was written lately, and beyond
that nobody can name what was taken: a capture loses the race for its dataset's stream against the event that says what
goes, and what belongs to a sync goes only under its lease. Decisions of consent and suppression lists have neither, so
there the time alone tells, and it is never less than an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath

from engine.core.events import ChangesMerged, FilesCollected, VersionAccepted, VersionsDropped
from engine.core.named_segments import named_segments
from engine.core.names import (
    CONSENT_STREAM,
    STORAGE_STREAM,
    SUPPRESSION_STREAM,
    DatasetId,
    SegmentRef,
    StreamId,
    SyncId,
    dataset_stream,
    pin_stream,
    run_stream,
    sync_stream,
)
from engine.errors import Busy, LedgerConflict
from engine.failpoints import failpoint
from engine.ledger.projections import runs
from engine.ledger.projections.captures import CAPTURES
from engine.ledger.projections.replaced import current_of
from engine.segments.stored import StoredFile
from engine.steps.decisions import FOLDER as DECISIONS_FOLDER
from engine.steps.dropped_plans import gone_of
from engine.steps.erase_segments import lost_replacements
from engine.steps.facts import Tools
from engine.steps.races import raced
from engine.steps.suppression import FOLDER as LISTS_FOLDER
from engine.steps.sync_lease import sync_lease

SYNC_KINDS = ("plans", "state", "sent", "exceptions", "kept")
"""Folders of a sync whose files events name. What was recorded instead of sent is its operator's, and stays."""
ATTEMPTS_MAX = 3
UNGUARDED_MIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Collected:
    """What was removed below a folder, or would be; ``left`` says why nothing was when there was something."""

    folder: str
    files: int
    bytes: int
    left: str = ""


def collect(tools: Tools, older_than: timedelta) -> Iterator[Collected]:
    """Remove every file that no event names and that was last written longer ago than ``older_than``.

    Only behind `check_anchors`: what an event names that the ledger lost is no garbage.
    """
    before = tools.clock.now() - older_than
    for scope in _scopes(tools):
        if scope.garbage(tools, before):
            yield scope.remove(tools, before)


def collectable(tools: Tools, older_than: timedelta) -> Iterator[Collected]:
    """What `collect` would remove now."""
    before = tools.clock.now() - older_than
    for scope in _scopes(tools):
        if found := scope.garbage(tools, before):
            yield _sum(scope.folder, found)


@dataclass(frozen=True, slots=True)
class _Scope:
    """A folder, what names its files (of which only some are asked about), and how it is kept that nobody names them meanwhile."""

    folder: str
    kinds: tuple[str, ...]
    named: Callable[[Tools, Sequence[StoredFile]], Iterable[SegmentRef]]
    remove_guarded: Callable[[Tools, _Scope, datetime], Collected]
    grace_min: timedelta = timedelta(0)

    def garbage(self, tools: Tools, before: datetime) -> list[StoredFile]:
        before = min(before, tools.clock.now() - self.grace_min)
        files = [file for kind in self.kinds for file in tools.storage.files(f"{self.folder}/{kind}".rstrip("/"))]
        old = [file for file in files if _is_old(file, before)]
        if not old:
            return []
        named = _paths(tools, self.named(tools, old))
        return [file for file in old if file.path not in named]

    def remove(self, tools: Tools, before: datetime) -> Collected:
        return self.remove_guarded(tools, self, before)


def _is_old(file: StoredFile, before: datetime) -> bool:
    """Whether a file was certainly not written lately."""
    return file.modified is not None and file.modified < before


def _paths(tools: Tools, refs: Iterable[SegmentRef]) -> Collection[str]:
    """The paths of the segments that stand for those that events name.

    What the storage knows of an erasure that the ledger lost counts as well: an accepted regression learns from it.
    """
    paths = {ref.path for ref in current_of(tools.database, refs).values()}
    return paths | {pair.after.path for lost in lost_replacements(tools).values() for pair in lost.segments}


def _named_in(tools: Tools, *streams: StreamId) -> Iterator[SegmentRef]:
    return (ref for stream in streams for fact in tools.ledger.read(stream) for ref in named_segments(fact.event))


def _scopes(tools: Tools) -> Iterator[_Scope]:
    for name in _folders(tools, "datasets"):
        named = partial(_named_of, stream=dataset_stream(DatasetId(name)))
        yield _Scope(f"datasets/{name}", ("versions",), named, _from_dataset)
    for name in _folders(tools, "syncs"):
        yield _Scope(f"syncs/{name}", SYNC_KINDS, partial(_named_of_sync, sync=SyncId(name)), _from_sync)
    for folder, stream in ((DECISIONS_FOLDER, CONSENT_STREAM), (LISTS_FOLDER, SUPPRESSION_STREAM)):
        yield _Scope(folder, ("",), partial(_named_of, stream=stream), _unguarded, UNGUARDED_MIN)


def _folders(tools: Tools, parent: str) -> list[str]:
    return sorted({file.path.split("/")[1] for file in tools.storage.files(parent)})


def _named_of(tools: Tools, files: Sequence[StoredFile], *, stream: StreamId) -> Iterator[SegmentRef]:
    del files
    named, dropped, candidate = dict[SegmentRef, None](), set[SegmentRef](), list[SegmentRef]()
    for fact in tools.ledger.read(stream):
        if isinstance(fact.event, CAPTURES):
            # What is kept of a candidate that became no version counts until the next capture or decision.
            for ref in candidate:
                named.pop(ref, None)
            is_version = isinstance(fact.event, VersionAccepted)
            candidate = [] if is_version else list(named_segments(fact.event))
        if isinstance(fact.event, VersionsDropped):
            dropped.update(fact.event.segments)
        elif isinstance(fact.event, ChangesMerged):
            dropped.update(fact.event.replaced)
            named[fact.event.segment] = None
        else:
            named |= dict.fromkeys(named_segments(fact.event))
    return (ref for ref in named if ref not in dropped)


def _named_of_sync(tools: Tools, files: Sequence[StoredFile], *, sync: SyncId) -> Iterator[SegmentRef]:
    gone = gone_of(tools, sync)
    return (ref for ref in _ever_named_of_sync(tools, files, sync) if ref.path not in gone.paths)


def _ever_named_of_sync(tools: Tools, files: Sequence[StoredFile], sync: SyncId) -> Iterator[SegmentRef]:
    """The events of a run are read only where one of the files may be its own: there may be very many runs."""
    yield from _named_in(tools, sync_stream(sync), pin_stream(sync))
    names = [PurePosixPath(file.path).name for file in files if "/exceptions/" in file.path]
    for row in runs.history(tools.database, sync):
        if row.segment is not None:
            yield row.segment
        if any(name.startswith(row.run) for name in names):
            yield from _named_in(tools, run_stream(row.run))


def _from_dataset(tools: Tools, scope: _Scope, before: datetime) -> Collected:
    """Whoever read the dataset's stream before this event was appended cannot append to it any more without reading again."""
    stream = dataset_stream(DatasetId(scope.folder.split("/")[1]))

    def attempt() -> Collected:
        expected = tools.ledger.head(stream)
        found = scope.garbage(tools, before)
        if found:
            failpoint("collect.before_commit")
            tools.ledger.append(stream, _event(scope, found), expected=expected)
            failpoint("collect.after_commit")
        return _removed(tools, scope, found)

    try:
        return raced(attempt, ATTEMPTS_MAX)
    except LedgerConflict:
        return Collected(scope.folder, 0, 0, "captures go on; try again later")


def _from_sync(tools: Tools, scope: _Scope, before: datetime) -> Collected:
    """Whoever writes for a sync holds its lease, and proves its epoch when an event names what was written."""
    try:
        with sync_lease(tools, SyncId(scope.folder.split("/")[1])) as lease:
            found = scope.garbage(tools, before)
            if found:
                failpoint("collect.before_commit")
                tools.ledger.append(STORAGE_STREAM, _event(scope, found), fence=lease.fence)
                failpoint("collect.after_commit")
            return _removed(tools, scope, found)
    except Busy as busy:
        return Collected(scope.folder, 0, 0, busy.what)


def _unguarded(tools: Tools, scope: _Scope, before: datetime) -> Collected:
    found = scope.garbage(tools, before)
    if found:
        tools.ledger.append(STORAGE_STREAM, _event(scope, found))
    return _removed(tools, scope, found)


def _event(scope: _Scope, found: list[StoredFile]) -> FilesCollected:
    summed = _sum(scope.folder, found)
    return FilesCollected(folder=summed.folder, files=summed.files, bytes=summed.bytes)


def _sum(folder: str, found: list[StoredFile]) -> Collected:
    return Collected(folder, len(found), sum(file.bytes for file in found))


def _removed(tools: Tools, scope: _Scope, found: list[StoredFile]) -> Collected:
    for file in found:
        tools.storage.remove_path(file.path)
    return _sum(scope.folder, found)
