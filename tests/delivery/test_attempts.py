"""From replies to outcomes: what is not reported is not delivered, and what nobody knows is unknown (I5, D1, D3, D5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import (
    AllDelivered,
    Batch,
    Delivered,
    Failed,
    Outcomes,
    Refused,
    Rejected,
    Reply,
    Stop,
    Throttled,
    Unavailable,
)
from engine.core.retry import RetryPolicy
from engine.delivery.attempt import Sender
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import ADAPTER_ERROR, Exceptional, Result
from tests.delivery.scripted import Lowest, Scripted, in_turn, numbered, ran, sender, whole
from tests.property.effort import examples

AWAY = Unavailable("503", "away", applied_unknown=False)
TIMEOUT = Unavailable("no_answer", "timed out", applied_unknown=True)


def delivered(script: Callable[[Batch], Reply], count: int = 4, *, uncertain: bool = False, **rules: Any) -> Told:
    destination, clock = Scripted(script), SkippedClock()
    result = ran(sender(destination, clock, **rules).deliver(whole(count), 0, uncertain=uncertain))
    return Told(destination, clock, result, count)


class Told:
    """How a slice ended."""

    def __init__(self, destination: Scripted, clock: SkippedClock, result: Result, count: int) -> None:
        self.destination = destination
        self.waited = clock.waited_seconds
        self.result = result
        places = [e.ordinal for e in result.exceptions]
        assert len(set(places)) == len(places), "a row has two outcomes"
        assert set(places) <= set(range(count)), "a row that was not sent has an outcome"
        others = {e.ordinal: e.outcome for e in result.exceptions}
        self.outcomes = [others.get(n, "delivered") for n in range(count)]

    @property
    def codes(self) -> set[str]:
        return {e.code for e in self.result.exceptions}

    @property
    def calls(self) -> int:
        return len(self.destination.sent)


def saying(*outcomes: Any) -> Callable[[Batch], Reply]:
    return lambda _: Outcomes(tuple(outcomes))


def test_outcomes_are_matched_by_id_and_not_by_place() -> None:
    told = delivered(
        saying(Delivered("3"), Failed("2", "busy", "later"), Rejected("0", "bad", "no mail"), Delivered("1")),
    )

    assert told.outcomes == ["rejected", "delivered", "failed", "delivered"]
    assert set(told.result.exceptions) == {
        Exceptional(2, "failed", "busy", "later"),
        Exceptional(0, "rejected", "bad", "no mail"),
    }
    assert told.result.stop is None


def test_a_row_is_named_by_its_place_in_the_plan() -> None:
    destination = Scripted(saying(Rejected("701", "bad", "")))

    result = ran(sender(destination, SkippedClock()).deliver(whole(3, first=700), 0))

    assert {(e.ordinal, e.outcome) for e in result.exceptions} == {
        (700, "unknown"),
        (701, "rejected"),
        (702, "unknown"),
    }


def test_a_record_that_no_outcome_names_is_unknown() -> None:
    told = delivered(saying(Delivered("0"), Delivered("2")))

    assert told.outcomes == ["delivered", "unknown", "delivered", "unknown"]
    assert told.codes == {"not_reported"}


@pytest.mark.parametrize(
    "outcomes",
    [
        pytest.param([Delivered(i) for i in [*numbered(4), "9"]], id="foreign"),
        pytest.param([Delivered("0"), Rejected("0", "bad", ""), *map(Delivered, "123")], id="contradicted"),
        pytest.param([*map(Delivered, "0123"), Delivered("3")], id="delivered twice"),
        pytest.param([*map(Delivered, "012"), Failed("3", "a", ""), Failed("3", "a", "")], id="failed twice"),
        pytest.param([Rejected("", "bad", "")], id="nameless"),
    ],
)
def test_an_answer_that_contradicts_itself_is_believed_in_nothing(outcomes: list[Any]) -> None:
    told = delivered(saying(*outcomes))

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {"protocol"}


OUTCOME = st.builds(Delivered, st.sampled_from("01234")) | st.builds(
    lambda kind, name: kind(name, "c", "m"), st.sampled_from([Rejected, Failed]), st.sampled_from("01234")
)


@given(outcomes=st.lists(OUTCOME, max_size=6))
@examples(200)
def test_only_what_is_named_once_in_a_coherent_answer_is_delivered(outcomes: list[Any]) -> None:
    told = delivered(saying(*outcomes))

    names = Counter(outcome.id for outcome in outcomes)
    coherent = max(names.values(), default=0) <= 1 and "4" not in names
    words = {Delivered: "delivered", Rejected: "rejected", Failed: "failed"}
    said = {outcome.id: words[type(outcome)] for outcome in outcomes}
    assert told.outcomes == [said.get(i, "unknown") if coherent else "unknown" for i in numbered(4)]


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([AWAY], "failed"),
        ([TIMEOUT], "unknown"),
        ([TIMEOUT, AWAY], "unknown"),
        ([TIMEOUT, Throttled()], "unknown"),
        ([TIMEOUT, Stop("401", "who?")], "unknown"),
        ([AWAY, Stop("401", "who?")], "failed"),
        ([Throttled()], "failed"),
        ([TIMEOUT, AllDelivered()], "delivered"),
        ([AWAY, Throttled(), AllDelivered()], "delivered"),
    ],
)
def test_a_call_that_may_have_acted_leaves_unknown_what_no_later_answer_settles(
    replies: list[Reply], outcome: str
) -> None:
    told = delivered(in_turn(*replies))

    assert told.outcomes == [outcome] * 4


def test_what_is_refused_after_a_call_that_may_have_acted_is_in_doubt() -> None:
    told = delivered(in_turn(TIMEOUT, Refused("bad", "no"), AllDelivered(), Refused("bad", "no")), count=2)

    assert told.outcomes == ["delivered", "rejected"]
    assert [e.uncertain for e in told.result.exceptions] == [True]


def test_a_repeat_leaves_under_the_same_key() -> None:
    told = delivered(in_turn(TIMEOUT, Throttled(), AWAY, AllDelivered()))

    assert told.calls == 4
    assert len(set(told.destination.keys)) == 1


def test_a_throttled_call_waits_at_least_as_long_as_asked() -> None:
    asked = [timedelta(seconds=s) for s in (30, 0.5, 90)]

    told = delivered(in_turn(*map(Throttled, asked), AllDelivered()), entropy=Lowest())

    assert told.outcomes == ["delivered"] * 4
    assert told.waited >= sum(wait.total_seconds() for wait in asked)


def test_an_unavailable_destination_is_asked_again_no_sooner_than_it_asked() -> None:
    away = Unavailable("503", "away", applied_unknown=False, retry_after=timedelta(seconds=120))

    assert delivered(in_turn(away, AllDelivered()), entropy=Lowest()).waited >= 120


@pytest.mark.parametrize("reply", [AWAY, TIMEOUT, Throttled(), Throttled(timedelta(seconds=1))])
@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded(reply: Reply, attempts: int) -> None:
    told = delivered(in_turn(reply), policy=RetryPolicy(attempts=attempts))

    assert told.calls == told.result.requests == attempts
    assert told.result.unreachable is not None


@pytest.mark.parametrize("asked", [5.0, 25.0, 1e9])
def test_no_wait_ends_after_the_deadline(asked: float) -> None:
    """Each wait is short enough, and all of them together are not."""
    policy = RetryPolicy(attempts=1_000, deadline_seconds=60.0)

    told = delivered(in_turn(Throttled(timedelta(seconds=asked))), policy=policy)

    assert told.waited <= 60.0
    assert told.calls <= 60 / asked + 1
    assert told.result.unreachable is not None


@pytest.mark.parametrize("reply", [Stop("401", "who?"), Refused("bad", "no"), AllDelivered(), Outcomes(())])
def test_an_answer_is_not_asked_for_again(reply: Reply) -> None:
    assert delivered(in_turn(reply), count=1).calls == 1


def test_an_outage_costs_a_run_little_more_than_its_calls() -> None:
    """G12: over many batches the repeats of unanswered calls are a reserve and a tenth."""
    destination, clock = Scripted(in_turn(AWAY)), SkippedClock()
    sending = sender(destination, clock)

    async def many(sending: Sender) -> None:
        for n in range(300):
            await sending.deliver(whole(1, first=n), n)

    ran(many(sending))

    assert 300 < len(destination.sent) <= 300 * 1.1 + 20


def raising(batch: Batch) -> Reply:
    raise KeyError(batch.ids[0])


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(raising, id="raises"),
        pytest.param(lambda _: None, id="returns nothing"),
        pytest.param(lambda _: [Delivered("0")], id="returns no reply"),
        pytest.param(lambda _: AllDelivered, id="returns a class"),
        pytest.param(saying(("0", "delivered")), id="has outcomes of its own"),
        pytest.param(saying(None), id="has empty outcomes"),
        pytest.param(lambda _: Outcomes(None), id="has no outcomes"),  # type: ignore[arg-type]
    ],
)
def test_an_adapter_that_is_wrong_ends_the_run_and_loses_no_record(script: Callable[[Batch], Reply]) -> None:
    told = delivered(script)

    assert told.outcomes == ["unknown"] * 4
    assert told.codes == {ADAPTER_ERROR}
    assert told.result.stop is not None
    assert told.calls == 1


def test_what_an_adapter_says_when_it_breaks_is_not_repeated() -> None:
    """The message of an exception may hold a record or a secret; its type does not (I24)."""

    def broken(batch: Batch) -> Reply:
        raise ValueError("marker@example.com")

    told = delivered(broken)

    assert "marker" not in repr(told.result)
    assert "ValueError" in repr(told.result.stop)


def test_a_record_above_the_limit_is_rejected_without_a_call() -> None:
    told = delivered(in_turn(AllDelivered()), count=1, bytes_max=10)

    assert told.outcomes == ["rejected"]
    assert told.codes == {"too_large"}
    assert (told.calls, told.result.requests) == (0, 0)


def test_a_record_above_the_limit_that_an_earlier_process_may_have_sent_is_in_doubt() -> None:
    told = delivered(in_turn(AllDelivered()), count=1, bytes_max=10, uncertain=True)

    assert [(e.outcome, e.uncertain) for e in told.result.exceptions] == [("rejected", True)]


def test_a_slice_that_an_earlier_process_may_have_sent_is_unknown_until_an_answer_settles_it() -> None:
    assert delivered(in_turn(AWAY), uncertain=True).outcomes == ["unknown"] * 4
    assert delivered(in_turn(Stop("401", "who?")), uncertain=True).outcomes == ["unknown"] * 4
    assert delivered(in_turn(AllDelivered()), uncertain=True).outcomes == ["delivered"] * 4
    assert [e.uncertain for e in delivered(saying(*map(Delivered, "012")), uncertain=True).result.exceptions] == [True]
