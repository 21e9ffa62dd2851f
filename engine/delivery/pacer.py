"""The line before an account: when the next call may leave, within slices of a budget that others share.

The budget is passed in and asked in a thread, once a slice; between that, a call costs no query.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

from destinations.base import Unavailable
from engine.clock import Clock
from engine.core.breaker import Shut
from engine.core.pace import SLICE_SECONDS, Slice
from engine.core.quota import NOTHING_UNUSED, Unused, UsedUp, moment, used_up
from engine.delivery.line import Asked, Lead, Line
from engine.delivery.window import Pacing

REQUESTS, RECORDS, BYTES = "requests", "records", "bytes"
CIRCUIT_OPEN, HELD, QUOTA_USED, SEATS_TAKEN = "circuit_open", "held", "quota_used", "seats_taken"
WITHHELD = "withheld"
LOCAL_CODES = frozenset({CIRCUIT_OPEN, HELD, QUOTA_USED, SEATS_TAKEN, WITHHELD})
"""Codes of `Unavailable` by which we ourselves refused a call: the destination saw nothing and failed nothing."""
WAIT_SECONDS_MAX = 600.0
"""The longest wait for a turn; a destination that wants more silence than that ends the run and is asked by the next."""
OBSERVED_SECONDS = 1.0
AT_ONCE_SECONDS = 0.1
"""A slice that begins later than this is looked at again just before: others may have been asked for silence meanwhile."""


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


class Pacer:
    """One run's calls to one account; ``limited`` names the units beside requests that have a pace."""

    def __init__(self, budget: Budget, clock: Clock, limited: Collection[str] = ()) -> None:
        self._budget = budget
        self._clock = clock
        self._lines = {unit: Line() for unit in (REQUESTS, *limited)}
        self._lead = Lead()
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

    def pacing(self) -> Pacing | None:
        """How calls leave now; None when nothing paces them, or before the first."""
        line = self._lines[REQUESTS]
        if not line.interval:
            return None
        left = max(0, int((line.ends - max(line.free_at, self._clock.monotonic())) / line.interval))
        return Pacing(1.0 / line.interval, line.each, left)

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

    async def _waited(self, unit: str, line: Line, units: float) -> Unavailable | None:
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

    async def _renew(self, unit: str, line: Line, units: float) -> Unavailable | None:
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
            line.go_on(given, asked.start)
        return None

    async def _asked(self, unit: str, line: Line, units: float) -> Asked:
        """The next slice, once it starts or soon before."""
        drops, asked_at = line.drops, self._clock.monotonic()
        unused = line.unused() if line.day else NOTHING_UNUSED
        given = await asyncio.to_thread(self._budget.slice, unit, units, unused)
        now = self._clock.monotonic()
        if not isinstance(given, Slice) or given.starts_in > WAIT_SECONDS_MAX:
            return Asked(given, drops)
        start, is_good = self._lead.start(given, asked_at, now), True
        if start - now > AT_ONCE_SECONDS:
            await self._clock.sleep(start - now - AT_ONCE_SECONDS)
            is_good = await asyncio.to_thread(self._budget.is_still_good, given)
        return Asked(given, drops, start, is_good)

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
