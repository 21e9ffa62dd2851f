"""Seats for calls: how many may be under way at once, of those that all runs of an account share.

The shares are passed in and asked in a thread: every `ASK_SECONDS` while any are held or wanted, and at once when more
are wanted than were asked for. Between that, a call costs no query.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Protocol

from destinations.base import Unavailable
from engine.clock import Clock
from engine.core.shares import HOLD_SECONDS
from engine.delivery.pacer import SEATS_TAKEN, WAIT_SECONDS_MAX

ASK_SECONDS = 0.5
NO_SEAT = "other runs make as many calls at once as are declared"


class Shares(Protocol):
    """What all runs share; see `engine.ledger.shares.AccountShares`."""

    def ask(self, wanted: int, in_flight: int) -> int:
        """Up to how many calls may be started, while no more than ``in_flight`` are under way."""
        ...

    def leave(self) -> None:
        """Let others have the share; only for a holder with no call under way."""
        ...


class Seating(Protocol):
    """Where a call takes a seat, and leaves it when it is answered."""

    async def take(self) -> Unavailable | None:
        """Wait for a seat; says why when there is none soon."""
        ...

    def leave(self) -> None:
        """Let the next call have the seat."""
        ...

    async def close(self) -> None:
        """Give up all seats; only when none is taken."""
        ...


class AnySeat:
    """For an account of which nobody declared how many calls it takes at once."""

    async def take(self) -> None:
        """There is one."""

    def leave(self) -> None:
        """Nobody waits for it."""

    async def close(self) -> None:
        """None is held."""


ANY_SEAT = AnySeat()


class Seats:
    """One run's seats; those who wait get them in the order in which they came."""

    def __init__(self, shares: Shares, clock: Clock, wait_seconds_max: float = WAIT_SECONDS_MAX) -> None:
        self._shares = shares
        self._clock = clock
        self._wait_seconds_max = wait_seconds_max
        self._line: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._limit = 0
        self._limit_ends = 0.0
        self._peak = 0
        """The most that were wanted at once since the last question, so that a short pause gives nothing away."""
        self._asked_for = 0
        self._more = asyncio.Event()
        self._is_closing = False
        self._asking: asyncio.Task[None] | None = None

    async def take(self) -> Unavailable | None:
        """Wait for a seat; says why when there is none soon."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_on())
            self._asking.add_done_callback(self._give_up)
        elif self._asking.done():
            self._asking.result()
        seat: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(seat)
        self._peak = max(self._peak, self._wanted)
        if self._wanted > self._asked_for:
            self._more.set()
        self._admit()
        try:
            async with asyncio.timeout(self._wait_seconds_max):
                await seat
        except TimeoutError:
            self._forget(seat)
            return Unavailable(SEATS_TAKEN, NO_SEAT, applied_unknown=False)
        except asyncio.CancelledError:
            self._forget(seat)
            raise
        return None

    def leave(self) -> None:
        """Let the next call have the seat."""
        self._in_flight -= 1
        self._admit()

    async def close(self) -> None:
        """Give up all seats; only when none is taken."""
        if self._asking is None:
            return
        self._is_closing = True
        self._more.set()
        await asyncio.wait({self._asking})
        await asyncio.to_thread(self._shares.leave)

    @property
    def _wanted(self) -> int:
        return self._in_flight + len(self._line)

    def _admit(self) -> None:
        limit = self._limit if self._clock.monotonic() < self._limit_ends else 0
        while self._line and self._in_flight < limit:
            seat = self._line.popleft()
            if not seat.done():
                self._in_flight += 1
                seat.set_result(None)

    def _forget(self, seat: asyncio.Future[None]) -> None:
        """Of one who waits no longer; a seat that came at the last moment is left again."""
        if seat in self._line:
            self._line.remove(seat)
        elif not seat.cancelled() and seat.exception() is None:
            self.leave()

    async def _ask_on(self) -> None:
        while not self._is_closing:
            self._more.clear()
            if self._limit or self._asked_for or self._wanted:
                await self._ask()
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._more.wait()

    async def _ask(self) -> None:
        """Ask for what is wanted; until the answer is there, no more are under way than it was told."""
        self._asked_for, self._peak = max(self._peak, self._wanted), self._wanted
        asked_at, self._limit = self._clock.monotonic(), self._in_flight
        self._limit = await asyncio.to_thread(self._shares.ask, self._asked_for, self._in_flight)
        self._limit_ends = asked_at + HOLD_SECONDS
        self._admit()

    def _give_up(self, asking: asyncio.Task[None]) -> None:
        """Whoever waits learns that the shares cannot be asked."""
        error = None if asking.cancelled() else asking.exception()
        while self._line:
            seat = self._line.popleft()
            if not seat.done() and error is not None:
                seat.set_exception(error)
