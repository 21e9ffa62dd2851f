"""Syncs that write to the same place, which no sync can see by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from config.sync import SyncFile


def shared_objects(syncs: Iterable[SyncFile]) -> list[str]:
    """A warning for each object of a destination to which several of ``syncs`` write; it names their files."""
    writers: dict[tuple[str, str], list[str]] = defaultdict(list)
    for sync in syncs:
        writers[sync.destination, sync.object].append(sync.file)
    return [
        f"{' and '.join(sorted(files))} write to `{object}` of `{destination}`: each knows only what it delivered "
        "itself, and may delete or overwrite what another wants; give each record one sync"
        for (destination, object), files in writers.items()
        if len(files) > 1
    ]
