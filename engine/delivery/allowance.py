"""Which rows of a plan may still leave, as the loop that sends them asks before each window and before each call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from engine.core.names import Position, StreamId


@dataclass(frozen=True, slots=True)
class Withheld:
    """Rows that may not leave, in order, and how far the streams had come from which that was read."""

    rows: Sequence[int] = ()
    heads: Mapping[StreamId, Position] = field(default_factory=lambda: MappingProxyType({}))


class Allowance(Protocol):
    """Says which rows of a plan may not leave any more; see `engine.steps.last_mile.LastMile`."""

    async def withheld(self, first: int, last: int) -> Withheld:
        """Those from ``first`` to ``last``, both included."""
        ...


class AllMayLeave:
    """The allowance of a plan that needs nobody's consent."""

    async def withheld(self, first: int, last: int) -> Withheld:
        """None."""
        del first, last
        return Withheld()


ALL_MAY_LEAVE = AllMayLeave()
