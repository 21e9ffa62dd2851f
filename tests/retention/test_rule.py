"""What stays of the versions of a dataset, whatever they weigh, whatever was dropped before, and whoever needs which."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.core.names import VersionNumber
from engine.core.retention import KEEP_ALL, Kept, Rule, Stored, retained
from tests.property.effort import examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def history(count: int, changes: int = 10, snapshot: int = 1_000) -> list[Stored]:
    """Versions of one a day, the newest of today, all of them whole."""
    return [
        Stored(VersionNumber(n), NOW - (count - n) * DAY, snapshot, changes if n > 1 else 0, is_whole=True)
        for n in range(1, count + 1)
    ]


def after(stored: list[Stored], kept: Kept) -> list[Stored]:
    """What is stored once what does not stay is gone."""
    return [
        Stored(r.version, r.accepted_at, r.snapshot_bytes, r.changes_bytes, r.is_whole and r.version in kept.snapshots)
        for r in stored
        if r.version in kept.versions
    ]


def readable(stored: list[Stored]) -> set[int]:
    """The versions that have a snapshot, or every change since one."""
    found, before = set[int](), 0
    for row in stored:
        if row.is_whole or (row.version == before + 1 and before in found):
            found.add(row.version)
        before = row.version
    return found


def kept_of(stored: list[Stored], rule: Rule, *needed: int) -> Kept:
    return retained(stored, rule, [VersionNumber(n) for n in needed], [], NOW)


def test_without_a_rule_every_version_stays_and_few_of_them_whole() -> None:
    kept = kept_of(history(250), KEEP_ALL)

    assert kept.versions == set(range(1, 251))
    assert kept.snapshots == {1, 101, 201, 250}


def test_a_snapshot_is_kept_where_the_changes_since_outweigh_the_last() -> None:
    assert kept_of(history(10, changes=500), KEEP_ALL).snapshots == {1, 4, 7, 10}
    assert kept_of(history(4, changes=2_000), KEEP_ALL).snapshots == {1, 2, 3, 4}


def test_the_newest_stay_with_what_they_rest_on() -> None:
    kept = kept_of(history(100), Rule(versions=20))

    assert min(kept.versions) == 81
    assert kept.snapshots == {81, 86, 91, 96, 100}


def test_little_more_than_was_asked_for_stays() -> None:
    for count in range(1, 200):
        assert len(kept_of(history(count), Rule(versions=20)).versions) <= 25


def test_what_is_young_stays_although_it_is_not_among_the_newest() -> None:
    kept = kept_of(history(100), Rule(versions=5, age=30 * DAY))

    assert min(kept.versions) <= 71
    assert set(range(71, 101)) <= kept.versions


def test_what_is_needed_stays_with_what_it_rests_on_and_nothing_between() -> None:
    kept = kept_of(history(400), Rule(versions=100), 42)

    assert {26, 42} <= kept.versions
    assert 43 not in kept.versions
    assert 25 not in kept.versions
    assert 26 in kept.snapshots


def test_the_newest_stays_whatever_its_age() -> None:
    old = [Stored(VersionNumber(n), NOW - 900 * DAY, 1_000, 10, is_whole=True) for n in (1, 2)]

    assert 2 in kept_of(old, Rule(age=DAY)).snapshots


@st.composite
def steps(draw: st.DrawFn) -> tuple[Rule, list[tuple[int, int, set[int]]]]:
    rule = Rule(draw(st.none() | st.integers(1, 12)), draw(st.none() | st.integers(1, 12).map(lambda n: n * DAY)))
    sizes = st.tuples(st.integers(1, 2_000), st.integers(1, 2_000), st.sets(st.integers(1, 30), max_size=3))
    return rule, draw(st.lists(sizes, min_size=1, max_size=30))


@given(steps())
@examples(200)
def test_whatever_comes_all_that_stays_can_be_read_and_all_that_must_stay_does(
    lived: tuple[Rule, list[tuple[int, int, set[int]]]],
) -> None:
    rule, arrivals = lived
    stored: list[Stored] = []
    for number, (snapshot, changes, asked) in enumerate(arrivals, start=1):
        now = NOW + number * DAY
        stored.append(Stored(VersionNumber(number), now, snapshot, changes if number > 1 else 0, is_whole=True))
        known = {row.version for row in stored}
        needed = {VersionNumber(n) for n in asked if n in known}
        kept = retained(stored, rule, needed, [], now)
        stored = after(stored, kept)

        assert readable(stored) == kept.versions
        assert needed | {VersionNumber(number)} <= kept.versions
        assert number in kept.snapshots
        if rule == KEEP_ALL:
            assert kept.versions == known
        recent = set(sorted(known)[-rule.versions :]) if rule.versions else set()
        assert recent <= kept.versions
        assert retained(stored, rule, needed, [], now) == kept
