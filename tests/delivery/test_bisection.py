"""One bad record costs its batch a few requests and nothing else; a destination that refuses all is left alone.

Holds G13 (k bad ones of n: at most 2k·⌈log₂(n/k)⌉ + 2k extra requests), D6, D7 and D12.
"""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.base import AllDelivered, Batch, Outcomes, Refused, Rejected, Reply, Stop, Throttled, Unavailable
from engine.delivery.rehearsal import SkippedClock
from engine.delivery.result import Result
from tests.delivery.scripted import Scripted, numbered, ran, refusing, sender, whole
from tests.property.effort import examples

N = 1_000
SPREADS = {
    "first": range,
    "last": lambda k: range(N - k, N),
    "even": lambda k: range(0, N, N // k),
    "random": lambda k: random.Random(k).sample(range(N), k),
}


def bisected(destination: Scripted, count: int, refused_share_max: float = 0.5) -> Result:
    sending = sender(destination, SkippedClock(), refused_share_max=refused_share_max)
    return ran(sending.deliver(whole(count), 0))


def kinds(result: Result) -> Counter[str]:
    return Counter(e.outcome for e in result.exceptions)


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("k", [1, 2, 5, 50])
def test_the_bad_records_are_rejected_the_others_delivered_and_it_takes_few_requests(k: int, spread: str) -> None:
    poison = {str(n) for n in list(SPREADS[spread](k))[:k]}
    destination = Scripted(refusing(poison))

    result = bisected(destination, N)

    assert {str(e.ordinal) for e in result.exceptions} == poison
    assert kinds(result) == {"rejected": k}
    assert destination.held == Counter(set(numbered(N)) - poison), "everything else is delivered, and once"
    assert result.requests == len(destination.sent) <= 1 + 2 * k * math.ceil(math.log2(N / k)) + 2 * k
    assert result.stop is None


@pytest.mark.slow
@given(count=st.integers(1, 40), data=st.data())
@examples(150)
def test_every_record_has_one_outcome_however_many_are_bad(count: int, data: st.DataObject) -> None:
    poison = {str(n) for n in data.draw(st.sets(st.integers(0, count - 1)))}
    destination = Scripted(refusing(poison))

    result = bisected(destination, count, refused_share_max=1.0)

    assert sorted(e.ordinal for e in result.exceptions) == sorted(map(int, poison))
    assert destination.held == Counter(set(numbered(count)) - poison)
    assert result.stop is None


def test_records_are_sent_in_the_order_of_the_plan_also_in_parts() -> None:
    destination = Scripted(refusing({"3", "11"}))

    bisected(destination, 16)

    taken = [batch for batch in destination.sent if {"3", "11"}.isdisjoint(batch)]
    assert [int(i) for batch in taken for i in batch] == [n for n in range(16) if n not in (3, 11)]


def test_each_part_has_a_key_of_its_own() -> None:
    destination = Scripted(refusing({"5"}))

    bisected(destination, 64)

    keys = dict(zip(destination.sent, destination.keys, strict=True))
    assert len(set(keys.values())) == len(keys) == len(destination.sent)


@pytest.mark.parametrize(("count", "calls_max"), [(100, 120), (N, 1_100)])
def test_a_destination_that_refuses_everything_is_left_alone(count: int, calls_max: int) -> None:
    destination = Scripted(lambda _: Refused("schema", "unknown field"))

    result = bisected(destination, count)

    assert result.stop is not None
    assert result.stop.code == "schema"
    assert len(destination.sent) <= calls_max
    assert kinds(result) == {"rejected": count // 2 + 1, "failed": count - count // 2 - 1}


def test_the_tolerated_share_decides_when_a_refusal_is_not_about_records() -> None:
    refused = {str(n) for n in range(0, 100, 4)}

    strict, patient = (bisected(Scripted(refusing(refused)), 100, share) for share in (0.1, 0.25))

    assert strict.stop is not None
    assert kinds(strict)["rejected"] == 11
    assert patient.stop is None
    assert kinds(patient) == {"rejected": 25}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_small_batch_that_is_refused_to_its_last_record_stops_nothing(count: int) -> None:
    """Three bad records may be three bad records."""
    result = bisected(Scripted(lambda _: Refused("bad", "no")), count, refused_share_max=1.0)

    assert result.stop is None
    assert kinds(result) == {"rejected": count}


def test_a_refusal_that_moves_is_bounded() -> None:
    """D7: whatever is refused by chance, every record has one outcome and requests stay within two a record."""
    chance = random.Random(7)
    destination = Scripted(lambda _: Refused("bad", "no") if chance.random() < 0.5 else AllDelivered())

    result = bisected(destination, N)

    places = [e.ordinal for e in result.exceptions]
    assert len(set(places)) == len(places)
    assert destination.held.total() + len(places) == N
    assert len(destination.sent) < 2 * N


def test_parts_may_be_answered_record_by_record() -> None:
    def script(batch: Batch) -> Reply:
        if len(batch) > 10:
            return Refused("413", "too large")
        return Outcomes(tuple(Rejected(i, "bad", "") for i in batch.ids))

    result = bisected(Scripted(script), 40)

    assert kinds(result) == {"rejected": 40}
    assert result.stop is None, "the destination speaks of records, so it is not about the call"


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Stop("401", "who?"), "failed"),
        (Throttled(), "failed"),
        (Unavailable("503", "away", applied_unknown=False), "failed"),
        (Unavailable("no_answer", "timed out", applied_unknown=True), "unknown"),
    ],
)
def test_what_ends_one_part_leaves_the_other_parts_unsent(reply: Reply, outcome: str) -> None:
    def script(batch: Batch) -> Reply:
        if "0" in batch.ids:
            return Refused("bad", "no") if len(batch) > 64 else reply
        return AllDelivered()

    destination = Scripted(script)

    result = bisected(destination, 256)

    assert all("0" in batch for batch in destination.sent)
    assert destination.held == {}
    assert sorted(e.ordinal for e in result.exceptions) == list(range(256))
    assert kinds(result)["failed"] + kinds(result)["unknown"] == 256
    assert {e.outcome for e in result.exceptions if e.ordinal < 64} == {outcome}
    assert {e.outcome for e in result.exceptions if e.ordinal >= 64} == {"failed"}
