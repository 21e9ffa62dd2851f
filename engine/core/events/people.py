"""Events about consent, suppression and erasure; none says who."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.events.event import Event
from engine.core.names import Digest, SegmentRef


@dataclass(frozen=True, slots=True)
class ConsentDecided(Event):
    """Decisions were recorded; ``segments`` hold all that ever were, ``origin`` says how these came.

    The counts are of the new ones; whom they are about stands in the segments only.
    """

    type = "consent.decided"
    segments: tuple[SegmentRef, ...]
    origin: str
    granted: int
    refused: int


@dataclass(frozen=True, slots=True)
class ErasureRequested(Event):
    """People are to be forgotten; from here on nothing about them is sent, whatever the registers say.

    ``tombstones`` are HMACs of their subjects under the key that ``key`` recognises. ``due`` is until when every
    destination must have removed them, ISO 8601.
    """

    type = "erasure.requested"
    request: str
    key: str
    tombstones: tuple[str, ...]
    reason: str
    due: str


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Whom nothing may be sent to, by hashes in ``segment``; ``destination`` is None where that holds for all.

    ``entries`` counts people as the list knows them: by addresses, numbers or ids, as ``kind`` says.
    """

    name: str
    kind: str
    destination: str | None
    entries: int
    segment: SegmentRef


@dataclass(frozen=True, slots=True)
class SuppressionChanged(Event):
    """Entries of the list ``name`` were added or removed; ``lists`` are all that count from here on.

    Whom an entry is about stands in no event, and as a hash in the segments only.
    """

    type = "suppression.changed"
    lists: tuple[SuppressionList, ...]
    name: str
    added: int
    removed: int
    reason: str


@dataclass(frozen=True, slots=True)
class ErasedSegment:
    """``after`` holds what ``before`` held, but for whoever is forgotten."""

    before: SegmentRef
    after: SegmentRef


@dataclass(frozen=True, slots=True)
class SegmentsErased(Event):
    """The segments that this stream names hold nobody any more whom the first ``through`` requests are about.

    But for those of a sync whose removal a destination owes: their keys stay until it is acknowledged.
    """

    type = "segments.erased"
    through: int
    segments: tuple[ErasedSegment, ...]


@dataclass(frozen=True, slots=True)
class ErasureReported(Event):
    """A request was carried out as far as it could be; ``report`` is the digest of what was signed.

    ``owed`` counts records that destinations have not acknowledged the removal of, ``open`` what else is left to do.
    """

    type = "erasure.reported"
    request: str
    report: Digest
    owed: int
    open: int

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return not self.owed and not self.open
