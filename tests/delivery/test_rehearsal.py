"""A rehearsal says of every row what a run would: delivered is only what the destination took."""

from __future__ import annotations

from collections import Counter

import pytest

from destinations.base import AllDelivered, Batch, Limits, Reply, Stop
from engine.delivery.rehearsal import Line, rehearse
from tests.delivery.scripted import Scripted, numbered, rows


def test_what_stands_behind_the_call_that_ended_it_is_unsent_and_not_delivered() -> None:
    def script(batch: Batch) -> Reply:
        return Stop("401", "who?") if "1500" in batch.ids else AllDelivered()

    destination = Scripted(script)
    done = rehearse(destination, rows(numbered(3_000)), Line(), object="people", plan="p")

    assert done.delivered == destination.held.keys() == set(numbered(1_000))
    assert Counter(e.outcome for e in done.others.values()) == {"failed": 1_000, "unsent": 1_000}
    assert {id for id, e in done.others.items() if e.outcome == "unsent"} == {str(n) for n in range(2_000, 3_000)}
    assert all(id == str(e.ordinal) for id, e in done.others.items())
    assert done.stop == Stop("401", "who?")


class ByPlan(Scripted):
    """Sends large plans another way."""

    def limits_for(self, records: int) -> Limits:
        return Limits(records=4, bytes=1_000_000) if records >= 8 else Limits(records=3, bytes=1_000_000)


@pytest.mark.parametrize(("count", "sizes"), [(7, [3, 3, 1]), (8, [4, 4])])
def test_the_size_of_the_plan_decides_what_a_call_carries_and_each_batch_knows_it(count: int, sizes: list[int]) -> None:
    seen = []

    def script(batch: Batch) -> Reply:
        seen.append((len(batch), batch.plan_records))
        return AllDelivered()

    rehearse(ByPlan(script), rows(numbered(count)), Line(), object="people", plan="p")

    assert seen == [(size, count) for size in sizes]
