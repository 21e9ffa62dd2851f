"""The line before an account: when the next call may leave, within slices of a budget that others share.

The budget is passed in and asked in a thread, once a slice; between that, a call costs no query.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from destinations.base import Unavailable
from engine.clock import Clock
from engine.core.breaker import Shut
from engine.core.pace import SLICE_SECONDS, Slice
from engine.core.quota import NOTHING_UNUSED, Unused, UsedUp, moment, used_up

REQUESTS, RECORDS, BYTES = "requests", "records", "bytes"
CIRCUIT_OPEN, HELD, QUOTA_USED, SEATS_TAKEN = "circuit_open", "held", "quota_used", "seats_taken"
LOCAL_CODES = frozenset({CIRCUIT_OPEN, HELD, QUOTA_USED, SEATS_TAKEN})
"""Codes of `Unavailable` by which we ourselves refused a call: the destination saw nothing and failed nothing."""
WAIT_SECONDS_MAX = 600.0
"""The longest wait for a turn; a destination that wants more silence than that ends the run and is asked by the next."""
OBSERVED_SECONDS = 1.0
AT_ONCE_SECONDS = 0.1
"""A slice that begins later than this is looked at again just before: others may have been asked for silence meanwhile."""
AHEAD_SECONDS = 0.2
"""How long before the end of a slice the next one is asked for, so that no call waits for the answer."""
_TINY = 1e-5
"""Below it, in seconds or units, lies what sums of times since 1970 lose."""


class Budget(Protocol):
    """What everybody who uses an account shares; see `engine.ledger.budget.AccountBudget`."""

    def slice(self, unit: str, units: float, unused: Unused) -> Slice | Shut | UsedUp:
        """The next slice of at least ``units``, once ``unused`` ones of an earlier slice are returned."""
        ...

    def is_still_good(self, given: Slice) -> bool:
        """Whether a slice whose turn has come may be used."""
        ...

    def give_back(self, unit: str, unused: Unused) -> None:
        """Units of a slice that will not be sent."""
        ...

    def throttled(self, observed: float, wait_seconds: float) -> None:
        """A call was throttled."""
        ...

    def hold(self, wait_seconds: float) -> None:
        """The destination wants silence."""
        ...

    def failed(self) -> None:
        """A call was not answered."""
        ...

    def answered(self) -> None:
        """A call was answered after others were not."""
        ...


class Unlimited:
    """The budget of a caller that shares nothing and is not limited, such as a check by a person."""

    def slice(self, unit: str, units: float, unused: Unused) -> Slice:
        del unit, units, unused
        return Slice(0.0, math.inf, 0.0, SLICE_SECONDS)

    def is_still_good(self, given: Slice) -> bool:
        del given
        return True

    def give_back(self, unit: str, unused: Unused) -> None:
        """Nothing was leased."""

    def throttled(self, observed: float, wait_seconds: float) -> None:
        """Nothing is learned."""

    def hold(self, wait_seconds: float) -> None:
        """Nothing is held."""

    def failed(self) -> None:
        """Nothing is counted."""

    def answered(self) -> None:
        """Nothing is counted."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the budget said, and when by our clock a slice of it starts; ``drops`` as the line's were when it was asked."""

    given: Slice | Shut | UsedUp
    drops: int
    start: float = 0.0
    is_good: bool = False


@dataclass(slots=True)
class _Lead:
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
class _Line:
    """What is left of the slice of one unit, in monotonic seconds; ``left`` units of it, of the quota of ``day``."""

    free_at: float = 0.0
    ends: float = -1.0
    interval: float = 0.0
    left: float = 0.0
    day: float = 0.0
    drops: int = 0
    waiting: int = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    ahead: asyncio.Task[_Asked] | None = None
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


