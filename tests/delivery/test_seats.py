"""Seats for calls: taken in order, given up when asked for, and never more than the shares allow."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest

from destinations.base import AllDelivered, Batch, Ended, Reply, Submitted, Transport, Unavailable
from destinations.base import Jobs as JobRules
from engine.clock import SystemClock
from engine.core.retry import RetryPolicy
from engine.delivery.attempt import Sender
from engine.delivery.pacer import SEATS_TAKEN
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.seats import Seats
from engine.errors import LedgerError
from tests.delivery.scripted import Scripted, ran, sender, whole


@dataclass
class Shares:
    """Shares of which a test says how many there are; ``asks`` are those that were wanted and under way."""

    limit: int
    asks: list[tuple[int, int]] = field(default_factory=list)
    left: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def ask(self, wanted: int, in_flight: int) -> int:
        assert self.gate.wait(10)
        self.asks.append((wanted, in_flight))
        return min(wanted, self.limit)

    def leave(self) -> None:
        self.left += 1


async def until(fact: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if fact():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come about")


def story(told: Callable[[Seats], Awaitable[None]], shares: Shares, wait_seconds_max: float = 10.0) -> None:
    async def whole_story() -> None:
        seats = Seats(shares, SystemClock(), wait_seconds_max)
        try:
            await told(seats)
        finally:
            await seats.close()

    ran(whole_story())


def test_calls_take_turns_at_the_seats_that_there_are_in_the_order_in_which_they_came() -> None:
    order, most = list[int](), list[int]()
    now = 0

    async def call(seats: Seats, number: int) -> None:
        nonlocal now
        assert await seats.take() is None
        now += 1
        order.append(number)
        most.append(now)
        await asyncio.sleep(0.002)
        now -= 1
        seats.leave()

    async def told(seats: Seats) -> None:
        await asyncio.gather(*(call(seats, number) for number in range(20)))

    story(told, Shares(2))

    assert order == list(range(20))
    assert max(most) == 2


def test_while_the_shares_are_asked_no_more_calls_are_under_way_than_they_were_told() -> None:
    shares = Shares(4)

    async def told(seats: Seats) -> None:
        assert await seats.take() is None
        shares.gate.clear()
        second = asyncio.create_task(seats.take())
        third = asyncio.create_task(seats.take())
        await until(lambda: seats._limit == 1)  # the question is under way
        assert (second.done(), third.done()) == (False, False)
        seats.leave()  # one of those that it was told of is over, so that one may begin
        await second
        assert not third.done()
        shares.gate.set()
        assert await third is None
        seats.leave()
        seats.leave()

    story(told, shares)


def test_a_run_without_calls_asks_for_none_and_leaves_at_its_end() -> None:
    shares = Shares(4)

    async def told(seats: Seats) -> None:
        assert await seats.take() is None
        seats.leave()
        await until(lambda: shares.asks[-1] == (0, 0))

    story(told, shares)

    assert shares.left == 1
    never = Shares(4)

    async def nothing(_: Seats) -> None: ...

    story(nothing, never)
    assert (never.asks, never.left) == ([], 0)


def test_who_waits_too_long_is_told_and_who_stops_waiting_takes_no_seat_away() -> None:
    shares = Shares(1)

    async def told(seats: Seats) -> None:
        assert await seats.take() is None
        refusal = await seats.take()
        assert isinstance(refusal, Unavailable)
        assert (refusal.code, refusal.applied_unknown) == (SEATS_TAKEN, False)
        waiting = asyncio.create_task(seats.take())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        given_at_the_last_moment = asyncio.create_task(seats.take())
        await asyncio.sleep(0)
        seats.leave()
        given_at_the_last_moment.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_at_the_last_moment
        assert await seats.take() is None
        seats.leave()

    story(told, shares, wait_seconds_max=0.05)


def test_an_error_of_the_ledger_reaches_whoever_waits_and_whoever_comes_later() -> None:
    class Broken(Shares):
        def ask(self, wanted: int, in_flight: int) -> int:
            raise LedgerError("The ledger's database failed.")

    async def told(seats: Seats) -> None:
        for _ in range(2):
            with pytest.raises(LedgerError):
                await seats.take()

    story(told, Broken(1))


@dataclass
class Counted:
    """Seats that are counted; ``held`` now."""

    held: int = 0
    taken: int = 0

    async def take(self) -> None:
        self.held += 1
        self.taken += 1

    def leave(self) -> None:
        self.held -= 1

    async def close(self) -> None:
        """None is held."""


def seated(destination: Scripted, seats: Counted) -> Sender:
    return sender(destination, SkippedClock(), policy=RetryPolicy(attempts=3), seats=seats)


def test_a_seat_is_held_during_each_call_and_not_between_attempts() -> None:
    seats, during = Counted(), list[int]()

    def script(_: Batch) -> Reply:
        during.append(seats.held)
        return AllDelivered() if len(during) == 3 else Unavailable("down", "later", applied_unknown=False)

    ran(seated(Scripted(script), seats).deliver(whole(1), 1))

    assert (during, seats.held, seats.taken) == ([1, 1, 1], 0, 3)


def test_a_job_takes_a_seat_for_each_question_and_none_while_it_runs() -> None:
    seats, during = Counted(), list[int]()

    class Jobs(Scripted):
        spec = replace(Scripted.spec, jobs=JobRules())

        async def poll(self, job: str, batch: Batch, transport: Transport) -> Ended:
            during.append(seats.held)
            return Ended(AllDelivered())

    ran(seated(Jobs(lambda _: Submitted("job-1")), seats).deliver(whole(1), 1))

    assert (during, seats.held, seats.taken) == ([1], 0, 2)
