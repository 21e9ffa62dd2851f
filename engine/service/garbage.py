"""Garbage: what no event names below the storage root, and what crashes left in the project's scratch folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.service.app import App
from engine.service.retention import DroppedReport, SentDroppedReport, drop_old, drop_sent
from engine.steps.anchors import check_anchors
from engine.steps.collect import Collected, collect, collectable

OLDER_THAN = timedelta(days=1)
SCRATCH_KINDS = ("spool", "spill", "cache")
SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What was removed below a folder of the storage, or of the scratch folder; ``left`` says why nothing could be."""

    folder: str
    files: int
    bytes: int
    left: str


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What was removed, or would be where ``dry_run``; folders without garbage are left out."""

    dry_run: bool
    files: int
    bytes: int
    folders: tuple[FolderReport, ...]
    dropped: tuple[DroppedReport, ...]
    """What the datasets' rules dropped before; its files are no garbage, and are not counted with it."""
    sent: tuple[SentDroppedReport, ...] = ()
    """What the syncs' rules dropped, likewise."""


def collect_garbage(app: App, *, older_than: timedelta = OLDER_THAN, dry_run: bool) -> GarbageReport:
    """Drop what is old as the files of datasets and syncs say, and remove what nobody names and nobody has touched for that long.

    Raises `LedgerRegressed` before anything. It is safe beside runs and captures, at any time.
    """
    check_anchors(app.tools)
    dropped = tuple(drop_old(app, app.datasets, dry_run=dry_run))
    sent = tuple(drop_sent(app, app.syncs, dry_run=dry_run))
    act = collectable if dry_run else collect
    found = [*act(app.tools, older_than), *_scratch(app, older_than, dry_run=dry_run)]
    folders = tuple(FolderReport(one.folder, one.files, one.bytes, one.left) for one in found if one.files or one.left)
    return GarbageReport(
        dry_run, sum(one.files for one in folders), sum(one.bytes for one in folders), folders, dropped, sent
    )


def _scratch(app: App, older_than: timedelta, *, dry_run: bool) -> list[Collected]:
    """Spools, spilled rows and previews that a process left when it died; copies of segments are fetched again when missing."""
    before = app.tools.clock.now() - older_than
    folders = [app.scratch / kind for kind in SCRATCH_KINDS]
    folders += [path for path in app.scratch.glob("tmp*") if path.is_dir()]
    stale = [file for folder in folders for file in folder.rglob("*") if file.is_file() and _is_old(file, before)]
    size = 0
    for file in stale:
        size += file.stat().st_size
        if not dry_run:
            file.unlink(missing_ok=True)
    return [Collected(SCRATCH, len(stale), size)]


def _is_old(file: Path, before: datetime) -> bool:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC) < before
