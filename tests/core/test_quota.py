"""A daily quota: no more than it leaves in any of its days, and a day ends once, at its own zone's time (D21)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.quota import NOTHING_USED, Quota, Unused, Use, current, lease, moment, next_reset, returned
from tests.property.effort import examples

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("zone", "resets", "now", "reset"),
    [
        ("UTC", time(0), "2026-01-01T23:59:59", "2026-01-02T00:00:00"),
        ("UTC", time(0), "2026-01-02T00:00:00", "2026-01-03T00:00:00"),
        ("Europe/Paris", time(0), "2026-01-01T22:59:59", "2026-01-01T23:00:00"),
        ("Europe/Paris", time(0), "2026-03-28T23:00:00", "2026-03-29T22:00:00"),  # a day of 23 hours
        ("Europe/Paris", time(0), "2026-10-24T22:00:00", "2026-10-25T23:00:00"),  # a day of 25 hours
        ("Europe/Paris", time(2, 30), "2026-03-29T00:00:00", "2026-03-29T01:30:00"),  # a time that is skipped
        ("Europe/Paris", time(2, 30), "2026-10-25T00:00:00", "2026-10-25T00:30:00"),  # a time that comes twice
        ("Europe/Paris", time(2, 30), "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
        ("America/Los_Angeles", time(9, 30), "2026-07-01T16:29:59", "2026-07-01T16:30:00"),
        ("Pacific/Apia", time(0), "2011-12-29T12:00:00", "2011-12-30T10:00:00"),  # a day that is skipped
    ],
)
def test_a_day_ends_at_the_time_of_its_zone(zone: str, resets: time, now: str, reset: str) -> None:
    assert moment(next_reset(Quota(1, resets, ZoneInfo(zone)), at(now))) == f"{reset}Z"


@given(
    zone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    resets=st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    start=st.integers(0, 2_000_000_000),
)
@examples(100)
def test_resets_are_a_day_apart_whatever_clocks_are_put_forward_or_back(zone: str, resets: time, start: int) -> None:
    quota, now = Quota(1, resets, ZoneInfo(zone)), float(start)
    for _ in range(3):
        before, now = now, next_reset(quota, now)
        following = next_reset(quota, now)
        assert before < now
        assert timedelta(hours=22) <= timedelta(seconds=following - now) <= timedelta(hours=26)


def test_use_counts_until_the_reset_and_starts_again_after_it() -> None:
    quota = Quota(100, time(0), PARIS)
    morning, reset = at("2026-06-01T08:00:00"), at("2026-06-01T22:00:00")
    use = Use(90.0, current(NOTHING_USED, quota, morning).ends)

    assert current(use, quota, reset - 0.001) == use
    assert current(use, quota, reset) == Use(0.0, at("2026-06-02T22:00:00"))


@given(moves=st.lists(st.tuples(st.floats(-80_000, 80_000), st.floats(0, 30)), max_size=30))
@examples(100)
def test_a_clock_that_moves_within_a_day_never_gives_units_back(moves: list[tuple[float, float]]) -> None:
    quota, noon, total = Quota(100, time(0), ZoneInfo("UTC")), at("2026-06-01T12:00:00"), 0.0
    use = current(NOTHING_USED, quota, noon)
    for shift, units in moves:
        now = min(max(noon + shift, at("2026-06-01T00:00:00")), at("2026-06-01T23:59:59"))
        use = current(use, quota, now)
        taken = lease(use, quota, units) if units else 0.0
        use, total = Use(use.used + taken, use.ends), total + taken

    assert total <= quota.units


def test_a_clock_that_was_a_day_ahead_stops_the_account_no_longer_than_to_the_next_reset() -> None:
    quota = Quota(100, time(0), ZoneInfo("UTC"))
    ahead = Use(100.0, at("2026-06-03T00:00:00"))

    assert current(ahead, quota, at("2026-06-01T12:00:00")) == Use(100.0, at("2026-06-02T00:00:00"))


def test_a_lease_is_small_and_gets_smaller_until_the_last_unit_is_given() -> None:
    quota, use, leases = Quota(1_000, time(0), PARIS), NOTHING_USED, []
    while most := lease(use, quota, 1):
        leases.append(most)
        use = Use(use.used + most, use.ends)

    assert sum(leases) == 1_000
    assert leases == sorted(leases, reverse=True)
    assert (leases[0], leases[-1]) == (10, 1)


def test_units_that_come_back_count_for_their_own_day_only() -> None:
    assert returned(Use(50.0, 7.0), Unused(20.0, 7.0)) == Use(30.0, 7.0)
    assert returned(Use(50.0, 8.0), Unused(20.0, 7.0)) == Use(50.0, 8.0)
    assert returned(Use(5.0, 7.0), Unused(20.0, 7.0)) == Use(0.0, 7.0)
