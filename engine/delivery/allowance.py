"""Which rows of a plan may still leave, as the loop that sends them asks before each window and before each call."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from destinations.base import Unavailable
from engine.clock import Clock
from engine.core.names import Position, StreamId
from engine.core.split import Cut
from engine.delivery.pacer import WITHHELD

LOOK_SECONDS = 0.05
"""How long a look ahead of a call is good: a call that waited longer for a seat or its turn looks again."""


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


@dataclass(frozen=True, slots=True)
class Shrunk:
    """A call that was not made, because some of its rows may not leave any more."""

    withheld: Sequence[int]


class Look:
    """The look ahead of the calls of one attempt; ``rows`` are those that may not leave, by the newest."""

    def __init__(self, allowance: Allowance, cut: Cut, clock: Clock) -> None:
        self._allowance = allowance
        self._cut = cut
        self._clock = clock
        self._ends = -math.inf
        self.rows: Sequence[int] = ()

    async def _refuses(self) -> bool:
        self._ends = self._clock.monotonic() + LOOK_SECONDS
        self.rows = (await self._allowance.withheld(self._cut.first, self._cut.last)).rows
        return bool(self.rows)

    async def ahead(self) -> Unavailable | None:
        """Ask right before a call: why it must not be made, if so."""
        if self.rows or (self._clock.monotonic() > self._ends and await self._refuses()):
            return Unavailable(WITHHELD, "somebody may not be sent any more", applied_unknown=False)
        return None
