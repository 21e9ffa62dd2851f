"""Kills around a version that is held, and around the decision about it: either nothing happened, or all of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.failpoints import VARIABLE
from tests.acceptance.test_held_versions import BAD, GOOD, NULLS, REVIEW, rules
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

pytestmark = pytest.mark.crash


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> TestProject:
    """One good version is delivered, and the next one will be held."""
    made = TestProject(tmp_path, receiver.url)
    rules(made, {**NULLS, **REVIEW})
    made.people(GOOD)
    assert made.report()["status"] == "succeeded"
    made.people(BAD)
    return made


def dies(project: TestProject, point: str, *command: str) -> None:
    died = project.run_process(*command, env={VARIABLE: f"{point}=kill"})
    assert died.code == -signal.SIGKILL, died


def waiting(project: TestProject) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.run("--json", "approvals").json
    return found


@pytest.mark.parametrize(("point", "left"), [("hold.before_commit", 0), ("hold.after_commit", 1)])
def test_a_kill_while_a_version_is_held_leaves_it_held_or_unheard_of(
    project: TestProject, receiver: Receiver, point: str, left: int
) -> None:
    dies(project, point, "capture", "people")
    assert len(waiting(project)) == left
    assert project.run("capture", "people").code == 4
    (held,) = waiting(project)
    assert project.run("approve", held["candidate"]).code == 0
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == len(BAD)
    assert project.run("ledger", "verify").code == 0


@pytest.mark.parametrize("command", ["approve", "reject"])
@pytest.mark.parametrize("point", ["review.before_commit", "review.after_commit"])
def test_a_kill_while_a_person_decides_leaves_the_decision_made_or_open(
    project: TestProject, receiver: Receiver, point: str, command: str
) -> None:
    assert project.run("capture", "people").code == 4
    (held,) = waiting(project)
    dies(project, point, command, held["candidate"])
    is_open = point == "review.before_commit"
    assert len(waiting(project)) == is_open
    again = project.run(command, held["candidate"])
    assert again.code == (0 if is_open else 2)
    report = project.report()
    if command == "approve":
        assert (report["status"], len(receiver.records)) == ("succeeded", len(BAD))
    else:
        assert (report["status"], len(receiver.records)) == ("blocked", len(GOOD))
    assert project.run("ledger", "verify").code == 0
