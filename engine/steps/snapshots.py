"""Any kept version as a table: its snapshot when it has one, else the nearest older one plus change segments."""

from __future__ import annotations

from ibis.expr.types import Table

from engine.core.diff import version_rows
from engine.core.names import DatasetId, SegmentRef, VersionNumber
from engine.errors import StorageError
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.steps.changes import changes_to, every_change, merged_changes
from engine.steps.dropped import dropped_versions, not_kept
from engine.steps.facts import Tools


def version_folder(dataset: DatasetId) -> str:
    """Where the segments of a dataset's versions stand, below the storage root."""
    return f"datasets/{dataset}/versions"


def drop_candidate(tools: Tools, *refs: SegmentRef | None) -> None:
    """Remove the files of a candidate that no event names, or none that counts any more."""
    for ref in refs:
        if ref is not None:
            tools.storage.remove(ref)


def snapshot_table(tools: Tools, session: Session, dataset: DatasetId, version: VersionNumber) -> Table:
    """The rows of ``version``, exactly as they were captured.

    Raises `ConfigurationError` when the version is not kept any more, `StorageError` when there never was one, and
    `SegmentDamaged` when a file is not what the ledger names.
    """
    listed = {row.version: row for row in versions.listing(tools.database, dataset)}
    if version not in listed:
        raise StorageError(
            f"Version {version} of {dataset} is not in the ledger",
            where=str(dataset),
            next=f"see `tidegate versions {dataset.split('@')[0]}`",
        )
    if (drop := dropped_versions(tools, dataset).get(version)) is not None:
        raise not_kept(dataset, version, drop)
    later: list[VersionRow] = []
    at = version
    while not _has_snapshot(tools, listed[at]):
        row = listed[at]
        if row.changes is None:
            tools.storage.local(row.snapshot)
        later.append(row)
        at = VersionNumber(at - 1)
    base = session.table(tools.storage.local(listed[at].snapshot))
    segments = changes_to(tools, session, later[::-1], merged_changes(tools, dataset))
    rows = version_rows(base, segments, listed[version].key)
    return session.named(rows) if segments else rows


def change_tables(
    tools: Tools, session: Session, dataset: DatasetId, after: VersionNumber, last: VersionNumber
) -> list[Table]:
    """The rows that changed with any version behind ``after`` up to ``last``, oldest first; a key may come more than once.

    Raises `ConfigurationError` when one of them is not kept any more.
    """
    for version, drop in sorted(dropped_versions(tools, dataset).items()):
        if after < version <= last:
            raise not_kept(dataset, version, drop)
    between = [row for row in versions.listing(tools.database, dataset) if after < row.version <= last]
    return every_change(tools, session, between, merged_changes(tools, dataset))


def rows_since(
    tools: Tools, session: Session, dataset: DatasetId, after: VersionNumber, version: VersionNumber, rows: Table
) -> Table:
    """Of the ``rows`` of ``version``, those that changed behind the version ``after``; nothing else of it is read.

    Raises `ConfigurationError` when changes between are not kept any more.
    """
    between = [row for row in versions.listing(tools.database, dataset) if after < row.version <= version]
    segments = changes_to(tools, session, between, merged_changes(tools, dataset))
    return session.named(version_rows(rows.limit(0), segments, between[-1].key))


def _has_snapshot(tools: Tools, row: VersionRow) -> bool:
    return tools.storage.exists(row.snapshot)
