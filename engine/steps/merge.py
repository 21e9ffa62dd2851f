"""Put the changes of old versions together in fewer files.

The merged file is on disk before the event that names it, which is appended only if the dataset stands where it was looked
at; the files that it replaces go after that event. A crash in between leaves one or the other to `tidegate gc`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ibis.expr.types import Table

from engine.core.diff import PLACE
from engine.core.events import ChangesMerged
from engine.core.merged import PATIENCE, UNTIL, VERSION, Change, Patience, merged_rows, to_merge
from engine.core.names import DatasetId, SegmentRef, VersionNumber, dataset_stream
from engine.errors import LedgerConflict, StorageError
from engine.failpoints import failpoint
from engine.ledger.projections import runs, versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import KEPT_LEVEL, Session
from engine.steps.anchors import dataset_anchor, drop_anchor
from engine.steps.changes import by_file, changes_files, merged_changes
from engine.steps.dropped import dropped_versions
from engine.steps.facts import Tools
from engine.steps.races import raced
from engine.steps.snapshots import version_folder

ATTEMPTS_MAX = 3
MERGES_MAX = 100
"""So many merges at once; what is left then has its turn the next time."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How many files were put together in how many, or would be; ``left`` says why no more were."""

    files: int
    into: int
    left: str = ""


def merge_changes(tools: Tools, dataset: DatasetId, patience: Patience = PATIENCE) -> Merged:
    """Merge the change segments that stand in more files than they should; nothing while a run may read them."""
    files, into = 0, 0
    try:
        while into < MERGES_MAX and (replaced := raced(lambda: _merge_first(tools, dataset, patience), ATTEMPTS_MAX)):
            files, into = files + replaced, into + 1
    except LedgerConflict:
        return Merged(files, into, "captures go on; try again later")
    except StorageError as error:
        return Merged(files, into, error.what)
    return Merged(files, into)


def mergeable(tools: Tools, dataset: DatasetId, patience: Patience = PATIENCE) -> Merged:
    """What `merge_changes` would do now."""
    stretches = _to_merge(tools, dataset, patience)
    return Merged(sum(len({change.file for change in stretch}) for stretch in stretches), len(stretches))


def _merge_first(tools: Tools, dataset: DatasetId, patience: Patience) -> int:
    """Merge the oldest changes that should be; returns how many files went, 0 when there was nothing to do."""
    stream = dataset_stream(dataset)
    expected = tools.ledger.head(stream)
    stretches = _to_merge(tools, dataset, patience)
    if not stretches:
        return 0
    wanted = {change.version for change in stretches[0]}
    rows = [row for row in versions.listing(tools.database, dataset) if row.version in wanted]
    event = _merged(tools, dataset, rows)
    failpoint("merge.before_commit")
    try:
        tools.ledger.append(stream, event, expected=expected)
    except LedgerConflict:
        tools.storage.remove(event.segment)
        raise
    failpoint("merge.after_commit")
    drop_anchor(tools, dataset_anchor(dataset), stream)
    for ref in event.replaced:
        tools.storage.remove(ref)
    return len(event.replaced)


def _to_merge(tools: Tools, dataset: DatasetId, patience: Patience) -> list[tuple[Change, ...]]:
    if any(
        run.comparison is None or run.dataset == dataset or dataset in run.registers
        for run in runs.all_unfinished(tools.database)
    ):
        return []
    gone = dropped_versions(tools, dataset)
    rows = [row for row in versions.listing(tools.database, dataset) if row.version not in gone]
    files = changes_files(tools, rows)
    changes = [
        Change(row.version, files[row.version].path, _shape(row), tools.storage.exists(row.snapshot))
        for row in rows
        if row.version in files and not {VERSION, UNTIL} & row.columns.keys()
    ]
    return to_merge(changes, rows[-1].version, patience) if rows else []


def _shape(row: VersionRow) -> tuple[object, ...]:
    return (row.key, tuple(row.columns.items()))


def _merged(tools: Tools, dataset: DatasetId, rows: list[VersionRow]) -> ChangesMerged:
    """Write what is in the files of some versions in one; raises `StorageError` when it would not hold every row."""
    first, last = rows[0].version, rows[-1].version
    parts, replaced = [], list[SegmentRef]()
    with tools.compute.session() as session:
        for event, some in by_file(rows, merged_changes(tools, dataset)):
            if event is None:
                own = [row.changes for row in some if row.changes is not None]
                replaced += own
                parts += _numbered(tools, session, own, some[0].version)
            else:
                replaced.append(event.segment)
                parts.append(session.table(tools.storage.local(event.segment)))
        with tools.storage.writing(version_folder(dataset), f"{first:08d}-changes-to-{last:08d}") as draft:
            session.write(merged_rows(parts, rows[0].key), draft.local, KEPT_LEVEL)
    if draft.ref.rows != sum(tools.storage.current(ref).rows for ref in replaced):
        tools.storage.remove(draft.ref)
        raise StorageError(f"Changes of versions {first} to {last} of {dataset} could not be put together in one file")
    return ChangesMerged(dataset=dataset, first=first, last=last, segment=draft.ref, replaced=tuple(replaced))


def _numbered(tools: Tools, session: Session, refs: list[SegmentRef], first: VersionNumber) -> list[Table]:
    """The rows of change segments of versions that follow one another from ``first`` on, with the version as `VERSION`."""
    tables = session.layered([tools.storage.local(ref) for ref in refs], PLACE)
    return [table.mutate(**{VERSION: table[PLACE].cast("int64") + int(first)}).drop(PLACE) for table in tables]
