"""Use of a limit by runs that record their windows: nothing leaves then, and others who share the account have their turn.

Time is simulated, so that the shares are exact and depend on no machine.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine

from engine.clock import SystemEntropy
from engine.core.pace import Pace
from engine.delivery.pacer import Pacer
from engine.delivery.window import SPARE_CALLS, Pacing, WindowRules
from engine.ledger.budget import AccountBudget
from engine.ledger.database import open_database
from engine.ledger.migrate import upgrade
from tests.skipped_time import SkippedTime

LIMIT, SECONDS, ANSWER_SECONDS = 100, 26.0, 0.01
RULES = WindowRules(batches=16, concurrency=4, stop_ratio=1.0, batches_max=2_000)


class LateTime:
    """The clock of one process, which wakes from each wait a little late."""

    def __init__(self, time: SkippedTime, late: Callable[[], float]) -> None:
        self.now = time.now
        self.monotonic = time.monotonic
        self._late = late

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds + self._late())


async def run(engine: Engine, time: SkippedTime, dice: Random, recording: float, left: list[float]) -> None:
    """Window after window, with nothing sent for so many seconds between two."""
    await asyncio.sleep(dice.random())
    clock = LateTime(time, lambda: dice.expovariate(1_000.0))
    budget = AccountBudget(engine, clock, SystemEntropy(), "crm", {"requests": Pace(LIMIT, 1)})
    line, places = Pacer(budget, clock), asyncio.Semaphore(RULES.concurrency)

    async def call() -> None:
        async with places:
            assert await line.turn() is None
            left.append(time.seconds)
            await asyncio.sleep(ANSWER_SECONDS)

    while time.seconds < SECONDS:
        await asyncio.gather(*(call() for _ in range(RULES.window(line.pacing()))))
        await asyncio.sleep(recording)


@pytest.mark.parametrize(("runs", "recording", "use"), [(1, 0.06, 0.95), (2, 0.06, 0.97), (3, 0.2, 0.96)])
def test_what_runs_record_between_windows_costs_those_who_share_an_account_next_to_nothing(
    tmp_path: Path, runs: int, recording: float, use: float
) -> None:
    time, left = SkippedTime(before=0.005, after=0.01), list[float]()
    engine = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    upgrade(engine)

    async def all_of_them() -> None:
        await asyncio.gather(*(run(engine, time, Random(number), recording, left) for number in range(runs)))

    time.run(all_of_them())
    engine.dispose()

    left.sort()
    begins = left[0] + 2.0
    assert sum(begins <= moment < SECONDS for moment in left) >= use * LIMIT * (SECONDS - begins)
    assert max(bisect_left(left, start + 1) - at for at, start in enumerate(left)) <= LIMIT


@pytest.mark.parametrize(
    ("pacing", "batches"),
    [
        (None, 16),
        (Pacing(98.0, slice=49, left=0), 6 * 49 - SPARE_CALLS),
        (Pacing(98.0, slice=49, left=30), 30 + 5 * 49 - SPARE_CALLS),
        (Pacing(1.0, slice=1, left=0), 16),
    ],
)
def test_a_window_ends_with_a_slice(pacing: Pacing | None, batches: int) -> None:
    assert RULES.window(pacing) == batches
