"""G11: the destination acted and its answer was lost, over and over: each effect happens once, and nothing is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faultproxy import NO_FAULTS, Faults, proxying
from tests.projects import TestProject
from tests.receiver import receiving

BATCH = 10
LOST_SHARE = 0.05
RUNS_MAX = 4


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "batch"), [(3_000, 10), pytest.param(100_000, 100, marks=pytest.mark.scale)])
def test_five_percent_lost_answers_are_no_effect_twice_and_no_record_missing(
    tmp_path: Path, rows: int, batch: int
) -> None:
    """I5, I6, I9: what is sent again comes under its own key, until the destination says that it has it."""
    people = {n: (f"person {n}", n / 4) for n in range(rows)}
    with receiving() as receiver, proxying(receiver.url, seed=1) as proxy:
        project = TestProject(tmp_path, proxy.through(receiver.url), threads=2)
        rate = {"requests": 100_000, "per": "1s", "concurrency": 8}
        project.destination("hook", proxy.through(receiver.url), rate=rate, batch={"records": batch})
        project.people(people)
        proxy.faults = Faults(lost_share=LOST_SHARE)

        report = project.report()

        assert proxy.counts.lost >= rows / batch * LOST_SHARE / 2, "the faults must have been met"
        assert report["status"] == "succeeded"
        assert report["delivered"]["inserts"] == rows
        assert receiver.records == {str(n): {"name": name, "score": score} for n, (name, score) in people.items()}
        keys = [key for key, _ in receiver.log]
        assert len(set(keys)) == rows / batch, "no record came under a second key"
        assert len(keys) - len(set(keys)) == proxy.counts.lost
        assert project.checked(receiver).again == proxy.counts.lost * batch
        proxy.faults = NO_FAULTS
        assert project.report()["status"] == "unchanged"


@pytest.mark.slow
def test_requests_that_the_network_repeats_have_one_effect(tmp_path: Path) -> None:
    with receiving() as receiver, proxying(receiver.url, seed=3) as proxy:
        project = TestProject(tmp_path, proxy.through(receiver.url), threads=2)
        project.destination("hook", proxy.through(receiver.url), batch={"records": BATCH})
        project.sync("people_to_hook", gates={"deletes": {"max_ratio": 1.0}})
        project.people(dict.fromkeys(range(200), ("first", 0.0)))
        proxy.faults = Faults(repeated_share=0.5)
        assert project.report()["status"] == "succeeded"
        project.people(dict.fromkeys(range(150), ("second", 1.0)))

        statuses = [project.report()["status"] for _ in range(2)]

        assert statuses == ["succeeded", "unchanged"]
        assert proxy.counts.repeated > 0
        assert receiver.records == {str(n): {"name": "second", "score": 1.0} for n in range(150)}
