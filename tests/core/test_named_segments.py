"""What an event names is what must be there; what an erasure replaced is not, and must not count as named."""

from __future__ import annotations

from engine.core.events import ErasedSegment, LegalHoldPlaced, SegmentsErased, VersionsDropped
from engine.core.named_segments import named_segments
from engine.core.names import DatasetId, Digest, SegmentRef, VersionNumber

BEFORE, AFTER = (SegmentRef(path=f"{name}.parquet", digest=Digest(name), rows=1, bytes=1) for name in ("old", "new"))


def test_what_an_erasure_replaced_is_named_by_nobody() -> None:
    erased = SegmentsErased(through=1, segments=(ErasedSegment(BEFORE, AFTER),))
    assert list(named_segments(erased)) == []


def test_segments_are_found_in_the_parts_of_an_event_and_an_event_without_any_names_none() -> None:
    dropped = VersionsDropped(
        dataset=DatasetId("people@1"), versions=(VersionNumber(1),), segments=(BEFORE, AFTER), rule=""
    )
    assert list(named_segments(dropped)) == [BEFORE, AFTER]
    assert list(named_segments(LegalHoldPlaced(DatasetId("people@1"), VersionNumber(1), "asked for"))) == []
