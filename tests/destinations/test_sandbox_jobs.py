"""Through the command to a sandbox that answers later: every run converges, and no batch is submitted twice (D14, D15)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.destinations.sandbox.visitor import Visitor, visiting
from tests.projects import TestProject

PEOPLE: dict[int, tuple[str | None, float | None]] = {n: (f"person {n}", n / 4) for n in range(1, 31)}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path / "store") as visitor:
        yield visitor


@pytest.fixture
def project(tmp_path: Path, sandbox: Visitor) -> TestProject:
    """Thirty people in batches of ten."""
    made = TestProject(tmp_path / "project", "http://127.0.0.1:9/")
    destination(made, sandbox)
    made.people(PEOPLE)
    return made


def destination(project: TestProject, sandbox: Visitor, **more: Any) -> None:
    config = {"url": str(sandbox.http.base_url), "answers": "later"}
    content = {"name": "hook", "type": "sandbox", "config": config, "batch": {"records": 10}, **more}
    project.write("destinations/hook.yaml", content)


def jobs(sandbox: Visitor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.http.get("/jobs").json()
    return found


def job_of_the_first_batch(project: TestProject, sandbox: Visitor) -> str:
    """Batches of a window are submitted at once, so that any of them may be the destination's first job."""
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as ledger:
        (data,) = ledger.execute("SELECT data FROM event WHERE type = 'run.window_intended' ORDER BY seq").fetchone()
    key = json.loads(data)["batches"][0]["key"]
    (job,) = [job["job"] for job in jobs(sandbox) if job["idempotency_key"] == key]
    return str(job)


def test_a_run_delivers_through_jobs_and_the_next_has_nothing_to_do(project: TestProject, sandbox: Visitor) -> None:
    sandbox.switch({"kind": "job_runs", "count": 4})

    assert project.report()["delivered"]["inserts"] == 30
    assert project.report()["status"] == "unchanged"
    assert sandbox.held().keys() == {str(n) for n in PEOPLE}
    assert [(job["submitted"], job["has_run"]) for job in jobs(sandbox)] == [(1, True)] * 3
    assert project.run("--json", "ledger", "verify").code == 0


def test_a_record_that_a_job_rejects_is_rejected_alone(project: TestProject, sandbox: Visitor) -> None:
    sandbox.switch({"kind": "reject", "ids": ["7"], "count": 1})

    report = project.report()

    assert (report["delivered"]["inserts"], report["rejected"]) == (29, 1)
    assert sandbox.held().keys() == {str(n) for n in PEOPLE} - {"7"}


def test_a_job_past_its_deadline_is_named_and_nothing_is_called_delivered(
    project: TestProject, sandbox: Visitor
) -> None:
    destination(project, sandbox, jobs={"deadline": "1s"}, rate={"concurrency": 4})
    sandbox.switch({"kind": "job_runs"})

    report = project.report()

    assert report["exit"] != 0
    assert report["delivered"]["inserts"] == 0
    assert report["unknown"] == 30
    assert f"job {job_of_the_first_batch(project, sandbox)} has not ended 1 s after it was submitted" in str(report)
    assert [job["submitted"] for job in jobs(sandbox)] == [1, 1, 1]

    sandbox.switch()
    assert project.report()["status"] == "succeeded"
    assert sandbox.held().keys() == {str(n) for n in PEOPLE}


def test_a_job_that_is_lost_stops_the_run_and_leaves_its_records_unknown(
    project: TestProject, sandbox: Visitor
) -> None:
    sandbox.switch({"kind": "job_lost"})

    report = project.report()

    assert report["exit"] != 0
    assert report["unknown"] >= 10
    assert report["delivered"]["inserts"] == 0
    assert all(job["submitted"] == 1 for job in jobs(sandbox))


def test_a_deadline_of_jobs_is_refused_where_none_are_made(project: TestProject) -> None:
    project.destination("hook", "http://127.0.0.1:9/", jobs={"deadline": "2h"})

    refused = project.run("validate")

    assert refused.code != 0
    assert "destinations/hook.yaml:" in refused.out + refused.err
    assert "a webhook destination makes no jobs" in refused.out + refused.err
