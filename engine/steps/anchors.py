"""Anchors beside the segments: how far the ledger had come, so that one that went back in time is recognised.

Each sync has one anchor, which only the holder of its lease writes, and each dataset one. An anchor is written after
its event is committed and before anything leaves that rests on it, so it is never ahead of the ledger, and the ledger is
never behind it unless it lost events.
"""

from __future__ import annotations

from engine.core.names import DatasetId, StreamId, SyncId
from engine.errors import LedgerRegressed
from engine.failpoints import failpoint
from engine.ledger.anchor import Anchor, Gap, Unreadable, decode, encode, gaps, identity, newest
from engine.segments.files import Storage
from engine.steps.facts import Tools

FOLDER = "anchors"
_SUFFIX = ".json"
_SYNC = "sync."


def sync_anchor(sync: SyncId) -> str:
    """The name of the anchor of ``sync``: its runs and folds."""
    return f"{_SYNC}{sync}"


def dataset_anchor(dataset: DatasetId) -> str:
    """The name of the anchor of ``dataset``: its versions."""
    return f"dataset.{dataset}"


def anchored_sync(name: str) -> SyncId | None:
    """The sync that the anchor ``name`` is of; None for a dataset's."""
    return SyncId(name.removeprefix(_SYNC)) if name.startswith(_SYNC) else None


def drop_anchor(tools: Tools, name: str, stream: StreamId) -> None:
    """Write down outside the ledger that it holds the newest event of ``stream``; returns when that is durable.

    Only behind `check_anchors`: an anchor that moves takes along what it knew of a ledger that went back in time.
    """
    anchor = newest(tools.database, stream)
    failpoint("anchor.before_write")
    tools.storage.put_note(f"{FOLDER}/{name}{_SUFFIX}", encode(anchor))


def anchor_gaps(tools: Tools) -> tuple[Gap, ...]:
    """The anchors of this storage that the ledger does not answer.

    The anchors are read before the ledger, so that one that another process writes meanwhile is no gap.
    """
    return gaps(tools.database, stored_anchors(tools.storage))


def stored_anchors(storage: Storage) -> dict[str, Anchor | Unreadable]:
    """The anchors of a storage, by name."""
    notes = storage.notes(FOLDER, _SUFFIX)
    return {name.removesuffix(_SUFFIX): decode(content) for name, content in notes.items()}


def check_anchors(tools: Tools) -> None:
    """Return when the ledger holds every event that this storage knows of; raise `LedgerRegressed` when it does not.

    Called before anything is read from a source, decided, written or sent. A storage without anchors has seen no ledger yet.
    """
    found = anchor_gaps(tools)
    if not found:
        return
    first = max(found, key=lambda gap: gap.anchor.sequence if isinstance(gap.anchor, Anchor) else 0)
    what, way_out = _told(first.anchor, tools)
    raise LedgerRegressed(
        what,
        where=f"{FOLDER}/{first.name}{_SUFFIX} in the storage",
        safe="Nothing was read from a source, written or sent.",
        next=f"{way_out}; when that is lost, `tidegate ledger accept-regression` says what going on without it means",
    )


def _told(anchor: Anchor | Unreadable, tools: Tools) -> tuple[str, str]:
    """What is wrong, and the way back."""
    if isinstance(anchor, Unreadable):
        return "How far the ledger had come cannot be read", "restore that file from a backup of the storage"
    lost = f"event {anchor.sequence} ({anchor.stream} position {anchor.position})"
    ledger = identity(tools.database)
    if ledger is None:
        return f"The ledger is empty, and one that held {lost} wrote to this storage", "restore that ledger"
    if ledger != anchor.ledger:
        what = f"This is not the ledger that wrote to this storage: it does not hold {lost}"
        return what, "use the ledger and the storage of one environment"
    return f"The ledger went back in time: it once held {lost}, and does not now", "restore the newer ledger"
