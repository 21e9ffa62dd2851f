"""Changes of old versions are put together in fewer files, beside captures and runs; a crash in between leaves nothing half done."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.acceptance.test_erasure import holding
from tests.acceptance.test_garbage import age, asleep, collected, stored
from tests.acceptance.test_retention import FOLDER, SYNC, captured, done, kept, rule, source
from tests.projects import TestProject

BEFORE = 7
"""So many versions are not enough for a merge, and with one more the first two changes are."""
MERGED = "00000002-changes-to-00000003"


def changes(project: TestProject) -> list[str]:
    """Files of changes, without what tells two writers apart."""
    found = [path.removeprefix(FOLDER) for path in stored(project) if "-changes-" in path]
    return sorted(name.rpartition("-")[0] for name in found)


def told(project: TestProject) -> list[Any]:
    """What a person sees of versions: how some differ from the first, and the story of somebody."""
    differences = [done(project, "diff", "people", "1", number) for number in "235"]
    return [*differences, done(project, "show", SYNC, "--key", "2")]


@pytest.mark.slow
def test_a_capture_merges_what_is_old_enough_and_everything_is_said_as_before(project: TestProject) -> None:
    captured(project.given, *range(1, BEFORE + 1))
    before = told(project)
    assert MERGED not in changes(project)

    captured(project, BEFORE + 1)

    assert changes(project) == [MERGED, *(f"0000000{number}-changes" for number in range(4, BEFORE + 2))]
    after = told(project)
    assert after[:-1] == before[:-1]
    assert [c for c in after[-1]["story"] if c["version"] != BEFORE + 1] == before[-1]["story"]
    age(project)
    assert collected(project)["folders"] == []
    assert project.run("ledger", "verify").code == 0
    assert project.report()["status"] == "succeeded"


@pytest.mark.crash
@pytest.mark.parametrize("point", ["merge.before_commit", "merge.after_commit"])
def test_a_kill_while_changes_are_merged_is_made_good(project: TestProject, point: str) -> None:
    captured(project.given, *range(1, BEFORE + 1))
    source(project, BEFORE + 1)

    died = project.run_process("capture", "people", env={VARIABLE: f"{point}=kill"})
    assert died.code == -signal.SIGKILL, died
    before = told(project)
    age(project)
    collected(project)

    assert told(project) == before
    assert changes(project) == [MERGED, *(f"0000000{number}-changes" for number in range(4, BEFORE + 2))]
    assert collected(project)["folders"] == []
    assert project.run("ledger", "verify").code == 0
    assert project.report()["status"] == "succeeded"


@pytest.mark.crash
def test_nothing_is_merged_while_a_run_may_read_it(project: TestProject) -> None:
    captured(project.given, *range(1, BEFORE + 1))
    with asleep(project, "plan.after_commit", "run", SYNC):
        captured(project, BEFORE + 1)
        assert MERGED not in changes(project)

    collected(project)
    assert MERGED in changes(project)


@pytest.mark.slow
def test_a_merged_file_stays_while_a_version_of_it_is_kept_and_goes_with_the_last(project: TestProject) -> None:
    captured(project.given, *range(1, BEFORE + 2))
    done(project, "dataset", "hold", "people@2", "--reason", "case 17")
    rule(project, versions=1)
    collected(project)
    assert kept(project) == [1, 2, BEFORE + 1]
    assert MERGED in changes(project)
    assert done(project, "diff", "people", "1", "2")["inserts"] == 1

    done(project, "dataset", "release", "people@2", "--reason", "closed")
    collected(project)

    assert MERGED not in changes(project)
    assert kept(project) == [BEFORE + 1]


@pytest.mark.slow
def test_who_is_forgotten_stands_in_no_merged_file(project: TestProject) -> None:
    captured(project.given, *range(1, BEFORE + 2))

    assert project.run("forget", "2", "--reason", "request 17").code == 0

    assert MERGED in changes(project)
    assert holding(project, "Person 2") == []
    assert done(project, "diff", "people", "1", "3")["inserts"] == 1
