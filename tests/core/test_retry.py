"""Waits between attempts: spread over a growing span, never shorter than asked, and paid for by successes (I19, D1)."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.retry import RetryBudget, RetryPolicy, backoff, wait_seconds
from tests.property.effort import examples

POLICY = RetryPolicy(attempts=6, base_seconds=0.5, wait_seconds_max=60.0)


def lowest(low: float, high: float) -> float:
    assert low <= high
    return low


def highest(low: float, high: float) -> float:
    assert low <= high
    return high


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (7, 32.0), (8, 60.0), (9, 60.0), (1_000, 60.0)]
)
def test_a_wait_lies_between_zero_and_a_ceiling_that_doubles_up_to_a_limit(attempt: int, ceiling: float) -> None:
    assert backoff(POLICY, attempt, lowest) == 0.0
    assert backoff(POLICY, attempt, highest) == ceiling


def test_callers_that_failed_together_do_not_come_back_together() -> None:
    uniform = random.Random(7).uniform
    waits = [wait_seconds(POLICY, 4, None, uniform) for _ in range(1_000)]

    assert all(0 <= wait <= 4 for wait in waits)
    quarters = [sum(1 for wait in waits if quarter <= wait < quarter + 1) for quarter in range(4)]
    assert min(quarters) > 200


@given(attempt=st.integers(1, 100), asked=st.floats(0, 1e7), seed=st.integers(0, 2**32))
@examples(300)
def test_a_wait_is_never_shorter_than_asked_and_little_longer(attempt: int, asked: float, seed: int) -> None:
    wait = wait_seconds(POLICY, attempt, asked, random.Random(seed).uniform)

    assert asked <= wait <= asked + 1.0


def test_callers_that_were_asked_for_the_same_wait_are_spread_too() -> None:
    assert wait_seconds(POLICY, 1, 10.0, lowest) == 10.0
    assert wait_seconds(POLICY, 1, 10.0, highest) == 11.0
    assert wait_seconds(POLICY, 1, 0.0, highest) == 0.05


def test_an_outage_allows_a_small_reserve_of_repeats_and_no_more() -> None:
    budget, repeats = RetryBudget(tokens=3.0), 0
    while (left := budget.spent()) is not None:
        budget, repeats = left, repeats + 1

    assert repeats == 3


def test_repeats_are_at_most_a_tenth_of_first_attempts_once_the_reserve_is_spent() -> None:
    budget, repeats = RetryBudget(tokens=0.0), 0
    for _ in range(1_000):
        budget = budget.earned()
        if (left := budget.spent()) is not None:
            budget, repeats = left, repeats + 1

    assert 99 <= repeats <= 100


def test_a_long_time_without_trouble_saves_up_no_more_than_the_limit() -> None:
    budget = RetryBudget()
    for _ in range(100_000):
        budget = budget.earned()

    assert budget.tokens == budget.tokens_max
