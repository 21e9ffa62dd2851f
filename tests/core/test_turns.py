"""Whose turn it is: each due moment has one turn or is part of one, whatever rests, overlaps and steps of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.events import ScheduleSet, TurnTaken
from engine.core.names import RunId, SyncId, VersionNumber
from engine.core.schedule import After, Every, due_times
from engine.core.turns import (
    AHEAD_MAX,
    WAITING_MAX,
    Overlap,
    Resting,
    Running,
    Turn,
    Unset,
    lies_ahead,
    turn,
    turn_ended,
    turns_of,
)

SYNC = SyncId("people_to_hook")
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTELY = Every(MINUTE, timedelta(0))


def resting(since: datetime, ended: datetime | None = None, version: int | None = None) -> Resting:
    return Resting("every 60s", since, None if version is None else VersionNumber(version), ended or since)


def taken(found: Turn) -> TurnTaken:
    return TurnTaken(SYNC, "every 60s", found.due, found.version, found.missed, "daemon:a", 1, again=False)


def test_nothing_is_due_before_a_daemon_saw_the_schedule_and_then_only_what_lies_behind_that() -> None:
    seen = turns_of(ScheduleSet(SYNC, "every 60s"), NOON + timedelta(seconds=30))

    assert turns_of(None, NOON) == Unset()
    assert isinstance(seen, Resting)
    assert turn(MINUTELY, seen, NOON + timedelta(seconds=59), None, Overlap.COALESCE) is None
    assert turn(MINUTELY, seen, NOON + MINUTE, None, Overlap.COALESCE) == Turn(NOON + MINUTE, None, 0)


@pytest.mark.parametrize("overlap", Overlap)
def test_what_was_missed_while_nobody_was_there_is_one_turn(overlap: Overlap) -> None:
    found = turn(MINUTELY, resting(NOON), NOON + 30 * MINUTE, None, overlap)

    assert found == Turn(NOON + 30 * MINUTE, None, 29)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (Overlap.SKIP, None),
        (Overlap.COALESCE, Turn(NOON + 3 * MINUTE, None, 2)),
        (Overlap.QUEUE, Turn(NOON + MINUTE, None, 0)),
    ],
)
def test_what_became_due_during_a_run_is_left_out_or_one_turn_or_a_turn_each(
    overlap: Overlap, expected: Turn | None
) -> None:
    ended = NOON + 3.5 * MINUTE

    assert turn(MINUTELY, resting(NOON, ended), ended, None, overlap) == expected


def test_of_too_many_that_wait_for_a_turn_each_the_oldest_share_one() -> None:
    ended = NOON + (WAITING_MAX + 20.5) * MINUTE

    found = turn(MINUTELY, resting(NOON, ended), ended, None, Overlap.QUEUE)

    assert found == Turn(NOON + 21 * MINUTE, None, 20)


def test_a_rest_of_years_is_counted_in_bounds() -> None:
    found = turn(
        Every(timedelta(seconds=1), timedelta(0)), resting(NOON - timedelta(days=2_000)), NOON, None, Overlap.COALESCE
    )

    assert found is not None
    assert (found.at, found.missed) == (NOON, 9_999)


def test_a_version_is_due_once_and_stands_for_those_that_were_missed() -> None:
    follows = After("people@1")

    assert turn(follows, resting(NOON), NOON, None, Overlap.COALESCE) is None
    assert turn(follows, resting(NOON), NOON, VersionNumber(3), Overlap.COALESCE) == Turn(NOON, VersionNumber(3), 2)
    assert turn(follows, resting(NOON, version=3), NOON, VersionNumber(3), Overlap.COALESCE) is None


def test_a_clock_that_was_set_back_repeats_no_moment_and_one_that_ran_years_ahead_does_not_stop_a_sync() -> None:
    hour = timedelta(hours=1)
    back = resting(NOON)

    assert turn(MINUTELY, back, NOON - hour, None, Overlap.COALESCE) is None
    assert turn(MINUTELY, back, NOON, None, Overlap.COALESCE) is None
    assert turn(MINUTELY, back, NOON + MINUTE, None, Overlap.COALESCE) == Turn(NOON + MINUTE, None, 0)
    assert not lies_ahead(back, NOON - AHEAD_MAX)
    assert lies_ahead(back, NOON - AHEAD_MAX - MINUTE)


@given(st.sampled_from(Overlap), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=12))
def test_over_any_life_each_moment_is_in_one_turn_at_most_and_only_skip_leaves_any_out(
    overlap: Overlap, life: list[tuple[int, int]]
) -> None:
    """Each turn stands for itself and for what it missed; together they are all moments, in order."""
    now, turns = NOON, turns_of(ScheduleSet(SYNC, "every 60s"), NOON)
    counted: list[datetime] = []
    for waits, lasts in life:
        now += timedelta(seconds=waits)
        assert isinstance(turns, Resting)
        found = turn(MINUTELY, turns, now, None, overlap)
        if found is None:
            continue
        running = turns_of(taken(found), now)
        assert isinstance(running, Running)
        now += timedelta(seconds=lasts)
        turns = turns_of(turn_ended(running.taken, RunId("r"), "succeeded"), now)
        counted += [found.at - n * MINUTE for n in reversed(range(found.missed + 1))]

    assert counted == sorted(set(counted))
    if overlap is not Overlap.SKIP and counted:
        assert counted == list(due_times(MINUTELY, NOON, counted[-1]))
