"""A destination is read back under the rules by which it is sent to, and what is no whole answer is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from destinations.base import Batch, Found, ReadBack, Stop, Throttled, Transport, Unavailable
from engine.core.breaker import Shut
from engine.core.pace import Slice as Turns
from engine.core.retry import RetryPolicy
from engine.delivery.pacer import CIRCUIT_OPEN, Pacer, Unlimited
from engine.delivery.reading import Account, Reader
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import ADAPTER_ERROR, THROTTLED
from engine.delivery.seats import ANY_SEAT
from tests.delivery.scripted import Lowest, NoWire, Scripted, whole

Answer = ReadBack | Throttled | Unavailable | Stop
DOWN = Unavailable("down", "it is down", applied_unknown=False)
ALL = ReadBack((Found("0"), Found("1")))


class Readable(Scripted):
    calls_by_transport = False

    def __init__(self, script: Callable[[int], Answer]) -> None:
        super().__init__()
        self.answers = script
        self.asked = 0

    async def read_back(self, batch: Batch, transport: Transport) -> Answer:
        self.asked += 1
        return self.answers(self.asked)


class Watched(Unlimited):
    """Counts what everybody is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.shut = False

    def slice(self, unit: str, units: float, unused: object) -> Turns | Shut:  # type: ignore[override]
        self.told.append(unit)
        return Shut(1.0) if self.shut else Turns(0.0, 1.0, 0.0, 0.001)

    def throttled(self, observed: float, wait_seconds: float) -> None:
        self.told.append("throttled")

    def failed(self) -> None:
        self.told.append("failed")

    def answered(self) -> None:
        self.told.append("answered")


def read(destination: Readable, budget: Watched, clock: SkippedClock, attempts: int = 3) -> Answer:
    policy = RetryPolicy(attempts=attempts)
    account = Account(destination, NoWire(), Pacer(budget, clock), ANY_SEAT, clock, Lowest(), policy)
    return asyncio.run(Reader(account, sync="people", object="contacts").read(whole(2), 1))


def test_each_call_takes_a_turn_of_the_account_and_trouble_is_told_to_all_who_use_it() -> None:
    budget, clock = Watched(), SkippedClock()
    answers = [Throttled(timedelta(seconds=7)), DOWN, ALL]

    assert read(Readable(lambda n: answers[n - 1]), budget, clock) == ALL

    assert [told for told in budget.told if told != "bytes"] == [
        "requests",
        "throttled",
        "requests",
        "failed",
        "requests",
        "answered",
    ]
    assert clock.waited_seconds >= 7


@pytest.mark.parametrize(("answer", "code"), [(DOWN, "down"), (Throttled(), THROTTLED)])
def test_what_lasts_is_no_answer_and_no_endless_question(answer: Answer, code: str) -> None:
    destination = Readable(lambda _: answer)

    ended = read(destination, Watched(), SkippedClock())

    assert isinstance(ended, Unavailable)
    assert (ended.code, destination.asked) == (code, 3)


def test_behind_an_open_circuit_nothing_is_asked() -> None:
    destination, budget = Readable(lambda _: ALL), Watched()
    budget.shut = True

    ended = read(destination, budget, SkippedClock())

    assert isinstance(ended, Unavailable)
    assert (ended.code, destination.asked, "failed" in budget.told) == (CIRCUIT_OPEN, 0, False)


def broken(_: int) -> Answer:
    raise ValueError("a secret value")


@pytest.mark.parametrize(
    "script",
    [
        lambda _: ReadBack((Found("0"), Found("0"))),
        lambda _: ReadBack((Found("0"), Found("77"))),
        lambda _: None,
        broken,
    ],
    ids=["named twice", "a stranger", "nothing", "an error"],
)
def test_an_answer_that_makes_no_sense_is_the_end_and_no_drift(script: Callable[[int], Answer]) -> None:
    ended = read(Readable(script), Watched(), SkippedClock())

    assert isinstance(ended, Stop)
    assert (ended.code, "secret" in ended.message) == (ADAPTER_ERROR, False)
