"""Where the changes of versions are stored: each in a file of its own, or with its neighbours in a merged one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ibis.expr.types import Table

from engine.core.diff import PLACE
from engine.core.events import ChangesMerged
from engine.core.merged import changes_between, changes_until
from engine.core.names import DatasetId, SegmentRef, VersionNumber, dataset_stream
from engine.ledger.projections.versions import VersionRow
from engine.ledger.recorded import told
from engine.segments.compute import Session
from engine.steps.facts import Tools


def merged_changes(tools: Tools, dataset: DatasetId) -> Mapping[VersionNumber, ChangesMerged]:
    """By version, the event that names the file in which its changes stand with those of others."""
    found = dict[VersionNumber, ChangesMerged]()
    for fact in told(tools.database, dataset_stream(dataset), ChangesMerged):
        if isinstance(fact.event, ChangesMerged):
            numbers = range(fact.event.first, fact.event.last + 1)
            found |= dict.fromkeys(map(VersionNumber, numbers), fact.event)
    return found


def changes_files(tools: Tools, rows: Sequence[VersionRow]) -> dict[VersionNumber, SegmentRef]:
    """By version, the file in which its changes stand; a first version has none."""
    merged = merged_changes(tools, rows[0].dataset) if rows else {}
    found = dict[VersionNumber, SegmentRef]()
    for row in rows:
        if row.changes is not None:
            found[row.version] = merged[row.version].segment if row.version in merged else row.changes
    return found


def by_file(
    rows: Iterable[VersionRow], merged: Mapping[VersionNumber, ChangesMerged]
) -> Iterator[tuple[ChangesMerged | None, list[VersionRow]]]:
    """Versions in their order, those that follow one another in one merged file together, and those in none."""
    for event, some in itertools.groupby(rows, key=lambda row: merged.get(row.version)):
        yield event, list(some)


def changes_to(
    tools: Tools, session: Session, rows: list[VersionRow], merged: Mapping[VersionNumber, ChangesMerged]
) -> list[Table]:
    """The change segments, oldest first, that lead from the version before ``rows`` to the last of them."""
    tables = list[Table]()
    for event, some in by_file(rows, merged):
        if event is None:
            tables += session.layered([_own(tools, row) for row in some], PLACE)
        else:
            segment = session.table(tools.storage.local(event.segment))
            tables.append(changes_until(segment, VersionNumber(rows[0].version - 1), rows[-1].version))
    return tables


def every_change(
    tools: Tools, session: Session, rows: list[VersionRow], merged: Mapping[VersionNumber, ChangesMerged]
) -> list[Table]:
    """All rows that changed with any of some versions that follow one another, oldest first; a key may come often."""
    tables = list[Table]()
    for event, some in by_file(rows, merged):
        if event is None:
            tables += [session.table(_own(tools, row)) for row in some if row.changes is not None]
        else:
            segment = session.table(tools.storage.local(event.segment))
            tables.append(changes_between(segment, VersionNumber(some[0].version - 1), some[-1].version))
    return tables


def _own(tools: Tools, row: VersionRow) -> Path:
    assert row.changes is not None, "only a first version has no change segment, and nothing leads to it"
    return tools.storage.local(row.changes)
