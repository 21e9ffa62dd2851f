"""Real kills around jobs: the next process asks about what the last one submitted, and submits only the rest (D14, I30)."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.destinations.sandbox.visitor import Visitor, visiting
from tests.projects import TestProject

pytestmark = pytest.mark.crash
SYNC = "people_to_hook"
ROWS = 120
BATCH = 20
PEOPLE: dict[int, tuple[str | None, float | None]] = {n: (f"person {n}", n / 4) for n in range(ROWS)}
RUNS_FOR_EVER = {"kind": "job_runs"}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Visitor]:
    with visiting(tmp_path / "store") as visitor:
        yield visitor


@pytest.fixture
def project(tmp_path: Path, sandbox: Visitor) -> TestProject:
    made = TestProject(tmp_path / "project", "http://127.0.0.1:9/")
    _destination(made, sandbox, concurrency=2)
    made.people(PEOPLE)
    return made


def _destination(project: TestProject, sandbox: Visitor, *, concurrency: int, **more: Any) -> None:
    config = {"url": str(sandbox.http.base_url), "answers": "later"}
    batch, rate = {"records": BATCH}, {"concurrency": concurrency}
    content = {"name": "hook", "type": "sandbox", "config": config, "batch": batch, "rate": rate, **more}
    project.write("destinations/hook.yaml", content)


def jobs(sandbox: Visitor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sandbox.http.get("/jobs").json()
    return found


def killed(project: TestProject, when: Callable[[], bool]) -> None:
    """A run that is killed once ``when`` holds."""
    process, deadline = project.start("run", SYNC), time.monotonic() + 60
    while not when():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.communicate()


def when_free(project: TestProject) -> dict[str, Any]:
    """The report of a run that does not meet the lease of a dead one."""
    deadline = time.monotonic() + 60
    while (report := project.report())["status"] == "busy":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return report


def settled(project: TestProject, sandbox: Visitor) -> None:
    """The next run counts every record once, the one after it has nothing to do, and nothing had an effect twice."""
    report = when_free(project)
    assert report["status"] == "succeeded", report
    assert report["delivered"] == {"inserts": ROWS, "updates": 0, "deletes": 0}
    assert project.report()["status"] == "unchanged"
    assert sandbox.held() == {str(n): {"name": name, "score": score} for n, (name, score) in PEOPLE.items()}
    assert Counter(sandbox.journal) == Counter(dict.fromkeys(sandbox.journal, 1))
    assert {outcome for _, _, outcome in sandbox.journal} == {"delivered"}
    assert project.run("--json", "ledger", "verify").code == 0


def test_a_kill_after_a_job_was_submitted_asks_on_and_submits_only_what_was_not(
    project: TestProject, sandbox: Visitor
) -> None:
    _destination(project, sandbox, concurrency=1)

    died = project.run_process("run", SYNC, env={VARIABLE: "job.after_submit=kill@3"})

    assert died.code == -signal.SIGKILL, died
    assert [job["has_run"] for job in jobs(sandbox)] == [True, True, False]
    settled(project, sandbox)
    assert [job["submitted"] for job in jobs(sandbox)] == [1] * (ROWS // BATCH)


def test_kills_while_jobs_run_ask_about_the_same_jobs_and_submit_none(project: TestProject, sandbox: Visitor) -> None:
    sandbox.switch(RUNS_FOR_EVER)
    killed(project, lambda: [job["asked"] > 1 for job in jobs(sandbox)] == [True, True])
    before = [job["asked"] for job in jobs(sandbox)]
    killed(project, lambda: all(job["asked"] > known for job, known in zip(jobs(sandbox), before, strict=True)))

    assert [job["submitted"] for job in jobs(sandbox)] == [1, 1]
    assert sandbox.held() == {}
    sandbox.switch()
    settled(project, sandbox)
    assert [job["submitted"] for job in jobs(sandbox)] == [1] * (ROWS // BATCH)


@pytest.mark.parametrize("point", ["window.after_intent", "batch.after_send@2", "window.before_receipt"])
def test_a_kill_around_the_submission_has_no_second_effect(project: TestProject, sandbox: Visitor, point: str) -> None:
    """A job whose id was not kept is submitted again under its key, and is the same job."""
    name, _, hit = point.partition("@")

    died = project.run_process("run", SYNC, env={VARIABLE: f"{name}=kill" + (f"@{hit}" if hit else "")})

    assert died.code == -signal.SIGKILL, died
    settled(project, sandbox)
    assert len(jobs(sandbox)) == ROWS // BATCH
    if point == "window.before_receipt":
        assert [job["submitted"] for job in jobs(sandbox)] == [1] * (ROWS // BATCH)


def test_the_deadline_of_a_job_goes_on_while_no_process_runs(project: TestProject, sandbox: Visitor) -> None:
    """It is asked about once more and given up; what the run after it sends is another plan's."""
    _destination(project, sandbox, concurrency=1, jobs={"deadline": "1ms"})
    sandbox.switch(RUNS_FOR_EVER)
    died = project.run_process("run", SYNC, env={VARIABLE: "job.after_submit=kill"})
    assert died.code == -signal.SIGKILL, died

    resumed = when_free(project)["resumed"]

    (run,) = [run for run in project.run("--json", "runs", SYNC).json if run["run"] == resumed]
    assert run["status"] == "failed"
    assert "job 1 has not ended" in run["reason"]
    assert (run["delivered"]["inserts"], run["unknown"]) == (0, BATCH)
    given_up, *_ = jobs(sandbox)
    assert (given_up["submitted"], given_up["asked"], given_up["has_run"]) == (1, 1, False)
