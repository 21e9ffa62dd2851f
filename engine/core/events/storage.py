"""Events about the ledger and the files beside it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.events.event import Event
from engine.core.names import Digest, SyncId


@dataclass(frozen=True, slots=True)
class LostEvent:
    """An event that an anchor of the storage names; ``ledger`` is the hash of the first event of the anchor's ledger."""

    anchor: str
    ledger: Digest
    stream: str
    position: int
    hash: Digest


@dataclass(frozen=True, slots=True)
class FilesCollected(Event):
    """Files below ``folder`` that no event names, and their ``bytes``, are removed; a write from before does not count."""

    type = "storage.files_collected"
    folder: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RegressionAccepted(Event):
    """A person let runs go on from a ledger that went back in time; ``unreadable`` are anchors that name nothing."""

    type = "ledger.regression_accepted"
    reason: str
    lost: tuple[LostEvent, ...]
    unreadable: tuple[str, ...]
    doubted: tuple[SyncId, ...]
