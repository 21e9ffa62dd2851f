"""Changes of versions that follow one another, put together in one file: which are, and how any version is read from it.

Many small files take more than one that is sorted by key, where rows of one key stand side by side, and take longer to read.
Nothing is lost: each row says with which version it came and with which the same key changed again.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import ibis
from ibis.expr.types import Table

from engine.core.names import VersionNumber
from engine.core.relations import union

VERSION = "_merged_version"
"""Column of a merged change segment: the version that the row came with."""
UNTIL = "_merged_until"
"""Column of a merged change segment: the version of it that changed the same key next; null where none did."""


@dataclass(frozen=True, slots=True)
class Patience:
    """When changes are merged.

    The ``fresh`` newest versions keep files of their own, for syncs plan from them and read little then. ``together`` files
    are worth a merge; what was merged before is written again with them.
    """

    fresh: int = 5
    together: int = 10


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Change:
    """A kept version, but for a first one, and the file with its changes, which it may share with its neighbours.

    ``shape`` says what its rows look like. Where it ``is_whole``, it needs no changes, and those after it rest on it.
    """

    version: VersionNumber
    file: str
    shape: Hashable
    is_whole: bool


def to_merge(
    changes: Sequence[Change], newest: VersionNumber, patience: Patience = PATIENCE
) -> list[tuple[Change, ...]]:
    """Which changes, given oldest first, belong in one file and are not.

    All from one whole version to the next do, once the next is not fresh any more; until then, those that are not fresh do as
    soon as enough of them stand alone.
    """
    found, oldest_fresh = [], newest - patience.fresh + 1
    for stretch in _stretches(changes):
        is_settled = stretch[-1].version < oldest_fresh
        settled = tuple(change for change in stretch if change.version < oldest_fresh)
        sizes = [len(list(same)) for _, same in itertools.groupby(settled, key=lambda change: change.file)]
        if len(sizes) > 1 and (is_settled or sizes.count(1) >= patience.together):
            found.append(settled)
    return found


def _stretches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Neighbours of one shape, up to the next whole version; a file that stands in two stretches is left out of both."""
    stretches = list[list[Change]]()
    before: Change | None = None
    for change in changes:
        follows = before is not None and before.version + 1 == change.version and before.shape == change.shape
        if not stretches or not follows or (before is not None and before.is_whole):
            stretches.append([])
        stretches[-1].append(change)
        before = change
    places = Counter(file for stretch in stretches for file in {change.file for change in stretch})
    split = {file for file, count in places.items() if count > 1}
    for stretch in stretches:
        for is_split, some in itertools.groupby(stretch, key=lambda change: change.file in split):
            if not is_split:
                yield list(some)


def merged_rows(parts: Sequence[Table], key: Sequence[str]) -> Table:
    """The rows of a merged change segment, in its order, from those of others and of changes that have `VERSION`."""
    every = union(*(part.drop(UNTIL) if UNTIL in part.columns else part for part in parts))
    window = ibis.window(group_by=list(key), order_by=every[VERSION])
    return every.mutate(**{UNTIL: every[VERSION].lead().over(window)}).order_by([*key, VERSION])


def changes_until(merged: Table, after: VersionNumber, version: VersionNumber) -> Table:
    """The newest change of each key behind version ``after`` up to ``version``, as change rows."""
    counts = (merged[VERSION] > after) & (merged[VERSION] <= version)
    return _plain(merged.filter(counts & (merged[UNTIL].isnull() | (merged[UNTIL] > version))))


def changes_between(merged: Table, after: VersionNumber, last: VersionNumber) -> Table:
    """Every change that came with a version behind ``after`` up to ``last``, as change rows."""
    return _plain(merged.filter((merged[VERSION] > after) & (merged[VERSION] <= last)))


def _plain(merged: Table) -> Table:
    return merged.drop(VERSION, UNTIL)
