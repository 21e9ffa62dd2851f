"""Real kills: whatever dies where, the next run brings the destination to the source's state and recounts nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from engine.failpoints import NAMES, VARIABLE
from engine.steps.deliver import WINDOW_BATCHES_PER_CALL
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.crash
CONCURRENCY = 4
BATCH = 100
WINDOW_RECORDS = WINDOW_BATCHES_PER_CALL * CONCURRENCY * BATCH

RUN_POINTS = sorted(NAMES - {"migrate.step", "lease.before_renew", "job.after_submit"})
"""A webhook makes no jobs; `test_kill_with_jobs` kills around those."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> TestProject:
    made = TestProject(tmp_path, receiver.url)
    made.destination(
        "hook",
        receiver.url,
        rate={"concurrency": CONCURRENCY},
        batch={"records": BATCH},
    )
    return made


def people(rows: int, *, version: int = 1) -> pa.Table:
    ids = list(range(rows))
    names = [f"person {i} v{version if i % 7 == 0 else 1}" for i in ids]
    return pa.table({"id": pa.array(ids, pa.int64()), "name": names, "score": [i / 4 for i in ids]})


def wanted(table: pa.Table) -> dict[str, dict[str, object]]:
    return {str(row["id"]): {"name": row["name"], "score": row["score"]} for row in table.to_pylist()}


def settled(project: TestProject) -> None:
    """Runs until nothing is left to do, then checks the ledger; leases of the dead are waited for."""
    deadline = time.monotonic() + 60
    while True:
        outcome = project.run("--json", "run", "people_to_hook")
        assert isinstance(outcome.json, list), outcome
        (report,) = outcome.json
        if report["status"] == "unchanged":
            break
        assert report["status"] in {"succeeded", "busy", "partial"}, report
        assert time.monotonic() < deadline, report
        if report["status"] == "busy":
            time.sleep(0.5)
    verified = project.run("--json", "ledger", "verify")
    assert verified.code == 0, verified


@pytest.mark.parametrize("point", RUN_POINTS)
def test_a_kill_at_any_point_loses_nothing_and_sends_at_most_one_window_twice(
    project: TestProject, receiver: Receiver, point: str
) -> None:
    first = people(5_000)
    project.data(first)
    died = project.run_process("run", "people_to_hook", env={VARIABLE: f"{point}=kill"})
    assert died.code == -signal.SIGKILL, died
    settled(project)
    assert receiver.records == wanted(first)
    assert project.checked(receiver).again <= WINDOW_RECORDS

    second = people(5_000, version=2).slice(10)
    project.data(second)
    project.run_process("run", "people_to_hook", env={VARIABLE: f"{point}=kill"})
    settled(project)
    assert receiver.records == wanted(second)
    assert project.checked(receiver).again <= 2 * WINDOW_RECORDS


def test_a_kill_while_200_000_rows_are_delivered_converges_and_counts_each_once(
    project: TestProject, receiver: Receiver
) -> None:
    table = people(200_000)
    project.data(table)
    process = project.start("run", "people_to_hook")
    while receiver.requests < 700:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    reached = receiver.requests
    assert reached < 2_000, "the kill must hit in the middle"

    report = _run_when_free(project)
    assert report["status"] == "succeeded"
    assert report["delivered"] == {"inserts": 200_000, "updates": 0, "deletes": 0}
    assert receiver.records == wanted(table)
    checked = project.checked(receiver)
    assert checked.acknowledged == 200_000
    assert checked.again <= WINDOW_RECORDS
    assert project.run("--json", "ledger", "verify").code == 0
    assert project.report()["status"] == "unchanged"


def test_random_kills_in_a_row_converge(project: TestProject, receiver: Receiver) -> None:
    seed = int(os.environ.get("TIDEGATE_TEST_SEED", "7"))
    print(f"seed {seed}")
    dice = random.Random(seed)
    kills = 0
    for version in range(1, 6):
        table = people(20_000, version=version).slice(version * 13)
        project.data(table)
        process = project.start("run", "people_to_hook")
        try:
            process.wait(timeout=dice.uniform(0.5, 2.5))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
    settled(project)
    assert receiver.records == wanted(table)
    assert project.checked(receiver).again <= kills * WINDOW_RECORDS


def test_an_interrupt_keeps_what_was_acknowledged_and_the_next_run_resumes(
    project: TestProject, receiver: Receiver
) -> None:
    table = people(100_000)
    project.data(table)
    process = project.start("run", "people_to_hook")
    while receiver.requests < 100:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "resume" in err
    report = project.report()
    assert report["delivered"]["inserts"] == 100_000
    assert receiver.records == wanted(table)
    assert all(count == 1 for count in receiver.sent.values())


def test_two_runs_of_one_sync_at_once_are_one_run_and_one_busy(project: TestProject, receiver: Receiver) -> None:
    project.data(people(1_000))
    reached, left = threading.Event(), threading.Event()

    def held(_body: object) -> None:
        reached.set()
        left.wait(50)

    receiver.answer = held
    process = project.start("run", "people_to_hook")
    assert reached.wait(60), process.communicate(timeout=1)
    other = project.report()
    left.set()
    assert (other["status"], other["exit"]) == ("busy", 6)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    assert len(receiver.records) == 1_000


def test_two_syncs_run_side_by_side(project: TestProject, receiver: Receiver, tmp_path: Path) -> None:
    project.sync("other", object="others")
    project.data(people(1_000))
    reached = tmp_path / "reached"
    points = f"window.after_intent=touch:{reached};batch.before_send=sleep:90"
    process = project.start("run", "people_to_hook", env={VARIABLE: points})
    try:
        deadline = time.monotonic() + 40
        while not reached.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        other = project.report("other")
        assert (other["status"], other["exit"]) == ("succeeded", 0)
        assert process.poll() is None, "the other sync was to run while this one was in the middle of a window"
    finally:
        process.kill()
        process.communicate(timeout=60)


def _run_when_free(project: TestProject) -> dict[str, object]:
    deadline = time.monotonic() + 40
    while True:
        report = project.report()
        if report["status"] != "busy":
            return report
        assert time.monotonic() < deadline
        time.sleep(0.5)
