"""Through the command to a sandbox that misbehaves: runs end in `unchanged`, and it holds what the source holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.destinations.sandbox.visitor import Visitor, visiting
from tests.projects import TestProject

RUNS_MAX = 8
PEOPLE: dict[int, tuple[str | None, float | None]] = {
    n: (None if n % 7 == 0 else f"Zoë {n} 😀", None if n % 5 == 0 else n + 0.1) for n in range(1, 61)
}
CHANGED = {n: (name, -1.5 if n % 3 == 0 else score) for n, (name, score) in PEOPLE.items() if n % 10} | {
    99: ("new", 0.0)
}
SAFE: dict[str, dict[str, Any]] = {
    "throttle": {"kind": "throttle", "retry_after": 0},
    "error before": {"kind": "error_before"},
    "error after": {"kind": "error_after"},
    "drop before": {"kind": "drop_before"},
    "drop after commit": {"kind": "drop_after"},
    "malformed answer": {"kind": "malformed"},
    "slow": {"kind": "slow", "seconds": 0.05},
}
"""Faults after which the same call, made again, is enough."""
REJECTED = {"kind": "reject", "ids": ["7", "9"], "code": "blocked", "message": "not these"}
REFUSED = {"kind": "refuse", "ids": ["21"]}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path / "store") as visitor:
        yield visitor


@pytest.fixture
def project(tmp_path: Path, sandbox: Visitor) -> TestProject:
    """Sixty people in batches of ten."""
    made = TestProject(tmp_path / "project", "http://127.0.0.1:9/")
    config = {"url": str(sandbox.http.base_url)}
    made.write(
        "destinations/hook.yaml", {"name": "hook", "type": "sandbox", "config": config, "batch": {"records": 10}}
    )
    made.sync("people_to_hook", gates={"deletes": {"max": 500, "max_ratio": 1.0, "on_fail": "warn"}})
    made.people(PEOPLE)
    return made


def converged(project: TestProject) -> list[str]:
    """The statuses of runs until one is `unchanged`."""
    statuses: list[str] = []
    while "unchanged" not in statuses:
        assert len(statuses) < RUNS_MAX, statuses
        report = project.report()
        assert report["unknown"] == report["failed"] == 0 or report["status"] != "succeeded", "I19: no false success"
        statuses.append(report["status"])
    return statuses


def held_by_the_source(people: dict[int, tuple[str | None, float | None]]) -> dict[str, dict[str, Any]]:
    return {str(id): {"name": name, "score": score} for id, (name, score) in people.items()}


def effects_under_one_key(sandbox: Visitor) -> int:
    """The most often that a record was changed under one idempotency key."""
    return max(Counter((key, id) for key, id, outcome in sandbox.journal if outcome == "delivered").values())


@pytest.mark.parametrize("fault", SAFE.values(), ids=SAFE)
def test_one_run_survives_a_fault_that_another_attempt_settles(
    project: TestProject, sandbox: Visitor, fault: dict[str, Any]
) -> None:
    """I5, I6: what may have been applied is sent again under its own key, and is applied once."""
    sandbox.switch({**fault, "count": 1})

    report = project.report()

    assert sandbox.faults == []
    assert (report["status"], report["delivered"]["inserts"], report["requests"]) == (
        "succeeded",
        60,
        6 if fault["kind"] == "slow" else 7,
    )
    assert sandbox.held("contacts") == held_by_the_source(PEOPLE)
    assert effects_under_one_key(sandbox) == 1
    assert converged(project) == ["unchanged"]


@pytest.mark.slow
def test_a_rejected_record_is_owed_until_it_is_taken_and_the_others_are_not_sent_again(
    project: TestProject, sandbox: Visitor
) -> None:
    sandbox.switch(REJECTED)

    report = project.report()

    assert (report["status"], report["exit"], report["rejected"]) == ("partial", 5, 2)
    assert report["delivered"]["inserts"] == 58
    sandbox.http.delete("/faults")
    before = len(sandbox.journal)
    assert converged(project) == ["succeeded", "unchanged"]
    assert [id for _, id, _ in sandbox.journal[before:]] == ["7", "9"]
    assert sandbox.held() == held_by_the_source(PEOPLE)


@pytest.mark.slow
def test_a_record_that_is_always_rejected_is_tried_a_few_times_and_then_left_alone(
    project: TestProject, sandbox: Visitor
) -> None:
    """X13: when its value changes it is tried again."""
    sandbox.switch(REJECTED)

    statuses = [project.report()["status"] for _ in range(7)]

    tries = Counter(id for _, id, outcome in sandbox.journal if outcome == "rejected")
    assert (statuses, tries) == ([*["partial"] * 5, "unchanged", "unchanged"], {"7": 5, "9": 5})
    sandbox.http.delete("/faults")
    project.people({**PEOPLE, 7: ("mended", 7.0)})
    project.report()
    assert sandbox.held() == held_by_the_source({**{n: p for n, p in PEOPLE.items() if n != 9}, 7: ("mended", 7.0)})


@pytest.mark.slow
def test_a_batch_that_is_refused_for_one_record_is_halved_until_it_stands_alone(
    project: TestProject, sandbox: Visitor
) -> None:
    """D6, G13."""
    sandbox.switch(REFUSED)

    report = project.report()

    assert (report["status"], report["rejected"], report["delivered"]["inserts"]) == ("partial", 1, 59)
    assert report["requests"] <= 6 + 2 * 4 + 2
    assert sandbox.held() == held_by_the_source({n: p for n, p in PEOPLE.items() if n != 21})
    sandbox.http.delete("/faults")
    assert converged(project) == ["succeeded", "unchanged"]
    assert sandbox.held() == held_by_the_source(PEOPLE)


@pytest.mark.slow
def test_all_faults_over_two_versions_end_in_the_source(project: TestProject, sandbox: Visitor) -> None:
    """Inserts, then updates, deletes and an insert, with every fault in each version."""
    for people in (PEOPLE, CHANGED):
        project.people(people)
        once = [{**fault, "count": 1} for fault in SAFE.values()]
        sandbox.switch(*once, {**REJECTED, "count": 1}, {**REFUSED, "count": 2})

        statuses = converged(project)

        assert sandbox.faults == [], "each was met"
        assert statuses[-1] == "unchanged"
        assert sandbox.held() == held_by_the_source(people)
        assert effects_under_one_key(sandbox) == 1


@pytest.mark.slow
def test_what_was_rejected_is_planned_together_with_what_changed_since(project: TestProject, sandbox: Visitor) -> None:
    sandbox.switch({"kind": "reject", "field": "score", "equals": 1.1})
    project.report()
    sandbox.http.delete("/faults")
    project.people(CHANGED)
    plan = project.run("--json", "plan", "people_to_hook").json

    assert converged(project)[-1] == "unchanged"

    assert plan["plan"]["inserts"] == 2, "the new one, and the one that was rejected"
    assert sandbox.held() == held_by_the_source(CHANGED)
