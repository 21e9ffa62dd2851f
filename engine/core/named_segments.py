"""Which segments an event names, at whatever depth: what no event names does not exist."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from engine.core.events import ErasedSegment, Event
from engine.core.names import SegmentRef


def named_segments(event: Event) -> Iterator[SegmentRef]:
    """Every segment that an event names, also within its parts.

    Not what an erasure replaced, which must not be there any more, nor what took its place: that stands for what another
    event names.
    """
    for field in dataclasses.fields(event):
        yield from _refs(getattr(event, field.name))


def _refs(value: Any) -> Iterator[SegmentRef]:  # a field of any event
    if isinstance(value, ErasedSegment):
        return
    if isinstance(value, SegmentRef):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _refs(item)
    elif isinstance(value, Mapping):
        yield from _refs(tuple(value.values()))
    elif dataclasses.is_dataclass(value):
        yield from _refs(tuple(getattr(value, field.name) for field in dataclasses.fields(value)))
