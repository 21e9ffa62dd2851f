"""Rows that must not leave are taken out of their slice: what is left is sent in parts, and they have an outcome (I2, I7)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import AllDelivered, Batch, Reply, Throttled, Transport, Unavailable
from engine.core.split import Cut
from engine.delivery.allowance import Withheld
from engine.delivery.pacer import REQUESTS, Pacer, Unlimited
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.seats import AnySeat
from engine.delivery.transport import HttpTransport, TransportLimits
from tests.delivery.scripted import Scripted, in_turn, ran, sender, whole
from tests.property.effort import examples

FIRST = 40


@given(count=st.integers(1, 30), data=st.data())
@examples(100)
def test_what_is_left_of_a_slice_is_every_other_row_in_unbroken_parts(count: int, data: st.DataObject) -> None:
    out = data.draw(st.sets(st.integers(FIRST, FIRST + count - 1)))

    parts = whole(count, FIRST).without(out)

    kept = [n for n in range(FIRST, FIRST + count) if n not in out]
    assert [n for part in parts for n in range(part.cut.first, part.cut.last + 1)] == kept
    assert [int(id) for part in parts for id in part.rows.column("id").to_pylist()] == kept
    assert all(after.cut.first > before.cut.last + 1 for before, after in pairwise(parts))


def test_of_a_slice_without_its_rows_nothing_is_left_and_without_others_all() -> None:
    assert whole(3, FIRST).without(range(FIRST, FIRST + 3)) == []
    assert [part.cut for part in whole(3, FIRST).without(())] == [Cut(FIRST, FIRST + 2)]


@pytest.mark.parametrize("uncertain", [False, True])
def test_withheld_rows_never_leave_and_the_others_do(uncertain: bool) -> None:
    destination = Scripted()
    out = {FIRST, FIRST + 4, FIRST + 9}

    result = ran(
        sender(destination, SkippedClock()).deliver(whole(10, FIRST), 1, withheld=sorted(out), uncertain=uncertain)
    )

    assert destination.held == Counter(str(n) for n in range(FIRST, FIRST + 10) if n not in out)
    assert {e.ordinal for e in result.exceptions} == out
    assert {e.outcome for e in result.exceptions} == {"withheld"}
    assert {e.uncertain for e in result.exceptions} == {uncertain}


class Withdrawn:
    """An allowance under which rows may not leave any more once a number of looks has been taken."""

    def __init__(self, rows: Sequence[int], after: int) -> None:
        self._rows, self._left, self.looks = rows, after, 0

    async def withheld(self, first: int, last: int) -> Withheld:
        self._left, self.looks = self._left - 1, self.looks + 1
        return Withheld([row for row in self._rows if first <= row <= last] if self._left < 0 else ())


@pytest.mark.parametrize("reply", [Throttled(timedelta(seconds=30)), Unavailable("down", "no", applied_unknown=False)])
def test_whoever_takes_consent_back_while_a_call_waits_to_be_tried_again_is_taken_out_of_it(reply: Reply) -> None:
    destination = Scripted(in_turn(reply, AllDelivered()))
    allowance = Withdrawn([FIRST + 4], after=1)

    result = ran(sender(destination, SkippedClock(), allowance=allowance).deliver(whole(10, FIRST), 1))

    assert str(FIRST + 4) in destination.sent[0]
    assert destination.held == Counter(str(n) for n in range(FIRST, FIRST + 10) if n != FIRST + 4)
    assert [(e.ordinal, e.outcome, e.uncertain) for e in result.exceptions] == [(FIRST + 4, "withheld", False)]
    assert len(set(destination.keys)) == 3, "a smaller call has a key of its own"


def test_whoever_takes_consent_back_after_a_call_without_an_answer_is_in_doubt() -> None:
    destination = Scripted(in_turn(Unavailable("lost", "no answer", applied_unknown=True), AllDelivered()))
    allowance = Withdrawn([FIRST], after=1)

    result = ran(sender(destination, SkippedClock(), allowance=allowance).deliver(whole(2, FIRST), 1))

    assert [(e.ordinal, e.outcome, e.uncertain) for e in result.exceptions] == [(FIRST, "withheld", True)]


class Calling(Scripted):
    """Needs so many calls for a batch; ``calls`` are the ids of each that arrived."""

    def __init__(self, calls: int, clock: SkippedClock, seconds: float) -> None:
        super().__init__()
        self._number, self.calls = calls, list[list[str]]()
        turns = Slow(clock, seconds)
        self.transport = HttpTransport(turns, clock, TransportLimits(), httpx.MockTransport(self._arrived))

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        for _ in range(self._number):
            answer = await transport.request(httpx.Request("POST", "http://127.0.0.1/", json=list(batch.ids)))
            if isinstance(answer, Unavailable):
                return answer
        return await super().send(batch, transport)

    def _arrived(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(json.loads(request.content))
        return httpx.Response(200, request=request)


class Slow(Pacer):
    """A pace by which each call waits for its turn."""

    def __init__(self, clock: SkippedClock, seconds: float) -> None:
        super().__init__(Unlimited(), clock)
        self._waits, self._seconds = clock, seconds

    async def turn(self, unit: str = REQUESTS, units: float = 1.0) -> Unavailable | None:
        if unit == REQUESTS:
            await self._waits.sleep(self._seconds)
        return await super().turn(unit, units)


@pytest.mark.parametrize("calls", [1, 2])
def test_whoever_takes_consent_back_while_a_call_waits_for_its_turn_is_not_in_it(calls: int) -> None:
    clock = SkippedClock()
    destination = Calling(calls, clock, seconds=30)
    allowance = Withdrawn([FIRST + 4], after=calls)
    sending = sender(destination, clock, allowance=allowance, transport=destination.transport)

    result = ran(sending.deliver(whole(10, FIRST), 1))

    made = [ids for ids in destination.calls if str(FIRST + 4) in ids]
    assert len(made) == calls - 1, "each of several calls is looked at again"
    assert destination.held == Counter(str(n) for n in range(FIRST, FIRST + 10) if n != FIRST + 4)
    assert [(e.ordinal, e.outcome, e.uncertain) for e in result.exceptions] == [(FIRST + 4, "withheld", calls > 1)]
    assert result.requests == len(destination.calls)


@pytest.mark.parametrize(("seconds", "looks"), [(0.0, 1), (0.04, 1), (0.06, 2)])
def test_a_look_is_good_for_fifty_milliseconds(seconds: float, looks: int) -> None:
    clock, allowance = SkippedClock(), Withdrawn([], after=0)
    destination = Calling(1, clock, seconds)

    ran(sender(destination, clock, allowance=allowance, transport=destination.transport).deliver(whole(10, FIRST), 1))

    assert (allowance.looks, len(destination.calls)) == (looks, 1)


def test_whoever_takes_consent_back_while_a_call_waits_for_a_seat_is_not_in_it() -> None:
    clock, destination = SkippedClock(), Scripted()
    withdrawn: list[int] = []
    allowance = Withdrawn(withdrawn, after=0)

    class Taken(AnySeat):
        async def take(self) -> None:
            await clock.sleep(5)
            withdrawn.append(FIRST + 4)

    ran(sender(destination, clock, allowance=allowance, seats=Taken()).deliver(whole(10, FIRST), 1))

    assert destination.held == Counter(str(n) for n in range(FIRST, FIRST + 10) if n != FIRST + 4)
