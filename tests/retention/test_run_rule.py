"""Which runs are old, whatever ended when: a tail of them, behind the newest and behind all that the rule keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.core.kept_runs import KEEP_EVERY_RUN, NO_SLACK, SLACK, Ended, RunRule, old_runs
from engine.core.names import RunId
from tests.property.effort import examples

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def ended(*days_ago: int) -> list[Ended]:
    """Runs by how long ago they ended, newest first."""
    return [Ended(RunId(str(place)), NOW - days * DAY) for place, days in enumerate(days_ago)]


def old(runs: list[Ended], rule: RunRule, slack: float = NO_SLACK) -> list[str]:
    return [str(one.run) for one in old_runs(runs, rule, NOW, slack)]


def test_without_a_rule_no_run_is_old() -> None:
    assert old(ended(*range(100)), KEEP_EVERY_RUN) == []


def test_what_either_keeps_is_kept() -> None:
    runs = ended(1, 2, 3, 40, 50)
    assert old(runs, RunRule(runs=2)) == ["2", "3", "4"]
    assert old(runs, RunRule(age=10 * DAY)) == ["3", "4"]
    assert old(runs, RunRule(runs=4, age=10 * DAY)) == ["4"]


def test_the_newest_run_stays_however_old_it_is() -> None:
    assert old(ended(400, 500), RunRule(age=DAY)) == ["1"]
    assert old([], RunRule(runs=1)) == []


def test_what_is_old_waits_until_it_is_a_quarter_of_what_is_kept() -> None:
    assert old(ended(*range(10)), RunRule(runs=8), SLACK) == []
    assert old(ended(*range(11)), RunRule(runs=8), SLACK) == ["8", "9", "10"]


@examples(100)
@given(
    days=st.lists(st.integers(0, 60), max_size=30),
    runs=st.none() | st.integers(1, 10),
    age=st.none() | st.integers(1, 60),
)
def test_nothing_that_the_rule_keeps_is_old_and_what_is_old_is_a_tail(
    days: list[int], runs: int | None, age: int | None
) -> None:
    """Also where clocks went back, so that an older run ended later."""
    rule, listed = RunRule(runs, None if age is None else age * DAY), ended(*days)

    found = old(listed, rule)

    assert found == [str(one.run) for one in listed[len(listed) - len(found) :]]
    kept = {one.run for place, one in enumerate(listed) if rule.keeps(place, one.at, NOW)}
    assert not kept & set(found)
    assert len(found) == len(listed) or listed[len(listed) - len(found) - 1].run in kept | {RunId("0")}
