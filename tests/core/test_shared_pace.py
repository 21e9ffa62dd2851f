"""A pace that many share: what is declared is used and never passed, and what is not declared is found by falling.

Time is simulated, so that a minute of calls takes milliseconds and every run is the same.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.pace import (
    HEADROOM,
    IDLE,
    SLICE_SECONDS,
    Allowance,
    Pace,
    held,
    learned_rate,
    next_start,
    rate,
    sliced,
    tells,
    throttled,
)

CALLERS = 4
ANSWER_SECONDS = 0.02


@dataclass
class Server:
    """Takes ``per_second`` calls, with a burst of ten after a pause, and answers 429 with a Retry-After to the others."""

    per_second: float
    tokens: float = 10.0
    at: float = 0.0
    taken: int = 0
    refused: int = 0

    def takes(self, now: float) -> bool:
        self.tokens = min(10.0, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        self.taken += 1
        return True


@dataclass
class Window:
    """Takes ``limit`` calls in any second."""

    limit: int
    taken: int = 0
    refused: int = 0
    recent: list[float] = field(default_factory=list)

    def takes(self, now: float) -> bool:
        self.recent = [moment for moment in self.recent if moment > now - 1]
        if len(self.recent) >= self.limit:
            self.refused += 1
            return False
        self.recent.append(now)
        self.taken += 1
        return True


@dataclass
class Caller:
    """Sends one call after the other within the slices of an allowance that others use too."""

    free_at: float = 0.0
    ends: float = -1.0
    interval: float = 0.0
    sent: list[float] = field(default_factory=list)


def simulated(
    server: Server | Window, declared: Pace | None, until: float, callers: int = 1, learning: float = 0.0
) -> None:
    """Callers, of whom each keeps `CALLERS` calls in flight, share an allowance for so many simulated seconds.

    The server's counts start again after ``learning`` seconds.
    """
    allowance = Allowance()
    lines = [Caller() for _ in range(callers)]
    events = [(0.001 * n, n % callers, False) for n in range(callers * CALLERS)]
    is_counted = learning == 0
    while events[0][0] < until:
        now, number, leaves = heapq.heappop(events)
        line = lines[number]
        if not is_counted and now > learning:
            server.taken = server.refused = 0
            is_counted = True
        if not leaves:
            if max(line.free_at, now) + line.interval > line.ends + 1e-9:
                allowance, given = sliced(allowance, declared, now, 1)
                line.free_at = now + given.starts_in
                line.ends, line.interval = line.free_at + given.lasts, given.interval
            start = max(line.free_at, now)
            line.free_at = start + line.interval
            heapq.heappush(events, (start, number, True))
        elif server.takes(now):
            line.sent.append(now)
            heapq.heappush(events, (now + ANSWER_SECONDS, number, False))
        else:
            recent = [t for t in line.sent[-1000:] if t > now - 1] or [now]
            allowance = throttled(allowance, declared, now, len(recent) / max(now - recent[0], 0.25), 1.0)
            for each in lines:
                each.ends = -1.0
            heapq.heappush(events, (now + 1.0, number, False))


@pytest.mark.parametrize("callers", [1, 2, 5])
@pytest.mark.parametrize("declared", [10.0, 50.0, 150.0])
def test_a_declared_pace_is_used_to_95_percent_and_never_passed(declared: float, callers: int) -> None:
    server = Server(declared)

    simulated(server, Pace(declared, 1.0), 60, callers)

    assert server.refused == 0
    assert server.taken >= 0.95 * declared * 60


@pytest.mark.parametrize("callers", [1, 2])
@pytest.mark.parametrize("limit", [20.0, 60.0, 150.0])
def test_an_undeclared_limit_is_found_within_85_percent_and_less_than_one_call_in_a_hundred_is_throttled(
    limit: float, callers: int
) -> None:
    server = Server(limit)

    simulated(server, None, 150, callers, learning=30)

    assert server.taken >= 0.85 * limit * 120
    assert server.refused <= 0.01 * (server.taken + server.refused)


@pytest.mark.parametrize("limit", [20, 37, 60, 100])
def test_two_callers_are_near_an_undeclared_limit_after_eight_seconds(limit: int) -> None:
    """A pace that is still too fast right after it was cut is far above: what is aimed at then falls by more."""
    server = Window(limit)

    simulated(server, None, 28, 2, learning=8)

    assert server.taken >= 0.9 * limit * 20
    assert server.refused <= 0.01 * (server.taken + server.refused)


def test_a_ceiling_that_is_declared_too_high_is_corrected_below() -> None:
    server = Server(40.0)

    simulated(server, Pace(400, 1.0), 150, learning=30)

    assert server.taken >= 0.85 * 40 * 120
    assert server.refused <= 0.01 * (server.taken + server.refused)


@given(
    units=st.floats(1, 1e4),
    seconds=st.floats(0.1, 3600),
    asks=st.lists(st.tuples(st.floats(0, 2), st.floats(1, 50)), min_size=1, max_size=30),
)
def test_slices_follow_one_another_and_hold_no_more_than_the_pace(
    units: float, seconds: float, asks: list[tuple[float, float]]
) -> None:
    pace, allowance, now, before = Pace(units, seconds), Allowance(), 1000.0, 0.0
    for pause, wanted in asks:
        now += pause
        allowance, given = sliced(allowance, pace, now, wanted)
        assert given.units >= wanted
        assert given.lasts == pytest.approx(given.units / (pace.rate * HEADROOM))
        assert now + given.starts_in >= before - 1e-6
        before = now + given.starts_in + given.lasts


def test_a_slice_holds_whole_calls() -> None:
    """What is left for half a batch of records would be nobody's."""
    _, given = sliced(Allowance(), Pace(1_000, 1), 50.0, 100)

    assert given.units == 400
    assert given.lasts == pytest.approx(400 / (1_000 * HEADROOM))


