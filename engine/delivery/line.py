"""The line before an account for calls of one kind: the slice of the budget that it is in, and the one that comes after."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from engine.core.breaker import Shut
from engine.core.pace import Slice
from engine.core.quota import NOTHING_UNUSED, Unused, UsedUp

AHEAD_SECONDS = 0.2
"""How long before the end of a slice the next one is asked for, so that no call waits for the answer."""
_TINY = 1e-5
"""Below it, in seconds or units, lies what sums of times since 1970 lose."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the budget said, and when by our clock a slice of it starts; ``drops`` as the line's were when it was asked."""

    given: Slice | Shut | UsedUp
    drops: int
    start: float = 0.0
    is_good: bool = False


@dataclass(slots=True)
class Lead:
    """By how much the budget's clock is ahead of ours, as far as questions and answers tell: at least so much.

    An answer takes its time, on PostgreSQL and on a busy machine, and a slice that were counted from its arrival would
    end in somebody else's.
    """

    seconds: float = -math.inf

    def start(self, given: Slice, asked_at: float, told_at: float) -> float:
        """When the slice starts by our clock, or a little later, by no more than the quickest answer took."""
        if given.at - told_at > self.seconds or self.seconds > given.at - asked_at:
            # The answer was quicker than those before, or one of the clocks was set.
            self.seconds = given.at - told_at
        return given.at + given.starts_in - self.seconds


@dataclass(slots=True)
class Line:
    """What is left of the slice of one unit, in monotonic seconds; ``left`` units of it, of the quota of ``day``."""

    free_at: float = 0.0
    ends: float = -1.0
    interval: float = 0.0
    left: float = 0.0
    day: float = 0.0
    each: int = 0
    """How many calls the slice held at its start."""
    drops: int = 0
    """How often all that was given before was made void."""
    waiting: int = 0
    """How many callers wait for a place or for their time."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    ahead: asyncio.Task[Asked] | None = None
    """The question for the slice after this one, where it was asked before this one ended."""

    def place(self, units: float, now: float) -> float | None:
        """When ``units`` may leave, or None when the slice does not hold them.

        A call that comes late by less than an interval does not delay those behind it.
        """
        start = max(self.free_at, now - self.interval)
        after = start + units * self.interval
        if now > self.ends or after > self.ends + _TINY or units > self.left + _TINY:
            return None
        self.free_at = after
        self.left -= units
        return max(start, now)

    def go_on(self, given: Slice, start: float) -> None:
        """Go on within another slice."""
        self.free_at, self.ends, self.interval = start, start + given.lasts, given.interval
        self.each = round(given.lasts / given.interval) if given.interval else 0

    def drop(self) -> None:
        """What was given before is good no more."""
        self.ends = -1.0
        self.drops += 1

    def is_ending(self, now: float) -> bool:
        """Whether it is time to ask for the next slice; not of a day's quota, of which a lease is returned with the question."""
        return not self.day and self.interval > 0 and self.ends - now < AHEAD_SECONDS

    def unused(self) -> Unused:
        """What is left of the quota's lease, which this line gives up."""
        left, self.left = self.left, 0.0
        return Unused(left, self.day) if self.day and left > _TINY else NOTHING_UNUSED
