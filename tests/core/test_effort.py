"""What it takes at least to send a plan."""

from __future__ import annotations

from engine.core.effort import Effort, calls_for, effort
from engine.core.pace import Pace


def test_each_operation_fills_calls_of_its_own() -> None:
    assert calls_for([250, 1, 0, 100], per_call=100) == 3 + 1 + 0 + 1


def test_the_slower_of_two_paces_decides_how_long_it_takes() -> None:
    records = [250, 50]

    assert effort(records, 100, calls_at=Pace(1, 1), records_at=Pace(1_000, 1)) == Effort(4, 4.0)
    assert effort(records, 100, calls_at=Pace(10, 1), records_at=Pace(60, 2)) == Effort(4, 10.0)


def test_without_a_declared_pace_nothing_is_said_about_time() -> None:
    assert effort([250], 100, calls_at=None, records_at=None) == Effort(3, 0.0)
    assert effort([250], 100, calls_at=Pace(1, 2), records_at=None) == Effort(3, 6.0)
    assert effort([250], 100, calls_at=None, records_at=Pace(100, 1)) == Effort(3, 2.5)