def test_without_a_pace_a_slice_only_says_when_to_ask_again() -> None:
    _, given = sliced(Allowance(), None, 50.0, 1)

    assert (given.starts_in, given.units, given.interval, given.lasts) == (0.0, math.inf, 0.0, SLICE_SECONDS)


def test_silence_that_was_asked_for_is_kept_by_whoever_asks_next() -> None:
    allowance = held(Allowance(), 100.0, 30.0)

    _, given = sliced(allowance, Pace(10, 1), 105.0, 1)

    assert given.starts_in == 25.0


def test_throttled_calls_of_one_moment_cut_the_pace_once() -> None:
    pace = Pace(100, 1)
    once = throttled(Allowance(), pace, 100.0, 90.0, 2.0)

    again = throttled(once, pace, 100.1, 90.0, 2.0)

    assert again.learned == once.learned
    assert rate(again, pace, 103.0) == pytest.approx(90.0 * HEADROOM, rel=0.05)


def test_a_pace_is_not_cut_further_while_no_call_is_taken_at_all() -> None:
    pace = Pace(100, 1)
    allowance = throttled(Allowance(), pace, 100.0, 90.0, 0.0)
    for second in range(1, 60):
        allowance = throttled(allowance, pace, 100.0 + second, 90.0, 0.0, refuses_all=True)

    assert rate(allowance, pace, 160.0) == pytest.approx(100.0 * HEADROOM)
    assert (rate(throttled(allowance, pace, 161.0, 90.0, 0.0), pace, 161.0) or 0) < 90.0


@pytest.mark.parametrize("back", [60.0, 86_400.0])
def test_a_clock_that_is_set_back_moves_times_along_instead_of_stopping_the_account(back: float) -> None:
    pace = Pace(10, 1)
    allowance, _ = sliced(held(Allowance(), 1e6, 5.0), pace, 1e6, 1)

    _, given = sliced(allowance, pace, 1e6 + 1.0 - back, 1)

    assert given.starts_in == pytest.approx(5.0 + SLICE_SECONDS, abs=1.2)


def test_a_learned_pace_is_told_while_it_is_below_the_declared_one_or_the_one_that_was_too_fast() -> None:
    told = throttled(IDLE, Pace(100, 1), 0.0, 100.0, 0.0)
    guessed = throttled(IDLE, None, 0.0, 100.0, 0.0)

    assert learned_rate(IDLE, Pace(100, 1), 0.0) is None
    assert learned_rate(told, Pace(100, 1), 1.0) == rate(told, Pace(100, 1), 1.0)
    assert learned_rate(told, Pace(100, 1), 3_600.0) is None
    assert learned_rate(guessed, None, 0.5) == rate(guessed, None, 0.5)
    assert learned_rate(guessed, None, 1.0) is None, "it has doubled, and so is back at the pace that was too fast"
    assert learned_rate(guessed, None, 3_600.0) is None


def test_a_host_whose_clock_is_a_little_behind_reads_no_earlier_moment_than_was_seen() -> None:
    cut = replace(throttled(IDLE, Pace(100, 1), 10.0, 100.0, 0.0), seen_at=10.8)

    assert tells(cut, 10.2), "the cut was at 10.0, and another host has seen 10.8"
    assert not tells(replace(cut, seen_at=10.0), 10.2)
    assert next_start(cut, 10.2) == 10.8
