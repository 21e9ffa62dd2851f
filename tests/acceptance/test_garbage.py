"""What no event names is removed, and nothing else, whoever reads, writes or dies meanwhile."""

from __future__ import annotations

import copy
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.projects import CONTRACT, TestProject

OLD = 30 * 24 * 3600
BEGUN = {1: ("Ada", 1.5), 2: ("Bo", None)}
GROWN = {1: ("Ada", 1.5), 2: ("Bo", 4.0), 3: ("Cy", 7.0)}


def age(project: TestProject, seconds: int = OLD) -> None:
    """Let every file of the storage be one that nobody touched for long."""
    then = time.time() - seconds
    for path in stored(project):
        os.utime(project.folder / ".tidegate" / "segments" / path, (then, then))


def stored(project: TestProject) -> set[str]:
    root = project.folder / ".tidegate" / "segments"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def leave(project: TestProject, name: str) -> str:
    """A file as a crash leaves it."""
    path = project.folder / ".tidegate" / "segments" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"left")
    return name


def collected(project: TestProject, *options: str) -> dict[str, Any]:
    ended = project.run("--json", "gc", *options)
    assert ended.code == 0, ended
    report: dict[str, Any] = ended.json
    return report


@pytest.fixture
def lived(project: TestProject) -> TestProject:
    """A project with versions, a rejected and a kept row, decisions and a suppression list."""
    people = {"connection": "lake", "table": "people.parquet"}
    dataset = {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": people}
    project.write("datasets/people.yaml", {**dataset, "identifiers": {"id": "id"}})
    assert project.given.report()["status"] == "succeeded"
    project.people(GROWN)
    assert project.given.report()["status"] == "succeeded"
    for file, header in (("list.csv", "subject,purpose,status\n7,email,granted\n"), ("out.csv", "id\n9\n")):
        (project.folder / file).write_text(header, encoding="utf-8")
    (project.folder / "keys.txt").write_text("3\n", encoding="utf-8")
    for command in (
        ("consent", "import", str(project.folder / "list.csv")),
        ("suppress", "import", str(project.folder / "out.csv"), "--kind", "id"),
        ("rollback", "people_to_hook", "--to", "1", "--only-keys", str(project.folder / "keys.txt"), "--yes"),
    ):
        ended = project.given.run(*command)
        assert ended.code == 0, ended
    return project


LEFT = (
    "datasets/people@1/versions/00000009-snapshot-0000aaaa.parquet",
    "datasets/people@1/versions/00000009-changes-0000aaaa.parquet.writing",
    "syncs/people_to_hook/plans/v00000009-0000aaaa.parquet",
    "syncs/people_to_hook/state/x-0000aaaa.parquet",
    "syncs/people_to_hook/exceptions/x-000001-0000aaaa.parquet",
    "syncs/people_to_hook/kept/v1-0000aaaa.parquet",
    "consent/decisions/0000aaaa.parquet",
    "suppression/lists/0000aaaa.parquet.writing",
)


def test_what_no_event_names_goes_and_everything_else_stays(lived: TestProject) -> None:
    before = stored(lived)
    left = {leave(lived, name) for name in LEFT}
    age(lived)

    shown = collected(lived, "--dry-run")
    assert stored(lived) == before | left
    done = collected(lived)

    assert stored(lived) == before
    assert (shown["files"], shown["bytes"]) == (done["files"], done["bytes"]) == (len(LEFT), 4 * len(LEFT))
    assert collected(lived)["files"] == 0
    assert lived.run("ledger", "verify").code == 0
    assert lived.report()["status"] == "unchanged"


def test_what_was_kept_of_a_refused_candidate_goes_once_another_capture_ended(project: TestProject) -> None:
    contract = copy.deepcopy(CONTRACT)
    contract["schema"][0]["properties"][1]["quality"] = [{"metric": "nullValues", "mustBe": 0}]
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.people(dict.fromkeys(range(3), (None, 1.0)))
    assert project.report()["status"] == "blocked"
    (kept,) = (name for name in stored(project) if "-failing-" in name)
    content = (project.folder / ".tidegate/segments" / kept).read_bytes()
    age(project)
    assert collected(project)["files"] == 0
    project.people(BEGUN)
    assert project.report()["status"] == "succeeded"
    assert kept not in stored(project)

    (project.folder / ".tidegate/segments" / kept).write_bytes(content)
    age(project)

    assert collected(project)["files"] == 1
    assert kept not in stored(project)


def test_runs_and_decisions_leave_no_garbage(lived: TestProject) -> None:
    age(lived)

    assert collected(lived)["folders"] == []


def test_what_was_written_lately_stays(lived: TestProject) -> None:
    left = {leave(lived, name) for name in LEFT}
    age(lived, seconds=23 * 3600)

    assert collected(lived)["files"] == 0
    assert left <= stored(lived)
    assert collected(lived, "--older-than", "22")["files"] == len(LEFT)


def test_decisions_and_lists_are_never_taken_in_their_first_hour(lived: TestProject) -> None:
    left = {leave(lived, name) for name in LEFT[-2:]}

    assert collected(lived, "--older-than", "0")["files"] == 0
    assert left <= stored(lived)


def test_what_was_recorded_instead_of_sent_stays(lived: TestProject) -> None:
    name = leave(lived, "syncs/people_to_hook/recorded/x-0000aaaa.parquet")
    age(lived)

    assert collected(lived)["files"] == 0
    assert name in stored(lived)


@contextmanager
def asleep(project: TestProject, point: str, *command: str) -> Iterator[None]:
    """A command sleeps at a point while the block runs, and then goes on to a good end; it never outlives its test."""
    process = project.start(*command, env={VARIABLE: f"{point}=stop@1"})
    try:
        deadline = time.monotonic() + 60
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield
        process.send_signal(signal.SIGCONT)
        said = process.communicate(60)
        assert process.returncode == 0, said
    finally:
        process.kill()


@pytest.mark.crash
def test_files_of_a_run_that_goes_on_stay(lived: TestProject) -> None:
    name = leave(lived, LEFT[2])
    lived.people({**GROWN, 4: ("Di", 2.0)})
    with asleep(lived, "plan.before_commit", "run", "people_to_hook"):
        planned = stored(lived)
        age(lived)
        report = collected(lived)

    (told,) = report["folders"]
    assert (told["folder"], told["files"], "people_to_hook" in told["left"]) == ("syncs/people_to_hook", 0, True)
    assert name in stored(lived)
    assert {path for path in planned if path.startswith("syncs/")} <= stored(lived)


@pytest.mark.crash
def test_a_capture_that_slept_for_a_month_names_no_file_that_was_taken(lived: TestProject) -> None:
    lived.people({**GROWN, 4: ("Di", 2.0)})
    before = stored(lived)
    with asleep(lived, "capture.before_commit", "capture", "people"):
        written = stored(lived) - before
        age(lived)
        assert collected(lived)["files"] == len(written) > 0

    assert not written & stored(lived)
    assert lived.run("diff", "people", "2", "3").code == 0
    assert lived.report()["status"] == "succeeded"


@pytest.mark.crash
@pytest.mark.parametrize("point", ["collect.before_commit", "collect.after_commit"])
@pytest.mark.parametrize("hit", [1, 2])
def test_a_kill_while_files_are_removed_is_made_good_by_the_next(lived: TestProject, point: str, hit: int) -> None:
    before = stored(lived)
    for name in LEFT:
        leave(lived, name)
    age(lived)

    died = lived.run_process("gc", env={VARIABLE: f"{point}=kill@{hit}"})
    assert died.code == -signal.SIGKILL, died
    collected(lived)

    assert stored(lived) == before
    assert lived.run("ledger", "verify").code == 0
    assert lived.report()["status"] == "unchanged"


def test_what_a_lost_event_names_is_no_garbage(lived: TestProject, tmp_path: Path) -> None:
    """With yesterday's copy of the ledger, today's version is a file that no event names."""
    ledger = lived.folder / ".tidegate" / "ledger.db"
    shutil.copy(ledger, tmp_path / "yesterday")
    lived.people({**GROWN, 4: ("Di", 2.0)})
    assert lived.report()["status"] == "succeeded"
    before = stored(lived)
    age(lived)
    shutil.copy(ledger, tmp_path / "today")
    for suffix in ("-wal", "-shm"):
        Path(f"{ledger}{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "yesterday", ledger)

    ended = lived.run("gc")

    assert ended.code == 1
    assert "went back in time" in ended.err
    assert stored(lived) == before
    shutil.copy(tmp_path / "today", ledger)
