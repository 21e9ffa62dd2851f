"""Where a second send does harm, nothing that may have acted is sent again, and it stops nobody (D14)."""

from __future__ import annotations

from typing import Any

import pytest

from destinations.base import (
    AllDelivered,
    Ended,
    Progress,
    Refused,
    Reply,
    Running,
    Throttled,
    Unavailable,
)
from engine.core.retry import OnUnknown, RetryPolicy
from engine.delivery.jobs import JOB_DEADLINE, OpenJob
from tests.delivery.scripted import (
    in_turn,
)
from tests.delivery.taker import LOST, NOTHING_APPLIED, Taker, Told, never, progress


def held(destination: Taker, **more: Any) -> Told:
    return Told(destination, on_unknown=OnUnknown.HOLD, **more)


def test_a_lost_answer_is_repeated_by_default_and_never_where_doubt_is_held() -> None:
    assert Told(Taker(takes=in_turn(LOST, AllDelivered()))).outcomes == ["delivered"] * 4

    told = held(Taker(takes=in_turn(LOST, AllDelivered())))

    assert told.outcomes == ["unknown"] * 4
    assert len(told.destination.sent) == 1
    assert told.result.stop is told.result.unreachable is None, "the batches behind it go on"


@pytest.mark.parametrize(
    "reply",
    [
        Throttled(applied_unknown=True),
        Unavailable("circuit_open", "a later call of the talk", applied_unknown=True),
        Unavailable("http_503", "away", applied_unknown=True),
    ],
)
def test_nothing_that_may_have_acted_is_repeated_where_doubt_is_held(reply: Reply) -> None:
    told = held(Taker(takes=in_turn(reply, AllDelivered())))

    assert told.outcomes == ["unknown"] * 4
    assert len(told.destination.sent) == 1


@pytest.mark.parametrize("reply", [Throttled(), Unavailable("connect", "no connection", applied_unknown=False)])
def test_what_did_not_act_is_repeated_where_doubt_is_held(reply: Reply) -> None:
    told = held(Taker(takes=in_turn(reply, AllDelivered())))

    assert told.outcomes == ["delivered"] * 4
    assert len(told.destination.sent) == 2


def test_what_an_earlier_process_may_have_sent_is_held_without_a_call_unless_it_left_a_job() -> None:
    without = held(Taker(), uncertain=True)
    with_job = held(Taker(progress(Running(), Ended(AllDelivered()))), uncertain=True, left=OpenJob("left-1"))

    assert without.outcomes == ["unknown"] * 4
    assert without.destination.sent == without.destination.asked == []
    assert with_job.outcomes == ["delivered"] * 4
    assert with_job.destination.asked == ["left-1", "left-1"]
    assert with_job.destination.sent == []


@pytest.mark.parametrize("end", [NOTHING_APPLIED, Ended(Refused("bad", "a bad row"))])
def test_after_a_job_that_was_left_nothing_is_sent_where_doubt_is_held(end: Progress) -> None:
    """The earlier process may have seen the job end, and have died between submitting another and keeping its id."""
    told = held(Taker(progress(end)), uncertain=True, left=OpenJob("left-1"))

    assert told.outcomes == ["unknown"] * 4
    assert told.destination.sent == []
    assert told.result.stop is told.result.unreachable is None


def test_a_job_past_its_deadline_is_no_reason_to_stop_where_doubt_is_held() -> None:
    told = held(Taker(never), policy=RetryPolicy())

    assert told.codes == {JOB_DEADLINE}
    assert told.result.stop is told.result.unreachable is None
