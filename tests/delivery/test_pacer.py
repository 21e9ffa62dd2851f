"""The line before an account: calls leave at the pace of its budget, and what a call learns is told to the others."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from destinations.base import Unavailable
from destinations.waiting import exhausted_for
from engine.clock import Clock, SystemClock, SystemEntropy
from engine.core.breaker import FAILURES_MAX
from engine.core.pace import Pace, Slice
from engine.core.quota import Unused
from engine.delivery.pacer import CIRCUIT_OPEN, HELD, RECORDS, WAIT_SECONDS_MAX, Pacer, Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.transport import HttpTransport, TransportLimits
from engine.ledger.budget import AccountBudget
from engine.ledger.database import open_database
from engine.ledger.migrate import upgrade
from tests.skipped_time import SkippedTime

CLOCK = SystemClock()


@pytest.fixture
def time() -> SkippedTime:
    return SkippedTime()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    upgrade(opened)
    yield opened
    opened.dispose()


def pacer(engine: Engine, clock: Clock = CLOCK, **declared: Pace) -> Pacer:
    return Pacer(AccountBudget(engine, clock, SystemEntropy(), "crm", declared), clock, declared)


async def calls(
    line: Pacer, time: SkippedTime, until: float, left: list[float], unit: str = "requests", units: float = 1
) -> None:
    while time.seconds < until:
        assert await line.turn(unit, units) is None
        left.append(time.seconds)


def test_two_users_use_95_percent_of_a_declared_pace_and_no_second_holds_more(
    engine: Engine, time: SkippedTime
) -> None:
    limit, seconds, left = 100, 20.0, list[float]()

    async def both() -> None:
        lines = [pacer(engine, time, requests=Pace(limit, 1)) for _ in range(2)]
        await asyncio.gather(*(calls(line, time, seconds, left) for line in lines for _ in range(3)))

    time.run(both())
    left.sort()

    assert sum(moment < seconds for moment in left) >= 0.95 * limit * seconds
    assert max(bisect_left(left, start + 1) - at for at, start in enumerate(left)) <= limit


@pytest.mark.parametrize("users", [1, 2])
def test_a_ledger_that_answers_slowly_takes_nothing_from_a_declared_pace(engine: Engine, users: int) -> None:
    """The next slice is asked for before the present one ends, and begins when the ledger says, not when its answer comes."""
    time, limit, seconds, left = SkippedTime(before=0.02), 100, 10.0, list[float]()

    async def unevenly() -> None:
        while time.seconds < seconds:
            await asyncio.sleep(1.0)
            time.after = 0.06 - time.after

    async def all_of_them() -> None:
        lines = [pacer(engine, time, requests=Pace(limit, 1)) for _ in range(users)]
        await asyncio.gather(unevenly(), *(calls(line, time, seconds, left) for line in lines for _ in range(3)))

    time.run(all_of_them())
    left.sort()

    assert sum(1.0 <= moment < seconds for moment in left) >= 0.97 * limit * (seconds - 1.0)
    assert max(bisect_left(left, start + 1) - at for at, start in enumerate(left)) <= limit


def test_a_slice_that_was_asked_for_ahead_is_not_used_in_a_silence_that_was_asked_for_since(
    engine: Engine, time: SkippedTime
) -> None:
    left = list[float]()

    async def story() -> None:
        line = pacer(engine, time, requests=Pace(100, 1))
        calling = asyncio.gather(*(calls(line, time, 3.0, left) for _ in range(3)))
        await asyncio.sleep(0.46)  # the slice after this one was asked for, and was looked at
        await line.throttled(timedelta(seconds=1.5))
        await calling

    time.run(story())

    assert [moment for moment in left if 0.48 <= moment < 1.95] == []


def test_calls_that_were_held_up_together_do_not_leave_in_a_bunch(engine: Engine, time: SkippedTime) -> None:
    """A window that the other side counts holds no more of them than if nothing had happened."""
    left = list[float]()

    def hold_up() -> None:
        time.seconds += 0.15  # the loop itself stands still, as in a pause of the process

    async def all_of_them() -> None:
        line = pacer(engine, time, requests=Pace(100, 1))
        asyncio.get_running_loop().call_later(0.5, hold_up)
        await asyncio.gather(*(calls(line, time, 1.0, left) for _ in range(8)))

    time.run(all_of_them())

    assert sum(0.65 <= moment < 0.658 for moment in left) <= 3


def test_records_have_a_pace_of_their_own(engine: Engine, time: SkippedTime) -> None:
    left: list[float] = []

    time.run(calls(pacer(engine, time, records=Pace(1_000, 1)), time, 1.0, left, RECORDS, 100))

    assert sum(moment < 1.0 for moment in left) == 10


def test_an_account_without_a_pace_costs_no_query_per_call(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    whole = AccountBudget.slice

    def counted(self: AccountBudget, *asks: Any) -> object:
        asked.append(asks[0])
        return whole(self, *asks)

    monkeypatch.setattr(AccountBudget, "slice", counted)
    line = pacer(engine)

    async def many() -> None:
        for _ in range(5_000):
            assert await line.turn() is None

    asyncio.run(many())

    assert len(asked) <= 3


def test_a_silence_longer_than_a_run_may_wait_is_told_and_not_waited_for(engine: Engine) -> None:
    async def ask() -> Unavailable | None:
        await pacer(engine).throttled(timedelta(seconds=2 * WAIT_SECONDS_MAX))
        return await pacer(engine).turn()

    refusal = asyncio.run(ask())

    assert refusal is not None
    assert (refusal.code, refusal.applied_unknown) == (HELD, False)


def test_an_open_circuit_refuses_without_a_call_and_one_answer_closes_it(engine: Engine) -> None:
    async def story() -> list[str | None]:
        failing, other = pacer(engine), pacer(engine)
        for _ in range(FAILURES_MAX):
            await failing.failed(None)
        refused = await other.turn()
        await failing.answered()
        admitted = await other.turn()
        return [refused and refused.code, admitted and admitted.code]

    assert asyncio.run(story()) == [CIRCUIT_OPEN, None]


def test_an_answer_that_leaves_no_call_holds_the_next_one_before_it_is_throttled(engine: Engine) -> None:
    def last(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}, request=request)

    async def story() -> object:
        wire = httpx.MockTransport(last)
        first = HttpTransport(pacer(engine), CLOCK, TransportLimits(), wire, exhausted_for)
        await first.request(httpx.Request("POST", "http://127.0.0.1/batch"))
        await first.close()
        return await asyncio.to_thread(AccountBudget(engine, CLOCK, SystemEntropy(), "crm", {}).slice, "requests", 1)

    given = asyncio.run(story())

    assert isinstance(given, Slice)
    assert given.starts_in == pytest.approx(60, abs=2)


def test_a_silence_that_another_process_was_asked_for_is_kept_by_calls_that_wait_for_their_slice(
    engine: Engine, time: SkippedTime
) -> None:
    async def story() -> float:
        asked, waits = pacer(engine, time, requests=Pace(10, 1.0)), pacer(engine, time, requests=Pace(10, 1.0))
        assert await asked.turn() is None
        waiting = asyncio.create_task(waits.turn())  # its slice follows that of the other
        await asyncio.sleep(0.1)
        began = time.seconds
        await asked.throttled(timedelta(seconds=1.5))
        assert await waiting is None
        return time.seconds - began

    assert time.run(story()) >= 1.5


def test_a_turn_that_names_no_units_takes_one() -> None:
    class Tens(Unlimited):
        def __init__(self) -> None:
            self.given = 0

        def slice(self, unit: str, units: float, unused: Unused) -> Slice:
            self.given += 1
            return Slice(0.0, 10.0, 0.0, 60.0)

    async def turns(budget: Tens) -> int:
        line = Pacer(budget, SkippedClock())
        for _ in range(21):
            assert await line.turn() is None
        return budget.given

    assert asyncio.run(turns(Tens())) == 3