class Pacer:
    """One run's calls to one account; ``limited`` names the units beside requests that have a pace."""

    def __init__(self, budget: Budget, clock: Clock, limited: Collection[str] = ()) -> None:
        self._budget = budget
        self._clock = clock
        self._lines = {unit: _Line() for unit in (REQUESTS, *limited)}
        self._lead = _Lead()
        self._recent: deque[float] = deque()
        self._suspect = False

    async def turn(self, unit: str = REQUESTS, units: float = 1.0) -> Unavailable | None:
        """Wait until ``units`` may leave; says why when they may not leave soon. At once for a unit without a pace."""
        line = self._lines.get(unit)
        if line is None:
            return None
        line.waiting += 1
        try:
            async with line.asking:
                return await self._waited(unit, line, units)
        finally:
            line.waiting -= 1

    def rate(self) -> float | None:
        """Calls per second in the newest slice; None when nothing paces them, or before the first."""
        interval = self._lines[REQUESTS].interval
        return 1.0 / interval if interval else None

    async def close(self) -> None:
        """Return what was leased of a day and not used."""
        for unit, line in self._lines.items():
            if line.ahead is not None:
                line.ahead.cancel()
                await asyncio.gather(line.ahead, return_exceptions=True)
            if (unused := line.unused()) != NOTHING_UNUSED:
                await asyncio.to_thread(self._budget.give_back, unit, unused)

    async def throttled(self, wait: timedelta | None) -> None:
        """The destination asks for fewer calls, and perhaps for silence."""
        self._suspect = True
        self._drop()
        await asyncio.to_thread(self._budget.throttled, self._observed(), _seconds(wait))

    async def exhausted(self, wait: timedelta) -> None:
        """The destination answered, and says that no call is left for a while."""
        self._drop()
        await asyncio.to_thread(self._budget.hold, _seconds(wait))

    async def failed(self, wait: timedelta | None) -> None:
        """The destination did not answer, or answered that it cannot."""
        self._suspect = True
        await asyncio.to_thread(self._budget.failed)
        if wait is not None:
            await self.exhausted(wait)

    async def answered(self) -> None:
        """The destination answered, whatever it said."""
        if self._suspect:
            self._suspect = False
            await asyncio.to_thread(self._budget.answered)

    async def _waited(self, unit: str, line: _Line, units: float) -> Unavailable | None:
        # Again when a new slice has ended before it was looked at: this process may have been stopped meanwhile.
        while (place := line.place(units, self._clock.monotonic())) is None:
            refusal = await self._renew(unit, line, units)
            if refusal is not None:
                return refusal
        # Only of requests, all of which are alike: a slice that does not hold the next batch's records would be lost.
        if unit == REQUESTS and line.waiting > 1 and line.ahead is None and line.is_ending(self._clock.monotonic()):
            line.ahead = asyncio.create_task(self._asked(unit, line, units))
        # Whoever is behind gets a place when this one leaves: calls that were held up together leave one by one.
        if (wait := place - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)
        if unit == REQUESTS:
            self._count()
        return None

    async def _renew(self, unit: str, line: _Line, units: float) -> Unavailable | None:
        """Go on within the next slice, unless it is good no more when its time comes; or say why there is none."""
        ahead, line.ahead = line.ahead, None
        asked = await (ahead or self._asked(unit, line, units))
        given = asked.given
        if isinstance(given, Shut):
            wait = timedelta(seconds=given.wait_seconds)
            return Unavailable(CIRCUIT_OPEN, "it did not answer before; a probe will tell", False, wait)
        if isinstance(given, UsedUp):
            wait = timedelta(seconds=given.resets_at - self._clock.now().timestamp())
            return Unavailable(QUOTA_USED, used_up(unit, given), False, max(wait, timedelta(0)))
        line.left, line.day, line.ends = given.units, given.day, -1.0
        if given.starts_in > WAIT_SECONDS_MAX:
            until = moment(self._clock.now().timestamp() + given.starts_in)
            wait = timedelta(seconds=given.starts_in)
            return Unavailable(HELD, f"it asked for no calls until {until}", False, wait)
        self._suspect = self._suspect or given.suspect
        if asked.is_good and asked.drops == line.drops:
            line.free_at, line.ends, line.interval = asked.start, asked.start + given.lasts, given.interval
        return None

    async def _asked(self, unit: str, line: _Line, units: float) -> _Asked:
        """The next slice, once it starts or soon before."""
        drops, asked_at = line.drops, self._clock.monotonic()
        unused = line.unused() if line.day else NOTHING_UNUSED
        given = await asyncio.to_thread(self._budget.slice, unit, units, unused)
        now = self._clock.monotonic()
        if not isinstance(given, Slice) or given.starts_in > WAIT_SECONDS_MAX:
            return _Asked(given, drops)
        start, is_good = self._lead.start(given, asked_at, now), True
        if start - now > AT_ONCE_SECONDS:
            await self._clock.sleep(start - now - AT_ONCE_SECONDS)
            is_good = await asyncio.to_thread(self._budget.is_still_good, given)
        return _Asked(given, drops, start, is_good)

    def _drop(self) -> None:
        for line in self._lines.values():
            line.drop()

    def _count(self) -> None:
        now = self._clock.monotonic()
        self._recent.append(now)
        while self._recent[0] < now - OBSERVED_SECONDS:
            self._recent.popleft()

    def _observed(self) -> float:
        """Calls per second of late; a short burst counts as if it had lasted a quarter of a second."""
        if not self._recent:
            return 0.0
        return len(self._recent) / max(self._recent[-1] - self._recent[0], OBSERVED_SECONDS / 4)


def _seconds(wait: timedelta | None) -> float:
    return wait.total_seconds() if wait is not None else 0.0
